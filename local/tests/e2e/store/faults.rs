//! What the store makes of faults that the engine never has, injected by the proxy, and that the retry loop comes
//! through them inside its deadline. Seeds are fixed: a failure repeats itself.

use std::time::{Duration, Instant};

use coupon::{Chunk, Entry, Head, Offset, Timestamp, UserId, decide};
use coupon_dynamodb::DynamoStore;
use coupon_store::{Commit, Consistency, Deadline, Retrying, Store, StoreError, Tokens};
use coupon_store_contract::{Fixture, user};
use local::fault_proxy::{Fault, FaultProxy, Kind};

use super::dynamo::{Dynamo, patient_through, through};

/// How long a slow answer takes: much longer than an attempt may, even on a busy machine.
const SLOW_MS: u64 = 60_000;

/// Requests of these people, right behind the last decided one.
fn requests(head: &Head, users: impl IntoIterator<Item = UserId>) -> Vec<Entry> {
    let first = head.applied.map_or(0, |applied| applied.get() + 1);
    let entry = |(offset, user_id)| Entry {
        offset: Offset::new(offset).unwrap(),
        timestamp: Timestamp::from_millis_clamped(1_795_143_600_000 + offset),
        user_id,
    };
    (first..).zip(users).map(entry).collect()
}

pub(crate) fn chunk(head: &Head, users: impl IntoIterator<Item = UserId>) -> Chunk {
    decide(head, &requests(head, users), |_| false).chunks.pop().unwrap()
}

fn without_winners(head: &Head, chunk: &Chunk) -> Chunk {
    let head = Head { remaining: head.remaining, issued: head.issued, ..chunk.head.clone() };
    Chunk { head, winners: Vec::new() }
}

/// An engine, a proxy in front, and a store through it. The fixture's own store goes past the proxy.
struct Faulty {
    dynamo: Dynamo,
    proxy: FaultProxy,
    store: DynamoStore,
    tokens: Tokens,
}

async fn faulty(seed: u64) -> Faulty {
    let dynamo = Dynamo::start().await;
    let proxy = dynamo.proxy(seed).await;
    let store = patient_through(&proxy).await;
    Faulty { dynamo, proxy, store, tokens: Tokens::with_seed(seed) }
}

#[tokio::test]
async fn a_throttled_call_says_so_and_writes_nothing() {
    let Faulty { dynamo, proxy, store, tokens } = faulty(11).await;
    let direct = dynamo.store();
    let case = Fixture::new(&direct, "throttled");
    let head = case.created(10).await;
    let (id, ann) = (head.coupon_id.clone(), user("throttled", 1));
    let chunk = chunk(&head, [ann.clone()]);
    proxy.set(Fault::new(Kind::Throttle, 1.0));
    // Often enough to meet each of the ways in which an operation is throttled.
    for _ in 0..30 {
        assert!(matches!(store.head(&id, Consistency::Strong).await, Err(StoreError::Throttled(_))));
        assert!(matches!(store.issued(&ann, &id, Consistency::Strong).await, Err(StoreError::Throttled(_))));
        assert!(matches!(store.issued_among(&id, std::slice::from_ref(&ann)).await, Err(StoreError::Throttled(_))));
        let snapshot = store.snapshot(&id, std::slice::from_ref(&ann)).await;
        assert!(matches!(snapshot, Err(StoreError::Throttled(_))), "{snapshot:?}");
        assert!(matches!(store.coupons_of(&ann, None, 10).await, Err(StoreError::Throttled(_))));
        assert!(matches!(store.create(&head).await, Err(StoreError::Throttled(_))));
        for chunk in [&chunk, &without_winners(&head, &chunk)] {
            let answer = store.commit(chunk, &tokens.next()).await;
            assert!(matches!(answer, Err(StoreError::Throttled(_))), "{answer:?}");
        }
    }
    case.is_unchanged(&head, &[ann]).await;
    proxy.clear(Kind::Throttle);
    assert_eq!(store.commit(&chunk, &tokens.next()).await, Ok(Commit::Written));
}

#[tokio::test]
async fn a_conflict_says_so_and_writes_nothing() {
    let Faulty { dynamo, proxy, store, tokens } = faulty(12).await;
    let direct = dynamo.store();
    let case = Fixture::new(&direct, "conflict");
    let head = case.created(10).await;
    let chunk = chunk(&head, [case.user(1)]);
    proxy.set(Fault::new(Kind::Conflict, 1.0));
    let (mut conflicts, mut in_progress) = (0, 0);
    for _ in 0..30 {
        match store.commit(&chunk, &tokens.next()).await {
            Err(StoreError::Conflict(_)) => conflicts += 1,
            Err(StoreError::InProgress(_)) => in_progress += 1,
            other => panic!("{other:?}"),
        }
        let alone = store.commit(&without_winners(&head, &chunk), &tokens.next()).await;
        assert!(matches!(alone, Err(StoreError::Conflict(_))), "{alone:?}");
        assert_eq!(
            store.head(&head.coupon_id, Consistency::Strong).await,
            Ok(Some(head.clone())),
            "plain reads have none"
        );
        let snapshot = store.snapshot(&head.coupon_id, &[case.user(1)]).await;
        assert!(matches!(snapshot, Err(StoreError::Conflict(_))), "{snapshot:?}");
    }
    assert!(conflicts > 0 && in_progress > 0, "{conflicts} conflicts, {in_progress} in progress");
    case.is_unchanged(&head, &[case.user(1)]).await;
}

#[tokio::test]
async fn a_lost_answer_is_given_again_for_its_token_only() {
    let Faulty { dynamo, proxy, store, tokens } = faulty(13).await;
    let direct = dynamo.store();
    let case = Fixture::new(&direct, "lost");
    let head = case.created(10).await;
    let chunk = chunk(&head, [1, 2].map(|number| case.user(number)));
    let token = tokens.next();
    proxy.set(Fault::new(Kind::LostAnswer, 1.0));
    for _ in 0..3 {
        let answer = store.commit(&chunk, &token).await;
        assert!(matches!(answer, Err(StoreError::Unknown(_))), "{answer:?}");
        assert_eq!(case.head().await, chunk.head, "it was written, once");
    }
    proxy.clear(Kind::LostAnswer);
    assert_eq!(store.commit(&chunk, &token).await, Ok(Commit::Written));
    assert_eq!(store.commit(&chunk, &tokens.next()).await, Ok(Commit::Stale));
    assert_eq!(case.head().await, chunk.head);

    let next = without_winners(&chunk.head, &self::chunk(&chunk.head, [case.user(1)]));
    proxy.set(Fault::new(Kind::LostAnswer, 1.0));
    let answer = store.commit(&next, &token).await;
    assert!(matches!(answer, Err(StoreError::Unknown(_))), "{answer:?}");
    proxy.clear(Kind::LostAnswer);
    assert_eq!(store.commit(&next, &token).await, Ok(Commit::Stale), "a plain update has no token");
    assert_eq!(case.head().await, next.head);
}

#[tokio::test]
async fn a_slow_answer_costs_one_attempt_and_no_more() {
    let Faulty { dynamo, proxy, .. } = faulty(14).await;
    let direct = dynamo.store();
    let head = Fixture::new(&direct, "slow").created(10).await;
    let store = through(&proxy).await;
    proxy.set(Fault { ms: SLOW_MS, ..Fault::new(Kind::Latency, 1.0) });
    let start = Instant::now();
    let answer = store.head(&head.coupon_id, Consistency::Strong).await;
    assert!(matches!(answer, Err(StoreError::Unknown(_))), "{answer:?}");
    assert!(start.elapsed() < Duration::from_millis(SLOW_MS), "{:?}", start.elapsed());
    assert_eq!(proxy.met(Kind::Latency), 1, "no second attempt inside");
}

#[tokio::test]
async fn the_loop_sends_the_same_token_until_the_answer_comes() {
    let Faulty { dynamo, proxy, store, tokens } = faulty(15).await;
    let direct = dynamo.store();
    let case = Fixture::new(&direct, "again");
    let head = case.created(10).await;
    let chunk = chunk(&head, [case.user(1)]);
    proxy.set(Fault::new(Kind::LostAnswer, 1.0));
    let retrying = Retrying::new(&store, &tokens, Deadline::after(Duration::from_secs(60)));
    let clear = async {
        while proxy.met(Kind::LostAnswer) < 3 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        proxy.clear(Kind::LostAnswer);
    };
    let (answer, ()) = tokio::join!(retrying.commit(&chunk), clear);
    assert_eq!(answer, Ok(Commit::Written), "a fresh token would have been Stale");
    assert_eq!(case.head().await, chunk.head);
}

#[tokio::test]
async fn a_snapshot_is_taken_between_the_conflicts() {
    let Faulty { dynamo, proxy, store, tokens } = faulty(18).await;
    let direct = dynamo.store();
    let case = Fixture::new(&direct, "between");
    let head = case.created(10).await;
    let head = case.issue(&head, [case.user(1)]).await;
    proxy.set(Fault::new(Kind::Conflict, 0.7));
    for _ in 0..10 {
        let retrying = Retrying::new(&store, &tokens, Deadline::after(Duration::from_secs(60)));
        let snapshot = retrying.snapshot(&case.coupon_id(), &[1, 2].map(|number| case.user(number))).await;
        let snapshot = snapshot.unwrap().unwrap();
        assert_eq!((snapshot.head, snapshot.items.len()), (head.clone(), 1));
    }
    assert!(proxy.met(Kind::Conflict) > 0, "no attempt met a conflict");
}

#[tokio::test]
async fn the_loop_gives_up_inside_its_deadline() {
    let Faulty { dynamo, proxy, store, tokens } = faulty(16).await;
    let direct = dynamo.store();
    let case = Fixture::new(&direct, "never");
    let head = case.created(10).await;
    let chunk = chunk(&head, [case.user(1)]);
    proxy.set(Fault::new(Kind::Throttle, 1.0));
    let retrying = Retrying::new(&store, &tokens, Deadline::after(Duration::from_millis(700)));
    // That it ends in time is shown by a clock that stands still, in `coupon-store`; here, that it ends.
    let answer = tokio::time::timeout(Duration::from_secs(60), retrying.commit(&chunk)).await.expect("it ends");
    assert!(matches!(answer, Err(StoreError::Throttled(_) | StoreError::Unknown(_))), "{answer:?}");
    assert!(proxy.met(Kind::Throttle) > 0, "no attempt was made");
    case.is_unchanged(&head, &[case.user(1)]).await;
}

#[tokio::test]
async fn a_thousand_coupons_are_issued_once_each_through_all_faults_at_once() {
    let Faulty { dynamo, proxy, store, tokens } = faulty(17).await;
    let direct = dynamo.store();
    let case = Fixture::new(&direct, "storm");
    let mut head = case.created(1000).await;
    for kind in [Kind::Throttle, Kind::Conflict, Kind::LostAnswer] {
        proxy.set(Fault::new(kind, 0.2));
    }
    proxy.set(Fault { ms: 20, ..Fault::new(Kind::Latency, 0.2) });

    let users: Vec<UserId> = (0..1000).map(|number| case.user(number)).collect();
    let retrying = || Retrying::new(&store, &tokens, Deadline::after(Duration::from_secs(60)));
    for chunk in decide(&head, &requests(&head, users.clone()), |_| false).chunks {
        assert_eq!(retrying().commit(&chunk).await, Ok(Commit::Written));
        head = retrying().head(&head.coupon_id, Consistency::Strong).await.unwrap().unwrap();
        assert_eq!(head, chunk.head);
    }
    let found = retrying().issued_among(&head.coupon_id, &users).await.unwrap();
    let ranks: std::collections::BTreeSet<u64> = found.iter().map(|item| item.rank.get()).collect();
    assert_eq!((found.len(), ranks), (1000, (1..=1000).collect()));
    for kind in [Kind::Throttle, Kind::Conflict, Kind::LostAnswer, Kind::Latency] {
        assert!(proxy.met(kind) > 0, "{kind:?} was never met");
    }
}
