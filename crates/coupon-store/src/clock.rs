//! The one home of the clock in this crate: how long a call may still be tried. `tokio`'s clock, so that a test and the
//! simulation can hold it.

use std::time::Duration;

use tokio::time::Instant;

/// The moment after which no further attempt is made.
#[derive(Debug, Clone, Copy)]
pub struct Deadline(Instant);

impl Deadline {
    /// This long from now.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one home of the clock")]
    pub fn after(duration: Duration) -> Self {
        Self(Instant::now() + duration)
    }

    /// How long is left; zero when it has passed.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one home of the clock")]
    pub fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// The earlier of this and another one.
    #[must_use]
    pub fn min(self, other: Self) -> Self {
        Self(self.0.min(other.0))
    }

    /// The instant itself, for `timeout_at`.
    #[must_use]
    pub const fn instant(self) -> Instant {
        self.0
    }
}
