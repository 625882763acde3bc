//! What the worker did, counted where it is known. Kept by the environment and taken after each invocation; nothing is
//! decided by it.

use std::sync::atomic::{AtomicU64, Ordering};

use coupon::{Outcome, Reason};

/// Counts of one environment.
#[derive(Debug, Default)]
pub struct Tally {
    issued: AtomicU64,
    not_open: AtomicU64,
    closed: AtomicU64,
    sold_out: AtomicU64,
    already_issued: AtomicU64,
    redelivered: AtomicU64,
    dead_letters: AtomicU64,
    contradictions: AtomicU64,
}

/// What was counted since the last time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tallied {
    /// Coupons issued by commits of this environment.
    pub issued: u64,
    /// Requests rejected by them, for each reason.
    pub not_open: u64,
    /// Likewise.
    pub closed: u64,
    /// Likewise.
    pub sold_out: u64,
    /// Likewise.
    pub already_issued: u64,
    /// Requests that were decided earlier and told again.
    pub redelivered: u64,
    /// Records that went to the dead-letter topic.
    pub dead_letters: u64,
    /// Tables that say what cannot be: a head that issued more than its total, or other than it has left, or that is gone
    /// while it is decided; a decided request without an outcome.
    pub contradictions: u64,
}

fn add(count: &AtomicU64, more: u64) {
    count.fetch_add(more, Ordering::Relaxed);
}

impl Tally {
    /// What was counted since the last call.
    pub fn take(&self) -> Tallied {
        let take = |count: &AtomicU64| count.swap(0, Ordering::Relaxed);
        Tallied {
            issued: take(&self.issued),
            not_open: take(&self.not_open),
            closed: take(&self.closed),
            sold_out: take(&self.sold_out),
            already_issued: take(&self.already_issued),
            redelivered: take(&self.redelivered),
            dead_letters: take(&self.dead_letters),
            contradictions: take(&self.contradictions),
        }
    }

    pub(crate) fn decided(&self, outcome: Outcome) {
        match outcome {
            Outcome::Issued { .. } => add(&self.issued, 1),
            Outcome::Rejected(reason) => add(self.of(reason), 1),
        }
    }

    pub(crate) fn redelivered(&self) {
        add(&self.redelivered, 1);
    }

    pub(crate) fn dead_letters(&self, count: usize) {
        add(&self.dead_letters, u64::try_from(count).unwrap_or(u64::MAX));
    }

    pub(crate) fn contradiction(&self) {
        add(&self.contradictions, 1);
    }

    const fn of(&self, reason: Reason) -> &AtomicU64 {
        match reason {
            Reason::NotOpen => &self.not_open,
            Reason::Closed => &self.closed,
            Reason::SoldOut => &self.sold_out,
            Reason::AlreadyIssued => &self.already_issued,
        }
    }
}
