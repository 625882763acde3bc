//! The document in `events/` promises no answer that never comes: each one is brought about once. That no other comes is
//! checked with every answer that any test here gets.

use std::collections::BTreeSet;

use coupon_store::StoreError;
use serde_json::json;
use wire_contract::Api;

use crate::world::{Built, World, at, call};

fn create(id: &str) -> Built {
    let body = json!({"couponId": id, "name": id, "total": 1});
    call("POST", "/coupons").scope("coupons:write").body(&body.to_string())
}

fn issue(id: &str) -> Built {
    call("POST", &format!("/coupons/{id}/issues"))
}

fn show(id: &str) -> Built {
    call("GET", &format!("/coupons/{id}"))
}

fn status(id: &str, ticket: &str) -> Built {
    call("GET", &format!("/coupons/{id}/issues/{ticket}"))
}

fn mine(query: &str) -> Built {
    call("GET", "/me/coupons").query(query)
}

/// A world with a coupon in each state, and user-17 holding `held`.
async fn populated() -> World {
    let world = World::new();
    world.create("open", json!({"total": 2})).await;
    world.create("early", json!({"opensAt": at(60_000)})).await;
    world.create("over", json!({"closesAt": at(1_000)})).await;
    world.create("gone", json!({"total": 1})).await;
    world.create("held", json!({"total": 2})).await;
    world.create_elsewhere("elsewhere").await;
    world.decide("gone", &["winner"]).await;
    world.decide("held", &["user-17"]).await;
    world.wait(1_000);
    world
}

async fn after(break_it: impl AsyncFnOnce(&World), calls: Vec<Built>, seen: &mut BTreeSet<String>) {
    let world = populated().await;
    break_it(&world).await;
    for built in calls {
        seen.insert(world.named(built).await.0);
    }
}

#[tokio::test(start_paused = true)]
async fn every_answer_that_the_document_promises_is_given() {
    let mut seen = BTreeSet::new();
    let huge = "x".repeat(64 * 1024 + 1);
    let ticket = format!("{}-0", populated().await.partition("open"));
    let calls = vec![
        create("new"),
        create("open"),
        create("a b"),
        call("POST", "/coupons"),
        call("POST", "/coupons").scope("coupons:write").body(&huge),
        call("GET", "/coupons"),
        show("open").anonymous(),
        show("a%20b"),
        show("nothing"),
        show("elsewhere"),
        call("POST", "/coupons/open"),
        issue("open"),
        issue("a%20b"),
        issue("nothing"),
        issue("early"),
        issue("over"),
        issue("gone"),
        issue("held"),
        issue("elsewhere"),
        call("GET", "/coupons/open/issues"),
        status("open", &ticket),
        status("open", "x"),
        status("open", "99-0"),
        status("nothing", "0-0"),
        status("elsewhere", "0-0"),
        call("POST", "/coupons/open/issues/0-0"),
        mine(""),
        mine("limit=0"),
        call("POST", "/me/coupons"),
        call("GET", "/nowhere"),
    ];
    after(async |_whole| {}, calls, &mut seen).await;
    let all = || vec![create("new"), show("open"), issue("open"), status("open", &ticket), mine("")];
    after(async |world| world.drop_topic(), vec![create("new")], &mut seen).await;
    for error in [StoreError::Throttled("full".into()), StoreError::Refused("no such table".into())] {
        let breaks = async |world: &World| {
            // Heads that are cached need no store.
            world.wait(250);
            world.break_store(error);
        };
        after(breaks, all(), &mut seen).await;
    }
    let promised = Api::promised().answers();
    let never: Vec<_> = promised.difference(&seen).collect();
    assert!(never.is_empty(), "promised and never given: {never:#?}");
}
