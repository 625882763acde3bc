//! The fold that decides: one coupon's records of one batch, in offset order, against the coupon's head.
//!
//! Nothing is written here. A [`Decision`] says what each record came to and which [`Chunk`]s are to be committed, one
//! after the other; a chunk that is refused makes the caller load, learn the holders, and fold again.

use alloc::{collections::BTreeSet, vec::Vec};

use crate::{Epoch, Head, IssuedCoupon, Offset, Outcome, Phase, Rank, Reason, Ticket, Timestamp, UserId};

/// The winners that one transaction takes: DynamoDB allows 100 actions in a `TransactWriteItems`
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html>), and one is the
/// head's.
pub const WINNERS_MAX: usize = 99;

/// A request of the log: who asked, where it lies, and when the log says it arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its place in the coupon's partition.
    pub offset: Offset,
    /// The record's timestamp.
    pub timestamp: Timestamp,
    /// Who asks.
    pub user_id: UserId,
}

/// What the fold made of one entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// At or below `applied`: decided earlier, and [`outcome`](crate::outcome) tells how.
    Redelivered,
    /// Decided now; it holds once its chunk is committed.
    New(Outcome),
}

/// One entry with its verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// The entry.
    pub entry: Entry,
    /// What it came to.
    pub verdict: Verdict,
}

/// The part of a decision that one transaction commits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// The head as it stands at this chunk's last record. Its version is one more than that of the head it was
    /// decided from, which is the commit's condition.
    pub head: Head,
    /// At most [`WINNERS_MAX`]; none in a chunk that only moves the head.
    pub winners: Vec<IssuedCoupon>,
}

/// What a batch comes to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Decision {
    /// Every entry, in the order given.
    pub decided: Vec<Decided>,
    /// What to commit, in this order; empty when everything was redelivered.
    pub chunks: Vec<Chunk>,
}

/// Decides `entries`, ascending by offset, against `head`. `holds` knows people who hold this coupon already; it may
/// know too few (the commit finds out) but never one too many.
//
// Total 4, head { issued: 1 (bob), remaining: 3, applied: 10 }, offsets 11 to 15:
//   11 ann  first request      -> ISSUED, rank 2
//   12 bob  known to hold      -> REJECTED(ALREADY_ISSUED)
//   13 ann  won in this fold   -> REJECTED(ALREADY_ISSUED)
//   14 cho  first request      -> ISSUED, rank 3
//   15 dan  the last one       -> ISSUED, rank 4
// Head: remaining 0, issued 4, applied 15, no epoch. Had bob not been known, he would have been rank 3 and cho 4, with
// 15 SOLD_OUT and an epoch {15, SOLD_OUT}; the transaction is cancelled because his item exists, and the fold above
// is the second.
#[must_use]
pub fn decide(head: &Head, entries: &[Entry], holds: impl Fn(&UserId) -> bool) -> Decision {
    decide_in_chunks(head, entries, holds, WINNERS_MAX)
}

/// [`decide`] with chunks of at most `winners_max` winners, 1 to [`WINNERS_MAX`]; a number outside that range is moved
/// to its nearest end. How a batch is cut changes no verdict: tests and the model use it to cut often.
#[must_use]
pub fn decide_in_chunks(
    head: &Head,
    entries: &[Entry],
    holds: impl Fn(&UserId) -> bool,
    winners_max: usize,
) -> Decision {
    let mut fold = Fold {
        head: head.clone(),
        won: BTreeSet::new(),
        winners: Vec::new(),
        winners_max: winners_max.clamp(1, WINNERS_MAX),
        chunks: Vec::new(),
        open: false,
    };
    let decide_one = |entry: &Entry| Decided { entry: entry.clone(), verdict: fold.step(entry, &holds) };
    let decided = entries.iter().map(decide_one).collect();
    fold.close_chunk();
    Decision { decided, chunks: fold.chunks }
}

/// The state between two entries.
struct Fold {
    head: Head,
    won: BTreeSet<UserId>,
    winners: Vec<IssuedCoupon>,
    winners_max: usize,
    chunks: Vec<Chunk>,
    /// Whether the chunk being filled has an entry.
    open: bool,
}

impl Fold {
    fn step(&mut self, entry: &Entry, holds: &impl Fn(&UserId) -> bool) -> Verdict {
        if self.head.has_applied(entry.offset) {
            return Verdict::Redelivered;
        }
        let clock = self.head.clock.max(entry.timestamp);
        let phase = self.head.phase_at(clock);
        let outcome = match Reason::of_phase(phase) {
            Some(reason) => Outcome::Rejected(reason),
            None if self.won.contains(&entry.user_id) || holds(&entry.user_id) => {
                Outcome::Rejected(Reason::AlreadyIssued)
            }
            None => self.issue(entry, clock),
        };
        self.open = true;
        self.head.clock = clock;
        self.head.applied = Some(entry.offset);
        self.enter(phase, entry.offset);
        Verdict::New(outcome)
    }

    /// A winner. The chunk before it is closed first when it is full, so that losers behind the last winner travel
    /// with it instead of in a write of their own.
    fn issue(&mut self, entry: &Entry, clock: Timestamp) -> Outcome {
        // `phase_at` says OPEN only while one remains; a head that breaks I6 is refused where it is read.
        let rank = self.head.issued.saturating_add(1);
        let Ok(rank) = Rank::new(rank) else { return Outcome::Rejected(Reason::SoldOut) };
        if self.winners.len() >= self.winners_max {
            self.close_chunk();
        }
        self.head.remaining = self.head.remaining.saturating_sub(1);
        self.head.issued = rank.get();
        self.won.insert(entry.user_id.clone());
        self.winners.push(IssuedCoupon {
            user_id: entry.user_id.clone(),
            coupon_id: self.head.coupon_id.clone(),
            ticket: Ticket { partition: self.head.partition, offset: entry.offset },
            rank,
            issued_at: clock,
        });
        Outcome::Issued { rank, issued_at: clock }
    }

    fn enter(&mut self, phase: Phase, offset: Offset) {
        let last = self.head.epochs.last().map_or(Phase::Open, |epoch| epoch.phase);
        if last != phase {
            self.head.epochs.push(Epoch { offset, phase });
        }
    }

    fn close_chunk(&mut self) {
        if self.open {
            self.head.version = self.head.version.next();
            self.chunks.push(Chunk { head: self.head.clone(), winners: core::mem::take(&mut self.winners) });
            self.open = false;
        }
    }
}
