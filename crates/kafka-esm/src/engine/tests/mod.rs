//! The engine's cases of the conformance list, without a broker: what was polled and how invocations end goes in, and
//! what is invoked, committed, delivered and counted is compared. Here is the bench that they stand on.

mod answers;
mod batching;
mod givenup;
mod groups;
mod random;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

use super::{Action, Engine, Flow, Now, TaskId};
use crate::clock;
use crate::mapping::Mapping;
use crate::metrics::{Counters, Metrics};
use crate::record::{Polled, Record};
use crate::response::{Exchange, HttpAnswer, ResponseContext};
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

impl Bench {
    fn one_step_is_empty(&mut self) -> bool {
        self.step().is_empty()
    }
}
