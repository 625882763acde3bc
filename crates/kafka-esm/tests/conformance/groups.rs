//! Groups, starting positions, rebalances and the end: C48 to C53, C55.

use std::time::Duration;

use serde_json::json;

use crate::support::world::{Entry, stop};
use crate::support::{Reply, World, eventually};

fn text(partition: i32, value: &str) -> Entry {
    Entry { partition, value: Some(value.as_bytes().to_vec()), ..Entry::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn c48_c49_latest_delivers_what_comes_after_ready_and_commits_outweigh_it_later() {
    let world = World::new(|_, _| Reply::ok()).await.set("StartingPosition", "LATEST");
    world.write_many(0, 3).await;
    let running = world.start().await;
    world.write(text(0, "new")).await;
    world.wait_committed(0, 4).await;
    assert_eq!(world.function.places(), [(world.key(0), 3)]);
    stop(running).await;
    world.write(text(0, "while it was away")).await;
    let world = world.set("StartingPosition", "TRIM_HORIZON");
    let running = world.start().await;
    world.wait_committed(0, 5).await;
    assert_eq!(world.function.places(), [(world.key(0), 3), (world.key(0), 4)], "and not the older ones");
    stop(running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c49_a_start_at_a_time_begins_with_the_first_record_of_that_time() {
    let world = World::new(|_, _| Reply::ok()).await;
    for second in [100, 200, 300] {
        world.write(Entry { timestamp: Some(second * 1000), ..text(1, "x") }).await;
    }
    let world = world.set("StartingPosition", "AT_TIMESTAMP").set("StartingPositionTimestamp", 150);
    let running = world.start().await;
    world.wait_committed(1, 3).await;
    assert_eq!(world.function.places(), [(world.key(1), 1), (world.key(1), 2)]);
    stop(running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c51_two_members_of_one_group_share_the_partitions_and_two_groups_share_nothing() {
    let world = World::new(|_, _| Reply::ok()).await;
    let first = world.start().await;
    let second = world.start().await;
    let other_group = json!({"ConsumerGroupId": format!("{}-other", world.group)});
    let mut beside = World::new(|_, _| Reply::ok()).await.set("SelfManagedKafkaEventSourceConfig", other_group);
    beside.settings["Topics"] = json!([world.topic]);
    let third = beside.start().await;
    for partition in 0..3 {
        world.write_many(partition, 20).await;
    }
    for partition in 0..3 {
        world.wait_committed(partition, 20).await;
    }
    eventually("the other group has everything", async || beside.function.places().len() >= 60).await;
    let mut places = world.function.places();
    places.sort();
    places.dedup();
    assert_eq!(places.len(), 60);
    let (first, second) = (stop(first).await, stop(second).await);
    assert!(first.polled_event_count < 60 && second.polled_event_count < 60, "each has a part");
    assert_eq!(first.polled_event_count + second.polled_event_count, 60, "and nothing comes twice");
    stop(third).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c52_a_rebalance_waits_for_the_running_invocation_and_skips_nothing() {
    let world =
        World::new(|number, _| Reply::ok().after(Duration::from_millis(if number == 0 { 4000 } else { 0 }))).await;
    let world = world.set("BatchSize", 5);
    world.write_many(0, 20).await;
    let first = world.start().await;
    world.wait_calls(1).await;
    let second = world.start().await;
    for partition in 1..3 {
        world.write_many(partition, 20).await;
    }
    for partition in 0..3 {
        world.wait_committed(partition, 20).await;
    }
    let mut places = world.function.places();
    let handed_over = places.len();
    places.sort();
    places.dedup();
    assert_eq!(places.len(), 60, "nothing is skipped");
    assert_eq!(handed_over, 60, "what had ended was committed before its partition went");
    stop(first).await;
    stop(second).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c53_an_invocation_longer_than_the_session_keeps_the_membership() {
    let world = World::new(|_, _| Reply::ok().after(Duration::from_secs(9))).await;
    let world = world.set("Emulator.function_timeout_seconds", 30);
    world.write_many(0, 2).await;
    let running = world.start_with(&[("session.timeout.ms", "6000"), ("heartbeat.interval.ms", "1000")]).await;
    world.wait_committed(0, 2).await;
    assert_eq!(world.function.calls().len(), 1, "no redelivery");
    let metrics = stop(running).await;
    assert_eq!((metrics.commit_error_count, metrics.sum_offset_lag), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn c55_a_stop_lets_the_running_invocation_end_and_commits_it() {
    let world = World::new(|_, _| Reply::ok().after(Duration::from_secs(1))).await.set("BatchSize", 2);
    world.write_many(0, 6).await;
    let running = world.start().await;
    world.wait_calls(1).await;
    let metrics = stop(running).await;
    assert_eq!(world.function.calls().len(), 1, "no new invocation");
    assert_eq!(world.committed(0).await, Some(2));
    assert_eq!((metrics.committed_event_count, metrics.max_offset_lag), (2, 4));
    let running = world.start().await;
    world.wait_committed(0, 6).await;
    assert_eq!(world.function.places().len(), 6, "the rest comes with the next start, and only the rest");
    stop(running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c50_what_was_not_committed_comes_again_after_a_cut() {
    let world = World::new(|number, _| Reply::ok().after(Duration::from_secs(if number == 1 { 60 } else { 0 }))).await;
    let world = world.set("BatchSize", 2).set("Emulator.function_timeout_seconds", 3);
    world.write_many(0, 4).await;
    let running = world.start().await;
    world.wait_committed(0, 2).await;
    world.wait_calls(2).await;
    // It is stopped with its second invocation unanswered, whose outcome stays unknown.
    stop(running).await;
    assert_eq!(world.committed(0).await, Some(2));
    let running = world.start().await;
    world.wait_committed(0, 4).await;
    let offsets: Vec<i64> = world.function.places().iter().map(|(_, offset)| *offset).collect();
    assert_eq!(offsets, [0, 1, 2, 3, 2, 3]);
    stop(running).await;
}
