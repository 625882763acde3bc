//! Holds what the functions really say to what the documents in `events/` promise: every answer of the API to
//! `openapi.yaml` (`api.rs`), every record to `asyncapi.yaml` and its JSON Schemas (`records.rs`). Test clients call it
//! with all that passes through them.
//!
//! Knows no function and no type of theirs, so that it reads what a stranger would read. What breaks a promise is an
//! `Err` that tells how; a document that cannot be read panics, as in any test.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "test code, called from tests only")]

mod api;
mod records;
mod schema;
pub mod yaml;

pub use api::{Answered, Api};
pub use records::{Kind, Records};
