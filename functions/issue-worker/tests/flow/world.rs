//! A world around the worker: coupons, a request topic, and what came out, told in lines that a test can compare.

use std::{
    pin::Pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use coupon::{CouponId, CouponName, Head, IssueResult, NewCoupon, Partition, ResultStatus, Timestamp, Total, Window};
use coupon_store::{Deadline, Store, StoreError, Tokens};
use issue_worker::{Topics, Unfinished, Worker};
use kafka::Record;
use kafka_event::{Header, KafkaEvent, KafkaRecord, PartitionRecords, TimestampType};
use simulation::{MemoryLog, MemoryStore, PiecewiseStore};

use crate::faults::{Broken, Fault, Faults, FaultyLog, FaultyStore, Gap, Trouble};

const PARTITION: i32 = 3;
const TIME: Duration = Duration::from_secs(20);

/// How long a commit is seen in pieces where it is.
pub(crate) const GAP: Duration = Duration::from_millis(100);

type TestedWorker = Worker<FaultyStore, FaultyLog>;

/// A record to append to the request topic.
pub(crate) struct Sent {
    key: String,
    value: String,
    headers: Vec<Header>,
}

impl Sent {
    pub(crate) fn raw(key: &str, value: &str) -> Self {
        Self { key: key.into(), value: value.into(), headers: Vec::new() }
    }

    pub(crate) fn with_header(mut self, name: &str, value: &'static [u8]) -> Self {
        self.headers.push(Header { name: name.into(), value: Some(Bytes::from_static(value)) });
        self
    }
}

pub(crate) struct World {
    memory: MemoryStore,
    store: FaultyStore,
    log: FaultyLog,
    worker: Mutex<Arc<TestedWorker>>,
    next: Mutex<(i64, i64)>,
    /// Results that the worker before this one published.
    earlier: Mutex<usize>,
}

pub(crate) fn topics() -> Topics {
    Topics { results: "results".into(), dead_letters: "dead".into() }
}

impl World {
    pub(crate) async fn with_coupon(id: &str, total: u64) -> Self {
        Self::with_gap(id, total, || Duration::ZERO).await
    }

    /// A world whose commits are seen in pieces for [`GAP`].
    pub(crate) async fn in_pieces(id: &str, total: u64) -> Self {
        Self::with_gap(id, total, || GAP).await
    }

    async fn with_gap(id: &str, total: u64, gap: Gap) -> Self {
        let world = Self::new(gap);
        world.create_coupon(id, total, "requests", PARTITION).await;
        world
    }

    pub(crate) async fn with_window(id: &str, total: u64, opens_ms: i64, closes_ms: i64) -> Self {
        let world = Self::new(|| Duration::ZERO);
        let at = |millis| Some(Timestamp::from_millis_clamped(millis));
        let window = Window::new(at(opens_ms), at(closes_ms)).unwrap();
        world.create(id, total, window, ("requests", PARTITION)).await;
        world
    }

    fn new(gap: Gap) -> Self {
        let memory = MemoryStore::new();
        let pieces = PiecewiseStore::new(memory.clone(), gap);
        let inner = MemoryLog::new();
        inner.create_topic("results", 1);
        inner.create_topic("dead", 1);
        let log = FaultyLog { inner, rule: Broken::default() };
        let (rival_store, rival_log) = (pieces.clone(), log.clone());
        // Another invocation with a worker of its own, whose results nobody looks at here.
        let overtake = move |records: Vec<KafkaRecord>| {
            let rule = Faults::new(Arc::new(|_none| Box::pin(async {})));
            let store = FaultyStore { inner: rival_store.clone(), rule };
            let worker = Worker::new(store, rival_log.clone(), topics(), Tokens::with_seed(2));
            let done = async move {
                worker.handle(event(&records), Deadline::after(TIME)).await.unwrap();
            };
            let done: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(done);
            done
        };
        let store = FaultyStore { inner: pieces, rule: Faults::new(Arc::new(overtake)) };
        let worker = Worker::new(store.clone(), log.clone(), topics(), Tokens::with_seed(1));
        let worker = Mutex::new(Arc::new(worker));
        Self { memory, store, log, worker, next: Mutex::new((0, 1_000)), earlier: Mutex::new(0) }
    }

    pub(crate) async fn create_coupon(&self, id: &str, total: u64, log: &str, partition: i32) {
        self.create(id, total, Window::default(), (log, partition)).await;
    }

    async fn create(&self, id: &str, total: u64, window: Window, (log, partition): (&str, i32)) {
        let coupon = NewCoupon {
            coupon_id: CouponId::parse(id).unwrap(),
            name: CouponName::parse(id).unwrap(),
            total: Total::new(total).unwrap(),
            window,
        };
        let head = Head::new(coupon, log.into(), Partition::new(partition).unwrap());
        self.memory.create(&head).await.unwrap();
    }

    /// The tables, shared.
    pub(crate) fn memory(&self) -> MemoryStore {
        self.memory.clone()
    }

    pub(crate) fn set_clock(&self, clock_ms: i64) {
        self.next.lock().unwrap().1 = clock_ms;
    }

    pub(crate) fn value(coupon: &str, user: &str) -> String {
        format!(
            r#"{{"type":"issue","couponId":"{coupon}","userId":"{user}","requestedAt":"2026-11-20T03:00:00.123Z"}}"#
        )
    }

    pub(crate) fn append(&self, sent: Sent) -> KafkaRecord {
        let mut next = self.next.lock().unwrap();
        let (offset, timestamp) = *next;
        next.0 += 1;
        KafkaRecord {
            topic: "requests".into(),
            partition: PARTITION,
            offset,
            timestamp,
            timestamp_type: TimestampType::LogAppendTime,
            key: Some(sent.key.into()),
            value: Some(sent.value.into()),
            headers: sent.headers,
        }
    }

    pub(crate) fn requests(&self, coupon: &str, users: &[&str]) -> Vec<KafkaRecord> {
        users.iter().map(|user| self.append(Sent::raw(coupon, &Self::value(coupon, user)))).collect()
    }

    pub(crate) async fn deliver(&self, records: &[KafkaRecord]) -> Result<(), Unfinished> {
        self.deliver_until(records, Deadline::after(TIME)).await
    }

    pub(crate) async fn deliver_until(&self, records: &[KafkaRecord], deadline: Deadline) -> Result<(), Unfinished> {
        let worker = Arc::clone(&self.worker.lock().unwrap());
        worker.handle(event(records), deadline).await
    }

    /// A cold start: the new environment remembers nobody.
    pub(crate) fn restart_worker(&self) {
        *self.earlier.lock().unwrap() = self.result_records().len();
        let worker = Worker::new(self.store.clone(), self.log.clone(), topics(), Tokens::with_seed(3));
        *self.worker.lock().unwrap() = Arc::new(worker);
    }

    pub(crate) fn fault(&self, call: &'static str, fault: Fault) {
        self.store.rule.fault(call, fault);
    }

    pub(crate) fn fail_always(&self, coupon: &str, error: StoreError) {
        self.store.rule.break_coupon(Some((CouponId::parse(coupon).unwrap(), error)));
    }

    pub(crate) fn break_log(&self, trouble: Trouble) {
        self.log.rule.set(trouble);
    }

    pub(crate) fn heal(&self) {
        self.store.rule.break_coupon(None);
        self.log.rule.set(Trouble::None);
    }

    pub(crate) fn store_calls(&self, call: &str) -> usize {
        self.store.rule.calls(call)
    }

    pub(crate) fn head(&self, id: &str) -> Head {
        self.memory.heads().into_iter().find(|head| head.coupon_id.as_str() == id).unwrap()
    }

    pub(crate) fn items(&self) -> Vec<String> {
        let shown = self.memory.items().into_iter();
        shown.map(|item| format!("{} {} {} {}", item.user_id, item.coupon_id, item.ticket, item.rank.get())).collect()
    }

    fn read(&self, topic: &str) -> Vec<Record> {
        self.log.inner.read(topic, 0, 0).into_iter().map(|logged| logged.record).collect()
    }

    pub(crate) fn result_records(&self) -> Vec<Record> {
        self.read("results")
    }

    pub(crate) fn dead_letter_records(&self) -> Vec<Record> {
        self.read("dead")
    }

    pub(crate) fn results(&self) -> Vec<String> {
        self.result_records().iter().map(shown).collect()
    }

    /// Without those that a rival published: its records come first for each request, and equal ours.
    pub(crate) fn results_of_this_worker(&self) -> Vec<String> {
        let mut results = self.results();
        let rivals = results.len().saturating_sub(3);
        let own = results.split_off(rivals);
        assert!(results.iter().all(|result| own.contains(result)), "{results:?} {own:?}");
        own
    }

    pub(crate) fn dead_letters(&self) -> Vec<String> {
        let text = |record: &Record, name: &str| {
            let header = record.headers.iter().rev().find(|header| header.name == name).unwrap();
            String::from_utf8(header.value.clone().unwrap().to_vec()).unwrap()
        };
        let line = |record: &Record| {
            ["dlq-topic", "dlq-partition", "dlq-offset", "dlq-reason"].map(|name| text(record, name)).join(" ")
        };
        self.dead_letter_records().iter().map(line).collect()
    }

    pub(crate) fn header_names(record: &Record) -> Vec<&str> {
        record.headers.iter().map(|header| header.name.as_str()).collect()
    }
}

pub(crate) fn event(records: &[KafkaRecord]) -> KafkaEvent {
    let key = format!("requests-{PARTITION}");
    let records = records.iter().cloned().map(Ok).collect();
    KafkaEvent { partitions: vec![PartitionRecords { key, records }], ..KafkaEvent::default() }
}

fn shown(record: &Record) -> String {
    let result: IssueResult = serde_json::from_slice(record.value.as_deref().unwrap()).unwrap();
    assert_eq!(record.key.as_deref(), Some(result.coupon_id.as_str().as_bytes()));
    let status = match result.status {
        ResultStatus::Issued { rank, .. } => format!("ISSUED {}", rank.get()),
        ResultStatus::Rejected { reason } => {
            format!("REJECTED {}", serde_json::to_value(reason).unwrap().as_str().unwrap())
        }
    };
    format!("{} {} {status}", result.user_id, result.request_id)
}
