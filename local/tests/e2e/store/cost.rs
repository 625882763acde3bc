//! What a coupon costs: write units, which are counted, and time beside a bare loop, which is measured on demand.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem};
use coupon::{Entry, Offset, Timestamp, UserId, WINNERS_MAX, decide};
use coupon_dynamodb::{DynamoStore, Meter};
use coupon_store::{Commit, Consistency, Deadline, Retrying, Tokens};
use coupon_store_contract::Fixture;

use super::dynamo::Dynamo;

/// Full chunks in a batch.
const CHUNKS: usize = 10;

/// What a worker does with one batch of full chunks: load, decide, commit. Gives the coupons issued.
async fn batch(store: &DynamoStore, tokens: &Tokens, coupon: &Fixture<'_, DynamoStore>, number: usize) -> usize {
    let retrying = Retrying::new(store, tokens, Deadline::after(Duration::from_secs(30)));
    let head = retrying.head(&coupon.coupon_id(), Consistency::Strong).await.unwrap().unwrap();
    let size = CHUNKS * WINNERS_MAX;
    let entries: Vec<Entry> = (number * size..(number + 1) * size)
        .map(|number| Entry {
            offset: Offset::new(i64::try_from(number).unwrap()).unwrap(),
            timestamp: Timestamp::from_millis_clamped(1_795_143_600_000),
            user_id: coupon.user(number),
        })
        .collect();
    let chunks = decide(&head, &entries, |_: &UserId| false).chunks;
    assert_eq!(chunks.len(), CHUNKS);
    for chunk in chunks {
        assert_eq!(retrying.commit(&chunk).await, Ok(Commit::Written));
    }
    size
}

#[tokio::test]
async fn a_coupon_costs_little_more_than_two_write_units() {
    let dynamo = Dynamo::start().await;
    let meter = Arc::new(Meter::default());
    let direct = dynamo.store();
    let coupon = Fixture::new(&direct, "units");
    coupon.created(1_000_000).await;
    let store = dynamo.store().metered(Arc::clone(&meter));
    let tokens = Tokens::new();
    let mut issued = 0;
    for number in 0..3 {
        issued += batch(&store, &tokens, &coupon, number).await;
    }
    let units = meter.units();
    // 100 actions of 2 units for 99 coupons are 2.02.
    let per_coupon = units.write / f64::from(u32::try_from(issued).unwrap());
    assert!((2.0..=2.1).contains(&per_coupon), "{per_coupon} write units a coupon ({units:?}, {issued} coupons)");
    assert!(units.read <= 3.0, "a batch reads its head: {units:?}");
}

/// 100 puts a transaction and nothing else: what the engine itself can do.
async fn bare(dynamo: &Dynamo, number: usize) -> usize {
    for transaction in 0..CHUNKS {
        let put = |item: usize| {
            let text = |text: String| AttributeValue::S(text);
            let item = HashMap::from([
                ("userId".to_owned(), text(format!("bare-{number}-{transaction}-{item}"))),
                ("couponId".to_owned(), text("bare".into())),
                ("requestId".to_owned(), text(format!("3-{item}"))),
                ("rank".to_owned(), AttributeValue::N(item.to_string())),
                ("issuedAt".to_owned(), text("2026-11-20T03:00:00.000Z".into())),
            ]);
            let put = Put::builder().table_name("contract-user-coupons").set_item(Some(item)).build().unwrap();
            TransactWriteItem::builder().put(put).build()
        };
        let actions = (0..100).map(put).collect();
        dynamo.client().transact_write_items().set_transact_items(Some(actions)).send().await.unwrap();
    }
    CHUNKS * 100
}

/// `cargo test -p local --test e2e -- --ignored --nocapture a_worker_issues`
#[tokio::test]
#[ignore = "a measurement: run it by itself on a quiet machine"]
async fn a_worker_issues_nearly_as_fast_as_a_bare_loop() {
    let dynamo = Dynamo::start().await;
    let store = dynamo.store();
    let coupon = Fixture::new(&store, "speed");
    coupon.created(1_000_000).await;
    let tokens = Tokens::new();
    let (mut worker, mut loops) = (Rate::default(), Rate::default());
    // Turn by turn, so that both meet the same machine; the first turn warms up.
    for number in 0..8 {
        let start = Instant::now();
        let issued = batch(&store, &tokens, &coupon, number).await;
        worker.add(number, issued, start.elapsed());
        let start = Instant::now();
        let put = bare(&dynamo, number).await;
        loops.add(number, put, start.elapsed());
    }
    let share = worker.per_second() / loops.per_second();
    println!(
        "worker {:.0} coupons/s, bare loop of 100-action transactions {:.0} items/s, share {share:.2}",
        worker.per_second(),
        loops.per_second()
    );
    assert!(share >= 0.7, "{share}");
}

#[derive(Default)]
struct Rate {
    count: usize,
    time: Duration,
}

impl Rate {
    fn add(&mut self, turn: usize, count: usize, time: Duration) {
        if turn > 0 {
            self.count += count;
            self.time += time;
        }
    }

    fn per_second(&self) -> f64 {
        f64::from(u32::try_from(self.count).unwrap()) / self.time.as_secs_f64()
    }
}
