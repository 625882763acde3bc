//! `GET /coupons/{couponId}/issues/{requestId}`: what became of a ticket. Pending costs nothing but the cached head;
//! the caller's item is read only once the head says that the ticket is decided.

use std::sync::Arc;

use coupon::{
    CouponId, Head, IssuedCoupon, Offset, Outcome, Rank, Reason, Ticket, Timestamp, UserId, needs_item, outcome,
};
use coupon_store::{Consistency, Retrying, Store};
use kafka::Log;
use serde::Serialize;

use crate::{
    answer::Answer,
    app::App,
    call::Call,
    issue::pending,
    problem::{Code, Problem},
    show::HeldCoupon,
};

/// A request that is decided.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Decided<'a> {
    request_id: Ticket,
    coupon_id: &'a CouponId,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    rank: Option<Rank>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issued_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Reason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    coupon: Option<HeldCoupon>,
}

impl<S: Store, L: Log> App<S, L> {
    /// Tells the caller what became of a ticket.
    pub(crate) async fn status(&self, call: &Call, id: &str, ticket: &str) -> Result<Answer, Problem> {
        let coupon_id = Self::coupon_id(id)?;
        let ticket = Ticket::parse(ticket).map_err(|limit| Problem::invalid("requestId", limit.to_string()))?;
        let user_id = call.user()?;
        let store = self.retrying();
        let head = self.head(&store, &coupon_id).await?;
        if ticket.partition != head.partition {
            let detail = format!("Requests for {coupon_id} are in partition {}.", head.partition);
            return Err(Problem::new(Code::RequestNotFound, detail));
        }
        if !head.has_applied(ticket.offset) {
            return Ok(pending(200, &head, ticket));
        }
        let (head, item) = Self::decided(&store, head, &user_id, ticket.offset).await?;
        let Some(outcome) = outcome(&head, item.as_ref(), ticket) else {
            return Ok(pending(200, &head, ticket));
        };
        let body = match outcome {
            Outcome::Issued { rank, issued_at } => Decided {
                request_id: ticket,
                coupon_id: &coupon_id,
                status: "ISSUED",
                rank: Some(rank),
                issued_at: Some(issued_at),
                reason: None,
                coupon: None,
            },
            Outcome::Rejected(reason) => Decided {
                request_id: ticket,
                coupon_id: &coupon_id,
                status: "REJECTED",
                rank: None,
                issued_at: None,
                reason: Some(reason),
                coupon: item.as_ref().map(HeldCoupon::from),
            },
        };
        Ok(Answer::json(200, &body).with("cache-control", "no-store"))
    }
    /// What the outcome of a decided ticket follows from: a head and the caller's item, read behind it.
    ///
    /// Whoever asked in an `OPEN` epoch won, or holds a coupon already. No item is therefore not yet an answer: the
    /// transaction that moved the head may be under way, and its items not to be seen yet. A snapshot sees all of it,
    /// or none. That leaves without an item who asks for somebody else's ticket; they pay for two more reads.
    async fn decided(
        store: &Retrying<'_, S>,
        head: Arc<Head>,
        user_id: &UserId,
        offset: Offset,
    ) -> Result<(Arc<Head>, Option<IssuedCoupon>), Problem> {
        let item = store.issued(user_id, &head.coupon_id, Consistency::Strong).await?;
        if item.is_some() || !needs_item(&head, offset) {
            return Ok((head, item));
        }
        let snapshot = store.snapshot(&head.coupon_id, std::slice::from_ref(user_id)).await?;
        let snapshot = snapshot.ok_or_else(|| Problem::no_coupon(&head.coupon_id))?;
        Ok((Arc::new(snapshot.head), snapshot.items.into_iter().next()))
    }
}
