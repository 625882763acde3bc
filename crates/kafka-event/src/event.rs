//! The event's types, as a function wants them: partitions in order, bytes decoded, bad records set apart. Reading them
//! from JSON is `decode.rs`.

use bytes::Bytes;

/// What one invocation receives. May be empty, span partitions, and hold redeliveries.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KafkaEvent {
    /// `SelfManagedKafka`; samples show other spellings, so nothing should depend on it.
    pub event_source: String,
    /// All `host:port`, joined with commas.
    pub bootstrap_servers: String,
    /// In the order of topic and partition number.
    pub partitions: Vec<PartitionRecords>,
}

/// The records of one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionRecords {
    /// The event's own key, `topic-partition`, verbatim: what a batch response has to name.
    pub key: String,
    /// Offsets ascending; gaps are normal. What could not be read stands where it came.
    pub records: Vec<Result<KafkaRecord, Box<BadRecord>>>,
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KafkaRecord {
    /// The topic's name; may hold `-`, `.` and `_`.
    pub topic: String,
    /// The partition's number.
    pub partition: i32,
    /// Its place in the partition.
    pub offset: i64,
    /// Milliseconds since 1970; a producer may have written any number.
    pub timestamp: i64,
    /// Whose clock that was.
    pub timestamp_type: TimestampType,
    /// Any bytes; `None` is a null key.
    pub key: Option<Bytes>,
    /// Any bytes; `None` is a tombstone.
    pub value: Option<Bytes>,
    /// In the producer's order; names may repeat.
    pub headers: Vec<Header>,
}

/// A header: its name, and its value, which Kafka allows to be null.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Not unique within a record.
    pub name: String,
    /// Any bytes, or null.
    pub value: Option<Bytes>,
}

/// Whose clock a record's timestamp is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum TimestampType {
    /// The producer's.
    #[default]
    CreateTime,
    /// The broker's.
    LogAppendTime,
    /// Something else, as it was spelled.
    Other(String),
}

impl TimestampType {
    /// As the event spells it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::CreateTime => "CREATE_TIME",
            Self::LogAppendTime => "LOG_APPEND_TIME",
            Self::Other(text) => text,
        }
    }
}

/// A record that does not follow the event's format: what could be read of it, and why the rest could not. It fails by
/// itself; its neighbours are untouched.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BadRecord {
    /// Every fault, with the value that was met and what was expected.
    pub reason: String,
    /// The topic, if it could be read.
    pub topic: Option<String>,
    /// The partition, if it could be read.
    pub partition: Option<i32>,
    /// The offset, if it could be read.
    pub offset: Option<i64>,
    /// The timestamp in milliseconds, if it could be read.
    pub timestamp: Option<i64>,
    /// The key. Where it was no base64, the text as it came, so that nothing is lost.
    pub key: Option<Bytes>,
    /// The value. Where it was no base64, the text as it came.
    pub value: Option<Bytes>,
    /// The headers that could be read.
    pub headers: Vec<Header>,
}

impl PartitionRecords {
    /// The key's last `-` parts topic and number, since a topic's name may hold one: `a-b.c_d-1-2` is partition 2.
    /// `None` when the key does not end in a number.
    #[must_use]
    pub fn topic_partition(&self) -> Option<(&str, i32)> {
        let (topic, number) = self.key.rsplit_once('-')?;
        Some((topic, number.parse().ok()?))
    }

    /// The offset of the record at this place of [`Self::records`], if there is one and it could be read.
    #[must_use]
    pub fn offset_at(&self, index: usize) -> Option<i64> {
        match self.records.get(index)? {
            Ok(record) => Some(record.offset),
            Err(bad) => bad.offset,
        }
    }

    /// Puts offsets in ascending order, which costs a look at each when they are already. A record whose offset could
    /// not be read has no place to go to, so such an array stays as it came.
    pub(crate) fn sort_by_offset(&mut self) {
        let offset = |record: &Result<KafkaRecord, Box<BadRecord>>| match record {
            Ok(record) => Some(record.offset),
            Err(bad) => bad.offset,
        };
        if !self.records.is_sorted_by_key(offset) && self.records.iter().all(|record| offset(record).is_some()) {
            self.records.sort_by_key(offset);
        }
    }
}
