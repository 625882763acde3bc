//! What happened, as one number: every call, answer and fault of a rush goes into a hash, in its order. Two runs of a seed
//! that give the same hash did the same. A trace may also be shown, line by line, to read what a seed does.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, Mutex, PoisonError},
};

use crate::timeline::Timeline;

/// Where a line of a shown trace goes.
pub type Show = fn(&str);

/// The trace of one rush. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Trace {
    timeline: Timeline,
    show: Option<Show>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    // Its `new` has constant keys, unlike the random state of a hash map.
    hasher: DefaultHasher,
    counts: BTreeMap<&'static str, u64>,
}

impl Trace {
    pub(crate) fn new(timeline: Timeline, show: Option<Show>) -> Self {
        Self { timeline, show, state: Arc::default() }
    }

    /// Notes that `what` happened to `whom`, with a number that says which or how.
    pub(crate) fn note(&self, what: &'static str, whom: &str, number: i64) {
        let at = self.timeline.elapsed_ms();
        self.with(|state| {
            (at, what, whom, number).hash(&mut state.hasher);
            let count = state.counts.entry(what).or_default();
            *count = count.saturating_add(1);
        });
        if let Some(show) = self.show {
            show(&format!("{at:>8} ms  {what:<22} {whom} {number}"));
        }
    }

    /// Counts what is seen in the trace by what comes of it; the trace itself stays as it is.
    pub(crate) fn count(&self, what: &'static str) {
        self.with(|state| {
            let count = state.counts.entry(what).or_default();
            *count = count.saturating_add(1);
        });
    }

    pub(crate) fn hash(&self) -> u64 {
        self.with(|state| state.hasher.finish())
    }

    /// How often each thing happened.
    pub(crate) fn counts(&self) -> BTreeMap<&'static str, u64> {
        self.with(|state| state.counts.clone())
    }

    fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
