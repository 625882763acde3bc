//! Those who come to a rush: creators of coupons, people who click and ask what became of their tickets, and intruders
//! who write into the request topic what is no request, or a request of their own.

use std::rc::Rc;

use audit::Invariant;
use bytes::Bytes;
use coupon::{CouponId, CouponName, Head, NewCoupon, Partition, Ticket, Timestamp, Total, UserId, Window};
use issue_api::Call;
use record_log::{Header, Log, Record, partition_of};
use serde_json::{Value, json};

use crate::{
    defect::Answered,
    plan::CouponPlan,
    timeline::START_MS,
    weather::pause,
    world::{Click, Given, Listed, Told, World},
};

const TRACE_PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// The coupon whose requests are in another topic.
pub(crate) const OLDER: &str = "older";

/// How often somebody clicks who clicks often.
const CLICKS_MANY: u64 = 10;

/// How often a status is asked for at the most.
const POLLS_MAX: u64 = 6;

/// A call as API Gateway hands it over.
pub(crate) fn call(method: &str, path: &str, user: &str, rest: &str) -> Call {
    let text = format!(
        r#"{{"rawPath":"{path}",{rest}"requestContext":{{"http":{{"method":"{method}"}},"authorizer":{{"jwt":{{"claims":{{"sub":"{user}","scope":"coupons:write"}}}}}}}}}}"#
    );
    serde_json::from_str(&text).unwrap_or_default()
}

/// A member of an object; null where there is none.
pub(crate) fn member<'a>(of: &'a Value, name: &str) -> &'a Value {
    of.get(name).unwrap_or(&Value::Null)
}

impl World {
    /// Creates a coupon, however often that takes.
    pub(crate) async fn create(self: Rc<Self>, plan: CouponPlan) {
        tokio::time::sleep(std::time::Duration::from_millis(plan.created_ms)).await;
        let at = |ms: Option<i64>| ms.map(|ms| Timestamp::from_millis_clamped(START_MS.saturating_add(ms)).to_string());
        let coupon = json!({
            "couponId": plan.id, "name": plan.id, "total": plan.total,
            "opensAt": at(plan.opens_ms), "closesAt": at(plan.closes_ms),
        });
        let text = Value::from(coupon.to_string()).to_string();
        // A window that has passed meanwhile is refused for good.
        for _attempt in 0..20 {
            let answer = self.call(call("POST", "/coupons", "creator", &format!(r#""body":{text},"#))).await;
            let status = answer.as_ref().map_or(0, |answer| answer.status);
            self.trace.note("create", &plan.id, i64::from(status));
            match (status, answer) {
                (201 | 409, _) => {
                    self.created.borrow_mut().push(plan.id.clone());
                    return;
                }
                (400, _) => return,
                (_, Some(answer)) => self.expect_excuse(&answer, "POST /coupons"),
                (_, None) => {}
            }
            pause(&self.dice, 1_000).await;
        }
    }

    /// Somebody who clicks, and asks what became of it.
    pub(crate) async fn person(self: Rc<Self>, number: u64) {
        pause(&self.dice, self.plan.rush_ms).await;
        let Ok(user) = UserId::parse(&format!("user-{number}")) else { return };
        let mut clicks = 0_u64;
        for _click in 0..self.dice.between(1, self.plan.clicks_max) {
            if let Some(id) = self.choose() {
                self.click(&user, &id).await;
                clicks = clicks.saturating_add(1);
            }
            if self.dice.chance(500) {
                pause(&self.dice, 2_000).await;
            }
        }
        if clicks >= CLICKS_MANY {
            self.trace.count("ten clicks");
        }
        if self.dice.chance(100) {
            self.list(&user).await;
        }
    }

    /// One of the coupons, the first rather than the others.
    fn choose(&self) -> Option<CouponId> {
        let created = self.created.borrow();
        let id = if self.dice.chance(500) { created.first() } else { self.dice.pick(&created) };
        CouponId::parse(id?).ok()
    }

    async fn click(self: &Rc<Self>, user: &UserId, id: &CouponId) {
        let traced = if self.dice.chance(200) {
            format!(r#""headers":{{"traceparent":"{TRACE_PARENT}"}},"#)
        } else {
            String::new()
        };
        let path = format!("/coupons/{id}/issues");
        let asked_ms = self.timeline.elapsed_ms();
        let Some(answer) = self.call(call("POST", &path, user.as_str(), &traced)).await else { return };
        let what = match answer.status {
            202 => "click 202",
            403 => "click 403",
            409 => "click 409",
            410 => "click 410",
            _ => "click failed",
        };
        self.trace.note(what, user.as_str(), i64::from(answer.status));
        if !matches!(answer.status, 202 | 403 | 409 | 410) {
            return self.expect_excuse(&answer, &path);
        }
        let Answered { status, body } = answer;
        let (user_id, coupon_id, answered_ms) = (user.clone(), id.clone(), self.timeline.elapsed_ms());
        let click = Click { user_id, coupon_id, status, body, asked_ms, answered_ms };
        self.clicks.borrow_mut().push(click.clone());
        if status == 202 {
            let body = &click.body;
            let Some(ticket) = member(body, "requestId").as_str().and_then(|text| Ticket::parse(text).ok()) else {
                return self.violate(Invariant::I4, format!("a 202 without a ticket: {body}"));
            };
            let Click { coupon_id, user_id, .. } = click;
            let given = Given { coupon_id, user_id, ticket };
            self.given.borrow_mut().push(given.clone());
            self.follow(given).await;
        }
    }

    async fn follow(self: &Rc<Self>, given: Given) {
        for _poll in 0..self.dice.below(POLLS_MAX) {
            pause(&self.dice, *self.dice.pick(&[10, 300, 5_000, 40_000]).unwrap_or(&300)).await;
            if self.ask(&given).await {
                // Some keep asking although they know.
                if !self.dice.chance(300) {
                    return;
                }
            }
        }
    }

    /// Asks what became of a ticket; whether the answer is final.
    async fn ask(self: &Rc<Self>, given: &Given) -> bool {
        let path = format!("/coupons/{}/issues/{}", given.coupon_id, given.ticket);
        let asked_ms = self.timeline.elapsed_ms();
        let Some(answer) = self.call(call("GET", &path, given.user_id.as_str(), "")).await else { return false };
        if answer.status != 200 {
            self.expect_excuse(&answer, &path);
            return false;
        }
        let body = answer.body;
        let is_final = member(&body, "status") != "PENDING";
        let what = if is_final { "told the end" } else { "told pending" };
        self.trace.note(what, given.user_id.as_str(), asked_ms);
        self.told.borrow_mut().push(Told { given: given.clone(), asked_ms, body });
        is_final
    }

    async fn list(self: &Rc<Self>, user: &UserId) {
        let asked_ms = self.timeline.elapsed_ms();
        let Some(answer) = self.call(call("GET", "/me/coupons", user.as_str(), "")).await else { return };
        match (answer.status, member(&answer.body, "items").as_array()) {
            (200, Some(items)) => {
                let listed = Listed { user_id: user.clone(), asked_ms, items: items.clone() };
                self.listed.borrow_mut().push(listed);
            }
            _ => self.expect_excuse(&answer, "/me/coupons"),
        }
    }

    /// A coupon that exists is found, and nothing a caller sends is an internal error: what is left is the 503 of a
    /// store or a queue that is away, where the plan lets it be.
    pub(crate) fn expect_excuse(&self, answer: &Answered, path: &str) {
        let faults = &self.plan.faults;
        let is_excused = match (answer.status, member(&answer.body, "code").as_str()) {
            (503, Some("STORE_UNAVAILABLE")) => faults.may_lack_store(),
            (503, Some("QUEUE_UNAVAILABLE")) => {
                faults.may_lack_log() || path.split('/').any(|segment| segment == OLDER)
            }
            // A store that refuses the function (its rights, its tables) is the operator's fault.
            (500, _) => faults.refused > 0,
            _ => false,
        };
        if !is_excused {
            self.violate(Invariant::I4, format!("{path} was answered {}: {}", answer.status, answer.body));
        }
    }

    /// Writes one record into the request topic, past the API.
    pub(crate) async fn intrude(self: Rc<Self>) {
        pause(&self.dice, self.plan.rush_ms).await;
        let mut ids: Vec<&str> = self.plan.coupons.iter().map(|coupon| coupon.id.as_str()).collect();
        ids.extend(self.plan.has_older.then_some(OLDER));
        let Some(id) = self.dice.pick(&ids).copied() else { return };
        let request = |coupon: &str, user: &str| {
            format!(
                r#"{{"type":"issue","couponId":"{coupon}","userId":"{user}","requestedAt":"2026-11-20T03:00:00.123Z"}}"#
            )
        };
        let user = format!("user-{}", self.dice.below(self.plan.people));
        let right = request(id, &user);
        let values = [
            right.clone(),
            right.clone(),
            right.clone(),
            "garbage".into(),
            format!("[{right}]"),
            right.replace("\"issue\"", "\"grant\""),
            right.replace(&user, ""),
            request("nobody-made-this", &user),
            String::new(),
        ];
        let Some(value) = self.dice.pick(&values).cloned() else { return };
        let count = i32::try_from(self.topics.partition_count(&self.names.requests)).unwrap_or(1);
        let elsewhere = i32::try_from(self.dice.place(usize::try_from(count).unwrap_or(1))).unwrap_or(0);
        let keys = [Some(id), Some(id), Some(id), Some("nobody-made-this"), Some("other"), None];
        let key = self.dice.pick(&keys).copied().flatten();
        let by_key = self.home(id).unwrap_or_else(|| partition_of(id.as_bytes(), count));
        let traced = Header { name: "traceparent".into(), value: Some(Bytes::from_static(TRACE_PARENT.as_bytes())) };
        let odd = Header { name: "dlq-reason".into(), value: Some(Bytes::from_static(b"\xff\x00")) };
        let headers = [Vec::new(), vec![traced.clone()], vec![odd.clone(), odd], vec![traced]];
        let record = Record {
            topic: self.names.requests.clone(),
            partition: Some(if self.dice.chance(800) { by_key } else { elsewhere }),
            key: key.map(|key| Bytes::copy_from_slice(key.as_bytes())),
            value: (!value.is_empty() || self.dice.chance(500)).then(|| Bytes::from(value)),
            headers: self.dice.pick(&headers).cloned().unwrap_or_default(),
        };
        // The decorator of the log stamps it with the broker's clock; the weather is the functions' alone.
        let delivery = self.weather.log.produce(record).await;
        let offset = delivery.ok().and_then(|delivery| delivery.offset).unwrap_or(-1);
        self.trace.note("intruder", id, offset);
    }

    /// A coupon whose requests are in another topic, as after a move of the log.
    pub(crate) fn put_older(&self) {
        let parts = (CouponId::parse(OLDER), CouponName::parse(OLDER), Total::new(5), Partition::new(0));
        if let (Ok(coupon_id), Ok(name), Ok(total), Ok(partition)) = parts {
            let coupon = NewCoupon { coupon_id, name, total, window: Window::default() };
            self.tables.put_head(Head::new(coupon, "older-topic".into(), partition));
            self.created.borrow_mut().push(OLDER.into());
        }
    }

    fn home(&self, id: &str) -> Option<i32> {
        let head = self.tables.heads().into_iter().find(|head| head.coupon_id.as_str() == id);
        head.map(|head| head.partition.get())
    }
}
