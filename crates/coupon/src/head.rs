//! The head: a coupon's stock, window and progress in one value. Everything a loser is told depends on it alone.
//! How it changes is `decide.rs`; how it is stored is no concern of this crate.

use alloc::{string::String, vec::Vec};

use serde::{Deserialize, Serialize};

use crate::{CouponId, CouponName, Invalid, Offset, Partition, Ticket, Timestamp, Total, Version};

/// What a head is in from some offset on. The order of the checks is [`Head::phase_at`]'s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Phase {
    /// Before `opensAt`.
    NotOpen,
    /// Coupons are issued.
    Open,
    /// None remains.
    SoldOut,
    /// From `closesAt` on.
    Closed,
}

/// The phase that holds from an offset on, until the next epoch's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Epoch {
    /// The first record that met this phase.
    pub offset: Offset,
    /// The phase it met.
    pub phase: Phase,
}

/// When coupons are issued: `opens_at ≤ clock < closes_at`, each end optional.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Window {
    opens_at: Option<Timestamp>,
    closes_at: Option<Timestamp>,
}

impl Window {
    /// # Errors
    /// The window would never be open: `opensAt` is not before `closesAt`.
    pub fn new(opens_at: Option<Timestamp>, closes_at: Option<Timestamp>) -> Result<Self, Invalid> {
        match (opens_at, closes_at) {
            (Some(opens), Some(closes)) if opens >= closes => {
                Err(Invalid::new(alloc::format!("opensAt lies before closesAt, but {opens} is not before {closes}")))
            }
            _ => Ok(Self { opens_at, closes_at }),
        }
    }

    /// The first moment at which coupons are issued; from the creation on where there is none.
    #[must_use]
    pub const fn opens_at(self) -> Option<Timestamp> {
        self.opens_at
    }

    /// The first moment at which none is issued any more; never where there is none.
    #[must_use]
    pub const fn closes_at(self) -> Option<Timestamp> {
        self.closes_at
    }
}

/// A coupon as its creator asked for it, every limit kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCoupon {
    /// Its id, unique for ever.
    pub coupon_id: CouponId,
    /// What people see.
    pub name: CouponName,
    /// How many there are.
    pub total: Total,
    /// When they are issued.
    pub window: Window,
}

/// A coupon's head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Which coupon.
    pub coupon_id: CouponId,
    /// What people see.
    pub name: CouponName,
    /// How many there are; `remaining + issued`, always.
    pub total: Total,
    /// How many are left.
    pub remaining: u64,
    /// How many were issued; the last rank given.
    pub issued: u64,
    /// When they are issued.
    pub window: Window,
    /// The topic that this coupon's requests are in.
    pub log: String,
    /// The partition they are in, as the key's hash chose when the coupon was created.
    pub partition: Partition,
    /// How often this head was written.
    pub version: Version,
    /// The last decided request; `None`, −1 in the table, while nothing is decided.
    pub applied: Option<Offset>,
    /// The phases met so far, ascending by offset; `OPEN` holds before the first.
    pub epochs: Vec<Epoch>,
    /// The highest record timestamp seen.
    pub clock: Timestamp,
}

impl Head {
    /// The head of a coupon that nobody has asked for yet.
    #[must_use]
    pub fn new(coupon: NewCoupon, log: String, partition: Partition) -> Self {
        let remaining = coupon.total.get();
        Self {
            coupon_id: coupon.coupon_id,
            name: coupon.name,
            total: coupon.total,
            remaining,
            issued: 0,
            window: coupon.window,
            log,
            partition,
            version: Version::default(),
            applied: None,
            epochs: Vec::new(),
            clock: Timestamp::ZERO,
        }
    }

    /// The phase at a moment: `NOT_OPEN` before the window, `CLOSED` after it, `SOLD_OUT` when none remains, else
    /// `OPEN`; the first that holds.
    #[must_use]
    pub fn phase_at(&self, clock: Timestamp) -> Phase {
        if self.window.opens_at.is_some_and(|opens| clock < opens) {
            Phase::NotOpen
        } else if self.window.closes_at.is_some_and(|closes| clock >= closes) {
            Phase::Closed
        } else if self.remaining == 0 {
            Phase::SoldOut
        } else {
            Phase::Open
        }
    }

    /// Whether the request at this offset is decided.
    #[must_use]
    pub fn has_applied(&self, offset: Offset) -> bool {
        self.applied.is_some_and(|applied| offset <= applied)
    }

    /// The phase that a decided request met: that of the last epoch at or before it.
    //
    // epochs [{15, SOLD_OUT}, {40, CLOSED}]: 14 -> OPEN, 15 -> SOLD_OUT, 39 -> SOLD_OUT, 40 -> CLOSED.
    #[must_use]
    pub fn phase_of(&self, offset: Offset) -> Phase {
        let met = self.epochs.iter().rev().find(|epoch| epoch.offset <= offset);
        met.map_or(Phase::Open, |epoch| epoch.phase)
    }

    /// How many requests of the partition lie between the last decided one and this ticket: an upper bound of those
    /// ahead, since other coupons share the partition. `None` while nothing is decided.
    #[must_use]
    pub fn ahead_at_most(&self, ticket: Ticket) -> Option<u64> {
        let applied = self.applied?.get();
        let between = ticket.offset.get().saturating_sub(applied).saturating_sub(1);
        Some(u64::try_from(between).unwrap_or(0))
    }
}
