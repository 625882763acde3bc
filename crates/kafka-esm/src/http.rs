//! HTTP to the function and to what stands for a destination. Knows addresses, bodies and headers; what an answer means
//! is `response.rs`.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{CONTENT_TYPE, HeaderMap};
use hyper::{Method, Request, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use crate::response::{Exchange, HttpAnswer};

/// Lambda's own limit of a synchronous answer is 6 MB; the double leaves room for an error's stack trace.
const ANSWER_BYTES_MAX: usize = 12 * 1024 * 1024;

/// Node's HTTP server, which many local hosts are made of, closes a connection after five idle seconds; a request that
/// meets that moment would be an invocation of which nobody knows whether it ran.
const IDLE_MAX: Duration = Duration::from_secs(4);

/// A client whose connections are kept between invocations.
#[derive(Debug, Clone)]
pub(crate) struct Http {
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Http {
    pub(crate) fn new() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let mut builder = Client::builder(TokioExecutor::new());
        builder.pool_timer(TokioTimer::new()).pool_idle_timeout(IDLE_MAX);
        Self { client: builder.build(connector) }
    }

    /// Invokes the function and waits for the answer as long as the function may run.
    pub(crate) async fn invoke(&self, uri: Uri, event: Bytes, timeout: Duration) -> Exchange {
        match tokio::time::timeout(timeout, self.post(uri, event, true)).await {
            Ok(Ok(answer)) => Exchange::Answered(answer),
            Ok(Err(error)) => Exchange::Broken(error),
            Err(_elapsed) => Exchange::TimedOut,
        }
    }

    /// Sends a payload; any status of success is an acknowledgement.
    pub(crate) async fn deliver(&self, uri: Uri, body: Bytes, timeout: Duration) -> Result<(), String> {
        match tokio::time::timeout(timeout, self.post(uri, body, false)).await {
            Ok(Ok(answer)) if (200..300).contains(&answer.status) => Ok(()),
            Ok(Ok(answer)) => Err(format!("answered {}", answer.status)),
            Ok(Err(error)) => Err(error),
            Err(_elapsed) => Err(format!("no answer within {timeout:?}")),
        }
    }

    async fn post(&self, uri: Uri, body: Bytes, invocation: bool) -> Result<HttpAnswer, String> {
        let mut request = Request::builder().method(Method::POST).uri(uri).header(CONTENT_TYPE, "application/json");
        if invocation {
            request = request.header("x-amz-invocation-type", "RequestResponse");
        }
        let request = request.body(Full::new(body)).map_err(|error| error.to_string())?;
        let response = self.client.request(request).await.map_err(|error| chain(&error))?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
        let body = body.map_err(|error| format!("the answer was cut: {error}"))?.to_bytes();
        let text = |name: &str| header(&head.headers, name);
        Ok(HttpAnswer {
            status: head.status.as_u16(),
            function_error: text("x-amz-function-error"),
            executed_version: text("x-amz-executed-version"),
            content_type: text("content-type"),
            request_id: text("x-amzn-requestid").or_else(|| text("x-amz-request-id")),
            body,
        })
    }
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

/// An error with its causes: hyper's own words alone do not tell a refusal from a reset.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
