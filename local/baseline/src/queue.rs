//! What the seeds keep in Redis, by their keys: who queues for a coupon (`coupon:queue:{couponId}`, a sorted set by time),
//! who has one (`coupon:issued:{couponId}:{userId}`) and how many there are (`coupon:limit:{couponId}`).
//!
//! One connection, shared: commands are pipelined, and a Redis that went away is found again.

use std::time::Duration;

use anyhow::Context;
use coupon::{CouponId, Timestamp, UserId};
use redis::aio::{ConnectionManager, ConnectionManagerConfig};

/// Far above what Redis takes for any of these commands, far below what a caller waits.
const ANSWER_MAX: Duration = Duration::from_secs(1);
const RECONNECT_MIN: Duration = Duration::from_millis(10);
const RECONNECT_MAX: Duration = Duration::from_millis(200);
/// Attempts before a command fails; the next command begins anew.
const RECONNECTS: usize = 3;

/// The Redis of a system.
#[derive(Clone)]
pub(crate) struct Queue {
    connection: ConnectionManager,
}

/// What Redis knows of a person before they queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Known {
    /// How many coupons there are; `None` where Redis knows of no such coupon, or has forgotten it.
    pub(crate) limit: Option<u64>,
    /// Whether the person has one.
    pub(crate) is_issued: bool,
}

/// Where somebody stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) known: Known,
    /// From 1; `None` for who does not queue.
    pub(crate) rank: Option<u64>,
    /// How many queue.
    pub(crate) queued: u64,
}

impl Queue {
    /// Connects to `HOST:PORT`.
    pub(crate) async fn connect(address: &str) -> anyhow::Result<Self> {
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(ANSWER_MAX))
            .set_response_timeout(Some(ANSWER_MAX))
            .set_min_delay(RECONNECT_MIN)
            .set_max_delay(RECONNECT_MAX)
            .set_number_of_retries(RECONNECTS);
        let client = redis::Client::open(format!("redis://{address}/"))
            .with_context(|| format!("--redis {address}: expected HOST:PORT"))?;
        let connection = ConnectionManager::new_with_config(client, config).await;
        Ok(Self { connection: connection.with_context(|| format!("no Redis at {address}"))? })
    }

    /// Says how many there are, unless that is said already; the limit that holds.
    pub(crate) async fn set_limit(&self, coupon: &CouponId, limit: u64) -> anyhow::Result<u64> {
        let mut pipe = redis::pipe();
        pipe.cmd("SETNX").arg(limit_key(coupon)).arg(limit).ignore().cmd("GET").arg(limit_key(coupon));
        let (limit,): (u64,) = self.ask(&pipe).await?;
        Ok(limit)
    }

    /// What there is to know before a person queues.
    pub(crate) async fn known(&self, coupon: &CouponId, user: &UserId) -> anyhow::Result<Known> {
        let mut pipe = redis::pipe();
        pipe.cmd("GET").arg(limit_key(coupon)).cmd("EXISTS").arg(issued_key(coupon, user));
        let (limit, is_issued) = self.ask(&pipe).await?;
        Ok(Known { limit, is_issued })
    }

    /// Whether a person has one.
    pub(crate) async fn is_issued(&self, coupon: &CouponId, user: &UserId) -> anyhow::Result<bool> {
        let mut pipe = redis::pipe();
        pipe.cmd("EXISTS").arg(issued_key(coupon, user));
        let (is_issued,): (bool,) = self.ask(&pipe).await?;
        Ok(is_issued)
    }

    /// Queues at this moment, and tells the rank from 1. Who queues already keeps their place.
    ///
    /// The hole that the seeds leave: the rank is that of *now*. Whoever comes later with the same millisecond and a
    /// smaller id, or with an earlier one from another clock, gets in between, and pushes somebody who has their coupon
    /// already behind the limit: both have one.
    pub(crate) async fn enter(&self, coupon: &CouponId, user: &UserId, at: Timestamp) -> anyhow::Result<u64> {
        let mut pipe = redis::pipe();
        pipe.cmd("ZADD").arg(queue_key(coupon)).arg("NX").arg(at.millis()).arg(user.as_str()).ignore();
        pipe.cmd("ZRANK").arg(queue_key(coupon)).arg(user.as_str());
        let (index,): (Option<u64>,) = self.ask(&pipe).await?;
        Ok(index.context("the queue has forgotten who just entered")?.saturating_add(1))
    }

    /// Notes that a person has one.
    pub(crate) async fn mark_issued(&self, coupon: &CouponId, user: &UserId) -> anyhow::Result<()> {
        let mut pipe = redis::pipe();
        pipe.cmd("SET").arg(issued_key(coupon, user)).arg(1).ignore();
        self.ask(&pipe).await
    }

    /// Where a person stands right now.
    pub(crate) async fn standing(&self, coupon: &CouponId, user: &UserId) -> anyhow::Result<Standing> {
        let mut pipe = redis::pipe();
        pipe.cmd("GET").arg(limit_key(coupon)).cmd("EXISTS").arg(issued_key(coupon, user));
        pipe.cmd("ZRANK").arg(queue_key(coupon)).arg(user.as_str()).cmd("ZCARD").arg(queue_key(coupon));
        let (limit, is_issued, index, queued): (Option<u64>, bool, Option<u64>, u64) = self.ask(&pipe).await?;
        let rank = index.map(|index| index.saturating_add(1));
        Ok(Standing { known: Known { limit, is_issued }, rank, queued })
    }

    async fn ask<T: redis::FromRedisValue>(&self, pipe: &redis::Pipeline) -> anyhow::Result<T> {
        pipe.query_async(&mut self.connection.clone()).await.context("Redis")
    }
}

fn queue_key(coupon: &CouponId) -> String {
    format!("coupon:queue:{coupon}")
}

fn issued_key(coupon: &CouponId, user: &UserId) -> String {
    format!("coupon:issued:{coupon}:{user}")
}

fn limit_key(coupon: &CouponId) -> String {
    format!("coupon:limit:{coupon}")
}
