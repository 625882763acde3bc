//! Partitions that go, and the end: C52, C55.

use super::*;
use crate::engine::{Uncommitted, log_uncommitted};

#[test]
fn c52_a_revocation_waits_for_the_running_invocation_and_forgets_the_rest() {
    let mut bench = Bench::new(json!({}));
    bench.poll(0, 0..2);
    bench.poll(1, 0..2);
    let (task, _) = bench.one();
    bench.poll(0, 2..4);
    bench.engine.begin_revoke(&[0, 1, 2]);
    assert!(bench.engine.finish_revoke().is_none() && bench.step().is_empty());
    bench.end(task, &failures(&[("t-0", 1)]));
    let uncommitted = bench.engine.finish_revoke().unwrap();
    let positions: BTreeMap<i32, i64> = uncommitted.iter().map(|of| (of.partition, of.position)).collect();
    assert_eq!(positions, [(0, 1), (1, 2)].into(), "the named record is the new owner's");
    assert!(bench.engine.positions().is_empty() && bench.engine.tasks.is_empty());
    bench.poll(0, 4..5);
    assert!(bench.one_step_is_empty(), "nobody's partition");
}

#[test]
fn a_task_over_two_partitions_keeps_the_one_that_stays() {
    let mut bench = Bench::new(json!({}));
    bench.poll(0, 0..2);
    bench.poll(1, 0..2);
    let (task, _) = bench.one();
    bench.end(task, &function_error());
    bench.engine.begin_revoke(&[0]);
    assert_eq!(bench.engine.finish_revoke(), Some(Vec::new()));
    assert_eq!(bench.one_later().1, of(1, 0..2));
}

#[test]
fn c55_after_a_stop_the_running_invocation_counts_and_nothing_begins() {
    let mut bench = Bench::new(json!({}));
    bench.poll(0, 0..2);
    let (task, _) = bench.one();
    bench.poll(0, 2..4);
    bench.engine.stop();
    assert!(!bench.engine.is_idle());
    bench.end(task, &ok());
    assert!(bench.engine.is_idle() && bench.one_step_is_empty());
    assert_eq!(bench.committed()[&0], 2);
}

#[test]
fn what_is_resolved_of_a_partition_that_goes_is_the_rebalances_to_commit() {
    let mut bench = Bench::new(json!({}));
    bench.poll(0, 0..2);
    let (resolved, _) = bench.one();
    bench.poll(1, 0..2);
    let (running, _) = bench.one();
    bench.engine.begin_revoke(&[0, 1]);
    bench.end(resolved, &ok());
    assert!(bench.engine.uncommitted().is_empty(), "by now they may be somebody else's");
    assert!(bench.engine.finish_revoke().is_none(), "one invocation is under way");
    bench.end(running, &ok());
    let positions: Vec<_> =
        bench.engine.finish_revoke().unwrap().iter().map(|of| (of.partition, of.position)).collect();
    assert_eq!(positions, [(0, 2), (1, 2)]);
}

/// C25: what a partition's new owner gets again is told where it was, without a retry left as well: nothing of a partition
/// that goes is given up here.
#[test]
fn c25_each_record_that_is_left_to_the_new_owner_has_a_line() {
    let mut bench = Bench::new(json!({"MaximumRetryAttempts": 0}));
    bench.poll(0, 0..2);
    bench.poll(1, 5..7);
    let (task, _) = bench.one();
    bench.engine.begin_revoke(&[0]);
    let lines = logged(|| bench.end(task, &function_error()));
    let redelivered: Vec<&str> = lines.lines().filter(|line| line.contains("will be redelivered")).collect();
    assert_eq!(redelivered.len(), 2, "those of partition 1 are given up: {lines}");
    for (line, offset) in redelivered.iter().zip(["offset=0", "offset=1"]) {
        for part in ["INFO", "topic=\"t\"", "partition=0", offset, "Unhandled"] {
            assert!(line.contains(part), "{part} in {line}");
        }
    }
    let going = bench.engine.finish_revoke().expect("nothing runs");
    assert!(going.is_empty(), "not committed, so they come again: {going:?}");
}

/// C25: a partial response may resolve what is behind the record that it names, which nobody can commit.
#[test]
fn c25_what_is_resolved_behind_a_record_that_is_not_has_a_line_where_it_goes() {
    for stops in [false, true] {
        let mut bench = Bench::new(json!({}));
        bench.poll(0, 0..4);
        let (task, _) = bench.one();
        bench.end(task, &failures(&[("t-0", 1)]));
        let lines = logged(|| {
            if stops {
                bench.engine.stop();
                bench.engine.finish();
            } else {
                bench.engine.begin_revoke(&[0]);
                bench.engine.finish_revoke();
            }
        });
        let told: Vec<&str> = lines.lines().filter(|line| line.contains("will be redelivered")).collect();
        assert_eq!(told.len(), 2, "the named one has had its line: {lines}");
        for (line, offset) in told.iter().zip(["offset=2", "offset=3"]) {
            for part in ["topic=\"t\"", "partition=0", offset, "a record before it is not"] {
                assert!(line.contains(part), "{part} in {line}");
            }
        }
    }
}

#[test]
fn c25_what_is_resolved_and_not_committed_has_a_line_for_each_partition() {
    let uncommitted =
        [(0, 3, 7), (2, 0, 1)].map(|(partition, committed, position)| Uncommitted { partition, position, committed });
    let lines = logged(|| log_uncommitted("t", &uncommitted, "the commit failed: no"));
    let expected = [["partition=0", "from=3", "to=7"], ["partition=2", "from=0", "to=1"]];
    assert_eq!(lines.lines().count(), expected.len(), "{lines}");
    for (line, place) in lines.lines().zip(expected) {
        for part in place.iter().chain(&["WARN", "topic=\"t\"", "the commit failed: no", "will be redelivered"]) {
            assert!(line.contains(part), "{part} in {line}");
        }
    }
}

/// What `run` logs, from INFO on; no more than a pipe holds.
fn logged(run: impl FnOnce()) -> String {
    let (mut lines, writer) = std::io::pipe().unwrap();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(Arc::new(writer)).finish();
    tracing::subscriber::with_default(subscriber, run);
    std::io::read_to_string(&mut lines).unwrap()
}
