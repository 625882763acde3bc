//! Throttling: a bucket that holds as many requests as may come at once, filled again at the rate of the long run. Who
//! finds it empty gets API Gateway's 429.
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-throttling.html>

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How many requests are let in.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Throttle {
    /// A second, in the long run; `None` is no limit.
    pub rate: Option<f64>,
    /// At once; `None` is as many as in a second.
    pub burst: Option<u32>,
}

/// The bucket of one gateway.
#[derive(Debug)]
pub(super) struct Bucket {
    rate: f64,
    size: f64,
    level: Mutex<Level>,
}

#[derive(Debug, Clone, Copy)]
struct Level {
    tokens: f64,
    at: Duration,
}

impl Bucket {
    /// A full one; none where there is no limit.
    pub(super) fn new(throttle: Throttle) -> Option<Self> {
        let rate = throttle.rate?;
        let size = throttle.burst.map_or(rate, f64::from);
        Some(Self { rate, size, level: Mutex::new(Level { tokens: size, at: Duration::ZERO }) })
    }

    /// Whether one more request is let in, at this moment since 1970.
    pub(super) fn admits(&self, now: Duration) -> bool {
        let mut level = self.level.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = now.saturating_sub(level.at);
        level.tokens = (level.tokens + passed.as_secs_f64() * self.rate).min(self.size);
        level.at = level.at.max(now);
        if level.tokens < 1.0 {
            return false;
        }
        level.tokens -= 1.0;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(rate: f64, burst: Option<u32>) -> Bucket {
        Bucket::new(Throttle { rate: Some(rate), burst }).unwrap()
    }

    fn admitted(bucket: &Bucket, now: Duration, requests: usize) -> usize {
        (0..requests).filter(|_| bucket.admits(now)).count()
    }

    #[test]
    fn a_burst_is_let_in_and_then_the_rate() {
        let (bucket, start) = (bucket(10.0, Some(5)), Duration::from_secs(1_795_143_600));
        assert_eq!(admitted(&bucket, start, 20), 5);
        assert_eq!(admitted(&bucket, start + Duration::from_millis(100), 20), 1);
        assert_eq!(admitted(&bucket, start + Duration::from_millis(350), 20), 2);
        assert_eq!(admitted(&bucket, start + Duration::from_secs(60), 20), 5, "it holds no more than a burst");
    }

    #[test]
    fn a_clock_that_goes_back_fills_nothing() {
        let (bucket, start) = (bucket(10.0, None), Duration::from_secs(1_795_143_600));
        assert_eq!(admitted(&bucket, start, 20), 10);
        assert_eq!(admitted(&bucket, start - Duration::from_secs(5), 20), 0);
        assert_eq!(admitted(&bucket, start, 20), 0);
    }

    #[test]
    fn without_a_rate_there_is_no_bucket() {
        assert!(Bucket::new(Throttle::default()).is_none());
    }
}
