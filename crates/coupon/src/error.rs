//! The one error of the core: a value from outside that breaks a limit.

use alloc::string::String;

/// A value that breaks a limit. The text names the limit and what was given; it is safe to show to the caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(String);

impl Invalid {
    pub(crate) fn new(detail: String) -> Self {
        Self(detail)
    }
}
