//! The Invoke API: `POST /2015-03-31/functions/NAME/invocations`, as the AWS SDKs, our gateway and our mapping call it.
//!
//! Only HTTP: who runs what is decided in `pool.rs`. A payload is passed through unread.
//! <https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html>

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use base64::Engine as _;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use serde_json::json;

use super::function::VERSION;
use super::invocation::{Reply, trace_id, uuid};
use super::pool::{Call, Overloaded, Pool};
use super::usage::Usage;
use crate::serve::{Answer, Received, json, receive};

/// What a synchronous invocation may carry: 6 MB.
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html#function-configuration-deployment-and-execution>
pub const PAYLOAD_BYTES_MAX: usize = 6_291_456;

/// Where a host tells what each function has taken: what CloudWatch would be asked for.
pub const USAGE_PATH: &str = "/usage";

const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");
const EXECUTED_VERSION: HeaderName = HeaderName::from_static("x-amz-executed-version");
const FUNCTION_ERROR: HeaderName = HeaderName::from_static("x-amz-function-error");
const INVOCATION_TYPE: &str = "x-amz-invocation-type";
const CLIENT_CONTEXT: &str = "x-amz-client-context";
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
const TRACE_ID: HeaderName = HeaderName::from_static("x-amzn-trace-id");

/// The API in front of all functions.
#[derive(Debug, Clone)]
pub(super) struct InvokeApi {
    pools: Arc<BTreeMap<String, Arc<Pool>>>,
}

impl InvokeApi {
    pub(super) fn new(pools: Arc<BTreeMap<String, Arc<Pool>>>) -> Self {
        Self { pools }
    }
}

impl Answer for InvokeApi {
    async fn answer(&self, request: Request<Incoming>, _peer: SocketAddr) -> Response<Full<Bytes>> {
        let (parts, body) = request.into_parts();
        if parts.uri.path() == USAGE_PATH {
            return self.usage();
        }
        let Some(named) = named_function(parts.uri.path()) else {
            let message =
                format!("POST /2015-03-31/functions/NAME/invocations is what there is, not {}", parts.uri.path());
            return error(StatusCode::NOT_FOUND, "UnknownOperationException", &message);
        };
        if parts.method != Method::POST {
            return error(StatusCode::METHOD_NOT_ALLOWED, "UnknownOperationException", "a function is invoked by POST");
        }
        let Some(pool) = self.pools.get(&*named) else { return self.unknown_function(&named) };
        let payload = match receive(body, PAYLOAD_BYTES_MAX).await {
            Received::Whole(payload) => payload,
            Received::TooLarge => return too_large(),
            Received::Incomplete => {
                return error(StatusCode::BAD_REQUEST, "InvalidRequestContentException", "the body broke off");
            }
        };
        invoke(pool, &parts.headers, payload).await
    }
}

impl InvokeApi {
    fn usage(&self) -> Response<Full<Bytes>> {
        let usage: BTreeMap<&str, Usage> =
            self.pools.iter().map(|(name, pool)| (name.as_str(), pool.usage())).collect();
        json(StatusCode::OK, json!(usage).to_string())
    }

    fn unknown_function(&self, name: &str) -> Response<Full<Bytes>> {
        let known: Vec<_> = self.pools.keys().map(String::as_str).collect();
        let message = format!("Function not found: {name}; this host has {}", known.join(", "));
        error(StatusCode::NOT_FOUND, "ResourceNotFoundException", &message)
    }
}

async fn invoke(pool: &Arc<Pool>, headers: &HeaderMap, payload: Bytes) -> Response<Full<Bytes>> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let call = Call {
        // Lambda hands an empty object to a function that is invoked without a payload.
        payload: if payload.is_empty() { Bytes::from_static(b"{}") } else { payload },
        trace_id: text(TRACE_ID.as_str()).map_or_else(trace_id, str::to_owned),
        client_context: text(CLIENT_CONTEXT).and_then(decode_context),
    };
    match text(INVOCATION_TYPE).unwrap_or("RequestResponse") {
        "RequestResponse" => wait_for(pool, call).await,
        "Event" => {
            let pool = Arc::clone(pool);
            tokio::spawn(async move { pool.invoke(call).await });
            with_request_id(json(StatusCode::ACCEPTED, Bytes::new()), &uuid())
        }
        "DryRun" => with_request_id(json(StatusCode::NO_CONTENT, Bytes::new()), &uuid()),
        other => {
            let message = format!("X-Amz-Invocation-Type is {other}, but must be RequestResponse, Event or DryRun");
            error(StatusCode::BAD_REQUEST, "InvalidParameterValueException", &message)
        }
    }
}

async fn wait_for(pool: &Arc<Pool>, call: Call) -> Response<Full<Bytes>> {
    let trace_id = HeaderValue::from_str(&call.trace_id);
    let (request_id, reply) = pool.invoke(call).await;
    let mut response = match reply {
        Ok(Reply::Answered(payload)) => json(StatusCode::OK, payload),
        Ok(Reply::Failed(payload)) => {
            let mut response = json(StatusCode::OK, payload);
            response.headers_mut().insert(FUNCTION_ERROR, HeaderValue::from_static("Unhandled"));
            response
        }
        Err(overloaded) => return with_request_id(too_many(overloaded), &request_id),
    };
    response.headers_mut().insert(EXECUTED_VERSION, HeaderValue::from_static(VERSION));
    if let Ok(trace_id) = trace_id {
        response.headers_mut().insert(TRACE_ID, trace_id);
    }
    with_request_id(response, &request_id)
}

fn with_request_id(mut response: Response<Full<Bytes>>, request_id: &str) -> Response<Full<Bytes>> {
    if let Ok(request_id) = HeaderValue::from_str(request_id) {
        response.headers_mut().insert(REQUEST_ID, request_id);
    }
    response
}

/// The name in an Invoke path: alone, with a qualifier, or in a full or partial ARN, percent-encoded or not.
fn named_function(path: &str) -> Option<std::borrow::Cow<'_, str>> {
    let name = path.strip_prefix("/2015-03-31/functions/")?.strip_suffix("/invocations")?;
    if name.is_empty() || name.contains('/') {
        return None;
    }
    if !name.contains(['%', ':']) {
        return Some(name.into());
    }
    let name = percent_encoding::percent_decode_str(name).decode_utf8_lossy().into_owned();
    let after_account = name.split_once("function:").map_or(name.as_str(), |(_, name)| name);
    Some(after_account.split(':').next().unwrap_or_default().to_owned().into())
}

fn decode_context(header: &str) -> Option<String> {
    let bytes = base64::engine::general_purpose::STANDARD.decode(header).ok()?;
    String::from_utf8(bytes).ok()
}

fn too_large() -> Response<Full<Bytes>> {
    let message = format!("Request must be smaller than {PAYLOAD_BYTES_MAX} bytes for the InvokeFunction operation");
    error(StatusCode::PAYLOAD_TOO_LARGE, "RequestTooLargeException", &message)
}

fn too_many(overloaded: Overloaded) -> Response<Full<Bytes>> {
    let message = format!(
        "Rate Exceeded: none of the {} environments became free within {} s; --environments allows more",
        overloaded.environments,
        overloaded.waited.as_secs_f64()
    );
    let body =
        json!({ "Reason": "ReservedFunctionConcurrentInvocationLimitExceeded", "Type": "User", "message": message });
    let mut response = json(StatusCode::TOO_MANY_REQUESTS, body.to_string());
    response.headers_mut().insert(ERROR_TYPE, HeaderValue::from_static("TooManyRequestsException"));
    response
}

fn error(status: StatusCode, kind: &'static str, message: &str) -> Response<Full<Bytes>> {
    let mut response = json(status, json!({ "Type": "User", "Message": message, "message": message }).to_string());
    response.headers_mut().insert(ERROR_TYPE, HeaderValue::from_static(kind));
    with_request_id(response, &uuid())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_named_as_the_sdks_name_it() {
        let named =
            |name: &str| named_function(&format!("/2015-03-31/functions/{name}/invocations")).map(|n| n.into_owned());
        for name in [
            "echo",
            "echo:$LATEST",
            "echo%3A%24LATEST",
            "arn:aws:lambda:us-east-1:123456789012:function:echo",
            "arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction%3Aecho%3A1",
            "123456789012:function:echo",
        ] {
            assert_eq!(named(name).as_deref(), Some("echo"), "{name}");
        }
        assert_eq!(named(""), None);
        assert_eq!(named("a/b"), None);
        assert_eq!(named_function("/2015-03-31/functions/invocations"), None);
    }
}
