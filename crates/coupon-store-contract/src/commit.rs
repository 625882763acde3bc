//! Committing a chunk: what is written, what refuses it, and that a refusal writes nothing.

use std::collections::BTreeSet;

use coupon::{Epoch, Head, Offset, Phase, UserId, WINNERS_MAX};
use coupon_store::{Commit, Store, StoreError};

use crate::{
    Fixture,
    fixture::{chunk, requests},
};

pub(crate) async fn winners_are_written_with_their_head<S: Store>(case: &Fixture<'_, S>) {
    let head = case.created(10).await;
    // The last request is the first person's again: it wins nothing and moves the head.
    let chunk = chunk(&head, [1, 2, 3, 1].map(|number| case.user(number)));
    assert_eq!(case.store.commit(&chunk, &case.token()).await, Ok(Commit::Written));
    assert_eq!(case.head().await, chunk.head);
    assert_eq!((chunk.head.remaining, chunk.head.issued), (7, 3), "the head that was decided");
    for winner in &chunk.winners {
        assert_eq!(case.holds(&winner.user_id, &case.coupon_id()).await.as_ref(), Some(winner));
    }
    assert_eq!(case.holds(&case.user(4), &case.coupon_id()).await, None);
}

pub(crate) async fn a_full_chunk_is_written_whole<S: Store>(case: &Fixture<'_, S>) {
    let head = case.created(1000).await;
    let users: Vec<UserId> = (0..WINNERS_MAX).map(|number| case.user(number)).collect();
    let chunk = chunk(&head, users.clone());
    assert_eq!(chunk.winners.len(), WINNERS_MAX);
    assert_eq!(case.store.commit(&chunk, &case.token()).await, Ok(Commit::Written));
    assert_eq!(case.head().await, chunk.head);
    let mut held = case.retrying().issued_among(&case.coupon_id(), &users).await.unwrap();
    held.sort_by_key(|item| item.rank);
    assert_eq!(held, chunk.winners);
}

/// `decide` makes no such chunk; a store must refuse it rather than write a part.
pub(crate) async fn a_chunk_beyond_full_is_refused_whole<S: Store>(case: &Fixture<'_, S>) {
    let head = case.created(1000).await;
    let users: Vec<UserId> = (0..=WINNERS_MAX).map(|number| case.user(number)).collect();
    let mut full = chunk(&head, users.iter().take(WINNERS_MAX).cloned());
    let next = chunk(&full.head, users.iter().skip(WINNERS_MAX).cloned());
    full.winners.extend(next.winners);
    full.head = Head { version: full.head.version, ..next.head };

    let answer = case.store.commit(&full, &case.token()).await;
    assert!(matches!(&answer, Err(StoreError::Refused(text)) if text.contains("99")), "{answer:?}");
    case.is_unchanged(&head, &users).await;
}

pub(crate) async fn a_chunk_without_winners_moves_the_head_alone<S: Store>(case: &Fixture<'_, S>) {
    let head = case.created(10).await;
    let head = case.issue(&head, [case.user(1)]).await;
    let again = chunk(&head, [case.user(1), case.user(1)]);
    // The fold knew no holder; the worker's would. What is committed is the same head without a winner.
    let again = coupon::Chunk {
        head: Head { remaining: head.remaining, issued: head.issued, ..again.head },
        winners: Vec::new(),
    };
    assert_eq!(case.store.commit(&again, &case.token()).await, Ok(Commit::Written));
    assert_eq!(case.head().await, again.head);

    assert_eq!(case.store.commit(&again, &case.token()).await, Ok(Commit::Stale), "the version has moved on");
    assert_eq!(case.head().await, again.head);
}

pub(crate) async fn a_head_takes_every_epoch<S: Store>(case: &Fixture<'_, S>) {
    let mut head = case.created(10).await;
    let phases = [Phase::NotOpen, Phase::Open, Phase::SoldOut, Phase::Closed];
    for (number, phase) in (1..).zip(phases) {
        let offset = Offset::new(10 * number).unwrap();
        head.applied = Some(offset);
        head.epochs.push(Epoch { offset, phase });
        head.version = head.version.next();
        let chunk = coupon::Chunk { head: head.clone(), winners: Vec::new() };
        assert_eq!(case.store.commit(&chunk, &case.token()).await, Ok(Commit::Written));
        assert_eq!(case.head().await, head);
    }
}

pub(crate) async fn a_holder_cancels_the_chunk_whole<S: Store>(case: &Fixture<'_, S>) {
    let head = case.created(10).await;
    let head = case.issue(&head, [2, 4].map(|number| case.user(number))).await;
    let users = [1, 2, 3, 4, 5].map(|number| case.user(number));
    let chunk = chunk(&head, users.clone());
    assert_eq!(chunk.winners.len(), 5, "the fold does not know who holds");

    assert_eq!(held(case.store.commit(&chunk, &case.token()).await), people(case, [2, 4]));
    case.is_unchanged(&head, &[1, 3, 5].map(|number| case.user(number))).await;

    let holders = people(case, [2, 4]);
    let again = coupon::decide(&head, &requests(&head, users), |user| holders.contains(user)).chunks;
    assert_eq!(again.len(), 1);
    assert_eq!(again[0].winners.len(), 3);
    assert_eq!(case.store.commit(&again[0], &case.token()).await, Ok(Commit::Written));
    assert_eq!(case.head().await, again[0].head);
}

pub(crate) async fn everybody_who_holds_is_named<S: Store>(case: &Fixture<'_, S>) {
    let head = case.created(1000).await;
    let users: Vec<UserId> = (0..WINNERS_MAX).map(|number| case.user(number)).collect();
    let head = case.issue(&head, users.clone()).await;
    let chunk = chunk(&head, users.iter().rev().cloned());
    assert_eq!(held(case.store.commit(&chunk, &case.token()).await), users.into_iter().collect());
    assert_eq!(case.head().await, head);
}

pub(crate) async fn a_lost_version_is_stale<S: Store>(case: &Fixture<'_, S>) {
    let before = case.created(10).await;
    let head = case.issue(&before, [case.user(1)]).await;
    let late = chunk(&before, [case.user(2)]);
    assert_eq!(case.store.commit(&late, &case.token()).await, Ok(Commit::Stale));
    case.is_unchanged(&head, &[case.user(2)]).await;

    // A version that nobody has written yet is no better.
    let mut early = chunk(&head, [case.user(2)]);
    early.head.version = early.head.version.next();
    assert_eq!(case.store.commit(&early, &case.token()).await, Ok(Commit::Stale));
    case.is_unchanged(&head, &[case.user(2)]).await;
}

pub(crate) async fn a_lost_version_speaks_before_a_holder<S: Store>(case: &Fixture<'_, S>) {
    let before = case.created(10).await;
    let head = case.issue(&before, [case.user(1)]).await;
    let late = chunk(&before, [1, 2].map(|number| case.user(number)));
    assert_eq!(case.store.commit(&late, &case.token()).await, Ok(Commit::Stale));
    case.is_unchanged(&head, &[case.user(2)]).await;
}

pub(crate) async fn a_coupon_that_does_not_exist_is_stale<S: Store>(case: &Fixture<'_, S>) {
    let nowhere = case.fresh(case.coupon_id(), 10);
    let with_winner = chunk(&nowhere, [case.user(1)]);
    let without = coupon::Chunk {
        head: Head { remaining: nowhere.remaining, issued: 0, ..with_winner.head.clone() },
        winners: Vec::new(),
    };
    for chunk in [with_winner, without] {
        assert_eq!(case.store.commit(&chunk, &case.token()).await, Ok(Commit::Stale));
        let read = case.retrying().head(&case.coupon_id(), coupon_store::Consistency::Strong).await;
        assert_eq!(read, Ok(None), "a commit creates no head");
        assert_eq!(case.holds(&case.user(1), &case.coupon_id()).await, None);
    }
}

pub(crate) async fn the_last_coupon_empties_the_head<S: Store>(case: &Fixture<'_, S>) {
    let head = case.created(3).await;
    let chunk = chunk(&head, (0..5).map(|number| case.user(number)));
    assert_eq!((chunk.winners.len(), chunk.head.epochs.len()), (3, 1), "two come too late");
    assert_eq!(case.store.commit(&chunk, &case.token()).await, Ok(Commit::Written));
    assert_eq!(case.head().await, chunk.head);
    assert_eq!((chunk.head.remaining, chunk.head.issued), (0, 3));
}

fn held(answer: Result<Commit, StoreError>) -> BTreeSet<UserId> {
    let Ok(Commit::Held(users)) = &answer else {
        assert!(matches!(answer, Ok(Commit::Held(_))), "{answer:?}");
        return BTreeSet::new();
    };
    assert_eq!(users.iter().collect::<BTreeSet<_>>().len(), users.len(), "each once: {users:?}");
    users.iter().cloned().collect()
}

fn people<S: Store>(case: &Fixture<'_, S>, numbers: impl IntoIterator<Item = usize>) -> BTreeSet<UserId> {
    numbers.into_iter().map(|number| case.user(number)).collect()
}
