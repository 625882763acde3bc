//! From JSON to the event, in one pass: strings are borrowed, base64 is decoded once, and any JSON value is accepted in
//! any place of a record, where the wrong one becomes that record's fault. Only text that is no JSON, and an event that
//! is no object of objects, fail as a whole.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use crate::any::{AnyVisitor, Scalar, Shape, Tolerant};
use crate::event::{BadRecord, Header, KafkaEvent, KafkaRecord, PartitionRecords, TimestampType};

impl<'de> Deserialize<'de> for KafkaEvent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EventVisitor)
    }
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
enum EventField {
    EventSource,
    BootstrapServers,
    Records,
    #[serde(other)]
    Unknown,
}

/// By hand, since a derived one would take an array for an event as well.
struct EventVisitor;

impl<'de> Visitor<'de> for EventVisitor {
    type Value = KafkaEvent;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with `records`, the event of a Kafka event source mapping")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<KafkaEvent, A::Error> {
        let mut event = KafkaEvent::default();
        let text = |scalar: Scalar<'_>| match scalar {
            Scalar::Text(text) => text.into_owned(),
            Scalar::Null | Scalar::Integer(_) | Scalar::Other(_) => String::new(),
        };
        while let Some(field) = map.next_key::<EventField>()? {
            match field {
                EventField::EventSource => event.event_source = text(map.next_value()?),
                EventField::BootstrapServers => event.bootstrap_servers = text(map.next_value()?),
                EventField::Records => {
                    event.partitions = map.next_value::<Option<Partitions>>()?.map(|p| p.0).unwrap_or_default();
                }
                EventField::Unknown => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(event)
    }
}

/// The event's map, sorted once.
struct Partitions(Vec<PartitionRecords>);

impl<'de> Deserialize<'de> for Partitions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PartitionsVisitor;
        impl<'de> Visitor<'de> for PartitionsVisitor {
            type Value = Partitions;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of arrays of records, one a partition")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Partitions, A::Error> {
                let mut partitions = Vec::with_capacity(map.size_hint().unwrap_or(0));
                while let Some((key, Records(records))) = map.next_entry::<String, Records>()? {
                    let mut partition = PartitionRecords { key, records };
                    partition.sort_by_offset();
                    partitions.push(partition);
                }
                partitions.sort_by(|a, b| (a.topic_partition(), &a.key).cmp(&(b.topic_partition(), &b.key)));
                Ok(Partitions(partitions))
            }
        }
        deserializer.deserialize_map(PartitionsVisitor)
    }
}

/// One partition's array.
struct Records(Vec<Result<KafkaRecord, Box<BadRecord>>>);

impl<'de> Deserialize<'de> for Records {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut faults = Vec::new();
        let records = match Tolerant::<One>::deserialize(deserializer)? {
            Tolerant::Seq(records) => records.into_iter().map(|One(record)| record).collect(),
            Tolerant::Scalar(Scalar::Null) => Vec::new(),
            Tolerant::Scalar(other) => {
                faults.push(format!("the partition holds {other}, not an array of records"));
                vec![Draft { faults, ..Draft::default() }.finish()]
            }
        };
        Ok(Self(records))
    }
}

/// One element of a partition's array.
struct One(Result<KafkaRecord, Box<BadRecord>>);

impl<'de> Deserialize<'de> for One {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyVisitor(RecordShape)).map(|draft| Self(draft.finish()))
    }
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
enum Field {
    Topic,
    Partition,
    Offset,
    Timestamp,
    TimestampType,
    Key,
    Value,
    Headers,
    #[serde(other)]
    Unknown,
}

struct RecordShape;

impl<'de> Shape<'de> for RecordShape {
    type Value = Draft;

    fn map<A: MapAccess<'de>>(self, mut map: A) -> Result<Draft, A::Error> {
        let mut draft = Draft::default();
        while let Some(field) = map.next_key::<Field>()? {
            match field {
                Field::Topic => draft.topic = draft.text("topic", &map.next_value()?),
                Field::Partition => draft.partition = draft.number("partition", &map.next_value()?),
                Field::Offset => draft.offset = draft.number("offset", &map.next_value()?),
                Field::Timestamp => draft.timestamp = draft.number("timestamp", &map.next_value()?),
                Field::TimestampType => draft.timestamp_type = timestamp_type(&map.next_value()?),
                Field::Key => draft.key = draft.base64("key", &map.next_value()?),
                Field::Value => draft.value = draft.base64("value", &map.next_value()?),
                Field::Headers => draft.read_headers(map.next_value()?),
                Field::Unknown => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(draft)
    }
}

impl From<Scalar<'_>> for Draft {
    fn from(met: Scalar<'_>) -> Self {
        Self { faults: vec![format!("a record must be an object, not {met}")], ..Self::default() }
    }
}

/// A record while it is read.
#[derive(Default)]
struct Draft {
    topic: Option<String>,
    partition: Option<i32>,
    offset: Option<i64>,
    timestamp: Option<i64>,
    timestamp_type: TimestampType,
    key: Option<Bytes>,
    value: Option<Bytes>,
    headers: Vec<Header>,
    faults: Vec<String>,
}

impl Draft {
    fn text(&mut self, name: &str, met: &Scalar<'_>) -> Option<String> {
        match met {
            Scalar::Text(text) => Some(text.clone().into_owned()),
            Scalar::Null | Scalar::Integer(_) | Scalar::Other(_) => self.fault(name, "a string", met),
        }
    }

    /// An integer, or one written as a string, as an old sample shows a partition.
    fn number<N: TryFrom<i64> + FromStr>(&mut self, name: &str, met: &Scalar<'_>) -> Option<N> {
        let read = match met {
            Scalar::Integer(number) => N::try_from(*number).ok(),
            Scalar::Text(text) => text.parse().ok(),
            Scalar::Null | Scalar::Other(_) => None,
        };
        read.or_else(|| self.fault(name, "an integer", met))
    }

    fn base64(&mut self, name: &str, met: &Scalar<'_>) -> Option<Bytes> {
        match met {
            Scalar::Null => None,
            Scalar::Text(text) => match STANDARD.decode(text.as_bytes()) {
                Ok(bytes) => Some(Bytes::from(bytes)),
                Err(error) => {
                    self.faults.push(format!("`{name}` is no base64, {error}: {met}"));
                    Some(Bytes::copy_from_slice(text.as_bytes()))
                }
            },
            Scalar::Integer(_) | Scalar::Other(_) => self.fault(name, "a base64 string or null", met),
        }
    }

    fn read_headers(&mut self, headers: Tolerant<'_, HeaderEntry>) {
        match headers {
            Tolerant::Scalar(Scalar::Null) => {}
            Tolerant::Scalar(other) => {
                self.faults.push(format!("`headers` must be an array, not {other}"));
            }
            Tolerant::Seq(entries) => {
                for HeaderEntry { headers, faults } in entries {
                    self.headers.extend(headers);
                    self.faults.extend(faults);
                }
            }
        }
    }

    fn fault<T>(&mut self, name: &str, expected: &str, met: &Scalar<'_>) -> Option<T> {
        self.faults.push(format!("`{name}` must be {expected}, not {met}"));
        None
    }

    fn finish(self) -> Result<KafkaRecord, Box<BadRecord>> {
        let Self { topic, partition, offset, timestamp, timestamp_type, key, value, headers, mut faults } = self;
        match (faults.is_empty(), topic, partition, offset, timestamp) {
            (true, Some(topic), Some(partition), Some(offset), Some(timestamp)) => {
                Ok(KafkaRecord { topic, partition, offset, timestamp, timestamp_type, key, value, headers })
            }
            (_, topic, partition, offset, timestamp) => {
                let gone = [
                    ("topic", topic.is_none()),
                    ("partition", partition.is_none()),
                    ("offset", offset.is_none()),
                    ("timestamp", timestamp.is_none()),
                ];
                if faults.is_empty() {
                    faults
                        .extend(gone.iter().filter(|(_, gone)| *gone).map(|(name, _)| format!("`{name}` is missing")));
                }
                let reason = faults.join("; ");
                Err(Box::new(BadRecord { reason, topic, partition, offset, timestamp, key, value, headers }))
            }
        }
    }
}

fn timestamp_type(met: &Scalar<'_>) -> TimestampType {
    match met {
        Scalar::Text(text) if text == "CREATE_TIME" => TimestampType::CreateTime,
        Scalar::Text(text) if text == "LOG_APPEND_TIME" => TimestampType::LogAppendTime,
        Scalar::Text(text) => TimestampType::Other(text.clone().into_owned()),
        Scalar::Null | Scalar::Integer(_) | Scalar::Other(_) => TimestampType::Other(met.to_string()),
    }
}

/// `{name: [numbers]}`; more than one name in an object is accepted.
#[derive(Default)]
struct HeaderEntry {
    headers: Vec<Header>,
    faults: Vec<String>,
}

impl<'de> Deserialize<'de> for HeaderEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyVisitor(HeaderShape))
    }
}

struct HeaderShape;

impl<'de> Shape<'de> for HeaderShape {
    type Value = HeaderEntry;

    fn map<A: MapAccess<'de>>(self, mut map: A) -> Result<HeaderEntry, A::Error> {
        let mut entry = HeaderEntry::default();
        while let Some((name, value)) = map.next_entry::<String, Tolerant<'de, Scalar<'de>>>()? {
            match header_bytes(value) {
                Ok(value) => entry.headers.push(Header { name, value }),
                Err(met) => entry.faults.push(format!("header `{name}` must be an array of bytes, not {met}")),
            }
        }
        Ok(entry)
    }
}

impl From<Scalar<'_>> for HeaderEntry {
    fn from(met: Scalar<'_>) -> Self {
        Self { headers: Vec::new(), faults: vec![format!("a header must be an object, not {met}")] }
    }
}

/// Signed, as the mapping's Java writes a byte, or unsigned, as others might: −21 and 235 are the same byte.
fn header_bytes(value: Tolerant<'_, Scalar<'_>>) -> Result<Option<Bytes>, String> {
    let byte = |scalar: Scalar<'_>| match scalar {
        Scalar::Integer(number @ -128..=255) => u8::try_from(number.rem_euclid(256)).map_err(|error| error.to_string()),
        other @ (Scalar::Null | Scalar::Integer(_) | Scalar::Text(_) | Scalar::Other(_)) => {
            Err(format!("an array with {other}"))
        }
    };
    match value {
        Tolerant::Scalar(Scalar::Null) => Ok(None),
        Tolerant::Scalar(other) => Err(other.to_string()),
        Tolerant::Seq(numbers) => numbers.into_iter().map(byte).collect::<Result<_, _>>().map(Some),
    }
}
