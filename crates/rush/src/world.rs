//! The world of one rush: tables, log, weather, and what people were told. Who acts in it stands in `people.rs`,
//! `mapping.rs` and `chaos.rs`; the environments of the two functions in `environments.rs`.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::Arc,
};

use audit::{Invariant, Names};
use coupon::{CouponId, Ticket, UserId};
use serde_json::Value;
use simulation::{MemoryLog, MemoryStore, RuledLog, RuledStore};

use crate::{
    defect::{Defect, Planted, PlantedLog, PlantedStore, Side, SideLog, SideStore},
    dice::Dice,
    environments::{ApiEnvironment, WorkerEnvironment},
    lag::LaggingStore,
    mapping::Mapping,
    plan::Plan,
    timeline::Timeline,
    trace::{Show, Trace},
    weather::{Sky, Weather},
};

/// The store as a function sees it.
pub(crate) type SeenStore = SideStore<RuledStore<PlantedStore, Weather>>;
/// The log as a function sees it.
pub(crate) type SeenLog = SideLog<RuledLog<PlantedLog, Weather>>;

/// Something that must not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// What it breaks.
    pub invariant: Invariant,
    /// How.
    pub what: String,
}

/// A ticket that somebody was given.
#[derive(Debug, Clone)]
pub(crate) struct Given {
    pub(crate) coupon_id: CouponId,
    pub(crate) user_id: UserId,
    pub(crate) ticket: Ticket,
}

/// An answer to the question what became of a ticket.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) given: Given,
    /// When it was asked for, ms from the start.
    pub(crate) asked_ms: i64,
    /// The answer's body.
    pub(crate) body: Value,
}

/// How somebody's request was answered: taken, or refused for what the API knows of the coupon.
#[derive(Debug, Clone)]
pub(crate) struct Click {
    pub(crate) user_id: UserId,
    pub(crate) coupon_id: CouponId,
    pub(crate) status: u16,
    pub(crate) body: Value,
    /// When it was sent, ms from the start.
    pub(crate) asked_ms: i64,
    pub(crate) answered_ms: i64,
}

/// What somebody saw in the list of their coupons, all pages.
#[derive(Debug, Clone)]
pub(crate) struct Listed {
    pub(crate) user_id: UserId,
    /// When it was asked for, ms from the start.
    pub(crate) asked_ms: i64,
    pub(crate) items: Vec<Value>,
}

/// How a coupon was shown.
#[derive(Debug, Clone)]
pub(crate) struct Shown {
    /// When it was asked for, ms from the start.
    pub(crate) asked_ms: i64,
    pub(crate) answered_ms: i64,
    /// How old a head it may have been told by, ms.
    pub(crate) age_max_ms: i64,
    pub(crate) body: Value,
}

/// The world.
pub(crate) struct World {
    pub(crate) plan: Plan,
    pub(crate) dice: Dice,
    pub(crate) trace: Trace,
    pub(crate) timeline: Timeline,
    pub(crate) names: Arc<Names>,
    pub(crate) tables: MemoryStore,
    pub(crate) topics: MemoryLog,
    pub(crate) weather: Weather,
    pub(crate) planted: Planted,
    pub(crate) store: SeenStore,
    pub(crate) log: SeenLog,
    pub(crate) apis: RefCell<Vec<Rc<ApiEnvironment>>>,
    pub(crate) workers: RefCell<Vec<Rc<WorkerEnvironment>>>,
    pub(crate) mapping: Mapping,
    /// Coupons that the API said were created.
    pub(crate) created: RefCell<Vec<String>>,
    pub(crate) given: RefCell<Vec<Given>>,
    pub(crate) told: RefCell<Vec<Told>>,
    pub(crate) clicks: RefCell<Vec<Click>>,
    pub(crate) listed: RefCell<Vec<Listed>>,
    pub(crate) shown: RefCell<Vec<Shown>>,
    pub(crate) violations: RefCell<Vec<Violation>>,
    /// Calls and invocations that nobody waits for any more.
    pub(crate) under_way: Cell<usize>,
    /// Whether an invocation did not finish and nobody repeats it: its batch was finished by another one.
    pub(crate) abandoned: Cell<bool>,
    /// Whether the log is drained, and what was struck before is waited for: whatever ends now is a zombie.
    pub(crate) awaits_zombies: Cell<bool>,
}

/// A log with the three topics and nothing in them.
fn empty_topics(names: &Names, partitions: usize) -> MemoryLog {
    let topics = MemoryLog::new();
    topics.create_topic(&names.requests, partitions);
    topics.create_topic(&names.results, 10);
    topics.create_topic(&names.dead_letters, 1);
    topics
}

impl World {
    pub(crate) fn new(seed: u64, defect: Option<Defect>, show: Option<Show>) -> Rc<Self> {
        let dice = Dice::new(seed);
        let plan = Plan::draw(&dice);
        let timeline = Timeline::start();
        let trace = Trace::new(timeline, show);
        let names = Arc::new(Names::default());
        let (tables, topics) = (MemoryStore::new(), empty_topics(&names, plan.partitions));
        let planted = Planted { defect, dice: dice.clone(), batch_ends: Arc::default() };
        let sky = Arc::new(Sky::default());
        let store = PlantedStore {
            inner: LaggingStore::new(tables.clone(), dice.clone(), timeline),
            planted: planted.clone(),
            log: topics.clone(),
            results: names.results.clone(),
            early: Arc::default(),
            trace: trace.clone(),
            applied: Arc::default(),
        };
        let log = PlantedLog {
            inner: topics.clone(),
            planted: planted.clone(),
            timeline,
            off_ms: Arc::default(),
            names: Arc::clone(&names),
            trace: trace.clone(),
            no_offset: plan.faults.log_no_offset,
            calm: Arc::clone(&sky.calm),
        };
        let weather = Weather {
            dice: dice.clone(),
            trace: trace.clone(),
            timeline,
            faults: plan.faults,
            store: store.clone(),
            log: log.clone(),
            sky,
        };
        let (seen, rule) = (RuledStore { inner: store, rule: weather.clone() }, weather.clone());
        let seen_log = RuledLog { inner: log, rule };
        Rc::new(Self {
            store: SideStore { inner: seen, planted: planted.clone(), side: Side::Api, cancelled: Arc::default() },
            log: SideLog {
                inner: seen_log,
                planted: planted.clone(),
                names: Arc::clone(&names),
                tables: tables.clone(),
            },
            mapping: Mapping::default(),
            apis: RefCell::default(),
            workers: RefCell::default(),
            created: RefCell::default(),
            given: RefCell::default(),
            told: RefCell::default(),
            clicks: RefCell::default(),
            listed: RefCell::default(),
            shown: RefCell::default(),
            violations: RefCell::default(),
            under_way: Cell::new(0),
            abandoned: Cell::new(false),
            awaits_zombies: Cell::new(false),
            plan,
            dice,
            trace,
            timeline,
            names,
            tables,
            topics,
            weather,
            planted,
        })
    }

    /// The store as a function on this side sees it.
    pub(crate) fn seen_by(&self, side: Side) -> SeenStore {
        SideStore { side, ..self.store.clone() }
    }

    pub(crate) fn is_calm(&self) -> bool {
        self.weather.is_calm()
    }

    pub(crate) fn violate(&self, invariant: Invariant, what: String) {
        self.violations.borrow_mut().push(Violation { invariant, what });
    }

    /// How many partitions the request topic has now.
    pub(crate) fn partitions(&self) -> Vec<i32> {
        let count = self.topics.partition_count(&self.names.requests);
        (0..i32::try_from(count).unwrap_or(0)).collect()
    }
}

#[cfg(test)]
mod tests {
    use record_log::Record;
    use record_log_contract::Topics;
    use simulation::RECORD_BYTES_MAX;

    use super::*;

    struct Memory(MemoryLog);

    impl Topics for Memory {
        async fn make_topic(&self, name: &str, partitions: i32) {
            self.0.create_topic(name, usize::try_from(partitions).unwrap());
        }

        async fn read_back(&self, topic: &str, partition: i32) -> Vec<(i64, Record)> {
            let records = self.0.read(topic, partition, 0).into_iter();
            records.map(|logged| (logged.offset, logged.record)).collect()
        }
    }

    /// A world in calm weather, where decorators do nothing but take time.
    fn calm() -> Rc<World> {
        let world = World::new(7, None, None);
        world.weather.sky.calm.store(true, std::sync::atomic::Ordering::Relaxed);
        world
    }

    #[tokio::test(start_paused = true)]
    async fn without_faults_the_store_as_a_function_sees_it_keeps_the_contract() {
        let abilities = coupon_store_contract::Abilities { replays_without_winners: true };
        coupon_store_contract::hold(&calm().store, abilities, "seen").await;
    }

    #[tokio::test(start_paused = true)]
    async fn without_faults_the_log_as_a_function_sees_it_keeps_the_contract() {
        let abilities = record_log_contract::Abilities {
            too_large_bytes: Some(RECORD_BYTES_MAX + 1),
            refuses_unknown_topics: true,
        };
        let world = calm();
        record_log_contract::hold(&world.log, &Memory(world.topics.clone()), abilities, "seen").await;
    }
}
