//! What a Kafka event source mapping hands to a function, and what it takes back: the event ([`KafkaEvent`]), the batch
//! response ([`BatchResponse`]), and the encoder with which the emulator writes the event.
//!
//! Knows no coupon, no broker and no runtime, and stays lean: it is linked into production functions. The types are our
//! own because one odd record may fail only itself, never the event. Start with `event.rs`; how JSON becomes one is
//! `decode.rs`, the way back `encode.rs`.

mod any;
mod decode;
mod encode;
mod event;
mod response;

pub use encode::{Encoder, HeaderView, NullHeader, NullText, RecordView};
pub use event::{BadRecord, Header, KafkaEvent, KafkaRecord, PartitionRecords, TimestampType};
pub use response::{BatchResponse, ItemIdentifier, Respond, ResponseError};
