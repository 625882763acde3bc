//! The engine's cases of the conformance list, without a broker: what was polled and how invocations end goes in, and
//! what is invoked, committed, delivered and counted is compared.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

use super::{Action, Engine, Now, TaskId};
use crate::clock;
use crate::mapping::Mapping;
use crate::metrics::{Counters, Metrics};
use crate::record::{Polled, Record};
use crate::response::{Exchange, HttpAnswer};
use crate::settings::{PAYLOAD_BYTES_MAX, Settings};

/// Offsets by partition.
type Offsets = BTreeMap<i32, Vec<i64>>;

/// An engine with a clock that stands until it is moved.
struct Bench {
    engine: Engine,
    counters: Arc<Counters>,
    now: Now,
    running: BTreeMap<TaskId, Offsets>,
    delivering: BTreeMap<TaskId, (Offsets, String)>,
}

impl Bench {
    /// Provisioned, partial responses, no window, three partitions from offset 0; `changes` are properties.
    fn new(changes: Value) -> Self {
        let arn = "arn:aws:sqs:us-east-1:123456789012:q";
        let mut file = json!({"Topics": ["t"], "StartingPosition": "TRIM_HORIZON", "MaximumBatchingWindowInSeconds": 0,
            "SelfManagedEventSource": {"Endpoints": {"KafkaBootstrapServers": ["a:1"]}},
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "Emulator": {"provisioned": true, "destinations": {arn: "http://127.0.0.1:1/"}}});
        for (name, value) in changes.as_object().unwrap() {
            match name.strip_prefix("Emulator.") {
                Some(switch) => file["Emulator"][switch] = value.clone(),
                None => file[name] = value.clone(),
            }
        }
        let (mapping, emulator) = Mapping::from_value(file).unwrap();
        let settings = Arc::new(Settings::new(&mapping, &emulator, &BTreeMap::new()).unwrap());
        let counters = Arc::new(Counters::default());
        let mut engine = Engine::new(settings, Arc::clone(&counters));
        engine.assign(&[(0, 0), (1, 0), (2, 0)]);
        let now = Now { instant: clock::now(), unix_millis: 1_000_000_000 };
        Self { engine, counters, now, running: BTreeMap::new(), delivering: BTreeMap::new() }
    }

    fn sqs() -> Value {
        json!({"OnFailure": {"Destination": "arn:aws:sqs:us-east-1:123456789012:q"}})
    }

    fn record(&self, partition: i32, offset: i64, bytes: usize) -> Record {
        let json = Bytes::from("x".repeat(bytes));
        Record { partition, offset, timestamp: self.now.unix_millis, arrived: self.now.instant, json }
    }

    fn poll(&mut self, partition: i32, offsets: std::ops::Range<i64>) {
        let records = offsets.map(|offset| Polled::Record(self.record(partition, offset, 10))).collect();
        self.engine.polled(records);
    }

    /// Lets everything begin that can; the new invocations.
    fn step(&mut self) -> Vec<(TaskId, Offsets)> {
        let (actions, _) = self.engine.next(self.now);
        let mut begun = Vec::new();
        for action in actions {
            match action {
                Action::Invoke { task, .. } => {
                    let offsets = offsets(&self.engine.tasks[&task].records);
                    self.running.insert(task, offsets.clone());
                    begun.push((task, offsets));
                }
                Action::Deliver { task, records, given_up } => {
                    let told = (offsets(&records.records), format!("{:?}", given_up.condition));
                    self.delivering.insert(task, told);
                }
            }
        }
        begun
    }

    /// The one invocation that begins now.
    fn one(&mut self) -> (TaskId, Offsets) {
        let mut begun = self.step();
        assert_eq!(begun.len(), 1, "{begun:?}");
        begun.remove(0)
    }

    /// As [`Self::one`], after the longest back-off.
    fn one_later(&mut self) -> (TaskId, Offsets) {
        self.pass(Duration::from_secs(40));
        self.one()
    }

    fn pass(&mut self, time: Duration) {
        self.now.instant += time;
        self.now.unix_millis += i64::try_from(time.as_millis()).unwrap();
    }

    fn end(&mut self, task: TaskId, exchange: &Exchange) {
        self.running.remove(&task).unwrap();
        self.engine.invoked(task, exchange, self.now, 0.5);
    }

    fn committed(&mut self) -> BTreeMap<i32, i64> {
        let positions: Vec<_> = self.engine.uncommitted().iter().map(|of| (of.partition, of.position)).collect();
        self.engine.committed(&positions);
        self.engine.positions()
    }

    fn metrics(&self) -> Metrics {
        self.counters.snapshot()
    }
}

fn offsets(records: &[Record]) -> Offsets {
    let mut offsets = Offsets::new();
    for record in records {
        offsets.entry(record.partition).or_default().push(record.offset);
    }
    offsets
}

fn of(partition: i32, offsets: impl IntoIterator<Item = i64>) -> Offsets {
    [(partition, offsets.into_iter().collect())].into()
}

fn answer(status: u16, error: Option<&str>, body: &str) -> Exchange {
    let body = Bytes::copy_from_slice(body.as_bytes());
    let function_error = error.map(str::to_owned);
    Exchange::Answered(HttpAnswer { status, function_error, body, ..HttpAnswer::default() })
}

fn ok() -> Exchange {
    answer(200, None, "null")
}

fn function_error() -> Exchange {
    answer(200, Some("Unhandled"), "{}")
}

fn failures(named: &[(&str, i64)]) -> Exchange {
    let item = |(key, offset): &(&str, i64)| json!({"itemIdentifier": {"partition": key, "offset": offset}});
    let items: Vec<Value> = named.iter().map(item).collect();
    answer(200, None, &json!({"batchItemFailures": items}).to_string())
}

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
fn c16_a_slow_partition_does_not_hold_up_another() {
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
fn c32_without_retries_and_destination_a_failed_batch_is_dropped() {
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

#[test]
fn c36_c38_bisecting_leaves_the_poison_alone() {
    let changes =
        json!({"MaximumRetryAttempts": 2, "BisectBatchOnFunctionError": true, "DestinationConfig": Bench::sqs()});
    let mut bench = Bench::new(changes);
    bench.poll(0, 0..4);
    bench.poll(1, 0..4);
    let poison = (0, 2);
    let mut alone = 0;
    let mut done: Offsets = Offsets::new();
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
            assert_eq!(told, (of(0, [2]), "RetryAttemptsExhausted".to_owned()));
            bench.engine.delivered(task, 1, 0);
        }
        bench.pass(Duration::from_secs(40));
    }
    assert_eq!(alone, 3, "the first invocation alone and two retries");
    assert_eq!(done, [(0, vec![0, 1, 3]), (1, vec![0, 1, 2, 3])].into(), "in order");
    assert_eq!(bench.committed(), [(0, 4), (1, 4), (2, 0)].into());
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
fn c46_a_batch_that_is_filtered_away_is_committed_without_an_invocation() {
    let mut bench = Bench::new(json!({}));
    bench.engine.polled((0..5).map(|offset| Polled::FilteredOut { partition: 0, offset }).collect());
    assert!(bench.step().is_empty());
    assert_eq!((bench.metrics().filtered_out_event_count, bench.committed()[&0]), (5, 5));
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
fn a_partition_with_too_much_waiting_is_paused_until_little_enough_waits() {
    let mut bench = Bench::new(json!({"BatchSize": 1000}));
    bench.poll(0, 0..3500);
    let (task, _) = bench.one();
    assert_eq!(bench.engine.flow().pause, [0], "2500 wait, of at most 2000");
    assert_eq!(bench.engine.flow(), super::Flow::default(), "said once");
    bench.end(task, &ok());
    let (task, _) = bench.one();
    assert_eq!(bench.engine.flow(), super::Flow::default(), "1500 wait");
    bench.end(task, &ok());
    bench.one();
    assert_eq!(bench.engine.flow().resume, [0], "500 wait");
}

#[test]
fn a_record_that_comes_twice_is_taken_once() {
    let mut bench = Bench::new(json!({}));
    bench.poll(0, 0..3);
    bench.poll(0, 1..4);
    assert_eq!(bench.one().1, of(0, 0..4));
    assert_eq!(bench.metrics().polled_event_count, 4);
}

impl Bench {
    fn one_step_is_empty(&mut self) -> bool {
        self.step().is_empty()
    }
}

/// C57 without a broker: random batches, failures and times; every record is resolved, in order, and committed.
#[test]
fn c57_whatever_fails_every_record_is_resolved_in_order_and_the_end_is_committed() {
    for (seed, pbr, bisect) in (0..40).flat_map(|seed| [(seed, "selective", false), (seed, "resume", true)]) {
        let changes = json!({"Emulator.pbr": pbr, "BisectBatchOnFunctionError": bisect, "BatchSize": 7});
        let mut bench = Bench::new(changes);
        let mut random = fastrand::Rng::with_seed(seed);
        let mut ends = [0_i64; 3];
        let mut first: BTreeMap<i32, Vec<i64>> = BTreeMap::new();
        let mut rounds = 0;
        while bench.engine.positions() != (0..3).map(|partition| (partition, 50)).collect() {
            rounds += 1;
            assert!(rounds < 20_000, "seed {seed} does not end");
            for (partition, end) in (0..3).zip(&mut ends) {
                let more = random.i64(0..5).min(50 - *end);
                bench.poll(partition, *end..*end + more);
                *end += more;
            }
            for (_, offsets) in bench.step() {
                for (partition, offsets) in offsets {
                    let seen = first.entry(partition).or_default();
                    for offset in offsets {
                        if seen.last().is_none_or(|last| offset > *last) {
                            assert_eq!(
                                offset,
                                seen.last().map_or(0, |last| last + 1),
                                "seed {seed}: no first one is skipped"
                            );
                            seen.push(offset);
                        } else {
                            assert!(seen.contains(&offset), "seed {seed}");
                        }
                    }
                }
            }
            in_flight_is_disjoint(&bench, seed);
            if let Some(task) = random.choice(bench.running.keys().copied().collect::<Vec<_>>()) {
                let exchange = random_exchange(&mut random, &bench.running[&task]);
                bench.end(task, &exchange);
            }
            bench.pass(Duration::from_millis(random.u64(0..3000)));
            bench.committed();
        }
        assert_eq!(bench.metrics().dropped_event_count, 0);
    }
}

fn in_flight_is_disjoint(bench: &Bench, seed: u64) {
    let mut partitions: Vec<i32> = bench.running.values().flat_map(BTreeMap::keys).copied().collect();
    let count = partitions.len();
    partitions.sort_unstable();
    partitions.dedup();
    assert_eq!(partitions.len(), count, "seed {seed}: two invocations for one partition");
}

fn random_exchange(random: &mut fastrand::Rng, offsets: &Offsets) -> Exchange {
    match random.u8(0..6) {
        0 => function_error(),
        1 => Exchange::Broken("reset".into()),
        2 => {
            let all =
                offsets.iter().flat_map(|(partition, offsets)| offsets.iter().map(move |offset| (*partition, *offset)));
            let named: Vec<(String, i64)> =
                all.filter(|_| random.bool()).map(|(partition, offset)| (format!("t-{partition}"), offset)).collect();
            failures(&named.iter().map(|(key, offset)| (key.as_str(), *offset)).collect::<Vec<_>>())
        }
        3 => failures(&[("t-9", 1)]),
        _ => ok(),
    }
}
