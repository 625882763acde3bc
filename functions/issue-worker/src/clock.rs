//! The one home of the clock: how much of an invocation is for work, and for metrics the present moment. Nothing is
//! decided by it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bootstrap::time_left;
use coupon_store::Deadline;

/// What is kept of every invocation for failing in good order: the mapping then redelivers the batch at once instead of
/// after the function's timeout.
const RESERVE: Duration = Duration::from_secs(5);

/// The deadline of the work in an invocation that ends at `deadline_ms` since 1970: 5 s before, or half of what is
/// left where that is less than 10 s.
#[must_use]
pub fn work_deadline(deadline_ms: u64) -> Deadline {
    Deadline::after(time_to_work(time_left(deadline_ms)))
}

/// Milliseconds since 1970, by the machine's clock.
#[expect(clippy::disallowed_methods, reason = "the one home of the clock")]
pub(crate) fn now_ms() -> i64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX)
}

fn time_to_work(left: Duration) -> Duration {
    left.saturating_sub(RESERVE.min(left / 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_of_what_is_left_is_kept_for_failing_in_good_order() {
        let of = |seconds: u64| time_to_work(Duration::from_secs(seconds)).as_secs_f64();
        assert_eq!([of(60), of(10), of(4), of(0)], [55.0, 5.0, 2.0, 0.0]);
    }
}
