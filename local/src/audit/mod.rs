//! The audit: recomputes everything from the request topic and holds tables, topics and answers against it (DESIGN
//! section 8). It uses the core's record types and ids, and none of its deciding code nor the worker's: what runs the
//! checked code checks nothing.
//!
//! The pure part is [`replay()`]: plain data in ([`World`]), a [`Report`] out, so that it judges a simulation as well as
//! the real thing. Read `world.rs`, `replay.rs`, `check.rs`; a real
//! world is read by `source.rs`.

mod check;
pub mod command;
mod judge;
mod replay;
mod report;
mod source;
mod tables;
pub mod tickets;
mod topics;
mod world;

#[cfg(test)]
mod tests;

pub use check::{Outstanding, replay};
pub use command::AuditOptions;
pub use report::{Finding, Invariant, Looked, Offence, Report, SHOWN_MAX};
pub use source::{Source, read_tickets};
pub use world::{Attribute, Ends, LogRecord, Names, Place, StoredHead, StoredItem, World};
