//! The one home of the clock in this crate: how old something is. `tokio`'s clock, so that a test can hold it.

use std::time::Duration;

use tokio::time::Instant;

/// The moment at which something was learnt.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment(Instant);

impl Moment {
    #[expect(clippy::disallowed_methods, reason = "the one home of the clock")]
    pub(crate) fn now() -> Self {
        Self(Instant::now())
    }

    #[expect(clippy::disallowed_methods, reason = "the one home of the clock")]
    pub(crate) fn age(self) -> Duration {
        Instant::now().saturating_duration_since(self.0)
    }
}
