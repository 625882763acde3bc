//! A point in time as the wire has it: milliseconds since 1970, written as RFC 3339 in UTC with exactly three digits
//! of milliseconds. Where the time comes from is not known here.

use alloc::{format, string::String};
use core::fmt;

use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::Invalid;

/// Milliseconds since 1970-01-01T00:00:00Z, from then to the end of the year 9999: the range in which a timestamp
/// stored as text sorts like the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Timestamp(i64);

impl Timestamp {
    /// 1970-01-01T00:00:00.000Z, the clock of a head that has seen no record.
    pub const ZERO: Self = Self(0);
    /// 9999-12-31T23:59:59.999Z.
    pub const MAX: Self = Self(253_402_300_799_999);

    /// A producer may write any number: what lies outside the range is moved to its nearest end. Kafka's −1, "no
    /// timestamp", thereby never moves a clock.
    #[must_use]
    pub fn from_millis_clamped(millis: i64) -> Self {
        Self(millis.clamp(Self::ZERO.0, Self::MAX.0))
    }

    /// Parses RFC 3339 with any offset; digits beyond the millisecond are cut.
    ///
    /// # Errors
    /// The text is no RFC 3339 timestamp, or lies outside 1970 to 9999.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let invalid = || {
            let shown: String = text.chars().take(40).collect();
            Invalid::new(format!("not an RFC 3339 timestamp such as 2026-11-20T03:00:00.000Z: {shown:?}"))
        };
        let parsed = OffsetDateTime::parse(text, &Rfc3339).map_err(|_source| invalid())?;
        // Floor, so that a fraction before 1970 does not round up into the range.
        let millis = parsed.unix_timestamp_nanos().div_euclid(1_000_000);
        let millis = i64::try_from(millis).map_err(|_source| invalid())?;
        if (Self::ZERO.0..=Self::MAX.0).contains(&millis) { Ok(Self(millis)) } else { Err(invalid()) }
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Later by this many milliseconds, at most [`Timestamp::MAX`].
    #[must_use]
    pub fn plus_millis(self, millis: i64) -> Self {
        Self::from_millis_clamped(self.0.saturating_add(millis))
    }
}

impl fmt::Display for Timestamp {
    /// `2026-11-20T03:00:00.120Z`. The `time` crate's RFC 3339 drops trailing zeros, hence the parts by hand.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.div_euclid(1000);
        let date = OffsetDateTime::from_unix_timestamp(seconds).map_err(|_source| fmt::Error)?;
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
            date.year(),
            u8::from(date.month()),
            date.day(),
            date.hour(),
            date.minute(),
            date.second(),
            self.0.rem_euclid(1000)
        )
    }
}

impl TryFrom<String> for Timestamp {
    type Error = Invalid;
    fn try_from(text: String) -> Result<Self, Invalid> {
        Self::parse(&text)
    }
}

impl From<Timestamp> for String {
    fn from(timestamp: Timestamp) -> Self {
        format!("{timestamp}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn milliseconds_always_have_three_digits() {
        for (text, shown) in [
            ("2026-11-20T03:00:00Z", "2026-11-20T03:00:00.000Z"),
            ("2026-11-20T03:00:00.12Z", "2026-11-20T03:00:00.120Z"),
            ("2026-11-20T12:00:00.1239+09:00", "2026-11-20T03:00:00.123Z"),
            ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z"),
            ("9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(Timestamp::parse(text).unwrap().to_string(), shown);
        }
    }

    #[test]
    fn what_is_no_timestamp_of_the_range_is_refused() {
        for text in ["", "noon", "2026-11-20", "1969-12-31T23:59:59.999Z", "9999-12-31T23:59:59-01:00"] {
            assert!(Timestamp::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_hostile_number_is_moved_into_the_range() {
        assert_eq!(Timestamp::from_millis_clamped(-1), Timestamp::ZERO);
        assert_eq!(Timestamp::from_millis_clamped(i64::MAX), Timestamp::MAX);
    }
}
