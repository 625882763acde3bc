//! The log port: what a domain needs of Kafka to produce records, and no client. Topics with typed keys and values, the
//! record that they make, the acknowledgement that comes back, and the partition that a key belongs to.
//!
//! Knows no coupon and no broker. The client that implements [`Log`] is the `kafka` crate; a simulation implements it
//! without linking one.

mod error;
mod murmur2;
mod topic;

use std::future::Future;

use bytes::Bytes;

pub use error::LogError;
pub use murmur2::{murmur2, partition_of};
pub use topic::{Key, Topic};

/// A header: its name, and its value, which Kafka allows to be null.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Not unique within a record.
    pub name: String,
    /// Any bytes.
    pub value: Option<Bytes>,
}

/// One record to produce, as bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Record {
    /// The topic's name.
    pub topic: String,
    /// Where exactly; `None` leaves it to the key, by `murmur2_random`.
    pub partition: Option<i32>,
    /// Any bytes, or null.
    pub key: Option<Bytes>,
    /// Any bytes, or null.
    pub value: Option<Bytes>,
    /// In this order; names may repeat.
    pub headers: Vec<Header>,
}

/// Where an acknowledged record lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivery {
    /// Its partition.
    pub partition: i32,
    /// Its offset; a broker that deduplicated a resend may answer without one.
    pub offset: Option<i64>,
}

/// A log to produce to.
pub trait Log: Send + Sync {
    /// Produces one record and waits until every in-sync replica has it.
    ///
    /// # Errors
    /// See [`LogError`]; after [`LogError::Unavailable`] the record may be in the log all the same.
    fn produce(&self, record: Record) -> impl Future<Output = Result<Delivery, LogError>> + Send;

    /// How many partitions a topic has now, at least 1.
    ///
    /// # Errors
    /// [`LogError::UnknownTopic`], or the broker does not answer.
    fn partitions(&self, topic: &str) -> impl Future<Output = Result<i32, LogError>> + Send;
}
