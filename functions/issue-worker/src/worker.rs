//! One invocation: sort the batch, settle the coupons side by side, publish each result as soon as it is committed, and
//! last the dead letters.

use coupon::DeadLetterReason;
use coupon_store::{Deadline, Retrying, Store, Tokens};
use futures_util::{StreamExt, future::join, stream};
use kafka::{Log, LogError, Record};
use kafka_event::KafkaEvent;
use tokio::sync::mpsc;

use crate::{
    batch::{Batch, CouponBatch, Request},
    holders::Holders,
    publish::{ResultTopic, dead_letter, dead_letter_of, publish, result_record},
    settle::{Dead, Decided, Unsettled, settle},
    tally::Tally,
};

/// How many coupons of a batch are settled at once. Each has one call of the store under way.
pub const COUPONS_IN_FLIGHT_MAX: usize = 16;

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
    tally: Tally,
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
        let (holders, tally) = (Holders::default(), Tally::default());
        Self { store, log, results, dead_letters: topics.dead_letters, tokens, holders, tally }
    }

    /// What was done so far, for metrics.
    pub const fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Decides a batch. When this returns `Ok`, every request has its result in the log and every other record is a
    /// dead letter.
    ///
    /// # Errors
    /// Something could not be decided or published before the deadline: nothing is lost, the batch has to come again.
    pub async fn handle(&self, event: KafkaEvent, deadline: Deadline) -> Result<(), Unfinished> {
        let batch = Batch::of(event);
        // As long as the batch, at most. Results of what is decided are published while the rest is settled, and even
        // when another coupon is left: nobody waits for a neighbour.
        let (told, results) = mpsc::unbounded_channel::<Result<Record, LogError>>();
        let (settled, published) =
            join(self.settle_all(&batch, told, deadline), self.publish_results(results, deadline)).await;
        let (dead, left) = settled;
        match (published, left.or_finished()) {
            (Ok(()), Ok(())) => {}
            (Err(Unfinished(one)), Err(Unfinished(other))) => return Err(Unfinished(format!("{other}; {one}"))),
            (Err(unfinished), Ok(())) | (Ok(()), Err(unfinished)) => return Err(unfinished),
        }
        // Dead letters are written last, when nothing else can fail any more: a coupon may be created between two
        // deliveries, and then the record's decision counts.
        self.publish_dead_letters(&batch, dead, deadline).await
    }

    async fn settle_all<'b>(
        &self,
        batch: &'b Batch,
        results: mpsc::UnboundedSender<Result<Record, LogError>>,
        deadline: Deadline,
    ) -> (Dead<'b>, Left) {
        let store = Retrying::new(&self.store, &self.tokens, deadline);
        let (mut dead, mut left) = (Vec::new(), Left::default());
        // Collected first: a closure inside the stream would make this future not Send.
        let parts: Vec<_> = batch.coupons.iter().map(|coupon| self.settle_one(&store, coupon, &results)).collect();
        let mut settling = stream::iter(parts).buffer_unordered(COUPONS_IN_FLIGHT_MAX);
        while let Some((coupon, result)) = settling.next().await {
            match result {
                Ok(no_requests) => dead.extend(no_requests),
                Err(reason) => left.add(coupon, &reason),
            }
        }
        (dead, left)
    }

    async fn settle_one<'b>(
        &self,
        store: &Retrying<'_, S>,
        coupon: &'b CouponBatch,
        results: &mpsc::UnboundedSender<Result<Record, LogError>>,
    ) -> (&'b CouponBatch, Result<Dead<'b>, Unsettled>) {
        // Nobody takes them any more once a result could not be published: the batch comes again.
        let tell = |decided: Decided<'_>| {
            if decided.is_redelivered {
                self.tally.redelivered();
            } else {
                self.tally.decided(decided.outcome);
            }
            drop(results.send(result_record(&self.results, &decided)));
        };
        let settled = settle(store, &self.holders, coupon, tell).await;
        if settled.as_ref().is_err_and(Unsettled::is_contradiction) {
            self.tally.contradiction();
        }
        (coupon, settled)
    }

    async fn publish_results(
        &self,
        mut results: mpsc::UnboundedReceiver<Result<Record, LogError>>,
        deadline: Deadline,
    ) -> Result<(), Unfinished> {
        let records = stream::poll_fn(move |context| results.poll_recv(context));
        let published = publish(&self.log, records, deadline).await;
        published.map_err(|error| Unfinished(format!("not all results of what is decided are published: {error}")))
    }

    async fn publish_dead_letters(
        &self,
        batch: &Batch,
        misplaced: Dead<'_>,
        deadline: Deadline,
    ) -> Result<(), Unfinished> {
        let records: Vec<Result<Record, LogError>> = batch
            .dead
            .iter()
            .map(|dead| dead_letter_of(&self.dead_letters, dead))
            .chain(misplaced.into_iter().map(|(request, reason)| self.dead_letter(request, reason)))
            .map(Ok)
            .collect();
        let count = records.len();
        if count > 0 {
            tracing::warn!(count, "records that are no request go to the dead-letter topic");
        }
        let published = publish(&self.log, stream::iter(records), deadline).await;
        if published.is_ok() {
            self.tally.dead_letters(count);
        }
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
