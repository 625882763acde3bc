//! Many writers, one head: whatever the interleaving, each rank is given once. The writers load, decide and commit as a
//! worker does, with its retry loop, since a store may answer a race by conflicts.

use std::collections::BTreeSet;

use coupon::{Head, IssuedCoupon, UserId};
use coupon_store::{Commit, Consistency, SNAPSHOT_USERS_MAX, Snapshot, Store};
use futures_util::future::{join, join_all};

use crate::{Fixture, fixture::chunk, snapshot::taken};

const WRITERS: usize = 8;

const READERS: usize = 4;

/// Of each reader; in memory the writers are done after fewer.
const READS: usize = 25;

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

/// Writers and readers at once: the head of a snapshot counts the very items that are in it.
pub(crate) async fn no_snapshot_is_of_two_moments<S: Store>(case: &Fixture<'_, S>) {
    case.created(1000).await;
    let (people, rounds) = (3, 3);
    let everybody: Vec<UserId> = (0..WRITERS * rounds * people).map(|number| case.user(number)).collect();
    assert!(everybody.len() <= SNAPSHOT_USERS_MAX);
    let writers = everybody.chunks(rounds * people).map(|mine| async move {
        for users in mine.chunks(people) {
            write(case, users.to_vec()).await;
        }
    });
    let readers = (0..READERS).map(|_reader| async {
        let mut last = 0;
        for _ in 0..READS {
            last = look(case, &everybody, last).await;
            tokio::task::yield_now().await;
        }
    });
    join(join_all(writers), join_all(readers)).await;
    assert_eq!(look(case, &everybody, 0).await, everybody.len());
}

/// Takes a snapshot that is no older than one of `last` issued; gives how many are issued now.
async fn look<S: Store>(case: &Fixture<'_, S>, everybody: &[UserId], last: usize) -> usize {
    let Snapshot { head, items } = taken(case, everybody).await;
    let ranks: Vec<u64> = items.iter().map(|item| item.rank.get()).collect();
    assert_eq!(ranks, (1..=head.issued).collect::<Vec<_>>(), "items of another moment than the head's");
    assert!(items.iter().map(|item| item.ticket.offset).max() <= head.applied, "{head:?} {items:?}");
    assert!(ranks.len() >= last, "a later snapshot is of an earlier moment");
    ranks.len()
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
