//! The protocol, model-checked: every interleaving of crashes, zombies, redeliveries, lost answers and late commits
//! that fits into small [`Bounds`], by `stateright`.
//!
//! What is modelled is the flow around the core: the mapping, the worker's steps between its reads and writes, the
//! tables, the readers. What a batch decides and what a ticket came to is *not* modelled: `core.rs` calls
//! `coupon::decide_in_chunks` and `coupon::outcome`, so that the checker sees the deployed code, with chunks cut small. The
//! state keeps plain small numbers instead of the core's types, because millions of them are hashed and kept. What is
//! right is told by `truth.rs`, a replay of its own that calls nothing of the core's.
//!
//! The log is whole from the start and each initial state is another one: nobody but the mapping looks at the log's end,
//! so a record that arrives late is one that no batch has reached yet. A frozen environment is a worker that takes no
//! step for a while; an answer that the mapping did not wait for is a second delivery beside a running worker.
//!
//! No production code may use this package. Start with `world.rs`, then `protocol.rs` and `properties.rs`.
#![allow(clippy::indexing_slicing, reason = "tests and tools only: an index that is wrong has to stop the run")]

mod bounds;
mod core;
mod defect;
mod properties;
mod protocol;
mod report;
mod store;
mod truth;
mod worker;
mod world;

pub use bounds::{Bounds, Record, Visibility};
pub use defect::Defect;
pub use protocol::{Action, Fate, Protocol, Retry};
pub use report::{Counterexample, Verdict, check, counterexample, cycle};
pub use world::{HeadState, Item, State, Step, Tables, Told, Users, Worker};
