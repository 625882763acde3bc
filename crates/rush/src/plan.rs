//! What a seed asks for, before anything runs: how large the rush is, which coupons there are, and which kinds of fault
//! may happen how often. Each seed leaves some kinds out, so that a fault that hides another does not always do so.

use crate::dice::Dice;

/// With calls of the store that take no longer, no call of the API runs out of time: at a hundred times as long, there and
/// back, three of them take 1.8 s of its 3 s.
const LATENCY_SAFE_MS: u64 = 3;

/// The rush of one seed.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// Of the request topic, at first.
    pub(crate) partitions: usize,
    pub(crate) coupons: Vec<CouponPlan>,
    pub(crate) people: u64,
    /// How often somebody clicks at the most.
    pub(crate) clicks_max: u64,
    /// How long people keep coming, ms.
    pub(crate) rush_ms: u64,
    /// The mapping's batch size at the most.
    pub(crate) batch_max: u64,
    pub(crate) pollers: usize,
    /// Records that are no request, or requests that nobody was given a ticket for.
    pub(crate) intruders: u64,
    /// Whether there is a coupon whose requests are in another topic.
    pub(crate) has_older: bool,
    /// Whether events go through their JSON.
    pub(crate) encodes_events: bool,
    pub(crate) faults: Faults,
}

/// One coupon. Times are milliseconds from the rush's start.
#[derive(Debug, Clone)]
pub(crate) struct CouponPlan {
    pub(crate) id: String,
    pub(crate) total: u64,
    pub(crate) created_ms: u64,
    pub(crate) opens_ms: Option<i64>,
    pub(crate) closes_ms: Option<i64>,
}

/// How often each kind of fault happens, in a thousand chances; 0 is never.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Faults {
    pub(crate) throttled: u64,
    pub(crate) conflict: u64,
    pub(crate) in_progress: u64,
    /// No answer, and nothing was done.
    pub(crate) unanswered: u64,
    /// No answer, and it was done.
    pub(crate) lost_answer: u64,
    /// No answer, and it is done later.
    pub(crate) late: u64,
    pub(crate) refused: u64,
    /// The store or the log is away for a while: times in a rush.
    pub(crate) outages: u64,
    pub(crate) log_unanswered: u64,
    pub(crate) log_lost_answer: u64,
    pub(crate) log_late: u64,
    pub(crate) log_queue_full: u64,
    pub(crate) log_no_offset: u64,
    pub(crate) log_refused: u64,
    pub(crate) worker_crash: u64,
    pub(crate) worker_freeze: u64,
    pub(crate) api_crash: u64,
    pub(crate) api_freeze: u64,
    /// The mapping hears nothing of an invocation that goes on.
    pub(crate) unheard: u64,
    /// A batch, or a part of it, is handed over again although it was finished.
    pub(crate) duplicate: u64,
    pub(crate) commit_lost: u64,
    /// Times in a rush that partitions change their poller.
    pub(crate) rebalances: u64,
    /// Times in a rush that the request topic gets more partitions.
    pub(crate) more_partitions: u64,
    /// Times in a rush that a clock jumps.
    pub(crate) clock_jumps: u64,
    /// How long a call of a port takes, ms at the most.
    pub(crate) latency_ms: u64,
}

impl Plan {
    pub(crate) fn draw(dice: &Dice) -> Self {
        let large = dice.chance(80);
        let coupons = dice.between(1, if large { 2 } else { 4 });
        // A large rush comes at once, so that a batch has more winners than one transaction takes.
        let rush_ms: &[u64] = if large { &[50, 50, 2_000] } else { &[50, 2_000, 20_000, 90_000] };
        let rush_ms = *dice.pick(rush_ms).unwrap_or(&2_000);
        let batch_max: &[u64] = if large { &[100, 1_000] } else { &[1, 3, 10, 100, 1_000] };
        Self {
            partitions: dice.place(9).saturating_add(2),
            coupons: (0..coupons).map(|number| CouponPlan::draw(dice, number, rush_ms, large)).collect(),
            people: if large { dice.between(150, 500) } else { dice.between(3, 80) },
            clicks_max: *dice.pick(&[1, 2, 3, 10]).unwrap_or(&1),
            rush_ms,
            batch_max: *dice.pick(batch_max).unwrap_or(&100),
            pollers: dice.place(3).saturating_add(1),
            intruders: if dice.chance(500) { dice.between(1, 20) } else { 0 },
            has_older: dice.chance(50),
            encodes_events: dice.chance(100),
            faults: Faults::draw(dice),
        }
    }
}

impl CouponPlan {
    fn draw(dice: &Dice, number: u64, rush_ms: u64, large: bool) -> Self {
        let moment = |most: u64| i64::try_from(dice.below(most)).unwrap_or(0);
        let opens_ms = dice.chance(300).then(|| moment(rush_ms));
        let closes_ms =
            dice.chance(300).then(|| moment(rush_ms).saturating_add(opens_ms.unwrap_or(0)).saturating_add(60));
        Self {
            id: format!("coupon-{number}"),
            total: match large {
                true => dice.between(50, 350),
                false if dice.chance(500) => dice.between(1, 6),
                false => dice.between(5, 60),
            },
            created_ms: if number > 0 && dice.chance(500) { dice.below(rush_ms) } else { 0 },
            opens_ms,
            closes_ms,
        }
    }
}

impl Faults {
    /// Whether a call of the API may find no store: it fails, is away, or is slower than a call may last.
    pub(crate) const fn may_lack_store(&self) -> bool {
        let fails = self.throttled > 0 || self.unanswered > 0 || self.lost_answer > 0 || self.outages > 0;
        fails || self.api_freeze > 0 || self.latency_ms > LATENCY_SAFE_MS
    }

    /// Whether a call of the API may find no queue, or get an acknowledgement that is no ticket.
    pub(crate) const fn may_lack_log(&self) -> bool {
        let fails = self.log_unanswered > 0 || self.log_lost_answer > 0 || self.log_late > 0 || self.outages > 0;
        fails || self.log_queue_full > 0 || self.log_no_offset > 0 || self.log_refused > 0
    }

    fn draw(dice: &Dice) -> Self {
        // A quiet world now and then: faults must not be what makes it right.
        let quiet = dice.chance(50);
        let rate = |rates: &[u64]| if quiet || dice.chance(500) { 0 } else { *dice.pick(rates).unwrap_or(&0) };
        let often: &[u64] = &[5, 30, 150];
        let seldom: &[u64] = &[2, 10, 40];
        Self {
            throttled: rate(often),
            conflict: rate(often),
            in_progress: rate(often),
            unanswered: rate(often),
            lost_answer: rate(often),
            late: rate(often),
            refused: rate(seldom),
            outages: rate(&[1, 2]),
            log_unanswered: rate(seldom),
            log_lost_answer: rate(seldom),
            log_late: rate(seldom),
            log_queue_full: rate(often),
            log_no_offset: rate(seldom),
            log_refused: rate(&[1, 5]),
            worker_crash: rate(&[20, 100, 300]),
            worker_freeze: rate(&[20, 100, 300]),
            api_crash: rate(seldom),
            api_freeze: rate(seldom),
            unheard: rate(&[20, 100]),
            duplicate: rate(&[50, 300]),
            commit_lost: rate(&[50, 300]),
            rebalances: rate(&[1, 3, 8]),
            more_partitions: rate(&[1, 2]),
            clock_jumps: rate(&[1, 5]),
            latency_ms: *dice.pick(&[0, 3, 20, 200]).unwrap_or(&3),
        }
    }
}
