//! What can go wrong between a record and its acknowledgement; the variants say what the caller can do.

/// Why a record was not acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// Nobody answered in time. The record may be in the log or not: only repeat what may happen twice.
    #[error("the broker did not acknowledge in time: {0}")]
    Unavailable(String),
    /// The client's own queue is full; the record was not sent. Wait and repeat.
    #[error("the producer's queue is full ({0})")]
    QueueFull(String),
    /// There is no such topic, or no such partition; the record was not written.
    #[error("unknown topic or partition: {0}")]
    UnknownTopic(String),
    /// The record is larger than the topic or the client takes; it was not written, and never will be.
    #[error("record too large: {0}")]
    TooLarge(String),
    /// Credentials or certificates were refused. Repeating does not help; reading the secret again may. The record may
    /// be in the log or not.
    #[error("authentication failed: {0}")]
    Authentication(String),
    /// The client's rights do not cover the topic; not written.
    #[error("not allowed: {0}")]
    Forbidden(String),
    /// The producer can go on no more (an idempotence error) and has to be made anew. The record may be in the log or
    /// not.
    #[error("fatal producer error: {0}")]
    Fatal(String),
    /// A key or a value that cannot be encoded; the record was never made.
    #[error("cannot encode: {0}")]
    Encode(String),
}
