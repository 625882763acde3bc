//! What coupons cost in write units when people ask twice: each commit counted by DynamoDB's prices, cancelled ones too.
//! That the store charges these prices is measured beside it, in `local/tests/e2e/store/cost.rs`.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use std::time::Duration;

use coupon_store::{Deadline, StoreError, Tokens};
use issue_worker::Worker;
use kafka_event::KafkaRecord;
use simulation::{MemoryLog, MemoryStore, RuledStore, StoreCall, StoreRule, Verdict};

use crate::world::{Sent, World, event, topics};

/// Counts the write units of commits: two for each action of a transaction, one for a head alone.
#[derive(Clone, Default)]
struct Units(Arc<AtomicUsize>);

impl StoreRule for Units {
    async fn judge(&self, call: StoreCall<'_>) -> Verdict<StoreError> {
        if let StoreCall::Commit(chunk, _token) = call {
            let units = if chunk.winners.is_empty() { 1 } else { 2 * (chunk.winners.len() + 1) };
            self.0.fetch_add(units, Ordering::Relaxed);
        }
        Verdict::Pass
    }
}

/// People who all get a coupon.
const PEOPLE: usize = 20_000;
/// Records of a batch.
const BATCH: usize = 1_000;
/// Batches after which the environment is another one, which remembers nobody.
const LIFE: usize = 10;

/// Everybody asks once, and of every `of` people as many as `twice` ask again: half of them at once, half of them after
/// 3,000 others.
fn asked(world: &World, (twice, of): (usize, usize)) -> Vec<KafkaRecord> {
    let mut asked: Vec<(usize, usize)> = (0..PEOPLE).map(|person| (person, person)).collect();
    let again = (0..PEOPLE).filter(|person| person % of < twice);
    asked.extend(again.map(|person| (if person % 2 == 0 { person } else { person + 3_000 }, person)));
    asked.sort();
    let record =
        |(_, person): (usize, usize)| world.append(Sent::raw("rush", &World::value("rush", &format!("user-{person}"))));
    asked.into_iter().map(record).collect()
}

async fn units_a_coupon(doubled: (usize, usize)) -> f64 {
    let world = World::with_coupon("rush", 1_000_000).await;
    let log = MemoryLog::new();
    log.create_topic("results", 1);
    let store: RuledStore<MemoryStore, Units> = RuledStore { inner: world.memory(), rule: Units::default() };
    let environment = |seed: usize| {
        let tokens = Tokens::with_seed(u64::try_from(seed).unwrap());
        Worker::new(store.clone(), log.clone(), topics(), tokens)
    };
    let mut worker = environment(0);
    for (number, batch) in asked(&world, doubled).chunks(BATCH).enumerate() {
        if number > 0 && number % LIFE == 0 {
            worker = environment(number);
        }
        worker.handle(event(batch), Deadline::after(Duration::from_secs(60))).await.unwrap();
    }
    assert_eq!(world.items().len(), PEOPLE, "everybody has one");
    let units = u32::try_from(store.rule.0.load(Ordering::Relaxed)).unwrap();
    f64::from(units) / f64::from(u32::try_from(PEOPLE).unwrap())
}

#[tokio::test(start_paused = true)]
async fn people_who_ask_twice_cost_hardly_more_than_those_who_ask_once() {
    for doubled in [(0, 1), (1, 20), (1, 1)] {
        let units = units_a_coupon(doubled).await;
        println!("{} of {} ask twice: {units:.3} write units a coupon", doubled.0, doubled.1);
        let most = if doubled.0 == 0 { 2.1 } else { 2.1 * 1.1 };
        assert!((2.0..=most).contains(&units), "{doubled:?}: {units}");
    }
}
