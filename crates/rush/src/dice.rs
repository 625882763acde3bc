//! The one source of chance of a rush: a generator that its seed starts. Who draws when is a matter of the schedule, and
//! the schedule of the seed; so a seed is a whole rush.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// The generator. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Dice(Arc<Mutex<fastrand::Rng>>);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(fastrand::Rng::with_seed(seed))))
    }

    fn with<T>(&self, draw: impl FnOnce(&mut fastrand::Rng) -> T) -> T {
        draw(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A number from 0 to `count` − 1; 0 where there is none.
    pub(crate) fn below(&self, count: u64) -> u64 {
        if count == 0 { 0 } else { self.with(|rng| rng.u64(..count)) }
    }

    /// A number from `least` to `most`.
    pub(crate) fn between(&self, least: u64, most: u64) -> u64 {
        least.saturating_add(self.below(most.saturating_sub(least).saturating_add(1)))
    }

    /// As [`Dice::between`], for what may be negative: from −`most` to `most`.
    pub(crate) fn around(&self, most: i64) -> i64 {
        self.with(|rng| rng.i64(most.saturating_neg()..=most))
    }

    /// Whether something happens that does so `per_mille` times in a thousand.
    pub(crate) fn chance(&self, per_mille: u64) -> bool {
        per_mille > 0 && self.below(1000) < per_mille
    }

    /// One of these; none of none.
    pub(crate) fn pick<'a, T>(&self, among: &'a [T]) -> Option<&'a T> {
        let count = u64::try_from(among.len()).unwrap_or(0);
        usize::try_from(self.below(count)).ok().and_then(|place| among.get(place))
    }

    /// A place in a list of so many.
    pub(crate) fn place(&self, count: usize) -> usize {
        usize::try_from(self.below(u64::try_from(count).unwrap_or(0))).unwrap_or(0)
    }

    /// A time from 0 to so many milliseconds.
    pub(crate) fn millis(&self, most: u64) -> Duration {
        Duration::from_millis(self.between(0, most))
    }
}
