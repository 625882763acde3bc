//! The sandbox runs what the template declares: what is changed in a copy of it changes the sandbox, and what is not
//! understood there is refused, with its line, before anything is built or started.
//!
//! That the checkout's own template is run, whole, is every other module's test.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::routing::any;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::{Method, Request};
use kafka::{Connection, Reader, Record};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::hosted::{Response, http_client, send};
use crate::sandbox::{Sandbox, in_ms, is_problem, local};

/// A copy of the template, anywhere.
struct Copy {
    path: PathBuf,
    text: String,
    _directory: TempDir,
}

impl Copy {
    /// With these texts, each of which stands there once, replaced.
    fn with(changes: &[(&str, &str)]) -> Self {
        let original = Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra/template.yaml");
        let mut text = std::fs::read_to_string(original).unwrap();
        for (before, after) in changes {
            assert_eq!(text.matches(before).count(), 1, "the template is written otherwise now: {before:?}");
            text = text.replace(before, after);
        }
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("copy.yaml");
        std::fs::write(&path, &text).unwrap();
        Self { path, text, _directory: directory }
    }

    fn option(&self) -> [&str; 2] {
        ["--template", self.path.to_str().unwrap()]
    }

    /// The line and the column where this begins.
    fn place(&self, found: &str) -> String {
        let (before, _) = self.text.split_once(found).unwrap();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        format!("{}:{}:{}", self.path.display(), before.matches('\n').count() + 1, before.len() - line_start + 1)
    }
}

/// `up` with these options, which has to be refused: with exit code 2 for what was asked for, 1 for what is in the template.
async fn refused(options: &[&str], code: i32) -> String {
    let output = local(&[&["up", "--port", "0"], options].concat()).await;
    assert_eq!(output.status.code(), Some(code), "{options:?}: {output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

async fn ask(sandbox: &Sandbox, method: Method, path: &str, headers: &[(&str, &str)]) -> Response {
    let mut request = Request::builder().method(method).uri(format!("{}{path}", sandbox.at.api));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(&http_client(), request.body(String::new().into()).unwrap()).await
}

/// The variables of a running function of this name, which no other sandbox has.
fn variables_of(function: &str) -> BTreeSet<String> {
    let processes =
        std::fs::read_dir("/proc").unwrap().filter_map(|entry| std::fs::read(entry.ok()?.path().join("environ")).ok());
    let mut variables = processes.map(|bytes| {
        bytes
            .split(|byte| *byte == 0)
            .map(|variable| String::from_utf8_lossy(variable).into_owned())
            .collect::<BTreeSet<_>>()
    });
    let name = format!("AWS_LAMBDA_FUNCTION_NAME={function}");
    variables.find(|variables| variables.contains(&name)).unwrap_or_else(|| panic!("no process of {function}"))
}

/// One sandbox for several changes, since each costs seconds: a route and who may take it, memory and variables, names,
/// the topics' partitions, an audience.
#[tokio::test]
async fn what_is_changed_in_the_template_changes_in_the_sandbox() {
    let copy = Copy::with(&[
        // Looking at a coupon asks for a token now, and there is a route more.
        (
            "RouteKey: GET /coupons/{couponId}\n      AuthorizationType: NONE",
            "RouteKey: GET /coupons/{couponId}\n      AuthorizationType: JWT\n      AuthorizerId: !Ref Authorizer",
        ),
        (
            "RouteKey: GET /me/coupons\n      AuthorizationType: JWT\n      AuthorizerId: !Ref Authorizer",
            "RouteKey: GET /me/coupons\n      AuthorizationType: NONE",
        ),
        ("MemorySize: 1024", "MemorySize: 2048"),
        ("          HEAD_CACHE_MS: !Ref HeadCacheMs", "          HEAD_CACHE_MS: !Select [1, ['1', '17']]"),
    ]);
    let chosen = ["Prefix=other-", "Partitions=3", "JwtAudience=shop"].map(|one| ["--parameter", one]).concat();
    let sandbox = Sandbox::start(&[&copy.option()[..], &chosen].concat()).await;
    let anybodys = format!("Bearer {}", sandbox.token("ann"));
    let meant_for_others = ask(&sandbox, Method::GET, "/coupons/a", &[("authorization", &anybodys)]).await;
    assert_eq!(meant_for_others.status, 401, "{meant_for_others:?}");
    let claims = local::keys::Claims { audience: "shop".into(), scope: "coupons:write".into(), ..Default::default() };
    let token = sandbox.keys.sign("ann", &claims).unwrap();
    assert_eq!(ask(&sandbox, Method::GET, "/coupons/a", &[]).await.status, 401, "it asks for a token now");
    is_problem(&sandbox.call(Method::GET, "/coupons/a", Some(&token), "").await, 404, "COUPON_NOT_FOUND");
    is_problem(&ask(&sandbox, Method::GET, "/me/coupons", &[]).await, 400, "INVALID_REQUEST");

    let coupon = json!({"couponId": "a", "name": "a", "total": 1}).to_string();
    assert_eq!(sandbox.call(Method::POST, "/coupons", Some(&token), coupon).await.status, 201);
    assert_eq!(sandbox.call(Method::POST, "/coupons/a/issues", Some(&token), "").await.status, 202);
    let reader = Reader::new(&Connection::plaintext(&sandbox.at.kafka)).unwrap();
    assert_eq!(reader.spans("other-coupon-issue-request").await.unwrap().len(), 3);
    assert!(reader.spans("coupon-issue-request").await.is_err());
    let (door, worker) = (variables_of("other-issue-api"), variables_of("other-issue-worker"));
    assert!(door.contains("HEAD_CACHE_MS=17") && door.contains("COUPONS_TABLE=other-coupons"), "{door:?}");
    assert!(worker.contains("AWS_LAMBDA_FUNCTION_MEMORY_SIZE=2048"), "{worker:?}");
    let audit =
        ["audit", "--kafka", &sandbox.at.kafka, "--dynamodb", &sandbox.at.dynamodb, "--parameter", "Prefix=other-"];
    let output = local(&audit).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[tokio::test]
async fn a_function_has_the_time_that_the_template_gives_it() {
    let copy = Copy::with(&[("MemorySize: 512\n      Timeout: 10", "MemorySize: 512\n      Timeout: 1")]);
    let sandbox = Sandbox::start(&[&copy.option()[..], &["--faults"]].concat()).await;
    let coupon = sandbox.coupon("timed", 1).await;
    sandbox.fault(json!({"target": "dynamodb", "kind": "freeze", "seconds": 30})).await;
    // With ten seconds it would give up by itself, and say so; a head is cached for a quarter of one.
    let end = Instant::now() + Duration::from_secs(20);
    let mut shown = sandbox.show(&coupon).await;
    while shown.status == 200 && Instant::now() < end {
        shown = sandbox.show(&coupon).await;
    }
    assert_eq!((shown.status.as_u16(), shown.json()), (500, json!({"message": "Internal Server Error"})));
}

/// With a minute it would wait for the store for 55 s.
#[tokio::test]
async fn a_worker_whose_store_refuses_everything_fails_in_time_and_says_what_is_left() {
    let copy = Copy::with(&[("MemorySize: 1024\n      Timeout: 60", "MemorySize: 1024\n      Timeout: 10")]);
    let sandbox = Sandbox::start(&[&copy.option()[..], &["--faults"]].concat()).await;
    let coupon = sandbox.coupon("left", 2).await;
    assert_eq!(sandbox.asks(&coupon, "ann").await["rank"], 1);
    sandbox.fault(json!({"target": "dynamodb", "kind": "throttle", "seconds": 600, "rate": 1})).await;
    let partition = record_log::partition_of(coupon.as_bytes(), 10);
    let value = json!({"type": "issue", "couponId": coupon, "userId": "bob", "requestedAt": in_ms(0)}).to_string();
    let event = json!({
        "eventSource": "SelfManagedKafka", "bootstrapServers": "127.0.0.1:9092",
        "records": { format!("coupon-issue-request-{partition}"): [{
            "topic": "coupon-issue-request", "partition": partition, "offset": 1_000_000,
            "timestamp": 1_795_143_600_000_i64, "timestampType": "CREATE_TIME",
            "key": STANDARD.encode(&coupon), "value": STANDARD.encode(value), "headers": [],
        }] },
    });
    let invocations = format!("{}/2015-03-31/functions/issue-worker/invocations", sandbox.at.functions);
    let invoked = Request::post(invocations).body(event.to_string().into()).unwrap();
    let (kind, message) = send(&http_client(), invoked).await.error();
    let left = format!("batch unfinished: 1 records of 1 coupons undecided: {coupon} (1 records): ");
    assert_eq!(kind, "BatchUnfinished", "{message}");
    assert!(message.starts_with(&left) && message.contains("throttles"), "{message}");

    sandbox.fault(json!({"target": "dynamodb", "kind": "throttle", "seconds": 0, "rate": 0})).await;
    assert_eq!(sandbox.asks_until_answered(&coupon, "cho").await["rank"], 2);
    let lines = sandbox.lines();
    let told = lines.iter().filter(|line| line.starts_with("issue-worker[") && line.contains(&message));
    assert_eq!(told.count(), 1, "{lines:#?}");
}

/// Keeps how many records each invocation had, and lets it succeed.
async fn counted(State(seen): State<Arc<Mutex<Vec<usize>>>>, body: String) -> &'static str {
    let event: Value = serde_json::from_str(&body).unwrap();
    if let Some(records) = event["records"].as_object() {
        seen.lock().unwrap().push(records.values().map(|records| records.as_array().unwrap().len()).sum());
    }
    "null"
}

#[tokio::test]
async fn a_batch_has_as_many_records_as_the_template_says() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let router = Router::new().fallback(any(counted)).with_state(Arc::clone(&seen));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let functions = format!("http://{}", listener.local_addr().unwrap());
    let host = tokio::spawn(async move { axum::serve(listener, router).await });
    let copy = Copy::with(&[("BatchSize: !Ref BatchSize", "BatchSize: 7")]);
    let sandbox = Sandbox::start(&[&copy.option()[..], &["--functions", &functions]].concat()).await;
    let records = 100;
    let one = |number: usize| Record {
        topic: "coupon-issue-request".into(),
        partition: Some(0),
        value: Some(number.to_string().into()),
        ..Record::default()
    };
    futures_util::future::join_all((0..records).map(|number| sandbox.produce(one(number)))).await;
    let end = Instant::now() + Duration::from_secs(60);
    while seen.lock().unwrap().iter().sum::<usize>() < records && Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let batches = seen.lock().unwrap().clone();
    assert_eq!((batches.iter().sum::<usize>(), batches.iter().max()), (records, Some(&7)), "{batches:?}");
    host.abort();
}

#[tokio::test]
async fn cors_and_throttling_are_the_templates() {
    let options = [
        "--parameter",
        "CorsOrigins=https://shop.example",
        "--parameter",
        "ThrottleRate=1",
        "--parameter",
        "ThrottleBurst=40",
    ];
    let sandbox = Sandbox::start(&options).await;
    let page = ("origin", "https://shop.example");
    let asked = [page, ("access-control-request-method", "POST"), ("access-control-request-headers", "authorization")];
    let yes = ask(&sandbox, Method::OPTIONS, "/coupons/a/issues", &asked).await;
    assert_eq!(
        (yes.status.as_u16(), yes.header("access-control-allow-origin")),
        (204, Some("https://shop.example")),
        "{yes:?}"
    );
    assert_eq!(yes.header("access-control-allow-headers"), Some("authorization,content-type"));
    let shown = ask(&sandbox, Method::GET, "/coupons/a", &[page]).await;
    assert_eq!(shown.status, 404, "{shown:?}");
    assert_eq!(shown.header("access-control-expose-headers"), Some("location,retry-after"));
    let others = ask(&sandbox, Method::GET, "/coupons/a", &[("origin", "https://evil.example")]).await;
    assert_eq!(others.header("access-control-allow-origin"), None, "{others:?}");
    // More than a burst, faster than one a second.
    let mut last = others;
    for _ in 0..200 {
        last = ask(&sandbox, Method::GET, "/coupons/a", &[]).await;
        if last.status == 429 {
            break;
        }
    }
    assert_eq!((last.status.as_u16(), last.json()), (429, json!({"message": "Too Many Requests"})));
}

#[tokio::test]
async fn without_origins_a_browser_is_told_nothing() {
    let sandbox = Sandbox::shared();
    let asked = [("origin", "https://shop.example"), ("access-control-request-method", "POST")];
    let no = ask(&sandbox, Method::OPTIONS, "/coupons/a/issues", &asked).await;
    assert_eq!((no.status.as_u16(), no.header("access-control-allow-origin")), (401, None), "{no:?}");
}

#[tokio::test]
async fn what_is_not_understood_is_refused_with_its_line() {
    for (before, after, found, told) in [
        (
            "MemorySize: 1024\n      Timeout: 60",
            "MemorySize: 1024\n      Timeout: soon",
            "soon",
            "expected a whole number",
        ),
        ("BatchSize: !Ref BatchSize", "BatchSiez: !Ref BatchSize", "BatchSiez", "unknown field `BatchSiez`"),
        (
            "BatchSize: !Ref BatchSize",
            "BatchSize: 20000",
            "20000\n      Maximum",
            "BatchSize: 20000 is not in 1 to 10000",
        ),
        (
            "StartingPosition: TRIM_HORIZON",
            "StartingPosition: FIRST",
            "FIRST\n",
            "TRIM_HORIZON, LATEST or AT_TIMESTAMP",
        ),
        (
            "HEAD_CACHE_MS: !Ref HeadCacheMs",
            "HEAD_CACHE_MS: !ImportValue Ms",
            "!ImportValue",
            "ImportValue is a function that is not known here",
        ),
        (
            "  HttpStage:\n    Type: AWS::ApiGatewayV2::Stage",
            "  HttpStage:\n    Type: AWS::ApiGateway::Stage",
            "AWS::ApiGateway::Stage",
            "is neither run here nor known to be left out",
        ),
        (
            "RESULT_TOPIC: !Sub",
            "RESULT_TOPICS: !Sub",
            "WorkerFunction:\n    Type",
            "issue-worker has no variable RESULT_TOPIC",
        ),
        ("Binary: issue-worker", "Binary: issue-wroker", "", "issue-wroker"),
    ] {
        let copy = Copy::with(&[(before, after)]);
        let said = refused(&copy.option(), 1).await;
        assert!(said.contains(&copy.place(found)) || found.is_empty(), "{after}: {said}, not {}", copy.place(found));
        assert!(said.contains(told), "{after}: {said}");
    }
}

#[tokio::test]
async fn parameters_and_files_that_are_none_are_refused_by_name() {
    for (options, code, told) in [
        (
            &["--parameter", "BatchSzie=1"][..],
            2,
            "parameter BatchSzie: the template has none of this name; it has JwtIssuer",
        ),
        (&["--parameter", "BatchSize=0"], 2, "parameter BatchSize: 0 is not in 1 to 10000"),
        (
            &["--parameter", "Pollers=1", "--parameter", "Pollers=2"],
            2,
            "--parameter Pollers is given twice, as 1 and as 2",
        ),
        // By a rule of the template, at its line there.
        (&["--parameter", "WarmReads=1"], 1, "WarmReads and WarmWrites are given together, or neither"),
        (&["--template", "/nowhere.yaml"], 2, "/nowhere.yaml: No such file"),
    ] {
        let said = refused(options, code).await;
        assert!(said.contains(told), "{options:?}: {said}");
    }
    let output = local(&["up", "--parameter", "BatchSize"]).await;
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}
