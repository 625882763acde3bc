//! What an answer brings back, and what it costs: C19 to C23, C29, C30.

use super::*;

#[test]
fn c19_selective_brings_back_exactly_the_named_record() {
    let mut bench = Bench::new(json!({}));
    bench.engine.assign(&[(0, 10)]);
    bench.poll(0, 10..15);
    let (task, _) = bench.one();
    bench.end(task, &failures(&[("t-0", 12)]));
    bench.poll(0, 15..17);
    assert_eq!(bench.committed()[&0], 12);
    assert!(bench.step().is_empty(), "backed off");
    let (task, offsets) = bench.one_later();
    assert_eq!(offsets, of(0, [12]));
    bench.end(task, &ok());
    assert_eq!(bench.committed()[&0], 15);
    assert_eq!(bench.one().1, of(0, 15..17));
}

#[test]
fn c20_c22_resume_brings_back_everything_from_the_lowest_named_record() {
    let mut bench = Bench::new(json!({"Emulator.pbr": "resume"}));
    bench.engine.assign(&[(0, 10)]);
    bench.poll(0, 10..15);
    let (task, _) = bench.one();
    bench.end(task, &failures(&[("t-0", 14), ("t-0", 12), ("t-0", 12)]));
    assert_eq!(bench.committed()[&0], 12);
    assert_eq!(bench.one_later().1, of(0, 12..15));
}

#[test]
fn c22_selective_brings_back_each_named_record_once() {
    let mut bench = Bench::new(json!({}));
    bench.poll(0, 10..15);
    let (task, _) = bench.one();
    bench.end(task, &failures(&[("t-0", 14), ("t-0", 12), ("t-0", 12)]));
    assert_eq!(bench.one_later().1, of(0, [12, 14]));
}

#[test]
fn c21_partitions_that_are_not_named_are_done_at_once() {
    let mut bench = Bench::new(json!({}));
    for partition in 0..3 {
        bench.poll(partition, 0..3);
    }
    let (task, _) = bench.one();
    bench.end(task, &failures(&[("t-0", 1)]));
    assert_eq!(bench.committed(), [(0, 1), (1, 3), (2, 3)].into());
    for partition in 0..3 {
        bench.poll(partition, 3..4);
    }
    assert_eq!(bench.one().1, [(1, vec![3]), (2, vec![3])].into(), "partition 0 gets nothing newer");
    assert_eq!(bench.one_later().1, of(0, [1]));
}

#[test]
fn c23_an_identifier_that_is_not_of_the_batch_brings_back_all_of_it() {
    let mut bench = Bench::new(json!({"BisectBatchOnFunctionError": true}));
    bench.poll(0, 10..15);
    let (task, _) = bench.one();
    bench.end(task, &failures(&[("t-0", 12), ("t-0", 99)]));
    assert_eq!(bench.committed()[&0], 0);
    assert_eq!(bench.one_later().1, of(0, 10..15), "and it is not halved");
}

#[test]
fn what_a_destination_is_told_of_a_partial_response_is_which_request_it_answered() {
    let mut bench = Bench::new(json!({"MaximumRetryAttempts": 0, "DestinationConfig": Bench::sqs()}));
    bench.poll(0, 0..2);
    let (task, _) = bench.one();
    let Exchange::Answered(answer) = failures(&[("t-0", 1)]) else { panic!("an answer") };
    let (request_id, executed_version) = (Some("6f0c2f0e".to_owned()), Some("7".to_owned()));
    let context = ResponseContext { request_id, executed_version, function_error: None };
    let (request_id, executed_version) = (context.request_id.clone(), context.executed_version.clone());
    bench.end(task, &Exchange::Answered(HttpAnswer { request_id, executed_version, ..answer }));
    let (actions, _) = bench.engine.next(bench.now);
    let [Action::Deliver { given_up, .. }] = &actions[..] else { panic!("{actions:?}") };
    assert_eq!(given_up.response, Some(context));
}

#[test]
fn c30_throttling_costs_no_retry() {
    let mut bench = Bench::new(json!({"MaximumRetryAttempts": 0}));
    bench.poll(0, 0..3);
    let (mut task, _) = bench.one();
    for status in [429, 429, 429, 429, 500] {
        bench.end(task, &answer(status, None, "{}"));
        assert!(bench.step().is_empty(), "backed off");
        let again = bench.one_later();
        assert_eq!(again.1, of(0, 0..3));
        task = again.0;
    }
    bench.end(task, &Exchange::Broken("reset".into()));
    let (task, _) = bench.one_later();
    bench.end(task, &ok());
    assert_eq!(bench.committed()[&0], 3);
    let metrics = bench.metrics();
    assert_eq!((metrics.invoked_event_count, metrics.failed_invoke_event_count), (21, 18));
    assert_eq!((metrics.invoke_error_count, metrics.dropped_event_count), (6, 0));
}

#[test]
fn c29_a_time_out_of_the_function_costs_a_retry() {
    let mut bench = Bench::new(json!({"MaximumRetryAttempts": 1}));
    bench.poll(0, 0..1);
    let (task, _) = bench.one();
    bench.end(task, &Exchange::TimedOut);
    let (task, _) = bench.one_later();
    bench.end(task, &Exchange::TimedOut);
    assert!(bench.step().is_empty());
    assert_eq!((bench.metrics().dropped_event_count, bench.committed()[&0]), (1, 1));
}

#[test]
fn a_partial_response_is_a_failed_invocation_of_the_batch_and_no_error() {
    let mut bench = Bench::new(json!({}));
    bench.poll(0, 0..3);
    let (task, _) = bench.one();
    bench.end(task, &failures(&[("t-0", 1)]));
    let metrics = bench.metrics();
    assert_eq!((metrics.failed_invoke_event_count, metrics.invoke_error_count), (3, 0));
}
