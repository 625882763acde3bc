//! What follows an invocation: records are resolved, tried again, halved or given up.

use crate::destination::Condition;
use crate::emulator::Pbr;
use crate::metrics::add;
use crate::response::{Exchange, Failure, Outcome, Request, interpret};

use super::task::TaskState;
use super::{Engine, GivenUp, Now, Task, TaskId, backoff, too_large};

impl Engine {
    /// Takes the end of an invocation; `jitter`, in 0 to 1, spreads its retry.
    pub(crate) fn invoked(&mut self, id: TaskId, exchange: &Exchange, now: Now, jitter: f64) {
        let Some(task) = self.tasks.get(&id) else { return };
        let partitions = task.offsets_by_key(&self.settings);
        let request = Request {
            partitions: &partitions,
            partial_responses: self.settings.pbr.is_some(),
            lenient_errors: self.settings.lenient_errors,
        };
        let outcome = interpret(exchange, &request);
        if outcome == Outcome::Success {
            self.resolve_task(id);
            return;
        }
        add(&self.counters.failed_invoke, task.records.len());
        // A partial response is an answer, though not the one that was hoped for.
        add(&self.counters.invoke_error, usize::from(!matches!(outcome, Outcome::Partial(..))));
        let task = task.clone();
        let successors = self.after_failure(task, outcome, now, jitter);
        self.log_redelivered(&successors);
        self.replace(id, successors.into_iter().map(|(task, _)| task).collect());
        self.forget_waiting_of_revoked();
    }

    /// The tasks that take the place of a failed one, each with the reason.
    fn after_failure(&mut self, task: Task, outcome: Outcome, now: Now, jitter: f64) -> Vec<(Task, String)> {
        match outcome {
            Outcome::Success => Vec::new(),
            Outcome::Partial(named, context) => {
                let count = task.records.len();
                let (task, resolved) = task.keep_named(&named, self.settings.pbr.unwrap_or(Pbr::Selective));
                self.resolve(&resolved);
                let reason = format!("the response brings back {} of {count} records", task.records.len());
                vec![self.retry(task, Failure { reason, context }, now, jitter)]
            }
            Outcome::FunctionError(failure) if self.settings.bisect && task.records.len() > 1 => {
                let (first, second) = task.split(now.instant);
                [first, second].map(|half| (half, failure.reason.clone())).into()
            }
            Outcome::FunctionError(failure) | Outcome::InvalidResponse(failure) => {
                vec![self.retry(task, failure, now, jitter)]
            }
            Outcome::TooLarge(reason) if task.records.len() > 1 => {
                tracing::error!(reason, "the host refuses a request that is within the limit; the batch is halved");
                let (first, second) = task.split(now.instant);
                [first, second].map(|half| (half, reason.clone())).into()
            }
            Outcome::TooLarge(reason) => vec![(task.given_up(too_large()), reason)],
            Outcome::NotInvoked(reason) => vec![(self.later(task, now, jitter), reason)],
        }
    }

    /// Costs a retry, of which there may be none left.
    fn retry(&self, mut task: Task, failure: Failure, now: Now, jitter: f64) -> (Task, String) {
        let reason = failure.reason;
        if self.settings.retries_max.is_some_and(|retries| task.retries >= retries) {
            let reason_given = format!("{} invocations, the last: {reason}", task.invokes);
            let given_up = GivenUp {
                condition: Condition::RetryAttemptsExhausted,
                reason: reason_given,
                response: Some(failure.context),
            };
            return (task.given_up(given_up), reason);
        }
        task.retries += 1;
        (self.later(task, now, jitter), reason)
    }

    fn later(&self, mut task: Task, now: Now, jitter: f64) -> Task {
        task.failed += 1;
        let delay = backoff::delay(task.failed, self.settings.time_factor, jitter);
        task.state = TaskState::Waiting(now.instant.checked_add(delay).unwrap_or(now.instant));
        task
    }

    /// One line for each record that comes again: from here, after a restart, or from the partition's new owner. The last
    /// two are also what becomes of records without a retry left, for nothing is given up any more.
    fn log_redelivered(&self, successors: &[(Task, String)]) {
        for (task, reason) in successors {
            let waits = matches!(task.state, TaskState::Waiting(_));
            for record in task.records.iter().filter(|record| waits || !self.may_begin(record.partition)) {
                let (topic, partition, offset) = (&self.settings.topic, record.partition, record.offset);
                tracing::info!(topic, partition, offset, reason, "will be redelivered");
            }
        }
    }

    fn may_begin(&self, partition: i32) -> bool {
        !self.stopping && self.lanes.get(&partition).is_some_and(|lane| !lane.revoking)
    }
}
