//! Errors of systems A and B, in the form that ours answers: RFC 9457 with the same codes, so that one client reads all
//! three.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use coupon::CouponId;
use serde_json::json;

use crate::store::Issued;

/// What went wrong.
#[derive(Debug)]
pub(crate) enum Problem {
    /// The request breaks a limit.
    Invalid(String),
    /// There is no token, or not this one; the text is the `www-authenticate` header.
    Unauthorized(String),
    /// The token lacks the scope.
    Forbidden,
    /// There is nothing at this path.
    NotFound,
    /// There is no such coupon.
    NoCoupon(CouponId),
    /// The caller has no such request.
    NoRequest,
    /// The id is taken.
    Exists,
    /// The stock is given away.
    SoldOut,
    /// The caller has one already; which one, where the store was asked.
    AlreadyIssued(Option<Box<Issued>>),
    /// Redis or the broker does not answer.
    Queue(anyhow::Error),
    /// The store does not answer.
    Store(anyhow::Error),
}

impl Problem {
    const fn row(&self) -> (&'static str, StatusCode, &'static str) {
        match self {
            Self::Invalid(_) => ("INVALID_REQUEST", StatusCode::BAD_REQUEST, "The request breaks a limit"),
            Self::Unauthorized(_) => ("UNAUTHORIZED", StatusCode::UNAUTHORIZED, "Unauthorized"),
            Self::Forbidden => ("FORBIDDEN", StatusCode::FORBIDDEN, "The token lacks a scope"),
            Self::NotFound => ("NOT_FOUND", StatusCode::NOT_FOUND, "There is nothing at this path"),
            Self::NoCoupon(_) => ("COUPON_NOT_FOUND", StatusCode::NOT_FOUND, "There is no such coupon"),
            Self::NoRequest => ("REQUEST_NOT_FOUND", StatusCode::NOT_FOUND, "There is no such request"),
            Self::Exists => ("COUPON_EXISTS", StatusCode::CONFLICT, "A coupon of this id exists"),
            Self::SoldOut => ("SOLD_OUT", StatusCode::GONE, "The coupon is sold out"),
            Self::AlreadyIssued(_) => ("ALREADY_ISSUED", StatusCode::CONFLICT, "You hold this coupon already"),
            Self::Queue(_) => ("QUEUE_UNAVAILABLE", StatusCode::SERVICE_UNAVAILABLE, "The queue does not answer"),
            Self::Store(_) => ("STORE_UNAVAILABLE", StatusCode::SERVICE_UNAVAILABLE, "The store does not answer"),
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::Invalid(detail) => detail.clone(),
            Self::NoCoupon(id) => format!("No coupon {id}."),
            Self::AlreadyIssued(Some(held)) => format!("Your request {} won rank {}.", held.request_id, held.rank),
            Self::Queue(_) | Self::Store(_) => "Ask again.".to_owned(),
            Self::Unauthorized(_)
            | Self::Forbidden
            | Self::NotFound
            | Self::NoRequest
            | Self::Exists
            | Self::SoldOut
            | Self::AlreadyIssued(None) => format!("{}.", self.row().2),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (code, status, title) = self.row();
        if let Self::Unauthorized(challenge) = &self {
            return unauthorized(challenge);
        }
        if let Self::Queue(error) | Self::Store(error) = &self {
            tracing::warn!("{code}: {error:#}");
        }
        let mut body = json!({
            "type": format!("urn:firstcome:problem:{}", code.to_ascii_lowercase().replace('_', "-")),
            "title": title,
            "status": status.as_u16(),
            "detail": self.detail(),
            "code": code,
        });
        if let (Self::AlreadyIssued(Some(held)), Some(members)) = (&self, body.as_object_mut()) {
            members.insert("coupon".to_owned(), held.shown());
        }
        let mut response = (status, body.to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

/// As API Gateway's JWT authorizer answers, and the local gateway with it.
pub(crate) fn unauthorized(challenge: &str) -> Response {
    let body = axum::Json(json!({"message": "Unauthorized"}));
    let mut response = (StatusCode::UNAUTHORIZED, body).into_response();
    if let Ok(challenge) = HeaderValue::from_str(challenge) {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}
