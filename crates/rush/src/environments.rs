//! The environments of the two functions: each runs the deployed library, one call at a time, and may die or freeze in
//! it. A dead one is replaced by one that remembers nothing.

use std::{
    cell::Cell,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use coupon::Timestamp;
use coupon_store::{Deadline, Tokens};
use issue_api::{App, Call, Clock, Settings};
use issue_worker::{Topics, Worker};
use kafka_event::KafkaEvent;

use crate::{
    defect::{Answered, Defect, Planted, Side},
    hazard::{Fate, Hazard},
    world::{SeenLog, SeenStore, World},
};

/// How long the gateway waits for an answer.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// The worker's timeout; its last 5 s are kept for failing in good order.
const INVOCATION_TIMEOUT: Duration = Duration::from_secs(60);
const WORK: Duration = Duration::from_secs(55);
const MINUTE: Duration = Duration::from_secs(60);
/// The oldest head that a call is answered from.
pub(crate) const HEAD_AGE_MAX: Duration = Duration::from_millis(250);
/// At how many points a call or an invocation may be struck at the most: one of these.
const CALL_POLLS: &[u64] = &[8];
const INVOCATION_POLLS: &[u64] = &[3, 20, 100, 1_000];

/// An environment of `issue-api`.
pub(crate) struct ApiEnvironment {
    app: App<SeenStore, SeenLog>,
    planted: Planted,
    busy: Cell<bool>,
    /// How far its clock is off, ms.
    pub(crate) off_ms: Arc<AtomicI64>,
}

/// An environment of `issue-worker`.
pub(crate) struct WorkerEnvironment {
    worker: Worker<SeenStore, SeenLog>,
    busy: Cell<bool>,
}

impl World {
    /// Answers a call; `None` when the caller never learns.
    pub(crate) async fn call(self: &Rc<Self>, call: Call) -> Option<Answered> {
        let environment = self.free_api();
        environment.busy.set(true);
        let faults = self.plan.faults;
        let fate = if self.is_calm() {
            Fate::Spared
        } else {
            Fate::draw(&self.dice, faults.api_crash, faults.api_freeze, CALL_POLLS)
        };
        if let Fate::Spared = fate {
            let answer = environment.handle(&call).await;
            environment.busy.set(false);
            return Some(answer);
        }
        self.note_fate(fate, "issue-api");
        let world = Rc::clone(self);
        let run = async move {
            let handled = Rc::clone(&environment);
            let answer = Hazard::new(Box::pin(async move { handled.handle(&call).await }), fate).await;
            environment.busy.set(false);
            if answer.is_none() {
                world.apis.borrow_mut().retain(|one| !Rc::ptr_eq(one, &environment));
            }
            answer
        };
        tokio::time::timeout(CALL_TIMEOUT, self.detach(run)).await.ok()?.ok()?
    }

    /// Hands an event to a worker; whether it finished, as far as the mapping learns.
    pub(crate) async fn invoke(self: &Rc<Self>, event: KafkaEvent) -> bool {
        let environment = self.free_worker();
        environment.busy.set(true);
        let faults = self.plan.faults;
        let (fate, unheard) = if self.is_calm() {
            (Fate::Spared, false)
        } else {
            let fate = Fate::draw(&self.dice, faults.worker_crash, faults.worker_freeze, INVOCATION_POLLS);
            (fate, self.dice.chance(faults.unheard))
        };
        if !matches!(fate, Fate::Spared) {
            self.note_fate(fate, "issue-worker");
        }
        if unheard {
            self.trace.note("unheard", "", 0);
        }
        let (world, is_heard) = (Rc::clone(self), Rc::new(Cell::new(true)));
        let still_heard = Rc::clone(&is_heard);
        let run = async move {
            let handled = Rc::clone(&environment);
            let work = Box::pin(async move { handled.worker.handle(event, Deadline::after(WORK)).await });
            let done = Hazard::new(work, fate).await;
            environment.busy.set(false);
            if done.is_none() {
                world.workers.borrow_mut().retain(|one| !Rc::ptr_eq(one, &environment));
            }
            match &done {
                None => world.trace.note("invocation died", "", 0),
                Some(Ok(())) => {
                    world.trace.note("invocation finished", "", 0);
                    if world.awaits_zombies.get() {
                        world.trace.count("zombie");
                    }
                }
                Some(Err(unfinished)) => world.trace.note("invocation unfinished", &unfinished.to_string(), 0),
            }
            let finished = matches!(done, Some(Ok(())));
            world.abandoned.set(world.abandoned.get() || !(finished || still_heard.get()));
            finished
        };
        let running = self.detach(run);
        // The connection breaks, or the mapping waits for the timeout; either way the run itself goes on.
        let patience = if unheard { self.dice.millis(1_000) } else { INVOCATION_TIMEOUT };
        let heard = tokio::time::timeout(patience, running).await;
        is_heard.set(false);
        matches!(heard, Ok(Ok(true)))
    }

    fn note_fate(&self, fate: Fate, whose: &str) {
        self.trace.note(fate.name(), whose, 0);
        if matches!(fate, Fate::Freeze(_polls, time) if time >= MINUTE) {
            self.trace.count("freeze of a minute");
        }
    }

    /// Runs something that goes on when its caller has stopped waiting.
    pub(crate) fn detach<T: 'static>(
        self: &Rc<Self>,
        run: impl Future<Output = T> + 'static,
    ) -> tokio::task::JoinHandle<T> {
        self.under_way.set(self.under_way.get().saturating_add(1));
        let world = Rc::clone(self);
        tokio::task::spawn_local(async move {
            let done = run.await;
            world.under_way.set(world.under_way.get().saturating_sub(1));
            done
        })
    }

    fn free_api(self: &Rc<Self>) -> Rc<ApiEnvironment> {
        let mut apis = self.apis.borrow_mut();
        let from = self.dice.place(apis.len());
        let free = apis.iter().cycle().skip(from).take(apis.len()).find(|one| !one.busy.get());
        match free {
            // Now and then another one starts although one is free.
            Some(free) if !self.dice.chance(20) => Rc::clone(free),
            Some(_) | None => {
                let started = Rc::new(self.new_api());
                apis.push(Rc::clone(&started));
                started
            }
        }
    }

    /// An environment that has read nothing.
    pub(crate) fn new_api(&self) -> ApiEnvironment {
        let off_ms = Arc::new(AtomicI64::new(0));
        if !self.is_calm() && self.plan.faults.clock_jumps > 0 {
            off_ms.store(self.dice.around(3_000), Ordering::Relaxed);
            self.trace.note("api clock off", "", off_ms.load(Ordering::Relaxed));
        }
        self.api_over(self.seen_by(Side::Api), off_ms)
    }

    /// The same over this store, with this clock.
    pub(crate) fn api_over(&self, store: SeenStore, off_ms: Arc<AtomicI64>) -> ApiEnvironment {
        let (timeline, off, always) = (self.timeline, Arc::clone(&off_ms), self.planted.api_clock_off_ms());
        let now_ms = move || timeline.now_ms().saturating_add(off.load(Ordering::Relaxed)).saturating_add(always);
        let head_age_max = if self.planted.is(Defect::HeadsKept) { MINUTE } else { HEAD_AGE_MAX };
        let settings = Settings { request_topic: self.names.requests.clone(), head_age_max };
        let clock = Clock::new(move || Timestamp::from_millis_clamped(now_ms()));
        let app = App::new(store, self.log.clone(), clock, settings);
        ApiEnvironment { app, planted: self.planted.clone(), busy: Cell::new(false), off_ms }
    }

    fn free_worker(&self) -> Rc<WorkerEnvironment> {
        let mut workers = self.workers.borrow_mut();
        let from = self.dice.place(workers.len());
        let free = workers.iter().cycle().skip(from).take(workers.len()).find(|one| !one.busy.get());
        match free {
            Some(free) if !self.dice.chance(20) => Rc::clone(free),
            Some(_) | None => {
                let topics =
                    Topics { results: self.names.results.clone(), dead_letters: self.names.dead_letters.clone() };
                let tokens = Tokens::with_seed(self.dice.below(u64::MAX));
                let worker = Worker::new(self.seen_by(Side::Worker), self.log.clone(), topics, tokens);
                let started = Rc::new(WorkerEnvironment { worker, busy: Cell::new(false) });
                workers.push(Rc::clone(&started));
                started
            }
        }
    }
}

impl ApiEnvironment {
    /// Answers a call without any hazard.
    pub(crate) async fn handle(&self, call: &Call) -> Answered {
        self.planted.read(&self.app.handle(call).await)
    }
}
