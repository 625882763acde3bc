//! Snapshots: what is in them, and how much. That they are of one moment shows in `race.rs`.

use std::collections::BTreeSet;

use coupon::UserId;
use coupon_store::{Commit, SNAPSHOT_USERS_MAX, Snapshot, Store, StoreError};

use crate::{Fixture, fixture::chunk};

/// A snapshot with its items in a fixed order.
pub(crate) async fn taken<S: Store>(case: &Fixture<'_, S>, users: &[UserId]) -> Snapshot {
    let mut snapshot = case.retrying().snapshot(&case.coupon_id(), users).await.unwrap().unwrap();
    snapshot.items.sort_by_key(|item| item.rank);
    snapshot
}

pub(crate) async fn a_snapshot_tells_the_head_and_who_holds<S: Store>(case: &Fixture<'_, S>) {
    let head = case.created(10).await;
    assert_eq!(taken(case, &[case.user(1)]).await, Snapshot { head: head.clone(), items: Vec::new() });
    let first = chunk(&head, [1, 2, 3].map(|number| case.user(number)));
    assert_eq!(case.retrying().commit(&first).await, Ok(Commit::Written));
    // The same people hold another coupon, too.
    let other = case.created_as(case.other_id(1), 10).await;
    case.issue(&other, [1, 2, 3, 4].map(|number| case.user(number))).await;

    // In no order, repeated, and who holds nothing.
    let asked = [3, 4, 1, 3, 1].map(|number| case.user(number));
    let [ann, _bob, cho] = <[_; 3]>::try_from(first.winners).unwrap();
    assert_eq!(taken(case, &asked).await, Snapshot { head: first.head.clone(), items: vec![ann, cho] });
    assert_eq!(taken(case, &[]).await, Snapshot { head: first.head, items: Vec::new() }, "of nobody");
}

/// By the store itself: each is one attempt and must see the write.
pub(crate) async fn a_commit_is_in_the_next_snapshot<S: Store>(case: &Fixture<'_, S>) {
    let mut head = case.created(100).await;
    let users: Vec<UserId> = (0..10).map(|number| case.user(number)).collect();
    let mut issued = Vec::new();
    for user in &users {
        let chunk = chunk(&head, [user.clone()]);
        assert_eq!(case.retrying().commit(&chunk).await, Ok(Commit::Written));
        head = chunk.head;
        issued.extend(chunk.winners);
        let mut snapshot = case.store.snapshot(&case.coupon_id(), &users).await.unwrap().unwrap();
        snapshot.items.sort_by_key(|item| item.rank);
        assert_eq!(snapshot, Snapshot { head: head.clone(), items: issued.clone() });
    }
}

pub(crate) async fn a_full_snapshot_is_taken_and_a_fuller_one_refused<S: Store>(case: &Fixture<'_, S>) {
    let head = case.created(1000).await;
    let users: Vec<UserId> = (0..=SNAPSHOT_USERS_MAX).map(|number| case.user(number)).collect();
    let head = case.issue(&head, users.clone()).await;
    let (_one, full) = users.split_first().unwrap();
    // Repeated, the same people are no more than they are.
    let repeated: Vec<UserId> = full.iter().chain(full).cloned().collect();
    for asked in [full, &repeated] {
        let snapshot = taken(case, asked).await;
        assert_eq!(snapshot.head, head);
        let found: Vec<&UserId> = snapshot.items.iter().map(|item| &item.user_id).collect();
        assert_eq!(found, full.iter().collect::<Vec<_>>());
    }
    assert_eq!(users.iter().collect::<BTreeSet<_>>().len(), SNAPSHOT_USERS_MAX + 1);
    let answer = case.store.snapshot(&case.coupon_id(), &users).await;
    assert!(matches!(&answer, Err(StoreError::Refused(text)) if text.contains("99")), "{answer:?}");
}

pub(crate) async fn an_unknown_coupon_has_no_snapshot<S: Store>(case: &Fixture<'_, S>) {
    assert_eq!(case.store.snapshot(&case.coupon_id(), &[case.user(1)]).await, Ok(None));
    // Even if somebody holds one of another that is called nearly the same.
    let other = case.created_as(case.other_id(1), 10).await;
    case.issue(&other, [case.user(1)]).await;
    assert_eq!(case.store.snapshot(&case.coupon_id(), &[case.user(1)]).await, Ok(None));
}
