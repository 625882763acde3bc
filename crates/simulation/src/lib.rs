//! The two ports in memory: a store with DynamoDB's transactions and a log with Kafka's offsets. They are second
//! implementations on purpose, held to the same contract as the real ones, and fail only where a decorator makes them.
//!
//! They share the record types with the core and nothing that decides. Faults do not stand here.

mod log;
mod store;

pub use log::{LoggedRecord, MemoryLog};
pub use store::MemoryStore;
