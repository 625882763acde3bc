//! The token of a commit: what it replays, and that nothing is ever written twice.

use coupon::{Chunk, Head};
use coupon_store::{Commit, Store};

use crate::{Abilities, Fixture, fixture::chunk};

pub(crate) async fn the_same_token_is_answered_written_again<S: Store>(case: &Fixture<'_, S>) {
    let head = case.created(10).await;
    let first = chunk(&head, [1, 2].map(|number| case.user(number)));
    let token = case.token();
    for _ in 0..3 {
        assert_eq!(case.store.commit(&first, &token).await, Ok(Commit::Written));
        assert_eq!(case.head().await, first.head, "written once, however often it is sent");
    }

    let second = chunk(&first.head, [case.user(3)]);
    assert_eq!(case.store.commit(&second, &case.token()).await, Ok(Commit::Written));
    assert_eq!(case.store.commit(&first, &token).await, Ok(Commit::Written), "after others wrote as well");
    assert_eq!(case.head().await, second.head, "a replay never takes the head back");
}

/// The zombie, and the worker that lost an answer and its token with it.
pub(crate) async fn a_fresh_token_after_a_lost_answer_is_stale<S: Store>(case: &Fixture<'_, S>) {
    let head = case.created(10).await;
    let chunk = chunk(&head, [1, 2].map(|number| case.user(number)));
    assert_eq!(case.store.commit(&chunk, &case.token()).await, Ok(Commit::Written));
    assert_eq!(case.store.commit(&chunk, &case.token()).await, Ok(Commit::Stale));
    assert_eq!(case.head().await, chunk.head);
}

/// Whether a token was used is the store's business only once it has written something by it.
pub(crate) async fn a_refused_commit_leaves_its_token_unused<S: Store>(case: &Fixture<'_, S>) {
    let head = case.created(10).await;
    let held = case.issue(&head, [case.user(1)]).await;
    let token = case.token();
    let refused = chunk(&held, [1, 2].map(|number| case.user(number)));
    assert_eq!(case.store.commit(&refused, &token).await, Ok(Commit::Held(vec![case.user(1)])));
    assert_eq!(
        case.store.commit(&refused, &token).await,
        Ok(Commit::Held(vec![case.user(1)])),
        "a refusal is no replay"
    );
}

pub(crate) async fn a_chunk_without_winners_is_written_once<S: Store>(case: &Fixture<'_, S>, abilities: Abilities) {
    let head = case.created(10).await;
    let moved = chunk(&head, [case.user(1)]).head;
    let empty = Chunk { head: Head { remaining: head.remaining, issued: head.issued, ..moved }, winners: Vec::new() };
    let token = case.token();
    assert_eq!(case.store.commit(&empty, &token).await, Ok(Commit::Written));
    let again = if abilities.replays_without_winners { Commit::Written } else { Commit::Stale };
    assert_eq!(case.store.commit(&empty, &token).await, Ok(again));
    assert_eq!(case.head().await, empty.head);
}
