//! The application of one environment, over the two ports, and the way from a path to a call. A path or a method that
//! is none of ours comes here by the `$default` route.

use std::{sync::Arc, time::Duration};

use coupon::{CouponId, Head};
use coupon_store::{Consistency, Deadline, Retrying, Store, Tokens};
use kafka::{Log, Topic};

use crate::{
    answer::Answer,
    call::Call,
    clock::Clock,
    heads::Heads,
    problem::{Code, Problem},
};

/// How long the store may take within one call, repeats included. With the producer's 3 s it leaves a margin in the
/// function's 10 s.
const STORE_BUDGET: Duration = Duration::from_millis(3_000);

/// What the application has to be told.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The topic that requests go to.
    pub request_topic: String,
    /// How old a head may be that a call is answered from.
    pub head_age_max: Duration,
}

/// The application.
#[derive(Debug)]
pub struct App<S, L> {
    pub(crate) store: S,
    pub(crate) log: L,
    pub(crate) clock: Clock,
    pub(crate) requests: Topic<str, coupon::RequestRecord>,
    tokens: Tokens,
    heads: Heads,
}

impl<S: Store, L: Log> App<S, L> {
    /// An application that has read nothing yet.
    pub fn new(store: S, log: L, clock: Clock, settings: Settings) -> Self {
        Self {
            store,
            log,
            clock,
            requests: Topic::new(settings.request_topic),
            tokens: Tokens::new(),
            heads: Heads::new(settings.head_age_max),
        }
    }

    /// Answers one call; whatever is wrong with it is an answer too.
    pub async fn handle(&self, call: &Call) -> Answer {
        let answered = match call.segments().as_slice() {
            ["coupons"] => match call.method() {
                "POST" => self.create(call).await,
                method => Err(Problem::method_not_allowed(method, "POST")),
            },
            ["me", "coupons"] => match call.method() {
                "GET" => self.mine(call).await,
                method => Err(Problem::method_not_allowed(method, "GET")),
            },
            ["coupons", id] if !id.is_empty() => match call.method() {
                "GET" => self.show(id).await,
                method => Err(Problem::method_not_allowed(method, "GET")),
            },
            ["coupons", id, "issues"] if !id.is_empty() => match call.method() {
                "POST" => self.issue(call, id).await,
                method => Err(Problem::method_not_allowed(method, "POST")),
            },
            ["coupons", id, "issues", ticket] if !id.is_empty() && !ticket.is_empty() => match call.method() {
                "GET" => self.status(call, id, ticket).await,
                method => Err(Problem::method_not_allowed(method, "GET")),
            },
            _ => Err(Problem::new(Code::NotFound, "The calls are listed in events/openapi.yaml.")),
        };
        answered.unwrap_or_else(|problem| match problem.allowed() {
            // API Gateway puts the headers of its CORS configuration onto what we answer, but the status stays ours, and
            // a browser takes only a good one for a yes.
            Some(method) if call.is_preflight() => Answer::empty(204).with("allow", method),
            _ => problem.answer(),
        })
    }

    /// The store with its retry loop, for this call.
    pub(crate) fn retrying(&self) -> Retrying<'_, S> {
        Retrying::new(&self.store, &self.tokens, Deadline::after(STORE_BUDGET))
    }

    /// A coupon's head, at most as old as the settings allow.
    pub(crate) async fn head(&self, store: &Retrying<'_, S>, coupon_id: &CouponId) -> Result<Arc<Head>, Problem> {
        let now = self.clock.now();
        if let Some(head) = self.heads.get(coupon_id, now) {
            return Ok(head);
        }
        // Strongly consistent: a coupon can be asked for as soon as its 201 has arrived, and a few reads a second in
        // each environment cost nothing.
        let head = store.head(coupon_id, Consistency::Strong).await?;
        let head = head.ok_or_else(|| Problem::no_coupon(coupon_id))?;
        if head.log != self.requests.name() {
            tracing::error!(%coupon_id, log = head.log, "the coupon's requests are in another topic");
            let detail = "This coupon's queue is not the one that this deployment serves.";
            return Err(Problem::new(Code::QueueUnavailable, detail).retry_after(1));
        }
        let head = Arc::new(head);
        self.heads.put(&head, now);
        Ok(head)
    }

    pub(crate) fn coupon_id(text: &str) -> Result<CouponId, Problem> {
        CouponId::parse(text).map_err(|limit| Problem::invalid("couponId", limit.to_string()))
    }
}
