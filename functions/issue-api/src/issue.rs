//! `POST /coupons/{couponId}/issues`: the rush. A refusal that the cached head allows costs nothing; a duplicate costs
//! half a read unit; a request that is taken costs one record, acknowledged by every in-sync replica.

use coupon::{CouponId, Head, IssueRequest, Offset, Partition, Ticket, Timestamp, UserId};
use coupon_store::{Consistency, Store};
use kafka::{Delivery, Header, Log};
use serde::Serialize;

use crate::{
    answer::Answer,
    app::App,
    call::Call,
    problem::{Code, Problem},
    show::{HeldCoupon, State, state, taken_from},
    trace::traceparent,
};

/// A request that is not decided yet.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Pending<'a> {
    request_id: Ticket,
    coupon_id: &'a CouponId,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ahead_at_most: Option<u64>,
}

/// The answer for a ticket that `head` has not decided.
pub(crate) fn pending(status: u16, head: &Head, ticket: Ticket) -> Answer {
    let body = Pending {
        request_id: ticket,
        coupon_id: &head.coupon_id,
        status: "PENDING",
        ahead_at_most: head.ahead_at_most(ticket),
    };
    Answer::json(status, &body).with("retry-after", "1").with("cache-control", "no-store")
}

impl<S: Store, L: Log> App<S, L> {
    /// Takes a person's request for a coupon.
    pub(crate) async fn issue(&self, call: &Call, id: &str) -> Result<Answer, Problem> {
        let coupon_id = Self::coupon_id(id)?;
        let user_id = call.user()?;
        let store = self.retrying();
        // Read before the produce: an acknowledgement at or below what it has applied is no ticket.
        let head = self.head(&store, &coupon_id).await?;
        refuse_by_state(&head, self.clock.now())?;
        // Eventually consistent, and not of the head's moment: what it misses is decided by the log, where a holder gets
        // `ALREADY_ISSUED` all the same. Half the price for every request of a rush.
        if let Some(item) = store.issued(&user_id, &coupon_id, Consistency::Eventual).await? {
            return Err(Problem::held(HeldCoupon::from(&item)));
        }
        let delivery = self.produce(call, &head, user_id).await?;
        let ticket = ticket(&head, delivery)?;
        Ok(pending(202, &head, ticket).with("location", format!("/coupons/{coupon_id}/issues/{ticket}")))
    }

    async fn produce(&self, call: &Call, head: &Head, user_id: UserId) -> Result<Delivery, Problem> {
        let request = IssueRequest { coupon_id: head.coupon_id.clone(), user_id, requested_at: self.clock.now() };
        let mut record = self.requests.record(head.coupon_id.as_str(), &request.to_record())?;
        record.partition = Some(head.partition.get());
        if let Some(value) = traceparent(call) {
            record.headers.push(Header { name: "traceparent".into(), value: Some(value.into()) });
        }
        Ok(self.log.produce(record).await?)
    }
}

fn refuse_by_state(head: &Head, now: Timestamp) -> Result<(), Problem> {
    match state(head, now) {
        State::Open => Ok(()),
        State::Scheduled => {
            let opens = head.window.opens_at().unwrap_or_default();
            let left_ms = taken_from(head).unwrap_or_default().millis().saturating_sub(now.millis());
            let seconds = u64::try_from(left_ms).unwrap_or(0).div_ceil(1000).max(1);
            Err(Problem::new(Code::NotOpen, format!("It opens at {opens}.")).retry_after(seconds))
        }
        State::Closed => {
            let closed = head.window.closes_at().unwrap_or_default();
            let detail = format!("It closed at {closed}. If you got one, it is in /me/coupons.");
            Err(Problem::new(Code::Closed, detail))
        }
        State::SoldOut => {
            let detail = format!("All {} are issued. If you got one, it is in /me/coupons.", head.total.get());
            Err(Problem::new(Code::SoldOut, detail))
        }
    }
}

/// The ticket for an acknowledged record. An acknowledgement that cannot be one is not passed on: the caller would wait
/// for a request that is not theirs.
fn ticket(head: &Head, delivery: Delivery) -> Result<Ticket, Problem> {
    let offset = delivery.offset.and_then(|offset| Offset::new(offset).ok());
    match (Partition::new(delivery.partition), offset) {
        (Ok(partition), Some(offset)) if partition == head.partition && !head.has_applied(offset) => {
            Ok(Ticket { partition, offset })
        }
        _ => {
            let applied = head.applied.map_or(-1, Offset::get);
            tracing::error!(
                coupon_id = %head.coupon_id, ?delivery, applied, partition = head.partition.get(),
                "an acknowledgement that is no ticket: was the topic made anew under its old name?"
            );
            Err(Problem::queue_unavailable())
        }
    }
}
