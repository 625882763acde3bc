//! One execution environment: a process of the function, the loopback address at which it asks for work, and the state
//! of the one request it may hold.
//!
//! It does not choose its work, `pool.rs` does, and it speaks no HTTP, `runtime_api.rs` does that for it. The lock of a
//! slot is taken after the pool's, never before it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::{Notify, oneshot, watch};
use tokio::time::Instant;

use super::extensions::Extensions;
use super::function::Function;
use super::invocation::{Failure, Invocation, Reply, since_epoch};
use super::pool::Pool;
use super::runtime_api::RuntimeApi;
use crate::process::{Child, Spawner};
use crate::serve::Server;

/// What an environment with an extension gets between SIGTERM and SIGKILL.
/// <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-shutdown>
const SHUTDOWN_GRACE: Duration = Duration::from_millis(500);
/// What a process that reported an init error gets to end by itself.
const REPORTED_GRACE: Duration = Duration::from_millis(500);

/// One environment. Its pool holds it while its process lives.
#[derive(Debug)]
pub(super) struct Environment {
    /// Distinct among the environments of the function.
    pub(super) number: u64,
    /// Whether this is the second try to initialise for the same request.
    pub(super) again: bool,
    function: Arc<Function>,
    pool: Weak<Pool>,
    slot: Mutex<Slot>,
    /// Work was given to the call that waits for it.
    given: Notify,
    /// The deadline moved closer than the supervising task knows.
    recheck: Notify,
    extensions: Mutex<Extensions>,
    child: OnceLock<Child>,
    began: Instant,
    stopping: AtomicBool,
    ended: watch::Sender<bool>,
}

#[derive(Debug)]
struct Slot {
    phase: Phase,
    /// Until when the phase may last; meaningless while idle.
    deadline: Instant,
    /// Why it ends, when that was known before the process ended.
    failure: Option<Failure>,
}

/// What an environment does at the moment.
#[derive(Debug)]
pub(super) enum Phase {
    /// Until it first asks for work.
    Init,
    /// Asks for work and has none.
    Idle,
    /// Has been given work that it has not taken yet.
    Given(Invocation),
    /// Works; without a reply it has answered and not yet asked again.
    Running {
        /// Of the request it has.
        request_id: String,
        /// Where its answer goes.
        reply: Option<oneshot::Sender<Reply>>,
        /// When it took it.
        since: Instant,
    },
    /// Its process has ended.
    Ended,
}

/// What became of an environment that asked for work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asked {
    /// It was its first time, the end of its init; else the end of a request.
    pub(super) initialised: bool,
    /// There was none.
    pub(super) idle: bool,
}

/// What the Runtime API hands to a function.
#[derive(Debug)]
pub(super) struct Delivery {
    pub(super) request_id: String,
    pub(super) payload: Bytes,
    pub(super) trace_id: String,
    pub(super) client_context: Option<String>,
    /// Milliseconds since 1970.
    pub(super) deadline_ms: u128,
}

/// A call that does not fit the phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WrongPhase;

impl Environment {
    pub(super) fn new(number: u64, again: bool, function: Arc<Function>, pool: Weak<Pool>) -> Self {
        // The second try happens inside the invocation, so that the function's own limit holds for it.
        let limit = if again { function.spec.timeout } else { function.spec.init_timeout };
        Self {
            number,
            again,
            function,
            pool,
            slot: Mutex::new(Slot { phase: Phase::Init, deadline: Instant::now() + limit, failure: None }),
            given: Notify::new(),
            recheck: Notify::new(),
            extensions: Mutex::default(),
            child: OnceLock::new(),
            began: Instant::now(),
            stopping: AtomicBool::new(false),
            ended: watch::Sender::new(false),
        }
    }

    /// Runs the process to its end, and says so to the pool.
    pub(super) async fn run(self: Arc<Self>, spawner: Spawner) {
        let began = Instant::now();
        let exit = self.live(&spawner, began).await;
        let (phase, failure) = {
            let mut slot = self.slot();
            (std::mem::replace(&mut slot.phase, Phase::Ended), slot.failure.take().unwrap_or(exit))
        };
        if let Some(pool) = self.pool.upgrade() {
            pool.ended(&self, phase, &failure);
        }
        self.ended.send_replace(true);
    }

    async fn live(self: &Arc<Self>, spawner: &Spawner, began: Instant) -> Failure {
        let not_started = |error: &dyn std::fmt::Display| Failure::NotStarted(error.to_string());
        let server = match TcpListener::bind(("127.0.0.1", 0)).await {
            Ok(listener) => Server::start(listener, RuntimeApi::new(Arc::clone(self))),
            Err(error) => return not_started(&error),
        };
        let server = match server {
            Ok(server) => server,
            Err(error) => return not_started(&error),
        };
        let child = match spawner.spawn(&self.function.program(self.number, server.address())).await {
            Ok(child) => self.child.get_or_init(|| child),
            Err(error) => return not_started(&format!("{error:#}")),
        };
        if self.stopping.load(Ordering::SeqCst) {
            child.kill().await;
        }
        if self.pool.upgrade().is_some_and(|pool| pool.is_frozen()) {
            child.freeze().await;
        }
        tracing::debug!(
            environment = child.name(),
            pid = child.pid(),
            started_ms = began.elapsed().as_millis(),
            "started"
        );
        Failure::Exited(self.watch(child).await)
    }

    /// Waits for the end of the process, and brings it about at a deadline. It looks at the deadline only when it could
    /// have passed, not at each request: a request that begins later than this look ends later than the next one.
    async fn watch(&self, child: &Child) -> std::process::ExitStatus {
        let mut exit = None;
        while exit.is_none() {
            let next_look = self.next_look();
            tokio::select! {
                status = child.wait() => exit = Some(status),
                () = self.recheck.notified() => {}
                () = tokio::time::sleep_until(next_look) => if self.is_overdue() {
                    exit = Some(child.kill().await);
                },
            }
        }
        exit.unwrap_or_default()
    }

    fn next_look(&self) -> Instant {
        let slot = self.slot();
        match slot.phase {
            Phase::Idle | Phase::Ended => Instant::now() + self.function.spec.timeout,
            Phase::Init | Phase::Given(_) | Phase::Running { .. } => slot.deadline,
        }
    }

    fn is_overdue(&self) -> bool {
        let mut slot = self.slot();
        let limit = match slot.phase {
            Phase::Idle | Phase::Ended => return false,
            Phase::Init if !self.again => self.function.spec.init_timeout,
            Phase::Init | Phase::Given(_) | Phase::Running { .. } => self.function.spec.timeout,
        };
        if Instant::now() < slot.deadline {
            return false;
        }
        slot.failure.get_or_insert(Failure::TimedOut(limit));
        true
    }

    /// Gives it work, if it asks for some.
    pub(super) fn give(&self, invocation: Invocation) -> Result<(), Invocation> {
        let mut slot = self.slot();
        if !matches!(slot.phase, Phase::Idle) {
            return Err(invocation);
        }
        self.put(&mut slot, invocation);
        Ok(())
    }

    fn put(&self, slot: &mut Slot, invocation: Invocation) {
        slot.deadline = Instant::now() + self.function.spec.timeout;
        slot.phase = Phase::Given(invocation);
        self.given.notify_one();
    }

    /// It asks for work: takes what `queued` has, or becomes idle. `None` when it has asked before, or has not answered
    /// yet.
    pub(super) fn ask(&self, queued: impl FnOnce() -> Option<Invocation>) -> Option<Asked> {
        let mut slot = self.slot();
        let initialised = match slot.phase {
            Phase::Init => true,
            Phase::Running { reply: None, .. } => false,
            Phase::Idle | Phase::Given(_) | Phase::Running { .. } | Phase::Ended => return None,
        };
        let idle = match queued() {
            Some(invocation) => {
                self.put(&mut slot, invocation);
                false
            }
            None => {
                slot.phase = Phase::Idle;
                true
            }
        };
        if initialised {
            self.recheck.notify_one();
        }
        Some(Asked { initialised, idle })
    }

    /// The next request for the function; waits for one.
    pub(super) async fn next(self: &Arc<Self>) -> Result<Delivery, WrongPhase> {
        self.pool.upgrade().ok_or(WrongPhase)?.ready(self);
        let mut delivery = self.take()?;
        while delivery.is_none() {
            self.given.notified().await;
            delivery = self.take()?;
        }
        delivery.ok_or(WrongPhase)
    }

    /// The work that it was given, if it was.
    pub(super) fn take(&self) -> Result<Option<Delivery>, WrongPhase> {
        let mut slot = self.slot();
        let invocation = match std::mem::replace(&mut slot.phase, Phase::Idle) {
            Phase::Idle => return Ok(None),
            Phase::Given(invocation) => invocation,
            other @ (Phase::Init | Phase::Running { .. } | Phase::Ended) => {
                slot.phase = other;
                return Err(WrongPhase);
            }
        };
        let timeout = self.function.spec.timeout;
        let (request_id, since) = (invocation.request_id.clone(), Instant::now());
        slot.deadline = since + timeout;
        slot.phase = Phase::Running { request_id, reply: Some(invocation.reply), since };
        drop(slot);
        let delivery = Delivery {
            request_id: invocation.request_id,
            payload: invocation.payload,
            trace_id: invocation.trace_id,
            client_context: invocation.client_context,
            deadline_ms: (since_epoch() + timeout).as_millis(),
        };
        self.extensions().invoked(|| self.invoke_event(&delivery));
        Ok(Some(delivery))
    }

    fn invoke_event(&self, delivery: &Delivery) -> Bytes {
        json!({
            "eventType": "INVOKE",
            "deadlineMs": delivery.deadline_ms,
            "requestId": delivery.request_id,
            "invokedFunctionArn": self.function.arn,
            "tracing": { "type": "X-Amzn-Trace-Id", "value": delivery.trace_id },
        })
        .to_string()
        .into()
    }

    /// The function's answer to the request that it has.
    pub(super) fn answer(&self, answered_id: &str, answer: Reply) -> Result<(), WrongPhase> {
        let mut slot = self.slot();
        let Phase::Running { request_id, reply, since } = &mut slot.phase else { return Err(WrongPhase) };
        if request_id != answered_id {
            return Err(WrongPhase);
        }
        let reply = reply.take().ok_or(WrongPhase)?;
        if let Some(pool) = self.pool.upgrade() {
            pool.billing.add(1, since.elapsed());
            pool.finishing();
        }
        if reply.send(answer).is_err() {
            tracing::debug!(request_id, "nobody waits for the answer any more");
        }
        Ok(())
    }

    /// The function says that it cannot start.
    pub(super) fn init_failed(&self, payload: Bytes) -> Result<(), WrongPhase> {
        let mut slot = self.slot();
        if !matches!(slot.phase, Phase::Init) {
            return Err(WrongPhase);
        }
        slot.failure.get_or_insert(Failure::Reported(payload));
        slot.deadline = Instant::now() + REPORTED_GRACE;
        self.recheck.notify_one();
        Ok(())
    }

    /// How long it has been there.
    pub(super) fn age(&self) -> Duration {
        self.began.elapsed()
    }

    /// Whether it has not yet asked for work.
    pub(super) fn is_initialising(&self) -> bool {
        matches!(self.slot().phase, Phase::Init)
    }

    /// Ends it as Lambda does: with a warning only if an extension asked for one.
    pub(super) async fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.slot().failure.get_or_insert(Failure::Stopped);
        if let Some(child) = self.child.get() {
            let warned = self.extensions().any();
            if warned {
                child.stop(SHUTDOWN_GRACE).await;
            } else {
                child.kill().await;
            }
        }
        self.wait_ended().await;
    }

    /// Kills it without a warning, whatever it does.
    pub(super) async fn crash(&self) {
        // One whose process is just being made dies when it is there.
        self.stopping.store(true, Ordering::SeqCst);
        if let Some(child) = self.child.get() {
            child.kill().await;
            self.wait_ended().await;
        }
    }

    async fn wait_ended(&self) {
        // An error would mean that the sender, a field of this very value, were gone.
        drop(self.ended.subscribe().wait_for(|ended| *ended).await);
    }

    pub(super) fn child(&self) -> Option<&Child> {
        self.child.get()
    }

    pub(super) fn function(&self) -> &Function {
        &self.function
    }

    pub(super) fn extensions(&self) -> MutexGuard<'_, Extensions> {
        self.extensions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn slot(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
