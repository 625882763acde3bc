//! The result topic: every decision, to the byte and on its key's partition, however often (I11); nothing about what
//! was no request (I12); no two answers to one request (I5) and no two coupons for one person (I2).

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use coupon::{CouponId, IssueResult, ResultStatus, UserId};

use super::Audit;
use crate::replay::{Decided, place_of, result_of};
use crate::report::Invariant;
use crate::world::{LogRecord, Place, World};

/// How many partitions topic-setup gives the result topic; keys may lie by any count from this to today's.
const PARTITIONS_AT_FIRST: i32 = 10;

/// A record of the result topic, and what it says; `None` where that is no result.
pub(super) type Decoded<'w> = (&'w LogRecord, Option<IssueResult>);

/// Every record of the result topic.
pub(super) fn decode(world: &World) -> Vec<Decoded<'_>> {
    world.results.iter().map(|record| (record, result_of(record))).collect()
}

/// The places that the result topic speaks of.
pub(super) fn places(results: &[Decoded<'_>]) -> BTreeSet<Place> {
    results.iter().filter_map(|(_record, result)| Some(place_of(result.as_ref()?.request_id))).collect()
}

/// What was seen of one request before.
struct Seen<'w> {
    first: &'w LogRecord,
    status: ResultStatus,
}

impl Audit<'_> {
    pub(super) fn results(&mut self, results: &[Decoded<'_>]) {
        let mut seen: BTreeMap<Place, Seen<'_>> = BTreeMap::new();
        let mut won: BTreeMap<(CouponId, UserId), Place> = BTreeMap::new();
        for (record, result) in results {
            let Some(result) = result else {
                self.offend_result(record, Invariant::I11, "this is no result".into());
                continue;
            };
            let place = place_of(result.request_id);
            // What is the first one once more was judged with it.
            if self.is_beyond(place) || seen.get(&place).is_some_and(|before| is_same(record, before.first)) {
                continue;
            }
            self.result(record, result);
            self.one_win(record, result, &mut won);
            match seen.get(&place) {
                Some(before) => self.duplicate(record, result.status, before),
                None => {
                    seen.insert(place, Seen { first: record, status: result.status });
                }
            }
        }
        for place in self.replay.decided.keys().filter(|place| !seen.contains_key(place)) {
            self.offend(Invariant::I11, self.request(*place), "decided, and no result says how".into());
        }
    }

    /// One result by the decision that it speaks of.
    fn result(&mut self, record: &LogRecord, result: &IssueResult) {
        let place = place_of(result.request_id);
        if let Some(decided) = self.replay.decided.get(&place) {
            if let Err(what) = self.fits(record, decided) {
                self.offend_result(record, Invariant::I11, format!("for {place}: {what}"));
            }
        } else if self.replay.garbage.contains_key(&place) {
            self.offend_result(record, Invariant::I12, format!("{place} is no request and gets no result"));
        } else if !self.replay.left_out.contains(&place) {
            self.offend_result(record, Invariant::I11, format!("there is no request {place}"));
        } else if matches!(result.status, ResultStatus::Issued { .. }) {
            self.offend_result(record, Invariant::I11, format!("{place} was never decided"));
        }
        // What is left is a request from before its coupon's creation, redelivered behind later ones: it has no coupon
        // and is told so.
    }

    fn fits(&self, record: &LogRecord, decided: &Decided<'_>) -> Result<(), String> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let expected = decided.result_value().unwrap_or_default();
        let value = record.value.as_deref().unwrap_or_default();
        if value != expected {
            return Err(format!("{}, by the log {}", text(value), text(&expected)));
        }
        let key = decided.head.coupon_id.as_bytes();
        if record.key.as_deref() != Some(key) {
            return Err(format!("the key is {:?}", record.key.as_deref().map(text)));
        }
        let counts = PARTITIONS_AT_FIRST.min(self.world.result_partitions)..=self.world.result_partitions;
        if !counts.clone().any(|count| record_log::partition_of(key, count) == record.place.partition) {
            let right = record_log::partition_of(key, *counts.end());
            return Err(format!("on partition {}, its key's is {right}", record.place.partition));
        }
        headers_fit(record, decided.record)
    }

    fn duplicate(&mut self, record: &LogRecord, status: ResultStatus, before: &Seen<'_>) {
        let first = before.first.place;
        if status != before.status {
            self.offend_result(record, Invariant::I5, format!("says otherwise than {first} of the same request"));
        }
        let bytes = |of: &LogRecord| (of.key.clone(), of.value.clone(), of.headers.clone());
        if bytes(record) != bytes(before.first) {
            self.offend_result(record, Invariant::I11, format!("differs from {first}, of the same request"));
        }
    }

    fn one_win(&mut self, record: &LogRecord, result: &IssueResult, won: &mut BTreeMap<(CouponId, UserId), Place>) {
        if !matches!(result.status, ResultStatus::Issued { .. }) {
            return;
        }
        let place = place_of(result.request_id);
        let before = *won.entry((result.coupon_id.clone(), result.user_id.clone())).or_insert(place);
        if before != place {
            let what = format!("{} is issued {} for {place}, and was for {before}", result.user_id, result.coupon_id);
            self.offend_result(record, Invariant::I2, what);
        }
    }

    fn offend_result(&mut self, record: &LogRecord, invariant: Invariant, what: String) {
        self.offend(invariant, format!("{} {}", self.world.names.results, record.place), what);
    }
}

/// Whether a record is another one once more, on the same partition.
fn is_same(one: &LogRecord, other: &LogRecord) -> bool {
    (one.place.partition, &one.key, &one.value, &one.headers)
        == (other.place.partition, &other.key, &other.value, &other.headers)
}

/// `content-type` once, and the request's `traceparent` once if it has one. One that is none by the W3C's rules may be
/// handed on or not.
fn headers_fit(result: &LogRecord, request: &LogRecord) -> Result<(), String> {
    let (traces, others): (Vec<_>, Vec<_>) = result.headers.iter().partition(|(name, _)| name == "traceparent");
    match others.as_slice() {
        [(name, Some(value))] if name == "content-type" && value.as_ref() == b"application/json" => {}
        _ => return Err("the headers are not content-type: application/json and the request's traceparent".into()),
    }
    let given = |record: &LogRecord| -> Vec<Bytes> {
        let named = record.headers.iter().filter(|(name, _)| name == "traceparent");
        named.filter_map(|(_, value)| value.clone()).collect()
    };
    let asked = given(request);
    match (given(result).as_slice(), traces.len()) {
        ([], 0) if !asked.iter().any(|trace| is_traceparent(trace)) => Ok(()),
        ([], 0) => Err("the request's traceparent is missing".into()),
        ([trace], 1) if asked.contains(trace) => Ok(()),
        _ => Err("the traceparent is not the request's".into()),
    }
}

/// `00-<32 hex>-<16 hex>-<2 hex>` (<https://www.w3.org/TR/trace-context/#traceparent-header>).
fn is_traceparent(value: &[u8]) -> bool {
    let parts: Vec<&[u8]> = value.split(|byte| *byte == b'-').collect();
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    lengths == [2, 32, 16, 2] && parts.concat().iter().all(u8::is_ascii_hexdigit)
}
