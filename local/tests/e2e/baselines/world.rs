//! A system to compare with and its parts, each a process that a test can kill and start again, and a verb for each thing
//! that can be asked. Whatever is asked is written down for the verdict.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use baseline::System;
use baseline::state::{self, FinalState};
use baseline::verdict::{Asked, Finding, Told, judge, judge_ranks};
use http_body_util::BodyExt as _;
use hyper::{Method, Request};
use kafka::{Connection, ReadRecord, Reader};
use local::data::DataDir;
use local::embedded::{Embedded, Order};
use local::keys::{Claims, Keys};
use local::parts::{BROKER, DYNAMODB, Parts};
use local::process::{Child, Program, Spawner};
use local::redis::Durability;
use local::{broker, dynamodb, ports, redis};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;

use super::gate::Gate;
use crate::hosted::{HttpClient, Response, http_client};

/// Nothing that a test waits for takes this long, however busy the machine.
const PATIENCE: Duration = Duration::from_secs(90);
/// How often a wait looks.
const LOOK_EVERY: Duration = Duration::from_millis(40);

/// The periods of the outbox that suit a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outbox {
    /// Every second.
    Prompt,
    /// Not within a test.
    Never,
}

/// A system, its parts, and what was asked of it.
pub(crate) struct World {
    system: System,
    outbox: Outbox,
    spawner: Spawner,
    server: Option<(Child, String)>,
    pub(crate) redis: Option<Embedded>,
    pub(crate) broker: Option<Embedded>,
    _dynamodb: Embedded,
    /// Between the server and DynamoDB.
    pub(crate) gate: Gate,
    /// `--redis` and `--broker`.
    addresses: Vec<String>,
    kafka: Option<String>,
    tables: aws_sdk_dynamodb::Client,
    keys: Keys,
    http: HttpClient,
    start: Instant,
    asked: Mutex<Vec<(String, Asked)>>,
    _data: DataDir,
}

impl World {
    /// A system whose Redis, if any, is as it comes.
    pub(crate) async fn start(system: System, outbox: Outbox) -> Self {
        Self::start_with(system, outbox, Durability::Snapshots).await
    }

    pub(crate) async fn start_with(system: System, outbox: Outbox, durability: Durability) -> Self {
        let (built, data) = (built().await, DataDir::open(None).unwrap());
        let spawner = Spawner::through(env!("CARGO_BIN_EXE_local")).unwrap();
        let (mut redis, mut broker, mut kafka, mut addresses) = (None, None, None, Vec::new());
        let port = ports::internal().unwrap();
        if system.needs_redis() {
            redis = Some(redis::start(spawner.clone(), port, &data.redis(), durability).await.unwrap());
            addresses.extend(["--redis".to_owned(), format!("127.0.0.1:{port}")]);
        }
        let port = ports::internal().unwrap();
        if !system.topics().is_empty() {
            let at = data.broker();
            let place = broker::Place { port, advertised_port: port, data: &at };
            broker = Some(broker::start(spawner.clone(), built.path(BROKER).unwrap(), place).await.unwrap());
            kafka = Some(format!("127.0.0.1:{port}"));
            addresses.extend(["--broker".to_owned(), format!("127.0.0.1:{port}")]);
        }
        let port = ports::internal().unwrap();
        let dynamodb = dynamodb::start(spawner.clone(), built.path(DYNAMODB).unwrap(), port, &data).await.unwrap();
        let mut world = Self {
            system,
            outbox,
            spawner,
            server: None,
            redis,
            broker,
            _dynamodb: dynamodb,
            gate: Gate::start(port).await,
            addresses,
            kafka,
            tables: dynamodb::patient_client(&format!("http://127.0.0.1:{port}")).await,
            keys: Keys::of_checkout().unwrap(),
            http: http_client(),
            start: Instant::now(),
            asked: Mutex::default(),
            _data: data,
        };
        world.start_server().await;
        world
    }

    /// Starts the server over the parts as they are.
    pub(crate) async fn start_server(&mut self) {
        let seconds = match self.outbox {
            Outbox::Prompt => "1",
            Outbox::Never => "36000",
        };
        let mut program = Program::new(format!("baseline {}", self.system), env!("CARGO_BIN_EXE_local"));
        let dynamodb = format!("http://{}", self.gate.address);
        let fixed = ["baseline", self.system.name(), "--port", "0", "--dynamodb", &dynamodb];
        let periods = ["--outbox-every", seconds, "--retry-every", seconds];
        program.args = fixed.into_iter().chain(periods).map(Into::into).collect();
        program.args.extend(self.addresses.iter().map(Into::into));
        let lines = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&lines);
        program.lines = Some(Arc::new(move |line: &str| {
            eprintln!("{line}");
            sink.lock().unwrap().push(line.to_owned());
        }));
        let server = self.spawner.spawn(&program).await.unwrap();
        let ready = |line: &String| serde_json::from_str::<Value>(line).ok()?["api"].as_str().map(str::to_owned);
        let api = until("the server is ready", || {
            assert!(server.exit().is_none(), "{:?}", lines.lock().unwrap());
            let found = lines.lock().unwrap().iter().find_map(ready);
            async { found }
        });
        let api = api.await;
        self.server = Some((server, api));
    }

    /// Starts it with another outbox.
    pub(crate) async fn restart_with(&mut self, outbox: Outbox) {
        self.outbox = outbox;
        self.start_server().await;
    }

    /// SIGKILL to the server: whatever it had in hand is gone.
    pub(crate) async fn kill_server(&mut self) {
        self.server.take().expect("it runs").0.kill().await;
    }

    /// SIGTERM, and how it ended.
    pub(crate) async fn end_server(&mut self) -> std::process::ExitStatus {
        let (server, _api) = self.server.take().expect("it runs");
        assert!(server.terminate().await, "it had ended before");
        server.wait().await
    }

    /// SIGKILL to Redis, and a start with what is on its disk.
    pub(crate) async fn crash_redis(&self) {
        crash(self.redis.as_ref().expect("a system with Redis")).await;
    }

    /// Waits until Redis has written its append-only file as far as it has answered: while a synchronisation of the disk
    /// is under way, it answers first and writes up to two seconds later.
    pub(crate) async fn until_redis_has_written(&self) {
        until("Redis has written", async || {
            let told = self.redis("INFO persistence").await;
            assert!(told.contains("aof_enabled:1"), "{told}");
            ["aof_buffer_length:0\r", "aof_pending_bio_fsync:0\r"].iter().all(|line| told.contains(line)).then_some(())
        })
        .await;
    }

    /// SIGKILL to the broker, and a start with what is on its disk.
    pub(crate) async fn crash_broker(&self) {
        crash(self.broker.as_ref().expect("a system with a broker")).await;
    }

    /// One call; `None` when nobody answered.
    pub(crate) async fn call(&self, method: Method, path: &str, token: &str, body: &str) -> Option<Response> {
        let (_server, api) = self.server.as_ref().expect("it runs");
        let request = Request::builder().method(method).uri(format!("{api}{path}"));
        let request = request.header("authorization", format!("Bearer {token}")).body(body.to_owned().into()).unwrap();
        let (head, body) = self.http.request(request).await.ok()?.into_parts();
        Some(Response { status: head.status, headers: head.headers, body: body.collect().await.ok()?.to_bytes() })
    }

    pub(crate) fn token(&self, user: &str) -> String {
        self.keys.sign(user, &Claims::default()).unwrap()
    }

    /// Of somebody who may create coupons.
    pub(crate) fn shops_token(&self) -> String {
        self.keys.sign("shop", &Claims { scope: "coupons:write".into(), ..Claims::default() }).unwrap()
    }

    /// A new coupon of so many.
    pub(crate) async fn create(&self, coupon: &str, total: u64) {
        let token = self.shops_token();
        let body = json!({"couponId": coupon, "name": coupon, "total": total}).to_string();
        let created = self.call(Method::POST, "/coupons", &token, &body).await.expect("an answer");
        assert_eq!(created.status, 201, "{created:?}");
    }

    /// Asks for a coupon, and writes down what was told.
    pub(crate) async fn ask(&self, coupon: &str, user: &str) -> Option<Response> {
        let token = self.token(user);
        // Written down first: whoever gives up waiting has asked all the same.
        let sent_us = self.now_us();
        let asked = Asked { user_id: user.to_owned(), sent_us, answered_us: u64::MAX, told: Told::Nothing };
        let place = {
            let mut all = self.asked.lock().unwrap();
            all.push((coupon.to_owned(), asked));
            all.len() - 1
        };
        let answer = self.call(Method::POST, &format!("/coupons/{coupon}/issues"), &token, "").await;
        let told = match answer.as_ref().map(|answer| answer.status.as_u16()) {
            Some(201) => Told::Issued,
            Some(202) => Told::Accepted,
            Some(409) => Told::AlreadyIssued,
            Some(410) => Told::SoldOut,
            _ => Told::Nothing,
        };
        let answered_us = self.now_us();
        let asked = &mut self.asked.lock().unwrap()[place].1;
        (asked.answered_us, asked.told) = (answered_us, told);
        answer
    }

    /// The same, and the answer has this status.
    pub(crate) async fn asks(&self, coupon: &str, user: &str, status: u16) -> Value {
        let answer = self.ask(coupon, user).await.expect("an answer");
        assert_eq!(answer.status, status, "{user}: {answer:?}");
        answer.json()
    }

    /// The same after a 5xx or none, again and again, until it is another one.
    pub(crate) async fn asks_until_answered(&self, coupon: &str, user: &str) -> Response {
        until("an answer that is none of trouble", async || {
            self.ask(coupon, user).await.filter(|answer| !answer.status.is_server_error())
        })
        .await
    }

    /// `GET` of a path below the coupon, by a user.
    pub(crate) async fn get(&self, path: &str, user: &str) -> Response {
        self.call(Method::GET, path, &self.token(user), "").await.expect("an answer")
    }

    /// What became of an accepted request, once it is known.
    pub(crate) async fn outcome(&self, coupon: &str, request_id: &str, user: &str) -> Value {
        let path = format!("/coupons/{coupon}/issues/{request_id}");
        until("an outcome", async || {
            let told = self.get(&path, user).await;
            (told.status == 200 && told.json()["status"] != "PENDING").then(|| told.json())
        })
        .await
    }

    /// What the system has of a coupon.
    pub(crate) async fn state(&self, coupon: &str) -> FinalState {
        state::read(&self.tables, self.system, coupon).await.unwrap()
    }

    /// Waits until that holds.
    pub(crate) async fn until_state(&self, coupon: &str, holds: impl Fn(&FinalState) -> bool) -> FinalState {
        until("the state that the test waits for", async || Some(self.state(coupon).await).filter(&holds)).await
    }

    /// What is wrong with a coupon by all that was asked and told, its ranks included.
    pub(crate) async fn verdict(&self, coupon: &str) -> Vec<Finding> {
        let asked: Vec<Asked> = {
            let asked = self.asked.lock().unwrap();
            asked.iter().filter(|(of, _asked)| of == coupon).map(|(_of, asked)| asked.clone()).collect()
        };
        let state = self.state(coupon).await;
        judge(&state, &asked).into_iter().chain(judge_ranks(&state)).collect()
    }

    /// How many records of its topic the system's consumers have committed, asked past the system.
    pub(crate) async fn committed(&self) -> i64 {
        let (group, topic) = self.system.consumers().expect("a system with consumers");
        let topics = self.system.topics().iter().find(|one| one.name == topic).expect("its topic");
        let progress = broker::Progress::new(&self.connection(), group, topic).unwrap();
        progress.committed(0..topics.partitions).await.unwrap().values().sum()
    }

    /// The retries of every event that is left in the outbox.
    pub(crate) async fn retries(&self) -> Vec<String> {
        let outbox = self.system.tables().into_iter().find(|table| table.keys == ["eventId"]).expect("an outbox");
        let events = self.tables.scan().table_name(outbox.name).consistent_read(true).send().await.unwrap();
        events.items().iter().map(|event| event["retries"].as_n().unwrap().clone()).collect()
    }

    /// Takes a person's mark out of Redis: whoever works their record off once more sets it again.
    pub(crate) async fn unmark(&self, coupon: &str, user: &str) {
        assert_eq!(self.redis(&format!("DEL coupon:issued:{coupon}:{user}")).await, ":1\r\n", "there was a mark");
    }

    /// What Redis answers to a command, asked past the system.
    pub(crate) async fn redis(&self, command: &str) -> String {
        let mut redis = TcpStream::connect(self.addresses.get(1).expect("a system with Redis")).await.unwrap();
        redis.write_all(format!("{command}\r\nQUIT\r\n").as_bytes()).await.unwrap();
        let mut told = String::new();
        redis.read_to_string(&mut told).await.unwrap();
        told.strip_suffix("+OK\r\n").expect("it takes its leave").to_owned()
    }

    /// How many partitions a topic has, and all its records.
    pub(crate) async fn topic(&self, name: &str) -> (usize, Vec<ReadRecord>) {
        let (reader, mut records) = (Reader::new(&self.connection()).unwrap(), Vec::new());
        let spans = reader.spans(name).await.unwrap();
        reader.read(name, &spans, |record| records.push(record)).await.unwrap();
        (spans.len(), records)
    }

    fn connection(&self) -> Connection {
        Connection::plaintext(self.kafka.as_deref().expect("a system with a broker"))
    }

    /// How many records each topic of the system has.
    pub(crate) async fn records(&self) -> BTreeMap<&'static str, i64> {
        let connection = self.connection();
        let mut counts = BTreeMap::new();
        for topic in self.system.topics() {
            counts.insert(topic.name, broker::ends(&connection, topic.name).await.unwrap().values().sum());
        }
        counts
    }

    fn now_us(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_micros()).unwrap()
    }
}

async fn crash(part: &Embedded) {
    part.order(Order::Kill).await.unwrap();
    part.order(Order::Start).await.unwrap();
}

/// Looks again and again, until there is something.
pub(crate) async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut look: impl FnMut() -> F) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < end, "{what}: not within {PATIENCE:?}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// The embedded parts, built once for all tests.
async fn built() -> &'static Parts {
    static BUILT: OnceCell<Parts> = OnceCell::const_new();
    BUILT.get_or_init(|| async { Parts::build(&[BROKER, DYNAMODB]).await.unwrap() }).await
}
