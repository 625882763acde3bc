//! What a coupon costs in write units, as the store charges them. Its time is `cargo local measure`'s.

use std::sync::Arc;
use std::time::Duration;

use coupon::{Entry, Offset, Timestamp, UserId, WINNERS_MAX, decide};
use coupon_dynamodb::{DynamoStore, Meter, Units};
use coupon_store::{Commit, Consistency, Deadline, Retrying, SNAPSHOT_USERS_MAX, Store, Tokens};
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

#[tokio::test]
async fn a_snapshot_costs_two_read_units_for_the_head_and_each_person() {
    let dynamo = Dynamo::start().await;
    let direct = dynamo.store();
    let case = Fixture::new(&direct, "snapshot");
    let head = case.created(10).await;
    case.issue(&head, [case.user(1)]).await;
    for people in [1, SNAPSHOT_USERS_MAX] {
        let meter = Arc::new(Meter::default());
        let store = dynamo.store().metered(Arc::clone(&meter));
        let users: Vec<UserId> = (0..people).map(|number| case.user(number)).collect();
        assert!(store.snapshot(&case.coupon_id(), &users).await.unwrap().is_some());
        let read = 2.0 * f64::from(u32::try_from(people + 1).unwrap());
        assert_eq!(meter.units(), Units { read, write: 0.0 });
    }
}
