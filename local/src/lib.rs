//! The sandbox: the whole system on one machine, as a library so that tests and the commands share it. A module for
//! each part; a command's flow is the module of its name (`up.rs`, `demo.rs`, …).
//!
//! No production crate depends on this one, not even behind a feature. Start with `cli.rs` for what can be asked, then
//! `sandbox.rs` for what is started.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line's output is what it is for")]

pub mod audit;
pub mod baseline;
pub mod bench;
pub mod broker;
pub mod cli;
pub mod data;
pub mod delay_proxy;
pub mod demo;
pub mod dynamodb;
pub mod elsewhere;
pub mod embedded;
pub mod esm;
pub mod fault_proxy;
pub mod faults;
pub mod gateway;
pub mod keys;
pub mod lambda;
pub mod load;
pub mod parts;
pub mod ports;
pub mod process;
pub mod redis;
pub mod sandbox;
pub mod secrets;
mod serve;
pub mod settings;
mod starting;
pub mod token;
pub mod up;
