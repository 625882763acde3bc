//! What the network, the store and the broker do to a call: it takes time, fails, is done and never answered, or is done
//! later than its caller believes. Rules for the decorators of `simulation`; in calm weather they only let time pass.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use coupon::Chunk;
use coupon_store::{Commit, Store, StoreError, Token};
use record_log::{Delivery, Log, LogError, Record};
use simulation::{LogCall, LogRule, StoreCall, StoreRule, Verdict};

use crate::{
    defect::{PlantedLog, PlantedStore},
    dice::Dice,
    plan::Faults,
    timeline::Timeline,
    trace::Trace,
};

/// How late a call may come whose caller has given it up, ms at the most.
const LATE_MS: u64 = 30_000;

/// The weather over all environments. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Weather {
    pub(crate) dice: Dice,
    pub(crate) trace: Trace,
    pub(crate) timeline: Timeline,
    pub(crate) faults: Faults,
    pub(crate) store: PlantedStore,
    pub(crate) log: PlantedLog,
    pub(crate) sky: Arc<Sky>,
}

/// What changes about the weather.
#[derive(Debug, Default)]
pub(crate) struct Sky {
    /// Whether faults have stopped.
    pub(crate) calm: Arc<AtomicBool>,
    /// Until when nothing answers, ms from the start.
    pub(crate) outage_until_ms: AtomicI64,
    /// How many late calls are still to come.
    pub(crate) strays: AtomicUsize,
}

impl Weather {
    pub(crate) fn is_calm(&self) -> bool {
        self.sky.calm.load(Ordering::Relaxed)
    }

    /// Draws whether a fault happens, and notes it.
    fn happens(&self, what: &'static str, per_mille: u64) -> bool {
        let happens = self.dice.chance(per_mille);
        if happens {
            self.trace.note(what, "", 0);
        }
        happens
    }

    fn is_away(&self) -> bool {
        self.timeline.elapsed_ms() < self.sky.outage_until_ms.load(Ordering::Relaxed)
    }

    async fn take_time(&self) {
        let wait = self.dice.millis(self.faults.latency_ms);
        // One call in a hundred takes a hundred times as long.
        let wait = if !self.is_calm() && self.dice.chance(10) { wait.saturating_mul(100) } else { wait };
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
    }

    fn late_commit(&self, chunk: &Chunk, token: &Token) {
        let (weather, chunk, token) = (self.clone(), chunk.clone(), token.clone());
        self.later(async move {
            let answer = weather.store.commit(&chunk, &token).await;
            let what = if answer == Ok(Commit::Written) { "late commit written" } else { "late commit" };
            weather.trace.note(what, chunk.head.coupon_id.as_str(), i64::from(answer.is_ok()));
        });
    }

    fn late_produce(&self, record: &Record) {
        let (weather, record) = (self.clone(), record.clone());
        self.later(async move {
            let answer = weather.log.produce(record).await;
            let offset = answer.ok().and_then(|delivery| delivery.offset).unwrap_or(-1);
            weather.trace.note("late produce", "", offset);
        });
    }

    fn later(&self, call: impl Future<Output = ()> + 'static) {
        self.sky.strays.fetch_add(1, Ordering::Relaxed);
        let (sky, late) = (Arc::clone(&self.sky), self.dice.millis(LATE_MS));
        let stray = async move {
            tokio::time::sleep(late).await;
            call.await;
            sky.strays.fetch_sub(1, Ordering::Relaxed);
        };
        // Nobody waits for it: that is what it is.
        drop(tokio::task::spawn_local(stray));
    }

    fn store_verdict(&self, call: StoreCall<'_>) -> Verdict<StoreError> {
        let faults = &self.faults;
        let text = || "simulated".to_owned();
        if self.is_away() {
            self.trace.note("store away", "", 0);
            return Verdict::Fail(StoreError::Unknown(text()));
        }
        if self.happens("unanswered", faults.unanswered) {
            return Verdict::Fail(StoreError::Unknown(text()));
        }
        if self.happens("throttled", faults.throttled) {
            return Verdict::Fail(StoreError::Throttled(text()));
        }
        if self.happens("refused", faults.refused) {
            return Verdict::Fail(StoreError::Refused(text()));
        }
        if let StoreCall::Commit(chunk, token) = call {
            if self.happens("conflict", faults.conflict) {
                return Verdict::Fail(StoreError::Conflict(text()));
            }
            if self.happens("in progress", faults.in_progress) {
                return Verdict::Fail(StoreError::InProgress(text()));
            }
            if self.happens("late", faults.late) {
                self.late_commit(chunk, token);
                return Verdict::Fail(StoreError::Unknown(text()));
            }
        }
        if self.happens("lost answer", faults.lost_answer) {
            return Verdict::LoseAnswer(StoreError::Unknown(text()));
        }
        Verdict::Pass
    }

    fn log_verdict(&self, call: LogCall<'_>) -> Verdict<LogError> {
        let faults = &self.faults;
        let text = || "simulated".to_owned();
        if self.is_away() {
            self.trace.note("log away", "", 0);
            return Verdict::Fail(LogError::Unavailable(text()));
        }
        if self.happens("log unanswered", faults.log_unanswered) {
            return Verdict::Fail(LogError::Unavailable(text()));
        }
        if self.happens("log refused", faults.log_refused) {
            let errors = [LogError::Authentication(text()), LogError::Forbidden(text()), LogError::Fatal(text())];
            return Verdict::Fail(self.dice.pick(&errors).cloned().unwrap_or_else(|| LogError::Fatal(text())));
        }
        if let LogCall::Produce(record) = call {
            if self.happens("queue full", faults.log_queue_full) {
                return Verdict::Fail(LogError::QueueFull(text()));
            }
            if self.happens("log late", faults.log_late) {
                self.late_produce(record);
                return Verdict::Fail(LogError::Unavailable(text()));
            }
        }
        if self.happens("log lost answer", faults.log_lost_answer) {
            return Verdict::LoseAnswer(LogError::Unavailable(text()));
        }
        Verdict::Pass
    }
}

impl StoreRule for Weather {
    async fn judge(&self, call: StoreCall<'_>) -> Verdict<StoreError> {
        self.take_time().await;
        if self.is_calm() { Verdict::Pass } else { self.store_verdict(call) }
    }

    async fn done(&self, _call: StoreCall<'_>) {
        if self.dice.chance(300) {
            self.take_time().await;
        }
    }
}

impl LogRule for Weather {
    async fn judge(&self, call: LogCall<'_>) -> Verdict<LogError> {
        self.take_time().await;
        if self.is_calm() {
            return Verdict::Pass;
        }
        let verdict = self.log_verdict(call);
        if let LogCall::Produce(record) = call
            && record.topic == self.log.names.results
            && verdict != Verdict::Pass
        {
            self.trace.count("result failed");
        }
        verdict
    }

    async fn done(&self, place: Option<Delivery>) {
        if let Some(place) = place {
            self.trace.note("produced", "", place.offset.unwrap_or(-1));
        }
        if self.dice.chance(300) {
            self.take_time().await;
        }
    }
}

/// A wait that is never shorter than a millisecond, so that a loop around it lets time pass.
pub(crate) async fn pause(dice: &Dice, most_ms: u64) {
    tokio::time::sleep(Duration::from_millis(dice.between(1, most_ms.max(1)))).await;
}
