//! Polling, batching, commits and filters: C07, C11 to C14, C16 to C18, C45 to C47.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::function::now;
use crate::support::world::{Entry, stop};
use crate::support::{Gate, Reply, World};

fn text(partition: i32, value: &str) -> Entry {
    Entry { partition, value: Some(value.as_bytes().to_vec()), ..Entry::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn c07_partitions_of_one_poller_share_an_event() {
    let world = World::new(|_, _| Reply::ok()).await.set("MaximumBatchingWindowInSeconds", 2);
    for partition in 0..3 {
        world.write_many(partition, 2).await;
    }
    let running = world.start().await;
    let calls = world.wait_calls(1).await;
    let expected: BTreeMap<_, _> = (0..3).map(|partition| (world.key(partition), vec![0, 1])).collect();
    assert_eq!(calls[0].offsets(), expected);
    for partition in 0..3 {
        world.wait_committed(partition, 2).await;
    }
    let metrics = stop(running).await;
    assert_eq!((metrics.polled_event_count, metrics.invoked_event_count, metrics.committed_event_count), (6, 6, 6));
    assert_eq!((metrics.failed_invoke_event_count, metrics.sum_offset_lag), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn c11_without_a_window_one_record_is_invoked_at_once() {
    let world = World::new(|_, _| Reply::ok()).await.set("MaximumBatchingWindowInSeconds", 0).set("BatchSize", 1000);
    world.write(text(0, "{}")).await;
    let running = world.start().await;
    let calls = world.wait_calls(1).await;
    assert_eq!(calls[0].offsets(), [(world.key(0), vec![0])].into());
    stop(running).await;
}

/// To the millisecond it is a case of the engine's own, whose clock does not pass by itself.
#[tokio::test(flavor = "multi_thread")]
async fn c12_the_window_of_half_a_second_starts_with_the_first_record() {
    let world = World::new(|_, _| Reply::ok()).await;
    let running = world.start().await;
    let before = now();
    world.write_many(0, 3).await;
    let calls = world.wait_calls(1).await;
    assert_eq!(calls[0].offsets(), [(world.key(0), vec![0, 1, 2])].into());
    let waited = calls[0].began - before;
    assert!(waited >= Duration::from_millis(500), "{waited:?}");
    stop(running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c12_records_that_come_within_the_window_are_one_batch() {
    let world = World::new(|_, _| Reply::ok()).await.set("MaximumBatchingWindowInSeconds", 5);
    let running = world.start().await;
    let before = now();
    for _ in 0..3 {
        world.write(text(0, "{}")).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let calls = world.wait_calls(1).await;
    assert_eq!(calls[0].offsets(), [(world.key(0), vec![0, 1, 2])].into());
    assert!(calls[0].began - before >= Duration::from_secs(5));
    stop(running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c13_batches_of_a_partition_are_full_in_order_and_never_overlap() {
    let world = World::new(|_, _| Reply::ok().after(Duration::from_millis(50))).await.set("BatchSize", 10);
    world.write_many(0, 25).await;
    let running = world.start().await;
    world.wait_committed(0, 25).await;
    let calls = world.function.calls();
    let sizes: Vec<usize> = calls.iter().map(|call| call.records().len()).collect();
    assert_eq!(sizes, [10, 10, 5]);
    assert_eq!(
        world.function.places().iter().map(|(_, offset)| *offset).collect::<Vec<_>>(),
        (0..25).collect::<Vec<_>>()
    );
    for pair in calls.windows(2) {
        assert!(pair[0].ended.unwrap() <= pair[1].began);
    }
    stop(running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c14_no_request_is_larger_than_six_megabytes_and_nothing_is_lost() {
    let world = World::new(|_, _| Reply::ok()).await.set("MaximumBatchingWindowInSeconds", 1);
    for _ in 0..20 {
        world.write(text(0, &"x".repeat(700_000))).await;
    }
    let running = world.start().await;
    world.wait_committed(0, 20).await;
    let calls = world.function.calls();
    assert!(
        calls.iter().all(|call| call.bytes <= 6_291_456),
        "{:?}",
        calls.iter().map(|call| call.bytes).collect::<Vec<_>>()
    );
    assert!(calls[0].bytes > 5_000_000, "a full one: {}", calls[0].bytes);
    assert_eq!(
        world.function.places().iter().map(|(_, offset)| *offset).collect::<Vec<_>>(),
        (0..20).collect::<Vec<_>>()
    );
    stop(running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c16_a_slow_partition_does_not_hold_up_another() {
    let gate = Gate::closed();
    let held = gate.clone();
    let world = World::new(move |_, call| match call.offsets().keys().any(|key| key.ends_with("-0")) {
        true => Reply::ok().behind(&held),
        false => Reply::ok(),
    });
    let world = world.await.set("MaximumBatchingWindowInSeconds", 0);
    let running = world.start().await;
    world.write(text(0, "slow")).await;
    world.wait_calls(1).await;
    world.write(text(0, "behind it")).await;
    world.write(text(1, "quick")).await;
    world.wait_committed(1, 1).await;
    let calls = world.function.calls();
    assert!(calls[0].ended.is_none(), "the slow one is under way");
    assert_eq!(calls.len(), 2, "and nothing else of its partition");
    gate.open();
    world.wait_committed(0, 2).await;
    let calls = world.function.calls();
    assert!(calls[0].ended.unwrap() <= calls[2].began);
    stop(running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c17_the_commit_follows_the_answer_and_is_the_offset_after_the_last() {
    let gate = Gate::closed();
    let held = gate.clone();
    let world = World::new(move |_, _| Reply::ok().behind(&held)).await;
    world.write_many(0, 4).await;
    let running = world.start().await;
    world.wait_calls(1).await;
    for _ in 0..20 {
        assert_eq!(world.committed(0).await, None, "not before the answer");
    }
    gate.open();
    world.wait_committed(0, 4).await;
    assert_eq!(stop(running).await.committed_event_count, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn c18_an_empty_answer_of_any_kind_is_success() {
    const EMPTY: [&str; 7] =
        ["null", "{}", "[]", r#"{"batchItemFailures":[]}"#, r#"{"batchItemFailures":null}"#, "", r#"{"ok":true}"#];
    let world = World::new(|number, _| Reply::body(EMPTY[number % EMPTY.len()])).await.set("BatchSize", 1);
    world.write_many(0, EMPTY.len()).await;
    let running = world.start().await;
    world.wait_committed(0, EMPTY.len().try_into().unwrap()).await;
    assert_eq!(world.function.calls().len(), EMPTY.len(), "one invocation for each");
    assert_eq!(stop(running).await.failed_invoke_event_count, 0);
}

/// Match, other, plain text, no UTF-8, tombstone: the offsets that are delivered.
async fn delivered_under(filter_mismatch: &str) -> Vec<i64> {
    let world = World::new(|_, _| Reply::ok()).await.set("Emulator.filter_mismatch", filter_mismatch);
    let world = world.set("FilterCriteria", wanted());
    let values: [Option<&[u8]>; 5] =
        [Some(br#"{"kind":"wanted"}"#), Some(br#"{"kind":"other"}"#), Some(b"plain text"), Some(b"\xFF\xFE"), None];
    for value in values {
        world.write(Entry { value: value.map(<[u8]>::to_vec), ..Entry::default() }).await;
    }
    let running = world.start().await;
    world.wait_committed(0, 5).await;
    let metrics = stop(running).await;
    let places = world.function.places();
    assert_eq!(metrics.polled_event_count, 5);
    assert_eq!(metrics.filtered_out_event_count, 5 - metrics.invoked_event_count);
    places.into_iter().map(|(_, offset)| offset).collect()
}

fn wanted() -> Value {
    json!({"Filters": [{"Pattern": json!({"value": {"kind": ["wanted"]}}).to_string()}]})
}

#[tokio::test(flavor = "multi_thread")]
async fn c45_what_a_filter_cannot_be_applied_to_is_left_to_the_switch() {
    assert_eq!(delivered_under("pass").await, [0, 2, 3, 4]);
    assert_eq!(delivered_under("drop").await, [0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn c46_filtered_records_are_committed_and_never_sent() {
    let world = World::new(|_, _| Reply::ok()).await.set("FilterCriteria", wanted());
    let running = world.start().await;
    for _ in 0..3 {
        world.write(text(0, r#"{"kind":"other"}"#)).await;
    }
    world.wait_committed(0, 3).await;
    assert!(world.function.calls().is_empty(), "no invocation for nothing");
    world.write(text(0, r#"{"kind":"wanted"}"#)).await;
    world.wait_committed(0, 4).await;
    assert_eq!(world.function.places(), [(world.key(0), 3)]);
    let metrics = stop(running).await;
    assert_eq!((metrics.polled_event_count, metrics.filtered_out_event_count, metrics.invoked_event_count), (4, 3, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn c47_a_response_that_names_a_filtered_record_brings_back_the_batch() {
    let world = World::new(|number, call| match number {
        0 => Reply::failures(&[(call.first_key(), 1)]),
        _ => Reply::ok(),
    });
    let world = world.await.set("FilterCriteria", wanted());
    for kind in ["wanted", "other", "wanted"] {
        world.write(text(0, &json!({"kind": kind}).to_string())).await;
    }
    let running = world.start().await;
    let calls = world.wait_calls(2).await;
    assert_eq!(calls[0].offsets(), [(world.key(0), vec![0, 2])].into());
    assert_eq!(calls[1].event, calls[0].event, "all of it, for offset 1 was not in it");
    world.wait_committed(0, 3).await;
    assert_eq!(stop(running).await.invoke_error_count, 1);
}
