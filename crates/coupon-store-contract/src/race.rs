//! Many writers, one head: whatever the interleaving, each rank is given once. The writers load, decide and commit as a
//! worker does, with its retry loop, since a store may answer a race by conflicts.

use std::collections::BTreeSet;

use coupon::{Head, IssuedCoupon, UserId};
use coupon_store::{Commit, Consistency, Store};
use futures_util::future::join_all;

use crate::{Fixture, fixture::chunk};

const WRITERS: usize = 8;

pub(crate) async fn no_rank_is_given_twice<S: Store>(case: &Fixture<'_, S>) {
    case.created(1000).await;
    let (people, rounds) = (5, 4);
    join_all((0..WRITERS).map(|writer| async move {
        for round in 0..rounds {
            let first = (writer * rounds + round) * people;
            write(case, (first..first + people).map(|number| case.user(number)).collect()).await;
        }
    }))
    .await;

    let everybody = WRITERS * rounds * people;
    ranks_are_whole(case, everybody).await;
    assert_eq!(usize::try_from(case.head().await.issued), Ok(everybody));
}

pub(crate) async fn the_last_coupons_are_not_given_twice<S: Store>(case: &Fixture<'_, S>) {
    case.created(20).await;
    let people = 5;
    join_all((0..WRITERS).map(|writer| {
        let first = writer * people;
        write(case, (first..first + people).map(|number| case.user(number)).collect())
    }))
    .await;

    ranks_are_whole(case, 20).await;
    let head = case.head().await;
    assert_eq!((head.remaining, head.issued), (0, 20));
}

/// The same people at the same time, each coupon with a writer of its own.
pub(crate) async fn coupons_do_not_stand_in_each_others_way<S: Store>(case: &Fixture<'_, S>) {
    let users: Vec<UserId> = (0..10).map(|number| case.user(number)).collect();
    join_all((0..WRITERS).map(async |writer| {
        let head = case.created_as(case.other_id(writer), 10).await;
        let head = case.issue(&head, users.clone()).await;
        assert_eq!(head.remaining, 0);
    }))
    .await;
    for user in &users {
        assert_eq!(case.store.coupons_of(user, None, 100).await.unwrap().items.len(), WRITERS);
    }
}

/// Loads, decides and commits until these people's requests are decided.
async fn write<S: Store>(case: &Fixture<'_, S>, users: Vec<UserId>) {
    // Each time that one writer is stale another one has written, so this many rounds are enough for all.
    for _ in 0..1000 {
        let head: Head = case.retrying().head(&case.coupon_id(), Consistency::Strong).await.unwrap().unwrap();
        // A store in memory answers at once: without this the writers would take turns.
        tokio::task::yield_now().await;
        let chunk = chunk(&head, users.clone());
        match case.retrying().commit(&chunk).await.unwrap() {
            Commit::Written => return,
            Commit::Stale => {}
            Commit::Held(users) => assert_eq!(users, [], "these people asked nowhere else"),
        }
    }
    assert_eq!(users, [], "could not be decided: the head kept moving");
}

async fn ranks_are_whole<S: Store>(case: &Fixture<'_, S>, issued: usize) {
    let asked: Vec<UserId> = (0..1000).map(|number| case.user(number)).collect();
    let held: Vec<IssuedCoupon> = case.retrying().issued_among(&case.coupon_id(), &asked).await.unwrap();
    let ranks: BTreeSet<u64> = held.iter().map(|item| item.rank.get()).collect();
    assert_eq!(held.len(), issued);
    assert_eq!(ranks, (1..).take(issued).collect());
}
