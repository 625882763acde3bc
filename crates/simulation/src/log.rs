//! A log in memory: topics of partitions, each a list of records whose place is their offset.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use record_log::{Delivery, Log, LogError, Record, partition_of};

/// The largest record, key, value and headers together; Kafka's `message.max.bytes` without the overhead of a batch
/// (<https://kafka.apache.org/documentation/#brokerconfigs_message.max.bytes>).
pub const RECORD_BYTES_MAX: usize = 1_048_576;

/// A log that keeps everything in this process. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct MemoryLog(Arc<Mutex<State>>);

/// A record with its place and the broker's time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedRecord {
    /// Its place in the partition.
    pub offset: i64,
    /// The broker's clock when it arrived, milliseconds since 1970.
    pub timestamp: i64,
    /// As it was produced, its partition filled in.
    pub record: Record,
}

#[derive(Debug, Default)]
struct State {
    topics: BTreeMap<String, Vec<Vec<LoggedRecord>>>,
    clock_ms: i64,
}

impl MemoryLog {
    /// A log without topics, its clock at 0.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes a topic, or gives an existing one more partitions; never fewer.
    pub fn create_topic(&self, name: &str, partitions: usize) {
        let mut state = self.state();
        let topic = state.topics.entry(name.to_owned()).or_default();
        let count = partitions.max(topic.len()).max(1);
        topic.resize_with(count, Vec::new);
    }

    /// Sets the broker's clock, forwards or back.
    pub fn set_clock(&self, clock_ms: i64) {
        self.state().clock_ms = clock_ms;
    }

    /// The records of a partition from an offset on; none where there is no such partition.
    #[must_use]
    pub fn read(&self, topic: &str, partition: i32, from: i64) -> Vec<LoggedRecord> {
        self.read_some(topic, partition, from, usize::MAX)
    }

    /// As [`MemoryLog::read`], at most `count` records.
    #[must_use]
    pub fn read_some(&self, topic: &str, partition: i32, from: i64, count: usize) -> Vec<LoggedRecord> {
        let state = self.state();
        let records = usize::try_from(partition).ok().and_then(|place| state.topics.get(topic)?.get(place));
        let from = usize::try_from(from).unwrap_or(0);
        records.map_or_else(Vec::new, |records| records.iter().skip(from).take(count).cloned().collect())
    }

    /// The offset that a partition's next record gets; 0 where there is no such partition.
    #[must_use]
    pub fn end(&self, topic: &str, partition: i32) -> i64 {
        let state = self.state();
        let records = usize::try_from(partition).ok().and_then(|place| state.topics.get(topic)?.get(place));
        records.and_then(|records| i64::try_from(records.len()).ok()).unwrap_or(0)
    }

    /// How many partitions a topic has; 0 where there is no such topic.
    #[must_use]
    pub fn partition_count(&self, topic: &str) -> usize {
        self.state().topics.get(topic).map_or(0, Vec::len)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Log for MemoryLog {
    async fn produce(&self, record: Record) -> Result<Delivery, LogError> {
        let bytes = bytes_of(&record);
        if bytes > RECORD_BYTES_MAX {
            return Err(LogError::TooLarge(format!("{bytes} bytes, at most {RECORD_BYTES_MAX}")));
        }
        let mut state = self.state();
        let timestamp = state.clock_ms;
        let unknown = || LogError::UnknownTopic(record.topic.clone());
        let partitions = state.topics.get_mut(&record.topic).ok_or_else(unknown)?;
        let count = i32::try_from(partitions.len()).unwrap_or(i32::MAX);
        // A record without key or partition may go anywhere.
        let by_key = record.key.as_deref().map_or(0, |key| partition_of(key, count));
        let partition = record.partition.unwrap_or(by_key);
        let records = usize::try_from(partition).ok().and_then(|place| partitions.get_mut(place));
        let records = records.ok_or_else(unknown)?;
        let offset = i64::try_from(records.len()).unwrap_or(i64::MAX);
        let record = Record { partition: Some(partition), ..record };
        records.push(LoggedRecord { offset, timestamp, record });
        Ok(Delivery { partition, offset: Some(offset) })
    }

    async fn partitions(&self, topic: &str) -> Result<i32, LogError> {
        let state = self.state();
        let partitions = state.topics.get(topic).ok_or_else(|| LogError::UnknownTopic(topic.to_owned()))?;
        Ok(i32::try_from(partitions.len()).unwrap_or(i32::MAX))
    }
}

fn bytes_of(record: &Record) -> usize {
    let length = |bytes: &Option<_>| bytes.as_ref().map_or(0, bytes::Bytes::len);
    let headers = record.headers.iter().map(|header| header.name.len().saturating_add(length(&header.value)));
    headers.fold(length(&record.key).saturating_add(length(&record.value)), usize::saturating_add)
}
