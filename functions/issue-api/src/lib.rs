//! The HTTP function: takes coupon requests, answers for them, and creates coupons. Validates, checks for a duplicate,
//! produces the request and answers with a ticket; what becomes of it is the worker's.
//!
//! Runs over the two ports, so that tests and a simulation run what is deployed. Start with `app.rs`; each call is a
//! file: `create.rs`, `show.rs`, `issue.rs`, `status.rs`, `mine.rs`.

mod answer;
mod app;
mod call;
pub mod clock;
pub mod config;
mod create;
mod heads;
mod issue;
pub mod metrics;
mod mine;
mod problem;
mod show;
mod status;
mod trace;

pub use answer::Answer;
pub use app::{App, Settings};
pub use call::Call;
pub use clock::Clock;
