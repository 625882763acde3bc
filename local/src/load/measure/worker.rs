//! The worker: coupons a second of the deployed binary, invoked as a mapping invokes it, against the bare transactions
//! that it cannot do without, on the same store.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::bail;
use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use coupon::Timestamp;
use hyper::{Method, StatusCode};
use load_generator::processes::{cpu_each, median, of_tree};
use serde::Serialize;
use serde_json::json;

use super::{AT_LEAST, Measure, MeasureOptions};
use crate::dynamodb;
use crate::load::api::Api;
use crate::load::people::admin;
use crate::load::{fresh_id, now_ms};
use crate::sandbox::Sandbox;

/// Records of one invocation, and how many in a turn.
const BATCH: i64 = 1000;
const BATCHES: i64 = 5;
const UNIT: &str = "coupons/s";
/// Actions of a bare transaction: DynamoDB's limit.
const ACTIONS_MAX: u16 = 100;

/// What a thousand coupons took of the processors, by process.
#[derive(Debug, Serialize)]
pub(super) struct Spent {
    /// By the worker.
    pub(super) worker: BTreeMap<String, f64>,
    /// By the bare transactions; what asks for them is `local` itself.
    pub(super) bare: BTreeMap<String, f64>,
}

pub(super) async fn measure(sandbox: &Sandbox, options: &MeasureOptions) -> anyhow::Result<(Measure, Spent)> {
    let (mut turns, mut by_worker, mut by_bare) = (Vec::new(), Vec::new(), Vec::new());
    // The first turn warms up.
    for turn in 0..=options.turns {
        let (decided, spent) = with_cpu(worker(sandbox)).await?;
        let (written, spent_bare) = with_cpu(transactions(sandbox)).await?;
        if turn > 0 {
            turns.push((decided, written));
            by_worker.push(spent);
            by_bare.push(spent_bare);
        }
    }
    let ratio = Measure::of("the worker, against bare transactions of 100 actions", (AT_LEAST, 0.7), UNIT, &turns);
    Ok((ratio, Spent { worker: median(&by_worker), bare: median(&by_bare) }))
}

/// What a turn comes to, and what a thousand of its coupons took of the processors.
async fn with_cpu(turn: impl Future<Output = anyhow::Result<f64>>) -> anyhow::Result<(f64, BTreeMap<String, f64>)> {
    let before = of_tree(std::process::id())?;
    let rate = turn.await?;
    let thousands = usize::try_from(BATCH * BATCHES / 1000)?;
    Ok((rate, cpu_each(&before, &of_tree(std::process::id())?, thousands)))
}

/// Invokes the worker with batches of a coupon's first requests, every one of which wins.
async fn worker(sandbox: &Sandbox) -> anyhow::Result<f64> {
    let topic = &sandbox.settings().names()?.requests;
    let coupon = fresh_id("worker");
    let stock = u64::try_from(BATCH * BATCHES)?;
    Api::new(&sandbox.addresses().api)?.create(&coupon, "Worker", stock, &admin()?).await?;
    let functions = Api::new(&sandbox.addresses().functions)?;
    let path = format!("/2015-03-31/functions/{}/invocations", sandbox.settings().worker.name);
    let partitions = sandbox.settings().topics.iter().find(|found| found.name == *topic).map(|topic| topic.partitions);
    let partition = record_log::partition_of(coupon.as_bytes(), partitions.unwrap_or(1));
    let batch = |batch: i64| event((topic, partition), &coupon, batch * BATCH).to_string();
    let batches: Vec<String> = (0..BATCHES).map(batch).collect();
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
fn event((topic, partition): (&str, i32), coupon: &str, first: i64) -> serde_json::Value {
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

/// As many items in transactions of 100, one after the other, with nothing decided, checked or published.
async fn transactions(sandbox: &Sandbox) -> anyhow::Result<f64> {
    let client = dynamodb::client(&sandbox.addresses().dynamodb).await;
    let (table, coupon) = (sandbox.settings().names()?.user_coupons, fresh_id("bare"));
    let start = Instant::now();
    for first in (0..BATCH * BATCHES).step_by(ACTIONS_MAX.into()) {
        let actions = (first..first + i64::from(ACTIONS_MAX))
            .map(|number| put(&table, &coupon, number))
            .collect::<Result<_, _>>()?;
        client.transact_write_items().set_transact_items(Some(actions)).send().await?;
    }
    Ok(per_second(start))
}

/// An item of the same size as an issued coupon's.
fn put(table: &str, coupon: &str, number: i64) -> Result<TransactWriteItem, BuildError> {
    let text = |text: String| AttributeValue::S(text);
    let put = Put::builder()
        .table_name(table)
        .item("userId", text(format!("worker-{number}")))
        .item("couponId", text(coupon.to_owned()))
        .item("requestId", text(format!("3-{number}")))
        .item("rank", AttributeValue::N(number.to_string()))
        .item("issuedAt", text("2026-11-20T03:00:00.000Z".into()))
        .build()?;
    Ok(TransactWriteItem::builder().put(put).build())
}

fn per_second(start: Instant) -> f64 {
    let coupons = u32::try_from(BATCH * BATCHES).unwrap_or(u32::MAX);
    f64::from(coupons) / start.elapsed().as_secs_f64()
}
