//! A load generator for an API that hands out coupons. It shares the machine with what it measures, so every
//! microsecond here is one that the figures lose: this is a crate of its own to be optimised by name.
//!
//! Pure: `plan.rs` (who asks for what and when), `think.rs` (the seeds' think time), `sample.rs` (what came back, and
//! figures of it), `latencies.rs`. The rest does: `api.rs` speaks HTTP, `drive.rs` follows a plan, `processes.rs` reads
//! /proc. Knows the paths of the API and nothing of what answers them.

pub mod api;
mod drive;
mod latencies;
mod plan;
pub mod processes;
mod profile;
mod sample;
mod think;

pub use drive::{Driven, FOLLOW_MAX, Watched, drive};
pub use latencies::Latencies;
pub use plan::{Ask, Asking, Pace, Plan};
pub use profile::{GIVES_WAY_MS, PROFILES, Profile, Size};
pub use sample::{Answered, Outcome, Sample, Told, counts, gives_way};
pub use think::{SEEDS, SeedsTable, stages, think};

use hyper::header::HeaderValue;

/// Somebody who wants a coupon.
#[derive(Debug, Clone)]
pub struct Person {
    /// The `sub` of the token.
    pub user_id: String,
    /// The `authorization` header.
    pub token: HeaderValue,
}
