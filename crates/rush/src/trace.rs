//! What happened, as one number: every call, answer and fault of a rush goes into a hash, in its order. Two runs of a seed
//! that give the same hash did the same. A trace may also be shown, line by line, to read what a seed does.

use std::{
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
    // `DefaultHasher::new` has constant keys, unlike the random state of a hash map.
    state: Arc<Mutex<DefaultHasher>>,
}

impl Trace {
    pub(crate) fn new(timeline: Timeline, show: Option<Show>) -> Self {
        Self { timeline, show, state: Arc::new(Mutex::new(DefaultHasher::new())) }
    }

    /// Notes that `what` happened to `whom`, with a number that says which or how.
    pub(crate) fn note(&self, what: &str, whom: &str, number: i64) {
        let at = self.timeline.elapsed_ms();
        (at, what, whom, number).hash(&mut *self.state.lock().unwrap_or_else(PoisonError::into_inner));
        if let Some(show) = self.show {
            show(&format!("{at:>8} ms  {what:<22} {whom} {number}"));
        }
    }

    pub(crate) fn hash(&self) -> u64 {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).finish()
    }
}
