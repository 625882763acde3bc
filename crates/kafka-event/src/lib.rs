//! What a Kafka event source mapping hands to a Lambda function, and what it takes back: the event ([`KafkaEvent`]), the
//! batch response ([`BatchResponse`]), and the encoder with which an emulator writes the event ([`Encoder`]).
//!
//! A function that works its records off in order and gives back what it could not finish:
//!
//! ```
//! use kafka_event::{BatchResponse, KafkaEvent, KafkaRecord, ResponseError};
//!
//! /// Stops each partition at its first failure: that record and all behind it come again, in order.
//! fn handle(event: &KafkaEvent) -> Result<BatchResponse, ResponseError> {
//!     let mut respond = event.respond();
//!     for partition in &event.partitions {
//!         for record in &partition.records {
//!             let done = match record {
//!                 Ok(record) => work(record),
//!                 // No record as a mapping writes it. It will be none the next time either, so it is set aside.
//!                 Err(bad) => Ok(eprintln!("{}: {}", partition.key, bad.reason)),
//!             };
//!             if let (Err(reason), Ok(record)) = (done, record) {
//!                 eprintln!("{} at {}: {reason}", partition.key, record.offset);
//!                 respond.stop_at(&partition.key, record.offset)?;
//!                 break;
//!             }
//!         }
//!     }
//!     respond.finish()
//! }
//!
//! fn work(record: &KafkaRecord) -> Result<(), &'static str> {
//!     // `None` is a tombstone; an empty value is `Some` of nothing.
//!     let value = record.value.as_deref().unwrap_or_default();
//!     if value == b"unlucky" { Err("not today") } else { Ok(()) }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let event: KafkaEvent = serde_json::from_str(r#"{
//!     "eventSource": "SelfManagedKafka", "bootstrapServers": "b-1:9092,b-2:9092",
//!     "records": {"orders-0": [
//!         {"topic": "orders", "partition": 0, "offset": 15, "timestamp": 1795143600123, "timestampType": "CREATE_TIME",
//!          "key": "a2V5", "value": "ZmluZQ==", "headers": [{"season": [-21, -76, -124]}]},
//!         {"topic": "orders", "partition": 0, "offset": 16, "timestamp": 1795143600124, "timestampType": "CREATE_TIME",
//!          "value": "dW5sdWNreQ==", "headers": []},
//!         {"topic": "orders", "partition": 0, "offset": 17, "timestamp": 1795143600125, "timestampType": "CREATE_TIME",
//!          "headers": []}
//!     ]}
//! }"#)?;
//!
//! let answer = serde_json::to_value(handle(&event)?)?;
//! assert_eq!(answer, serde_json::json!({"batchItemFailures": [
//!     {"itemIdentifier": {"partition": "orders-0", "offset": 16}},
//!     {"itemIdentifier": {"partition": "orders-0", "offset": 17}}
//! ]}));
//! # Ok(())
//! # }
//! ```
//!
//! # What is different from other types for this event
//!
//! - One odd record fails only itself, never the event: it is a [`BadRecord`] with everything that could be read, and
//!   the reason. A record without headers is none.
//! - Keys, values and headers are bytes, decoded once. A null is `None`, which nothing else is; header numbers may be
//!   signed, as the mapping writes them, or unsigned; repeated header names stay apart and in order.
//! - Timestamps and offsets are integers and never pass through a float.
//! - Partitions come in the order of their numbers and records in that of their offsets, whatever the map's order was.
//! - [`Respond`] cannot name a record that was not in the event, for which a mapping would fail the whole batch.
//!
//! Knows no broker and no runtime, and stays lean: it is linked into functions. `event.rs` has the types; how JSON
//! becomes one is `decode.rs`, the way back `encode.rs`.

mod any;
mod decode;
mod encode;
mod event;
mod response;

pub use encode::{Encoder, HeaderView, NullHeader, NullText, RecordView};
pub use event::{BadRecord, Header, KafkaEvent, KafkaRecord, PartitionRecords, TimestampType};
pub use response::{BatchResponse, ItemIdentifier, Respond, ResponseError};
