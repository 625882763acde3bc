//! The proxy in front of an echo: what passes, passes as it is; what meets a fault, meets DynamoDB's own words.

use std::sync::atomic::{AtomicU64, Ordering};

use hyper::StatusCode;
use serde_json::Value;

use super::*;

/// An upstream that gives back what it receives, headers in `echo-…`, and counts.
struct Echo {
    url: String,
    calls: Arc<AtomicU64>,
    serving: AbortHandle,
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

async fn echo() -> Echo {
    let listener = listener().await;
    let url = format!("http://{}", listener.local_addr().unwrap());
    let calls = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&calls);
    let serving = tokio::spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            let calls = Arc::clone(&counted);
            connections.spawn(async move {
                let service = service_fn(move |request: Request<Incoming>| {
                    calls.fetch_add(1, Ordering::SeqCst);
                    let mut answer = Response::builder().status(StatusCode::IM_A_TEAPOT);
                    for (name, value) in request.headers() {
                        answer = answer.header(format!("echo-{name}"), value);
                    }
                    answer = answer.header("echo-uri", request.uri().to_string());
                    async move { answer.body(request.into_body()) }
                });
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await
            });
        }
    });
    Echo { url, calls, serving: serving.abort_handle() }
}

/// An echo with a proxy in front, and a client of the proxy.
struct Bench {
    echo: Echo,
    proxy: FaultProxy,
    client: Client<HttpConnector, Full<Bytes>>,
}

async fn bench(seed: u64) -> Bench {
    let echo = echo().await;
    let proxy = FaultProxy::start_seeded(listener().await, &echo.url, seed).unwrap();
    Bench { echo, proxy, client: Client::builder(TokioExecutor::new()).build_http() }
}

impl Bench {
    async fn call(&self, operation: &str, body: &str) -> Result<Response<Bytes>, hyper_util::client::legacy::Error> {
        let request = Request::post(format!("http://{}/path?query=1", self.proxy.address()))
            .header("host", "dynamodb.example")
            .header("x-amz-target", format!("DynamoDB_20120810.{operation}"))
            .header("authorization", "AWS4-HMAC-SHA256 …")
            .body(Full::new(Bytes::from(body.to_owned())))
            .unwrap();
        let (parts, body) = self.client.request(request).await?.into_parts();
        Ok(Response::from_parts(parts, body.collect().await.unwrap().to_bytes()))
    }

    fn upstream_calls(&self) -> u64 {
        self.echo.calls.load(Ordering::SeqCst)
    }

    /// The error that a call is answered with, without its namespace, and the answer itself.
    async fn error(&self, operation: &str, body: &str) -> (String, Value) {
        let answer = self.call(operation, body).await.unwrap();
        let json: Value = serde_json::from_slice(answer.body()).unwrap();
        assert_eq!(answer.headers()["content-type"], "application/x-amz-json-1.0");
        assert_eq!(answer.headers()["x-amz-crc32"], crc32fast::hash(answer.body()).to_string());
        let Some(name) = json["__type"].as_str() else { return (String::new(), json) };
        let name = name.rsplit_once('#').unwrap().1.to_owned();
        assert_eq!(
            (answer.status(), answer.headers()["x-amzn-errortype"].to_str().unwrap()),
            (StatusCode::BAD_REQUEST, &*name)
        );
        (name, json)
    }
}

const TRANSACTION: &str = r#"{"TransactItems":[{"Update":{}},{"Put":{}},{"Put":{}}]}"#;

#[tokio::test]
async fn what_meets_no_fault_passes_as_it_is() {
    let bench = bench(1).await;
    let body = "körper".repeat(100_000);
    let answer = bench.call("PutItem", &body).await.unwrap();
    assert_eq!(answer.status(), StatusCode::IM_A_TEAPOT);
    assert_eq!(answer.headers()["echo-host"], "dynamodb.example", "the signed host stays");
    assert_eq!(answer.headers()["echo-authorization"].as_bytes(), "AWS4-HMAC-SHA256 …".as_bytes());
    assert_eq!(answer.headers()["echo-uri"], "/path?query=1");
    assert_eq!(answer.body(), &body);
}

#[tokio::test]
async fn a_throttled_call_is_not_handed_on_and_gets_an_error_of_its_operation() {
    let bench = bench(2).await;
    bench.proxy.set(Fault::new(Kind::Throttle, 1.0));
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..50 {
        let (name, _) = bench.error("GetItem", "{}").await;
        assert!(
            ["ThrottlingException", "ProvisionedThroughputExceededException", "RequestLimitExceeded"].contains(&&*name)
        );
        let (name, error) = bench.error("TransactWriteItems", TRANSACTION).await;
        seen.insert(name);
        if let Some(reasons) = error["CancellationReasons"].as_array() {
            let codes: Vec<&str> = reasons.iter().map(|reason| reason["Code"].as_str().unwrap()).collect();
            assert_eq!(codes.len(), 3);
            assert_eq!(codes.iter().filter(|code| **code == "None").count(), 2);
            seen.extend(codes.into_iter().map(str::to_owned));
        }
    }
    for name in
        ["ThrottlingException", "TransactionCanceledException", "ThrottlingError", "ProvisionedThroughputExceeded"]
    {
        assert!(seen.contains(name), "{name} in {seen:?}");
    }
    assert_eq!(bench.upstream_calls(), 0);
    assert_eq!(bench.proxy.met(Kind::Throttle), 100);
}

#[tokio::test]
async fn a_throttled_lookup_may_be_answered_with_nothing_looked_up() {
    let bench = bench(3).await;
    bench.proxy.set(Fault::new(Kind::Throttle, 1.0));
    let body = r#"{"RequestItems":{"user-coupons":{"Keys":[{"userId":{"S":"ann"}}]}}}"#;
    for _ in 0..50 {
        let (name, answer) = bench.error("BatchGetItem", body).await;
        if name.is_empty() {
            assert_eq!(answer["UnprocessedKeys"], serde_json::from_str::<Value>(body).unwrap()["RequestItems"]);
            assert_eq!(answer["Responses"], serde_json::json!({}));
            return;
        }
    }
    panic!("fifty lookups, and none was left unprocessed");
}

#[tokio::test]
async fn a_conflict_is_met_by_writes_only() {
    let bench = bench(4).await;
    bench.proxy.set(Fault::new(Kind::Conflict, 1.0));
    assert_eq!(bench.error("UpdateItem", "{}").await.0, "TransactionConflictException");
    assert_eq!(bench.call("GetItem", "{}").await.unwrap().status(), StatusCode::IM_A_TEAPOT);
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..50 {
        seen.insert(bench.error("TransactWriteItems", TRANSACTION).await.0);
    }
    assert_eq!(
        seen.into_iter().collect::<Vec<_>>(),
        ["TransactionCanceledException", "TransactionInProgressException"]
    );
    assert_eq!(bench.upstream_calls(), 1, "only the read is handed on");
}

#[tokio::test]
async fn a_call_whose_answer_gets_lost_is_carried_out() {
    let bench = bench(5).await;
    bench.proxy.set(Fault::new(Kind::LostAnswer, 1.0));
    assert!(bench.call("PutItem", "{}").await.is_err());
    assert_eq!(bench.upstream_calls(), 1);
    assert_eq!(bench.call("CreateTable", "{}").await.unwrap().status(), StatusCode::IM_A_TEAPOT, "tables are spared");
    bench.proxy.clear(Kind::LostAnswer);
    assert_eq!(bench.call("PutItem", "{}").await.unwrap().status(), StatusCode::IM_A_TEAPOT);
}

#[tokio::test]
async fn latency_is_waited_for_and_goes_with_other_faults() {
    let bench = bench(6).await;
    bench.proxy.set(Fault { ms: 80, ..Fault::new(Kind::Latency, 1.0) });
    let start = std::time::Instant::now();
    assert_eq!(bench.call("PutItem", "{}").await.unwrap().status(), StatusCode::IM_A_TEAPOT);
    assert!(start.elapsed() >= Duration::from_millis(80));

    bench.proxy.set(Fault::new(Kind::Throttle, 1.0));
    let start = std::time::Instant::now();
    assert_eq!(bench.call("PutItem", "{}").await.unwrap().status(), StatusCode::BAD_REQUEST);
    assert!(start.elapsed() >= Duration::from_millis(80));
}

#[tokio::test]
async fn the_rate_is_the_share_of_calls_and_the_seed_repeats_them() {
    let (one, same, other) = (bench(7).await, bench(7).await, bench(8).await);
    let mut met = Vec::new();
    for bench in [&one, &same, &other] {
        bench.proxy.set(Fault::new(Kind::Throttle, 0.25));
        let mut statuses = Vec::new();
        for _ in 0..200 {
            statuses.push(bench.call("GetItem", "{}").await.unwrap().status());
        }
        met.push(statuses);
    }
    assert_eq!(met[0], met[1]);
    assert_ne!(met[0], met[2]);
    let throttled = met[0].iter().filter(|status| **status == StatusCode::BAD_REQUEST).count();
    assert!((25..75).contains(&throttled), "{throttled} of 200 at a rate of a quarter");
}

#[tokio::test]
async fn an_upstream_that_is_down_looks_down_and_comes_back() {
    let upstream = listener().await;
    let address = upstream.local_addr().unwrap();
    drop(upstream);
    let proxy = FaultProxy::start_seeded(listener().await, &format!("http://{address}"), 9).unwrap();
    let bench = Bench { echo: echo().await, proxy, client: Client::builder(TokioExecutor::new()).build_http() };
    assert!(bench.call("GetItem", "{}").await.is_err(), "no answer, as from a port that nobody serves");
    let listener = TcpListener::bind(address).await.unwrap();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let service =
            service_fn(async |request: Request<Incoming>| Ok::<_, hyper::Error>(Response::new(request.into_body())));
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await.unwrap();
    });
    assert_eq!(bench.call("GetItem", "{}").await.unwrap().status(), StatusCode::OK);
}

#[test]
fn an_endpoint_that_cannot_be_stood_in_front_of_is_refused() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        for upstream in ["https://dynamodb.us-east-1.amazonaws.com", "127.0.0.1:8000", "", "/"] {
            assert!(FaultProxy::start(listener().await, upstream).is_err(), "{upstream}");
        }
    });
}
