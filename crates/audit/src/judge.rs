//! What a record of the request topic is: a request for one of the heads, or garbage, and then why. Written from
//! `events/asyncapi.yaml` and not from the worker: a check that runs the checked code checks nothing.

use std::collections::BTreeMap;

use coupon::{CouponId, DeadLetterReason, ISSUE_TYPE, RequestRecord, Timestamp, UserId};

use crate::world::{LogRecord, StoredHead};

/// What a record is, as the tables are now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Judged<'w> {
    /// A request for a coupon that lives where the record lies.
    Request { head: &'w StoredHead, user_id: UserId },
    /// No request. `since_creation` tells that it would have been no request for lack of the coupon before the coupon
    /// was created: its dead-letter record may say that instead.
    Garbage { reason: DeadLetterReason, since_creation: bool },
}

/// The first reason that holds, or the request.
pub(crate) fn judge<'w>(record: &LogRecord, heads: &BTreeMap<&str, &'w StoredHead>, request_topic: &str) -> Judged<'w> {
    let garbage = |reason| Judged::Garbage { reason, since_creation: false };
    let Some(request) = record.value.as_deref().and_then(decode) else {
        return garbage(DeadLetterReason::Undecodable);
    };
    if request.kind != ISSUE_TYPE {
        return garbage(DeadLetterReason::UnknownType);
    }
    let limits =
        (CouponId::parse(&request.coupon_id), UserId::parse(&request.user_id), Timestamp::parse(&request.requested_at));
    let (Ok(coupon_id), Ok(user_id), Ok(_requested_at)) = limits else {
        return garbage(DeadLetterReason::Invalid);
    };
    if record.key.as_deref() != Some(coupon_id.as_str().as_bytes()) {
        return garbage(DeadLetterReason::KeyMismatch);
    }
    let Some(head) = heads.get(coupon_id.as_str()) else {
        return garbage(DeadLetterReason::UnknownCoupon);
    };
    if head.log != request_topic {
        return Judged::Garbage { reason: DeadLetterReason::WrongLog, since_creation: true };
    }
    if head.partition != record.place.partition {
        return Judged::Garbage { reason: DeadLetterReason::WrongPartition, since_creation: true };
    }
    Judged::Request { head, user_id }
}

/// The request that a JSON object spells, whatever its values say. A JSON array of the members would pass serde.
fn decode(value: &[u8]) -> Option<RequestRecord> {
    let is_object = value.trim_ascii_start().first() == Some(&b'{');
    if is_object { serde_json::from_slice(value).ok() } else { None }
}
