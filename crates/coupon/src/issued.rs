//! What one person holds of one coupon.

use crate::{CouponId, Rank, Ticket, Timestamp, UserId};

/// An issued coupon: the only thing that is stored per person, and only for winners.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedCoupon {
    /// Who holds it.
    pub user_id: UserId,
    /// Which coupon.
    pub coupon_id: CouponId,
    /// The request that won it.
    pub ticket: Ticket,
    /// The order among the issued.
    pub rank: Rank,
    /// The coupon's clock when it was issued.
    pub issued_at: Timestamp,
}
