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
    /// Whether one in fifty asks until they know.
    pub follow: bool,
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
        }
    }

    /// How many people so many requests take.
    #[must_use]
    pub fn people(self, requests: usize) -> usize {
        match self {
            Self::Fresh | Self::HotAmongCold { .. } => requests,
            Self::Twice => requests.div_ceil(2),
            Self::Again { people } => people,
        }
    }

    /// How many coupons there are.
    #[must_use]
    pub fn coupons(self) -> usize {
        match self {
            Self::HotAmongCold { cold } => 1 + cold,
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
        let plan = |pace| Plan { asking: Asking::Fresh, pace, stock: 1, cold_stock: 0, follow: true };
        assert_eq!(plan(Pace::Rate { per_second: 250.0, seconds: 4.0 }).people_max(), 1000);
        let users = Pace::Users { users: 10, seconds: 9.0, think: Duration::from_secs(2) };
        assert_eq!(plan(users).people_max(), 50);
    }
}
