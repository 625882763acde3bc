//! Those who only look: an onlooker who asks during the rush how coupons stand, and, once all is over, a last look at every
//! coupon and at everybody's list. What they see is judged in `answers.rs`.
//!
//! The onlooker has an environment, a weather and a generator of its own, so that looking shifts nothing that others draw:
//! a seed is the same rush without it.

use std::{rc::Rc, sync::Arc};

use audit::Invariant;
use coupon::UserId;
use serde_json::Value;
use simulation::RuledStore;

use crate::{
    answers::head_age_ms,
    defect::Side,
    dice::Dice,
    environments::ApiEnvironment,
    people::{OLDER, call, member},
    plan::Faults,
    trace::Trace,
    weather::{Weather, pause},
    world::{Listed, SeenStore, Shown, World},
};

/// What makes the onlooker's generator another one than the rush's.
const OTHERWISE: u64 = 0x6f6e_6c6f_6f6b_6572;
/// How often the onlooker looks, one less at the most.
const LOOKS_MAX: u64 = 8;
/// How many coupons a page of the last lists has: fewer than some people hold.
const PAGE: usize = 2;
/// More pages than there are coupons for.
const PAGES_MAX: usize = 10;

/// Somebody who asks how coupons stand.
pub(crate) struct Onlooker {
    api: ApiEnvironment,
    dice: Dice,
}

impl World {
    /// The onlooker of a seed, whose environment has read nothing. Their clock goes right.
    pub(crate) fn onlooker(&self, seed: u64) -> Onlooker {
        let dice = Dice::new(seed ^ OTHERWISE);
        let trace = Trace::new(self.timeline, None);
        let rule = Weather { dice: dice.clone(), trace, ..self.weather.clone() };
        let inner = RuledStore { inner: self.weather.store.clone(), rule };
        let store = SeenStore { inner, ..self.seen_by(Side::Api) };
        Onlooker { api: self.api_over(store, Arc::default()), dice }
    }

    /// Looks at one coupon or another, now and then so soon that the head is still cached.
    pub(crate) async fn look_on(self: Rc<Self>, Onlooker { api, dice }: Onlooker) {
        for _look in 0..dice.below(LOOKS_MAX) {
            pause(&dice, *dice.pick(&[10, 200, self.plan.rush_ms, self.plan.rush_ms]).unwrap_or(&200)).await;
            let id = dice.pick(&self.created.borrow()).cloned();
            if let Some(id) = id {
                self.look(&api, &id, head_age_ms()).await;
            }
        }
    }

    async fn look(&self, api: &ApiEnvironment, id: &str, age_max_ms: i64) -> bool {
        let path = format!("/coupons/{id}");
        let asked_ms = self.timeline.elapsed_ms();
        let answer = api.handle(&call("GET", &path, "onlooker", "")).await;
        if answer.status != 200 {
            self.expect_excuse(&answer, &path);
            return false;
        }
        let answered_ms = self.timeline.elapsed_ms();
        let shown = Shown { asked_ms, answered_ms, age_max_ms, body: answer.body };
        self.shown.borrow_mut().push(shown);
        true
    }

    /// Looks at every coupon and at everybody's list, by an environment that has cached nothing. Nothing takes time or
    /// excuses an answer now.
    pub(crate) async fn look_at_the_end(&self) {
        let faults = Faults { latency_ms: 0, ..self.plan.faults };
        let rule = Weather { faults, ..self.weather.clone() };
        let inner = RuledStore { inner: self.weather.store.clone(), rule };
        let store = SeenStore { inner, ..self.seen_by(Side::Api) };
        let api = self.api_over(store, Arc::default());
        self.look_at_every_coupon(&api).await;
        self.list_everybody(&api).await;
    }

    async fn look_at_every_coupon(&self, api: &ApiEnvironment) {
        for head in self.tables.heads() {
            let id = head.coupon_id.as_str();
            let is_seen = self.look(api, id, 0).await;
            if is_seen == (id == OLDER) {
                self.violate(Invariant::I4, format!("/coupons/{id} ends as shown: {is_seen}"));
            }
        }
    }

    /// Takes everybody's list of coupons, page by page.
    async fn list_everybody(&self, api: &ApiEnvironment) {
        for number in 0..self.plan.people {
            let Ok(user_id) = UserId::parse(&format!("user-{number}")) else { return };
            let (mut items, mut cursor) = (Vec::new(), String::new());
            for page in 1..=PAGES_MAX {
                let query = format!(r#""rawQueryString":"limit={PAGE}&cursor={cursor}","#);
                let answer = api.handle(&call("GET", "/me/coupons", user_id.as_str(), &query)).await;
                let Some(some) = member(&answer.body, "items").as_array().filter(|_items| answer.status == 200) else {
                    self.violate(Invariant::I4, format!("the list of {user_id} ends as {}", answer.body));
                    break;
                };
                items.extend(some.iter().cloned());
                let Value::String(next) = member(&answer.body, "nextCursor") else { break };
                cursor.clone_from(next);
                if page == 1 {
                    self.trace.count("list of pages");
                }
            }
            self.listed.borrow_mut().push(Listed { user_id, asked_ms: i64::MAX, items });
        }
    }
}
