//! A function behind a real Invoke address: each case says what it answers, and sees what it was asked.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};

/// What an invocation answers.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) error: Option<&'static str>,
    pub(crate) body: String,
    pub(crate) after: Duration,
}

impl Reply {
    pub(crate) fn ok() -> Self {
        Self::body("null")
    }

    pub(crate) fn body(body: impl Into<String>) -> Self {
        Self { status: 200, error: None, body: body.into(), after: Duration::ZERO }
    }

    pub(crate) fn error() -> Self {
        Self { error: Some("Unhandled"), ..Self::body(r#"{"errorMessage":"no","errorType":"Error"}"#) }
    }

    pub(crate) fn status(status: u16) -> Self {
        Self { status, ..Self::body("{}") }
    }

    /// A partial batch response that names these.
    pub(crate) fn failures(named: &[(&str, i64)]) -> Self {
        let item = |(key, offset): &(&str, i64)| json!({"itemIdentifier": {"partition": key, "offset": offset}});
        let items: Vec<Value> = named.iter().map(item).collect();
        Self::body(json!({"batchItemFailures": items}).to_string())
    }

    pub(crate) fn after(self, after: Duration) -> Self {
        Self { after, ..self }
    }
}

/// One invocation as the function saw it.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) event: Value,
    pub(crate) bytes: usize,
    pub(crate) began: Instant,
    pub(crate) ended: Option<Instant>,
}

impl Call {
    /// Its offsets by partition key.
    pub(crate) fn offsets(&self) -> BTreeMap<String, Vec<i64>> {
        let records = self.event["records"].as_object().unwrap();
        let offsets =
            |records: &Value| records.as_array().unwrap().iter().map(|r| r["offset"].as_i64().unwrap()).collect();
        records.iter().map(|(key, records)| (key.clone(), offsets(records))).collect()
    }

    pub(crate) fn records(&self) -> Vec<Value> {
        let records = self.event["records"].as_object().unwrap();
        records.values().flat_map(|records| records.as_array().unwrap().clone()).collect()
    }
}

type Responder = dyn Fn(usize, &Call) -> Reply + Send + Sync;

/// A running function.
#[derive(Clone)]
pub(crate) struct Function {
    pub(crate) url: String,
    calls: Arc<Mutex<Vec<Call>>>,
}

#[derive(Clone)]
struct Served {
    calls: Arc<Mutex<Vec<Call>>>,
    responder: Arc<Responder>,
}

impl Function {
    /// Serves; the responder gets the number of the call, from 0, and the call.
    pub(crate) async fn start(responder: impl Fn(usize, &Call) -> Reply + Send + Sync + 'static) -> Self {
        let calls = Arc::new(Mutex::new(Vec::new()));
        let served = Served { calls: Arc::clone(&calls), responder: Arc::new(responder) };
        let router = Router::new()
            .route("/2015-03-31/functions/{name}/invocations", post(invoke))
            .layer(axum::extract::DefaultBodyLimit::max(64 << 20))
            .with_state(served);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        #[expect(clippy::disallowed_methods, reason = "the test's server runs beside the test")]
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url: format!("http://{address}/2015-03-31/functions/worker/invocations"), calls }
    }

    /// Stands for a destination: takes every payload.
    pub(crate) async fn start_anywhere() -> Self {
        Self::start(|_, _| Reply::ok()).await
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }

    /// Partition key and offset of all records in the order in which they were handed over.
    pub(crate) fn places(&self) -> Vec<(String, i64)> {
        let of_call = |call: &Call| {
            call.offsets()
                .into_iter()
                .flat_map(|(key, offsets)| offsets.into_iter().map(move |offset| (key.clone(), offset)))
                .collect::<Vec<_>>()
        };
        self.calls().iter().flat_map(of_call).collect()
    }
}

#[expect(clippy::disallowed_methods, reason = "cases measure when an invocation began and ended")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

async fn invoke(State(served): State<Served>, headers: HeaderMap, body: Bytes) -> Response {
    let event: Value = serde_json::from_slice(&body).unwrap();
    let invocation = event.get("eventSource").is_some();
    assert_eq!(headers.get("x-amz-invocation-type").is_some_and(|kind| kind == "RequestResponse"), invocation);
    let call = Call { event, bytes: body.len(), began: now(), ended: None };
    let (number, reply) = {
        let mut calls = served.calls.lock().unwrap();
        calls.push(call.clone());
        (calls.len() - 1, (served.responder)(calls.len() - 1, &call))
    };
    tokio::time::sleep(reply.after).await;
    served.calls.lock().unwrap()[number].ended = Some(now());
    let mut response = (StatusCode::from_u16(reply.status).unwrap(), reply.body).into_response();
    if let Some(kind) = reply.error {
        response.headers_mut().insert(HeaderName::from_static("x-amz-function-error"), kind.parse().unwrap());
    }
    response
}
