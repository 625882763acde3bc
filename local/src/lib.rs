//! The sandbox: the whole system on one machine, as a library so that tests and the commands share it. A module for
//! each part; a command's flow is the module of its name (`up.rs`, `demo.rs`, …).
//!
//! No production crate depends on this one, not even behind a feature. Start with `cli.rs` for what can be asked, then
//! `sandbox.rs` for what is started.

pub mod audit;
pub mod cli;
pub mod process;
