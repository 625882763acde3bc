//! The end of a rush: the audit of the world as it is left, with the very code of `cargo local audit`; and what only the
//! simulation can witness, which is every answer that was given and two more redeliveries of everything.

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    sync::PoisonError,
};

use audit::{
    Ends, Invariant, LogRecord, Outstanding, Place, StoredHead, StoredItem,
    tickets::{TicketLine, Told as ToldStatus},
};
use coupon::{Head, IssueResult, IssuedCoupon, Reason, ResultStatus, Ticket};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    people::{body, call, member},
    world::{Told, Violation, World},
};

/// How old a head may be that a call is answered from, ms.
const HEAD_AGE_MS: i64 = 250;

/// What dead letters are counted as: the reason behind a word.
const DEAD_LETTERS: [&str; 7] = [
    "letter undecodable",
    "letter unknown-type",
    "letter invalid",
    "letter key-mismatch",
    "letter unknown-coupon",
    "letter wrong-log",
    "letter wrong-partition",
];

/// The tables at a moment.
pub(crate) type Tables = (Vec<Head>, Vec<IssuedCoupon>);

impl World {
    pub(crate) fn tables_now(&self) -> Tables {
        (self.tables.heads(), self.tables.items())
    }

    /// Whether a dead letter names a coupon that was not there, and may be by now.
    pub(crate) fn has_early_requests(&self) -> bool {
        let unknown = |header: &record_log::Header| {
            header.name == "dlq-reason" && header.value.as_deref() == Some(b"unknown-coupon")
        };
        let letters = self.topics.read(&self.names.dead_letters, 0, 0);
        letters.iter().any(|letter| letter.record.headers.iter().any(unknown))
    }

    /// Says where the tables changed although nothing new was in the log.
    pub(crate) fn expect_unchanged(&self, before: &Tables, invariant: Invariant) {
        let after = self.tables_now();
        // A head that is new was created by a call that was frozen until now.
        for head in before.0.iter().filter(|head| !after.0.contains(head)) {
            let now = after.0.iter().find(|other| other.coupon_id == head.coupon_id);
            self.violate(invariant, format!("the head of {} was {head:?}, is {now:?}", head.coupon_id));
        }
        if before.1 != after.1 {
            let counts = (before.1.len(), after.1.len());
            self.violate(invariant, format!("there were {} items, now {}, or other ones", counts.0, counts.1));
        }
    }

    /// Asks for every ticket once more, of an environment that has cached nothing.
    pub(crate) async fn ask_for_every_ticket(self: &Rc<Self>) {
        let given = self.given.borrow().clone();
        let api = self.new_api();
        for given in given {
            let path = format!("/coupons/{}/issues/{}", given.coupon_id, given.ticket);
            let answer = api.handle(&call("GET", &path, given.user_id.as_str(), "")).await;
            let body = body(&answer);
            if answer.status() != 200 || member(&body, "status") == "PENDING" {
                self.violate(Invariant::I4, format!("{} {path} ends as {body}", given.user_id));
            }
            self.told.borrow_mut().push(Told { given, asked_ms: self.timeline.elapsed_ms(), body });
        }
    }

    /// Judges everything; gives what is broken, and how many requests were decided.
    pub(crate) fn judge(&self) -> (Vec<Violation>, usize) {
        let world = self.as_audited();
        let decided = self.audit(&world);
        self.judge_answers(&world);
        (self.violations.take(), decided)
    }

    /// The audit of the world as it is now; gives how many requests were decided.
    pub(crate) fn audit(&self, world: &audit::World) -> usize {
        let report = audit::replay(world);
        let outstanding = Outstanding::of(world);
        for (invariant, finding) in &report.invariants {
            for offence in &finding.offending {
                self.violate(*invariant, format!("{}: {}", offence.place, offence.what));
            }
        }
        if !outstanding.is_nothing() {
            self.violate(Invariant::I4, format!("the log is drained, and still: {outstanding:?}"));
        }
        report.looked.requests
    }

    pub(crate) fn as_audited(&self) -> audit::World {
        let end = |partition: i32| {
            let end = self.topics.end(&self.names.requests, partition);
            (partition, Ends { judged: end, latest: end })
        };
        let line = |given: &crate::world::Given, status| TicketLine {
            coupon_id: given.coupon_id.clone(),
            user_id: given.user_id.clone(),
            request_id: given.ticket,
            status,
        };
        let given = self.given.borrow().iter().map(|given| line(given, None)).collect::<Vec<_>>();
        let status = |told: &Told| ToldStatus::deserialize(member(&told.body, "status")).ok();
        let told = self.told.borrow().iter().map(|told| line(&told.given, status(told))).collect::<Vec<_>>();
        audit::World {
            names: (*self.names).clone(),
            tickets: Some(given.into_iter().chain(told).collect()),
            ends: self.partitions().into_iter().map(end).collect(),
            requests: self.records(&self.names.requests),
            items: self.tables.items().iter().map(StoredItem::from).collect(),
            heads: self.tables.heads().iter().map(StoredHead::from).collect(),
            results: self.records(&self.names.results),
            result_partitions: i32::try_from(self.topics.partition_count(&self.names.results)).unwrap_or(0),
            dead_letters: self.records(&self.names.dead_letters),
        }
    }

    fn records(&self, topic: &str) -> Vec<LogRecord> {
        let count = i32::try_from(self.topics.partition_count(topic)).unwrap_or(0);
        let of = |partition: i32| {
            self.topics.read(topic, partition, 0).into_iter().map(move |logged| LogRecord {
                place: Place { partition, offset: logged.offset },
                timestamp: logged.timestamp,
                key: logged.record.key,
                value: logged.record.value,
                headers: logged.record.headers.into_iter().map(|header| (header.name, header.value)).collect(),
            })
        };
        (0..count).flat_map(of).collect()
    }

    /// Every answer against what it came to in the end, to the last member.
    fn judge_answers(&self, world: &audit::World) {
        let results: BTreeMap<Ticket, ResultStatus> = world
            .results
            .iter()
            .filter_map(|record| serde_json::from_slice::<IssueResult>(record.value.as_deref()?).ok())
            .map(|result| (result.request_id, result.status))
            .collect();
        let items: BTreeMap<(String, String), Value> = self
            .tables
            .items()
            .iter()
            .map(|item| {
                let key = (item.user_id.to_string(), item.coupon_id.to_string());
                (key, json!({"requestId": item.ticket, "rank": item.rank, "issuedAt": item.issued_at}))
            })
            .collect();
        let held = |user: &str, coupon: &str| items.get(&(user.to_owned(), coupon.to_owned()));
        for Told { given, body, .. } in
            self.told.borrow().iter().filter(|told| member(&told.body, "status") != "PENDING")
        {
            let right = results.get(&given.ticket).and_then(|status| serde_json::to_value(status).ok());
            let right = right.unwrap_or_default();
            let differs =
                ["status", "rank", "issuedAt", "reason"].iter().any(|name| member(body, name) != member(&right, name));
            let coupon = member(body, "coupon");
            let is_held = coupon.is_null() || held(given.user_id.as_str(), given.coupon_id.as_str()) == Some(coupon);
            if differs || !is_held {
                self.violate(Invariant::I5, format!("{} was told {body}, the result is {right}", given.ticket));
            }
        }
        for (user, coupon, body) in self.refused.borrow().iter() {
            self.judge_refusal(user.as_str(), coupon, body, held(user.as_str(), coupon));
        }
        for (user, item) in self.listed.borrow().iter() {
            let coupon = member(item, "couponId").as_str().unwrap_or_default();
            let same = held(user.as_str(), coupon).is_some_and(|right| {
                ["requestId", "rank", "issuedAt"].iter().all(|name| member(item, name) == member(right, name))
            });
            if !same {
                self.violate(Invariant::I5, format!("{user} saw {item} in the list of coupons"));
            }
        }
        self.judge_tickets();
        self.judge_patience();
        self.note_ends(world);
    }

    /// `PENDING` is told no longer than a head may be cached, once the ticket is decided. Only where clocks go right and
    /// no call is frozen in the middle.
    fn judge_patience(&self) {
        let faults = self.plan.faults;
        if faults.clock_jumps > 0 || faults.api_freeze > 0 {
            return;
        }
        let applied = self.weather.store.applied.lock().unwrap_or_else(PoisonError::into_inner);
        for told in self.told.borrow().iter().filter(|told| member(&told.body, "status") == "PENDING") {
            let commits = applied.get(&told.given.coupon_id).map(Vec::as_slice).unwrap_or_default();
            let decided = commits.iter().find(|(applied, _at)| *applied >= told.given.ticket.offset);
            let Some((_applied, at)) = decided.filter(|(_applied, at)| told.asked_ms >= at.saturating_add(HEAD_AGE_MS))
            else {
                continue;
            };
            let (ticket, asked) = (told.given.ticket, told.asked_ms);
            self.violate(Invariant::I4, format!("{ticket} was PENDING at {asked} ms, and decided at {at} ms"));
        }
    }

    /// Counts what the requests came to.
    fn note_ends(&self, world: &audit::World) {
        let results = world.results.iter().filter_map(|record| record.value.as_deref());
        for result in results.filter_map(|value| serde_json::from_slice::<IssueResult>(value).ok()) {
            let what = match result.status {
                ResultStatus::Issued { .. } => "result issued",
                ResultStatus::Rejected { reason: Reason::AlreadyIssued } => "result already issued",
                ResultStatus::Rejected { reason: Reason::SoldOut } => "result sold out",
                ResultStatus::Rejected { reason: Reason::NotOpen } => "result not open",
                ResultStatus::Rejected { reason: Reason::Closed } => "result closed",
            };
            self.trace.note(what, "", result.request_id.offset.get());
        }
        let reason = |letter: &LogRecord| {
            let (_name, value) = letter.headers.iter().rev().find(|(name, _value)| name == "dlq-reason")?;
            DEAD_LETTERS.iter().find(|what| what.strip_prefix("letter ").map(str::as_bytes) == value.as_deref())
        };
        for what in world.dead_letters.iter().filter_map(reason) {
            self.trace.note(what, "", 0);
        }
    }

    fn judge_refusal(&self, user: &str, coupon: &str, body: &Value, held: Option<&Value>) {
        let is_right = match member(body, "code").as_str() {
            Some("ALREADY_ISSUED") => held == Some(member(body, "coupon")),
            Some("SOLD_OUT") => {
                self.tables.heads().iter().any(|head| head.coupon_id.as_str() == coupon && head.remaining == 0)
            }
            // By the clock of an environment, which may be wrong.
            Some("CLOSED") => true,
            _ => false,
        };
        if !is_right {
            self.violate(Invariant::I5, format!("{user} was refused {coupon} with {body}, and it is not so"));
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
