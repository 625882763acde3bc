//! The environments of one function: started on demand, the one used last is used first, and a queue of requests for
//! when all are busy.
//!
//! Plain state behind one short lock, never held over an await. Processes are `environment.rs`'s, HTTP is
//! `invoke_api.rs`'s, and the faults that can be asked for are in `pool/faults.rs`.

mod faults;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use tokio::sync::oneshot;
use tokio::sync::oneshot::error::RecvError;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::environment::{Environment, Phase};
use super::function::{Function, FunctionSpec};
use super::invocation::{Failure, Invocation, Reply, error_payload, uuid};
use super::usage::{Billing, Usage};
use crate::process::{Child, Spawner};

/// How long a queued request counts on environments that have answered to ask for work again, before it starts one.
const FINISHING_GRACE: Duration = Duration::from_millis(50);

/// All environments of a function, and who waits for one.
#[derive(Debug)]
pub(super) struct Pool {
    function: Arc<Function>,
    spawner: Spawner,
    state: Mutex<State>,
    /// How many environments have answered and not yet asked for work again, which takes most of them a millisecond.
    /// Beside the lock: it goes up while a slot is locked.
    finishing: AtomicUsize,
    pub(super) billing: Billing,
}

#[derive(Debug, Default)]
struct State {
    /// All that live, those that are starting included.
    environments: Vec<Arc<Environment>>,
    /// Those that asked for work, the latest last.
    idle: Vec<Arc<Environment>>,
    /// Requests that no environment has.
    queue: VecDeque<Invocation>,
    /// How many of the environments have not asked for work yet.
    starting: usize,
    /// The number of the next environment.
    number: u64,
    /// The task of each environment. Dropped with the pool, they drop their processes, which kills them.
    tasks: JoinSet<()>,
    /// Faults in force that let none start, and those among them that also stop the running ones.
    holds: usize,
    freezes: usize,
    stopping: bool,
}

/// What a caller wants done.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) payload: Bytes,
    pub(super) trace_id: String,
    pub(super) client_context: Option<String>,
}

/// Where a new request went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Placed {
    /// To an environment, or it has been refused already: either way the answer comes by itself.
    Given,
    Queued,
}

/// No environment became free in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Overloaded {
    /// How many there are at most.
    pub(super) environments: usize,
    /// How long the request has waited.
    pub(super) waited: Duration,
}

impl Pool {
    pub(super) fn new(spec: FunctionSpec, spawner: Spawner) -> Arc<Self> {
        let (function, state) = (Arc::new(Function::new(spec)), Mutex::default());
        let (finishing, billing) = (AtomicUsize::new(0), Billing::default());
        Arc::new(Self { function, spawner, state, finishing, billing })
    }

    /// Runs a function once; its request id and what became of it.
    pub(super) async fn invoke(self: &Arc<Self>, call: Call) -> (String, Result<Reply, Overloaded>) {
        let request_id = uuid();
        let (reply, mut answered) = oneshot::channel();
        let Call { payload, trace_id, client_context } = call;
        let invocation = Invocation { request_id: request_id.clone(), payload, trace_id, client_context, reply };
        let FunctionSpec { queue_timeout, environments, .. } = self.function.spec;
        let answer = match self.submit(invocation) {
            Placed::Given => answered.await,
            Placed::Queued => match self.wait(&mut answered).await {
                Some(answer) => answer,
                None if self.withdraw(&request_id) => {
                    return (request_id, Err(Overloaded { environments, waited: queue_timeout }));
                }
                // Not in the queue any more: some environment has it, whose own limit ends the wait.
                None => answered.await,
            },
        };
        let reply = answer.unwrap_or_else(|_| {
            let message = format!("RequestId: {request_id} Error: the environment ended without an answer");
            Reply::Failed(error_payload("Runtime.ExitError", &message))
        });
        (request_id, Ok(reply))
    }

    /// Waits for the answer to a queued request, as long as a request may wait for an environment.
    async fn wait(self: &Arc<Self>, answered: &mut oneshot::Receiver<Reply>) -> Option<Result<Reply, RecvError>> {
        let began = Instant::now();
        if let Ok(answer) = tokio::time::timeout(FINISHING_GRACE, &mut *answered).await {
            return Some(answer);
        }
        // Whatever was about to be free is not.
        self.start_needed(&mut self.state(), 0);
        tokio::time::timeout_at(began + self.function.spec.queue_timeout, answered).await.ok()
    }

    /// Hands a request to the environment that was used last, or queues it.
    fn submit(self: &Arc<Self>, mut invocation: Invocation) -> Placed {
        let mut state = self.state();
        if state.stopping {
            fail(invocation, &Failure::Stopped);
            return Placed::Given;
        }
        while let Some(environment) = state.idle.pop() {
            match environment.give(invocation) {
                Ok(()) => return Placed::Given,
                // It ended a moment ago.
                Err(returned) => invocation = returned,
            }
        }
        state.queue.push_back(invocation);
        // A caller's next request may be faster than the environment that answered its last one.
        self.start_needed(&mut state, self.finishing.load(Ordering::SeqCst));
        Placed::Queued
    }

    /// Takes a request out of the queue again; `false` when it is not there.
    fn withdraw(&self, request_id: &str) -> bool {
        let mut state = self.state();
        let place = state.queue.iter().position(|invocation| invocation.request_id == request_id);
        place.and_then(|place| state.queue.remove(place)).is_some()
    }

    /// Starts environments for the requests that none of those that start, or are about to be free, will take.
    fn start_needed(self: &Arc<Self>, state: &mut State, soon_free: usize) {
        while state.starting + soon_free < state.queue.len() && self.may_start(state) {
            self.start(state, false);
        }
    }

    fn may_start(&self, state: &State) -> bool {
        state.environments.len() < self.function.spec.environments && state.holds == 0 && !state.stopping
    }

    fn start(self: &Arc<Self>, state: &mut State, again: bool) {
        let function = Arc::clone(&self.function);
        let environment = Arc::new(Environment::new(state.number, again, function, Arc::downgrade(self)));
        state.number += 1;
        state.starting += 1;
        state.environments.push(Arc::clone(&environment));
        while state.tasks.try_join_next().is_some() {}
        state.tasks.spawn(environment.run(self.spawner.clone()));
    }

    /// An environment asks for work: it gets the oldest request whose caller still waits, or is idle.
    pub(super) fn ready(&self, environment: &Arc<Environment>) {
        let mut state = self.state();
        let State { queue, idle, starting, .. } = &mut *state;
        let Some(asked) = environment.ask(|| next_wanted(queue)) else { return };
        if asked.initialised {
            *starting -= 1;
            self.billing.add(0, environment.age());
        } else {
            self.finishing.fetch_sub(1, Ordering::SeqCst);
        }
        if asked.idle {
            idle.push(Arc::clone(environment));
        }
    }

    /// An environment has answered, and will ask for work again in a moment.
    pub(super) fn finishing(&self) {
        self.finishing.fetch_add(1, Ordering::SeqCst);
    }

    /// What the function has taken so far.
    pub(super) fn usage(&self) -> Usage {
        self.billing.usage(self.function.spec.memory_mb)
    }

    /// An environment has ended in this phase, for this reason.
    pub(super) fn ended(self: &Arc<Self>, environment: &Arc<Environment>, phase: Phase, failure: &Failure) {
        let mut state = self.state();
        state.environments.retain(|other| !Arc::ptr_eq(other, environment));
        state.idle.retain(|other| !Arc::ptr_eq(other, environment));
        let name = format!("{}[{}]", self.function.spec.name, environment.number);
        match phase {
            Phase::Init => {
                state.starting -= 1;
                tracing::warn!(environment = name, %failure, "init failed");
                self.init_failed(&mut state, environment.again, failure);
            }
            // It never got to see the request: somebody else takes it, and takes it first.
            Phase::Given(invocation) => state.queue.push_front(invocation),
            Phase::Running { request_id, reply: Some(reply), since } => {
                self.billing.add(1, since.elapsed());
                tracing::warn!(environment = name, request_id, %failure, "invocation failed");
                drop(reply.send(Reply::Failed(failure.payload(&request_id))));
            }
            Phase::Running { reply: None, .. } => {
                self.finishing.fetch_sub(1, Ordering::SeqCst);
                tracing::debug!(environment = name, %failure, "environment ended after an answer");
            }
            Phase::Idle | Phase::Ended => tracing::debug!(environment = name, %failure, "environment ended"),
        }
        self.start_needed(&mut state, 0);
    }

    /// Lambda tries a failed init once more, as part of the invocation; then the caller is told, and the next request
    /// begins anew.
    /// <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-invoke-with-errors>
    fn init_failed(self: &Arc<Self>, state: &mut State, again: bool, failure: &Failure) {
        if state.queue.is_empty() || state.holds > 0 || state.stopping {
            return;
        }
        if !again {
            self.start(state, true);
        } else if let Some(invocation) = next_wanted(&mut state.queue) {
            fail(invocation, failure);
        }
    }

    /// Refuses what comes and what waits. What runs goes on.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.stopping = true;
        for invocation in std::mem::take(&mut state.queue) {
            fail(invocation, &Failure::Stopped);
        }
    }

    /// Ends all environments.
    pub(super) async fn stop(&self) {
        self.close();
        join_all(self.environments().iter().map(|environment| environment.stop())).await;
    }

    /// The processes of all environments.
    pub(super) fn pids(&self) -> Vec<i32> {
        self.environments().iter().filter_map(|environment| environment.child()).map(Child::pid).collect()
    }

    fn environments(&self) -> Vec<Arc<Environment>> {
        self.state().environments.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The oldest request whose caller has not gone away.
fn next_wanted(queue: &mut VecDeque<Invocation>) -> Option<Invocation> {
    let wanted = queue.iter().position(|invocation| !invocation.reply.is_closed())?;
    queue.drain(..wanted);
    queue.pop_front()
}

fn fail(invocation: Invocation, failure: &Failure) {
    drop(invocation.reply.send(Reply::Failed(failure.payload(&invocation.request_id))));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pool with environments that are no processes, and have asked for work in this order.
    async fn with_idle(number: u64) -> (Arc<Pool>, Vec<Arc<Environment>>) {
        let spec = FunctionSpec::new("none", "/no/such/binary", Duration::from_secs(3));
        let pool = Pool::new(spec, Spawner::start().unwrap());
        let environment =
            |number| Arc::new(Environment::new(number, false, Arc::clone(&pool.function), Arc::downgrade(&pool)));
        let environments: Vec<_> = (0..number).map(environment).collect();
        pool.state().starting = environments.len();
        pool.state().environments.clone_from(&environments);
        environments.iter().for_each(|environment| pool.ready(environment));
        (pool, environments)
    }

    fn submit(pool: &Arc<Pool>, payload: &'static str) -> (Placed, oneshot::Receiver<Reply>) {
        let (reply, answered) = oneshot::channel();
        let payload = Bytes::from_static(payload.as_bytes());
        let (request_id, trace_id) = (payload.len().to_string(), String::new());
        let invocation = Invocation { request_id, payload, trace_id, client_context: None, reply };
        (pool.submit(invocation), answered)
    }

    fn taken(environment: &Environment) -> Option<Bytes> {
        environment.take().unwrap().map(|delivery| delivery.payload)
    }

    #[tokio::test]
    async fn the_environment_that_asked_last_is_used_first() {
        let (pool, environments) = with_idle(3).await;
        let _first = submit(&pool, "1");
        let _second = submit(&pool, "22");
        assert_eq!(taken(&environments[2]).unwrap(), "1");
        assert_eq!(taken(&environments[1]).unwrap(), "22");
        assert_eq!(taken(&environments[0]), None);
    }

    #[tokio::test]
    async fn an_environment_that_has_just_answered_is_waited_for() {
        let (pool, environments) = with_idle(1).await;
        let (_, mut answered) = submit(&pool, "1");
        assert_eq!(taken(&environments[0]).unwrap(), "1");
        environments[0].answer("1", Reply::Answered(Bytes::new())).unwrap();
        assert!(answered.try_recv().is_ok());
        let (placed, _answered) = submit(&pool, "22");
        assert_eq!((placed, pool.state().environments.len()), (Placed::Queued, 1), "none is started beside it");
        let (_, _another) = submit(&pool, "333");
        assert_eq!(pool.state().environments.len(), 2, "one is started for the second in the queue");
        pool.ready(&environments[0]);
        assert_eq!(taken(&environments[0]).unwrap(), "22");
    }

    #[tokio::test]
    async fn a_request_that_was_given_but_not_taken_goes_to_the_next() {
        let (pool, environments) = with_idle(2).await;
        let (_, _answered) = submit(&pool, "1");
        let (_, _waiting) = submit(&pool, "22");
        let (_, _queued) = submit(&pool, "333");
        assert_eq!(taken(&environments[0]).unwrap(), "22");
        let (reply, _unheard) = oneshot::channel();
        let given = Invocation {
            request_id: "1".into(),
            payload: Bytes::from_static(b"1"),
            trace_id: String::new(),
            client_context: None,
            reply,
        };
        pool.ended(&environments[1], Phase::Given(given), &Failure::Stopped);
        environments[0].answer("2", Reply::Answered(Bytes::new())).unwrap();
        pool.ready(&environments[0]);
        assert_eq!(taken(&environments[0]).unwrap(), "1", "before the one that was queued");
    }
}
