//! What must hold in every state: the invariants of the design's section 8 as far as they are the protocol's, each status
//! against its result, and the end of every run. The last ones only show that the checker reached what it is meant for.

use std::collections::BTreeSet;

use coupon::Reason;
use stateright::{Model, Property};

use crate::{
    Bounds, Defect, Protocol, Record, State, Step,
    bounds::{CLOSES_AT, OPENS_AT},
    world::{HeadState, Tables, Told},
};

type P = Property<Protocol>;

pub(crate) fn all(bounds: &Bounds) -> Vec<P> {
    let mut properties = vec![
        P::always("I1 no more are issued than there are", |p, s| s.tables.head.issued <= p.bounds.total),
        P::always("I2 nobody is issued two", one_each),
        P::always("I3 the winners are the first by offset, ranks without a hole", winners_are_the_first),
        P::always("I4 what the mapping has passed is decided", passed_is_decided),
        P::always("I5 an outcome never changes", outcomes_stay),
        P::always("I6 remaining and issued are the total", |p, s| {
            s.tables.head.remaining.saturating_add(s.tables.head.issued) == p.bounds.total
        }),
        P::always("I7 nothing is decided twice", |_p, s| !s.marks.decided_again),
        P::always("I8 the tables are what the log comes to", tables_are_the_replay),
        P::always("I9 none is issued outside the window", inside_the_window),
        P::always("I10 nothing is written from an old head", |_p, s| !s.marks.wrote_stale),
        P::always("I11 what the mapping has passed has its result", passed_has_its_result),
        P::always("I11 a result is the right one and stays", results_are_right),
        P::always("I11 only what was decided has a result", |_p, s| {
            (0..).zip(&s.results).all(|(offset, result)| result.is_none() || s.decided.has(offset))
        }),
        P::always("I12 what is no request is a dead letter once passed", dead_letters),
        P::always("a status is pending or right, however old its head", statuses_are_right),
        P::always("a result is its ticket's status", results_are_statuses),
        P::always("a cached SOLD_OUT stays true", |_p, s| {
            s.tables.head.remaining == 0 || s.past.iter().all(|past| past.head.remaining > 0)
        }),
        P::always("the store never contradicts itself", |_p, s| !s.marks.contradiction),
        P::always("nothing stops before the log is drained", nothing_stops),
    ];
    properties.extend(reached(bounds));
    properties
}

impl Protocol {
    /// What a reader is told who read the head at one time and the item at another.
    fn status(&self, state: &State, head: &HeadState, items: &Tables, offset: u8) -> Option<Told> {
        let Record::Request { user, .. } = self.logs[state.log].records[usize::from(offset)] else { return None };
        let is_unseen = state.unseen.users.has(user);
        let item = items.items[usize::from(user)].filter(|_item| !is_unseen);
        if item.is_none() && self.has_to_wait(head, is_unseen, offset) {
            return None;
        }
        self.outcome(head, item.as_ref(), offset)
    }

    fn status_now(&self, state: &State, offset: u8) -> Option<Told> {
        self.status(state, &state.tables.head, &state.tables, offset)
    }

    /// The statuses of a ticket by every head that a cache may hold. A broken reader reads the item before the head.
    fn statuses<'a>(&'a self, state: &'a State, offset: u8) -> impl Iterator<Item = Option<Told>> + 'a {
        let is_item_first = self.defect == Some(Defect::ItemBeforeHead);
        let (now, past) = (&state.tables, state.past.iter());
        let by = move |old: &Tables| {
            if is_item_first {
                self.status(state, &now.head, old, offset)
            } else {
                self.status(state, &old.head, now, offset)
            }
        };
        past.map(by).chain([self.status_now(state, offset)])
    }

    /// The requests' offsets with what each has to be told.
    fn requests<'a>(&'a self, state: &State) -> impl Iterator<Item = (u8, Told)> + 'a {
        (0..).zip(&self.logs[state.log].truth.told).filter_map(|(offset, told)| told.map(|told| (offset, told)))
    }
}

fn one_each(_p: &Protocol, state: &State) -> bool {
    state.tables.items.iter().flatten().count() == usize::from(state.tables.head.issued)
}

fn winners_are_the_first(p: &Protocol, state: &State) -> bool {
    let items = &p.logs[state.log].truth.items;
    let ranks: BTreeSet<u8> = state.tables.items.iter().flatten().map(|item| item.rank).collect();
    let right =
        (0_u8..).zip(&state.tables.items).all(|(user, item)| item.is_none() || items.get(&user) == item.as_ref());
    right && ranks.into_iter().eq(1..=state.tables.head.issued)
}

fn passed_is_decided(p: &Protocol, state: &State) -> bool {
    p.requests(state)
        .take_while(|(offset, _)| *offset < state.position)
        .all(|(offset, _)| p.status_now(state, offset).is_some())
}

/// Whoever asks with an old head and is answered is answered as whoever asks now.
fn outcomes_stay(p: &Protocol, state: &State) -> bool {
    p.requests(state).all(|(offset, _)| {
        let now = p.status_now(state, offset);
        p.statuses(state, offset).all(|told| told.is_none() || told == now)
    })
}

fn tables_are_the_replay(p: &Protocol, state: &State) -> bool {
    let truth = &p.logs[state.log].truth;
    let Tables { head, items } = &state.tables;
    let held = (0_u8..).zip(items).filter(|(_user, item)| item.is_some()).map(|(user, _item)| user).collect();
    truth.heads.get(&head.applied).is_some_and(|right| HeadState { version: 0, ..head.clone() } == *right)
        && truth.holders(head.applied) == held
}

fn inside_the_window(p: &Protocol, state: &State) -> bool {
    let clock_at = |offset: u8| {
        let upto = p.logs[state.log].records.iter().take(usize::from(offset).saturating_add(1));
        upto.filter_map(|record| match record {
            Record::Request { at, .. } => Some(*at),
            Record::Dead => None,
        })
        .max()
    };
    let mut items = state.tables.items.iter().flatten();
    !p.bounds.window
        || items.all(|item| (OPENS_AT..CLOSES_AT).contains(&item.at) && clock_at(item.offset) == Some(item.at))
}

fn passed_has_its_result(p: &Protocol, state: &State) -> bool {
    let mut passed = p.requests(state).take_while(|(offset, _)| *offset < state.position);
    passed.all(|(offset, _)| state.results[usize::from(offset)].is_some())
}

fn results_are_right(p: &Protocol, state: &State) -> bool {
    let truth = &p.logs[state.log].truth;
    let right = |(result, told): (&Option<Told>, &Option<Told>)| result.is_none() || result == told;
    !state.marks.changed_result && state.results.iter().zip(&truth.told).all(right)
}

fn dead_letters(p: &Protocol, state: &State) -> bool {
    let records = (0..).zip(&p.logs[state.log].records);
    records.filter(|(_, record)| **record == Record::Dead).all(|(offset, _)| {
        let is_told = state.results[usize::from(offset)].is_some();
        !is_told && (offset >= state.position || state.dead_letters.has(offset))
    })
}

fn statuses_are_right(p: &Protocol, state: &State) -> bool {
    p.requests(state).all(|(offset, right)| p.statuses(state, offset).all(|told| told.is_none_or(|told| told == right)))
}

fn results_are_statuses(p: &Protocol, state: &State) -> bool {
    let told = (0..).zip(&state.results).filter(|(_offset, result)| result.is_some());
    told.map(|(offset, result)| (p.status_now(state, offset), *result)).all(|(status, result)| status == result)
}

fn nothing_stops(p: &Protocol, state: &State) -> bool {
    if state.position == p.bounds.records {
        return true;
    }
    let mut actions = Vec::new();
    p.actions(state, &mut actions);
    !actions.is_empty()
}

/// That the bounds are not too small to meet what the protocol is made for.
fn reached(bounds: &Bounds) -> Vec<P> {
    let repeats = bounds.total > 1;
    let is_cut = bounds.winners_max < usize::from(bounds.total);
    let faulty = bounds.faults > 0;
    let all = [
        (true, P::sometimes("reached: the log is drained", |p, s| s.position == p.bounds.records)),
        (bounds.records > bounds.total, P::sometimes("reached: SOLD_OUT", |_p, s| is_told(s, Reason::SoldOut))),
        (repeats, P::sometimes("reached: ALREADY_ISSUED", |_p, s| is_told(s, Reason::AlreadyIssued))),
        (repeats, P::sometimes("reached: a holder is found late", |_p, s| runs(s).any(|run| !run.found.is_empty()))),
        (
            is_cut,
            P::sometimes("reached: a chunk is committed before its batch's last", |_p, s| {
                runs(s).any(|run| run.step == Step::Commit && run.outcomes.iter().any(Option::is_some))
            }),
        ),
        (
            is_cut,
            P::sometimes("reached: a chunk's result is out before the next chunk is committed", |_p, s| {
                runs(s).any(|run| run.step == Step::Commit && has_published(s, run))
            }),
        ),
        (
            is_cut && faulty,
            P::sometimes("reached: a chunk's result is out while the next chunk's commit is unknown", |_p, s| {
                runs(s).any(|run| matches!(run.step, Step::Unknown { .. }) && has_published(s, run))
            }),
        ),
        (
            faulty,
            P::sometimes("reached: a redelivered record is derived from its item", |_p, s| {
                runs(s).any(|run| run.step == Step::ReadItems)
            }),
        ),
        (
            faulty,
            P::sometimes("reached: two workers are about to commit", |_p, s| {
                runs(s).filter(|run| run.step == Step::Commit).count() == 2
            }),
        ),
        (
            faulty,
            P::sometimes("reached: a stale commit is refused", |_p, s| {
                runs(s).any(|run| run.step == Step::Load && run.head.is_some())
            }),
        ),
        (
            faulty,
            P::sometimes("reached: a late commit is written while it is repeated", |_p, s| {
                s.late.is_none() && runs(s).any(|run| run.step == Step::Unknown { written: true })
            }),
        ),
        (bounds.window, P::sometimes("reached: NOT_OPEN", |_p, s| is_told(s, Reason::NotOpen))),
        (bounds.window, P::sometimes("reached: CLOSED", |_p, s| is_told(s, Reason::Closed))),
        (bounds.dead, P::sometimes("reached: a dead letter", |_p, s| !s.dead_letters.is_empty())),
    ];
    all.into_iter().filter_map(|(is_due, property)| is_due.then_some(property)).collect()
}

fn runs(state: &State) -> impl Iterator<Item = &crate::world::Run> {
    state.workers.iter().filter_map(|worker| worker.run.as_ref())
}

/// Whether a result of what this invocation has told is in the topic.
fn has_published(state: &State, run: &crate::world::Run) -> bool {
    let told = (run.start..).zip(&run.outcomes).filter(|(_offset, told)| told.is_some());
    told.into_iter().any(|(offset, told)| state.results[usize::from(offset)] == *told)
}

fn is_told(state: &State, reason: Reason) -> bool {
    state.results.contains(&Some(Told::Rejected(reason)))
}
