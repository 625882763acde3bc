//! One transaction of the store: the head's condition first, then the items', all or nothing.

use crate::{
    Bounds, Defect, Visibility,
    world::{State, Unseen, Users, Write},
};

/// What came of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Written,
    Stale,
    Held(Users),
}

/// Executes a transaction.
pub(crate) fn execute(state: &mut State, write: &Write, bounds: &Bounds, defect: Option<Defect>) -> Answer {
    let won = winners_of(write);
    let count = u8::try_from(write.winners.len()).unwrap_or(u8::MAX);
    let stored = &state.tables.head;
    let is_unconditional = |one: Defect| [Some(one), Some(Defect::NoHeadCondition)].contains(&defect);
    let is_version = stored.version == write.base.version || is_unconditional(Defect::NoVersionCondition);
    let is_enough = stored.remaining >= count || is_unconditional(Defect::NoRemainingCondition);
    if !is_version || !is_enough {
        return Answer::Stale;
    }
    let held = state.tables.holders_among(won);
    if !held.is_empty() && defect != Some(Defect::NoItemCondition) {
        return Answer::Held(held);
    }
    mark(state, write);
    state.past.push(state.tables.clone());
    put_items(state, write);
    if bounds.visibility != Visibility::Whole && !won.is_empty() {
        state.unseen = Unseen { users: won, offsets: write.decides, writer: None };
    }
    let head = &mut state.tables.head;
    // The store counts; everything else is as the worker says.
    let (remaining, issued) = (head.remaining.saturating_sub(count), head.issued.saturating_add(count));
    *head = crate::HeadState { remaining, issued, ..write.head.clone() };
    Answer::Written
}

/// What a broken worker does in its first write of two: the items, on their condition, and no head.
pub(crate) fn put_items_alone(state: &mut State, write: &Write) {
    if state.tables.holders_among(winners_of(write)).is_empty() {
        state.past.push(state.tables.clone());
        put_items(state, write);
    }
}

fn winners_of(write: &Write) -> Users {
    write.winners.iter().map(|(user, _item)| *user).collect()
}

fn put_items(state: &mut State, write: &Write) {
    for (user, item) in &write.winners {
        state.tables.items[usize::from(*user)] = Some(*item);
    }
}

fn mark(state: &mut State, write: &Write) {
    let stored = &state.tables.head;
    state.decided = state.decided.and(write.decides);
    state.marks.wrote_stale |= *stored != write.base;
    state.marks.decided_again |= stored.applied >= write.head.applied
        || write.winners.iter().any(|(_user, item)| stored.has_applied(item.offset));
}
