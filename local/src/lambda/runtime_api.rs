//! The Runtime API and the Extensions API, as one environment's process sees them.
//!
//! Only HTTP: what a call means is decided in `environment.rs` and `extensions.rs`.
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use serde_json::json;

use super::environment::{Delivery, Environment, WrongPhase};
use super::function::VERSION;
use super::invocation::{Reply, error_payload};
use crate::serve::{Answer, Received, json, receive};

/// Lambda's limit for an answer: 6 MB and 100 bytes.
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html#function-configuration-deployment-and-execution>
const ANSWER_BYTES_MAX: usize = 6 * 1024 * 1024 + 100;
/// An error report or a registration is small.
const REPORT_BYTES_MAX: usize = 256 * 1024;

const REQUEST_ID: HeaderName = HeaderName::from_static("lambda-runtime-aws-request-id");
const DEADLINE_MS: HeaderName = HeaderName::from_static("lambda-runtime-deadline-ms");
const FUNCTION_ARN: HeaderName = HeaderName::from_static("lambda-runtime-invoked-function-arn");
const TRACE_ID: HeaderName = HeaderName::from_static("lambda-runtime-trace-id");
const CLIENT_CONTEXT: HeaderName = HeaderName::from_static("lambda-runtime-client-context");
const EXTENSION_NAME: HeaderName = HeaderName::from_static("lambda-extension-name");
const EXTENSION_ID: HeaderName = HeaderName::from_static("lambda-extension-identifier");

/// The API of one environment.
#[derive(Debug, Clone)]
pub(super) struct RuntimeApi {
    environment: Arc<Environment>,
}

impl RuntimeApi {
    pub(super) fn new(environment: Arc<Environment>) -> Self {
        Self { environment }
    }
}

impl Answer for RuntimeApi {
    async fn answer(&self, request: Request<Incoming>, _peer: SocketAddr) -> Response<Full<Bytes>> {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path();
        if let Some(runtime) = path.strip_prefix("/2018-06-01/runtime/") {
            return match (&parts.method, runtime) {
                (&Method::GET, "invocation/next") => self.next().await,
                (&Method::POST, "init/error") => self.init_error(body).await,
                (&Method::POST, invocation) => self.finish(invocation, body).await,
                _ => unknown(path),
            };
        }
        let header = |name| parts.headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).unwrap_or("");
        match (&parts.method, path.strip_prefix("/2020-01-01/extension/")) {
            (&Method::POST, Some("register")) => self.register(header(EXTENSION_NAME), body).await,
            (&Method::GET, Some("event/next")) => self.extension_event(header(EXTENSION_ID)).await,
            (&Method::POST, Some(report @ ("init/error" | "exit/error"))) => self.extension_error(report, body).await,
            _ => unknown(path),
        }
    }
}

impl RuntimeApi {
    async fn next(&self) -> Response<Full<Bytes>> {
        match self.environment.next().await {
            Ok(delivery) => self.deliver(delivery),
            Err(WrongPhase) => wrong_phase("the function has a request that it has not answered"),
        }
    }

    fn deliver(&self, delivery: Delivery) -> Response<Full<Bytes>> {
        let mut response = json(StatusCode::OK, delivery.payload);
        let headers = response.headers_mut();
        let mut set = |name: HeaderName, value: &str| {
            // The trace id and the context came in a header, so that they fit into one.
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        };
        set(REQUEST_ID, &delivery.request_id);
        set(DEADLINE_MS, &delivery.deadline_ms.to_string());
        set(FUNCTION_ARN, &self.environment.function().arn);
        set(TRACE_ID, &delivery.trace_id);
        if let Some(context) = &delivery.client_context {
            set(CLIENT_CONTEXT, context);
        }
        response
    }

    /// `invocation/ID/response` and `invocation/ID/error`.
    async fn finish(&self, path: &str, body: Incoming) -> Response<Full<Bytes>> {
        let Some((request_id, kind)) = path.strip_prefix("invocation/").and_then(|rest| rest.split_once('/')) else {
            return unknown(path);
        };
        let (reply, status) = match (kind, receive(body, ANSWER_BYTES_MAX).await) {
            (_, Received::Incomplete) => return error(StatusCode::BAD_REQUEST, "InvalidRequest", "the body broke off"),
            ("response", Received::Whole(payload)) => (Reply::Answered(payload), StatusCode::ACCEPTED),
            ("error", Received::Whole(payload)) => (Reply::Failed(payload), StatusCode::ACCEPTED),
            ("response" | "error", Received::TooLarge) => (too_large(), StatusCode::PAYLOAD_TOO_LARGE),
            _ => return unknown(path),
        };
        match self.environment.answer(request_id, reply) {
            Ok(()) if status == StatusCode::ACCEPTED => accepted(),
            Ok(()) => {
                error(status, "RequestEntityTooLarge", &format!("an answer has at most {ANSWER_BYTES_MAX} bytes"))
            }
            Err(WrongPhase) => {
                error(StatusCode::BAD_REQUEST, "InvalidRequestID", &format!("{request_id} is not being worked on"))
            }
        }
    }

    async fn init_error(&self, body: Incoming) -> Response<Full<Bytes>> {
        let payload = match receive(body, REPORT_BYTES_MAX).await {
            Received::Whole(payload) if !payload.is_empty() => payload,
            Received::Whole(_) | Received::TooLarge | Received::Incomplete => {
                error_payload("Runtime.InitError", "The function reported an error of its init without saying which")
            }
        };
        match self.environment.init_failed(payload) {
            Ok(()) => accepted(),
            Err(WrongPhase) => wrong_phase("the init phase is over"),
        }
    }

    async fn register(&self, name: &str, body: Incoming) -> Response<Full<Bytes>> {
        let Received::Whole(body) = receive(body, REPORT_BYTES_MAX).await else {
            return error(
                StatusCode::BAD_REQUEST,
                "Extension.InvalidRequestFormat",
                "the body broke off or is too large",
            );
        };
        if name.is_empty() {
            return error(StatusCode::FORBIDDEN, "Extension.MissingHeader", "Lambda-Extension-Name is missing");
        }
        if !self.environment.is_initialising() {
            return wrong_phase("an extension registers before its function first asks for work");
        }
        let registered = self.environment.extensions().register(name, &body);
        match registered {
            Err((kind, message)) => error(StatusCode::FORBIDDEN, kind, &message),
            Ok(identifier) => {
                let name = &self.environment.function().spec.name;
                let body = json!({ "functionName": name, "functionVersion": VERSION, "handler": "bootstrap" });
                let mut response = json(StatusCode::OK, body.to_string());
                if let Ok(identifier) = HeaderValue::from_str(&identifier) {
                    response.headers_mut().insert(EXTENSION_ID, identifier);
                }
                response
            }
        }
    }

    async fn extension_event(&self, identifier: &str) -> Response<Full<Bytes>> {
        let waiting = self.environment.extensions().events(identifier);
        let Some(waiting) = waiting else {
            return error(StatusCode::FORBIDDEN, "Extension.UnknownExtensionIdentifier", "register first");
        };
        let event = waiting.lock().await.recv().await;
        match event {
            Some(event) => json(StatusCode::OK, event),
            None => wrong_phase("the environment is ending"),
        }
    }

    /// An extension's own trouble is for the log; the function goes on, and ends by itself if it must.
    async fn extension_error(&self, report: &str, body: Incoming) -> Response<Full<Bytes>> {
        let text = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        let function = &self.environment.function().spec.name;
        tracing::warn!(function, report, error = %String::from_utf8_lossy(&text), "an extension reports an error");
        accepted()
    }
}

fn too_large() -> Reply {
    let message = format!("Response payload size exceeded maximum allowed payload size ({ANSWER_BYTES_MAX} bytes).");
    Reply::Failed(error_payload("Function.ResponseSizeTooLarge", &message))
}

fn accepted() -> Response<Full<Bytes>> {
    const BODY: &str = r#"{"status":"OK"}"#;
    let mut response = Response::new(Full::new(Bytes::from_static(BODY.as_bytes())));
    *response.status_mut() = StatusCode::ACCEPTED;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn error(status: StatusCode, kind: &str, message: &str) -> Response<Full<Bytes>> {
    json(status, error_payload(kind, message))
}

fn wrong_phase(message: &str) -> Response<Full<Bytes>> {
    error(StatusCode::FORBIDDEN, "InvalidStateTransition", message)
}

fn unknown(path: &str) -> Response<Full<Bytes>> {
    error(StatusCode::NOT_FOUND, "NotFound", &format!("neither the Runtime API nor the Extensions API has {path}"))
}
