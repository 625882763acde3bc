//! The one home of the clock: how much of an invocation is left. Nothing is decided by it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use coupon_store::Deadline;

/// What is kept of every invocation for failing in good order: the mapping then redelivers the batch at once instead of
/// after the function's timeout.
const RESERVE: Duration = Duration::from_secs(5);

/// No invocation ends in 1970. `cargo lambda watch` 1.9 hands over 600000, and means ten minutes from now.
/// <https://github.com/cargo-lambda/cargo-lambda/blob/main/crates/cargo-lambda-watch/src/runtime/functions_router.rs>
const DURATION_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// The deadline of the work in an invocation that ends at `deadline_ms` since 1970: 5 s before, or half of what is
/// left where that is less than 10 s.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one home of the clock")]
pub fn work_deadline(deadline_ms: u64) -> Deadline {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Deadline::after(time_to_work(Duration::from_millis(deadline_ms), now))
}

fn time_to_work(end: Duration, now: Duration) -> Duration {
    let left = if end <= DURATION_MAX { end } else { end.saturating_sub(now) };
    left.saturating_sub(RESERVE.min(left / 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_of_what_is_left_is_kept_for_failing_in_good_order() {
        let now = Duration::from_secs(1_795_143_600);
        let ends_in = |seconds: u64| time_to_work(now + Duration::from_secs(seconds), now).as_secs_f64();
        assert_eq!([ends_in(60), ends_in(10), ends_in(4), ends_in(0)], [55.0, 5.0, 2.0, 0.0]);
        // Frozen meanwhile: there is no time left.
        assert_eq!(time_to_work(now - Duration::from_secs(1), now), Duration::ZERO);
    }

    #[test]
    fn a_host_that_hands_over_a_duration_is_understood() {
        let now = Duration::from_secs(1_795_143_600);
        assert_eq!(time_to_work(Duration::from_millis(600_000), now), Duration::from_secs(595));
    }
}
