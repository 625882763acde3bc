//! What a function's answer brings about: C19 to C31. Which records come again, in which order, and what is committed
//! meanwhile.

use std::time::Duration;

use crate::support::world::stop;
use crate::support::{Gate, Reply, World, eventually};

fn item(partition: &str, offset: &str) -> String {
    format!(r#"{{"itemIdentifier":{{"partition":{partition},"offset":{offset}}}}}"#)
}

fn named(items: &[String]) -> String {
    format!(r#"{{"batchItemFailures":[{}]}}"#, items.join(","))
}

/// Five records, of which the first answer names some: what the second invocation holds. While that is under way, the
/// commit stands at the lowest named one.
async fn brought_back(pbr: &str, offsets: &'static [i64]) -> Vec<i64> {
    let gate = Gate::closed();
    let held = gate.clone();
    let world = World::new(move |number, call| {
        let keys = call.offsets();
        let key = keys.keys().next().unwrap();
        let named: Vec<(&str, i64)> = offsets.iter().map(|offset| (key.as_str(), *offset)).collect();
        if number == 0 { Reply::failures(&named) } else { Reply::ok().behind(&held) }
    });
    let world = world.await.set("Emulator.pbr", pbr);
    world.write_many(0, 5).await;
    let running = world.start().await;
    let calls = world.wait_calls(2).await;
    world.wait_committed(0, *offsets.iter().min().unwrap()).await;
    gate.open();
    world.wait_committed(0, 5).await;
    let metrics = stop(running).await;
    assert_eq!((metrics.failed_invoke_event_count, metrics.invoke_error_count), (5, 0));
    calls[1].offsets().remove(&world.key(0)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn c19_selective_brings_back_the_named_record_and_the_commit_waits_for_it() {
    assert_eq!(brought_back("selective", &[2]).await, [2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn c20_resume_brings_back_everything_from_the_named_record_on() {
    assert_eq!(brought_back("resume", &[2]).await, [2, 3, 4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn c22_of_several_names_each_counts_once_or_the_lowest() {
    assert_eq!(brought_back("selective", &[4, 2, 2]).await, [2, 4]);
    assert_eq!(brought_back("resume", &[4, 2, 2]).await, [2, 3, 4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn c21_partitions_that_are_not_named_go_on_at_once() {
    let gate = Gate::closed();
    let held = gate.clone();
    let world = World::new(move |number, call| {
        let keys = call.offsets();
        let key = keys.keys().find(|key| key.ends_with("-0"));
        match (number, key) {
            (0, Some(key)) => Reply::failures(&[(key, 1)]),
            (_, Some(_)) => Reply::ok().behind(&held),
            (_, None) => Reply::ok(),
        }
    });
    let world = world.await.set("MaximumBatchingWindowInSeconds", 2);
    for partition in 0..3 {
        world.write_many(partition, 3).await;
    }
    let running = world.start().await;
    for (partition, committed) in [(0, 1), (1, 3), (2, 3)] {
        world.wait_committed(partition, committed).await;
    }
    for partition in 0..3 {
        world.write_many(partition, 1).await;
    }
    for partition in 1..3 {
        world.wait_committed(partition, 4).await;
    }
    let of_first: Vec<i64> =
        world.function.places().into_iter().filter(|(key, _)| *key == world.key(0)).map(|(_, offset)| offset).collect();
    assert_eq!(of_first, [0, 1, 2, 1], "nothing newer than what is named");
    gate.open();
    world.wait_committed(0, 4).await;
    stop(running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c23_c24_c25_a_response_that_names_wrongly_brings_back_the_whole_batch() {
    const KEY: &str = "KEY";
    let wrong = [
        named(&[item(r#""elsewhere-0""#, "0")]),
        named(&[item(r#""KEY""#, "99")]),
        // Of another partition of the same event.
        named(&[item(r#""KEY""#, "2")]),
        named(&[item(r#""KEY""#, "0"), item(r#""KEY""#, "99")]),
        r#"{"batchItemFailures":[{"itemIdentifier":"KEY-0"}]}"#.to_owned(),
        named(&[item(r#""KEY""#, r#""0""#)]),
        named(&[item(r#""KEY""#, "0.5")]),
        named(&[item(r#""KEY""#, "-1")]),
        named(&[item("7", "0")]),
        r#"{"batchItemFailures":[{"itemIdentifier":null}]}"#.to_owned(),
        r#"{"batchItemFailures":[{"itemIdentifer":{"partition":"KEY","offset":0}}]}"#.to_owned(),
        r#"{"batchItemFailures":{"itemIdentifier":{"partition":"KEY","offset":0}}}"#.to_owned(),
        r#""text""#.to_owned(),
        "true".to_owned(),
        "7".to_owned(),
        "no JSON".to_owned(),
    ];
    let count = wrong.len();
    let gate = Gate::closed();
    let held = gate.clone();
    let world = World::new(move |number, call| match wrong.get(number) {
        Some(body) => Reply::body(body.replace(KEY, call.first_key())),
        None => Reply::ok().behind(&held),
    });
    let world = world.await.set("BisectBatchOnFunctionError", true).set("MaximumBatchingWindowInSeconds", 2);
    world.write_many(0, 2).await;
    world.write_many(1, 3).await;
    let running = world.start().await;
    let calls = world.wait_calls(count + 1).await;
    assert!(calls.iter().all(|call| call.event == calls[0].event), "always all of it, and never halved");
    assert_eq!((world.committed(0).await, world.committed(1).await), (None, None));
    gate.open();
    world.wait_committed(0, 2).await;
    world.wait_committed(1, 3).await;
    let metrics = stop(running).await;
    assert_eq!(metrics.failed_invoke_event_count, 5 * u64::try_from(count).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn c26_without_partial_responses_nobody_reads_the_answer() {
    let world = World::new(|_, call| Reply::failures(&[(call.first_key(), 0)])).await;
    let world = world.set("FunctionResponseTypes", serde_json::json!([]));
    world.write_many(0, 3).await;
    let running = world.start().await;
    world.wait_committed(0, 3).await;
    assert_eq!(world.function.calls().len(), 1);
    assert_eq!(stop(running).await.failed_invoke_event_count, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn c27_c28_a_function_error_of_either_kind_fails_the_batch_whatever_its_body_says() {
    let answer = |kind| Reply { error: Some(kind), ..Reply::body(r#"{"batchItemFailures":[]}"#) };
    let world = World::new(move |number, _| match number {
        0 => answer("Unhandled"),
        1 => answer("Handled"),
        _ => Reply::ok(),
    });
    let world = world.await;
    world.write_many(0, 3).await;
    let running = world.start().await;
    let calls = world.wait_calls(3).await;
    assert!(calls.iter().all(|call| call.event == calls[0].event));
    world.wait_committed(0, 3).await;
    let metrics = stop(running).await;
    assert_eq!((metrics.failed_invoke_event_count, metrics.invoke_error_count), (6, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn c29_a_function_that_takes_too_long_has_failed_and_that_costs_a_retry() {
    let world = World::new(|_, _| Reply::ok().behind(&Gate::closed())).await;
    let world = world.set("MaximumRetryAttempts", 1).set("Emulator.function_timeout_seconds", 1);
    world.write_many(0, 3).await;
    let running = world.start().await;
    world.wait_committed(0, 3).await;
    let calls = world.function.calls();
    assert_eq!(calls.len(), 2);
    assert_eq!(calls[1].event, calls[0].event);
    assert_eq!(stop(running).await.dropped_event_count, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn c30_throttling_is_waited_out_and_costs_no_retry() {
    let world = World::new(|number, _| if number < 5 { Reply::status(429) } else { Reply::ok() }).await;
    let world = world.set("MaximumRetryAttempts", 0);
    world.write_many(0, 3).await;
    let running = world.start().await;
    world.wait_committed(0, 3).await;
    let calls = world.function.calls();
    assert_eq!(calls.len(), 6);
    assert!(calls.iter().all(|call| call.event == calls[0].event));
    let metrics = stop(running).await;
    assert_eq!(
        (metrics.dropped_event_count, metrics.invoke_error_count, metrics.failed_invoke_event_count),
        (0, 5, 15)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn c31_what_nobody_knows_the_outcome_of_is_asked_again_as_it_was() {
    let world = World::new(|number, _| match number {
        0 => Reply::status(500),
        1 => Reply::cut(),
        2 => Reply::status(404),
        _ => Reply::ok(),
    });
    let world = world.await.set("MaximumRetryAttempts", 0);
    world.write_many(0, 3).await;
    let running = world.start().await;
    let calls = world.wait_calls(4).await;
    assert!(calls.iter().all(|call| call.event == calls[0].event));
    world.wait_committed(0, 3).await;
    let metrics = stop(running).await;
    assert_eq!((metrics.invoke_error_count, metrics.dropped_event_count), (3, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn c31_a_function_that_is_not_there_is_waited_for() {
    let mut world = World::new(|_, _| Reply::ok()).await.set("MaximumRetryAttempts", 0);
    world.function.url = "http://127.0.0.1:1/2015-03-31/functions/worker/invocations".into();
    world.write_many(0, 2).await;
    let running = world.start().await;
    eventually("several attempts", async || running.metrics().await.invoke_error_count > 3).await;
    assert_eq!(world.committed(0).await, None);
    let metrics = stop(running).await;
    assert_eq!((metrics.dropped_event_count, metrics.max_offset_lag), (0, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_a_web_server_ends_the_mapping_and_commits_nothing() {
    let page = || Reply { content_type: "text/html; charset=utf-8", ..Reply::body("<!DOCTYPE html><html></html>") };
    let world = World::new(move |_, _| page()).await.set("FunctionResponseTypes", serde_json::json!([]));
    world.write_many(0, 2).await;
    let running = world.start().await;
    let fault = tokio::time::timeout(Duration::from_secs(60), running.ended()).await.unwrap().unwrap_err().to_string();
    assert!(fault.contains(&world.function.url) && fault.contains("HTML"), "{fault}");
    assert_eq!(world.committed(0).await, None);

    let world = World::new(move |number, _| if number == 1 { page() } else { Reply::ok() }).await.set("BatchSize", 1);
    world.write_many(0, 2).await;
    let running = world.start().await;
    world.wait_committed(0, 2).await;
    assert_eq!(stop(running).await.invoke_error_count, 1, "later on, it is a proxy's that passes");
}
