//! What goes on around a rush: outages, rebalances, more partitions, clocks that jump.

use std::{rc::Rc, sync::atomic::Ordering};

use crate::{weather::pause, world::World};

/// How long an outage lasts, ms at the most.
const OUTAGE_MS: u64 = 8_000;
/// How many partitions the request topic gets at the most.
const PARTITIONS_MAX: usize = 16;
/// How far a clock jumps, ms at the most.
const JUMP_MS: i64 = 90_000;

impl World {
    /// Everything that the plan has of it, at random moments of the rush.
    pub(crate) fn unleash(self: &Rc<Self>) {
        let faults = self.plan.faults;
        for _time in 0..faults.outages {
            self.at_some_time(|world| {
                let until =
                    world.timeline.elapsed_ms().saturating_add(i64::try_from(world.dice.below(OUTAGE_MS)).unwrap_or(0));
                world.weather.sky.outage_until_ms.store(until, Ordering::Relaxed);
                world.trace.note("outage", "until", until);
            });
        }
        for _time in 0..faults.rebalances {
            self.at_some_time(World::rebalance);
        }
        for _time in 0..faults.more_partitions {
            self.at_some_time(|world| {
                let count = world.topics.partition_count(&world.names.requests);
                let more = count.saturating_add(world.dice.place(4)).min(PARTITIONS_MAX);
                world.topics.create_topic(&world.names.requests, more);
                world.topics.create_topic(&world.names.results, more);
                world.trace.note("partitions", "", i64::try_from(more).unwrap_or(0));
                world.rebalance();
            });
        }
        for _time in 0..faults.clock_jumps {
            self.at_some_time(Self::jump);
        }
    }

    fn at_some_time(self: &Rc<Self>, act: impl FnOnce(&Rc<Self>) + 'static) {
        let world = Rc::clone(self);
        drop(tokio::task::spawn_local(async move {
            pause(&world.dice, world.plan.rush_ms).await;
            act(&world);
        }));
    }

    /// A clock jumps: the broker's, or that of one environment.
    fn jump(self: &Rc<Self>) {
        let off = self.dice.around(JUMP_MS);
        let apis = self.apis.borrow();
        let clock = self.dice.pick(&apis).filter(|_one| self.dice.chance(600)).map(|one| &one.off_ms);
        self.trace.count(if clock.is_some() { "clock of an environment" } else { "clock of the broker" });
        clock.unwrap_or(&self.weather.log.off_ms).store(off, Ordering::Relaxed);
        self.trace.note("clock", "jumps", off);
    }
}
