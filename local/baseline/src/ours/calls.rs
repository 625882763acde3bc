//! HTTP calls as the function has them: the event of payload format 2.0, reduced to what it reads.

use std::sync::Arc;

use axum::Router;
use axum::body::{Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use coupon_dynamodb::DynamoStore;
use issue_api::{Answer, App, Call};
use kafka::Producer;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use crate::http::Authorize;
use crate::problem::unauthorized;

/// As API Gateway has it.
const BODY_BYTES_MAX: usize = 10 * 1024 * 1024;
/// The headers that the function reads, by `trace.rs`.
const TRACEPARENT: &str = "traceparent";

pub(super) struct Calls {
    pub(super) app: App<DynamoStore, Producer>,
    pub(super) authorizer: Arc<dyn Authorize>,
}

/// Everything is the function's to answer, unknown paths too.
pub(super) fn router(calls: Calls) -> Router {
    Router::new().fallback(answer).with_state(Arc::new(calls))
}

async fn answer(State(calls): State<Arc<Calls>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let path = percent_decode_str(head.uri.path()).decode_utf8_lossy();
    let authorizer = if is_open(&head.method, &path) {
        Value::Null
    } else {
        match calls.authorizer.authorize(&head.headers) {
            Ok(claims) => json!({"jwt": {"claims": claims}}),
            Err(challenge) => return unauthorized(&challenge),
        }
    };
    let Ok(body) = to_bytes(body, BODY_BYTES_MAX).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let mut headers = Map::new();
    if let Some(Ok(trace)) = head.headers.get(TRACEPARENT).map(|value| value.to_str()) {
        headers.insert(TRACEPARENT.to_owned(), trace.into());
    }
    let event = json!({
        "rawPath": path,
        "rawQueryString": head.uri.query().unwrap_or_default(),
        "headers": headers,
        "requestContext": {"http": {"method": head.method.as_str()}, "authorizer": authorizer},
        "body": text_of(&body),
        "isBase64Encoded": false,
    });
    match serde_json::from_value::<Call>(event) {
        Ok(call) => response(&calls.app.handle(&call).await),
        Err(error) => {
            tracing::error!("the event is none: {error}");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// `GET /coupons/{couponId}` alone is open to anyone, as in the template.
fn is_open(method: &Method, path: &str) -> bool {
    let rest = path.strip_prefix("/coupons/");
    method == Method::GET && rest.is_some_and(|id| !id.is_empty() && !id.contains('/'))
}

/// A body that is no text is no JSON either, and the function says so.
fn text_of(body: &Bytes) -> Option<String> {
    (!body.is_empty()).then(|| String::from_utf8_lossy(body).into_owned())
}

fn response(answer: &Answer) -> Response {
    let mut response = Response::builder().status(answer.status());
    for (name, value) in answer.headers() {
        response = response.header(name, value);
    }
    match response.body(answer.body().to_owned().into()) {
        Ok(response) => response,
        Err(error) => {
            tracing::error!("the answer is none: {error}");
            (StatusCode::INTERNAL_SERVER_ERROR, [(header::CONTENT_TYPE, "text/plain")]).into_response()
        }
    }
}
