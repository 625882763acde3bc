//! How long to wait before an attempt: 1 s, doubling to 30 s, ± 20 %, all scaled. AWS documents none of it; these are the
//! emulator's figures.

use std::time::Duration;

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30);
/// 2^5 s is beyond the longest already.
const DOUBLINGS_MAX: u32 = 5;
const JITTER: f64 = 0.2;

/// The wait before the attempt after this many failed ones (1 for the first retry); `jitter` is in 0 to 1.
pub(super) fn delay(failed: u32, time_factor: f64, jitter: f64) -> Duration {
    let doublings = failed.saturating_sub(1).min(DOUBLINGS_MAX);
    let seconds = FIRST.saturating_mul(1 << doublings).min(LONGEST).as_secs_f64();
    let scaled = seconds * (1.0 + JITTER * (2.0 * jitter - 1.0)) * time_factor;
    Duration::try_from_secs_f64(scaled).unwrap_or(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c35_the_wait_doubles_from_one_second_to_thirty() {
        let middle: Vec<u64> = (1..=8).map(|failed| delay(failed, 1.0, 0.5).as_secs()).collect();
        assert_eq!(middle, [1, 2, 4, 8, 16, 30, 30, 30]);
        assert_eq!(delay(u32::MAX, 1.0, 0.5), LONGEST);
    }

    #[test]
    fn jitter_moves_it_by_a_fifth_and_the_factor_scales_it() {
        assert_eq!(delay(1, 1.0, 0.0), Duration::from_millis(800));
        assert_eq!(delay(1, 1.0, 1.0), Duration::from_millis(1200));
        assert_eq!(delay(3, 0.01, 0.5), Duration::from_millis(40));
    }
}
