//! Every answer that people were given, against what the world came to: tickets to the last member, refusals, lists of
//! coupons, coupons as they were shown, and whether each fits the coupon's window by a clock that goes right.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{MutexGuard, PoisonError},
};

use audit::Invariant;
use coupon::{CouponId, Head, IssuedCoupon, Offset, Ticket, UserId, Window};
use serde_json::{Value, json};

use crate::{
    defect::{Applied, Moved},
    environments::HEAD_AGE_MAX,
    people::member,
    timeline::START_MS,
    world::{Click, Shown, Told, World},
};

/// For so long after its opening the API still says that a coupon is not open, ms.
const OPENING_GUARD_MS: i64 = 100;

/// Where a moment lies by a coupon's window, as the API sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Before,
    Within,
    Behind,
}

impl Stage {
    /// Whether some moment of a call lies there, by a clock that goes right.
    fn is_met(self, window: Window, asked_ms: i64, answered_ms: i64) -> bool {
        let from_start = |ms: i64| ms.saturating_sub(START_MS);
        let opens_ms = window.opens_at().map(|at| from_start(at.millis()).saturating_add(OPENING_GUARD_MS));
        let closes_ms = window.closes_at().map(|at| from_start(at.millis()));
        let is_opened = opens_ms.is_none_or(|opens| answered_ms >= opens);
        match self {
            Self::Before => opens_ms.is_some_and(|opens| asked_ms < opens),
            Self::Within => is_opened && closes_ms.is_none_or(|closes| asked_ms < closes),
            Self::Behind => is_opened && closes_ms.is_some_and(|closes| answered_ms >= closes),
        }
    }
}

/// What everybody holds in the end.
struct Held(BTreeMap<UserId, BTreeMap<CouponId, IssuedCoupon>>);

impl Held {
    fn of(items: Vec<IssuedCoupon>) -> Self {
        let mut held = BTreeMap::<_, BTreeMap<_, _>>::new();
        for item in items {
            held.entry(item.user_id.clone()).or_default().insert(item.coupon_id.clone(), item);
        }
        Self(held)
    }

    /// What a person holds of a coupon, as an answer tells it.
    fn view(&self, user: &UserId, coupon: &CouponId) -> Option<Value> {
        let item = self.0.get(user)?.get(coupon)?;
        Some(json!({"requestId": item.ticket, "rank": item.rank, "issuedAt": item.issued_at}))
    }
}

impl World {
    /// What the commits of each coupon came to.
    pub(crate) fn moved(&self) -> MutexGuard<'_, Applied> {
        self.weather.store.applied.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When the request at this offset was decided, ms from the start.
    fn decided_ms(&self, coupon: &CouponId, offset: Offset) -> Option<i64> {
        let moved = self.moved();
        moved.get(coupon)?.iter().find(|moved| moved.applied >= offset).map(|moved| moved.at_ms)
    }

    /// Every answer against what it came to in the end; `results` are the tickets' as their JSON has it.
    pub(crate) fn judge_answers(&self, results: &BTreeMap<Ticket, Value>) {
        let held = Held::of(self.tables.items());
        let heads: BTreeMap<CouponId, Head> =
            self.tables.heads().into_iter().map(|head| (head.coupon_id.clone(), head)).collect();
        self.judge_told(results, &held);
        self.judge_clicks(&heads, &held);
        self.judge_lists(&held);
        self.judge_shown(&heads);
        self.judge_tickets();
        self.judge_patience();
    }

    fn judge_told(&self, results: &BTreeMap<Ticket, Value>, held: &Held) {
        let told = self.told.borrow();
        for Told { given, body, .. } in told.iter().filter(|told| member(&told.body, "status") != "PENDING") {
            let right = results.get(&given.ticket).unwrap_or(&Value::Null);
            let differs =
                ["status", "rank", "issuedAt", "reason"].iter().any(|name| member(body, name) != member(right, name));
            let coupon = member(body, "coupon");
            let is_held = coupon.is_null() || held.view(&given.user_id, &given.coupon_id).as_ref() == Some(coupon);
            if differs || !is_held {
                self.violate(Invariant::I5, format!("{} was told {body}, the result is {right}", given.ticket));
            }
        }
    }

    fn judge_clicks(&self, heads: &BTreeMap<CouponId, Head>, held: &Held) {
        for click in self.clicks.borrow().iter() {
            let Click { user_id, coupon_id, status, body, asked_ms, answered_ms } = click;
            let Some(head) = heads.get(coupon_id) else {
                self.violate(
                    Invariant::I5,
                    format!("{user_id} was answered {status} of {coupon_id}, which is not there"),
                );
                continue;
            };
            let sold_out = |moved: &Moved| moved.remaining == 0 && moved.at_ms <= *answered_ms;
            let is_sold_out = || self.moved().get(coupon_id).is_some_and(|all| all.iter().any(sold_out));
            let (is_right, stage) = match (status, member(body, "code").as_str()) {
                (202, None) => (true, Stage::Within),
                (403, Some("NOT_OPEN")) => (true, Stage::Before),
                (410, Some("CLOSED")) => (true, Stage::Behind),
                (410, Some("SOLD_OUT")) => (is_sold_out(), Stage::Within),
                (409, Some("ALREADY_ISSUED")) => {
                    (held.view(user_id, coupon_id).as_ref() == Some(member(body, "coupon")), Stage::Within)
                }
                _ => (false, Stage::Within),
            };
            if !is_right {
                self.violate(
                    Invariant::I5,
                    format!("{user_id} was answered {status} {coupon_id} {body}, and it is not so"),
                );
            }
            // Else by the clock of an environment, which may be wrong.
            if self.plan.faults.clock_jumps == 0 && !stage.is_met(head.window, *asked_ms, *answered_ms) {
                let window = head.window;
                self.violate(Invariant::I9, format!("{asked_ms} to {answered_ms} ms, {body}: {window:?}"));
            }
        }
    }

    /// A list has what its person holds: nothing else, and nothing less than was decided before it was asked for.
    fn judge_lists(&self, held: &Held) {
        for listed in self.listed.borrow().iter() {
            let user = &listed.user_id;
            let mut seen = BTreeSet::new();
            for item in &listed.items {
                let coupon = CouponId::parse(member(item, "couponId").as_str().unwrap_or_default()).ok();
                let right = coupon.as_ref().and_then(|coupon| held.view(user, coupon));
                let is_same = right.is_some_and(|right| {
                    ["requestId", "rank", "issuedAt"].iter().all(|name| member(item, name) == member(&right, name))
                });
                if !is_same || coupon.is_none_or(|coupon| !seen.insert(coupon)) {
                    self.violate(Invariant::I5, format!("{user} saw {item} in the list of coupons"));
                }
            }
            let all = held.0.get(user).into_iter().flatten();
            for (coupon, item) in all.filter(|(coupon, _item)| !seen.contains(*coupon)) {
                let decided_ms = self.decided_ms(coupon, item.ticket.offset);
                if decided_ms.is_none_or(|decided_ms| decided_ms < listed.asked_ms) {
                    self.violate(Invariant::I5, format!("{user} did not see {coupon} in the list of coupons"));
                }
            }
        }
    }

    /// A coupon is shown as its head was, no longer ago than a head may be cached, and its state is of that head and of a
    /// moment of the call.
    fn judge_shown(&self, heads: &BTreeMap<CouponId, Head>) {
        for shown in self.shown.borrow().iter() {
            let Shown { asked_ms, answered_ms, body, .. } = shown;
            let id = CouponId::parse(member(body, "couponId").as_str().unwrap_or_default());
            let Some(head) = id.ok().and_then(|id| heads.get(&id)) else {
                self.violate(Invariant::I4, format!("a coupon that is not there was shown: {body}"));
                continue;
            };
            let right = json!({
                "name": head.name.as_str(), "total": head.total.get(),
                "opensAt": head.window.opens_at(), "closesAt": head.window.closes_at(),
            });
            if ["name", "total", "opensAt", "closesAt"].iter().any(|name| member(body, name) != member(&right, name)) {
                self.violate(Invariant::I5, format!("{right} was shown as {body}"));
            }
            let counts = ["remaining", "issued"].map(|name| member(body, name).as_u64());
            if !self.has_been(head, counts, shown) {
                let (id, issued) = (&head.coupon_id, head.issued);
                self.violate(Invariant::I6, format!("{id}, in the end {issued} issued, at {asked_ms} ms: {body}"));
            }
            let is_left = counts != [Some(0), Some(head.total.get())];
            let (what, stage, fits) = match member(body, "state").as_str() {
                Some("SCHEDULED") => ("shown scheduled", Stage::Before, true),
                Some("OPEN") => ("shown open", Stage::Within, is_left),
                Some("SOLD_OUT") => ("shown sold out", Stage::Within, !is_left),
                Some("CLOSED") => ("shown closed", Stage::Behind, true),
                _ => ("shown in no state", Stage::Within, false),
            };
            self.trace.count(what);
            if !fits || !stage.is_met(head.window, *asked_ms, *answered_ms) {
                self.violate(Invariant::I9, format!("at {asked_ms} to {answered_ms} ms: {body}"));
            }
        }
    }

    /// Whether so many remained and were issued at some moment of a call, or since a head that it may have been told by.
    fn has_been(&self, head: &Head, counts: [Option<u64>; 2], shown: &Shown) -> bool {
        let oldest_ms = shown.asked_ms.saturating_sub(shown.age_max_ms);
        let moved = self.moved();
        let moved = moved.get(&head.coupon_id).map(Vec::as_slice).unwrap_or_default();
        let first = ([Some(head.total.get()), Some(0)], i64::MIN);
        let all = std::iter::once(first)
            .chain(moved.iter().map(|moved| ([Some(moved.remaining), Some(moved.issued)], moved.at_ms)));
        let until = moved.iter().map(|moved| moved.at_ms).chain([i64::MAX]);
        let is_one = |((then, from_ms), until_ms): (([Option<u64>; 2], i64), i64)| {
            then == counts && from_ms <= shown.answered_ms && until_ms >= oldest_ms
        };
        all.zip(until).any(is_one)
    }

    /// `PENDING` is told no longer than a head may be cached, once the ticket is decided. Only where clocks go right and
    /// no call is frozen in the middle.
    fn judge_patience(&self) {
        let faults = self.plan.faults;
        if faults.clock_jumps > 0 || faults.api_freeze > 0 {
            return;
        }
        for told in self.told.borrow().iter().filter(|told| member(&told.body, "status") == "PENDING") {
            let decided_ms = self.decided_ms(&told.given.coupon_id, told.given.ticket.offset);
            let Some(at) = decided_ms.filter(|at| told.asked_ms >= at.saturating_add(head_age_ms())) else {
                continue;
            };
            let (ticket, asked) = (told.given.ticket, told.asked_ms);
            self.violate(Invariant::I4, format!("{ticket} was PENDING at {asked} ms, and decided at {at} ms"));
        }
    }

    /// No ticket was given twice.
    fn judge_tickets(&self) {
        let mut seen = BTreeSet::new();
        for given in self.given.borrow().iter().filter(|given| !seen.insert(given.ticket)) {
            self.violate(Invariant::I4, format!("ticket {} was given twice", given.ticket));
        }
    }
}

/// How old a head may be that a call is answered from, ms.
pub(crate) fn head_age_ms() -> i64 {
    i64::try_from(HEAD_AGE_MAX.as_millis()).unwrap_or(i64::MAX)
}
