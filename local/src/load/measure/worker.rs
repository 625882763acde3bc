//! The worker: coupons a second of the deployed binary, invoked as a mapping invokes it, against the bare transactions
//! that it cannot do without, on the same store.

use std::time::Instant;

use anyhow::bail;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use coupon::{
    Chunk, CouponId, CouponName, Head, IssuedCoupon, NewCoupon, Offset, Partition, Rank, Ticket, Timestamp, Total,
    UserId, WINNERS_MAX, Window,
};
use coupon_dynamodb::{DynamoStore, Tables};
use coupon_store::{Commit, Creation, Store, Tokens};
use hyper::{Method, StatusCode};
use serde_json::json;

use super::{AT_LEAST, Measure, MeasureOptions};
use crate::dynamodb;
use crate::load::api::Api;
use crate::load::people::admin;
use crate::load::{fresh_id, now_ms};
use crate::sandbox::Sandbox;
use crate::settings::Settings;

/// Records of one invocation, and how many in a turn.
const BATCH: i64 = 1000;
const BATCHES: i64 = 5;

pub(super) async fn measure(sandbox: &Sandbox, options: &MeasureOptions) -> anyhow::Result<Measure> {
    let mut turns = Vec::new();
    // The first turn warms up.
    for turn in 0..=options.turns {
        let pair = (worker(sandbox).await?, transactions(sandbox).await?);
        if turn > 0 {
            turns.push(pair);
        }
    }
    Ok(Measure::of("the worker, against bare transactions of 100 actions", (AT_LEAST, 0.7), "coupons/s", &turns))
}

/// Invokes the worker with batches of a coupon's first requests, every one of which wins.
async fn worker(sandbox: &Sandbox) -> anyhow::Result<f64> {
    let settings = Settings::default();
    let coupon = fresh_id("worker");
    let stock = u64::try_from(BATCH * BATCHES)?;
    Api::new(&sandbox.addresses().api)?.create(&coupon, "Worker", stock, &admin()?).await?;
    let functions = Api::new(&sandbox.addresses().functions)?;
    let path = format!("/2015-03-31/functions/{}/invocations", settings.worker.name);
    let batches: Vec<String> = (0..BATCHES).map(|batch| event(&settings, &coupon, batch * BATCH).to_string()).collect();
    let start = Instant::now();
    for batch in batches {
        let answer = functions.call(Method::POST, &path, None, batch.into()).await?;
        let failed = answer.body.windows(9).any(|part| part == b"errorType");
        if answer.status != StatusCode::OK || failed {
            bail!("the worker did not decide a batch: {}", answer.shown());
        }
    }
    Ok(per_second(start))
}

/// What a mapping hands over: `BATCH` requests of as many people, from an offset on.
fn event(settings: &Settings, coupon: &str, first: i64) -> serde_json::Value {
    let topic = &settings.topics.request.name;
    let partition = record_log::partition_of(coupon.as_bytes(), settings.topics.request.partitions);
    let requested_at = Timestamp::from_millis_clamped(now_ms());
    let record = |offset: i64| {
        let value = json!({
            "type": "issue", "couponId": coupon, "userId": format!("worker-{offset}"), "requestedAt": requested_at,
        });
        json!({
            "topic": topic, "partition": partition, "offset": offset,
            "timestamp": requested_at.millis(), "timestampType": "CREATE_TIME",
            "key": STANDARD.encode(coupon), "value": STANDARD.encode(value.to_string()), "headers": [],
        })
    };
    let records: Vec<_> = (first..first + BATCH).map(record).collect();
    json!({
        "eventSource": "SelfManagedKafka", "bootstrapServers": "127.0.0.1:9092",
        "records": { format!("{topic}-{partition}"): records },
    })
}

/// The same number of coupons in full transactions, one after the other, with nothing decided and nothing published.
async fn transactions(sandbox: &Sandbox) -> anyhow::Result<f64> {
    let settings = Settings::default();
    let tables =
        Tables { coupons: settings.tables.coupons.clone(), user_coupons: settings.tables.user_coupons.clone() };
    let store = DynamoStore::new(dynamodb::client(&sandbox.addresses().dynamodb).await, tables);
    let new = NewCoupon {
        coupon_id: CouponId::parse(&fresh_id("bare"))?,
        name: CouponName::parse("Bare")?,
        total: Total::new(u64::try_from(BATCH * BATCHES)?)?,
        window: Window::default(),
    };
    let mut head = Head::new(new, settings.topics.request.name, Partition::new(0)?);
    if store.create(&head).await? != Creation::Created {
        bail!("the coupon {} existed", head.coupon_id);
    }
    let tokens = Tokens::new();
    let start = Instant::now();
    while head.remaining > 0 {
        let chunk = chunk(&head)?;
        if store.commit(&chunk, &tokens.next()).await? != Commit::Written {
            bail!("a bare transaction was refused");
        }
        head = chunk.head;
    }
    Ok(per_second(start))
}

/// The next full chunk behind a head.
fn chunk(head: &Head) -> anyhow::Result<Chunk> {
    let count = u64::try_from(WINNERS_MAX)?.min(head.remaining);
    let issued_at = Timestamp::from_millis_clamped(now_ms());
    let winner = |rank: u64| -> anyhow::Result<IssuedCoupon> {
        Ok(IssuedCoupon {
            user_id: UserId::parse(&format!("bare-{rank}"))?,
            coupon_id: head.coupon_id.clone(),
            ticket: Ticket { partition: head.partition, offset: Offset::new(i64::try_from(rank)?)? },
            rank: Rank::new(rank)?,
            issued_at,
        })
    };
    let winners = (head.issued + 1..=head.issued + count).map(winner).collect::<anyhow::Result<Vec<_>>>()?;
    let mut next = head.clone();
    next.remaining -= count;
    next.issued += count;
    next.applied = winners.last().map(|winner| winner.ticket.offset);
    next.clock = issued_at;
    next.version = head.version.next();
    Ok(Chunk { head: next, winners })
}

fn per_second(start: Instant) -> f64 {
    let coupons = u32::try_from(BATCH * BATCHES).unwrap_or(u32::MAX);
    f64::from(coupons) / start.elapsed().as_secs_f64()
}
