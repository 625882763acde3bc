//! Waits: until stocks are what they will be, for A's outbox works its events off long after the last answer, and how often
//! who waits for something looks.

use std::time::{Duration, Instant};

use super::one::Draft;
use super::session::Session;
use super::stock::Watch;

/// How often a stock that is watched is looked at, and the coupons behind the first are asked for, whose stock nobody watches.
const POLL: Duration = Duration::from_millis(20);
const OTHERS_POLL: Duration = Duration::from_millis(250);
/// How long a stock may stand still before it counts as what it will be: A's outbox is worked off every 10 s.
const STANDS_STILL_MAX: Duration = Duration::from_secs(13);
const SETTLED_MAX: Duration = Duration::from_secs(90);
const PAUSE_MIN: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_millis(500);

/// Before the next look at what has been waited for so long: a fiftieth of it, so that a queue of a minute is not slowed
/// by who watches it, and no figure is off by more.
pub(super) fn pause(waited: Duration) -> Duration {
    (waited / 50).clamp(PAUSE_MIN, PAUSE_MAX)
}

/// Waits until the stock of each is what its accepted people left, or stands still for longer than any outbox waits; it
/// is looked at no more then.
pub(super) async fn settled(session: &Session, drafts: &[Draft]) {
    for draft in drafts.iter().filter(|draft| !draft.watch.is_over()) {
        settled_at(&draft.watch, draft.left(0)).await;
        draft.watch.end();
        others_settled(session, draft).await;
    }
}

/// The same for the coupons behind the first, which are looked at only now: an outbox works off one after the other.
async fn others_settled(session: &Session, draft: &Draft) {
    let others = draft.coupons.iter().enumerate().skip(1);
    let mut behind: Vec<(&String, u64, Option<u64>)> =
        others.map(|(coupon, id)| (id, draft.left(coupon), None)).collect();
    let (start, mut moved) = (Instant::now(), Instant::now());
    while start.elapsed() < SETTLED_MAX && moved.elapsed() < STANDS_STILL_MAX {
        let mut still = Vec::new();
        for (id, left, seen) in behind {
            let looked = baseline::state::stock(&session.tables, session.system.stores_as(), id).await;
            let now = looked.ok().flatten().map(|stock| stock.remaining);
            if now != seen {
                moved = Instant::now();
            }
            if now != Some(left) {
                still.push((id, left, now));
            }
        }
        if still.is_empty() {
            return;
        }
        behind = still;
        tokio::time::sleep(OTHERS_POLL).await;
    }
}

/// The same for one that is watched.
pub(super) async fn settled_at(watch: &Watch, left: u64) {
    let (start, mut seen, mut moved) = (Instant::now(), watch.last(), Instant::now());
    while start.elapsed() < SETTLED_MAX && moved.elapsed() < STANDS_STILL_MAX {
        let now = watch.last();
        if now == Some(left) {
            return;
        }
        if now != seen {
            (seen, moved) = (now, Instant::now());
        }
        tokio::time::sleep(POLL).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_waited_long_looks_more_seldom() {
        let waited = [0, 1, 2, 10, 60].map(|seconds| pause(Duration::from_secs(seconds)).as_millis());
        assert_eq!(waited, [20, 20, 40, 200, 500]);
    }
}
