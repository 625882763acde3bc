//! System B's consumer: one record after the other, as the seeds draw it. The stock is read, the coupon issued, the
//! person marked in Redis.
//!
//! A record that comes again, after a crash, meets the person's item and changes nothing.

use anyhow::bail;
use coupon::{CouponId, UserId};
use kafka::ReadRecord;

use super::CouponIssueEvent;
use crate::consume::Work;
use crate::queue::Queue;
use crate::stamp;
use crate::store::{Issued, Store, Taken};

/// How often the stock may move under one record before something is wrong. A coupon's records are of one partition and
/// come one after the other: only what a server that was killed had sent may still arrive in between.
const ROUNDS_MAX: u32 = 10;

pub(super) struct Issuing {
    store: Store,
    queue: Queue,
}

impl Issuing {
    pub(super) fn new(store: Store, queue: Queue) -> Self {
        Self { store, queue }
    }

    async fn issue(&self, coupon: &CouponId, user: &UserId, request_id: &str) -> anyhow::Result<()> {
        for _ in 0..ROUNDS_MAX {
            let Some(stock) = self.store.coupon(coupon).await? else {
                tracing::error!(%coupon, request_id, "no such coupon: passed over");
                return Ok(());
            };
            if stock.remaining == 0 {
                return Ok(());
            }
            let issued = Issued {
                coupon: coupon.clone(),
                user: user.clone(),
                request_id: request_id.to_owned(),
                rank: stock.total.saturating_sub(stock.remaining).saturating_add(1),
                at: stamp::now(),
            };
            match self.store.take(&issued, stock.remaining).await? {
                Taken::Written | Taken::Held => {
                    self.mark(coupon, user).await;
                    return Ok(());
                }
                Taken::StockMoved => {}
            }
        }
        bail!("the stock of {coupon} moved {ROUNDS_MAX} times under request {request_id}")
    }

    /// Without the mark the next request of this person costs a record, and nothing else.
    async fn mark(&self, coupon: &CouponId, user: &UserId) {
        if let Err(error) = self.queue.mark_issued(coupon, user).await {
            tracing::warn!(%coupon, %user, "issued, but not marked: {error:#}");
        }
    }
}

impl Work for Issuing {
    async fn work(&self, batch: &[ReadRecord]) -> anyhow::Result<()> {
        for record in batch {
            let request_id = format!("{}-{}", record.partition, record.offset);
            let Some((coupon, user)) = decoded(record) else {
                tracing::error!(request_id, "no CouponIssueEvent: passed over");
                continue;
            };
            self.issue(&coupon, &user, &request_id).await?;
        }
        Ok(())
    }
}

fn decoded(record: &ReadRecord) -> Option<(CouponId, UserId)> {
    let event: CouponIssueEvent = serde_json::from_slice(record.value.as_deref()?).ok()?;
    Some((CouponId::parse(&event.coupon_id).ok()?, UserId::parse(&event.user_id).ok()?))
}
