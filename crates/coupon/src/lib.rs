//! The pure core of first-come-first-served coupon issuance: what a coupon's [`Head`] is, how a batch of records is
//! decided against it ([`decide`]), and what a ticket came to ([`outcome`]).
//!
//! No I/O, no clock, no async, no environment: data in, data out, so that a redelivery hours later decides the same.
//! `no_std` lets the compiler hold that line. Start with `head.rs`, then `decide.rs`.
#![no_std]
#![deny(clippy::arithmetic_side_effects)]

extern crate alloc;

mod decide;
mod error;
mod head;
mod id;
mod issued;
mod number;
mod outcome;
mod record;
mod timestamp;

pub use decide::{Chunk, Decided, Decision, Entry, Verdict, WINNERS_MAX, decide, decide_in_chunks};
pub use error::Invalid;
pub use head::{Epoch, Head, NewCoupon, Phase, Window};
pub use id::{CouponId, CouponName, Ticket, UserId};
pub use issued::IssuedCoupon;
pub use number::{Offset, Partition, Rank, Total, Version};
pub use outcome::{Outcome, needs_item, outcome};
pub use record::{DeadLetterReason, ISSUE_TYPE, IssueRequest, IssueResult, Reason, RequestRecord, ResultStatus};
pub use timestamp::Timestamp;
