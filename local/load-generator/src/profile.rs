//! The profiles: what is asked of a system, each in three sizes. Pure; `drive.rs` follows the plans.

use crate::plan::{Asking, Pace, Plan};
use crate::think::{SEEDS, think, users};

/// How long a profile is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// A look at it, seconds.
    Quick,
    /// As a benchmark of half an hour has it.
    Full,
    /// By itself, as long as it was meant; the seeds' load within a full benchmark, too.
    Whole,
}

/// A profile.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// On the command line and in data.
    pub id: &'static str,
    /// For people, short.
    pub name: &'static str,
    /// What it does, with its numbers.
    pub says: String,
    /// The plans: one, or one for each step of a rush.
    pub plans: Vec<Plan>,
    /// Whether the coupon is sold out before it begins.
    pub sold_out: bool,
}

/// Beyond this p99 a step of a rush has given way, in ms; or beyond this share of failures.
pub const GIVES_WAY_MS: u32 = 500;
/// See [`GIVES_WAY_MS`].
pub(crate) const GIVES_WAY_FAILURES: f64 = 0.01;

/// Every profile's id.
pub const PROFILES: [&str; 7] = ["seeds", "rush", "sustained", "hot", "duplicates", "bots", "sellout"];

/// Clients where as many are asked as are answered: four for each of the sandbox's environments.
const CLIENTS: usize = 64;
/// Requests a second of the profiles that compare kinds of requests rather than rates: no system gives way there.
const STEADY: f64 = 300.0;
/// Nobody is refused for want of a coupon.
const PLENTY: u64 = 1_000_000;
/// Coupons that the bots come too late for.
const BOTS_STOCK: u64 = 10;
const BOTS: usize = 500;
/// Refusals are as many as they are, unless a system needs this long for them.
const BOTS_SECONDS_MAX: f64 = 60.0;
const COLD: usize = 100;
/// Fewer than there are clients, so that the last one is asked for while the first are still being answered.
const SHORT_STOCK: usize = 50;
/// More than twice as many.
const SHORT_ASKED: usize = 120;
/// As many as there are, unless a system needs this long for them.
const SHORT_SECONDS_MAX: f64 = 60.0;

impl Profile {
    /// The profile of this id.
    #[must_use]
    pub fn named(id: &str, size: Size) -> Option<Self> {
        match id {
            "seeds" => Some(seeds(size)),
            "rush" => Some(rush(size)),
            "sustained" => Some(sustained(size)),
            "hot" => Some(hot(size)),
            "duplicates" => Some(duplicates(size)),
            "bots" => Some(bots(size)),
            "sellout" => Some(sellout(size)),
            _ => None,
        }
    }

    /// How many people have to be there.
    #[must_use]
    pub fn people_max(&self) -> usize {
        self.plans.iter().map(Plan::people_max).max().unwrap_or(0)
    }

    /// Whether people are refused because others were faster, in the run or before it.
    #[must_use]
    pub fn is_short(&self) -> bool {
        self.plans.iter().any(Plan::is_short)
    }
}

fn plan(asking: Asking, pace: Pace, stock: u64) -> Plan {
    Plan { asking, pace, stock, cold_stock: stock, follow_every: None }.followed()
}

fn seeds(size: Size) -> Profile {
    let seconds = match size {
        Size::Quick => 6.0,
        Size::Full => 15.0,
        Size::Whole => SEEDS.seconds,
    };
    let (users, think) = (users(seconds), think(seconds));
    Profile {
        id: "seeds",
        name: "the seeds' load",
        says: format!(
            "{users} virtual users who start evenly over {seconds:.0} s and wait {:.2} s after each answer: {:.0} requests a \
             second on the mean, as in the seeds' table, which took {:.0} s; stock for everybody.",
            think.as_secs_f64(),
            f64::from(SEEDS.requests) / SEEDS.seconds,
            SEEDS.seconds,
        ),
        plans: vec![plan(Asking::Fresh, Pace::Users { users, seconds, think }, PLENTY)],
        sold_out: false,
    }
}

fn rush(size: Size) -> Profile {
    let (rates, seconds): (&[f64], f64) = match size {
        Size::Quick => (&[300.0, 800.0, 2000.0], 1.5),
        Size::Full => (&[250.0, 500.0, 1000.0, 2000.0], 3.0),
        Size::Whole => (&[200.0, 400.0, 600.0, 800.0, 1000.0, 1300.0, 1700.0, 2200.0, 2900.0, 3800.0], 5.0),
    };
    // Short, for a system that takes more than it decides: what it has taken is waited for.
    let last: Option<(f64, f64)> = (size == Size::Full).then_some((4000.0, 1.0));
    let step = |(rate, seconds)| plan(Asking::Fresh, Pace::Rate { per_second: rate, seconds }, PLENTY);
    let shorter = last.map_or_else(String::new, |(rate, seconds)| format!(" ({seconds} s at {rate}/s)"));
    Profile {
        id: "rush",
        name: "a rush, stepped up",
        says: format!(
            "Requests by schedule, {seconds} s a step{shorter}, until p99 passes {GIVES_WAY_MS} ms or {:.0} % fail; stock \
             for everybody.",
            GIVES_WAY_FAILURES * 100.0
        ),
        plans: rates.iter().map(|rate| (*rate, seconds)).chain(last).map(step).collect(),
        sold_out: false,
    }
}

fn sustained(size: Size) -> Profile {
    // Longer than the period of A's outbox, but for a look.
    let (seconds, requests) = match size {
        Size::Quick => (2.0, 2_000),
        Size::Full => (12.0, 15_000),
        Size::Whole => (20.0, 25_000),
    };
    Profile {
        id: "sustained",
        name: "as fast as it goes",
        says: format!(
            "{CLIENTS} clients who ask again as soon as they have an answer, for {seconds:.0} s ({requests} requests at \
             most); the rate counts until the last one is decided. Stock for everybody."
        ),
        plans: vec![plan(Asking::Fresh, Pace::Clients { clients: CLIENTS, requests, seconds }, PLENTY)],
        sold_out: false,
    }
}

fn seconds(size: Size) -> f64 {
    match size {
        Size::Quick => 1.5,
        Size::Full => 3.0,
        Size::Whole => 20.0,
    }
}

fn hot(size: Size) -> Profile {
    let seconds = seconds(size);
    Profile {
        id: "hot",
        name: "a hot coupon among cold ones",
        says: format!(
            "{STEADY:.0} requests a second for {seconds} s: four of five for one coupon, the others for {COLD} cold ones."
        ),
        plans: vec![plan(Asking::HotAmongCold { cold: COLD }, Pace::Rate { per_second: STEADY, seconds }, PLENTY)],
        sold_out: false,
    }
}

fn duplicates(size: Size) -> Profile {
    let seconds = seconds(size);
    Profile {
        id: "duplicates",
        name: "a storm of duplicates",
        says: format!(
            "{STEADY:.0} requests a second for {seconds} s; everybody asks twice, one right behind the other."
        ),
        plans: vec![plan(Asking::Twice, Pace::Rate { per_second: STEADY, seconds }, PLENTY)],
        sold_out: false,
    }
}

fn bots(size: Size) -> Profile {
    let requests = match size {
        Size::Quick => 2000,
        Size::Full => 5000,
        Size::Whole => 40_000,
    };
    Profile {
        id: "bots",
        name: "bots after the end",
        says: format!(
            "{requests} requests by {CLIENTS} clients, as {BOTS} people, for {BOTS_STOCK} coupons that are gone."
        ),
        plans: vec![plan(
            Asking::Again { people: BOTS },
            Pace::Clients { clients: CLIENTS, requests, seconds: BOTS_SECONDS_MAX },
            BOTS_STOCK,
        )],
        sold_out: true,
    }
}

fn sellout(size: Size) -> Profile {
    let coupons: usize = match size {
        Size::Quick => 8,
        Size::Full => 40,
        Size::Whole => 100,
    };
    let requests = coupons.saturating_mul(SHORT_ASKED);
    Profile {
        id: "sellout",
        name: "the stock ends in the rush",
        says: format!(
            "{requests} requests by {CLIENTS} clients, everybody once: {SHORT_ASKED} for each of {coupons} coupons of \
             {SHORT_STOCK}, one coupon after the other, so that people meet at the last one."
        ),
        plans: vec![plan(
            Asking::InTurn { coupons, each: SHORT_ASKED },
            Pace::Clients { clients: CLIENTS, requests, seconds: SHORT_SECONDS_MAX },
            u64::try_from(SHORT_STOCK).unwrap_or(u64::MAX),
        )],
        sold_out: false,
    }
}

const _: () = assert!(SHORT_STOCK < CLIENTS && 2 * SHORT_STOCK < SHORT_ASKED);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_profile_has_its_plans_in_every_size() {
        for id in PROFILES {
            for size in [Size::Quick, Size::Full, Size::Whole] {
                let profile = Profile::named(id, size).unwrap();
                assert_eq!(profile.id, id);
                assert!(profile.plans.iter().all(|plan| plan.requests_max() > 0), "{profile:?}");
                assert!((1..=25_000).contains(&profile.people_max()), "{id}: {}", profile.people_max());
            }
        }
        assert_eq!(Profile::named("nothing", Size::Full), None);
    }

    #[test]
    fn a_rush_goes_up() {
        for size in [Size::Quick, Size::Full, Size::Whole] {
            let rate = |plan: &Plan| match plan.pace {
                Pace::Rate { per_second, .. } => per_second,
                Pace::Clients { .. } | Pace::Users { .. } => f64::NAN,
            };
            let rates: Vec<f64> = rush(size).plans.iter().map(rate).collect();
            assert!(rates.is_sorted(), "{rates:?}");
        }
    }

    #[test]
    fn coupons_end_where_they_are_to_end_and_nowhere_else() {
        for size in [Size::Quick, Size::Full, Size::Whole] {
            let short = PROFILES.iter().filter(|id| Profile::named(id, size).unwrap().is_short());
            assert_eq!(short.copied().collect::<Vec<_>>(), ["bots", "sellout"]);
        }
    }
}
