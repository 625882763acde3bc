//! The one home of the clock: how long a rush has lasted, by `tokio`'s clock, which is paused and jumps from one timer
//! to the next. Nothing here knows what time it is outside.

use std::time::Duration;

use tokio::time::Instant;

/// When every rush starts: 2026-11-20T03:00:00.000Z, in milliseconds since 1970.
pub(crate) const START_MS: i64 = 1_795_143_600_000;

/// The time since a rush began.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timeline(Instant);

impl Timeline {
    #[expect(clippy::disallowed_methods, reason = "the one home of the clock")]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    #[expect(clippy::disallowed_methods, reason = "the one home of the clock")]
    pub(crate) fn elapsed(self) -> Duration {
        Instant::now().saturating_duration_since(self.0)
    }

    pub(crate) fn elapsed_ms(self) -> i64 {
        i64::try_from(self.elapsed().as_millis()).unwrap_or(i64::MAX)
    }

    /// Milliseconds since 1970, as a clock shows them that goes right.
    pub(crate) fn now_ms(self) -> i64 {
        START_MS.saturating_add(self.elapsed_ms())
    }
}
