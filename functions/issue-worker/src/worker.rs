//! One invocation: sort the batch, settle the coupons side by side, publish the results, and last the dead letters.

use coupon::{CouponId, DeadLetterReason, Outcome, Ticket};
use coupon_store::{Deadline, Retrying, Store, Tokens};
use futures_util::{StreamExt, stream};
use kafka::{Log, LogError, Record};
use kafka_event::KafkaEvent;

use crate::{
    batch::{Batch, CouponBatch, Request},
    holders::Holders,
    publish::{ResultTopic, dead_letter, dead_letter_of, publish, result_record},
    settle::{Settled, Unsettled, settle},
};

/// How many coupons of a batch are settled at once. Each has one call of the store under way.
const COUPONS_IN_FLIGHT_MAX: usize = 16;

/// How many coupons the log line of an unfinished batch names.
const LEFT_SHOWN_MAX: usize = 5;

/// The names of the topics.
#[derive(Debug, Clone)]
pub struct Topics {
    /// Where results go.
    pub results: String,
    /// Where records go that are no request.
    pub dead_letters: String,
}

/// Why an invocation failed: the mapping is to redeliver the whole batch. The text says what was left and why.
#[derive(Debug, thiserror::Error)]
#[error("batch unfinished: {0}")]
pub struct Unfinished(String);

/// The worker of one environment, over the two ports.
#[derive(Debug)]
pub struct Worker<S, L> {
    store: S,
    log: L,
    results: ResultTopic,
    dead_letters: String,
    tokens: Tokens,
    holders: Holders,
}

/// One settled coupon.
struct Coupon<'b> {
    coupon_id: &'b CouponId,
    settled: Settled<'b>,
}

/// What is left of a batch, for the log line.
#[derive(Default)]
struct Left {
    coupons: Vec<String>,
    records: usize,
}

impl<S: Store, L: Log> Worker<S, L> {
    /// A worker that remembers no holder yet. `tokens` are its commits' idempotency tokens.
    pub fn new(store: S, log: L, topics: Topics, tokens: Tokens) -> Self {
        let results = ResultTopic::new(topics.results);
        Self { store, log, results, dead_letters: topics.dead_letters, tokens, holders: Holders::default() }
    }

    /// Decides a batch. When this returns `Ok`, every request has its result in the log and every other record is a
    /// dead letter.
    ///
    /// # Errors
    /// Something could not be decided or published before the deadline: nothing is lost, the batch has to come again.
    pub async fn handle(&self, event: KafkaEvent, deadline: Deadline) -> Result<(), Unfinished> {
        let batch = Batch::of(event);
        let store = Retrying::new(&self.store, &self.tokens, deadline);
        let mut left = Left::default();
        let mut settled = Vec::with_capacity(batch.coupons.len());
        // Collected first: a closure inside the stream would make this future not Send.
        let parts: Vec<_> = batch.coupons.iter().map(|coupon| self.settle_one(&store, coupon)).collect();
        let mut settling = stream::iter(parts).buffer_unordered(COUPONS_IN_FLIGHT_MAX);
        while let Some((coupon, result)) = settling.next().await {
            match result {
                Ok(done) => settled.push(Coupon { coupon_id: &coupon.coupon_id, settled: done }),
                Err(reason) => left.add(coupon, &reason),
            }
        }
        self.publish_results(&settled, deadline).await?;
        // Dead letters are written last, when nothing else can fail any more: a coupon may be created between two
        // deliveries, and then the record's decision counts.
        left.or_finished()?;
        self.publish_dead_letters(&batch, &settled, deadline).await
    }

    async fn settle_one<'b>(
        &self,
        store: &Retrying<'_, S>,
        coupon: &'b CouponBatch,
    ) -> (&'b CouponBatch, Result<Settled<'b>, Unsettled>) {
        (coupon, settle(store, &self.holders, coupon).await)
    }

    /// Results of what is decided are published even when another coupon is left: nobody waits for a neighbour.
    async fn publish_results(&self, settled: &[Coupon<'_>], deadline: Deadline) -> Result<(), Unfinished> {
        let record_of = |coupon: &Coupon<'_>, one: &(&Request, Ticket, Outcome)| {
            result_record(&self.results, coupon.coupon_id, one)
        };
        let records: Result<Vec<Record>, LogError> = settled
            .iter()
            .flat_map(|coupon| coupon.settled.outcomes.iter().map(move |one| (coupon, one)))
            .map(|(coupon, one)| record_of(coupon, one))
            .collect();
        let count = records.as_ref().map_or(0, Vec::len);
        let published = match records {
            Ok(records) => publish(&self.log, records, deadline).await,
            Err(error) => Err(error),
        };
        published.map_err(|error| Unfinished(format!("{count} results decided, not all published: {error}")))
    }

    async fn publish_dead_letters(
        &self,
        batch: &Batch,
        settled: &[Coupon<'_>],
        deadline: Deadline,
    ) -> Result<(), Unfinished> {
        let misplaced = settled.iter().flat_map(|coupon| &coupon.settled.dead);
        let records: Vec<Record> = batch
            .dead
            .iter()
            .map(|dead| dead_letter_of(&self.dead_letters, dead))
            .chain(misplaced.map(|(request, reason)| self.dead_letter(request, *reason)))
            .collect();
        let count = records.len();
        if count > 0 {
            tracing::warn!(count, "records that are no request go to the dead-letter topic");
        }
        let published = publish(&self.log, records, deadline).await;
        published.map_err(|error| Unfinished(format!("{count} dead letters, not all published: {error}")))
    }

    fn dead_letter(&self, request: &Request, reason: DeadLetterReason) -> Record {
        dead_letter(&self.dead_letters, &request.source, reason)
    }
}

impl Left {
    fn add(&mut self, coupon: &CouponBatch, reason: &Unsettled) {
        self.records = self.records.saturating_add(coupon.requests.len());
        self.coupons.push(format!("{} ({} records): {reason}", coupon.coupon_id, coupon.requests.len()));
    }

    /// The one line that says what was left and why.
    fn or_finished(self) -> Result<(), Unfinished> {
        if self.coupons.is_empty() {
            return Ok(());
        }
        let shown: Vec<&str> = self.coupons.iter().map(String::as_str).take(LEFT_SHOWN_MAX).collect();
        let more = self.coupons.len().saturating_sub(shown.len());
        let more = if more > 0 { format!("; and {more} more coupons") } else { String::new() };
        Err(Unfinished(format!(
            "{} records of {} coupons undecided: {}{more}",
            self.records,
            self.coupons.len(),
            shown.join("; ")
        )))
    }
}
