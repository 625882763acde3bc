//! What makes a batch, and how much is held: C07, C12 to C14, C16, C46, C47.

use super::*;

#[test]
fn c07_partitions_of_one_poller_share_a_batch() {
    let mut bench = Bench::new(json!({}));
    for partition in 0..3 {
        bench.poll(partition, 0..2);
    }
    assert_eq!(bench.one().1, [(0, vec![0, 1]), (1, vec![0, 1]), (2, vec![0, 1])].into());
}

#[test]
fn partitions_of_different_pollers_never_share_a_batch() {
    let mut bench = Bench::new(json!({"ProvisionedPollerConfig": {"MinimumPollers": 3, "MaximumPollers": 3}}));
    for partition in 0..3 {
        bench.poll(partition, 0..2);
    }
    let begun: Vec<_> = bench.step().into_iter().map(|(_, offsets)| offsets).collect();
    assert_eq!(begun, [of(0, [0, 1]), of(1, [0, 1]), of(2, [0, 1])]);
}

#[test]
fn c12_the_window_starts_with_the_first_record() {
    let mut bench = Bench::new(json!({"MaximumBatchingWindowInSeconds": 1}));
    let start = bench.now.instant;
    for offset in 0..3 {
        bench.poll(0, offset..offset + 1);
        let (actions, wake) = bench.engine.next(bench.now);
        assert!(actions.is_empty());
        assert_eq!(wake, Some(start + Duration::from_secs(1)));
        bench.pass(Duration::from_millis(300));
    }
    bench.pass(Duration::from_millis(100));
    assert_eq!(bench.one().1, of(0, 0..3));
}

#[test]
fn c13_a_full_batch_does_not_wait_and_the_rest_does() {
    let mut bench = Bench::new(json!({"BatchSize": 10, "MaximumBatchingWindowInSeconds": 5}));
    bench.poll(0, 0..25);
    for expected in [0..10, 10..20] {
        let (task, offsets) = bench.one();
        assert_eq!(offsets, of(0, expected));
        assert!(bench.step().is_empty(), "one at a time");
        bench.end(task, &ok());
    }
    assert!(bench.step().is_empty(), "5 records wait for the window");
    bench.pass(Duration::from_secs(5));
    assert_eq!(bench.one().1, of(0, 20..25));
}

#[test]
fn c14_a_batch_ends_before_the_record_that_does_not_fit() {
    let mut bench = Bench::new(json!({"MaximumBatchingWindowInSeconds": 300, "BatchSize": 10_000}));
    let records = (0..7).map(|offset| Polled::Record(bench.record(0, offset, 2_500_000))).collect();
    bench.engine.polled(records);
    let mut seen = Vec::new();
    for _ in 0..3 {
        let (actions, _) = bench.engine.next(bench.now);
        let [Action::Invoke { task, body }] = &actions[..] else { panic!("{actions:?}") };
        assert!(body.len() <= PAYLOAD_BYTES_MAX, "{}", body.len());
        seen.extend(offsets(&bench.engine.tasks[task].records).remove(&0).unwrap());
        bench.engine.invoked(*task, &ok(), bench.now, 0.5);
    }
    assert_eq!(seen, [0, 1, 2, 3, 4, 5], "two a batch, in order; the last waits for its window");
    assert!(bench.step().is_empty());
}

#[test]
fn the_weight_of_a_batch_is_what_its_event_weighs() {
    let bench = Bench::new(json!({}));
    let settings = &bench.engine.settings;
    let records: Vec<Record> = [(0, 1), (0, 2), (1, 7), (2, 1), (2, 3)].map(|(p, o)| bench.record(p, o, 33)).into();
    let mut weight = crate::payload::Weight::empty(settings);
    let mut last = None;
    for record in &records {
        weight = weight.plus(settings, record, last != Some(record.partition));
        last = Some(record.partition);
    }
    let written = crate::payload::event(settings, &records).len();
    assert!(weight.bytes() >= written && weight.bytes() - written <= 1, "{} for {written}", weight.bytes());
}

#[test]
fn c16_an_invocation_under_way_blocks_its_partition_alone() {
    let mut bench = Bench::new(json!({}));
    bench.poll(0, 0..2);
    let (slow, _) = bench.one();
    bench.poll(0, 2..4);
    bench.poll(1, 0..2);
    let (quick, offsets) = bench.one();
    assert_eq!(offsets, of(1, 0..2), "and nothing of partition 0");
    bench.end(quick, &ok());
    assert_eq!(bench.committed(), [(0, 0), (1, 2), (2, 0)].into());
    bench.end(slow, &ok());
    assert_eq!(bench.one().1, of(0, 2..4));
}

#[test]
fn a_poller_has_five_invocations_at_a_time() {
    let mut bench = Bench::new(json!({}));
    bench.engine.assign(&(0..8).map(|partition| (partition, 0)).collect::<Vec<_>>());
    let mut tasks = Vec::new();
    for partition in 0..8 {
        bench.poll(partition, 0..1);
        tasks.extend(bench.step());
    }
    assert_eq!(tasks.len(), 5);
    bench.end(tasks[0].0, &ok());
    assert_eq!(bench.one().1, [(5, vec![0]), (6, vec![0]), (7, vec![0])].into());
}

#[test]
fn c46_a_batch_that_is_filtered_away_is_committed_without_an_invocation() {
    let mut bench = Bench::new(json!({}));
    bench.engine.polled((0..5).map(|offset| Polled::FilteredOut { partition: 0, offset }).collect());
    assert!(bench.step().is_empty());
    assert_eq!((bench.metrics().filtered_out_event_count, bench.committed()[&0]), (5, 5));
}

#[test]
fn a_partition_with_too_much_waiting_for_long_is_paused_until_little_enough_waits() {
    let mut bench = Bench::new(json!({"BatchSize": 5000}));
    bench.poll(0, 0..17_500);
    let (task, _) = bench.one();
    let until = bench.now.instant + Duration::from_millis(50);
    let held = Flow { hold_until: Some(until), ..Flow::default() };
    assert_eq!(bench.engine.flow(bench.now.instant), held, "12,500 wait, of at most 10,000");
    bench.pass(Duration::from_millis(30));
    assert_eq!(bench.engine.flow(bench.now.instant), held, "since then");
    bench.pass(Duration::from_millis(20));
    assert_eq!(bench.engine.flow(bench.now.instant).pause, [0]);
    assert_eq!(bench.engine.flow(bench.now.instant), Flow::default(), "said once");
    bench.end(task, &ok());
    let (task, _) = bench.one();
    assert_eq!(bench.engine.flow(bench.now.instant), Flow::default(), "7,500 wait");
    bench.end(task, &ok());
    bench.one();
    assert_eq!(bench.engine.flow(bench.now.instant).resume, [0], "2,500 wait");
}

#[test]
fn a_partition_that_a_quick_function_relieves_is_never_paused() {
    let mut bench = Bench::new(json!({"BatchSize": 5000}));
    bench.poll(0, 0..17_500);
    for _ in 0..2 {
        let (task, _) = bench.one();
        bench.engine.flow(bench.now.instant);
        bench.pass(Duration::from_millis(49));
        bench.end(task, &ok());
    }
    assert_eq!(bench.engine.flow(bench.now.instant), Flow::default(), "7,500 wait, and nothing has to be held");
}

#[test]
fn a_record_that_comes_twice_is_taken_once() {
    let mut bench = Bench::new(json!({}));
    bench.poll(0, 0..3);
    bench.poll(0, 1..4);
    assert_eq!(bench.one().1, of(0, 0..4));
    assert_eq!(bench.metrics().polled_event_count, 4);
}

#[test]
fn c47_a_filtered_record_is_not_of_the_batch() {
    let mut bench = Bench::new(json!({}));
    bench.poll(0, 0..1);
    bench.engine.polled(vec![Polled::FilteredOut { partition: 0, offset: 1 }]);
    bench.poll(0, 2..3);
    let (task, offsets) = bench.one();
    assert_eq!(offsets, of(0, [0, 2]));
    bench.end(task, &failures(&[("t-0", 1)]));
    assert_eq!(bench.committed()[&0], 0);
    assert_eq!(bench.one_later().1, of(0, [0, 2]), "the whole batch");
}
