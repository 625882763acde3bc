//! The deploy-time function: makes the topics, verifies what they are, and tells CloudFormation. Deletes nothing, ever.
//!
//! Knows no coupon: which topics there are stands in the template. Start with `handler.rs`; what is to be done to a topic
//! is decided in `plan.rs`, done in `setup.rs`, and told in `answer.rs`.

mod answer;
pub mod config;
mod handler;
mod plan;
mod request;
mod send;
mod setup;

pub use answer::ANSWER_BYTES_MAX;
pub use handler::{Unanswered, handle};
pub use send::Sender;
