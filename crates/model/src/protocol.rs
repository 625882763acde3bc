//! What can happen: the mapping hands over, workers step, the store answers or does not, things fail. What a step of a
//! worker does is `worker.rs`; what must never come of it is `properties.rs`.

use coupon::Entry;
use stateright::{Model, Property};

use crate::{
    Bounds, Defect, Record, State, Step,
    core::Core,
    properties,
    truth::Truth,
    world::{HeadState, Marks, Run, Tables, Unseen, Users, Worker},
};

/// The protocol within its bounds, whole or broken in one place.
#[derive(Debug)]
pub struct Protocol {
    pub(crate) bounds: Bounds,
    pub(crate) defect: Option<Defect>,
    pub(crate) core: Core,
    pub(crate) logs: Vec<Log>,
}

/// A log, what the core needs of it, and what it comes to.
#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) records: Vec<Record>,
    pub(crate) entries: Vec<Entry>,
    pub(crate) truth: Truth,
}

/// What becomes of one attempt to commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Executed, answered.
    Answered,
    /// Executed; the answer is lost.
    AnswerLost,
    /// Not executed yet: the worker hears nothing, the store may receive it at any later time.
    Late,
    /// Lost on the way; where another one is late already.
    Lost,
    /// Only the items were put (a defect).
    Torn,
}

/// How a commit without an answer is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// As the worker does: with the token of the attempt whose outcome is unknown.
    SameToken,
    /// As if the token were forgotten.
    FreshToken,
}

/// One thing that happens. A number is a worker's; an age is an index into the tables' past, where a defect reads that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The mapping hands over the records from `start` to before `end`.
    Deliver {
        /// To whom.
        worker: usize,
        /// The first offset.
        start: u8,
        /// One past the last.
        end: u8,
    },
    /// A worker reads the head.
    Load(usize, Option<usize>),
    /// A worker looks the winners of its next chunk up.
    LookUp(usize),
    /// A worker sends its next chunk.
    Commit(usize, Fate),
    /// A worker repeats a commit that was not answered.
    Repeat(usize, Retry, Fate),
    /// A worker goes on without an answer (a defect).
    TakeForWritten(usize),
    /// The commit that nobody waits for reaches the store.
    Arrive,
    /// The last items of a transaction under way can be read.
    Appear,
    /// Somebody creates the coupon.
    Create,
    /// A worker reads the items of redelivered records.
    ReadItems(usize, Option<usize>),
    /// A worker's result of this offset reaches its topic, whatever the worker is about to do.
    Publish(usize, u8),
    /// A worker writes the dead letters and answers the mapping.
    Finish(usize),
    /// A worker writes the dead letters and crashes.
    FinishUnheard(usize),
    /// An invocation fails; its environment remains.
    Fail(usize),
    /// An environment ends, with what it remembers.
    Crash(usize),
    /// An idle environment is replaced.
    Replace(usize),
}

const WORKERS: [usize; 2] = [0, 1];

impl Protocol {
    /// The protocol within bounds.
    ///
    /// # Errors
    /// The core refuses the bounds, such as a total of 0.
    pub fn new(bounds: Bounds, defect: Option<Defect>) -> Result<Self, coupon::Invalid> {
        let core = Core::new(&bounds)?;
        let log = |records: Vec<Record>| Log {
            entries: core.entries(&records),
            truth: Truth::of(&bounds, &records),
            records,
        };
        let logs = bounds.logs().into_iter().map(log).collect();
        Ok(Self { bounds, defect, core, logs })
    }

    fn initial(&self, log: usize) -> State {
        let head = HeadState { remaining: self.bounds.total, ..HeadState::default() };
        State {
            log,
            tables: Tables { head, items: vec![None; usize::from(self.bounds.users)] },
            past: Vec::new(),
            position: 0,
            workers: [Worker::default(), Worker::default()],
            is_created: !self.bounds.created_late,
            decided: Users::default(),
            unseen: Unseen::default(),
            late: None,
            results: vec![None; usize::from(self.bounds.records)],
            dead_letters: Users::default(),
            faults_left: self.bounds.faults,
            marks: Marks::default(),
        }
    }

    /// Free: the next batch, when no worker runs. A fault: anything from before the position, or beside a running worker.
    fn deliveries(&self, state: &State, actions: &mut Vec<Action>) {
        let is_running = state.workers.iter().any(|worker| worker.run.is_some());
        let is_faulty = state.faults_left > 0;
        let first = if is_faulty { 0 } else { state.position };
        let last = match self.defect {
            Some(Defect::SkippedRecord) if is_faulty => state.position.saturating_add(1),
            _ => state.position,
        };
        let twins = state.workers[0] == state.workers[1];
        for worker in WORKERS.into_iter().filter(|worker| state.workers[*worker].run.is_none()) {
            if (is_running && !is_faulty) || (worker == 1 && twins) {
                continue;
            }
            for start in first..=last {
                let ends =
                    start.saturating_add(1)..=self.bounds.records.min(start.saturating_add(self.bounds.batch_max));
                actions.extend(ends.map(|end| Action::Deliver { worker, start, end }));
            }
        }
    }

    fn steps(&self, state: &State, worker: usize, run: &Run, actions: &mut Vec<Action>) {
        let is_faulty = state.faults_left > 0;
        let unpublished = self.unpublished(state, worker);
        actions.extend(unpublished.iter().map(|(offset, _told)| Action::Publish(worker, *offset)));
        // Another commit meets the transaction under way, writes nothing and is repeated: it waits, as far as it matters.
        let waits = !state.unseen.users.is_empty() && matches!(run.step, Step::Commit | Step::Unknown { .. });
        if waits || state.unseen.writer == Some(worker) {
            actions.extend(is_faulty.then_some(Action::Crash(worker)));
            return;
        }
        match run.step {
            Step::Load => {
                actions.push(Action::Load(worker, None));
                self.ages(Defect::HeadEventual, state, |age| Action::Load(worker, Some(age)), actions);
            }
            Step::Commit if self.to_look_up(state, worker).is_empty() => {
                actions.extend(self.fates(state).map(|fate| Action::Commit(worker, fate)));
            }
            Step::Commit => actions.push(Action::LookUp(worker)),
            Step::Unknown { written } => {
                let both = [Retry::SameToken, Retry::FreshToken];
                for retry in both {
                    let is_known = written && retry == Retry::SameToken;
                    let fates = self.fates(state).filter(|fate| !is_known || *fate == Fate::Answered);
                    actions.extend(fates.map(|fate| Action::Repeat(worker, retry, fate)));
                }
                // The deadline passes: the lost answer was the fault.
                actions.push(Action::Fail(worker));
                if self.defect == Some(Defect::UnknownTakenForWritten) {
                    actions.push(Action::TakeForWritten(worker));
                }
            }
            Step::ReadItems => {
                actions.push(Action::ReadItems(worker, None));
                self.ages(Defect::ItemsEventual, state, |age| Action::ReadItems(worker, Some(age)), actions);
            }
            // It waits for what is not published. What cannot be fails the invocation, with the others out or not.
            Step::Finish if !unpublished.is_empty() => {
                if is_faulty && self.defect == Some(Defect::ResultsNotAwaited) {
                    actions.push(Action::Finish(worker));
                }
            }
            Step::Finish => {
                actions.push(Action::Finish(worker));
                if is_faulty && self.has_dead(state, run) {
                    actions.push(Action::FinishUnheard(worker));
                }
            }
        }
        if is_faulty {
            actions.push(Action::Crash(worker));
            if !matches!(run.step, Step::Unknown { .. }) {
                actions.push(Action::Fail(worker));
            }
        }
    }

    fn fates(&self, state: &State) -> impl Iterator<Item = Fate> + use<> {
        let is_faulty = state.faults_left > 0;
        let late = if state.late.is_none() { Fate::Late } else { Fate::Lost };
        let faulty = [Fate::AnswerLost, late].into_iter().filter(move |_fate| is_faulty);
        let torn = (is_faulty && self.defect == Some(Defect::NoTransaction)).then_some(Fate::Torn);
        [Fate::Answered].into_iter().chain(faulty).chain(torn)
    }

    fn ages(&self, defect: Defect, state: &State, action: impl Fn(usize) -> Action, actions: &mut Vec<Action>) {
        if self.defect == Some(defect) {
            actions.extend((0..state.past.len()).map(action));
        }
    }

    fn has_dead(&self, state: &State, run: &Run) -> bool {
        !self.dead_of(state, run).is_empty()
    }

    fn dead_of(&self, state: &State, run: &Run) -> Users {
        let records = (0..).zip(&self.logs[state.log].records);
        let dead = records.filter(|(offset, record)| {
            (**record == Record::Dead || run.is_unknown) && (run.start..run.end).contains(offset)
        });
        dead.map(|(offset, _record)| offset).collect()
    }

    fn put_dead_letters(&self, state: &mut State, worker: usize) {
        if let Some(run) = &state.workers[worker].run
            && self.defect != Some(Defect::DeadLetterDropped)
        {
            state.dead_letters = state.dead_letters.and(self.dead_of(state, run));
        }
    }

    fn finish(&self, state: &mut State, worker: usize) {
        let is_blocked = self.defect == Some(Defect::DeadLetterBlocks);
        if is_blocked && state.workers[worker].run.as_ref().is_some_and(|run| self.has_dead(state, run)) {
            return self.end_run(state, worker, false);
        }
        self.put_dead_letters(state, worker);
        if let Some(run) = state.workers[worker].run.take() {
            // An old invocation's answer counts as well, and may set the position back.
            state.position = run.end;
        }
    }

    fn is_fault(&self, state: &State, action: Action) -> bool {
        match action {
            Action::Deliver { start, .. } => {
                start != state.position || state.workers.iter().any(|worker| worker.run.is_some())
            }
            Action::Commit(_, fate) | Action::Repeat(_, _, fate) => fate != Fate::Answered,
            Action::Fail(worker) => {
                let run = state.workers[worker].run.as_ref();
                !run.is_some_and(|run| matches!(run.step, Step::Unknown { .. }))
            }
            // Only of a worker that does not wait: one of its results was not acknowledged.
            Action::Finish(worker) => !self.unpublished(state, worker).is_empty(),
            Action::Crash(_) | Action::FinishUnheard(_) => true,
            Action::Load(..)
            | Action::LookUp(_)
            | Action::TakeForWritten(_)
            | Action::Arrive
            | Action::Appear
            | Action::Create
            | Action::ReadItems(..)
            | Action::Publish(..)
            | Action::Replace(_) => false,
        }
    }

    fn perform(&self, state: &mut State, action: Action) {
        match action {
            Action::Deliver { worker, start, end } => state.workers[worker].run = Some(Run::new(start, end)),
            Action::Load(worker, age) => self.load(state, worker, age),
            Action::LookUp(worker) => self.look_up(state, worker),
            Action::Commit(worker, fate) => self.commit(state, worker, fate, None),
            Action::Repeat(worker, retry, fate) => self.commit(state, worker, fate, Some(retry)),
            Action::TakeForWritten(worker) => self.learn_written(state, worker),
            Action::Arrive => self.arrive(state),
            Action::Create => state.is_created = true,
            Action::Appear => state.unseen = Unseen::default(),
            Action::ReadItems(worker, age) => self.read_items(state, worker, age),
            Action::Publish(worker, offset) => self.publish(state, worker, offset),
            Action::Finish(worker) => self.finish(state, worker),
            Action::FinishUnheard(worker) => {
                self.put_dead_letters(state, worker);
                self.end_run(state, worker, true);
            }
            Action::Fail(worker) => self.end_run(state, worker, false),
            Action::Crash(worker) => self.end_run(state, worker, true),
            Action::Replace(worker) => state.workers[worker] = Worker::default(),
        }
    }
}

impl Model for Protocol {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        (0..self.logs.len()).map(|log| self.initial(log)).collect()
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        self.deliveries(state, actions);
        for worker in WORKERS {
            match &state.workers[worker].run {
                Some(run) => self.steps(state, worker, run, actions),
                None if state.workers[worker] != Worker::default() => actions.push(Action::Replace(worker)),
                None => {}
            }
        }
        if !state.is_created {
            actions.push(Action::Create);
        }
        if !state.unseen.users.is_empty() {
            actions.push(Action::Appear);
        } else if state.late.is_some() {
            actions.push(Action::Arrive);
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        if self.is_fault(last, action) {
            state.faults_left = state.faults_left.saturating_sub(1);
        }
        self.perform(&mut state, action);
        (state != *last).then_some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all(&self.bounds)
    }
}
