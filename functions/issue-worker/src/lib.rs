//! The consumer function: receives a batch of the request topic, decides it coupon by coupon in log order, commits
//! each decision, publishes the results, and puts what is no request into the dead-letter topic.
//!
//! The rules are `coupon`'s, the writes the store's; here stands the flow. It runs over the two ports, so that tests
//! and a simulation run what is deployed. Start with `worker.rs`; one coupon's part is `settle.rs`.

mod batch;
pub mod clock;
pub mod config;
mod holders;
pub mod metrics;
mod publish;
mod settle;
mod tally;
mod worker;

pub use tally::{Tallied, Tally};
pub use worker::{COUPONS_IN_FLIGHT_MAX, Topics, Unfinished, Worker};
