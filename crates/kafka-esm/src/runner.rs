//! The mapping at work: takes the poller's news and the ends of invocations, asks the engine what to do, and does it.
//! Nothing is decided here.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc as std_mpsc};
use std::time::{Duration, Instant};

use hyper::Uri;
use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::KafkaResult;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::clock;
use crate::destination::delivery::{Delivered, Deliverer};
use crate::engine::{Action, Engine, Now, TaskId, Uncommitted, log_uncommitted};
use crate::http::Http;
use crate::metrics::{Counters, Metrics, add};
use crate::poller::{EsmConsumer, News};
use crate::rebalance::{self, list};
use crate::response::{Exchange, PAGE};
use crate::settings::Settings;

/// A commit that the broker refused is tried again after this, unless there is something newer before.
const COMMIT_RETRY: Duration = Duration::from_secs(1);
/// From the moment when nothing runs any more: for the last commit and leaving the group. A broker that is away or stands
/// still does not keep a mapping from its end.
const END_MAX: Duration = Duration::from_secs(10);

/// What others may know of a running mapping.
#[derive(Debug, Default, Clone)]
pub(crate) struct State {
    /// It has joined its group and knows where every assigned partition begins.
    pub(crate) ready: bool,
    /// Assigned partitions and what is committed of them.
    pub(crate) committed: BTreeMap<i32, i64>,
    /// The numbers at the end, once there is one, and the fault that it ended with.
    pub(crate) ended: Option<(Metrics, Option<String>)>,
}

/// What a job under way ends with.
enum Done {
    Invoked(TaskId, Exchange),
    Delivered(TaskId, Delivered),
    /// Positions, and what the broker said.
    Committed(Vec<(i32, i64)>, KafkaResult<()>),
}

/// See the module.
pub(crate) struct Runner {
    pub(crate) settings: Arc<Settings>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) engine: Engine,
    pub(crate) consumer: Arc<EsmConsumer>,
    pub(crate) deliverer: Deliverer,
    pub(crate) http: Http,
    pub(crate) invoke: Uri,
    pub(crate) state: watch::Sender<State>,
    pub(crate) commit: CommitState,
    /// The answer that a held rebalance waits for.
    pub(crate) revoking: Option<std_mpsc::Sender<Vec<Uncommitted>>>,
    /// Whether the invoke address has answered as one.
    pub(crate) met: bool,
    pub(crate) fault: Option<String>,
}

/// One commit at a time.
#[derive(Debug, Default)]
pub(crate) struct CommitState {
    under_way: bool,
    not_before: Option<Instant>,
}

impl Runner {
    /// Runs until it is told to stop, finishes what is under way, commits and leaves the group: the last two within
    /// [`END_MAX`].
    pub(crate) async fn run(
        mut self,
        mut news: mpsc::Receiver<News>,
        thread: std::thread::JoinHandle<()>,
        mut stop: watch::Receiver<bool>,
    ) {
        let mut jobs = JoinSet::new();
        let mut stopping = false;
        let mut end = None;
        while self.fault.is_none() && !(stopping && self.may_end(end)) {
            let (wake, hold) = self.advance(&mut jobs);
            if stopping && self.engine.is_idle() {
                end = end.or_else(|| clock::now().checked_add(END_MAX));
            }
            let wake = wake.into_iter().chain(end).min();
            tokio::select! {
                told = news.recv(), if !hold => match told {
                    Some(told) => self.hear(told),
                    None => self.fault = Some("the poller is gone".to_owned()),
                },
                Some(done) = jobs.join_next(), if !jobs.is_empty() => {
                    if let Ok(done) = done {
                        self.finish(done);
                    }
                }
                () = sleep_until(wake), if wake.is_some() => {}
                // A handle that was dropped stops the mapping as well.
                _ = stop.wait_for(|stop| *stop), if !stopping => {
                    stopping = true;
                    self.engine.stop();
                }
            }
        }
        // What ended last may be what a rebalance waits for.
        self.answer_revocation();
        let end = end.or_else(|| clock::now().checked_add(END_MAX)).unwrap_or_else(clock::now);
        self.leave(news, thread, end.into()).await;
    }

    /// Whether nothing is waited for: no invocation, and no commit, for which there is a time.
    fn may_end(&self, end: Option<Instant>) -> bool {
        self.engine.is_idle() && (!self.commit.under_way || end.is_some_and(|end| end <= clock::now()))
    }

    /// Starts what can start; when to look again, and whether to hear nothing of the poller until then.
    fn advance(&mut self, jobs: &mut JoinSet<Done>) -> (Option<Instant>, bool) {
        let (actions, wake) = self.engine.next(now());
        for action in actions {
            self.begin(action, jobs);
        }
        self.answer_revocation();
        let hold_until = self.regulate();
        let retry_commit = self.commit(jobs);
        (wake.into_iter().chain(retry_commit).chain(hold_until).min(), hold_until.is_some())
    }

    fn begin(&self, action: Action, jobs: &mut JoinSet<Done>) {
        match action {
            Action::Invoke { task, body } => {
                let (http, uri, timeout) = (self.http.clone(), self.invoke.clone(), self.settings.invoke_timeout());
                jobs.spawn(async move { Done::Invoked(task, http.invoke(uri, body, timeout).await) });
            }
            Action::Deliver { task, records, given_up } => {
                let deliverer = self.deliverer.clone();
                jobs.spawn(async move { Done::Delivered(task, deliverer.deliver(&records, &given_up).await) });
            }
        }
    }

    fn finish(&mut self, done: Done) {
        match done {
            Done::Invoked(task, exchange) => {
                self.meet(&exchange);
                self.engine.invoked(task, &exchange, now(), fastrand::f64());
            }
            Done::Delivered(task, delivered) => {
                self.engine.delivered(task, delivered.records_taken, delivered.messages_failed);
            }
            Done::Committed(positions, result) => self.committed(&positions, result),
        }
    }

    /// Ends a mapping whose very first answer tells that there is no function behind its address, whatever the status: a
    /// web server has 200, 404 or 405 for a path that it does not know. Later on, a page is a proxy's that will pass.
    fn meet(&mut self, exchange: &Exchange) {
        let Exchange::Answered(answer) = exchange else { return };
        if !answer.is_page() {
            self.met = true;
        } else if !self.met {
            self.fault = Some(format!("{} answers {} with {PAGE}", self.invoke, answer.status));
        }
    }

    fn hear(&mut self, news: News) {
        match news {
            News::Polled(polled) => self.engine.polled(polled),
            News::Assigned(begins) => {
                self.engine.assign(&begins);
                self.publish(true);
            }
            News::Revoking { partitions, answer } => {
                self.engine.begin_revoke(&partitions);
                self.revoking = Some(answer);
            }
            News::Fatal(error) => self.fault = Some(error.to_string()),
        }
    }

    fn committed(&mut self, positions: &[(i32, i64)], result: KafkaResult<()>) {
        self.commit.under_way = false;
        match result {
            Ok(()) => {
                self.engine.committed(positions);
                self.publish(false);
            }
            Err(error) => {
                add(&self.counters.commit_error, 1);
                tracing::warn!(%error, ?positions, "the commit failed; these records may be redelivered");
                self.commit.not_before = clock::now().checked_add(COMMIT_RETRY);
            }
        }
    }

    /// Once nothing of the revoked partitions is under way, the rebalance goes on.
    fn answer_revocation(&mut self) {
        if self.revoking.is_none() {
            return;
        }
        if let Some(uncommitted) = self.engine.finish_revoke()
            && let Some(answer) = self.revoking.take()
            && let Err(unheard) = answer.send(uncommitted)
        {
            log_uncommitted(&self.settings.topic, &unheard.0, "the rebalance did not wait for what was resolved");
        }
        self.publish(false);
    }

    /// Pauses partitions of which too much waits, and lets them go on; until when nothing is to be taken in.
    fn regulate(&mut self) -> Option<Instant> {
        let flow = self.engine.flow(clock::now());
        let apply = |partitions: &[i32], pause: bool| {
            let list = list(&self.settings, partitions.iter().map(|partition| (*partition, 0)))?;
            if pause { self.consumer.pause(&list) } else { self.consumer.resume(&list) }
        };
        for (partitions, pause) in [(flow.pause, true), (flow.resume, false)] {
            // It fails for a partition that has gone in the meantime, and then it does not matter.
            if !partitions.is_empty()
                && let Err(error) = apply(&partitions, pause)
            {
                tracing::warn!(%error, ?partitions, pause, "could not regulate the fetching");
            }
        }
        flow.hold_until
    }

    /// Commits what is resolved, unless a commit is under way; when a refused one is due again. On a thread that may
    /// block: librdkafka tells the outcome of an asynchronous commit only to a callback that rdkafka does not set.
    fn commit(&mut self, jobs: &mut JoinSet<Done>) -> Option<Instant> {
        if self.commit.under_way {
            return None;
        }
        let uncommitted = self.engine.uncommitted();
        if uncommitted.is_empty() {
            return None;
        }
        if let Some(due) = self.commit.not_before.filter(|due| *due > clock::now()) {
            return Some(due);
        }
        self.commit = CommitState { under_way: true, not_before: None };
        let positions: Vec<(i32, i64)> = uncommitted.iter().map(|of| (of.partition, of.position)).collect();
        let (consumer, settings) = (Arc::clone(&self.consumer), Arc::clone(&self.settings));
        jobs.spawn_blocking(move || {
            let list = list(&settings, positions.iter().copied());
            let result = list.and_then(|list| consumer.commit(&list, CommitMode::Sync));
            Done::Committed(positions, result)
        });
        None
    }

    fn publish(&self, ready: bool) {
        let committed = self.engine.positions();
        self.state.send_modify(|state| {
            state.ready |= ready;
            state.committed = committed;
        });
    }

    /// The last commit, the last numbers, and out of the group.
    async fn leave(self, news: mpsc::Receiver<News>, thread: std::thread::JoinHandle<()>, end: tokio::time::Instant) {
        let Self { engine, consumer, state, counters, settings, fault, .. } = self;
        // A rebalance that waits gets no answer any more.
        drop(self.revoking);
        let mut committed = engine.positions();
        let uncommitted = engine.finish();
        if last_commit(&consumer, &uncommitted, end).await {
            committed.extend(uncommitted.iter().map(|position| (position.partition, position.position)));
        }
        let metrics = metrics(&counters, &settings, Arc::clone(&consumer), committed).await;
        consumer.context().stop.store(true, Ordering::Release);
        // From here on nobody hears the poller; one that is waiting to be heard goes on to its end.
        drop(news);
        // Whoever drops the last reference leaves the group and waits for that, which async code may not.
        let ended = tokio::task::spawn_blocking(move || {
            drop(consumer);
            thread.join().is_ok()
        });
        match tokio::time::timeout_at(end, ended).await {
            Ok(Ok(true)) => {}
            Ok(Ok(false) | Err(_)) => tracing::error!("the poller's thread panicked"),
            Err(_elapsed) => {
                let (topic, group) = (&settings.topic, &settings.group);
                tracing::warn!(
                    topic,
                    group,
                    "the broker did not let this member go; the group misses it by its session"
                );
            }
        }
        state.send_modify(|state| state.ended = Some((metrics, fault)));
    }
}

/// Commits for the last time, and waits for that as long as there is time; whether the broker has taken it.
async fn last_commit(consumer: &Arc<EsmConsumer>, uncommitted: &[Uncommitted], end: tokio::time::Instant) -> bool {
    if uncommitted.is_empty() {
        return true;
    }
    let (committing, positions) = (Arc::clone(consumer), uncommitted.to_vec());
    let committed =
        tokio::task::spawn_blocking(move || rebalance::commit(&committing, committing.context(), &positions));
    match tokio::time::timeout_at(end, committed).await {
        Ok(Ok(taken)) => taken,
        Ok(Err(error)) => {
            tracing::error!(%error, "the last commit did not end");
            false
        }
        Err(_elapsed) => {
            let shared = consumer.context();
            add(&shared.counters.commit_error, 1);
            log_uncommitted(&shared.settings.topic, uncommitted, "the broker did not answer the last commit");
            false
        }
    }
}

/// The counters, and how far the committed positions are behind the partitions' ends, by what the broker says or has said last.
pub(crate) async fn metrics(
    counters: &Counters,
    settings: &Arc<Settings>,
    consumer: Arc<EsmConsumer>,
    committed: BTreeMap<i32, i64>,
) -> Metrics {
    const TIMEOUT: Duration = Duration::from_secs(2);
    let partitions = committed.len();
    let topic = settings.topic.clone();
    // The consumer is moved there: the last reference must not be dropped in async code, where it could not block.
    let lags = tokio::task::spawn_blocking(move || {
        let mut told = BTreeMap::new();
        for partition in committed.keys() {
            match consumer.fetch_watermarks(&topic, *partition, TIMEOUT) {
                Ok((_, high)) => drop(told.insert(*partition, high)),
                Err(error) => {
                    tracing::warn!(%error, topic, partition, "the lag is by what the broker has said before");
                    // A broker that does not answer once is not asked for the other partitions.
                    break;
                }
            }
        }
        let mut learned = consumer.context().learned();
        learned.highs.extend(told);
        let lag = |(partition, committed): (&i32, &i64)| {
            Some(u64::try_from(learned.highs.get(partition)?.saturating_sub(*committed)).unwrap_or(0))
        };
        committed.iter().filter_map(lag).collect::<Vec<u64>>()
    });
    let lags = lags.await.unwrap_or_default();
    let pollers = u64::try_from(settings.pollers.min(partitions.max(1))).unwrap_or(1);
    Metrics {
        max_offset_lag: lags.iter().copied().max().unwrap_or(0),
        sum_offset_lag: lags.iter().sum(),
        provisioned_pollers: pollers,
        event_poller_unit: pollers.div_ceil(10),
        ..counters.snapshot()
    }
}

fn now() -> Now {
    Now { instant: clock::now(), unix_millis: clock::unix_millis() }
}

async fn sleep_until(wake: Option<Instant>) {
    if let Some(wake) = wake {
        tokio::time::sleep_until(wake.into()).await;
    }
}
