//! The engine frozen and killed under a commit: the loop waits it out, and the chunk is written once.

use std::time::Duration;

use coupon_store::{Commit, Consistency, Deadline, Retrying, Store, Tokens};
use coupon_store_contract::Fixture;
use local::embedded::Order;

use super::dynamo::Dynamo;
use super::faults::chunk;

/// Generous: an attempt on a frozen engine takes its second, and a start is waited for.
const BUDGET: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_commit_under_a_frozen_engine_is_written_once_it_thaws() {
    let dynamo = Dynamo::start().await;
    let direct = dynamo.store();
    let case = Fixture::new(&direct, "frozen");
    let head = case.created(10).await;
    let chunk = chunk(&head, [1, 2].map(|number| case.user(number)));
    let store = dynamo.hasty_store().await;
    let tokens = Tokens::with_seed(21);
    let retrying = Retrying::new(&store, &tokens, Deadline::after(BUDGET));
    // A connection that is open before the freeze, as a warm environment has it.
    assert_eq!(retrying.head(&head.coupon_id, Consistency::Strong).await, Ok(Some(head.clone())));

    dynamo.engine().order(Order::Freeze).await.unwrap();
    let thaw = async {
        // More than one attempt: those that ended may be carried out after the thaw, by the same token.
        tokio::time::sleep(Duration::from_millis(2500)).await;
        dynamo.engine().order(Order::Thaw).await.unwrap();
    };
    let (answer, ()) = tokio::join!(retrying.commit(&chunk), thaw);
    assert_eq!(answer, Ok(Commit::Written));
    assert_eq!(case.head().await, chunk.head);
}

#[tokio::test]
async fn what_was_committed_survives_a_kill_and_what_was_not_is_committed_after_it() {
    let dynamo = Dynamo::start().await;
    let direct = dynamo.store();
    let case = Fixture::new(&direct, "killed");
    let head = case.created(10).await;
    let before = chunk(&head, [1, 2].map(|number| case.user(number)));
    assert_eq!(direct.commit(&before, &case.token()).await, Ok(Commit::Written));
    dynamo.engine().order(Order::Kill).await.unwrap();

    let after = chunk(&before.head, [3, 4].map(|number| case.user(number)));
    let store = dynamo.hasty_store().await;
    let tokens = Tokens::with_seed(22);
    let retrying = Retrying::new(&store, &tokens, Deadline::after(BUDGET));
    let restart = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        dynamo.engine().order(Order::Start).await.unwrap();
    };
    let (answer, ()) = tokio::join!(retrying.commit(&after), restart);
    assert_eq!(answer, Ok(Commit::Written));
    assert_eq!(case.head().await, after.head);
    let held = case.retrying().issued_among(&case.coupon_id(), &[1, 2, 3, 4].map(|number| case.user(number))).await;
    assert_eq!(held.unwrap().len(), 4);
}
