//! Identifiers, each with one `parse` door; past it nothing is checked again.

use alloc::{format, string::String, sync::Arc};
use core::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{Invalid, Offset, Partition};

macro_rules! text_id {
    ($name:ident) => {
        impl $name {
            /// The text itself.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = Invalid;
            fn try_from(text: String) -> Result<Self, Invalid> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0.as_ref().into()
            }
        }
    };
}

/// A coupon's id: `[A-Za-z0-9_-]{1,64}`. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CouponId(Arc<str>);

impl CouponId {
    /// # Errors
    /// The text is not `[A-Za-z0-9_-]{1,64}`.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if (1..=64).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(Self(text.into()))
        } else {
            Err(Invalid::new(format!("couponId is 1 to 64 of A-Z a-z 0-9 _ -, not {}", shown(text))))
        }
    }
}

text_id!(CouponId);

/// A person, as the token's `sub` names them: 1 to 128 bytes of printable ASCII without spaces. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UserId(Arc<str>);

impl UserId {
    /// # Errors
    /// The text is not 1 to 128 bytes of printable ASCII without spaces.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        if (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(Self(text.into()))
        } else {
            Err(Invalid::new(format!(
                "a user's id is 1 to 128 bytes of printable ASCII without spaces, not {}",
                shown(text)
            )))
        }
    }
}

text_id!(UserId);

/// What a coupon is called: 1 to 100 Unicode characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CouponName(Arc<str>);

impl CouponName {
    /// # Errors
    /// The text is empty or longer than 100 characters.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let characters = text.chars().take(101).count();
        if (1..=100).contains(&characters) {
            Ok(Self(text.into()))
        } else {
            Err(Invalid::new(format!("name is 1 to 100 characters, not {}", text.chars().count())))
        }
    }
}

text_id!(CouponName);

/// At most 64 characters of what was given, quoted, so that an error stays readable whatever it quotes.
fn shown(text: &str) -> String {
    let head: String = text.chars().take(64).collect();
    if head.len() < text.len() { format!("{head:?}… ({} bytes)", text.len()) } else { format!("{head:?}") }
}

/// The place of a request in the log, `<partition>-<offset>`; `requestId` on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Ticket {
    /// The partition of the produced record.
    pub partition: Partition,
    /// Its offset there.
    pub offset: Offset,
}

impl Ticket {
    /// Parses `3-1042`. Numbers have one spelling: no sign, no leading zero.
    ///
    /// # Errors
    /// The text has another form.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let invalid = || Invalid::new(format!("requestId is <partition>-<offset> such as 3-1042, not {}", shown(text)));
        let (partition, offset) = text.split_once('-').ok_or_else(invalid)?;
        let partition = decimal::<i32>(partition).ok_or_else(invalid)?;
        let offset = decimal::<i64>(offset).ok_or_else(invalid)?;
        Ok(Self { partition: Partition::new(partition)?, offset: Offset::new(offset)? })
    }
}

fn decimal<N: FromStr>(text: &str) -> Option<N> {
    let canonical = text == "0" || (!text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit()));
    if canonical { text.parse().ok() } else { None }
}

impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.partition, self.offset)
    }
}

impl TryFrom<String> for Ticket {
    type Error = Invalid;
    fn try_from(text: String) -> Result<Self, Invalid> {
        Self::parse(&text)
    }
}

impl From<Ticket> for String {
    fn from(ticket: Ticket) -> Self {
        format!("{ticket}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn a_ticket_has_one_spelling() {
        assert_eq!(Ticket::parse("3-1042").unwrap().to_string(), "3-1042");
        assert_eq!(Ticket::parse("0-0").unwrap().to_string(), "0-0");
        for text in [
            "",
            "-",
            "3",
            "3-",
            "-1",
            "03-1",
            "3-01",
            "3--1",
            "+3-1",
            "3-1-2",
            "3-x",
            "2147483648-0",
            "0-9223372036854775808",
        ] {
            assert!(Ticket::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn ids_keep_their_limits() {
        assert!(CouponId::parse(&"a".repeat(64)).is_ok());
        assert!(UserId::parse(&"~".repeat(128)).is_ok());
        assert!(CouponName::parse(&"봄".repeat(100)).is_ok());
        for text in ["", "a b", "é", &"a".repeat(65)] {
            assert!(CouponId::parse(text).is_err(), "{text}");
        }
        for text in ["", "a b", "a\t", "é", &"a".repeat(129)] {
            assert!(UserId::parse(text).is_err(), "{text}");
        }
        for text in ["", &"봄".repeat(101)] {
            assert!(CouponName::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_error_never_repeats_more_than_a_line() {
        let error = CouponId::parse(&"x".repeat(100_000)).unwrap_err().to_string();
        assert!(error.len() < 200, "{error}");
    }
}
