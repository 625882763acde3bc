//! `cargo local audit`: reads a real world from broker and tables, and has it judged by the crate `audit`, which knows
//! neither. Here stand the command and the reading; what is checked, and how, is over there.
//!
//! Start with `source.rs`.

pub mod command;
mod source;
mod tables;
mod topics;

pub use ::audit::{
    Attribute, Ends, Finding, Invariant, LogRecord, Looked, Names, Offence, Outstanding, Place, Report, SHOWN_MAX,
    StoredHead, StoredItem, World, replay, tickets,
};
pub use command::AuditOptions;
pub use source::{Source, read_tickets};
