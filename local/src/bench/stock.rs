//! Watches one coupon's stock in the store, past the system and any proxy: every 20 ms, whichever the system, until it is
//! what it will be; more seldom where the next run has begun, which would pay for it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::Client;
use baseline::System;
use bench_report::Seen;
use tokio::task::AbortHandle;

/// How often it is looked at.
const EVERY: Duration = Duration::from_millis(20);
/// How often behind a run that the next one follows at once. A's stock is right some seconds later.
const EVERY_BEHIND: Duration = Duration::from_millis(250);

/// What the stock was, look by look.
type Looks = Mutex<Vec<(Instant, u64)>>;

/// What the stock will be, once that is known, and how often it is looked at from then on.
struct Until {
    remaining: u64,
    every: Duration,
}

/// A watch; it ends when it is dropped.
pub(super) struct Watch {
    seen: Arc<Looks>,
    until: Arc<OnceLock<Until>>,
    task: Option<AbortHandle>,
    over: AtomicBool,
}

impl Watch {
    /// What somebody else has seen.
    #[cfg(test)]
    pub(super) fn of(seen: Vec<(Instant, u64)>) -> Self {
        Self { seen: Arc::new(Mutex::new(seen)), until: Arc::default(), task: None, over: AtomicBool::new(true) }
    }

    pub(super) fn start(tables: Client, system: System, coupon: String) -> Self {
        let (seen, until) = (Arc::<Looks>::default(), Arc::<OnceLock<Until>>::default());
        let (looks, ends) = (Arc::clone(&seen), Arc::clone(&until));
        let task = tokio::spawn(async move {
            loop {
                // A look that fails is a look less; that there are none at all shows as no figure.
                if let Ok(Some(stock)) = baseline::state::stock(&tables, system, &coupon).await {
                    looks.lock().unwrap_or_else(PoisonError::into_inner).push((Instant::now(), stock.remaining));
                    if ends.get().is_some_and(|until| until.remaining == stock.remaining) {
                        break;
                    }
                }
                tokio::time::sleep(ends.get().map_or(EVERY, |until| until.every)).await;
            }
        });
        Self { seen, until, task: Some(task.abort_handle()), over: AtomicBool::new(false) }
    }

    /// Says what the stock will be: whoever has seen that looks no more. Where nobody waits for it, it is looked for seldom.
    pub(super) fn until(&self, remaining: u64, is_waited_for: bool) {
        let every = if is_waited_for { EVERY } else { EVERY_BEHIND };
        self.until.get_or_init(|| Until { remaining, every });
    }

    /// Looks no more; what was seen stays.
    pub(super) fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(task) = &self.task {
            task.abort();
        }
    }

    /// Whether it looks no more.
    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// What was seen since a moment, in ms from it; what was before counts as its start.
    pub(super) fn seen_since(&self, start: Instant) -> Vec<Seen> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let at = |moment: Instant| moment.saturating_duration_since(start).as_secs_f64() * 1000.0;
        seen.iter().map(|(moment, remaining)| Seen { at_ms: at(*moment), remaining: *remaining }).collect()
    }

    /// What the stock was at the last look.
    pub(super) fn last(&self) -> Option<u64> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).last().map(|(_, remaining)| *remaining)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.end();
    }
}
