//! What a function has taken so far, as Lambda bills it: invocations, and their time by whole milliseconds, the init phase
//! included. <https://aws.amazon.com/lambda/pricing/>

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Of one function, since its host started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Usage {
    /// Invocations that have ended, well or not.
    pub invocations: u64,
    /// The time of all of them and of every init phase, each rounded up to a millisecond.
    pub billed_ms: u64,
    /// The memory by which that time is billed.
    pub memory_mb: u32,
}

/// Adds up what a function takes.
#[derive(Debug, Default)]
pub(super) struct Billing {
    invocations: AtomicU64,
    billed_ms: AtomicU64,
}

impl Billing {
    /// So many invocations have ended, or an init phase, after so long.
    pub(super) fn add(&self, invocations: u64, took: Duration) {
        self.invocations.fetch_add(invocations, Ordering::Relaxed);
        self.billed_ms.fetch_add(billed_ms(took), Ordering::Relaxed);
    }

    /// All of it so far, of a function that has so much memory.
    pub(super) fn usage(&self, memory_mb: u32) -> Usage {
        let [invocations, billed_ms] = [&self.invocations, &self.billed_ms].map(|count| count.load(Ordering::Relaxed));
        Usage { invocations, billed_ms, memory_mb }
    }
}

/// A time as it is billed.
fn billed_ms(took: Duration) -> u64 {
    u64::try_from(took.as_micros().div_ceil(1000)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_begun_millisecond_is_a_millisecond() {
        assert_eq!([0, 1, 1000, 1001].map(|us| billed_ms(Duration::from_micros(us))), [0, 1, 1, 2]);
    }
}
