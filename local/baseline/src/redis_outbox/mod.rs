//! System A of the seeds: the rank in a Redis sorted set decides, the issued coupon and an outbox event are saved at
//! once, the answer is immediate, and the stock in the store follows every ten seconds (`outbox.rs`).
//!
//! Written as its authors would want it: what can be one transaction is one, a retry of the same person heals what a
//! crash left half done. The holes that the design has are kept; `docs/baselines.md` names them.

mod outbox;

use anyhow::Context;
use axum::http::StatusCode;
use coupon::{CouponId, UserId};
use serde_json::json;
use uuid::Uuid;

pub use self::outbox::OutboxPeriods;
pub(crate) use self::outbox::process;
use crate::http::{Coupons, NewCoupon, Reply};
use crate::problem::Problem;
use crate::queue::Queue;
use crate::stamp;
use crate::store::{Coupon, Event, EventState, Issued, Saved, Store};

/// System A.
#[derive(Clone)]
pub(crate) struct RedisOutbox {
    pub(crate) store: Store,
    pub(crate) queue: Queue,
}

impl RedisOutbox {
    /// The limit where Redis has forgotten it: what the store says is left. The store lags behind by the events in the
    /// outbox, so that a Redis that died within their ten seconds gives their coupons away once more.
    async fn limit_from_store(&self, id: &CouponId) -> Result<u64, Problem> {
        let coupon = self.show(id).await?;
        tracing::warn!(%id, remaining = coupon.remaining, "Redis knows no limit: taken from the store");
        self.queue.set_limit(id, coupon.remaining).await.map_err(Problem::Queue)
    }

    /// Saves what the queue has decided. From the moment of the rank to the end of this, a crash leaves a place in the
    /// queue without a coupon: the hole between Redis and the store.
    async fn save(&self, id: &CouponId, user: &UserId, rank: u64) -> Result<Issued, Problem> {
        let (request_id, at) = (Uuid::new_v4().simple().to_string(), stamp::now());
        let issued = Issued { coupon: id.clone(), user: user.clone(), request_id: request_id.clone(), rank, at };
        let event = Event {
            id: request_id,
            coupon: id.clone(),
            user: user.clone(),
            state: EventState::Pending,
            created_at: at,
        };
        match self.store.save(&issued, &event).await.map_err(Problem::Store)? {
            Saved::Written => Ok(issued),
            // Saved by an earlier call whose answer or whose mark was lost.
            Saved::Held(held) => {
                self.mark(id, user).await;
                Err(Problem::AlreadyIssued(Some(held)))
            }
        }
    }

    /// The mark spares the next call a transaction; the store refuses a second coupon without it too.
    async fn mark(&self, id: &CouponId, user: &UserId) {
        if let Err(error) = self.queue.mark_issued(id, user).await {
            tracing::warn!(%id, %user, "issued, but not marked: {error:#}");
        }
    }
}

impl Coupons for RedisOutbox {
    async fn create(&self, new: NewCoupon) -> Result<Coupon, Problem> {
        let total = new.total.get();
        let coupon = Coupon { id: new.id, name: new.name.as_str().to_owned(), total, remaining: total };
        if !self.store.create(&coupon).await.map_err(Problem::Store)? {
            return Err(Problem::Exists);
        }
        // Lost between the two, the limit is found in the store by the first request.
        self.queue.set_limit(&coupon.id, total).await.map_err(Problem::Queue)?;
        Ok(coupon)
    }

    async fn show(&self, id: &CouponId) -> Result<Coupon, Problem> {
        let coupon = self.store.coupon(id).await.map_err(Problem::Store)?;
        coupon.ok_or_else(|| Problem::NoCoupon(id.clone()))
    }

    async fn issue(&self, id: &CouponId, user: &UserId) -> Result<Reply, Problem> {
        let known = self.queue.known(id, user).await.map_err(Problem::Queue)?;
        if known.is_issued {
            return Err(Problem::AlreadyIssued(None));
        }
        let limit = match known.limit {
            Some(limit) => limit,
            None => self.limit_from_store(id).await?,
        };
        let rank = self.queue.enter(id, user, stamp::now()).await.map_err(Problem::Queue)?;
        if rank > limit {
            return Err(Problem::SoldOut);
        }
        let issued = self.save(id, user, rank).await?;
        self.mark(id, user).await;
        let location = Some(format!("/coupons/{id}/issues/{}", issued.request_id));
        Ok(Reply { status: StatusCode::CREATED, body: issued.outcome(), location })
    }

    async fn status(&self, id: &CouponId, user: &UserId, request_id: &str) -> Result<Reply, Problem> {
        let held = self.store.issued(user, id).await.map_err(Problem::Store)?;
        match held.filter(|held| held.request_id == request_id) {
            Some(held) => Ok(Reply::ok(held.outcome())),
            None => Err(Problem::NoRequest),
        }
    }

    /// In real time, from Redis alone: what the seeds list as an advantage.
    async fn rank(&self, id: &CouponId, user: &UserId) -> Result<Reply, Problem> {
        let standing = self.queue.standing(id, user).await.map_err(Problem::Queue)?;
        let limit = standing.known.limit.context("no limit").map_err(|_unknown| Problem::NoCoupon(id.clone()))?;
        let rank = standing.rank.ok_or(Problem::NoRequest)?;
        let status = match (standing.known.is_issued, rank <= limit) {
            (true, _) => "ISSUED",
            // Saved at this moment, or left half done by a crash.
            (false, true) => "PENDING",
            (false, false) => "REJECTED",
        };
        Ok(Reply::ok(json!({
            "couponId": id,
            "rank": rank,
            "status": status,
            "limit": limit,
            "queued": standing.queued,
        })))
    }
}
