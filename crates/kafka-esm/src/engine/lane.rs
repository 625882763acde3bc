//! One assigned partition: the records that wait, the tasks that are under way in their order, and which offset may be
//! committed. At most one task of a lane runs at a time, which is what keeps a partition's order.

use std::collections::VecDeque;
use std::time::Instant;

use crate::record::{Polled, Record};

/// A task's name.
pub(crate) type TaskId = u64;

/// A partition's state.
#[derive(Debug, Default)]
pub(crate) struct Lane {
    /// What the group has committed, or where it began.
    pub(crate) committed: i64,
    /// Polled and in no batch yet.
    pub(crate) pending: VecDeque<Record>,
    pub(crate) pending_bytes: usize,
    /// Tasks that hold records of this partition; only the first may run.
    pub(crate) tasks: VecDeque<TaskId>,
    pub(crate) offsets: Offsets,
    /// On its way to another member: nothing new begins.
    pub(crate) revoking: bool,
    /// Since when too much waits, while nothing is done about it.
    pub(crate) full_since: Option<Instant>,
    /// Whether the poller was told to fetch no more.
    pub(crate) paused: bool,
}

impl Lane {
    /// A partition just assigned, to be read from here.
    pub(crate) fn starting_at(committed: i64) -> Self {
        Self { committed, ..Self::default() }
    }

    /// What has been resolved beyond the commit.
    pub(crate) fn uncommitted(&self) -> Option<i64> {
        self.offsets.position().filter(|position| *position != self.committed)
    }

    /// Takes a polled record; `false` when it was here before, as after a resume it might be.
    pub(crate) fn take(&mut self, polled: Polled) -> bool {
        let (_, offset) = polled.place();
        if !self.offsets.open(offset, matches!(polled, Polled::Record(_))) {
            return false;
        }
        if let Polled::Record(record) = polled {
            self.pending_bytes += record.json.len();
            self.pending.push_back(record);
        }
        true
    }

    /// The next record for a batch.
    pub(crate) fn pop(&mut self) -> Option<Record> {
        let record = self.pending.pop_front()?;
        self.pending_bytes = self.pending_bytes.saturating_sub(record.json.len());
        Some(record)
    }

    /// Whether a new batch may begin here.
    pub(crate) fn is_free(&self) -> bool {
        self.tasks.is_empty() && !self.revoking
    }
}

/// Which offset of a partition may be committed: the lowest unresolved one, or the one after the last seen.
///
/// Polled 10, 11 (filtered out), 12. Nothing resolved: 10. 10 resolved: 12. 12 resolved as well: 13.
#[derive(Debug, Default)]
pub(crate) struct Offsets {
    /// Ascending; resolved ones are gone from the front and marked elsewhere.
    open: VecDeque<(i64, bool)>,
    /// The first polled offset, once there is one.
    first: Option<i64>,
    /// The offset after the last polled one, once there is one.
    next: Option<i64>,
}

impl Offsets {
    /// A polled offset, to be resolved unless it was filtered out. `false` for one that came before.
    fn open(&mut self, offset: i64, to_resolve: bool) -> bool {
        if self.next.is_some_and(|next| offset < next) {
            return false;
        }
        self.first = self.first.or(Some(offset));
        self.next = Some(offset.saturating_add(1));
        if to_resolve {
            self.open.push_back((offset, false));
        }
        true
    }

    /// Succeeded, delivered to a destination, or dropped.
    pub(crate) fn resolve(&mut self, offset: i64) {
        if let Ok(index) = self.open.binary_search_by_key(&offset, |(open, _)| *open)
            && let Some((_, resolved)) = self.open.get_mut(index)
        {
            *resolved = true;
        }
        while self.open.front().is_some_and(|(_, resolved)| *resolved) {
            self.open.pop_front();
        }
    }

    /// Resolved behind a record that is not, so that no commit can tell of them.
    pub(crate) fn resolved_behind(&self) -> impl Iterator<Item = i64> {
        self.open.iter().filter(|(_, resolved)| *resolved).map(|(offset, _)| *offset)
    }

    /// What to commit; nothing before something was resolved.
    pub(crate) fn position(&self) -> Option<i64> {
        let position = self.open.front().map(|(offset, _)| *offset).or(self.next);
        position.filter(|_| position > self.first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn opened(offsets: &[i64]) -> Offsets {
        let mut state = Offsets::default();
        for offset in offsets {
            assert!(state.open(*offset, true));
        }
        state
    }

    #[test]
    fn c19_the_position_waits_for_the_lowest_unresolved_offset() {
        let mut state = opened(&[10, 11, 12, 13, 14]);
        for resolved in [10, 11, 13, 14] {
            state.resolve(resolved);
        }
        assert_eq!(state.position(), Some(12));
        state.resolve(12);
        assert_eq!(state.position(), Some(15));
    }

    #[test]
    fn c46_a_filtered_out_record_moves_the_position_with_its_neighbours() {
        let mut state = opened(&[10]);
        assert!(state.open(11, false) && state.open(15, true));
        assert_eq!(state.position(), None, "nothing is resolved");
        state.resolve(10);
        assert_eq!(state.position(), Some(15));
        let mut filtered = Offsets::default();
        assert_eq!(filtered.position(), None);
        assert!(filtered.open(7, false));
        assert_eq!(filtered.position(), Some(8));
    }

    #[test]
    fn what_came_before_is_not_taken_again() {
        let mut state = opened(&[10, 12]);
        assert!(!state.open(12, true) && !state.open(11, true) && state.open(13, true));
    }

    proptest! {
        #[test]
        fn the_position_is_the_lowest_unresolved_in_any_order(count in 1_i64..40, order in any::<proptest::sample::Index>()) {
            let mut state = opened(&(0..count).collect::<Vec<_>>());
            let mut unresolved: std::collections::BTreeSet<i64> = (0..count).collect();
            let step = 7_i64;
            let mut next = i64::try_from(order.index(usize::try_from(count).unwrap())).unwrap();
            while let Some(chosen) = unresolved.range(next..).next().or(unresolved.first()).copied() {
                unresolved.remove(&chosen);
                state.resolve(chosen);
                let lowest = unresolved.first().copied().unwrap_or(count);
                prop_assert_eq!(state.position(), Some(lowest).filter(|lowest| *lowest > 0));
                next = (chosen + step) % count;
            }
        }
    }
}
