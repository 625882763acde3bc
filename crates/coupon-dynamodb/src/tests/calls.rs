//! What is sent: keys, expressions, values, and how many calls.

use std::sync::Arc;

use coupon::WINNERS_MAX;
use coupon_store::{Commit, Consistency, Creation, SNAPSHOT_USERS_MAX, Store, StoreError};
use serde_json::{Value, json};

use super::{
    chunk, chunk_without_winners, coupon_id,
    endpoint::{Endpoint, Reply},
    head, token, user,
};
use crate::{Meter, Units};

#[tokio::test]
async fn a_chunk_with_winners_is_one_transaction_head_first() {
    let endpoint = Endpoint::replying([Reply::ok(json!({}))]).await;
    assert_eq!(endpoint.store.commit(&chunk(), &token()).await, Ok(Commit::Written));
    let (operation, body) = endpoint.asked_once();
    assert_eq!(operation, "transactwriteitems");
    let put = |user: &str, ticket: &str, rank: &str, at: &str| {
        json!({ "Put": {
            "TableName": "the-items",
            "Item": {
                "userId": { "S": user }, "couponId": { "S": "spring" }, "requestId": { "S": ticket },
                "rank": { "N": rank }, "issuedAt": { "S": at },
            },
            "ConditionExpression": "attribute_not_exists(userId)",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }})
    };
    let expected = json!({
        "ClientRequestToken": token().as_str(),
        "TransactItems": [
            { "Update": {
                "TableName": "the-coupons",
                "Key": { "couponId": { "S": "spring" } },
                "UpdateExpression": "SET remaining = remaining - :n, issued = issued + :n, \
                    applied = :applied, epochs = :epochs, clock = :clock, version = :version",
                "ConditionExpression": "remaining >= :n AND version = :expected",
                "ExpressionAttributeValues": {
                    ":n": { "N": "2" },
                    ":applied": { "N": "9" },
                    ":epochs": { "L": [
                        { "M": { "offset": { "N": "3" }, "phase": { "S": "NOT_OPEN" } } },
                        { "M": { "offset": { "N": "4" }, "phase": { "S": "OPEN" } } },
                    ]},
                    ":clock": { "N": "1795143600240" },
                    ":version": { "N": "2" },
                    ":expected": { "N": "1" },
                },
            }},
            put("bob", "3-7", "2", "2026-11-20T03:00:00.120Z"),
            put("cho", "3-9", "3", "2026-11-20T03:00:00.240Z"),
        ],
    });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn a_chunk_without_winners_is_one_update() {
    let endpoint = Endpoint::replying([Reply::ok(json!({}))]).await;
    assert_eq!(endpoint.store.commit(&chunk_without_winners(), &token()).await, Ok(Commit::Written));
    let (operation, body) = endpoint.asked_once();
    assert_eq!(operation, "updateitem");
    assert_eq!(
        body["UpdateExpression"],
        "SET applied = :applied, epochs = :epochs, clock = :clock, version = :version"
    );
    assert_eq!(body["ConditionExpression"], "version = :expected");
    assert_eq!(body["ExpressionAttributeValues"][":expected"], json!({ "N": "1" }));
    assert_eq!(body["ExpressionAttributeValues"].as_object().unwrap().len(), 5);
}

#[tokio::test]
async fn a_head_is_created_under_its_attributes_names() {
    let endpoint = Endpoint::replying([Reply::ok(json!({}))]).await;
    let mut fresh = head();
    (fresh.applied, fresh.epochs, fresh.clock) = (None, Vec::new(), coupon::Timestamp::ZERO);
    assert_eq!(endpoint.store.create(&fresh).await, Ok(Creation::Created));
    let (operation, body) = endpoint.asked_once();
    assert_eq!((operation.as_str(), &body["TableName"]), ("putitem", &json!("the-coupons")));
    assert_eq!(body["ConditionExpression"], "attribute_not_exists(couponId)");
    let expected = json!({
        "couponId": { "S": "spring" }, "name": { "S": "Spring" },
        "total": { "N": "9" }, "remaining": { "N": "8" }, "issued": { "N": "1" },
        "opensAt": { "S": "2026-11-20T03:00:00.000Z" },
        "log": { "S": "requests" }, "partition": { "N": "3" }, "version": { "N": "1" },
        "applied": { "N": "-1" }, "epochs": { "L": [] }, "clock": { "N": "0" },
    });
    assert_eq!(body["Item"], expected, "what is absent has no attribute");
}

#[tokio::test]
async fn a_chunk_that_decide_does_not_make_is_refused_without_a_call() {
    let endpoint = Endpoint::replying([Reply::ok(json!({}))]).await;
    let mut too_many = chunk();
    too_many.winners = too_many.winners.iter().cycle().take(WINNERS_MAX + 1).cloned().collect();
    let mut unborn = chunk();
    unborn.head.version = coupon::Version::default();
    for chunk in [too_many, unborn] {
        let answer = endpoint.store.commit(&chunk, &token()).await;
        assert!(matches!(answer, Err(StoreError::Refused(_))), "{answer:?}");
    }
    assert_eq!(endpoint.asked(), []);
}

#[tokio::test]
async fn reads_are_consistent_as_asked() {
    let endpoint = Endpoint::replying([Reply::ok(json!({}))]).await;
    for (consistency, strong) in [(Consistency::Strong, true), (Consistency::Eventual, false)] {
        assert_eq!(endpoint.store.head(&coupon_id(), consistency).await, Ok(None));
        assert_eq!(endpoint.store.issued(&user("ann"), &coupon_id(), consistency).await, Ok(None));
        let asked = endpoint.asked();
        for (operation, body) in &asked[asked.len() - 2..] {
            assert_eq!((operation.as_str(), &body["ConsistentRead"]), ("getitem", &json!(strong)));
        }
    }
    endpoint.store.coupons_of(&user("ann"), None, 20).await.unwrap();
    assert_eq!(endpoint.asked().pop().unwrap().1["ConsistentRead"], json!(true));
}

#[tokio::test]
async fn a_lookup_asks_for_100_distinct_keys_at_a_time() {
    let endpoint = Endpoint::replying([Reply::ok(json!({ "Responses": { "the-items": [] } }))]).await;
    let users: Vec<_> = (0..250).chain(0..250).map(|number| user(&format!("user-{number}"))).collect();
    assert_eq!(endpoint.store.issued_among(&coupon_id(), &users).await, Ok(Vec::new()));
    let mut keys = Vec::new();
    for (operation, body) in endpoint.asked() {
        let table = &body["RequestItems"]["the-items"];
        assert_eq!((operation.as_str(), &table["ConsistentRead"]), ("batchgetitem", &json!(true)));
        keys.push(table["Keys"].as_array().unwrap().clone());
    }
    assert_eq!(keys.iter().map(Vec::len).collect::<Vec<_>>(), [100, 100, 50]);
    let distinct: std::collections::BTreeSet<String> = keys.concat().iter().map(Value::to_string).collect();
    assert_eq!(distinct.len(), 250);
}

#[tokio::test]
async fn a_lookup_of_nobody_asks_nothing() {
    let endpoint = Endpoint::replying([Reply::ok(json!({}))]).await;
    assert_eq!(endpoint.store.issued_among(&coupon_id(), &[]).await, Ok(Vec::new()));
    assert_eq!(endpoint.asked(), []);
}

#[tokio::test]
async fn a_snapshot_is_one_transaction_head_first() {
    let found = json!({ "Item": {
        "userId": { "S": "bob" }, "couponId": { "S": "spring" }, "requestId": { "S": "3-7" },
        "rank": { "N": "2" }, "issuedAt": { "S": "2026-11-20T03:00:00.120Z" },
    }});
    let stored = json!({ "Item": {
        "couponId": { "S": "spring" }, "name": { "S": "Spring" },
        "total": { "N": "9" }, "remaining": { "N": "8" }, "issued": { "N": "1" },
        "opensAt": { "S": "2026-11-20T03:00:00.000Z" },
        "log": { "S": "requests" }, "partition": { "N": "3" }, "version": { "N": "1" }, "applied": { "N": "4" },
        "epochs": { "L": [
            { "M": { "offset": { "N": "3" }, "phase": { "S": "NOT_OPEN" } } },
            { "M": { "offset": { "N": "4" }, "phase": { "S": "OPEN" } } },
        ]},
        "clock": { "N": "1795143600000" },
    }});
    let endpoint = Endpoint::replying([Reply::ok(json!({ "Responses": [stored, {}, found] }))]).await;
    let users = ["bob", "ann", "bob"].map(user);
    let snapshot = endpoint.store.snapshot(&coupon_id(), &users).await.unwrap().unwrap();
    assert_eq!((snapshot.head, snapshot.items), (head(), vec![chunk().winners.swap_remove(0)]));

    let (operation, body) = endpoint.asked_once();
    let item = |user: &str| {
        json!({ "Get": {
            "TableName": "the-items", "Key": { "userId": { "S": user }, "couponId": { "S": "spring" } },
        }})
    };
    let expected = json!({ "TransactItems": [
        { "Get": { "TableName": "the-coupons", "Key": { "couponId": { "S": "spring" } } } },
        item("ann"),
        item("bob"),
    ]});
    assert_eq!((operation.as_str(), body), ("transactgetitems", expected));
}

#[tokio::test]
async fn a_snapshot_of_too_many_people_is_refused_without_a_call() {
    let endpoint = Endpoint::replying([Reply::ok(json!({ "Responses": vec![json!({}); 100] }))]).await;
    let users: Vec<_> = (0..=SNAPSHOT_USERS_MAX).map(|number| user(&format!("user-{number}"))).collect();
    let answer = endpoint.store.snapshot(&coupon_id(), &users).await;
    assert!(matches!(&answer, Err(StoreError::Refused(text)) if text.contains("99 people, not 100")), "{answer:?}");
    assert_eq!(endpoint.asked(), []);

    let answer = endpoint.store.snapshot(&coupon_id(), &users[1..]).await;
    assert_eq!(answer, Ok(None), "without a head there is no coupon");
    assert_eq!(endpoint.asked_once().1["TransactItems"].as_array().map(Vec::len), Some(100));
}

#[tokio::test]
async fn a_snapshot_with_an_answer_missing_is_no_answer() {
    let endpoint = Endpoint::replying([Reply::ok(json!({ "Responses": [{}] })), Reply::ok(json!({}))]).await;
    for _ in 0..2 {
        let answer = endpoint.store.snapshot(&coupon_id(), &[user("ann")]).await;
        assert!(matches!(answer, Err(StoreError::Unknown(_))), "a gap is not nobody: {answer:?}");
    }
}

#[tokio::test]
async fn a_page_that_is_cut_short_says_that_there_is_more() {
    let item = |coupon: &str| {
        json!({
            "userId": { "S": "ann" }, "couponId": { "S": coupon }, "requestId": { "S": "3-4" },
            "rank": { "N": "1" }, "issuedAt": { "S": "2026-11-20T03:00:00.000Z" },
        })
    };
    let cut = json!({ "Items": [item("a"), item("b")], "LastEvaluatedKey": { "couponId": { "S": "b" } } });
    // DynamoDB names a last key when it stops at the limit, too, whether or not there is more behind it.
    let full = json!({ "Items": [item("a"), item("b")], "LastEvaluatedKey": { "couponId": { "S": "b" } } });
    let endpoint = Endpoint::replying([Reply::ok(cut), Reply::ok(full)]).await;
    let page = endpoint.store.coupons_of(&user("ann"), None, 5).await.unwrap();
    assert_eq!((page.items.len(), page.next.unwrap().as_str()), (2, "b"));
    let page = endpoint.store.coupons_of(&user("ann"), None, 1).await.unwrap();
    assert_eq!((page.items.len(), page.next.unwrap().as_str()), (1, "a"));

    let asked = endpoint.asked();
    assert_eq!(asked[0].1["Limit"], json!(6), "one more than the page tells whether it is the last");
    assert_eq!(asked[0].1["KeyConditionExpression"], "userId = :user");
}

#[tokio::test]
async fn a_meter_adds_up_what_is_reported_and_what_a_refusal_costs() {
    let consumed = |units: f64| json!({ "TableName": "t", "CapacityUnits": units });
    let endpoint = Endpoint::replying([
        Reply::ok(json!({ "ConsumedCapacity": [consumed(2.0), consumed(4.0)] })),
        Reply::cancelled(&[("ConditionalCheckFailed", None), ("None", None), ("None", None)]),
        Reply::ok(json!({ "ConsumedCapacity": consumed(0.5) })),
        Reply::ok(json!({ "ConsumedCapacity": consumed(1.0) })),
        Reply::error(400, "ConditionalCheckFailedException"),
        Reply::ok(json!({ "Responses": [{}, {}], "ConsumedCapacity": [consumed(2.0), consumed(2.0)] })),
        Reply::cancelled(&[("TransactionConflict", None), ("None", None)]),
    ])
    .await;
    let meter = Arc::new(Meter::default());
    let store = endpoint.store.clone().metered(Arc::clone(&meter));
    assert_eq!(store.commit(&chunk(), &token()).await, Ok(Commit::Written));
    assert_eq!(store.commit(&chunk(), &token()).await, Ok(Commit::Stale));
    assert_eq!(store.head(&coupon_id(), Consistency::Eventual).await, Ok(None));
    assert_eq!(store.commit(&chunk_without_winners(), &token()).await, Ok(Commit::Written));
    assert_eq!(store.commit(&chunk_without_winners(), &token()).await, Ok(Commit::Stale));
    assert_eq!(meter.units(), Units { read: 0.5, write: 6.0 + 6.0 + 1.0 + 1.0 });
    assert_eq!(store.snapshot(&coupon_id(), &[user("ann")]).await, Ok(None));
    assert!(store.snapshot(&coupon_id(), &[user("ann")]).await.is_err());
    assert_eq!(meter.units(), Units { read: 0.5 + 4.0 + 4.0, write: 14.0 });
    assert!(endpoint.asked().iter().all(|(_, body)| body["ReturnConsumedCapacity"] == "TOTAL"));
}
