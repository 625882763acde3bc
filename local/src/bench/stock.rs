//! Watches one coupon's stock in the store, past the system and any proxy: every 20 ms while it moves, and more slowly
//! afterwards, until it is what it will be.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::Client;
use baseline::System;
use bench_report::Seen;
use tokio::task::AbortHandle;

/// How often while it is expected to move.
const EVERY: Duration = Duration::from_millis(20);
/// How often when it has not moved for a while.
const EVERY_IDLE: Duration = Duration::from_millis(50);
/// How long it has not moved then.
const IDLE: Duration = Duration::from_secs(3);

/// A watch; it ends when it is dropped.
pub(super) struct Watch {
    seen: Arc<Mutex<Vec<(Instant, u64)>>>,
    task: Option<AbortHandle>,
    over: AtomicBool,
}

impl Watch {
    /// What somebody else has seen.
    #[cfg(test)]
    pub(super) fn of(seen: Vec<(Instant, u64)>) -> Self {
        Self { seen: Arc::new(Mutex::new(seen)), task: None, over: AtomicBool::new(true) }
    }

    pub(super) fn start(tables: Client, system: System, coupon: String) -> Self {
        let seen: Arc<Mutex<Vec<(Instant, u64)>>> = Arc::default();
        let shared = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            let (mut last, mut moved) = (None, Instant::now());
            loop {
                // A look that fails is a look less; that there are none at all shows as no figure.
                if let Ok(Some(stock)) = baseline::state::stock(&tables, system, &coupon).await {
                    let now = Instant::now();
                    if last != Some(stock.remaining) {
                        (last, moved) = (Some(stock.remaining), now);
                    }
                    shared.lock().unwrap_or_else(PoisonError::into_inner).push((now, stock.remaining));
                }
                tokio::time::sleep(if moved.elapsed() > IDLE { EVERY_IDLE } else { EVERY }).await;
            }
        });
        Self { seen, task: Some(task.abort_handle()), over: AtomicBool::new(false) }
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
