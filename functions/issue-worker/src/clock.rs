//! The one home of the clock: how much of an invocation is left. Nothing is decided by it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use coupon_store::Deadline;

/// What is kept of every invocation for failing in good order: the mapping then redelivers the batch at once instead of
/// after the function's timeout.
const RESERVE: Duration = Duration::from_secs(5);

/// The deadline of the work in an invocation that ends at `deadline_ms` since 1970: 5 s before, or half of what is
/// left where that is less than 10 s.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one home of the clock")]
pub fn work_deadline(deadline_ms: u64) -> Deadline {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let left = Duration::from_millis(deadline_ms).saturating_sub(now);
    Deadline::after(left.saturating_sub(RESERVE.min(left / 2)))
}
