//! A function behind a real Invoke address: each case says what it answers, and sees what it was asked. The command's
//! own tests, in `local/tests/e2e/esm/`, use this file as well.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::patience::eventually;

/// Holds answers back until it is opened: what a case says of the time before an answer holds however slow the machine.
#[derive(Debug, Clone)]
pub(crate) struct Gate(Arc<Semaphore>);

impl Gate {
    pub(crate) fn closed() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }

    pub(crate) fn open(&self) {
        self.0.close();
    }

    async fn pass(&self) {
        // Closing it is what lets everybody through.
        drop(self.0.acquire().await);
    }
}

/// What an invocation answers.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) error: Option<&'static str>,
    pub(crate) content_type: &'static str,
    pub(crate) body: String,
    pub(crate) after: Duration,
    pub(crate) gate: Option<Gate>,
    /// Ends the connection in the middle of the answer.
    pub(crate) cut: bool,
}

impl Reply {
    pub(crate) fn ok() -> Self {
        Self::body("null")
    }

    pub(crate) fn body(body: impl Into<String>) -> Self {
        let (error, after, gate, cut) = (None, Duration::ZERO, None, false);
        Self { status: 200, error, content_type: "application/json", body: body.into(), after, gate, cut }
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

    /// Not before the gate is open.
    pub(crate) fn behind(self, gate: &Gate) -> Self {
        Self { gate: Some(gate.clone()), ..self }
    }

    pub(crate) fn cut() -> Self {
        Self { cut: true, ..Self::ok() }
    }
}

/// A body that never comes to its end.
struct Cut;

impl hyper::body::Body for Cut {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<hyper::body::Frame<Bytes>, std::io::Error>>> {
        Poll::Ready(Some(Err(std::io::Error::other("cut"))))
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

    /// Its first partition key, by name.
    pub(crate) fn first_key(&self) -> &str {
        self.event["records"].as_object().unwrap().keys().next().unwrap()
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
        #[allow(clippy::disallowed_methods, reason = "the test's server runs beside the test")]
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url: format!("http://{address}/2015-03-31/functions/worker/invocations"), calls }
    }

    /// Waits for so many, and gives all.
    pub(crate) async fn wait_calls(&self, count: usize) -> Vec<Call> {
        eventually(&format!("{count} calls"), async || self.calls().len() >= count).await;
        self.calls()
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

#[allow(clippy::disallowed_methods, reason = "cases measure when an invocation began and ended")]
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
    if let Some(gate) = &reply.gate {
        gate.pass().await;
    }
    served.calls.lock().unwrap()[number].ended = Some(now());
    let body = if reply.cut { axum::body::Body::new(Cut) } else { reply.body.into() };
    let kind = [(CONTENT_TYPE, reply.content_type)];
    let mut response = (StatusCode::from_u16(reply.status).unwrap(), kind, body).into_response();
    if let Some(kind) = reply.error {
        response.headers_mut().insert(HeaderName::from_static("x-amz-function-error"), kind.parse().unwrap());
    }
    response
}
