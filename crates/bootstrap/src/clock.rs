//! How much of an invocation is left, by the machine's clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// No invocation ends in 1970. `cargo lambda watch` 1.9 hands over 600000, and means ten minutes from now.
/// <https://github.com/cargo-lambda/cargo-lambda/blob/main/crates/cargo-lambda-watch/src/runtime/functions_router.rs>
const DURATION_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// What is left of an invocation that ends at `deadline_ms` since 1970; nothing where that is over.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one home of the clock")]
pub fn time_left(deadline_ms: u64) -> Duration {
    left(Duration::from_millis(deadline_ms), SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

fn left(end: Duration, now: Duration) -> Duration {
    if end <= DURATION_MAX { end } else { end.saturating_sub(now) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1_795_143_600);

    #[test]
    fn a_frozen_invocation_has_no_time_left() {
        assert_eq!(left(NOW + Duration::from_secs(60), NOW), Duration::from_secs(60));
        assert_eq!(left(NOW - Duration::from_secs(1), NOW), Duration::ZERO);
    }

    #[test]
    fn a_host_that_hands_over_a_duration_is_understood() {
        assert_eq!(left(Duration::from_millis(600_000), NOW), Duration::from_secs(600));
    }
}
