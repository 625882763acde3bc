//! Every error that this function answers: code, status and title in one place, as RFC 9457 `application/problem+json`.
//! The OpenAPI file in `events/` lists the same codes; a test compares them.

use coupon::CouponId;
use coupon_store::StoreError;
use kafka::LogError;
use serde::Serialize;

use crate::{answer::Answer, show::HeldCoupon};

/// What went wrong, in a word that programs read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    InvalidRequest,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    CouponExists,
    CouponNotFound,
    RequestNotFound,
    PayloadTooLarge,
    NotOpen,
    Closed,
    SoldOut,
    AlreadyIssued,
    QueueUnavailable,
    StoreUnavailable,
    Internal,
}

impl Code {
    /// The code, its status and its title.
    const fn row(self) -> (&'static str, u16, &'static str) {
        match self {
            Self::InvalidRequest => ("INVALID_REQUEST", 400, "The request breaks a limit"),
            Self::Forbidden => ("FORBIDDEN", 403, "The token lacks a scope"),
            Self::NotFound => ("NOT_FOUND", 404, "There is nothing at this path"),
            Self::MethodNotAllowed => ("METHOD_NOT_ALLOWED", 405, "This path does not take this method"),
            Self::CouponExists => ("COUPON_EXISTS", 409, "A coupon of this id exists"),
            Self::CouponNotFound => ("COUPON_NOT_FOUND", 404, "There is no such coupon"),
            Self::RequestNotFound => ("REQUEST_NOT_FOUND", 404, "There is no such request"),
            Self::PayloadTooLarge => ("PAYLOAD_TOO_LARGE", 413, "The body is too large"),
            Self::NotOpen => ("NOT_OPEN", 403, "The coupon is not open yet"),
            Self::Closed => ("CLOSED", 410, "The coupon is closed"),
            Self::SoldOut => ("SOLD_OUT", 410, "The coupon is sold out"),
            Self::AlreadyIssued => ("ALREADY_ISSUED", 409, "You hold this coupon already"),
            Self::QueueUnavailable => ("QUEUE_UNAVAILABLE", 503, "The queue does not answer"),
            Self::StoreUnavailable => ("STORE_UNAVAILABLE", 503, "The store does not answer"),
            Self::Internal => ("INTERNAL", 500, "Something is wrong on our side"),
        }
    }
}

/// An error as it is answered. Boxed, since every call returns one or an answer.
#[derive(Debug, Clone)]
pub(crate) struct Problem(Box<Fault>);

#[derive(Debug, Clone)]
struct Fault {
    code: Code,
    detail: String,
    errors: Vec<FieldError>,
    coupon: Option<HeldCoupon>,
    retry_after_seconds: Option<u64>,
    allow: Option<&'static str>,
}

/// What is wrong with one member of a request.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct FieldError {
    pub(crate) field: String,
    pub(crate) detail: String,
}

#[derive(Serialize)]
struct Body<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    detail: &'a str,
    code: &'static str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldError],
    #[serde(skip_serializing_if = "Option::is_none")]
    coupon: Option<&'a HeldCoupon>,
}

impl Problem {
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        let fault = Fault { code, detail, errors: Vec::new(), coupon: None, retry_after_seconds: None, allow: None };
        Self(Box::new(fault))
    }

    /// One member of the request breaks a limit.
    pub(crate) fn invalid(field: &str, detail: String) -> Self {
        Self::invalid_fields(vec![FieldError { field: field.into(), detail }])
    }

    /// Several do; at least one is given.
    pub(crate) fn invalid_fields(errors: Vec<FieldError>) -> Self {
        let detail = errors.iter().map(|error| format!("{}: {}", error.field, error.detail)).collect::<Vec<_>>();
        Self::new(Code::InvalidRequest, detail.join("; ")).with(|fault| fault.errors = errors)
    }

    pub(crate) fn no_coupon(coupon_id: &CouponId) -> Self {
        Self::new(Code::CouponNotFound, format!("No coupon {coupon_id}."))
    }

    pub(crate) fn held(coupon: HeldCoupon) -> Self {
        let detail = format!("Your request {} won rank {}.", coupon.request_id, coupon.rank.get());
        Self::new(Code::AlreadyIssued, detail).with(|fault| fault.coupon = Some(coupon))
    }

    pub(crate) fn method_not_allowed(method: &str, allow: &'static str) -> Self {
        let shown: String = method.chars().take(20).collect();
        let detail = format!("{shown:?} is not {allow}.");
        Self::new(Code::MethodNotAllowed, detail).with(|fault| fault.allow = Some(allow))
    }

    /// The method that the path takes, where it was called by another.
    pub(crate) fn allowed(&self) -> Option<&'static str> {
        self.0.allow
    }

    /// The broker has not acknowledged. It may have the record all the same.
    pub(crate) fn queue_unavailable() -> Self {
        let detail = "Your request may be in the queue or not. Ask again: nobody gets a coupon twice.";
        Self::new(Code::QueueUnavailable, detail).retry_after(1)
    }

    /// A coupon's partition is not known without the broker.
    pub(crate) fn not_created() -> Self {
        Self::new(Code::QueueUnavailable, "The coupon was not created. Ask again.").retry_after(1)
    }

    pub(crate) fn retry_after(self, seconds: u64) -> Self {
        self.with(|fault| fault.retry_after_seconds = Some(seconds))
    }

    fn with(mut self, change: impl FnOnce(&mut Fault)) -> Self {
        change(&mut self.0);
        self
    }

    pub(crate) fn answer(&self) -> Answer {
        let (code, status, title) = self.0.code.row();
        let body = Body {
            r#type: format!("urn:firstcome:problem:{}", code.to_ascii_lowercase().replace('_', "-")),
            title,
            status,
            detail: &self.0.detail,
            code,
            errors: &self.0.errors,
            coupon: self.0.coupon.as_ref(),
        };
        let mut answer = Answer::json(status, &body).with("content-type", "application/problem+json").of_code(code);
        if let Some(seconds) = self.0.retry_after_seconds {
            answer = answer.with("retry-after", seconds.to_string());
        }
        match self.0.allow {
            Some(allow) => answer.with("allow", allow),
            None => answer,
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        if error.is_transient() {
            tracing::warn!(%error, "the store does not answer");
            return Self::new(Code::StoreUnavailable, "Nothing is lost. Ask again.").retry_after(1);
        }
        tracing::error!(%error, "the store refuses");
        Self::new(Code::Internal, "It is in our log.")
    }
}

impl From<LogError> for Problem {
    fn from(error: LogError) -> Self {
        tracing::error!(%error, "the queue did not take a record");
        Self::queue_unavailable()
    }
}
