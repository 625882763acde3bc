//! The worker's flow between its reads and its writes: `functions/issue-worker/src/settle.rs`, step by step. A decision is
//! taken again from the head after each of its chunks instead of being kept: how a batch is cut changes no verdict, as
//! the core's own tests show, and the state stays small.
//!
//! Beside that flow, as in `worker.rs` there, whatever is told is published: at any later time, one by one, in any order.

use coupon::{Decided, Decision, Entry, Verdict};

use crate::{
    Defect, Protocol, Retry, Step, Told, Visibility,
    core::{Core, offset, told},
    protocol::Fate,
    store::{Answer, execute, put_items_alone},
    world::{HeadState, Item, Run, State, Tables, Users, Worker, Write},
};

impl Run {
    pub(crate) fn new(start: u8, end: u8) -> Self {
        Self {
            start,
            end,
            step: Step::Load,
            is_unknown: false,
            head: None,
            outcomes: vec![None; usize::from(end.saturating_sub(start))],
            found: Users::default(),
            absent: Users::default(),
            look_up: false,
        }
    }

    fn outcome(&mut self, offset: u8) -> &mut Option<Told> {
        &mut self.outcomes[usize::from(offset.saturating_sub(self.start))]
    }

    /// The head; a run that folds has loaded one.
    fn head(&self) -> HeadState {
        self.head.clone().unwrap_or_default()
    }
}

impl Protocol {
    /// Ends an invocation without an answer; `is_crash` ends the environment with it.
    pub(crate) fn end_run(&self, state: &mut State, worker: usize, is_crash: bool) {
        if self.defect == Some(Defect::RememberedEarly) {
            self.remember_early(state, worker);
        }
        abandon(state, worker);
        if state.unseen.writer == Some(worker) {
            state.unseen.writer = None;
        }
        state.workers[worker].run = None;
        if is_crash {
            state.workers[worker] = Worker::default();
        }
    }

    pub(crate) fn load(&self, state: &mut State, worker: usize, age: Option<usize>) {
        if !state.is_created {
            if let Some(run) = &mut state.workers[worker].run {
                run.is_unknown = true;
            }
            return set_step(state, worker, Step::Finish);
        }
        let head = self.tables_of(state, age).head.clone();
        let one = &mut state.workers[worker];
        let (holders, met) = (one.holders, one.met_unknown_holder);
        let Some(run) = one.run.as_mut() else { return };
        if run.head.is_none() {
            run.look_up = met && holders.len() < u32::from(head.issued);
        }
        // A winner of another invocation may be somebody who held nothing when we looked.
        run.absent = Users::default();
        run.head = Some(head);
        self.advance(state, worker);
    }

    /// The winners of the next chunk that are to be looked up before it is committed.
    pub(crate) fn to_look_up(&self, state: &State, worker: usize) -> Users {
        let Some(run) = &state.workers[worker].run else { return Users::default() };
        if !run.look_up {
            return Users::default();
        }
        let winners = self.next_write(state, worker).map(|write| write.winners).unwrap_or_default();
        winners.into_iter().map(|(user, _item)| user).collect::<Users>().without(run.absent)
    }

    pub(crate) fn look_up(&self, state: &mut State, worker: usize) {
        let users = self.to_look_up(state, worker);
        let held = state.tables.holders_among(users.without(state.unseen.users));
        let one = &mut state.workers[worker];
        one.holders = one.holders.and(held);
        if let Some(run) = &mut one.run {
            run.absent = run.absent.and(users);
            run.found = run.found.and(held);
        }
        self.advance(state, worker);
    }

    pub(crate) fn commit(&self, state: &mut State, worker: usize, fate: Fate, retry: Option<Retry>) {
        let Some(write) = self.next_write(state, worker) else { return };
        if retry == Some(Retry::FreshToken) {
            abandon(state, worker);
        }
        let was_written = matches!(
            (retry, state.workers[worker].run.as_ref().map(|run| run.step)),
            (Some(Retry::SameToken), Some(Step::Unknown { written: true }))
        );
        let is_dropped = self.defect == Some(Defect::AppliedNotMoved) && write.winners.is_empty();
        match fate {
            Fate::Answered => {
                let answer = if was_written || is_dropped {
                    Answer::Written
                } else {
                    execute(state, &write, &self.bounds, self.defect)
                };
                settle_late(state, worker, answer);
                self.learn(state, worker, &write, answer);
                if !state.unseen.users.is_empty() {
                    state.unseen.writer = Some(worker);
                }
            }
            Fate::AnswerLost => {
                let answer = execute(state, &write, &self.bounds, self.defect);
                settle_late(state, worker, answer);
                set_step(state, worker, Step::Unknown { written: answer == Answer::Written });
            }
            Fate::Late => {
                state.late = Some(crate::world::Late { write, repeated_by: Some(worker) });
                set_step(state, worker, Step::Unknown { written: false });
            }
            Fate::Lost => set_step(state, worker, Step::Unknown { written: false }),
            Fate::Torn => {
                put_items_alone(state, &write);
                set_step(state, worker, Step::Unknown { written: false });
            }
        }
    }

    /// The commit that nobody waits for reaches the store.
    pub(crate) fn arrive(&self, state: &mut State) {
        let Some(late) = state.late.take() else { return };
        let answer = execute(state, &late.write, &self.bounds, self.defect);
        if let (Some(worker), Answer::Written) = (late.repeated_by, answer) {
            set_step(state, worker, Step::Unknown { written: true });
        }
    }

    pub(crate) fn read_items(&self, state: &mut State, worker: usize, age: Option<usize>) {
        let items =
            age.map_or_else(|| state.tables.seen_without(state.unseen.users), |age| state.past[age].items.clone());
        self.derive(state, worker, Some(&items));
    }

    /// A chunk is taken for written: by its answer, or, broken, without one.
    pub(crate) fn learn_written(&self, state: &mut State, worker: usize) {
        if let Some(write) = self.next_write(state, worker) {
            self.learn(state, worker, &write, Answer::Written);
        }
    }

    /// What a worker has told and the topic does not have. An equal result of another worker counts as its own: from
    /// there on nothing differs, and a second, equal record is not told apart.
    ///
    /// A commit is learnt of when its items appear, which is when its answer comes: until then it has told nothing.
    pub(crate) fn unpublished(&self, state: &State, worker: usize) -> Vec<(u8, Told)> {
        let Some(run) = &state.workers[worker].run else { return Vec::new() };
        let is_answered = |offset: u8| state.unseen.writer != Some(worker) || !state.unseen.offsets.has(offset);
        let told = (run.start..).zip(&run.outcomes).filter_map(|(offset, told)| told.map(|told| (offset, told)));
        told.filter(|(offset, told)| state.results[usize::from(*offset)] != Some(*told) && is_answered(*offset))
            .collect()
    }

    /// One result of a worker reaches its topic, acknowledged.
    pub(crate) fn publish(&self, state: &mut State, worker: usize, offset: u8) {
        let told = self.unpublished(state, worker).into_iter().find(|(other, _told)| *other == offset);
        if let Some((offset, told)) = told {
            put_result(state, offset, told);
        }
    }

    fn learn(&self, state: &mut State, worker: usize, write: &Write, answer: Answer) {
        let decision = self.decision(state, worker);
        let one = &mut state.workers[worker];
        let Some(run) = &mut one.run else { return };
        match answer {
            Answer::Written => {
                one.holders = one.holders.and(write.winners.iter().map(|(user, _item)| *user).collect());
                let done = |entry: &Entry| write.head.has_applied(offset(entry));
                for decided in decision.decided.iter().filter(|decided| done(&decided.entry)) {
                    if let Verdict::New(outcome) = decided.verdict {
                        *run.outcome(offset(&decided.entry)) = Some(told(outcome));
                    }
                }
                run.head = Some(write.head.clone());
                self.advance(state, worker);
            }
            Answer::Held(users) if users.without(run.found).is_empty() => {
                state.marks.contradiction = true;
                self.end_run(state, worker, false);
            }
            Answer::Held(users) => {
                run.found = run.found.and(users);
                run.look_up = true;
                one.holders = one.holders.and(users);
                one.met_unknown_holder = true;
                self.advance(state, worker);
            }
            Answer::Stale => set_step(state, worker, Step::Load),
        }
    }

    /// Where the flow goes on once the head or the holders are known better.
    fn advance(&self, state: &mut State, worker: usize) {
        let decision = self.decision(state, worker);
        if self.defect == Some(Defect::ResultsBeforeCommit) {
            for decided in &decision.decided {
                if let Verdict::New(outcome) = decided.verdict {
                    put_result(state, offset(&decided.entry), told(outcome));
                }
            }
        }
        if !decision.chunks.is_empty() {
            return set_step(state, worker, Step::Commit);
        }
        let Some(run) = &state.workers[worker].run else { return };
        let head = run.head();
        let is_missing = |offset: u8| run.outcomes[usize::from(offset.saturating_sub(run.start))].is_none();
        let mut missing = self.entries(state, worker).iter().map(offset).filter(|offset| is_missing(*offset));
        if missing.any(|offset| self.core.needs_item(&head, offset)) {
            return set_step(state, worker, Step::ReadItems);
        }
        self.derive(state, worker, None);
    }

    /// What earlier invocations decided, from the head and the items read after it.
    fn derive(&self, state: &mut State, worker: usize, items: Option<&[Option<Item>]>) {
        let entries = self.entries(state, worker);
        let unseen = state.unseen.users;
        let Some(run) = &mut state.workers[worker].run else { return };
        let head = run.head();
        let (mut is_whole, mut waits) = (true, false);
        for entry in entries {
            let user = usize::from(self.core.user(&entry.user_id));
            let item = items.and_then(|items| items[user]);
            let place = offset(entry);
            if run.outcome(place).is_none() {
                if item.is_none() && self.has_to_wait(&head, unseen.has(self.core.user(&entry.user_id)), place) {
                    waits = true;
                    continue;
                }
                *run.outcome(place) = self.outcome(&head, item.as_ref(), place);
            }
            is_whole &= run.outcome(place).is_some();
        }
        if waits {
            return;
        }
        if is_whole {
            set_step(state, worker, Step::Finish);
        } else {
            state.marks.contradiction = true;
            self.end_run(state, worker, false);
        }
    }

    /// Whether a reader without an item takes a snapshot and has to wait for it. Who asked in an `OPEN` epoch and lost
    /// holds a coupon already, so the item of a ticket's owner is there, seen or not.
    pub(crate) fn has_to_wait(&self, head: &HeadState, is_unseen: bool, offset: u8) -> bool {
        self.bounds.visibility == Visibility::HeadFirstSnapshot && is_unseen && self.core.needs_item(head, offset)
    }

    /// The core's outcome, or a broken one.
    pub(crate) fn outcome(&self, head: &HeadState, item: Option<&Item>, offset: u8) -> Option<Told> {
        let told = self.core.outcome(head, item, offset)?;
        if self.defect != Some(Defect::ReasonFromItems) || !matches!(told, Told::Rejected(_)) {
            return Some(told);
        }
        Some(Told::Rejected(if item.is_some() { coupon::Reason::AlreadyIssued } else { coupon::Reason::SoldOut }))
    }

    /// The requests of a worker's batch.
    fn entries(&self, state: &State, worker: usize) -> &[Entry] {
        let entries = &self.logs[state.log].entries;
        let Some(run) = &state.workers[worker].run else { return &[] };
        let from = entries.partition_point(|entry| offset(entry) < run.start);
        let to = entries.partition_point(|entry| offset(entry) < run.end);
        &entries[from..to]
    }

    fn decision(&self, state: &State, worker: usize) -> Decision {
        let one = &state.workers[worker];
        let Some(run) = &one.run else { return Decision::default() };
        self.decide(run, self.entries(state, worker), one.holders.and(run.found))
    }

    fn decide(&self, run: &Run, entries: &[Entry], knows: Users) -> Decision {
        let mut head = run.head();
        if self.defect == Some(Defect::DecidedAgain) {
            let here = (run.start..).zip(&run.outcomes).filter(|(_offset, told)| told.is_some());
            head.applied = here.map(|(offset, _told)| offset).last().or_else(|| run.start.checked_sub(1));
        }
        self.core.decide(&head, entries, knows)
    }

    /// The next chunk as it is sent; `None` when everything is decided.
    fn next_write(&self, state: &State, worker: usize) -> Option<Write> {
        let one = &state.workers[worker];
        let run = one.run.as_ref()?;
        let entries = self.entries(state, worker);
        let decision = self.decide(run, entries, one.holders.and(run.found));
        let chunk = decision.chunks.first()?;
        let base = run.head();
        let mut head = Core::state(&chunk.head);
        let is_second = !run.found.is_empty();
        match self.defect {
            Some(Defect::HeadOfBatchEnd) => {
                let last = Core::state(&decision.chunks.last()?.head);
                head = HeadState { remaining: head.remaining, issued: head.issued, version: head.version, ..last };
            }
            Some(Defect::EpochForgotten) if is_second => head.epochs.clone_from(&base.epochs),
            Some(Defect::EpochKept) if is_second => {
                let first = self.decide(run, entries, one.holders.without(run.found));
                head.epochs.extend(Core::state(&first.chunks.last()?.head).epochs);
                head.epochs.sort_unstable();
                head.epochs.dedup();
            }
            Some(Defect::ClockForgotten) => head.clock = base.clock,
            _ => {}
        }
        let winners = chunk.winners.iter().map(|winner| self.core.winner(winner)).collect();
        let is_new = |decided: &&Decided| matches!(decided.verdict, Verdict::New(_));
        let new = decision.decided.iter().filter(is_new).map(|decided| offset(&decided.entry));
        let decides = new.filter(|offset| head.has_applied(*offset)).collect();
        Some(Write { base, head, winners, decides })
    }

    fn remember_early(&self, state: &mut State, worker: usize) {
        let chunks = self.decision(state, worker).chunks;
        let winners = chunks.iter().flat_map(|chunk| &chunk.winners).map(|winner| self.core.user(&winner.user_id));
        state.workers[worker].holders = state.workers[worker].holders.and(winners.collect());
    }

    fn tables_of<'s>(&self, state: &'s State, age: Option<usize>) -> &'s Tables {
        age.map_or(&state.tables, |age| &state.past[age])
    }
}

pub(crate) fn set_step(state: &mut State, worker: usize, step: Step) {
    if let Some(run) = &mut state.workers[worker].run {
        run.step = step;
    }
}

/// No worker repeats the commit under way any more.
fn abandon(state: &mut State, worker: usize) {
    if let Some(late) = state.late.as_mut().filter(|late| late.repeated_by == Some(worker)) {
        late.repeated_by = None;
    }
}

/// A commit was answered while an earlier attempt with its token is still under way: once written, the attempt writes
/// nothing any more; once refused, it is an attempt like any other.
fn settle_late(state: &mut State, worker: usize, answer: Answer) {
    let is_same = state.late.as_ref().is_some_and(|late| late.repeated_by == Some(worker));
    if is_same && answer == Answer::Written {
        state.late = None;
    }
    abandon(state, worker);
}

fn put_result(state: &mut State, offset: u8, told: Told) {
    let result = &mut state.results[usize::from(offset)];
    state.marks.changed_result |= result.is_some_and(|before| before != told);
    *result = Some(told);
}
