//! The seeds' system B, and ours without Lambda beside it where both make the same claim: the log keeps what was accepted
//! over a kill of the broker, a consumer goes on at its offset, records are decided in their order, and nobody has two.
//! And where they differ: what a refusal costs when all are given away.

use std::collections::BTreeMap;

use baseline::System;
use coupon::Timestamp;
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::world::{Outbox, World};

async fn started(system: System) -> World {
    let world = World::start(system, Outbox::Never).await;
    world.create("sale", 3).await;
    world
}

/// Asks for all of them one after the other; the request of each.
async fn accepted<'a>(world: &World, users: &[&'a str]) -> Vec<(&'a str, String)> {
    let mut requests = Vec::new();
    for user in users {
        let answer = world.asks("sale", user, 202).await;
        assert_eq!(answer["status"], "PENDING", "{answer}");
        requests.push((*user, answer["requestId"].as_str().unwrap().to_owned()));
    }
    requests
}

/// The outcomes of these requests, three coupons long, in the order of the asking.
async fn three_get_one_in_this_order(world: &World, requests: &[(&str, String)]) {
    for (place, (user, request)) in requests.iter().enumerate() {
        let told = world.outcome("sale", request, user).await;
        let expected = if place < 3 { "ISSUED" } else { "REJECTED" };
        assert_eq!(told["status"], expected, "{user}: {told}");
        if place < 3 {
            assert_eq!(told["rank"], place + 1, "{user}: {told}");
        } else {
            assert_eq!(told["reason"], "SOLD_OUT", "{user}: {told}");
        }
    }
    let state = world.until_state("sale", |state| state.is_settled()).await;
    assert_eq!(state.issued.len(), 3);
    assert_eq!(world.verdict("sale").await, []);
}

/// A store that takes no transaction holds every decision back while requests are accepted; then `harm`, and then it goes
/// on. The world as it was left.
async fn accepted_is_issued_over(system: System, harm: impl AsyncFnOnce(&mut World)) -> World {
    let mut world = started(system).await;
    // The first is decided, and its offset committed: behind it the consumer goes on.
    let mut requests = accepted(&world, &["ann"]).await;
    world.outcome("sale", &requests[0].1, "ann").await;
    super::world::until("Ann's record is done with", async || (world.committed().await == 1).then_some(())).await;
    world.gate.hold_transactions();
    requests.extend(accepted(&world, &["bob", "cho", "dan"]).await);
    harm(&mut world).await;
    let held: Vec<String> = world.state("sale").await.issued.into_iter().map(|one| one.user_id).collect();
    assert_eq!(held, ["ann"], "what was accepted later is not decided when it happens");
    world.gate.open();
    three_get_one_in_this_order(&world, &requests).await;
    super::world::until("all is done with", async || (world.committed().await == 4).then_some(())).await;
    world
}

#[tokio::test]
async fn what_the_hybrid_accepted_survives_a_kill_of_the_broker() {
    drop(accepted_is_issued_over(System::Hybrid, async |world| world.crash_broker().await).await);
}

#[tokio::test]
async fn what_ours_accepted_survives_a_kill_of_the_broker() {
    drop(accepted_is_issued_over(System::Ours, async |world| world.crash_broker().await).await);
}

#[tokio::test]
async fn the_hybrids_consumer_goes_on_at_its_offset_after_a_kill() {
    let world = accepted_is_issued_over(System::Hybrid, async |world| {
        world.kill_server().await;
        world.unmark("sale", "ann").await;
        world.start_server().await;
    })
    .await;
    // Had it begun anew, Ann's record would have marked her again.
    assert_eq!(world.asks("sale", "ann", 202).await["status"], "PENDING");
    world.asks("sale", "bob", 409).await;
}

#[tokio::test]
async fn ours_goes_on_at_its_offset_after_a_kill() {
    let world = accepted_is_issued_over(System::Ours, async |world| {
        world.kill_server().await;
        world.start_server().await;
    })
    .await;
    // Had it begun anew, Ann's result would be there twice.
    assert_eq!(world.records().await["coupon-issue-result"], 4);
}

#[tokio::test]
async fn what_the_hybrid_accepted_survives_a_kill_of_redis() {
    drop(accepted_is_issued_over(System::Hybrid, async |world| world.crash_redis().await).await);
}

#[tokio::test]
async fn a_crowd_is_served_in_the_order_of_the_log_and_nobody_twice() {
    for system in [System::Hybrid, System::Ours] {
        let world = World::start(system, Outbox::Never).await;
        world.create("sale", 20).await;
        let users: Vec<String> = (0..60).map(|number| format!("user-{number}")).collect();
        // Everybody twice, all at once.
        let twice = users.iter().chain(&users);
        let answers = join_all(twice.clone().map(|user| world.ask("sale", user))).await;
        let mut requests = BTreeMap::new();
        for (user, answer) in twice.zip(answers) {
            let answer = answer.expect("an answer");
            match answer.status.as_u16() {
                202 => drop(requests.insert(answer.json()["requestId"].as_str().unwrap().to_owned(), user)),
                409 | 410 => {}
                _ => panic!("{system}: {answer:?}"),
            }
        }
        for (request, user) in &requests {
            world.outcome("sale", request, user).await;
        }
        let state = world.until_state("sale", |state| state.is_settled()).await;
        assert_eq!(state.issued.len(), 20, "{system}");
        assert_eq!(world.verdict("sale").await, [], "{system}");
        let offset = |request: &str| request.rsplit_once('-').unwrap().1.parse::<i64>().unwrap();
        let offsets: Vec<i64> = state.issued.iter().map(|one| offset(&one.request_id)).collect();
        assert!(offsets.is_sorted(), "{system}: ranks follow the log: {offsets:?}");
    }
}

#[tokio::test]
async fn a_second_coupon_is_refused_by_redis_or_by_the_store_behind_it() {
    let world = started(System::Hybrid).await;
    let requests = accepted(&world, &["ann"]).await;
    world.outcome("sale", &requests[0].1, "ann").await;
    super::world::until("the mark in Redis", async || {
        world.ask("sale", "ann").await.filter(|answer| answer.status == 409)
    })
    .await;
    world.crash_redis().await;
    // The mark is gone: accepted once more, and refused where it is decided.
    let again = world.asks_until_answered("sale", "ann").await;
    assert_eq!(again.status, 202, "{again:?}");
    let told = world.outcome("sale", again.json()["requestId"].as_str().unwrap(), "ann").await;
    assert_eq!((&told["status"], &told["reason"]), (&"REJECTED".into(), &"ALREADY_ISSUED".into()), "{told}");
    assert_eq!(told["coupon"]["requestId"], requests[0].1.as_str(), "{told}");
    assert_eq!(world.until_state("sale", |state| state.is_settled()).await.issued.len(), 1);
}

#[tokio::test]
async fn a_refusal_when_sold_out_is_a_record_of_the_hybrid_and_nothing_of_ours() {
    for (system, topic, records) in [(System::Hybrid, "coupon_issue", 5), (System::Ours, "coupon-issue-request", 0)] {
        let world = started(system).await;
        let requests = accepted(&world, &["ann", "bob", "cho"]).await;
        three_get_one_in_this_order(&world, &requests).await;
        let sold_out = super::world::until("sold out for everybody who looks", async || {
            Some(world.get("/coupons/sale", "ann").await.json()).filter(|shown| shown["state"] == "SOLD_OUT")
        });
        sold_out.await;
        let before = world.records().await[topic];
        for number in 0..5 {
            let status = if system == System::Hybrid { 202 } else { 410 };
            world.asks("sale", &format!("late-{number}"), status).await;
        }
        assert_eq!(world.records().await[topic] - before, records, "{system}");
        assert_eq!(world.verdict("sale").await, [], "{system}");
    }
}

/// Two coupons whose records are of different partitions, by what the tickets of their first requests say.
async fn apart(world: &World) -> (String, String) {
    let mut first: Option<(String, String)> = None;
    for number in 0..20 {
        let coupon = format!("apart-{number}");
        world.create(&coupon, 3).await;
        let answer = world.asks(&coupon, "ann", 202).await;
        let request = answer["requestId"].as_str().unwrap();
        world.outcome(&coupon, request, "ann").await;
        let partition = request.split_once('-').unwrap().0.to_owned();
        match &first {
            None => first = Some((coupon, partition)),
            Some((other, of_other)) if *of_other != partition => return (other.clone(), coupon),
            Some(_) => {}
        }
    }
    panic!("twenty coupons of one partition");
}

#[tokio::test]
async fn a_partition_that_is_held_up_holds_no_other_one_up() {
    for system in [System::Hybrid, System::Ours] {
        let world = World::start(system, Outbox::Never).await;
        let (held, free) = apart(&world).await;
        // In quotes, for `apart-1` is a part of `apart-10`.
        world.gate.hold_transactions_of(&format!("\"{held}\""));
        let stuck = world.asks(&held, "bob", 202).await;
        let request = stuck["requestId"].as_str().unwrap();
        for user in ["bob", "cho"] {
            let asked = world.asks(&free, user, 202).await;
            let told = world.outcome(&free, asked["requestId"].as_str().unwrap(), user).await;
            assert_eq!(told["status"], "ISSUED", "{system}, {user}: {told}");
        }
        let told = world.get(&format!("/coupons/{held}/issues/{request}"), "bob").await.json();
        assert_eq!(told["status"], "PENDING", "{system}: {told}");
        world.gate.open();
        assert_eq!(world.outcome(&held, request, "bob").await["status"], "ISSUED", "{system}");
        for coupon in [&held, &free] {
            world.until_state(coupon, |state| state.is_settled()).await;
            assert_eq!(world.verdict(coupon).await, [], "{system}");
        }
    }
}

#[tokio::test]
async fn the_hybrids_record_is_the_seeds_event_keyed_by_coupon_in_a_topic_of_three() {
    let world = started(System::Hybrid).await;
    accepted(&world, &["ann"]).await;
    let (partitions, records) = world.topic("coupon_issue").await;
    assert_eq!((partitions, records.len()), (3, 1));
    assert_eq!(records[0].key.as_deref(), Some(b"sale".as_slice()));
    let event: Value = serde_json::from_slice(records[0].value.as_deref().unwrap()).unwrap();
    let requested_at = event["requestedAt"].as_str().unwrap();
    Timestamp::parse(requested_at).unwrap();
    assert_eq!(event, json!({"couponId": "sale", "userId": "ann", "requestedAt": requested_at}));
}

#[tokio::test]
async fn the_hybrid_knows_no_rank_before_it_issues() {
    let world = started(System::Hybrid).await;
    accepted(&world, &["ann"]).await;
    assert_eq!(world.get("/coupons/sale/rank", "ann").await.status, 404);
}
