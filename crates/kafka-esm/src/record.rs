//! A polled record as the engine holds it: its place, its age, and its JSON, encoded once when it is polled.

use std::time::Instant;

use bytes::Bytes;

/// A record on its way to the function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    /// Milliseconds since 1970.
    pub(crate) timestamp: i64,
    /// When it was polled; a batch's window starts with its first record.
    pub(crate) arrived: Instant,
    /// The record's object in the event; UTF-8.
    pub(crate) json: Bytes,
}

/// What the poller hands over, in the order of the log within each partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Polled {
    Record(Record),
    /// No filter wanted it: its offset counts, nothing else.
    FilteredOut {
        partition: i32,
        offset: i64,
    },
}

impl Polled {
    pub(crate) fn place(&self) -> (i32, i64) {
        match self {
            Self::Record(record) => (record.partition, record.offset),
            Self::FilteredOut { partition, offset } => (*partition, *offset),
        }
    }
}
