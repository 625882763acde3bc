//! A batch of many coupons: they are settled side by side, but no more of them at once than the worker says.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use coupon_store::{Deadline, StoreError, Tokens};
use issue_worker::{COUPONS_IN_FLIGHT_MAX, Worker};
use simulation::{MemoryLog, RuledStore, StoreCall, StoreRule, Verdict};

use crate::world::{World, event, topics};

/// More than twice the bound, so that every place is taken again.
const COUPONS: usize = 40;

/// Counts the calls that are under way, each of which takes its time, and how many there were at most.
#[derive(Clone, Default)]
struct UnderWay(Arc<(AtomicUsize, AtomicUsize)>);

impl StoreRule for UnderWay {
    async fn judge(&self, _call: StoreCall<'_>) -> Verdict<StoreError> {
        let (now, most) = &*self.0;
        most.fetch_max(now.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(10)).await;
        Verdict::Pass
    }

    async fn done(&self, _call: StoreCall<'_>) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[tokio::test(start_paused = true)]
async fn as_many_coupons_are_settled_at_once_as_the_bound_says_and_no_more() {
    let world = World::with_coupon("coupon-0", 1).await;
    let mut batch = world.requests("coupon-0", &["ann"]);
    for number in 1..COUPONS {
        let coupon = format!("coupon-{number}");
        world.create_coupon(&coupon, 1, "requests", 3).await;
        batch.extend(world.requests(&coupon, &["ann"]));
    }
    let log = MemoryLog::new();
    log.create_topic("results", 1);
    let store = RuledStore { inner: world.memory(), rule: UnderWay::default() };
    let worker = Worker::new(store.clone(), log, topics(), Tokens::with_seed(1));
    worker.handle(event(&batch), Deadline::after(Duration::from_secs(60))).await.unwrap();
    assert_eq!(world.items().len(), COUPONS);
    assert_eq!(store.rule.0.1.load(Ordering::Relaxed), COUPONS_IN_FLIGHT_MAX);
}
