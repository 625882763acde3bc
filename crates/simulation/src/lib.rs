//! The two ports in memory: a store with DynamoDB's transactions and a log with Kafka's offsets. They are second
//! implementations on purpose, held to the same contract as the real ones, and fail only where a rule makes them.
//! `pieces.rs` takes back one thing that a store in memory gives and the real one does not.
//!
//! They share the record types with the core and nothing that decides. Which faults there are is no concern of this
//! crate; `rule.rs` is how they get between a function and its ports.

mod log;
mod pieces;
mod rule;
mod store;

pub use log::{LoggedRecord, MemoryLog, RECORD_BYTES_MAX};
pub use pieces::PiecewiseStore;
pub use rule::{LogCall, LogRule, RuledLog, RuledStore, StoreCall, StoreRule, Verdict};
pub use store::MemoryStore;
