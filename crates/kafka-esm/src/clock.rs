//! The one home of the clock in this crate. Everything that decides is given its time, so that it can be tested without
//! waiting.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// For windows, back-off and deadlines.
#[expect(clippy::disallowed_methods, reason = "the one home of the clock")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Milliseconds since 1970, which a record's age is measured against.
#[expect(clippy::disallowed_methods, reason = "the one home of the clock")]
pub(crate) fn unix_millis() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
