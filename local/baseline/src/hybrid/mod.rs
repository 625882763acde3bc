//! System B of the seeds: Redis answers who has a coupon already, everybody else becomes a record of the topic
//! `coupon_issue`, keyed by coupon, and a consumer of one group issues (`issuing.rs`). The answer is a 202 as soon as the
//! broker has the record; what came of it is asked of the store.
//!
//! The seeds check no stock before the record, and leave no trace of a refusal; so it is here.

mod issuing;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::anyhow;
use axum::http::StatusCode;
use coupon::{CouponId, Ticket, UserId};
use kafka::{Connection, Delivery, Log as _, Producer, ProducerSettings, Topic};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinSet;

use self::issuing::Issuing;
use crate::consume::Reading;
use crate::http::{Coupons, NewCoupon, Reply};
use crate::problem::Problem;
use crate::produce::producer;
use crate::queue::Queue;
use crate::stamp;
use crate::store::{Coupon, Store};
use crate::system::{HYBRID_GROUP, HYBRID_REQUESTS};

/// Spring's `max.poll.records`: what a listener gets at once.
const BATCH_MAX: usize = 500;
/// As ours: how old a coupon may be that a call is answered from. People who wait would read the store away from the
/// consumers otherwise.
const STOCK_AGE_MAX: Duration = Duration::from_millis(250);
/// Coupons that are remembered; beyond it all are forgotten, which costs a read each.
const STOCKS_MAX: usize = 1_000;

/// The seeds' `CouponIssueEvent`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CouponIssueEvent {
    pub(crate) coupon_id: String,
    pub(crate) user_id: String,
    pub(crate) requested_at: String,
}

/// System B.
pub(crate) struct Hybrid {
    store: Store,
    queue: Queue,
    producer: Producer,
    requests: Topic<str, CouponIssueEvent>,
    /// Coupons as they were read a moment ago.
    stocks: Mutex<HashMap<CouponId, (Coupon, Instant)>>,
}

impl Hybrid {
    /// Makes the producer. Spring's defaults are Kafka's: every in-sync replica acknowledges, idempotent, no linger; and
    /// so are those of the project's own.
    pub(crate) async fn start(store: Store, queue: Queue, kafka: &Connection) -> anyhow::Result<Self> {
        let producer = producer(kafka, ProducerSettings::default(), HYBRID_REQUESTS.name).await?;
        Ok(Self { store, queue, producer, requests: Topic::new(HYBRID_REQUESTS.name), stocks: Mutex::default() })
    }

    /// Starts the consumers of the one group, one for each partition.
    pub(crate) async fn consume(
        &self,
        kafka: &Connection,
        tasks: &mut JoinSet<()>,
        stopped: &watch::Receiver<bool>,
    ) -> anyhow::Result<()> {
        let work = Arc::new(Issuing::new(self.store.clone(), self.queue.clone()));
        let (topic, partitions) = (HYBRID_REQUESTS.name, HYBRID_REQUESTS.partitions);
        Reading { group: HYBRID_GROUP, topic, partitions, batch_max: BATCH_MAX }
            .each_partition(kafka, &work, tasks, stopped)
            .await
    }

    /// A coupon as it was at most so long ago.
    async fn lately(&self, id: &CouponId) -> Result<Coupon, Problem> {
        if let Some((coupon, read_at)) = self.stocks().get(id)
            && read_at.elapsed() < STOCK_AGE_MAX
        {
            return Ok(coupon.clone());
        }
        // Taken before the read, so that a coupon is never older than it says.
        let now = Instant::now();
        let coupon = self.show(id).await?;
        let mut stocks = self.stocks();
        if stocks.len() >= STOCKS_MAX {
            stocks.clear();
        }
        stocks.insert(id.clone(), (coupon.clone(), now));
        Ok(coupon)
    }

    fn stocks(&self) -> MutexGuard<'_, HashMap<CouponId, (Coupon, Instant)>> {
        self.stocks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Coupons for Hybrid {
    async fn create(&self, new: NewCoupon) -> Result<Coupon, Problem> {
        let total = new.total.get();
        let coupon = Coupon { id: new.id, name: new.name.as_str().to_owned(), total, remaining: total };
        if self.store.create(&coupon).await.map_err(Problem::Store)? { Ok(coupon) } else { Err(Problem::Exists) }
    }

    async fn show(&self, id: &CouponId) -> Result<Coupon, Problem> {
        let coupon = self.store.coupon(id).await.map_err(Problem::Store)?;
        coupon.ok_or_else(|| Problem::NoCoupon(id.clone()))
    }

    async fn issue(&self, id: &CouponId, user: &UserId) -> Result<Reply, Problem> {
        self.lately(id).await?;
        if self.queue.is_issued(id, user).await.map_err(Problem::Queue)? {
            return Err(Problem::AlreadyIssued(None));
        }
        let event = CouponIssueEvent {
            coupon_id: id.to_string(),
            user_id: user.to_string(),
            requested_at: stamp::now().to_string(),
        };
        let record = self.requests.record(id.as_str(), &event).map_err(|error| Problem::Queue(error.into()))?;
        let delivery = self.producer.produce(record).await.map_err(|error| Problem::Queue(error.into()))?;
        let request_id = request_id(delivery).map_err(Problem::Queue)?;
        let location = Some(format!("/coupons/{id}/issues/{request_id}"));
        let body = json!({"requestId": request_id, "couponId": id, "status": "PENDING"});
        Ok(Reply { status: StatusCode::ACCEPTED, body, location })
    }

    /// From the store alone: who has an item has a coupon; who has none can get one as long as there is stock.
    async fn status(&self, id: &CouponId, user: &UserId, request_id: &str) -> Result<Reply, Problem> {
        Ticket::parse(request_id).map_err(|limit| Problem::Invalid(format!("requestId: {limit}")))?;
        // The stock first, however old: an item that was written with its last one is then seen.
        let coupon = self.lately(id).await?;
        if let Some(held) = self.store.issued(user, id).await.map_err(Problem::Store)? {
            return Ok(Reply::ok(if held.request_id == request_id {
                held.outcome()
            } else {
                json!({
                    "requestId": request_id,
                    "couponId": id,
                    "status": "REJECTED",
                    "reason": "ALREADY_ISSUED",
                    "coupon": held.shown(),
                })
            }));
        }
        let body = if coupon.remaining == 0 {
            json!({"requestId": request_id, "couponId": id, "status": "REJECTED", "reason": "SOLD_OUT"})
        } else {
            json!({"requestId": request_id, "couponId": id, "status": "PENDING"})
        };
        Ok(Reply::ok(body))
    }

    /// The hybrid knows no rank before the coupon is issued.
    async fn rank(&self, _id: &CouponId, _user: &UserId) -> Result<Reply, Problem> {
        Err(Problem::NotFound)
    }
}

fn request_id(delivery: Delivery) -> anyhow::Result<String> {
    let offset = delivery.offset.ok_or_else(|| anyhow!("acknowledged without an offset"))?;
    Ok(format!("{}-{offset}", delivery.partition))
}
