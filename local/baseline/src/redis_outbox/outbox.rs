//! The outbox processor of system A, as the seeds describe it: every ten seconds the pending events, every minute the
//! failed ones, at most three times. An event done takes one from the stock in the store.
//!
//! The events of one coupon go together, as many as a transaction holds: the stock is one item, and one write for each
//! coupon would take a rush minutes.

use std::collections::BTreeMap;
use std::time::Duration;

use coupon::CouponId;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::store::{Event, EventState, Store};

/// 100 actions of a transaction, of which the stock is one
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html>).
const EVENTS_MAX: usize = 99;
/// How often a failed event is tried again; after that somebody has to look at it.
const RETRIES_MAX: u32 = 3;

/// How often the processor looks. The seeds' are the default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutboxPeriods {
    /// For pending events: 10 s.
    pub pending: Duration,
    /// For failed events: a minute.
    pub failed: Duration,
}

impl Default for OutboxPeriods {
    fn default() -> Self {
        Self { pending: Duration::from_secs(10), failed: Duration::from_secs(60) }
    }
}

/// Works the outbox off until `stopped` says true; a pass that runs is finished.
pub(crate) async fn process(store: Store, periods: OutboxPeriods, mut stopped: watch::Receiver<bool>) {
    let every = |period: Duration| {
        let mut ticks = interval_at(Instant::now() + period, period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks
    };
    let (mut pending, mut failed) = (every(periods.pending), every(periods.failed));
    loop {
        let is_retry = tokio::select! {
            _ = pending.tick() => false,
            _ = failed.tick() => true,
            _ = stopped.wait_for(|stopped| *stopped) => return,
        };
        if let Err(error) = pass(&store, is_retry).await {
            tracing::warn!("outbox: {error:#}; tried again with the next pass");
        }
    }
}

/// One pass over what is due.
async fn pass(store: &Store, is_retry: bool) -> anyhow::Result<()> {
    let mut by_coupon: BTreeMap<CouponId, Vec<Event>> = BTreeMap::new();
    for event in store.events().await?.into_iter().filter(|event| is_due(event.state, is_retry)) {
        by_coupon.entry(event.coupon.clone()).or_default().push(event);
    }
    for (coupon, events) in &by_coupon {
        for chunk in events.chunks(EVENTS_MAX) {
            settle(store, coupon, chunk).await?;
        }
    }
    Ok(())
}

fn is_due(state: EventState, is_retry: bool) -> bool {
    match state {
        EventState::Pending => !is_retry,
        EventState::Failed { retries } => is_retry && retries < RETRIES_MAX,
    }
}

/// All of them at once; where the stock does not reach for that, one by one as far as it does.
async fn settle(store: &Store, coupon: &CouponId, events: &[Event]) -> anyhow::Result<()> {
    if store.settle(coupon, events).await? {
        return Ok(());
    }
    for event in events {
        if !store.settle(coupon, std::slice::from_ref(event)).await? {
            let retries = match event.state {
                EventState::Pending => 0,
                EventState::Failed { retries } => retries.saturating_add(1),
            };
            tracing::error!(%coupon, event = event.id, retries, "no stock for a coupon that is issued");
            store.mark_failed(event, retries).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_periods_are_the_seeds() {
        let seeds = OutboxPeriods { pending: Duration::from_secs(10), failed: Duration::from_secs(60) };
        assert_eq!(OutboxPeriods::default(), seeds);
    }

    #[test]
    fn a_failed_event_is_tried_again_three_times_at_most_and_by_its_own_pass() {
        let retries = |retries| EventState::Failed { retries };
        let tried = [0, 1, 2, 3, 4].map(|already| is_due(retries(already), true));
        assert_eq!(tried, [true, true, true, false, false]);
        assert!(!is_due(retries(0), false), "that pass is for pending ones");
        assert_eq!([false, true].map(|is_retry| is_due(EventState::Pending, is_retry)), [true, false]);
    }
}
