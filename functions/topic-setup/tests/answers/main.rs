//! The binary as Lambda runs it, behind a Runtime API of our own: whatever is wrong with its variables, with the event or
//! with the broker, CloudFormation gets an answer in time. No broker is needed for that.
#![allow(clippy::disallowed_methods, reason = "these tests run listeners beside them")]

#[cfg(test)]
mod runtime;
#[cfg(test)]
#[path = "../support/mod.rs"]
mod support;
