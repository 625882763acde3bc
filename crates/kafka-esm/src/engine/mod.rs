//! The mapping's mind: what was polled and how invocations ended go in, what to do comes out. No I/O, no clock, no task
//! of its own, so that order, retries and commits are tested without a broker.
//!
//! Every assigned partition is a lane; every batch, retry and half of a split is a task that stands in the lanes of its
//! partitions and runs only at the front of all of them. That one rule keeps a partition's order, blocks it after a
//! failure, and lets others go on. Read `lane.rs`, `task.rs` and `batch.rs` next; `outcome.rs` is what follows an
//! invocation, `revoke.rs` how partitions go.

mod backoff;
mod batch;
mod lane;
mod outcome;
mod revoke;
mod task;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

pub(crate) use lane::TaskId;
pub(crate) use revoke::log_uncommitted;
pub(crate) use task::{GivenUp, Task};

use crate::destination::Condition;
use crate::metrics::{Counters, add};
use crate::payload;
use crate::record::{Polled, Record};
use crate::settings::{INVOKES_PER_POLLER_MAX, PAYLOAD_BYTES_MAX, Settings};
use batch::Next;
use lane::Lane;
use task::TaskState;

/// A lane holds this many batches before its partition is paused, so that the next one waits when one is done.
const BATCHES_BUFFERED_MAX: usize = 2;
/// Small batches would make a partition be paused and resumed all the time.
const RECORDS_BUFFERED_MIN: usize = 10_000;
/// A partition that has had too much waiting for this long is paused. Before, nothing more is taken in, of others neither:
/// pausing throws away what the client has fetched ahead, which would be fetched three times over for a quick function.
const HOLD_MAX: Duration = Duration::from_millis(50);

/// Something to do outside.
#[derive(Debug)]
pub(crate) enum Action {
    /// Call the function with this body.
    Invoke { task: TaskId, body: Bytes },
    /// Hand these records to the destination.
    Deliver { task: TaskId, records: Box<Task>, given_up: GivenUp },
}

/// A position that is resolved and not committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Uncommitted {
    pub(crate) partition: i32,
    pub(crate) position: i64,
    pub(crate) committed: i64,
}

/// Partitions to fetch no more of, or to fetch again.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Flow {
    pub(crate) pause: Vec<i32>,
    pub(crate) resume: Vec<i32>,
    /// Nothing is to be taken in before then, unless something changes.
    pub(crate) hold_until: Option<Instant>,
}

/// The time in both of its forms: monotonic for windows and back-off, milliseconds since 1970 for a record's age.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    pub(crate) instant: Instant,
    pub(crate) unix_millis: i64,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Engine {
    settings: Arc<Settings>,
    counters: Arc<Counters>,
    lanes: BTreeMap<i32, Lane>,
    tasks: BTreeMap<TaskId, Task>,
    last_task: TaskId,
    stopping: bool,
}

impl Engine {
    pub(crate) fn new(settings: Arc<Settings>, counters: Arc<Counters>) -> Self {
        Self { settings, counters, lanes: BTreeMap::new(), tasks: BTreeMap::new(), last_task: 0, stopping: false }
    }

    /// Takes over partitions, each to be read from an offset. What was held of them before is forgotten.
    pub(crate) fn assign(&mut self, partitions: &[(i32, i64)]) {
        self.lanes.extend(partitions.iter().map(|(partition, start)| (*partition, Lane::starting_at(*start))));
    }

    /// Takes what the poller read. Records of partitions that are not assigned are nobody's.
    pub(crate) fn polled(&mut self, polled: Vec<Polled>) {
        for polled in polled {
            let (partition, offset) = polled.place();
            let filtered_out = matches!(polled, Polled::FilteredOut { .. });
            let Some(lane) = self.lanes.get_mut(&partition).filter(|lane| !lane.revoking) else { continue };
            if lane.take(polled) {
                add(&self.counters.polled, 1);
                add(&self.counters.filtered_out, usize::from(filtered_out));
            } else {
                tracing::info!(topic = self.settings.topic, partition, offset, "skipped: polled before");
            }
        }
    }

    /// Everything that can begin now, and when to ask again if nothing else happens.
    pub(crate) fn next(&mut self, now: Now) -> (Vec<Action>, Option<Instant>) {
        let mut actions = Vec::new();
        if self.stopping {
            return (actions, None);
        }
        let mut wake = self.start_tasks(now, &mut actions);
        for poller in 0..self.settings.pollers {
            while self.running(poller) < INVOKES_PER_POLLER_MAX {
                let (records, oversize) = match batch::next(&mut self.lanes, &self.settings, poller, now.instant) {
                    Next::Empty => break,
                    Next::Wait(due) => {
                        wake = Some(wake.map_or(due, |wake| wake.min(due)));
                        break;
                    }
                    Next::Batch(records) => (records, false),
                    Next::Oversize(record) => (vec![record], true),
                };
                let task = Task::new(records, now.instant);
                let task = if oversize { task.given_up(too_large()) } else { task };
                self.enqueue(task);
                let later = self.start_tasks(now, &mut actions);
                wake = wake.into_iter().chain(later).min();
            }
        }
        (actions, wake)
    }

    /// Starts every task whose turn has come; when the next of them is due.
    fn start_tasks(&mut self, now: Now, actions: &mut Vec<Action>) -> Option<Instant> {
        let held = |engine: &Self| (engine.last_task, engine.tasks.len());
        let mut wake = None;
        let mut before = None;
        // A task that is dropped or taken apart lets others move up, whatever their numbers.
        while before != Some(held(self)) {
            before = Some(held(self));
            wake = self.start_tasks_once(now, actions);
        }
        wake
    }

    fn start_tasks_once(&mut self, now: Now, actions: &mut Vec<Action>) -> Option<Instant> {
        let mut wake: Option<Instant> = None;
        let mut last = 0;
        while let Some(id) = self.tasks.range(last + 1..).map(|(id, _)| *id).next() {
            last = id;
            if !self.has_turn(id) {
                continue;
            }
            match self.tasks.get(&id).map(|task| task.state.clone()) {
                Some(TaskState::Waiting(due)) if due > now.instant => {
                    wake = Some(wake.map_or(due, |wake| wake.min(due)));
                }
                Some(TaskState::Waiting(_)) => self.start(id, now, actions),
                Some(TaskState::GivenUp(given_up)) => self.give_up(id, given_up, actions),
                Some(TaskState::Running | TaskState::Delivering) | None => {}
            }
        }
        wake
    }

    /// Whether a task is at the front of every lane it stands in.
    fn has_turn(&self, id: TaskId) -> bool {
        let Some(task) = self.tasks.get(&id) else { return false };
        task.partitions().iter().all(|partition| {
            self.lanes.get(partition).is_some_and(|lane| lane.tasks.front() == Some(&id) && !lane.revoking)
        })
    }

    fn running(&self, poller: usize) -> usize {
        let of_poller = |task: &Task| {
            task.records.first().is_some_and(|record| self.settings.poller_of(record.partition) == poller)
        };
        self.tasks.values().filter(|task| task.state == TaskState::Running && of_poller(task)).count()
    }

    fn start(&mut self, id: TaskId, now: Now, actions: &mut Vec<Action>) {
        let poller = self.tasks.get(&id).and_then(|task| task.records.first()).map(|record| record.partition);
        if poller.is_some_and(|partition| self.running(self.settings.poller_of(partition)) >= INVOKES_PER_POLLER_MAX) {
            return;
        }
        if self.set_too_old_apart(id, now) {
            // Taken apart into new tasks, which are looked at next.
            return;
        }
        let Some(task) = self.tasks.get_mut(&id) else { return };
        task.state = TaskState::Running;
        task.invokes += 1;
        add(&self.counters.invoked, task.records.len());
        actions.push(Action::Invoke { task: id, body: payload::event(&self.settings, &task.records) });
    }

    /// Records beyond their age leave before an attempt; the others go on.
    fn set_too_old_apart(&mut self, id: TaskId, now: Now) -> bool {
        let Some(age) = self.settings.record_age_ms_max else { return false };
        let oldest = now.unix_millis.saturating_sub(age);
        let too_old = |task: &&Task| task.records.iter().any(|record| record.timestamp < oldest);
        let Some(task) = self.tasks.get(&id).filter(too_old).cloned() else { return false };
        let (old, young) = task.part_older_than(oldest);
        let reason = format!("older than {} s", age / 1000);
        let given_up = GivenUp { condition: Condition::RecordAgeExceeded, reason, response: None };
        self.replace(id, vec![old.given_up(given_up), young]);
        true
    }

    /// Hands a task's records to the destination, or drops them where there is none.
    fn give_up(&mut self, id: TaskId, given_up: GivenUp, actions: &mut Vec<Action>) {
        if self.settings.destination.is_none() {
            let count = self.log_dropped(id, &given_up.reason);
            add(&self.counters.dropped, count);
            self.resolve_task(id);
            return;
        }
        for record in self.records(id) {
            let (topic, partition, offset) = (&self.settings.topic, record.partition, record.offset);
            tracing::warn!(topic, partition, offset, reason = given_up.reason, "sent to the destination");
        }
        if let Some(task) = self.tasks.get_mut(&id) {
            task.state = TaskState::Delivering;
            actions.push(Action::Deliver { task: id, records: Box::new(task.clone()), given_up });
        }
    }

    /// One line for each record, as everything that is not simply delivered gets one; these are lost.
    fn log_dropped(&self, id: TaskId, reason: &str) -> usize {
        let records = self.records(id);
        for record in records {
            let (topic, partition, offset) = (&self.settings.topic, record.partition, record.offset);
            tracing::error!(topic, partition, offset, reason, "dropped");
        }
        records.len()
    }

    fn records(&self, id: TaskId) -> &[Record] {
        self.tasks.get(&id).map(|task| task.records.as_slice()).unwrap_or_default()
    }

    fn enqueue(&mut self, task: Task) {
        self.last_task += 1;
        for partition in task.partitions() {
            if let Some(lane) = self.lanes.get_mut(partition) {
                lane.tasks.push_back(self.last_task);
            }
        }
        self.tasks.insert(self.last_task, task);
    }

    /// Puts tasks in the place of one, in order, in every lane where it stood. Empty ones vanish.
    fn replace(&mut self, id: TaskId, successors: Vec<Task>) {
        let Some(old) = self.tasks.remove(&id) else { return };
        let successors: Vec<(TaskId, Task)> = successors
            .into_iter()
            .filter(|task| !task.records.is_empty())
            .map(|task| {
                self.last_task += 1;
                (self.last_task, task)
            })
            .collect();
        for (partition, lane) in self.lanes.iter_mut().filter(|(partition, _)| old.partitions().contains(partition)) {
            let here = successors.iter().filter(|(_, task)| task.partitions().contains(partition)).map(|(id, _)| *id);
            let here: Vec<TaskId> = here.collect();
            let tasks = std::mem::take(&mut lane.tasks);
            lane.tasks =
                tasks.into_iter().flat_map(|task| if task == id { here.clone() } else { vec![task] }).collect();
        }
        self.tasks.extend(successors);
    }

    /// Marks every record of a task as done with, whatever that was, and lets its lanes go on.
    fn resolve_task(&mut self, id: TaskId) {
        let Some(task) = self.tasks.remove(&id) else { return };
        self.resolve(&task.records);
        self.leave_lanes(id);
    }

    fn resolve(&mut self, records: &[Record]) {
        for record in records {
            if let Some(lane) = self.lanes.get_mut(&record.partition) {
                lane.offsets.resolve(record.offset);
            }
        }
    }

    fn leave_lanes(&mut self, id: TaskId) {
        for lane in self.lanes.values_mut() {
            lane.tasks.retain(|task| *task != id);
        }
    }

    /// What the destination took of a task's records, and how many of its messages failed.
    pub(crate) fn delivered(&mut self, id: TaskId, taken: usize, messages_failed: usize) {
        let count = self.tasks.get(&id).map_or(0, |task| task.records.len());
        add(&self.counters.delivered, taken);
        add(&self.counters.dropped, count.saturating_sub(taken));
        add(&self.counters.delivery_error, messages_failed);
        self.resolve_task(id);
    }

    /// Positions to commit. Those of partitions that go are for the rebalance to commit, which knows whether they are
    /// still this member's.
    pub(crate) fn uncommitted(&self) -> Vec<Uncommitted> {
        self.uncommitted_of(|lane| !lane.revoking)
    }

    fn uncommitted_of(&self, wanted: impl Fn(&Lane) -> bool) -> Vec<Uncommitted> {
        let of_lane = |(partition, lane): (&i32, &Lane)| {
            let (partition, committed) = (*partition, lane.committed);
            lane.uncommitted().map(|position| Uncommitted { partition, position, committed })
        };
        self.lanes.iter().filter(|(_, lane)| wanted(lane)).filter_map(of_lane).collect()
    }

    /// The broker has taken these positions.
    pub(crate) fn committed(&mut self, positions: &[(i32, i64)]) {
        for (partition, position) in positions {
            if let Some(lane) = self.lanes.get_mut(partition) {
                count_commit(&self.counters, lane.committed, *position);
                lane.committed = *position;
            }
        }
    }

    /// Partitions that have too much waiting, or little enough again, and whether to take in no more for a moment.
    pub(crate) fn flow(&mut self, now: Instant) -> Flow {
        let records_max = (self.settings.batch_size * BATCHES_BUFFERED_MAX).max(RECORDS_BUFFERED_MIN);
        let bytes_max = PAYLOAD_BYTES_MAX * BATCHES_BUFFERED_MAX;
        let mut flow = Flow::default();
        for (partition, lane) in self.lanes.iter_mut().filter(|(_, lane)| !lane.revoking) {
            let full = lane.pending.len() >= records_max || lane.pending_bytes >= bytes_max;
            let low = lane.pending.len() <= records_max / 2 && lane.pending_bytes <= bytes_max / 2;
            lane.full_since = lane.full_since.or(Some(now)).filter(|_| full && !lane.paused);
            let patience = lane.full_since.and_then(|since| since.checked_add(HOLD_MAX));
            match patience {
                Some(until) if until <= now => {
                    lane.paused = true;
                    lane.full_since = None;
                    flow.pause.push(*partition);
                }
                Some(until) => flow.hold_until = flow.hold_until.into_iter().chain([until]).min(),
                None if low && lane.paused => {
                    lane.paused = false;
                    flow.resume.push(*partition);
                }
                None => {}
            }
        }
        flow
    }

    /// No batch and no retry begins any more.
    pub(crate) fn stop(&mut self) {
        self.stopping = true;
    }

    /// Whether nothing is under way.
    pub(crate) fn is_idle(&self) -> bool {
        !self.tasks.values().any(|task| matches!(task.state, TaskState::Running | TaskState::Delivering))
    }

    /// The assigned partitions with their committed positions.
    pub(crate) fn positions(&self) -> BTreeMap<i32, i64> {
        self.lanes.iter().map(|(partition, lane)| (*partition, lane.committed)).collect()
    }
}

/// New less old, so that gaps count; a group that was set back counts nothing.
pub(crate) fn count_commit(counters: &Counters, old: i64, new: i64) {
    add(&counters.committed, usize::try_from(new.saturating_sub(old)).unwrap_or(0));
}

fn too_large() -> GivenUp {
    let reason = format!("does not fit into a request of {PAYLOAD_BYTES_MAX} bytes, even alone");
    GivenUp { condition: Condition::MaximumPayloadSizeExceeded, reason, response: None }
}
