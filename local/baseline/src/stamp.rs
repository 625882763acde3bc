//! The one home of the clock in this crate.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use coupon::Timestamp;

/// This moment, by the machine's clock, in milliseconds: what `System.currentTimeMillis()` is to the seeds.
pub(crate) fn now() -> Timestamp {
    let since_1970: Duration = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis_clamped(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX))
}
