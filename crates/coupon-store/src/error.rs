//! What can go wrong between a call and its answer; the variants say what the caller can do.

/// Why a call of the store has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The store has no capacity for it now (throttling, as an error or as a cancellation reason). Nothing was
    /// written. Wait and repeat.
    #[error("the store throttles: {0}")]
    Throttled(String),
    /// Another transaction holds one of the items. Nothing was written, or read. Wait and repeat.
    #[error("another transaction is under way: {0}")]
    Conflict(String),
    /// The transaction of this very token is still running. Repeat with the same token.
    #[error("this transaction is still under way: {0}")]
    InProgress(String),
    /// No answer: a timeout, a lost connection, a 5xx. A write may have happened or not.
    #[error("no answer from the store: {0}")]
    Unknown(String),
    /// The store understood and refuses: no such table, no right to it, an invalid call. Repeating does not help.
    #[error("the store refuses: {0}")]
    Refused(String),
    /// What is stored cannot be read as what it should be: names the item and the attribute.
    #[error("what is stored cannot be read: {0}")]
    Corrupt(String),
}

impl StoreError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Throttled(_) | Self::Conflict(_) | Self::InProgress(_) | Self::Unknown(_) => true,
            Self::Refused(_) | Self::Corrupt(_) => false,
        }
    }

    /// Whether a write may have happened, so that only the same token may follow.
    #[must_use]
    pub const fn is_outcome_unknown(&self) -> bool {
        match self {
            Self::InProgress(_) | Self::Unknown(_) => true,
            Self::Throttled(_) | Self::Conflict(_) | Self::Refused(_) | Self::Corrupt(_) => false,
        }
    }
}
