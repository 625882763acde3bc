//! A world around the application: a clock that a test moves, the ports in memory with what can be taken away, and a
//! call built as API Gateway builds it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use coupon::{Entry, Head, Offset, Timestamp, UserId, decide};
use coupon_store::{Commit, Store, StoreError, Tokens};
use issue_api::{Answer, App, Call, Clock, Settings};
use kafka::Record;
use serde_json::{Map, Value, json};
use simulation::{MemoryLog, MemoryStore, PiecewiseStore, RuledStore, StoreCall, StoreRule, Verdict};
use wire_contract::{Answered, Api, Kind, Records};

const TOPIC: &str = "requests";
const START_MS: i64 = 1_795_143_600_000;

/// This many milliseconds after the world's start, as a timestamp.
pub(crate) fn at(millis: i64) -> String {
    Timestamp::from_millis_clamped(START_MS + millis).to_string()
}

/// A call under construction: by `user-17` unless said otherwise.
pub(crate) struct Built(Value);

pub(crate) fn call(method: &str, path: &str) -> Built {
    Built(json!({
        "version": "2.0", "rawPath": path, "rawQueryString": "", "headers": {}, "isBase64Encoded": false,
        "requestContext": {"http": {"method": method}, "authorizer": {"jwt": {"claims": {"sub": "user-17"}}}},
    }))
}

impl Built {
    fn claim(mut self, name: &str, value: &str) -> Self {
        self.0["requestContext"]["authorizer"]["jwt"]["claims"][name] = json!(value);
        self
    }

    pub(crate) fn user(self, sub: &str) -> Self {
        self.claim("sub", sub)
    }

    pub(crate) fn scope(self, scope: &str) -> Self {
        self.claim("scope", scope)
    }

    pub(crate) fn anonymous(mut self) -> Self {
        self.0["requestContext"].as_object_mut().unwrap().remove("authorizer");
        self
    }

    pub(crate) fn body(mut self, body: &str) -> Self {
        self.0["body"] = json!(body);
        self
    }

    pub(crate) fn query(mut self, query: &str) -> Self {
        self.0["rawQueryString"] = json!(query);
        self
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.0["headers"][name] = json!(value);
        self
    }
}

/// Counts the reads of a store that can be taken away.
#[derive(Clone, Default)]
struct Watch {
    reads: Arc<AtomicUsize>,
    broken: Arc<std::sync::Mutex<Option<StoreError>>>,
}

impl StoreRule for Watch {
    async fn judge(&self, call: StoreCall<'_>) -> Verdict<StoreError> {
        if !matches!(call, StoreCall::Create(_) | StoreCall::Commit(..)) {
            self.reads.fetch_add(1, Ordering::Relaxed);
        }
        self.broken.lock().unwrap().clone().map_or(Verdict::Pass, Verdict::Fail)
    }
}

/// How long a commit is seen in pieces.
type Gap = fn() -> Duration;

type WatchedStore = RuledStore<PiecewiseStore<MemoryStore, Gap>, Watch>;

pub(crate) struct World {
    app: App<WatchedStore, SwappedLog>,
    store: WatchedStore,
    log: SwappedLog,
    clock_ms: Arc<AtomicI64>,
}

/// A log that can be made anew under its old name.
#[derive(Clone, Default)]
struct SwappedLog(Arc<std::sync::Mutex<MemoryLog>>);

impl SwappedLog {
    fn get(&self) -> MemoryLog {
        self.0.lock().unwrap().clone()
    }
}

#[deny(clippy::missing_trait_methods)]
impl kafka::Log for SwappedLog {
    async fn produce(&self, record: Record) -> Result<kafka::Delivery, kafka::LogError> {
        let log = self.get();
        let judged =
            Records::promised().check(Kind::Request, record.key.as_deref(), record.value.as_deref(), &record.headers);
        judged.unwrap_or_else(|fault| panic!("{fault}"));
        log.produce(record).await
    }

    async fn partitions(&self, topic: &str) -> Result<i32, kafka::LogError> {
        let log = self.get();
        log.partitions(topic).await
    }
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(|| Duration::ZERO)
    }

    /// A world where every commit is seen in pieces for a while.
    pub(crate) fn in_pieces() -> Self {
        Self::with(|| Duration::from_millis(100))
    }

    fn with(gap: Gap) -> Self {
        let clock_ms = Arc::new(AtomicI64::new(START_MS));
        let ticking = Arc::clone(&clock_ms);
        let clock = Clock::new(move || Timestamp::from_millis_clamped(ticking.load(Ordering::Relaxed)));
        let store = WatchedStore { inner: PiecewiseStore::new(MemoryStore::new(), gap), rule: Watch::default() };
        let log = SwappedLog::default();
        log.get().create_topic(TOPIC, 10);
        let settings = Settings { request_topic: TOPIC.into(), head_age_max: Duration::from_millis(250) };
        Self { app: App::new(store.clone(), log.clone(), clock, settings), store, log, clock_ms }
    }

    pub(crate) fn wait(&self, millis: i64) {
        self.clock_ms.fetch_add(millis, Ordering::Relaxed);
    }

    /// The answer, which has to be one that the document in `events/` promises.
    pub(crate) async fn ask(&self, built: Built) -> Answer {
        self.named(built).await.1
    }

    /// The same, and which of the promised answers it is.
    pub(crate) async fn named(&self, built: Built) -> (String, Answer) {
        let text = |pointer: &str| built.0.pointer(pointer).and_then(Value::as_str).unwrap().to_owned();
        let (method, path) = (text("/requestContext/http/method"), text("/rawPath"));
        let call: Call = serde_json::from_value(built.0).unwrap();
        let answer = self.app.handle(&call).await;
        let answered = Answered {
            method: &method,
            path: &path,
            status: answer.status(),
            headers: answer.headers().collect(),
            body: answer.body().as_bytes(),
        };
        let name = Api::promised().check(&answered).unwrap_or_else(|fault| panic!("{fault}"));
        (name, answer)
    }

    /// A browser's question before a call; being none itself, the document does not promise its answer.
    pub(crate) async fn preflight(&self, path: &str) -> Answer {
        let built = call("OPTIONS", path).anonymous().header("access-control-request-method", "POST");
        self.app.handle(&serde_json::from_value(built.0).unwrap()).await
    }

    pub(crate) async fn expect(&self, built: Built, status: u16, code: &str) -> Answer {
        let shown = built.0.to_string().chars().take(300).collect::<String>();
        let answer = self.ask(built).await;
        assert_eq!((answer.status(), Self::json(&answer)["code"].as_str()), (status, Some(code)), "{shown}");
        answer
    }

    pub(crate) fn json(answer: &Answer) -> Value {
        serde_json::from_str(answer.body()).unwrap()
    }

    pub(crate) async fn create(&self, id: &str, members: Value) {
        let mut body: Map<String, Value> =
            json!({"couponId": id, "name": id, "total": 10}).as_object().unwrap().clone();
        body.extend(members.as_object().unwrap().clone());
        let body = Value::Object(body).to_string();
        let created = self.ask(call("POST", "/coupons").scope("coupons:write").body(&body)).await;
        assert_eq!(created.status(), 201, "{}", created.body());
    }

    /// A coupon whose requests are in another topic.
    pub(crate) async fn create_elsewhere(&self, id: &str) {
        self.create(id, json!({})).await;
        let head = Head { log: "another-topic".into(), ..self.head(id) };
        self.store.inner.inner.put_head(head);
    }

    fn head(&self, id: &str) -> Head {
        self.store.inner.inner.heads().into_iter().find(|head| head.coupon_id.as_str() == id).unwrap()
    }

    pub(crate) fn partition(&self, id: &str) -> i32 {
        self.head(id).partition.get()
    }

    /// Decides the next requests as if these people had asked, at the offsets behind what is applied.
    pub(crate) async fn decide(&self, id: &str, users: &[&str]) {
        let head = self.head(id);
        let next = head.applied.map_or(0, |applied| applied.get() + 1);
        let entry = |(place, user): (i64, &&str)| Entry {
            offset: Offset::new(place).unwrap(),
            timestamp: Timestamp::from_millis_clamped(self.clock_ms.load(Ordering::Relaxed)),
            user_id: UserId::parse(user).unwrap(),
        };
        let entries: Vec<Entry> = (next..).zip(users).map(entry).collect();
        let items = self.store.inner.inner.items();
        let holds = |user: &UserId| items.iter().any(|item| item.user_id == *user && item.coupon_id == head.coupon_id);
        for chunk in decide(&head, &entries, holds).chunks {
            let committed = self.store.inner.commit(&chunk, &Tokens::new().next()).await.unwrap();
            assert_eq!(committed, Commit::Written);
        }
    }

    pub(crate) fn reads(&self) -> usize {
        self.store.rule.reads.load(Ordering::Relaxed)
    }

    pub(crate) fn requests(&self, id: &str) -> Vec<Record> {
        let partition = self.partition(id);
        self.log.get().read(TOPIC, partition, 0).into_iter().map(|logged| logged.record).collect()
    }

    pub(crate) fn recreate_topic(&self) {
        let log = MemoryLog::new();
        log.create_topic(TOPIC, 10);
        *self.log.0.lock().unwrap() = log;
    }

    pub(crate) fn drop_topic(&self) {
        *self.log.0.lock().unwrap() = MemoryLog::new();
    }

    /// Every call of the store fails with this from now on.
    pub(crate) fn break_store(&self, error: StoreError) {
        *self.store.rule.broken.lock().unwrap() = Some(error);
    }
}
