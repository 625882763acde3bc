//! `POST /coupons`: a new coupon, pinned to the partition that its key has now.

use coupon::{CouponId, CouponName, Head, Invalid, NewCoupon, Partition, Timestamp, Total, Window};
use coupon_store::{Creation, Store};
use kafka::{Log, partition_of};
use serde_json::{Map, Value};

use crate::{
    answer::Answer,
    app::App,
    call::Call,
    problem::{Code, FieldError, Problem},
    show::CouponView,
};

/// The scope that the call takes.
const SCOPE: &str = "coupons:write";

/// The largest body, 64 KiB.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// How many unknown members an error names; a hostile body has thousands.
const UNKNOWN_SHOWN_MAX: usize = 5;

impl<S: Store, L: Log> App<S, L> {
    /// Creates a coupon.
    pub(crate) async fn create(&self, call: &Call) -> Result<Answer, Problem> {
        if !call.has_scope(SCOPE) {
            return Err(Problem::new(Code::Forbidden, format!("Creating a coupon takes a token with scope {SCOPE}.")));
        }
        let now = self.clock.now();
        let coupon = parse(call, now)?;
        let location = format!("/coupons/{}", coupon.coupon_id);
        call.user()?;
        let partitions = self.log.partitions(self.requests.name()).await.map_err(|error| {
            tracing::warn!(%error, "no partition for a new coupon");
            Problem::not_created()
        })?;
        let partition = partition_of(coupon.coupon_id.as_str().as_bytes(), partitions);
        let partition = Partition::new(partition).map_err(|_negative| Problem::not_created())?;
        let head = Head::new(coupon, self.requests.name().to_owned(), partition);
        match self.retrying().create(&head).await? {
            Creation::Created => Ok(Answer::json(201, &CouponView::new(&head, now)).with("location", location)),
            Creation::Exists => {
                Err(Problem::new(Code::CouponExists, format!("It is at {location}. Ids are never used again.")))
            }
        }
    }
}

fn parse(call: &Call, now: Timestamp) -> Result<NewCoupon, Problem> {
    let body = call.body().ok_or_else(|| Problem::invalid("body", "not the base64 that it says it is".into()))?;
    if body.len() > BODY_BYTES_MAX {
        let detail = format!("The body has {} bytes; at most {BODY_BYTES_MAX} are taken.", body.len());
        return Err(Problem::new(Code::PayloadTooLarge, detail));
    }
    let members: Map<String, Value> = serde_json::from_slice(&body)
        .map_err(|source| Problem::invalid("body", format!("not a JSON object: {source}")))?;
    let mut fields = Fields { members, errors: Vec::new() };
    let coupon_id = fields.text("couponId", CouponId::parse);
    let name = fields.text("name", CouponName::parse);
    let total = fields.total();
    let opens_at = fields.timestamp("opensAt");
    let closes_at = fields.timestamp("closesAt");
    let window = fields.window(opens_at, closes_at, now);
    fields.refuse_unknown();
    match (coupon_id, name, total, window) {
        (Some(coupon_id), Some(name), Some(total), Some(window)) if fields.errors.is_empty() => {
            Ok(NewCoupon { coupon_id, name, total, window })
        }
        _ => Err(Problem::invalid_fields(fields.errors)),
    }
}

/// The members of a body that are not yet taken, and what was wrong with those that are. Every fault is named at once.
struct Fields {
    members: Map<String, Value>,
    errors: Vec<FieldError>,
}

impl Fields {
    fn refuse(&mut self, field: &str, detail: impl Into<String>) {
        self.errors.push(FieldError { field: field.into(), detail: detail.into() });
    }

    fn text<T>(&mut self, field: &str, parse: impl Fn(&str) -> Result<T, Invalid>) -> Option<T> {
        let parsed = match self.members.remove(field) {
            Some(Value::String(text)) => parse(&text).map_err(|limit| limit.to_string()),
            Some(_) => Err("a string".into()),
            None => Err("missing".into()),
        };
        parsed.map_err(|detail| self.refuse(field, detail)).ok()
    }

    fn total(&mut self) -> Option<Total> {
        let parsed = match self.members.remove("total") {
            Some(Value::Number(number)) => number
                .as_u64()
                .and_then(|total| Total::new(total).ok())
                .ok_or_else(|| format!("a whole number, 1 to {}, not {number}", Total::MAX)),
            Some(_) => Err(format!("a whole number, 1 to {}", Total::MAX)),
            None => Err("missing".into()),
        };
        parsed.map_err(|detail| self.refuse("total", detail)).ok()
    }

    /// `None` where it is absent, null or wrong.
    fn timestamp(&mut self, field: &str) -> Option<Timestamp> {
        match self.members.remove(field) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => {
                Timestamp::parse(&text).map_err(|limit| self.refuse(field, limit.to_string())).ok()
            }
            Some(_) => {
                self.refuse(field, "an RFC 3339 timestamp such as 2026-11-20T03:00:00.000Z, or null");
                None
            }
        }
    }

    fn window(&mut self, opens: Option<Timestamp>, closes: Option<Timestamp>, now: Timestamp) -> Option<Window> {
        if let Some(closes) = closes.filter(|closes| *closes <= now) {
            self.refuse("closesAt", format!("lies in the future, but {closes} is not after {now}"));
            return None;
        }
        Window::new(opens, closes).map_err(|limit| self.refuse("opensAt", limit.to_string())).ok()
    }

    fn refuse_unknown(&mut self) {
        let unknown: Vec<String> = self.members.keys().take(UNKNOWN_SHOWN_MAX).cloned().collect();
        for member in unknown {
            let shown: String = member.chars().take(64).collect();
            self.refuse(&shown, "unknown; the members are couponId, name, total, opensAt, closesAt");
        }
    }
}
