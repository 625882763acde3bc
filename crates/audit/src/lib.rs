//! The audit: recomputes everything from the request topic and holds tables, topics and answers against it. It uses the
//! core's record types and ids, and none of its deciding code nor the worker's: what runs the checked code checks
//! nothing.
//!
//! Plain data in ([`World`]), a [`Report`] out: no client, no file, no clock. So it judges a simulated world with the
//! very code that judges a real one, which `local` reads from a broker and tables. Read `world.rs`, `replay.rs`,
//! `check.rs`.

mod check;
mod judge;
mod replay;
mod report;
pub mod tickets;
mod world;

#[cfg(test)]
mod tests;

pub use check::{Outstanding, judge, replay};
pub use replay::{dead_letter_texts, place_of, result_of, source};
pub use report::{Finding, Invariant, Looked, Offence, Report, SHOWN_MAX};
pub use world::{Attribute, Ends, LogRecord, Names, Place, StoredHead, StoredItem, World};
