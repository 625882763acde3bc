//! Polling, batching and commits: C07, C11 to C14, C16, C17, C45, C46.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use crate::support::function::{Call, now};
use crate::support::world::{Entry, stop};
use crate::support::{Reply, World};

fn text(partition: i32, value: &str) -> Entry {
    Entry { partition, value: Some(value.as_bytes().to_vec()), ..Entry::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn c07_c17_one_event_of_three_partitions_and_the_commit_follows_the_answer() {
    let world = World::new(|_, _| Reply::ok().after(Duration::from_millis(500))).await;
    let world = world.set("MaximumBatchingWindowInSeconds", 2);
    for partition in 0..3 {
        world.write_many(partition, 2).await;
    }
    let running = world.start().await;
    let calls = world.wait_calls(1).await;
    // Asked first: on a busy machine the answer may come while the broker is asked.
    let committed = world.committed(0).await;
    let is_answered = world.function.calls()[0].ended.is_some();
    assert!(committed.is_none() || is_answered, "not before the answer: {committed:?}");
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
    let running = world.start().await;
    world.write(text(0, "{}")).await;
    let calls = world.wait_calls(1).await;
    assert_eq!(calls[0].offsets(), [(world.key(0), vec![0])].into());
    stop(running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c12_the_window_of_half_a_second_starts_with_the_first_record() {
    let world = World::new(|_, _| Reply::ok()).await;
    let running = world.start().await;
    // On a busy machine it may take longer than the window to write them: then nothing is shown, and others are written.
    for first in (0..30).step_by(3) {
        let calls = world.function.calls().len();
        let began = now();
        for _ in 0..3 {
            world.write(text(0, "{}")).await;
        }
        let took = began.elapsed();
        world.wait_committed(0, first + 3).await;
        if took < Duration::from_millis(400) {
            let offsets: Vec<_> = world.function.calls()[calls..].iter().map(Call::offsets).collect();
            assert_eq!(offsets, [[(world.key(0), vec![first, first + 1, first + 2])].into()]);
            stop(running).await;
            return;
        }
    }
    panic!("three records were never written within the window");
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
    let world = World::new(|_, call| match call.offsets().keys().any(|key| key.ends_with("-0")) {
        true => Reply::ok().after(Duration::from_secs(8)),
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
    world.wait_committed(0, 2).await;
    let calls = world.function.calls();
    assert!(calls[0].ended.unwrap() <= calls[2].began);
    stop(running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c45_c46_filtered_records_are_committed_and_never_sent() {
    let world = World::new(|_, _| Reply::ok()).await;
    let pattern = json!({"value": {"kind": ["wanted"]}}).to_string();
    let world = world.set("FilterCriteria", json!({"Filters": [{"Pattern": pattern}]}));
    let running = world.start().await;
    for _ in 0..3 {
        world.write(text(0, r#"{"kind":"other"}"#)).await;
    }
    world.wait_committed(0, 3).await;
    assert!(world.function.calls().is_empty(), "no invocation for nothing");
    world.write(text(0, r#"{"kind":"wanted"}"#)).await;
    world.write(text(0, "plain text")).await;
    world.wait_committed(0, 5).await;
    assert_eq!(world.function.places(), [(world.key(0), 3), (world.key(0), 4)]);
    let metrics = stop(running).await;
    assert_eq!((metrics.polled_event_count, metrics.filtered_out_event_count, metrics.invoked_event_count), (5, 3, 2));
}
