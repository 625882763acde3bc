//! An emulator of Lambda's event source mapping for self-managed Apache Kafka: it consumes a topic as a member of a
//! group, batches what it reads, invokes a function by HTTP, and commits what was resolved. For any function in any
//! language; it knows no coupon.
//!
//! [`Mapping`] is the configuration as CloudFormation has it, [`start`] runs it. Inside, `poller.rs` reads, `engine/`
//! decides, `runner.rs` acts. No function links this crate.

mod clock;
mod destination;
mod emulator;
mod engine;
mod error;
mod filter;
mod http;
mod mapping;
mod metrics;
mod payload;
mod poller;
mod position;
mod rebalance;
mod record;
mod response;
mod runner;
mod running;
mod settings;

pub use emulator::{Emulator, FilterMismatch, Pbr};
pub use error::EsmError;
pub use kafka_event::{NullHeader, NullText};
pub use mapping::{
    DestinationConfig, Endpoints, Filter, FilterCriteria, KafkaEventSourceConfig, Mapping, OnFailure,
    ProvisionedPollerConfig, SelfManagedEventSource, SourceAccessConfiguration,
};
pub use metrics::Metrics;
pub use running::{Running, check, start};
