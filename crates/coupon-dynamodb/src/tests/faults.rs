//! What answers mean: errors by their code, cancelled transactions by their reasons, and no answer at all.

use std::time::{Duration, Instant};

use coupon_store::{Commit, Consistency, Creation, Store, StoreError};
use serde_json::json;

use super::{
    chunk, chunk_without_winners, coupon_id,
    endpoint::{Endpoint, Reply},
    head, token, user,
};

/// The kind of an error, without its text.
fn kind<T>(answer: &Result<T, StoreError>) -> &'static str {
    match answer {
        Ok(_) => "answer",
        Err(StoreError::Throttled(_)) => "throttled",
        Err(StoreError::Conflict(_)) => "conflict",
        Err(StoreError::InProgress(_)) => "in progress",
        Err(StoreError::Unknown(_)) => "unknown",
        Err(StoreError::Refused(_)) => "refused",
        Err(StoreError::Corrupt(_)) => "corrupt",
    }
}

/// What every method makes of this reply, and the text of the last error.
async fn kinds(reply: Reply) -> (Vec<&'static str>, String) {
    let endpoint = Endpoint::replying([reply]).await;
    let store = &endpoint.store;
    let page = store.coupons_of(&user("ann"), None, 20).await;
    let kinds = vec![
        kind(&store.create(&head()).await),
        kind(&store.head(&coupon_id(), Consistency::Strong).await),
        kind(&store.issued(&user("ann"), &coupon_id(), Consistency::Strong).await),
        kind(&store.issued_among(&coupon_id(), &[user("ann")]).await),
        kind(&store.snapshot(&coupon_id(), &[user("ann")]).await),
        kind(&store.commit(&chunk(), &token()).await),
        kind(&store.commit(&chunk_without_winners(), &token()).await),
        kind(&page),
    ];
    assert_eq!(endpoint.asked().len(), kinds.len(), "one attempt each");
    (kinds, page.map_or_else(|error| error.to_string(), |_| String::new()))
}

#[tokio::test]
async fn an_error_means_the_same_in_every_operation() {
    for (status, name, meaning) in [
        (400, "ThrottlingException", "throttled"),
        (400, "ProvisionedThroughputExceededException", "throttled"),
        (400, "RequestLimitExceeded", "throttled"),
        (429, "SomethingNew", "throttled"),
        (400, "TransactionConflictException", "conflict"),
        (400, "TransactionInProgressException", "in progress"),
        (500, "InternalServerError", "unknown"),
        (503, "ServiceUnavailable", "unknown"),
        (400, "ResourceNotFoundException", "refused"),
        (400, "AccessDeniedException", "refused"),
        (400, "ValidationException", "refused"),
        (400, "IdempotentParameterMismatchException", "refused"),
        (400, "SomethingNew", "refused"),
    ] {
        let (kinds, text) = kinds(Reply::error(status, name)).await;
        assert!(kinds.iter().all(|kind| *kind == meaning), "{status} {name}: {kinds:?}");
        for part in ["the-items", name, "by the script"] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
}

#[tokio::test]
async fn a_condition_is_an_answer_and_no_error() {
    let endpoint = Endpoint::replying([Reply::error(400, "ConditionalCheckFailedException")]).await;
    assert_eq!(endpoint.store.create(&head()).await, Ok(Creation::Exists));
    assert_eq!(endpoint.store.commit(&chunk_without_winners(), &token()).await, Ok(Commit::Stale));
}

#[tokio::test]
async fn a_connection_that_ends_without_an_answer_leaves_the_outcome_unknown() {
    let (kinds, _) = kinds(Reply::Close).await;
    assert!(kinds.iter().all(|kind| *kind == "unknown"), "{kinds:?}");
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_leaves_the_outcome_unknown() {
    let endpoint = Endpoint::replying([Reply::Json(200, json!("not an object"))]).await;
    let answer = endpoint.store.head(&coupon_id(), Consistency::Strong).await;
    assert_eq!(kind(&answer), "unknown", "{answer:?}");
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "measures the client's own timeout")]
async fn an_attempt_without_an_answer_ends_after_its_timeout() {
    let endpoint = Endpoint::replying([Reply::Hang]).await;
    let start = Instant::now();
    let answer = endpoint.hasty.commit(&chunk(), &token()).await;
    assert_eq!(kind(&answer), "unknown", "{answer:?}");
    let took = start.elapsed();
    assert!((crate::ATTEMPT_TIMEOUT..crate::ATTEMPT_TIMEOUT + Duration::from_secs(20)).contains(&took), "{took:?}");
    assert_eq!(endpoint.asked().len(), 1, "the SDK does not try again");
}

/// What a transaction of a head and two winners makes of these reasons.
async fn cancelled(codes: [(&str, Option<&str>); 3]) -> Result<Commit, StoreError> {
    Endpoint::replying([Reply::cancelled(&codes)]).await.store.commit(&chunk(), &token()).await
}

const NONE: (&str, Option<&str>) = ("None", None);
const CONDITION: (&str, Option<&str>) = ("ConditionalCheckFailed", None);

#[tokio::test]
async fn a_cancellation_by_the_head_is_stale_whatever_else_was_refused() {
    for others in [NONE, CONDITION, ("TransactionConflict", None), ("ValidationError", None)] {
        assert_eq!(cancelled([CONDITION, others, NONE]).await, Ok(Commit::Stale), "{others:?}");
    }
}

#[tokio::test]
async fn a_cancellation_by_items_names_who_holds() {
    let held = async |codes| match cancelled(codes).await {
        Ok(Commit::Held(users)) => users.iter().map(|user| user.as_str().to_owned()).collect::<Vec<_>>().join(" "),
        other => format!("{other:?}"),
    };
    assert_eq!(held([NONE, NONE, ("ConditionalCheckFailed", Some("cho"))]).await, "cho");
    assert_eq!(
        held([NONE, ("ConditionalCheckFailed", Some("bob")), ("ConditionalCheckFailed", Some("cho"))]).await,
        "bob cho"
    );
    assert_eq!(held([NONE, CONDITION, NONE]).await, "bob", "by its place where no item is given back");
    assert_eq!(held([("TransactionConflict", None), NONE, CONDITION]).await, "cho", "who holds is worth knowing");
}

#[tokio::test]
async fn other_reasons_of_a_cancellation_are_errors_and_the_lasting_one_decides() {
    for (codes, meaning) in [
        ([NONE, ("TransactionConflict", None), NONE], "conflict"),
        ([("TransactionConflict", None), NONE, NONE], "conflict"),
        ([NONE, NONE, ("ThrottlingError", None)], "throttled"),
        ([("ProvisionedThroughputExceeded", None), NONE, NONE], "throttled"),
        ([("TransactionConflict", None), ("ThrottlingError", None), NONE], "throttled"),
        ([NONE, ("ValidationError", None), ("TransactionConflict", None)], "refused"),
        ([NONE, ("ItemCollectionSizeLimitExceeded", None), NONE], "refused"),
        ([NONE, ("SomethingNew", None), NONE], "refused"),
        ([NONE, NONE, NONE], "conflict"),
    ] {
        let answer = cancelled(codes).await;
        assert_eq!(kind(&answer), meaning, "{codes:?}: {answer:?}");
    }
    let unexplained = Endpoint::replying([Reply::cancelled(&[])]).await.store.commit(&chunk(), &token()).await;
    assert_eq!(kind(&unexplained), "conflict", "{unexplained:?}");
}

#[tokio::test]
async fn a_cancelled_snapshot_is_an_error_by_its_reasons() {
    for (codes, meaning) in [
        ([("TransactionConflict", None), NONE], "conflict"),
        ([NONE, ("TransactionConflict", None)], "conflict"),
        ([NONE, ("ProvisionedThroughputExceeded", None)], "throttled"),
        ([("TransactionConflict", None), ("ThrottlingError", None)], "throttled"),
        ([("ValidationError", None), ("TransactionConflict", None)], "refused"),
        ([CONDITION, NONE], "refused"),
        ([NONE, NONE], "conflict"),
    ] {
        let endpoint = Endpoint::replying([Reply::cancelled(&codes)]).await;
        let answer = endpoint.store.snapshot(&coupon_id(), &[user("ann")]).await;
        assert_eq!(kind(&answer), meaning, "{codes:?}: {answer:?}");
    }
}

#[tokio::test]
async fn keys_left_unprocessed_are_throttling_and_no_gap() {
    let keys = json!([{ "userId": { "S": "bob" }, "couponId": { "S": "spring" } }]);
    let endpoint = Endpoint::replying([Reply::ok(json!({
        "Responses": { "the-items": [] },
        "UnprocessedKeys": { "the-items": { "Keys": keys } },
    }))])
    .await;
    let answer = endpoint.store.issued_among(&coupon_id(), &[user("ann"), user("bob")]).await;
    assert_eq!(answer, Err(StoreError::Throttled("the-items: 1 of 2 keys left unprocessed".into())));
}

#[tokio::test]
async fn what_is_stored_and_no_head_is_corrupt_by_name() {
    let endpoint = Endpoint::replying([Reply::ok(json!({ "Item": {
        "couponId": { "S": "spring" }, "name": { "S": "Spring" }, "total": { "BOOL": true },
    }}))])
    .await;
    let answer = endpoint.store.head(&coupon_id(), Consistency::Strong).await;
    let text = "table the-coupons, item spring, attribute total: expected a number (N), found a boolean (BOOL)";
    assert_eq!(answer, Err(StoreError::Corrupt(text.into())));
}
