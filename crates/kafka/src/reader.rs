//! Reads a topic from start to a given end, for tools that check or show what is in a log. Belongs to no consumer
//! group and commits nothing; no function uses it. What may have been removed in between is an error, not a gap.

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use bytes::Bytes;
use rdkafka::{
    ClientConfig, Message as _, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _, StreamConsumer},
    error::{KafkaError, RDKafkaErrorCode as Code},
    message::{BorrowedMessage, Headers as _},
};
use record_log::{Header, LogError};

use crate::{ConfigError, Connection, METADATA_TIMEOUT, context::Context, error::code_of};

/// Without a record for this long, a read gives up.
const IDLE_MAX: Duration = Duration::from_secs(10);
/// How often spans are asked for while a partition is between two leaders, which takes a broker some 100 ms, and how long
/// each wait is.
const LEADER_TRIES: u32 = 20;
const LEADER_WAIT: Duration = Duration::from_millis(250);

/// A stretch of a partition: `start ≤ offset < end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The partition.
    pub partition: i32,
    /// The first offset in it.
    pub start: i64,
    /// The first offset behind it.
    pub end: i64,
}

/// A record as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadRecord {
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// Milliseconds since 1970; −1 where the log has none. Whose clock it is, the topic's configuration tells.
    pub timestamp_ms: i64,
    /// Any bytes, or null.
    pub key: Option<Bytes>,
    /// Any bytes, or null.
    pub value: Option<Bytes>,
    /// As they were produced.
    pub headers: Vec<Header>,
}

/// Reads topics of one cluster.
#[derive(Debug)]
pub struct Reader {
    config: ClientConfig,
}

impl Reader {
    /// Connects to nothing yet.
    ///
    /// # Errors
    /// librdkafka refuses a property, or cannot read a certificate.
    pub fn new(connection: &Connection) -> Result<Self, ConfigError> {
        let mut config = connection.clone().for_consumer().client_config();
        for (name, value) in [
            // rdkafka hands out records to a consumer with a group only; with `assign`, nobody ever joins it.
            ("group.id", "kafka-reader"),
            ("enable.auto.commit", "false"),
            ("enable.auto.offset.store", "false"),
            ("auto.offset.reset", "error"),
            ("enable.partition.eof", "true"),
        ] {
            config.set(name, value);
        }
        let reader = Self { config };
        reader.consumer::<BaseConsumer<Context>>().map(|_consumer| reader)
    }

    /// What is in a topic now, a span for each partition, ascending. Waits some seconds for a partition that has no leader
    /// at the moment, as one that was just made.
    ///
    /// # Errors
    /// [`LogError::UnknownTopic`], or the cluster does not answer.
    pub async fn spans(&self, topic: &str) -> Result<Vec<Span>, LogError> {
        let consumer: BaseConsumer<Context> = self.consumer().map_err(unusable)?;
        let topic = topic.to_owned();
        match tokio::task::spawn_blocking(move || spans_once_led(&consumer, &topic)).await {
            Ok(spans) => spans,
            Err(error) => Err(LogError::Unavailable(format!("the client's thread ended early: {error}"))),
        }
    }

    /// Hands every record of these spans to `visit`: in order within a partition, partitions interleaved. Offsets that
    /// hold no record (compaction, transactions) are passed over.
    ///
    /// # Errors
    /// Nothing came for ten seconds, or a span starts before what the log still has.
    pub async fn read(&self, topic: &str, spans: &[Span], mut visit: impl FnMut(ReadRecord)) -> Result<(), LogError> {
        let mut ends: BTreeMap<i32, i64> =
            spans.iter().filter(|span| span.start < span.end).map(|span| (span.partition, span.end)).collect();
        let consumer: StreamConsumer<Context> = self.consumer().map_err(unusable)?;
        assign(&consumer, topic, spans)?;
        while !ends.is_empty() {
            let Ok(received) = tokio::time::timeout(IDLE_MAX, consumer.recv()).await else {
                return Err(consumer.context().explain(Code::OperationTimedOut, topic));
            };
            match received {
                Ok(message) => {
                    let (partition, offset) = (message.partition(), message.offset());
                    let Some(end) = ends.get(&partition).copied() else { continue };
                    if offset < end {
                        visit(ReadRecord::from(&message));
                    }
                    if offset.saturating_add(1) >= end {
                        ends.remove(&partition);
                    }
                }
                // The log's end lies at or behind the span's.
                Err(KafkaError::PartitionEOF(partition)) => drop(ends.remove(&partition)),
                Err(error) => passes(&consumer, &error, topic)?,
            }
        }
        Ok(())
    }

    fn consumer<C: rdkafka::config::FromClientConfigAndContext<Context>>(&self) -> Result<C, ConfigError> {
        self.config.create_with_context(Context::default()).map_err(|source| ConfigError::from_creation(&source))
    }
}

fn assign(consumer: &StreamConsumer<Context>, topic: &str, spans: &[Span]) -> Result<(), LogError> {
    let mut list = TopicPartitionList::with_capacity(spans.len());
    for span in spans.iter().filter(|span| span.start < span.end) {
        list.add_partition_offset(topic, span.partition, Offset::Offset(span.start)).map_err(|error| {
            LogError::UnknownTopic(format!("{topic}-{} at {}: {error}", span.partition, span.start))
        })?;
    }
    consumer.assign(&list).map_err(|error| consumer.context().explain(code_of(&error), topic))
}

/// A lost connection is librdkafka's to mend, and `IDLE_MAX` bounds it; anything else ends the read.
fn passes(consumer: &StreamConsumer<Context>, error: &KafkaError, topic: &str) -> Result<(), LogError> {
    let code = code_of(error);
    if matches!(code, Code::BrokerTransportFailure | Code::AllBrokersDown | Code::OperationTimedOut | Code::Resolve) {
        Ok(())
    } else if matches!(code, Code::AutoOffsetReset | Code::OffsetOutOfRange) {
        Err(LogError::Unavailable(format!("{topic}: the start of the span is no longer in the log: {code}")))
    } else {
        Err(consumer.context().explain(code, topic))
    }
}

/// For a thread of its own.
fn spans_once_led(consumer: &BaseConsumer<Context>, topic: &str) -> Result<Vec<Span>, LogError> {
    for _try in 1..LEADER_TRIES {
        match spans_of(consumer, topic) {
            Err(Code::LeaderNotAvailable | Code::NotLeaderForPartition) => {
                tokio::runtime::Handle::current().block_on(tokio::time::sleep(LEADER_WAIT));
            }
            answer => return answer.map_err(|code| consumer.context().explain(code, topic)),
        }
    }
    spans_of(consumer, topic).map_err(|code| consumer.context().explain(code, topic))
}

fn spans_of(consumer: &BaseConsumer<Context>, topic: &str) -> Result<Vec<Span>, Code> {
    let metadata = consumer.fetch_metadata(Some(topic), METADATA_TIMEOUT).map_err(|error| code_of(&error))?;
    let found = metadata.topics().iter().find(|found| found.name() == topic).ok_or(Code::UnknownTopic)?;
    if let Some(error) = found.error() {
        return Err(error.into());
    }
    let mut spans = Vec::with_capacity(found.partitions().len());
    for partition in found.partitions() {
        let watermarks = consumer.fetch_watermarks(topic, partition.id(), METADATA_TIMEOUT);
        let (start, end) = watermarks.map_err(|error| code_of(&error))?;
        spans.push(Span { partition: partition.id(), start, end });
    }
    spans.sort_by_key(|span| span.partition);
    Ok(spans)
}

/// A copy, free of the client's buffers, for whoever runs a consumer of their own.
impl From<&BorrowedMessage<'_>> for ReadRecord {
    fn from(message: &BorrowedMessage<'_>) -> Self {
        let read = || {
            let own = |header: rdkafka::message::Header<'_, &[u8]>| Header {
                name: header.key.to_owned(),
                value: header.value.map(Bytes::copy_from_slice),
            };
            message.headers().map(|headers| headers.iter().map(own).collect()).unwrap_or_default()
        };
        // rdkafka panics on a header whose name is not UTF-8, which any producer may write.
        let headers = catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_panic| {
            let (topic, partition, offset) = (message.topic(), message.partition(), message.offset());
            tracing::error!(
                topic,
                partition,
                offset,
                "a header's name is no UTF-8: the record is read without headers"
            );
            Vec::new()
        });
        Self {
            partition: message.partition(),
            offset: message.offset(),
            timestamp_ms: message.timestamp().to_millis().unwrap_or(-1),
            key: message.key().map(Bytes::copy_from_slice),
            value: message.payload().map(Bytes::copy_from_slice),
            headers,
        }
    }
}

/// The configuration was tried in [`Reader::new`]; what fails now is the process: no threads, no memory.
fn unusable(error: ConfigError) -> LogError {
    LogError::Unavailable(error.to_string())
}
