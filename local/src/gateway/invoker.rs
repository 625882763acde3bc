//! Calls a function through the Invoke API of a Lambda host: ours, `cargo lambda watch`, or any other.
//!
//! Knows what a host may answer, and nothing of the request or the response inside.

use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::sync::Semaphore;

/// What API Gateway waits for a function at most.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html>
const INTEGRATION_TIMEOUT: Duration = Duration::from_secs(30);
/// More than any function may answer.
const ANSWER_BYTES_MAX: usize = 8 * 1024 * 1024;
/// A host closes idle connections after some time; we do so before.
const IDLE_MAX: Duration = Duration::from_secs(20);

/// A client of one Lambda host.
#[derive(Debug)]
pub(super) struct Invoker {
    client: Client<HttpConnector, Full<Bytes>>,
    calls: Semaphore,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoAnswer {
    /// The function failed; this is its error.
    #[error("the function failed: {0}")]
    Failed(String),
    /// The event was too large for a function.
    #[error("the request is too large for a function")]
    TooLarge,
    /// No environment was free, or the host is not there.
    #[error("no function to answer: {0}")]
    Unavailable(String),
    /// It took more than 30 seconds.
    #[error("no answer within {} s", INTEGRATION_TIMEOUT.as_secs())]
    TimedOut,
}

impl Invoker {
    /// A client with so many calls under way at once; those beyond wait.
    pub(super) fn new(calls_max: usize) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE_MAX)
            .pool_timer(TokioTimer::new())
            .build(connector);
        Self { client, calls: Semaphore::new(calls_max) }
    }

    /// Where a function is invoked, below a host's address such as `http://127.0.0.1:9703`.
    pub(super) fn address(host: &str, function: &str) -> anyhow::Result<Uri> {
        let address = format!("{}/2015-03-31/functions/{function}/invocations", host.trim_end_matches('/'));
        let uri: Uri = address.parse().with_context(|| format!("{address} is no address"))?;
        anyhow::ensure!(
            uri.scheme_str() == Some("http"),
            "{host} must begin with http://, the host is on this machine"
        );
        Ok(uri)
    }

    /// Runs a function with an event; its answer.
    pub(super) async fn invoke(&self, address: Uri, event: Vec<u8>, trace_id: &str) -> Result<Bytes, NoAnswer> {
        tokio::time::timeout(INTEGRATION_TIMEOUT, self.call(address, event, trace_id))
            .await
            .unwrap_or(Err(NoAnswer::TimedOut))
    }

    async fn call(&self, address: Uri, event: Vec<u8>, trace_id: &str) -> Result<Bytes, NoAnswer> {
        let _call = self.calls.acquire().await.map_err(|closed| NoAnswer::Unavailable(closed.to_string()))?;
        let mut request = Request::new(Full::new(Bytes::from(event)));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = address;
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Ok(trace_id) = HeaderValue::from_str(trace_id) {
            request.headers_mut().insert("x-amzn-trace-id", trace_id);
        }
        let response = self.client.request(request).await.map_err(|error| unavailable(&error))?;
        let (parts, body) = response.into_parts();
        let failed = parts.headers.contains_key("x-amz-function-error");
        let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
        let body = body.map_err(|error| NoAnswer::Failed(error.to_string()))?.to_bytes();
        let text = || String::from_utf8_lossy(&body).into_owned();
        match parts.status {
            StatusCode::PAYLOAD_TOO_LARGE => Err(NoAnswer::TooLarge),
            StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => Err(NoAnswer::Unavailable(text())),
            status if !status.is_success() || failed => Err(NoAnswer::Failed(text())),
            _ => Ok(body),
        }
    }
}

fn unavailable(error: &hyper_util::client::legacy::Error) -> NoAnswer {
    use std::error::Error as _;
    // The library's own text says only that it failed, its source says why.
    NoAnswer::Unavailable(error.source().map_or_else(|| error.to_string(), ToString::to_string))
}
