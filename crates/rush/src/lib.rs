//! Simulated rushes: the libraries of both functions, as they are deployed, over the two ports in memory, under one seed
//! that settles everything: people, clicks, schedule, faults. Virtual time; no thread, no socket, no clock. At the end the
//! faults stop, the log is drained, and the audit and every answer ever given are held against the log.
//!
//! For tests and tools only. Start with [`run`]; what a seed asks for is `plan.rs`, what goes wrong `weather.rs`,
//! `hazard.rs`, `mapping.rs` and `chaos.rs`, what must hold `verdict.rs` and
//! `answers.rs`. Planted defects are in `defect.rs`.

mod answers;
mod chaos;
mod defect;
mod dice;
mod environments;
mod hazard;
mod lag;
mod mapping;
mod onlooker;
mod people;
mod plan;
mod timeline;
mod trace;
mod verdict;
mod weather;
mod world;

use std::{collections::BTreeMap, rc::Rc, sync::atomic::Ordering, time::Duration};

use audit::Invariant;
use coupon_store::Deadline;

pub use defect::Defect;
pub use trace::Show;
pub use world::Violation;

use onlooker::Onlooker;
use weather::pause;
use world::World;

/// How long the log may take to be drained once the faults have stopped. Virtual, and generous: what is not drained then
/// never will be.
const DRAIN: Duration = Duration::from_secs(1_800);

/// What a rush came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rush {
    /// Everything that must not be; nothing in a right world.
    pub violations: Vec<Violation>,
    /// How many requests were decided.
    pub decided: u64,
    /// One number for all that happened, in its order: equal when two runs did the same.
    pub trace_hash: u64,
    /// How often each thing happened: faults, commits by their outcome, answers, results, dead letters.
    pub happened: BTreeMap<&'static str, u64>,
}

/// Runs the rush of a seed, with a planted defect if one is given; `show` gets what happens, line by line.
///
/// # Errors
/// The runtime cannot be made; it is none that the rush has to do with.
pub fn run(seed: u64, defect: Option<Defect>, show: Option<Show>) -> std::io::Result<Rush> {
    // The API's jitter comes from a generator that forks this thread's.
    fastrand::seed(seed);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    let local = tokio::task::LocalSet::new();
    Ok(local.block_on(&runtime, async {
        let world = World::new(seed, defect, show);
        let onlooker = world.onlooker(seed);
        // Once more: the onlooker takes nothing from those who rush.
        fastrand::seed(seed);
        rush(&world, onlooker).await
    }))
}

async fn rush(world: &Rc<World>, onlooker: Onlooker) -> Rush {
    let looks = tokio::task::spawn_local(Rc::clone(world).look_on(onlooker));
    world.rebalance();
    world.unleash();
    if world.plan.has_older {
        world.put_older();
    }
    let coupons =
        world.plan.coupons.iter().cloned().map(|plan| tokio::task::spawn_local(Rc::clone(world).create(plan)));
    let people = (0..world.plan.people).map(|number| tokio::task::spawn_local(Rc::clone(world).person(number)));
    let intruders = (0..world.plan.intruders).map(|_number| tokio::task::spawn_local(Rc::clone(world).intrude()));
    let everybody: Vec<_> = coupons.chain(people).chain(intruders).collect();
    for one in everybody {
        drop(one.await);
    }
    pause(&world.dice, world.plan.rush_ms).await;
    drain(world).await;
    let (published, early) = (world.published(), world.early_requests());
    if !early.is_empty() {
        world.count_early(&early);
    }
    // A request from before its coupon may be decided by an invocation whose batch another one has finished as a dead
    // letter. Where it dies behind the commit, nobody publishes that result before the last redelivery does:
    // docs/correctness.md, "not promised".
    if !early.is_empty() && !world.abandoned.get() {
        world.audit(&world.as_audited());
    }
    redeliver_everything(world, !early.is_empty()).await;
    world.ask_for_every_ticket().await;
    let left = world.left();
    // Behind the rush itself, which is the same whether or not anybody looks.
    let trace_hash = world.trace.hash();
    drop(looks.await);
    world.look_at_the_end().await;
    if !early.is_empty() {
        world.count_told_early(&early);
    }
    let (violations, decided) = world.judge(left, &published, &early);
    let decided = u64::try_from(decided).unwrap_or(u64::MAX);
    Rush { violations, decided, trace_hash, happened: world.trace.counts() }
}

/// Stops the faults and waits until the log is drained; those who were struck before go on meanwhile.
async fn drain(world: &Rc<World>) {
    world.weather.sky.calm.store(true, Ordering::Relaxed);
    world.weather.log.off_ms.store(0, Ordering::Relaxed);
    world.rebalance();
    let deadline = Deadline::after(DRAIN);
    while !(world.is_drained() && world.weather.sky.strays.load(Ordering::Relaxed) == 0) {
        if deadline.left().is_zero() {
            world.violate(Invariant::I4, "the log cannot be drained".into());
            return;
        }
        pause(&world.dice, 500).await;
    }
    let drained = world.tables_now();
    let ends = ends(world);
    world.awaits_zombies.set(true);
    while world.under_way.get() > 0 && !deadline.left().is_zero() {
        pause(&world.dice, 5_000).await;
    }
    world.awaits_zombies.set(false);
    // What was frozen until now is a zombie of the purest kind, unless it was a call of the API that produced.
    if ends == self::ends(world) && world.early_requests().is_empty() {
        world.expect_unchanged(&drained, Invariant::I10);
    }
    while !world.is_drained() && !deadline.left().is_zero() {
        pause(&world.dice, 500).await;
    }
}

fn ends(world: &World) -> Vec<i64> {
    world.partitions().into_iter().map(|partition| world.topics.end(&world.names.requests, partition)).collect()
}

/// The whole log once more, from its start, to workers that remember what they remember.
///
/// A request from before its coupon's creation is a dead letter, and counts if it is handed over again afterwards: where
/// there are any, the first round settles them, and the second must change nothing.
async fn redeliver_everything(world: &Rc<World>, has_early: bool) {
    if has_early {
        redeliver_once(world).await;
    }
    let before = world.tables_now();
    redeliver_once(world).await;
    world.expect_unchanged(&before, Invariant::I7);
}

async fn redeliver_once(world: &Rc<World>) {
    for batch in world.everything() {
        if !world.invoke(world.event(&batch)).await {
            world.violate(Invariant::I7, "a redelivery in calm weather fails".into());
        }
    }
}
