//! The reference: a list, a set, a counter and a loop. It shares the record types with the core and nothing that
//! decides; do not merge it with what it checks.

use std::collections::BTreeSet;

use coupon::{Outcome, Verdict};

use crate::world::Case;

/// What one record came to, in the reference's own words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Rank, and the clock in milliseconds.
    Issued(u64, i64),
    /// The wire's word for the reason.
    Rejected(&'static str),
}

/// Replays the whole log of a case, one record at a time.
pub(crate) fn replay(case: &Case) -> Vec<Ending> {
    let mut clock = 0;
    let mut issued = 0;
    let mut holders = BTreeSet::new();
    let mut endings = Vec::new();
    for record in &case.log {
        if record.timestamp_ms > clock {
            clock = record.timestamp_ms;
        }
        let ending = if case.opens_at_ms.is_some_and(|opens| clock < opens) {
            Ending::Rejected("NOT_OPEN")
        } else if case.closes_at_ms.is_some_and(|closes| clock >= closes) {
            Ending::Rejected("CLOSED")
        } else if issued == case.total {
            Ending::Rejected("SOLD_OUT")
        } else if holders.contains(&record.user) {
            Ending::Rejected("ALREADY_ISSUED")
        } else {
            holders.insert(record.user);
            issued += 1;
            Ending::Issued(issued, clock)
        };
        endings.push(ending);
    }
    endings
}

/// The core's outcome in the reference's words.
pub(crate) fn ending_of(outcome: Outcome) -> Ending {
    match outcome {
        Outcome::Issued { rank, issued_at } => Ending::Issued(rank.get(), issued_at.millis()),
        Outcome::Rejected(coupon::Reason::NotOpen) => Ending::Rejected("NOT_OPEN"),
        Outcome::Rejected(coupon::Reason::Closed) => Ending::Rejected("CLOSED"),
        Outcome::Rejected(coupon::Reason::SoldOut) => Ending::Rejected("SOLD_OUT"),
        Outcome::Rejected(coupon::Reason::AlreadyIssued) => Ending::Rejected("ALREADY_ISSUED"),
    }
}

/// The rank that a verdict gives, if it gives one.
pub(crate) fn rank_of(verdict: &Verdict) -> Option<u64> {
    match verdict {
        Verdict::New(Outcome::Issued { rank, .. }) => Some(rank.get()),
        Verdict::New(Outcome::Rejected(_)) | Verdict::Redelivered => None,
    }
}
