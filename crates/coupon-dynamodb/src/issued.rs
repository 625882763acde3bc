//! The issued coupon as an item of the table `user-coupons`: its attributes and its reading, one by one. Reading many
//! is `lookup.rs`; writing happens in a commit only.

use coupon::{CouponId, IssuedCoupon, Rank, Ticket, Timestamp, UserId};
use coupon_store::{Consistency, StoreError};

use crate::{
    DynamoStore,
    attribute::{Item, Stored, number, text},
    fault,
};

impl DynamoStore {
    pub(crate) async fn get_issued(
        &self,
        user: &UserId,
        coupon: &CouponId,
        consistency: Consistency,
    ) -> Result<Option<IssuedCoupon>, StoreError> {
        let table = &self.tables.user_coupons;
        let get = self
            .client
            .get_item()
            .table_name(table)
            .set_key(Some(key(user, coupon)))
            .consistent_read(consistency == Consistency::Strong)
            .set_return_consumed_capacity(self.reported());
        let got = get.send().await.map_err(|error| fault::of(table, error))?;
        self.count(|meter| meter.read(got.consumed_capacity()));
        got.item().map(|item| from_item(table, item)).transpose()
    }
}

/// The key of one person's item.
pub(crate) fn key(user: &UserId, coupon: &CouponId) -> Item {
    Item::from([("userId".into(), text(user.as_str())), ("couponId".into(), text(coupon.as_str()))])
}

/// The item that says this.
pub(crate) fn to_item(issued: &IssuedCoupon) -> Item {
    let mut item = key(&issued.user_id, &issued.coupon_id);
    item.extend([
        ("requestId".into(), text(issued.ticket.to_string())),
        ("rank".into(), number(issued.rank.get())),
        ("issuedAt".into(), text(issued.issued_at)),
    ]);
    item
}

/// What an item says.
pub(crate) fn from_item(table: &str, item: &Item) -> Result<IssuedCoupon, StoreError> {
    let stored = Stored::new(table, item);
    Ok(IssuedCoupon {
        user_id: stored.parsed("userId", UserId::parse)?,
        coupon_id: stored.parsed("couponId", CouponId::parse)?,
        ticket: stored.parsed("requestId", Ticket::parse)?,
        rank: stored.numbered("rank", Rank::new)?,
        issued_at: stored.parsed("issuedAt", Timestamp::parse)?,
    })
}
