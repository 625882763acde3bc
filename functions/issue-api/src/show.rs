//! `GET /coupons/{couponId}`, and how coupons and what people hold of them look in every answer.

use coupon::{Head, IssuedCoupon, Phase, Rank, Ticket, Timestamp};
use coupon_store::Store;
use kafka::Log;
use serde::Serialize;

use crate::{answer::Answer, app::App, problem::Problem};

/// For so long after `opensAt` a coupon is still `SCHEDULED` here: no clock ahead of the broker's may turn a 202 into
/// `NOT_OPEN`.
const OPENING_GUARD_MS: i64 = 100;

/// A coupon as everybody sees it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CouponView<'a> {
    coupon_id: &'a str,
    name: &'a str,
    total: u64,
    remaining: u64,
    issued: u64,
    state: State,
    opens_at: Option<Timestamp>,
    closes_at: Option<Timestamp>,
}

/// A coupon's state by the API's clock, the first that holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum State {
    Scheduled,
    Closed,
    SoldOut,
    Open,
}

/// What a person holds, as a refusal tells them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HeldCoupon {
    pub(crate) request_id: Ticket,
    pub(crate) rank: Rank,
    issued_at: Timestamp,
}

impl From<&IssuedCoupon> for HeldCoupon {
    fn from(item: &IssuedCoupon) -> Self {
        Self { request_id: item.ticket, rank: item.rank, issued_at: item.issued_at }
    }
}

/// When requests are taken, by the API's clock; `None` without an opening time.
pub(crate) fn taken_from(head: &Head) -> Option<Timestamp> {
    head.window.opens_at().map(|opens| opens.plus_millis(OPENING_GUARD_MS))
}

pub(crate) fn state(head: &Head, now: Timestamp) -> State {
    if taken_from(head).is_some_and(|from| now < from) {
        return State::Scheduled;
    }
    match head.phase_at(now) {
        // The guard above is the stricter one.
        Phase::NotOpen => State::Scheduled,
        Phase::Closed => State::Closed,
        Phase::SoldOut => State::SoldOut,
        Phase::Open => State::Open,
    }
}

impl<'a> CouponView<'a> {
    pub(crate) fn new(head: &'a Head, now: Timestamp) -> Self {
        Self {
            coupon_id: head.coupon_id.as_str(),
            name: head.name.as_str(),
            total: head.total.get(),
            remaining: head.remaining,
            issued: head.issued,
            state: state(head, now),
            opens_at: head.window.opens_at(),
            closes_at: head.window.closes_at(),
        }
    }
}

impl<S: Store, L: Log> App<S, L> {
    /// Shows a coupon to anyone.
    pub(crate) async fn show(&self, id: &str) -> Result<Answer, Problem> {
        let coupon_id = Self::coupon_id(id)?;
        let head = self.head(&self.retrying(), &coupon_id).await?;
        let view = CouponView::new(&head, self.clock.now());
        Ok(Answer::json(200, &view).with("cache-control", "public, max-age=1"))
    }
}
