//! A whole sandbox for a test, and a verb for each thing that can be asked of it. It is the command itself, `local up`,
//! that runs, on free ports and with its own empty data; two of them share nothing. Broker and DynamoDB are the embedded
//! ones or, in a run with `FIRSTCOME_PARTS=real`, real ones of its own: `home.rs`.
//!
//! [`Sandbox::shared`] is one for all tests that harm nothing: each takes coupons of its own. [`Sandbox::start`] is one
//! for a test alone, with faults to ask for.

use std::process::Output;
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::time::{Duration, Instant};

use hyper::{Method, Request};
use kafka::{Connection, Delivery, Log as _, Producer, ProducerSettings, ReadRecord, Reader, Record};
use local::audit::{AuditOptions, Report};
use local::keys::{Claims, Keys};
use local::process::{Child, Program, Spawner};
use local::settings::TemplateOptions;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use wire_contract::{Answered, Api, Kind, Records};

use crate::home::Home;
use crate::hosted::{HttpClient, Response, http_client, send};

/// The first start in a checkout builds the functions and the embedded parts.
const READY_MAX: Duration = Duration::from_secs(1200);
/// Nothing that a test waits for takes this long, however busy the machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The ready line of `up`.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Addresses {
    pub(crate) api: String,
    pub(crate) kafka: String,
    pub(crate) dynamodb: String,
    pub(crate) functions: String,
    pub(crate) faults: Option<String>,
}

/// A running sandbox, as one test sees it.
pub(crate) struct Sandbox {
    pub(crate) at: Addresses,
    pub(crate) keys: Arc<Keys>,
    client: HttpClient,
    producer: OnceCell<Producer>,
    /// Ends with the value; none for the shared one.
    process: Option<Child>,
    /// Where its log and tables are; ends after the process.
    home: Arc<Home>,
    /// What the command has printed; nothing of the shared one's.
    lines: Arc<Mutex<Vec<String>>>,
}

impl Sandbox {
    /// The one that all harmless tests share; it ends with the test binary.
    pub(crate) fn shared() -> Self {
        static SHARED: OnceLock<(Addresses, Arc<Keys>, Arc<Home>)> = OnceLock::new();
        let (at, keys, home) = SHARED.get_or_init(|| {
            let (ready, started) = mpsc::channel();
            // A runtime of its own: that of the test that happens to come first ends with the test.
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
                runtime.unwrap().block_on(async move {
                    let own = Self::start(&[]).await;
                    ready.send((own.at.clone(), Arc::clone(&own.keys), Arc::clone(&own.home))).unwrap();
                    std::future::pending::<()>().await;
                });
            });
            started.recv().expect("the shared sandbox does not start, see above")
        });
        Self::reached(at.clone(), Arc::clone(keys), None, Arc::clone(home), Arc::default())
    }

    /// One for a test alone, with further options of `up`.
    pub(crate) async fn start(options: &[&str]) -> Self {
        Self::start_in(&Arc::new(Home::passing().await), options).await
    }

    /// One that finds what earlier ones have left.
    pub(crate) async fn start_in(home: &Arc<Home>, options: &[&str]) -> Self {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let mut program = Program::new("up", env!("CARGO_BIN_EXE_local"));
        program.args = ["up", "--port", "0"].iter().chain(options).map(Into::into).collect();
        program.args.extend(home.options().into_iter().map(Into::into));
        let sink = Arc::clone(&lines);
        program.lines = Some(Arc::new(move |line: &str| {
            // Shown by a test that fails, like everything on stderr.
            eprintln!("{line}");
            sink.lock().unwrap().push(line.to_owned());
        }));
        let spawner = Spawner::through(env!("CARGO_BIN_EXE_local")).unwrap();
        let process = spawner.spawn(&program).await.unwrap();
        let end = Instant::now() + READY_MAX;
        let at = loop {
            let ready = lines.lock().unwrap().iter().find_map(|line| serde_json::from_str::<Addresses>(line).ok());
            match ready {
                Some(at) => break at,
                None => assert!(process.exit().is_none() && Instant::now() < end, "{:?}", lines.lock().unwrap()),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        Self::reached(at, Arc::new(Keys::of_checkout().unwrap()), Some(process), Arc::clone(home), lines)
    }

    fn reached(
        at: Addresses,
        keys: Arc<Keys>,
        process: Option<Child>,
        home: Arc<Home>,
        lines: Arc<Mutex<Vec<String>>>,
    ) -> Self {
        Self { at, keys, client: http_client(), producer: OnceCell::new(), process, home, lines }
    }

    /// What a sandbox of one's own has printed so far, its functions' lines with their names in front.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    /// Where its log and tables are.
    pub(crate) fn home(&self) -> &Home {
        &self.home
    }

    /// The process of the command.
    pub(crate) fn pid(&self) -> i32 {
        self.process.as_ref().expect("a sandbox of its own").pid()
    }

    /// SIGKILL: nothing of the command's own runs any more.
    pub(crate) async fn kill(self) {
        self.process.expect("a sandbox of its own").kill().await;
    }

    /// SIGTERM, and how the command has ended.
    pub(crate) async fn terminate(self) -> std::process::ExitStatus {
        let process = self.process.expect("a sandbox of its own");
        assert!(process.terminate().await, "it had ended before");
        process.wait().await
    }

    /// A token that the sandbox accepts.
    pub(crate) fn token(&self, user: &str) -> String {
        self.keys.sign(user, &Claims::default()).unwrap()
    }

    /// A token with scopes.
    pub(crate) fn scoped(&self, user: &str, scope: &str) -> String {
        self.keys.sign(user, &Claims { scope: scope.into(), ..Claims::default() }).unwrap()
    }

    /// Any call; the path goes as it is. The answer has to be one that the document in `events/` promises.
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: impl Into<String>,
    ) -> Response {
        let mut request = Request::builder().method(&method).uri(format!("{}{path}", self.at.api));
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let answer = send(&self.client, request.body(body.into().into()).unwrap()).await;
        let answered = Answered {
            method: method.as_str(),
            path,
            status: answer.status.as_u16(),
            headers: answer.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect(),
            body: &answer.body,
        };
        Api::promised().check(&answered).unwrap_or_else(|fault| panic!("{fault}: {answer:?}"));
        answer
    }

    /// `POST /coupons` by somebody who may.
    pub(crate) async fn create(&self, coupon: &Value) -> Response {
        let admin = self.scoped("admin", "coupons:write");
        self.call(Method::POST, "/coupons", Some(&admin), coupon.to_string()).await
    }

    /// A new coupon of so many, open from now on; its id.
    pub(crate) async fn coupon(&self, name: &str, total: u64) -> String {
        let id = unique(name);
        let created = self.create(&json!({"couponId": id, "name": name, "total": total})).await;
        assert_eq!(created.status, 201, "{created:?}");
        id
    }

    /// A new coupon of so many that closes within this time; its id. A machine too busy to create one so soon before its
    /// end creates one with more time.
    pub(crate) async fn closing_coupon(&self, name: &str, total: u64, mut within: Duration) -> String {
        loop {
            let id = unique(name);
            let closes_at = in_ms(i64::try_from(within.as_millis()).unwrap());
            let coupon = json!({"couponId": id, "name": name, "total": total, "closesAt": closes_at});
            let created = self.create(&coupon).await;
            if created.status == 201 {
                return id;
            }
            is_problem(&created, 400, "INVALID_REQUEST");
            within *= 2;
            assert!(within < PATIENCE, "{created:?}");
        }
    }

    /// `GET /coupons/{couponId}`.
    pub(crate) async fn show(&self, coupon: &str) -> Response {
        self.call(Method::GET, &format!("/coupons/{coupon}"), None, "").await
    }

    /// `POST /coupons/{couponId}/issues`.
    pub(crate) async fn issue(&self, coupon: &str, user: &str) -> Response {
        let path = format!("/coupons/{coupon}/issues");
        self.call(Method::POST, &path, Some(&self.token(user)), "").await
    }

    /// The same, accepted; the ticket.
    pub(crate) async fn ticket(&self, coupon: &str, user: &str) -> String {
        let answer = self.issue(coupon, user).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        answer.json()["requestId"].as_str().unwrap().to_owned()
    }

    /// `GET /coupons/{couponId}/issues/{requestId}`.
    pub(crate) async fn status(&self, coupon: &str, ticket: &str, user: &str) -> Response {
        let path = format!("/coupons/{coupon}/issues/{ticket}");
        self.call(Method::GET, &path, Some(&self.token(user)), "").await
    }

    /// The status as soon as it is one of these. Environments cache heads for 250 ms, each by itself: right behind a
    /// decision one of them may not know of it.
    pub(crate) async fn status_once(
        &self,
        coupon: &str,
        ticket: &str,
        user: &str,
        is_one: impl Fn(&Response) -> bool,
    ) -> Response {
        let end = Instant::now() + PATIENCE;
        loop {
            let answer = self.status(coupon, ticket, user).await;
            if is_one(&answer) {
                return answer;
            }
            assert!(Instant::now() < end, "{ticket} after {PATIENCE:?}: {answer:?}");
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }

    /// What a ticket came to, as soon as it is known.
    pub(crate) async fn outcome_of(&self, coupon: &str, ticket: &str, user: &str) -> Value {
        let end = Instant::now() + PATIENCE;
        loop {
            let answer = self.status(coupon, ticket, user).await;
            let told = answer.json();
            // While a part is away, the answer is a 503: asked again, like anybody would.
            if answer.status != 503 && told["status"] != "PENDING" {
                assert_eq!(answer.status, 200, "{answer:?}");
                return told;
            }
            assert!(Instant::now() < end, "no outcome of {ticket} after {PATIENCE:?}: {answer:?}");
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }

    /// Asks for a coupon and waits for what comes of it.
    pub(crate) async fn asks(&self, coupon: &str, user: &str) -> Value {
        let ticket = self.ticket(coupon, user).await;
        self.outcome_of(coupon, &ticket, user).await
    }

    /// The same while parts are away: asks again after a 5xx, which is always safe.
    pub(crate) async fn asks_until_answered(&self, coupon: &str, user: &str) -> Value {
        let end = Instant::now() + PATIENCE;
        loop {
            let answer = self.issue(coupon, user).await;
            match answer.status.as_u16() {
                202 => {
                    let ticket = answer.json()["requestId"].as_str().unwrap().to_owned();
                    let told = self.outcome_of(coupon, &ticket, user).await;
                    // A request whose 503 had reached the log all the same came first, and the coupon is told with it.
                    return told.get("coupon").cloned().unwrap_or(told);
                }
                409 => return answer.json()["coupon"].clone(),
                _ => assert!(answer.status.as_u16() >= 500 && Instant::now() < end, "{answer:?}"),
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Waits until the coupon is in this state for whoever looks.
    pub(crate) async fn until_state(&self, coupon: &str, state: &str) {
        let end = Instant::now() + PATIENCE;
        // The environments cache heads for 250 ms, each by itself: several looks in a row must agree.
        let mut agreed = 0;
        while agreed < 5 {
            let shown = self.show(coupon).await;
            agreed = if shown.json()["state"] == state { agreed + 1 } else { 0 };
            assert!(Instant::now() < end, "{coupon} is not {state}: {shown:?}");
            tokio::time::sleep(Duration::from_millis(60)).await;
        }
    }

    /// `GET /me/coupons` with a query.
    pub(crate) async fn mine(&self, user: &str, query: &str) -> Response {
        self.call(Method::GET, &format!("/me/coupons{query}"), Some(&self.token(user)), "").await
    }

    /// Writes a record past the API.
    pub(crate) async fn produce(&self, record: Record) -> Delivery {
        let connect = async || {
            let settings = ProducerSettings { linger: Duration::from_millis(5), ..ProducerSettings::default() };
            Producer::new(&Connection::plaintext(&self.at.kafka), settings).unwrap()
        };
        self.producer.get_or_init(connect).await.produce(record).await.unwrap()
    }

    /// Asks for a fault, and waits until it holds.
    pub(crate) async fn fault(&self, fault: Value) {
        if self.home.breaks(&fault).await {
            return;
        }
        let faults = self.at.faults.as_deref().expect("start the sandbox with --faults");
        let request = Request::post(faults).body(fault.to_string().into()).unwrap();
        let answer = send(&self.client, request).await;
        assert_eq!(answer.status, 202, "{answer:?}");
    }

    /// The audit's verdict on everything in this sandbox, every record of which has to be as the documents in `events/`
    /// promise. Requests are not looked at: tests write what is none past the API.
    pub(crate) async fn audit(&self) -> Report {
        let report = local::audit::command::audit(&self.audit_options()).await.unwrap();
        let reader = Reader::new(&Connection::plaintext(&self.at.kafka)).unwrap();
        for (topic, kind) in [("coupon-issue-result", Kind::Result), ("coupon-issue-dlq", Kind::DeadLetter)] {
            let spans = reader.spans(topic).await.unwrap();
            let judge = |record: ReadRecord| {
                let (key, value) = (record.key.as_deref(), record.value.as_deref());
                let judged = Records::promised().check(kind, key, value, &record.headers);
                judged.unwrap_or_else(|fault| panic!("{fault}: {record:?}"));
            };
            reader.read(topic, &spans, judge).await.unwrap();
        }
        report
    }

    /// Where the audit finds this sandbox.
    pub(crate) fn audit_options(&self) -> AuditOptions {
        AuditOptions {
            kafka: self.at.kafka.clone(),
            kafka_config: None,
            dynamodb: self.at.dynamodb.clone(),
            tickets: None,
            deployed: TemplateOptions::default(),
            patience: PATIENCE.as_secs(),
            json: false,
        }
    }
}

/// Runs the command, as a shell would.
pub(crate) async fn local(arguments: &[&str]) -> Output {
    tokio::process::Command::new(env!("CARGO_BIN_EXE_local")).args(arguments).kill_on_drop(true).output().await.unwrap()
}

/// An id that no other test has.
pub(crate) fn unique(name: &str) -> String {
    static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    format!("{name}-{}", COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
}

/// A moment this far from now, as the wire has it.
pub(crate) fn in_ms(ms: i64) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    coupon::Timestamp::from_millis_clamped(i64::try_from(now.as_millis()).unwrap() + ms).to_string()
}

/// Asserts an error that a function made: its status, its code, and the form of RFC 9457.
#[track_caller]
pub(crate) fn is_problem(answer: &Response, status: u16, code: &str) -> Value {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{answer:?}");
    let problem = answer.json();
    assert_eq!((&problem["status"], &problem["code"]), (&json!(status), &json!(code)), "{problem}");
    let kind = format!("urn:firstcome:problem:{}", code.to_lowercase().replace('_', "-"));
    assert_eq!(problem["type"], kind.as_str(), "{problem}");
    for member in ["title", "detail"] {
        assert!(problem[member].as_str().is_some_and(|text| !text.is_empty()), "{problem}");
    }
    problem
}

/// Asserts the gateway's own 401.
#[track_caller]
pub(crate) fn is_unauthorized(answer: &Response) {
    assert_eq!(answer.status, 401, "{answer:?}");
    assert_eq!(answer.json(), json!({"message": "Unauthorized"}));
    assert!(answer.header("www-authenticate").is_some_and(|header| header.starts_with("Bearer")), "{answer:?}");
}
