//! The systems that ours is compared with, as plain HTTP servers: the seeds' Redis queue (`redis_outbox/`), their Redis and
//! Kafka hybrid (`hybrid/`), and our own functions' libraries without Lambda and gateway (`ours/`), so that only the
//! architecture differs.
//!
//! Starts no other process and verifies no token itself: broker, Redis, DynamoDB and the authorizer are handed in, by
//! `local/src/baseline.rs`. What each system leaves behind is read by `state.rs` and judged by `verdict.rs`. Where the
//! seeds leave a hole it is kept, and named in `docs/baselines.md`.

mod consume;
mod http;
mod hybrid;
mod ours;
mod problem;
mod produce;
mod queue;
mod redis_outbox;
mod running;
mod stamp;
pub mod state;
mod store;
mod system;
pub mod verdict;

pub use http::{Authorize, Claims};
pub use redis_outbox::OutboxPeriods;
pub use running::{Parts, Running};
pub use system::{System, TableSpec, TopicSpec};
