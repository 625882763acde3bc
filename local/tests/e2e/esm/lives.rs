//! Ends of all kinds: SIGTERM in the middle of a batch, SIGKILL at any point, a process that stands still for longer than
//! its session. Nothing is lost, nothing is skipped, and what was committed never comes again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::json;

use super::function::Gate;
use super::{Call, Reply, World, eventually};

/// Records of a partition in the long run, of which there are three.
const RECORDS: i64 = 3_334;
/// How often somebody is killed in it.
const KILLS: usize = 4;

#[tokio::test(flavor = "multi_thread")]
async fn c55_a_terminated_mapping_ends_its_invocation_commits_and_exits_with_0() {
    let gate = Gate::closed();
    let held = gate.clone();
    let world = World::new("terminated", move |_, _| Reply::ok().behind(&held)).await.set("BatchSize", 2);
    world.write_many(0, 6).await;
    let mut esm = world.start().await;
    world.function.wait_calls(1).await;
    esm.signal(Signal::SIGTERM);
    assert!(tokio::time::timeout(Duration::from_secs(2), esm.child.wait()).await.is_err(), "it waits for the answer");
    gate.open();
    let (status, stdout, stderr) = esm.ended().await;
    assert_eq!(status.code(), Some(0), "{stderr}");
    let last: serde_json::Value = serde_json::from_str(stdout.last().unwrap()).unwrap();
    assert_eq!((&last["metrics"]["InvokedEventCount"], &last["metrics"]["MaxOffsetLag"]), (&json!(2), &json!(4)));
    assert_eq!((world.function.calls().len(), world.committed(0).await), (1, Some(2)));
    let esm = world.start().await;
    world.wait_committed(0, 6).await;
    assert_eq!(world.function.places().len(), 6, "the rest comes with the next start, and only the rest");
    esm.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c50_a_killed_mapping_redelivers_what_was_not_committed_and_nothing_else() {
    let gate = Gate::closed();
    let held = gate.clone();
    let world =
        World::new("killed", move |number, _| if number == 1 { Reply::ok().behind(&held) } else { Reply::ok() });
    let world = world.await.set("BatchSize", 2);
    world.write_many(0, 4).await;
    let esm = world.start().await;
    world.wait_committed(0, 2).await;
    world.function.wait_calls(2).await;
    // The second invocation is under way: nobody is left to hear its end.
    esm.kill().await;
    gate.open();
    let esm = world.start().await;
    world.wait_committed(0, 4).await;
    let offsets: Vec<i64> = world.function.places().iter().map(|(_, offset)| *offset).collect();
    assert_eq!(offsets, [0, 1, 2, 3, 2, 3]);
    esm.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c52_a_mapping_that_stood_still_gives_way_to_the_new_owner() {
    let gate = Gate::closed();
    let held = gate.clone();
    let world =
        World::new("frozen", move |number, _| if number == 0 { Reply::ok().behind(&held) } else { Reply::ok() });
    let world = world.await.set("BatchSize", 5);
    world.write_many(0, 10).await;
    let frozen = world.start().await;
    world.function.wait_calls(1).await;
    frozen.signal(Signal::SIGSTOP);
    let owner = world.start().await;
    world.wait_committed(0, 10).await;
    // It wakes up with the answer to its invocation before it, and no right to commit it any more.
    gate.open();
    frozen.signal(Signal::SIGCONT);
    // What it resolved is told as lost or refused, and once it is a member again nothing of that is to come.
    let left = ["will be redelivered", "partition=0", "from=0", "to=5"];
    frozen.says("what it leaves", 1, |line| left.iter().all(|part| line.contains(part))).await;
    frozen.says("a member again", 2, |line| line.contains("partitions assigned")).await;
    assert_eq!(world.committed(0).await, Some(10), "no commit goes back");
    world.write_many(0, 10).await;
    world.wait_committed(0, 20).await;
    frozen.stop().await;
    owner.stop().await;
    assert_eq!(world.committed(0).await, Some(20));
    let mut first = Vec::new();
    for (_, offset) in world.function.places() {
        if !first.contains(&offset) {
            first.push(offset);
        }
    }
    assert_eq!(first, (0..20).collect::<Vec<_>>(), "nothing is skipped");
}

/// What the function of the long run remembers: which offsets it saw, in their order, and which of them it resolved.
#[derive(Default)]
struct Seen {
    first: BTreeMap<String, Vec<i64>>,
    resolved: BTreeMap<String, BTreeSet<i64>>,
}

impl Seen {
    fn see(&mut self, call: &Call) {
        for (key, offsets) in call.offsets() {
            let first = self.first.entry(key).or_default();
            for offset in offsets {
                if first.last().is_none_or(|last| offset > *last) {
                    first.push(offset);
                }
            }
        }
    }

    fn resolve(&mut self, call: &Call, but: &[(String, i64)]) {
        for (key, offsets) in call.offsets() {
            let done = offsets.into_iter().filter(|offset| !but.contains(&(key.clone(), *offset)));
            self.resolved.entry(key.clone()).or_default().extend(done);
        }
    }
}

/// Fails at random, in every way that leaves a batch to come again.
fn answer(random: &mut fastrand::Rng, seen: &mut Seen, call: &Call) -> Reply {
    seen.see(call);
    match random.u8(0..12) {
        0 => Reply::error(),
        1 => Reply::status(500),
        2 => Reply::cut(),
        3 => Reply::failures(&[("elsewhere-0", 1)]),
        4 | 5 => {
            // Some records of some partitions.
            let places = call.offsets().into_iter().flat_map(|(key, offsets)| {
                offsets.into_iter().map(move |offset| (key.clone(), offset)).collect::<Vec<_>>()
            });
            let failed: Vec<(String, i64)> = places.filter(|_| random.u8(0..8) == 0).collect();
            seen.resolve(call, &failed);
            Reply::failures(&failed.iter().map(|(key, offset)| (key.as_str(), *offset)).collect::<Vec<_>>())
        }
        _ => {
            seen.resolve(call, &[]);
            Reply::ok().after(Duration::from_millis(random.u64(0..40)))
        }
    }
}

/// How many records a partition has after a stage: all of them after the last.
fn written(stage: usize) -> usize {
    usize::try_from(RECORDS).unwrap() * stage / KILLS
}

/// Ten thousand records, random failures by a seed, two members of one group of which one after the other is killed.
async fn long_run(pbr: &str, seed: u64) {
    eprintln!("seed {seed}");
    let seen = Arc::new(Mutex::new(Seen::default()));
    let (told, random) = (Arc::clone(&seen), Mutex::new(fastrand::Rng::with_seed(seed)));
    let world = World::new("run", move |_, call| answer(&mut random.lock().unwrap(), &mut told.lock().unwrap(), call));
    let world = world.await.set("Emulator.pbr", pbr).set("BisectBatchOnFunctionError", seed.is_multiple_of(2));
    let mut members = vec![world.start().await, world.start().await];
    let mut kills = fastrand::Rng::with_seed(seed);
    for stage in 1..=KILLS {
        for partition in 0..3 {
            world.write_many(partition, written(stage) - written(stage - 1)).await;
        }
        let calls = world.function.calls().len() + kills.usize(1..8);
        eventually("something happens", async || world.function.calls().len() > calls).await;
        members.remove(0).kill().await;
        members.push(world.start().await);
    }
    // One leaves in good order, and the group is formed once more. Members that die soon after one another are missed
    // together, and then the embedded broker may leave their partitions to nobody until somebody joins or leaves.
    let last = members.pop().unwrap();
    for member in members {
        assert_eq!(member.stop().await["DroppedEventCount"], 0);
    }
    for partition in 0..3 {
        world.wait_committed(partition, RECORDS).await;
    }
    assert_eq!(last.stop().await["DroppedEventCount"], 0);
    let seen = seen.lock().unwrap();
    for partition in 0..3 {
        let key = world.key(partition);
        let all: Vec<i64> = (0..RECORDS).collect();
        assert_eq!(seen.first[&key], all, "seed {seed}: first deliveries ascend, and none is skipped");
        assert_eq!(seen.resolved[&key], all.into_iter().collect(), "seed {seed}: every record is resolved");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c57_whatever_is_killed_and_fails_everything_is_resolved_in_order_selective() {
    long_run("selective", seed()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c57_whatever_is_killed_and_fails_everything_is_resolved_in_order_resume() {
    long_run("resume", seed()).await;
}

/// A new one each time, shown by a test that fails, and given back by `ESM_SEED`.
fn seed() -> u64 {
    let given = std::env::var("ESM_SEED").ok();
    given.map_or_else(|| fastrand::u64(..), |seed| seed.parse().expect("ESM_SEED is a number"))
}
