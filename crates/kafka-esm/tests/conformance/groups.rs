//! Groups, starting positions, rebalances and the end: C48 to C55. What happens to a mapping that is killed as a process
//! is `local/tests/e2e/esm/`.

use std::time::Duration;

use serde_json::json;

use crate::support::world::{Entry, stop, stop_member};
use crate::support::{Gate, Reply, World, broker, eventually};

/// Scaled down: a session of six seconds, the shortest that Kafka allows, and no longer between two polls.
const SHORT: [(&str, &str); 3] =
    [("session.timeout.ms", "6000"), ("heartbeat.interval.ms", "1000"), ("max.poll.interval.ms", "6000")];

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

/// Each partition has its own first record of a time: of the first one the time is a record's own, in the second it lies
/// between two, and in the third there is nothing so late.
#[tokio::test(flavor = "multi_thread")]
async fn c49_a_start_at_a_time_begins_with_the_first_record_of_that_time_on_each_partition() {
    const SECONDS: [&[i64]; 3] = [&[100, 150, 200, 300], &[10, 20, 30, 149, 151], &[50, 149]];
    const FIRST: [i64; 3] = [1, 4, 2];
    let world = World::new(|_, _| Reply::ok()).await;
    for (partition, seconds) in (0..).zip(SECONDS) {
        for second in seconds {
            world.write(Entry { timestamp: Some(second * 1000), ..text(partition, "x") }).await;
        }
    }
    let world = world.set("StartingPosition", "AT_TIMESTAMP").set("StartingPositionTimestamp", 150);
    let running = world.start().await;
    // Behind everything, and the only one of the third partition.
    for partition in 0..3 {
        world.write(Entry { timestamp: Some(400_000), ..text(partition, "new") }).await;
    }
    for (partition, (seconds, first)) in (0..).zip(SECONDS.into_iter().zip(FIRST)) {
        let end = i64::try_from(seconds.len()).unwrap() + 1;
        world.wait_committed(partition, end).await;
        let of_partition = world.function.places().into_iter().filter(|(key, _)| *key == world.key(partition));
        let offsets: Vec<i64> = of_partition.map(|(_, offset)| offset).collect();
        assert_eq!(offsets, (first..end).collect::<Vec<_>>(), "partition {partition}");
    }
    stop(running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c49_every_starting_position_holds_for_each_partition() {
    for (position, expected) in [("TRIM_HORIZON", vec![0, 1, 2]), ("LATEST", vec![2])] {
        let world = World::new(|_, _| Reply::ok()).await.set("StartingPosition", position);
        for partition in 0..3 {
            world.write_many(partition, 2).await;
        }
        let running = world.start().await;
        for partition in 0..3 {
            world.write(text(partition, "new")).await;
            world.wait_committed(partition, 3).await;
        }
        for partition in 0..3 {
            let of_partition = world.function.places().into_iter().filter(|(key, _)| *key == world.key(partition));
            assert_eq!(of_partition.map(|(_, offset)| offset).collect::<Vec<_>>(), expected, "{position}");
        }
        stop(running).await;
    }
}

/// The embedded broker adds no partitions to a topic, so only Kafka shows it.
#[tokio::test(flavor = "multi_thread")]
async fn c49_partitions_added_while_it_runs_are_read_from_their_start() {
    if broker::is_embedded() {
        return;
    }
    let world = World::new(|_, _| Reply::ok()).await.set("StartingPosition", "LATEST");
    world.write_many(0, 2).await;
    // It looks for new partitions ten times as often as it does by itself.
    let running = world.start_with(&[("topic.metadata.refresh.interval.ms", "1000")]).await;
    world.grow(4).await;
    // Before the mapping has heard of the partition.
    world.write_many(3, 2).await;
    world.wait_committed(3, 2).await;
    world.write(text(0, "new")).await;
    world.wait_committed(0, 3).await;
    let mut places = world.function.places();
    places.sort();
    assert_eq!(
        places,
        [(world.key(0), 2), (world.key(3), 0), (world.key(3), 1)],
        "the older ones of the old stay unread"
    );
    stop_member(running).await;
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
    let (first, second) = (stop_member(first).await, stop_member(second).await);
    assert!(first.polled_event_count < 60 && second.polled_event_count < 60, "each has a part");
    assert_eq!(first.polled_event_count + second.polled_event_count, 60, "and nothing comes twice");
    stop_member(third).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c51_a_member_beyond_the_partitions_is_ready_and_waits_for_one() {
    let world = World::with_topic("t", 1, |_, _| Reply::ok()).await;
    let first = world.start().await;
    let second = world.start().await;
    world.write_many(0, 5).await;
    world.wait_committed(0, 5).await;
    let counts = [first.metrics().await.polled_event_count, second.metrics().await.polled_event_count];
    assert!(counts == [5, 0] || counts == [0, 5], "{counts:?}");
    let (busy, idle) = if counts == [5, 0] { (first, second) } else { (second, first) };
    stop_member(busy).await;
    world.write_many(0, 5).await;
    world.wait_committed(0, 10).await;
    assert_eq!(stop_member(idle).await.polled_event_count, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn c52_a_rebalance_waits_for_the_running_invocation_and_skips_nothing() {
    let gate = Gate::closed();
    let held = gate.clone();
    let world = World::new(move |number, _| match number {
        0 => Reply::ok().behind(&held),
        _ => Reply::ok(),
    });
    let world = world.await.set("BatchSize", 5).set("Emulator.function_timeout_seconds", 60);
    world.write_many(0, 20).await;
    let first = world.start().await;
    world.wait_calls(1).await;
    let joining = world.start();
    tokio::pin!(joining);
    // The group cannot be complete while the first member holds on to its invocation.
    assert!(tokio::time::timeout(Duration::from_secs(3), &mut joining).await.is_err());
    gate.open();
    let second = joining.await;
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
    stop_member(first).await;
    stop_member(second).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c52_a_partition_that_is_lost_is_left_to_its_new_owner() {
    let gate = Gate::closed();
    let held = gate.clone();
    let world = World::new(move |number, _| match number {
        0 => Reply::ok().behind(&held),
        _ => Reply::ok(),
    });
    let world = world.await.set("BatchSize", 5).set("Emulator.function_timeout_seconds", 60);
    world.write_many(0, 10).await;
    let first = world.start_with(&SHORT).await;
    world.wait_calls(1).await;
    // A newcomer asks for a rebalance, which the first member holds for longer than a member may be silent.
    let second = world.start_with(&SHORT).await;
    world.wait_committed(0, 10).await;
    let calls = world.function.calls();
    assert_eq!(calls[1].event, calls[0].event, "the new owner redelivers what nobody has committed");
    assert!(calls[0].ended.is_none());
    gate.open();
    eventually("the late answer", async || world.function.calls()[0].ended.is_some()).await;
    let metrics = stop_member(first).await;
    assert_eq!(metrics.committed_event_count, 0, "nothing of what was no longer its own");
    world.write_many(0, 5).await;
    world.wait_committed(0, 15).await;
    let offsets: Vec<i64> = world.function.places().iter().map(|(_, offset)| *offset).collect();
    let expected: Vec<i64> = (0..5).chain(0..15).collect();
    assert_eq!(offsets, expected, "and nothing is skipped or comes a third time");
    stop_member(second).await;
}

/// A pause outlives a rebalance in the client, and the lane that asked for it does not.
#[tokio::test(flavor = "multi_thread")]
async fn c52_a_partition_that_was_paused_is_fetched_again_when_it_comes_back() {
    const RECORDS: usize = 25_000;
    let (first_gate, later_gate) = (Gate::closed(), Gate::closed());
    let gates = (first_gate.clone(), later_gate.clone());
    let world = World::new(move |number, _| Reply::ok().behind(if number == 0 { &gates.0 } else { &gates.1 }));
    let world = world.await.set("BatchSize", 1_000).set("Emulator.function_timeout_seconds", 60);
    world.write_many(0, RECORDS).await;
    // It hears soon that somebody joins.
    let first = world.start_with(&[("heartbeat.interval.ms", "200")]).await;
    world.wait_calls(1).await;
    let polled = async || first.metrics().await.polled_event_count;
    eventually("as much waits as may", async || polled().await >= 10_000).await;
    // For longer than a full lane is only held.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(polled().await < u64::try_from(RECORDS).unwrap(), "it was not paused");
    let joining = world.start();
    tokio::pin!(joining);
    assert!(tokio::time::timeout(Duration::from_secs(2), &mut joining).await.is_err(), "the rebalance is held");
    first_gate.open();
    let second = joining.await;
    // Whoever has the partition now is in its second invocation; then it is the first member's again, if it was not.
    tokio::join!(stop_member(second), async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        later_gate.open();
    });
    world.wait_committed(0, i64::try_from(RECORDS).unwrap()).await;
    let mut places = world.function.places();
    places.sort();
    places.dedup();
    assert_eq!(places.len(), RECORDS, "nothing is skipped");
    stop_member(first).await;
}

/// Scaled from 14 minutes: what matters is that it is longer than a session and than the time between two polls.
#[tokio::test(flavor = "multi_thread")]
async fn c53_an_invocation_longer_than_session_and_poll_interval_keeps_the_membership() {
    let world = World::new(|_, _| Reply::ok().after(Duration::from_secs(14))).await;
    let world = world.set("Emulator.function_timeout_seconds", 30);
    world.write_many(0, 2).await;
    let running = world.start_with(&SHORT).await;
    world.wait_committed(0, 2).await;
    assert_eq!(world.function.calls().len(), 1, "no redelivery");
    let metrics = stop(running).await;
    assert_eq!((metrics.commit_error_count, metrics.polling_error_count, metrics.sum_offset_lag), (0, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn c55_a_stop_lets_the_running_invocation_end_and_commits_it() {
    let gate = Gate::closed();
    let held = gate.clone();
    let world = World::new(move |_, _| Reply::ok().behind(&held)).await.set("BatchSize", 2);
    world.write_many(0, 6).await;
    let running = world.start().await;
    world.wait_calls(1).await;
    let stopping = stop(running);
    tokio::pin!(stopping);
    assert!(tokio::time::timeout(Duration::from_secs(1), &mut stopping).await.is_err(), "it waits for the answer");
    gate.open();
    let metrics = stopping.await;
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
    let gate = Gate::closed();
    let world = World::new(move |number, _| if number == 1 { Reply::ok().behind(&gate) } else { Reply::ok() }).await;
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

/// The embedded broker answers a fetch of what it does not have with nothing, so only Kafka shows it.
#[tokio::test(flavor = "multi_thread")]
async fn c48_what_retention_takes_from_a_blocked_partition_is_a_gap_and_the_rest_goes_on() {
    const RECORDS: i64 = 45_000;
    const KEPT: i64 = 500;
    if broker::is_embedded() {
        return;
    }
    let gate = Gate::closed();
    let held = gate.clone();
    let world = World::new(move |number, _| if number == 0 { Reply::ok().behind(&held) } else { Reply::ok() });
    let world = world.await.set("BatchSize", 1_000).set("Emulator.function_timeout_seconds", 60);
    world.write_many(0, usize::try_from(RECORDS).unwrap()).await;
    let running = world.start().await;
    world.wait_calls(1).await;
    eventually("as much waits as may", async || running.metrics().await.polled_event_count >= 10_000).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.delete_records(0, RECORDS - KEPT).await;
    gate.open();
    world.wait_committed(0, RECORDS).await;
    let mut offsets: Vec<i64> = world.function.places().iter().map(|(_, offset)| *offset).collect();
    assert!(offsets.is_sorted_by(|one, next| one < next), "in order, and once");
    let after = offsets.split_off(offsets.iter().position(|offset| *offset >= RECORDS - KEPT).unwrap());
    assert_eq!(after, (RECORDS - KEPT..RECORDS).collect::<Vec<_>>(), "what is there is delivered");
    let polled = i64::try_from(offsets.len()).unwrap();
    assert_eq!(offsets, (0..polled).collect::<Vec<_>>(), "what was polled before it went is delivered as well");
    assert!(polled < RECORDS - KEPT, "nothing was lost, so the test shows nothing");
    stop_member(running).await;
}

/// See above.
#[tokio::test(flavor = "multi_thread")]
async fn c48_a_topic_that_is_made_anew_is_read_from_its_start() {
    if broker::is_embedded() {
        return;
    }
    let world = World::new(|_, _| Reply::ok()).await;
    world.write_many(0, 100).await;
    let running = world.start().await;
    world.wait_committed(0, 100).await;
    world.make_anew().await;
    world.write_many(0, 3).await;
    eventually("the new records are delivered", async || world.function.places().len() >= 103).await;
    world.wait_committed(0, 3).await;
    let offsets: Vec<i64> = world.function.places().iter().map(|(_, offset)| *offset).collect();
    assert_eq!(offsets, (0..100).chain(0..3).collect::<Vec<_>>());
    stop_member(running).await;
}
