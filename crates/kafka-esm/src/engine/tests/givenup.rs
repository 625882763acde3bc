//! Records that are given up, halves and ages: C15, C32 to C34, C36 to C40, C44, C58.

use super::*;

#[test]
fn c15_a_record_that_cannot_fit_leaves_and_the_next_goes_on() {
    let mut bench = Bench::new(json!({"DestinationConfig": Bench::sqs()}));
    let huge = Polled::Record(bench.record(0, 0, PAYLOAD_BYTES_MAX));
    bench.engine.polled(vec![huge]);
    bench.poll(0, 1..3);
    assert!(bench.step().is_empty(), "the partition waits for the destination");
    let (task, told) = bench.delivering.pop_first().unwrap();
    assert_eq!(told, (of(0, [0]), "MaximumPayloadSizeExceeded".to_owned()));
    bench.engine.delivered(task, 1, 0);
    assert_eq!(bench.one().1, of(0, 1..3));
    assert_eq!(bench.metrics().on_failure_destination_delivered_event_count, 1);
}

#[test]
fn c15_without_a_destination_the_record_is_dropped_and_the_next_goes_on() {
    let mut bench = Bench::new(json!({}));
    let huge = Polled::Record(bench.record(0, 0, PAYLOAD_BYTES_MAX));
    bench.engine.polled(vec![huge]);
    bench.poll(0, 1..3);
    assert_eq!(bench.one().1, of(0, 1..3));
    assert!(bench.delivering.is_empty());
    let metrics = bench.metrics();
    assert_eq!((metrics.dropped_event_count, metrics.invoked_event_count, bench.committed()[&0]), (1, 2, 1));
}

#[test]
fn c32_without_retries_and_destination_the_engine_drops_a_failed_batch() {
    let mut bench = Bench::new(json!({"MaximumRetryAttempts": 0}));
    bench.poll(0, 0..3);
    let (task, _) = bench.one();
    bench.end(task, &function_error());
    assert!(bench.step().is_empty());
    assert_eq!((bench.metrics().dropped_event_count, bench.committed()[&0]), (3, 3));
    bench.poll(0, 3..4);
    assert_eq!(bench.one().1, of(0, [3]));
}

#[test]
fn c33_c58_an_exhausted_batch_is_delivered_before_it_is_committed() {
    let mut bench = Bench::new(json!({"MaximumRetryAttempts": 3, "DestinationConfig": Bench::sqs()}));
    bench.poll(0, 0..2);
    let (mut task, _) = bench.one();
    for _ in 0..3 {
        bench.end(task, &function_error());
        task = bench.one_later().0;
    }
    bench.end(task, &function_error());
    bench.pass(Duration::from_secs(40));
    assert!(bench.step().is_empty());
    let (id, told) = bench.delivering.pop_first().unwrap();
    assert_eq!(told, (of(0, 0..2), "RetryAttemptsExhausted".to_owned()));
    assert_eq!(bench.engine.tasks[&id].invokes, 4);
    assert_eq!(bench.committed()[&0], 0, "not before the destination has it");
    bench.engine.delivered(id, 2, 0);
    assert_eq!(bench.committed()[&0], 2);
    let metrics = bench.metrics();
    assert_eq!((metrics.polled_event_count, metrics.invoked_event_count, metrics.failed_invoke_event_count), (2, 8, 8));
    assert_eq!((metrics.on_failure_destination_delivered_event_count, metrics.dropped_event_count), (2, 0));
}

#[test]
fn c34_for_ever_with_a_destination_is_eleven_invocations() {
    for (destination, eleven_are_all) in [(true, true), (false, false)] {
        let changes = if destination { json!({"DestinationConfig": Bench::sqs()}) } else { json!({}) };
        let mut bench = Bench::new(changes);
        bench.poll(0, 0..1);
        let (mut task, _) = bench.one();
        for _ in 0..10 {
            bench.end(task, &function_error());
            task = bench.one_later().0;
        }
        bench.end(task, &function_error());
        bench.pass(Duration::from_secs(40));
        assert_eq!(bench.step().is_empty(), eleven_are_all);
        assert_eq!(bench.delivering.len(), usize::from(destination));
    }
}

/// Eight records over two partitions and a function that fails whatever holds offset 2 of the first, to the end: what the
/// destination was given.
fn bisect(bench: &mut Bench) -> Vec<(Offsets, String)> {
    bench.poll(0, 0..4);
    bench.poll(1, 0..4);
    let poison = (0, 2);
    let mut alone = 0;
    let mut done: Offsets = Offsets::new();
    let mut given = Vec::new();
    for _ in 0..60 {
        for (task, offsets) in bench.step() {
            if offsets.get(&poison.0).is_some_and(|offsets| offsets.contains(&poison.1)) {
                alone += usize::from(offsets.values().map(Vec::len).sum::<usize>() == 1);
                bench.end(task, &function_error());
            } else {
                for (partition, offsets) in offsets {
                    done.entry(partition).or_default().extend(offsets);
                }
                bench.end(task, &ok());
            }
        }
        while let Some((task, told)) = bench.delivering.pop_first() {
            bench.engine.delivered(task, 1, 0);
            given.push(told);
        }
        bench.pass(Duration::from_secs(40));
    }
    assert_eq!(alone, 3, "the first invocation alone and two retries");
    assert_eq!(done, [(0, vec![0, 1, 3]), (1, vec![0, 1, 2, 3])].into(), "in order");
    assert_eq!(bench.committed(), [(0, 4), (1, 4), (2, 0)].into());
    given
}

#[test]
fn c36_c38_bisecting_leaves_the_poison_alone() {
    let changes =
        json!({"MaximumRetryAttempts": 2, "BisectBatchOnFunctionError": true, "DestinationConfig": Bench::sqs()});
    let mut bench = Bench::new(changes);
    assert_eq!(bisect(&mut bench), [(of(0, [2]), "RetryAttemptsExhausted".to_owned())]);
    assert_eq!(bench.metrics().dropped_event_count, 0);
}

#[test]
fn c36_without_a_destination_the_poison_alone_is_dropped() {
    let mut bench = Bench::new(json!({"MaximumRetryAttempts": 2, "BisectBatchOnFunctionError": true}));
    assert_eq!(bisect(&mut bench), []);
    assert_eq!(bench.metrics().dropped_event_count, 1);
}

#[test]
fn a_half_waits_only_for_a_half_that_shares_its_partition() {
    let mut bench = Bench::new(json!({"BisectBatchOnFunctionError": true}));
    bench.poll(0, 0..2);
    bench.poll(1, 0..2);
    let (task, _) = bench.one();
    bench.end(task, &function_error());
    let begun = bench.step();
    assert_eq!(begun.iter().map(|(_, offsets)| offsets.clone()).collect::<Vec<_>>(), [of(0, 0..2), of(1, 0..2)]);
    bench.end(begun[0].0, &function_error());
    assert_eq!(bench.one().1, of(0, [0]), "its second half waits for the first");
}

#[test]
fn c37_a_partial_response_never_halves() {
    let mut bench = Bench::new(json!({"BisectBatchOnFunctionError": true}));
    bench.poll(0, 0..4);
    let (task, _) = bench.one();
    bench.end(task, &failures(&[("t-0", 1), ("t-0", 2), ("t-0", 3)]));
    assert_eq!(bench.one_later().1, of(0, 1..4));
}

#[test]
fn c39_c40_records_leave_when_they_are_too_old_and_the_others_go_on() {
    let mut bench = Bench::new(json!({"MaximumRecordAgeInSeconds": 60}));
    let old = Record { timestamp: bench.now.unix_millis - 61_000, ..bench.record(0, 0, 10) };
    let aging = Record { timestamp: bench.now.unix_millis - 30_000, ..bench.record(0, 1, 10) };
    bench.engine.polled(vec![Polled::Record(old), Polled::Record(aging)]);
    bench.poll(0, 2..3);
    let (task, offsets) = bench.one();
    assert_eq!(offsets, of(0, [1, 2]));
    assert_eq!((bench.metrics().dropped_event_count, bench.committed()[&0]), (1, 1));
    bench.end(task, &function_error());
    let (task, offsets) = bench.one_later();
    assert_eq!(offsets, of(0, [2]), "the second one has aged during the back-off");
    bench.end(task, &ok());
    assert_eq!((bench.metrics().dropped_event_count, bench.committed()[&0]), (2, 3));
}

#[test]
fn c44_a_destination_that_takes_nothing_costs_the_records() {
    let mut bench = Bench::new(json!({"MaximumRetryAttempts": 0, "DestinationConfig": Bench::sqs()}));
    bench.poll(0, 0..3);
    let (task, _) = bench.one();
    bench.end(task, &function_error());
    assert!(bench.step().is_empty());
    let (task, _) = bench.delivering.pop_first().unwrap();
    bench.engine.delivered(task, 0, 1);
    let metrics = bench.metrics();
    assert_eq!((metrics.destination_delivery_failures, metrics.dropped_event_count), (1, 3));
    assert_eq!(bench.committed()[&0], 3);
}

#[test]
fn a_413_halves_a_batch_and_gives_up_a_single_record() {
    let mut bench = Bench::new(json!({}));
    bench.poll(0, 0..2);
    let (task, _) = bench.one();
    bench.end(task, &answer(413, None, ""));
    let (task, offsets) = bench.one();
    assert_eq!(offsets, of(0, [0]));
    bench.end(task, &answer(413, None, ""));
    assert_eq!(bench.one().1, of(0, [1]));
    assert_eq!((bench.metrics().dropped_event_count, bench.committed()[&0]), (1, 1));
}
