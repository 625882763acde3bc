//! What every [`Log`] must do, as one suite of assertions that each adapter's tests call: the client of a real broker, a
//! simulated log, and every decorator that is set to do nothing.
//!
//! Knows no adapter. The port only produces, so an adapter's test says how a topic is made and read back ([`Topics`]).
//! An assertion that fails panics, as in any test. Start with [`hold`].
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code, called from tests only")]

mod place;
mod refusal;

use std::future::Future;

use bytes::Bytes;
use record_log::{Delivery, Header, Log, LogError, Record};

/// What the suite needs beside the port, of the cluster that the log produces to.
pub trait Topics: Sync {
    /// Makes a topic of so many partitions, or gives it so many if it has fewer.
    fn make_topic(&self, name: &str, partitions: i32) -> impl Future<Output = ()> + Send;

    /// Every record of a partition from its start, with its offset, as any consumer reads it.
    fn read_back(&self, topic: &str, partition: i32) -> impl Future<Output = Vec<(i64, Record)>> + Send;
}

/// What logs differ in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Abilities {
    /// A value of so many bytes is too large for the topic or the client; none where everything is taken.
    pub too_large_bytes: Option<usize>,
    /// Whether a topic that does not exist is refused; a broker may be set to make it instead.
    pub refuses_unknown_topics: bool,
}

/// Holds `log` to the contract. `run` is a part of the topics' names that no earlier run on the same cluster had.
///
/// # Panics
/// The log breaks the contract; the message tells how.
pub async fn hold<L: Log, T: Topics>(log: &L, topics: &T, abilities: Abilities, run: &str) {
    let log = &Subject { log, topics };
    let topic = |name: &str| format!("{run}-{name}");

    place::offsets_of_a_partition_are_dense_and_in_order(log, &topic("dense")).await;
    place::a_record_is_read_back_as_it_was_produced(log, &topic("back")).await;
    place::a_key_chooses_the_partition(log, &topic("key")).await;
    place::a_named_partition_goes_before_the_key(log, &topic("named")).await;
    place::a_record_without_key_lies_where_it_is_said_to(log, &topic("keyless")).await;
    place::many_at_once_get_a_place_each(log, &topic("many")).await;
    place::a_topic_says_how_many_partitions_it_has(log, &topic("count")).await;

    refusal::an_unknown_partition_takes_nothing(log, &topic("no-partition")).await;
    if abilities.refuses_unknown_topics {
        refusal::an_unknown_topic_takes_nothing(log, &topic("no-topic")).await;
    }
    refusal::a_record_that_is_too_large_is_not_written(log, &topic("large"), abilities.too_large_bytes).await;
}

/// A log and its cluster.
struct Subject<'a, L, T> {
    log: &'a L,
    topics: &'a T,
}

impl<L: Log, T: Topics> Subject<'_, L, T> {
    async fn produce(&self, record: Record) -> Result<Delivery, LogError> {
        self.log.produce(record).await
    }

    async fn partitions(&self, topic: &str) -> Result<i32, LogError> {
        self.log.partitions(topic).await
    }

    async fn make_topic(&self, name: &str, partitions: i32) {
        self.topics.make_topic(name, partitions).await;
    }

    async fn read_back(&self, topic: &str, partition: i32) -> Vec<(i64, Record)> {
        self.topics.read_back(topic, partition).await
    }
}

/// A record with a text for a key and a value.
fn record(topic: &str, partition: Option<i32>, key: Option<&str>, value: &str) -> Record {
    let bytes = |text: &str| Bytes::copy_from_slice(text.as_bytes());
    let headers = vec![Header { name: "content-type".into(), value: Some(Bytes::from_static(b"text/plain")) }];
    Record { topic: topic.into(), partition, key: key.map(bytes), value: Some(bytes(value)), headers }
}

/// The values of a partition, with their offsets.
async fn values<L: Log, T: Topics>(log: &Subject<'_, L, T>, topic: &str, partition: i32) -> Vec<(i64, String)> {
    let text = |record: Record| String::from_utf8(record.value.unwrap_or_default().to_vec()).unwrap();
    let records = log.read_back(topic, partition).await;
    records.into_iter().map(|(offset, record)| (offset, text(record))).collect()
}
