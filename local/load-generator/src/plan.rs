//! Who asks for what, and when: pure, so that a plan can be checked without asking anybody.

use std::time::Duration;

/// A whole run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plan {
    /// Who asks for what.
    pub asking: Asking,
    /// When.
    pub pace: Pace,
    /// How many there are of the first coupon.
    pub stock: u64,
    /// How many of each further one.
    pub cold_stock: u64,
    /// One request in so many is asked about until its person knows; nobody asks where there is none.
    pub follow_every: Option<usize>,
}

/// How fast requests come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// By schedule, whether answers keep up or not.
    Rate {
        /// Requests a second.
        per_second: f64,
        /// For how long.
        seconds: f64,
    },
    /// So many at a time; each asks when the one before has its answer.
    Clients {
        /// At a time.
        clients: usize,
        /// In all, at most.
        requests: usize,
        /// Nobody asks after that.
        seconds: f64,
    },
    /// Virtual users who start evenly over the run, and think after each answer.
    Users {
        /// How many at the end.
        users: u32,
        /// Nobody asks after that.
        seconds: f64,
        /// How long each waits after an answer.
        think: Duration,
    },
}

/// Who the n-th request is by, and for which coupon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asking {
    /// Everybody once, for one coupon.
    Fresh,
    /// Everybody once; four of five for the first coupon, the others for so many cold ones in turn.
    HotAmongCold {
        /// How many cold coupons.
        cold: usize,
    },
    /// Everybody twice, one right behind the other.
    Twice,
    /// So few people again and again.
    Again {
        /// How many.
        people: usize,
    },
    /// Everybody once; so many for the first coupon, then so many for the next.
    InTurn {
        /// How many coupons.
        coupons: usize,
        /// How many people for each.
        each: usize,
    },
}

/// One request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask {
    /// Index of the person.
    pub person: usize,
    /// Index of the coupon; 0 is the hot one.
    pub coupon: usize,
}

/// Every fifth request is for a cold coupon.
const COLD_EVERY: usize = 5;
/// Who asks for a coupon comes in an order that their ids know nothing of: every 61st, round and round. A prime, so that
/// nobody is left out by a crowd that is no multiple of it.
const STRIDE: usize = 61;
/// So many of a run are followed, where it is long enough: what they ask is to be some per cent of the load.
const FOLLOWERS: usize = 30;
/// And no more than one in so many: an odd number, so that it is not in step with people who ask twice.
const FOLLOW_EVERY_MIN: usize = 101;

impl Asking {
    /// The n-th request, from 0.
    #[must_use]
    pub fn ask(self, n: usize) -> Ask {
        match self {
            Self::Fresh => Ask { person: n, coupon: 0 },
            Self::HotAmongCold { cold } if n % COLD_EVERY == COLD_EVERY - 1 => {
                Ask { person: n, coupon: 1 + (n / COLD_EVERY).checked_rem(cold).unwrap_or(0) }
            }
            Self::HotAmongCold { .. } => Ask { person: n, coupon: 0 },
            Self::Twice => Ask { person: n / 2, coupon: 0 },
            Self::Again { people } => Ask { person: n.checked_rem(people).unwrap_or(0), coupon: 0 },
            Self::InTurn { coupons, each } => {
                let coupon = n.checked_div(each).unwrap_or(0).min(coupons.saturating_sub(1));
                let (first, nth) = (coupon.saturating_mul(each), n.saturating_sub(coupon.saturating_mul(each)));
                let person = nth.saturating_mul(STRIDE).checked_rem(each).unwrap_or(0);
                Ask { person: first.saturating_add(person), coupon }
            }
        }
    }

    /// How many people so many requests take.
    #[must_use]
    pub fn people(self, requests: usize) -> usize {
        match self {
            Self::Fresh | Self::HotAmongCold { .. } | Self::InTurn { .. } => requests,
            Self::Twice => requests.div_ceil(2),
            Self::Again { people } => people,
        }
    }

    /// How many coupons there are.
    #[must_use]
    pub fn coupons(self) -> usize {
        match self {
            Self::HotAmongCold { cold } => 1 + cold,
            Self::InTurn { coupons, .. } => coupons,
            Self::Fresh | Self::Twice | Self::Again { .. } => 1,
        }
    }
}

impl Plan {
    /// How many requests there are at most; the seeds' users send as many as their pace allows.
    #[must_use]
    pub fn requests_max(&self) -> usize {
        match self.pace {
            Pace::Rate { per_second, seconds } => whole((per_second * seconds).round()),
            Pace::Clients { requests, .. } => requests,
            // Who starts first asks most often: nobody asks oftener than that.
            Pace::Users { users, seconds, think } => {
                let each = whole((seconds / think.as_secs_f64().max(0.001)).ceil());
                each.saturating_mul(usize::try_from(users).unwrap_or(usize::MAX))
            }
        }
    }

    /// How many people have to be there.
    #[must_use]
    pub fn people_max(&self) -> usize {
        self.asking.people(self.requests_max())
    }

    /// Whether there are fewer of a coupon than ask for it.
    #[must_use]
    pub fn is_short(&self) -> bool {
        let asked = u64::try_from(self.requests_max()).unwrap_or(u64::MAX);
        asked > u64::try_from(self.asking.coupons()).unwrap_or(u64::MAX).saturating_mul(self.stock)
    }

    /// The same plan, with people chosen beforehand who ask until they know.
    pub(crate) fn followed(self) -> Self {
        // Users who start later ask less often: half of the most is about what they send.
        let requests = match self.pace {
            Pace::Users { .. } => self.requests_max() / 2,
            Pace::Rate { .. } | Pace::Clients { .. } => self.requests_max(),
        };
        Self { follow_every: Some((requests / FOLLOWERS).max(FOLLOW_EVERY_MIN)), ..self }
    }
}

/// A count that was worked out as a number; a run has fewer than 2^32 requests.
fn whole(count: f64) -> usize {
    let bounded = Duration::try_from_secs_f64(count.clamp(0.0, f64::from(u32::MAX)));
    bounded.ok().and_then(|count| usize::try_from(count.as_secs()).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn one_of_five_asks_for_a_cold_coupon_and_each_of_them_is_asked_for() {
        let asking = Asking::HotAmongCold { cold: 10 };
        let mut asked: BTreeMap<usize, usize> = BTreeMap::new();
        for n in 0..1000 {
            *asked.entry(asking.ask(n).coupon).or_default() += 1;
        }
        assert_eq!(asked.remove(&0), Some(800));
        assert_eq!(asked.len(), 10);
        assert!(asked.values().all(|count| *count == 20), "{asked:?}");
        assert_eq!(asking.coupons(), 11);
    }

    #[test]
    fn a_storm_of_duplicates_asks_everything_twice() {
        let people: Vec<usize> = (0..6).map(|n| Asking::Twice.ask(n).person).collect();
        assert_eq!(people, [0, 0, 1, 1, 2, 2]);
        assert_eq!(Asking::Twice.people(7), 4);
    }

    #[test]
    fn few_people_come_again_and_again() {
        let people: Vec<usize> = (0..5).map(|n| Asking::Again { people: 2 }.ask(n).person).collect();
        assert_eq!(people, [0, 1, 0, 1, 0]);
    }

    #[test]
    fn a_schedule_has_as_many_requests_as_its_rate_says() {
        let plan = |pace| Plan { asking: Asking::Fresh, pace, stock: 1, cold_stock: 0, follow_every: None };
        assert_eq!(plan(Pace::Rate { per_second: 250.0, seconds: 4.0 }).people_max(), 1000);
        let users = Pace::Users { users: 10, seconds: 9.0, think: Duration::from_secs(2) };
        assert_eq!(plan(users).people_max(), 50);
    }

    #[test]
    fn coupons_are_asked_for_one_after_the_other_by_people_in_no_order() {
        let asking = Asking::InTurn { coupons: 3, each: 120 };
        let asks: Vec<Ask> = (0..360).map(|n| asking.ask(n)).collect();
        assert!(asks.is_sorted_by_key(|ask| ask.coupon));
        for (coupon, crowd) in asks.chunks(120).enumerate() {
            assert!(crowd.iter().all(|ask| ask.coupon == coupon), "{crowd:?}");
            let mut people: Vec<usize> = crowd.iter().map(|ask| ask.person).collect();
            let later_is_smaller = people.windows(2).filter(|pair| pair[1] < pair[0]).count();
            assert!((50..=70).contains(&later_is_smaller), "as often as not: {later_is_smaller} of 119");
            people.sort_unstable();
            assert!(people.into_iter().eq(coupon * 120..(coupon + 1) * 120), "everybody once");
        }
        assert_eq!((asking.coupons(), asking.people(360)), (3, 360));
    }

    #[test]
    fn those_who_are_followed_are_few_and_are_chosen_beforehand() {
        let plan = |pace| Plan { asking: Asking::Fresh, pace, stock: 1, cold_stock: 0, follow_every: None };
        let clients = |requests| plan(Pace::Clients { clients: 64, requests, seconds: 9.0 }).followed();
        assert_eq!(clients(15_000).follow_every, Some(500));
        assert_eq!(clients(450).follow_every, Some(FOLLOW_EVERY_MIN));
        let users = Pace::Users { users: 1000, seconds: 80.0, think: Duration::from_secs(4) };
        assert_eq!(plan(users).followed().follow_every, Some(10_000 / FOLLOWERS), "20,000 at most, half of them sent");
    }

    #[test]
    fn a_plan_is_short_of_coupons_when_more_ask_than_there_are() {
        let pace = Pace::Clients { clients: 64, requests: 240, seconds: 9.0 };
        let plan = |stock| Plan {
            asking: Asking::InTurn { coupons: 2, each: 120 },
            pace,
            stock,
            cold_stock: stock,
            follow_every: None,
        };
        assert!(plan(50).is_short() && !plan(120).is_short());
    }
}
