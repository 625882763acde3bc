//! What is right, by a replay of the whole log with a set and a counter. A second implementation on purpose: it calls
//! nothing of the core that decides.

use std::collections::BTreeMap;

use coupon::{Phase, Reason};

use crate::{
    Bounds, Record,
    bounds::{CLOSES_AT, OPENS_AT},
    world::{HeadState, Item, Told, Users},
};

/// A log with everything that it comes to.
#[derive(Debug)]
pub(crate) struct Truth {
    /// What each request is to be told, by offset; `None` for what is no request.
    pub(crate) told: Vec<Option<Told>>,
    /// The winners' items, by person.
    pub(crate) items: BTreeMap<u8, Item>,
    /// The head after each decided offset, its version left at 0; the key `None` is the head before the first.
    pub(crate) heads: BTreeMap<Option<u8>, HeadState>,
}

impl Truth {
    pub(crate) fn of(bounds: &Bounds, log: &[Record]) -> Self {
        let mut head = HeadState { remaining: bounds.total, ..HeadState::default() };
        let mut truth =
            Self { told: Vec::new(), items: BTreeMap::new(), heads: BTreeMap::from([(None, head.clone())]) };
        let mut phase_before = Phase::Open;
        for (offset, record) in (0..).zip(log) {
            let Record::Request { user, at } = *record else {
                truth.told.push(None);
                continue;
            };
            head.clock = head.clock.max(at);
            let is_holder = truth.items.contains_key(&user);
            let (told, phase) = if bounds.window && head.clock < OPENS_AT {
                (Told::Rejected(Reason::NotOpen), Phase::NotOpen)
            } else if bounds.window && head.clock >= CLOSES_AT {
                (Told::Rejected(Reason::Closed), Phase::Closed)
            } else if head.issued == bounds.total {
                (Told::Rejected(Reason::SoldOut), Phase::SoldOut)
            } else if is_holder {
                (Told::Rejected(Reason::AlreadyIssued), Phase::Open)
            } else {
                head.issued += 1;
                head.remaining -= 1;
                truth.items.insert(user, Item { offset, rank: head.issued, at: head.clock });
                (Told::Issued { rank: head.issued, at: head.clock }, Phase::Open)
            };
            if phase != phase_before {
                head.epochs.push((offset, phase));
                phase_before = phase;
            }
            head.applied = Some(offset);
            truth.told.push(Some(told));
            truth.heads.insert(head.applied, head.clone());
        }
        truth
    }

    /// Who holds a coupon when everything up to `applied` is decided.
    pub(crate) fn holders(&self, applied: Option<u8>) -> Users {
        let decided = self.items.iter().filter(|(_user, item)| applied.is_some_and(|applied| item.offset <= applied));
        decided.map(|(user, _item)| *user).collect()
    }
}
