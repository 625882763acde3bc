//! One world written by hand that is right, and what to break it with.

use bytes::Bytes;
use coupon::Timestamp;
use serde_json::json;

use crate::tickets::{TicketLine, Told};
use crate::{Attribute, Ends, Invariant, LogRecord, Outstanding, Place, Report, StoredHead, StoredItem, World, replay};

pub(super) const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// 2026-11-20T03:00:00.000Z and this many ms.
pub(super) fn at(ms: i64) -> Timestamp {
    Timestamp::parse("2026-11-20T03:00:00Z").unwrap().plus_millis(ms)
}

pub(super) fn partition() -> i32 {
    record_log::partition_of(b"spring", 10)
}

pub(super) fn bytes(text: &str) -> Option<Bytes> {
    Some(Bytes::copy_from_slice(text.as_bytes()))
}

pub(super) fn record(offset: i64, ms: i64, key: &str, value: &str) -> LogRecord {
    let headers = vec![("content-type".into(), bytes("application/json")), ("traceparent".into(), bytes(TRACE))];
    let place = Place { partition: partition(), offset };
    LogRecord { place, timestamp: at(ms).millis(), key: bytes(key), value: bytes(value), headers }
}

pub(super) fn request(offset: i64, user: &str, ms: i64) -> LogRecord {
    let value =
        json!({"type": "issue", "couponId": "spring", "userId": user, "requestedAt": at(0).to_string()}).to_string();
    record(offset, ms, "spring", &value)
}

pub(super) fn result(offset: i64, user: &str, rest: &str) -> LogRecord {
    let value = format!(r#"{{"requestId":"{}-{offset}","couponId":"spring","userId":"{user}",{rest}}}"#, partition());
    record(offset, 0, "spring", &value)
}

pub(super) fn issued(rank: u64, ms: i64) -> String {
    format!(r#""status":"ISSUED","rank":{rank},"issuedAt":"{}""#, at(ms))
}

pub(super) fn rejected(reason: &str) -> String {
    format!(r#""status":"REJECTED","reason":"{reason}""#)
}

pub(super) fn dead(of: &LogRecord, reason: &str) -> LogRecord {
    let mut dead = of.clone();
    let place = of.place;
    for (name, value) in [
        ("dlq-reason", reason),
        ("dlq-topic", "coupon-issue-request"),
        ("dlq-partition", &place.partition.to_string()),
        ("dlq-offset", &place.offset.to_string()),
    ] {
        dead.headers.push((name.into(), bytes(value)));
    }
    dead
}

pub(super) fn item(user: &str, offset: i64, rank: u64, ms: i64) -> StoredItem {
    let attributes = [
        ("requestId", Attribute::Text(format!("{}-{offset}", partition()))),
        ("rank", Attribute::Number(rank.to_string())),
        ("issuedAt", Attribute::Text(at(ms).to_string())),
    ];
    StoredItem {
        user_id: user.into(),
        coupon_id: "spring".into(),
        attributes: attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
    }
}

pub(super) fn told(user: &str, offset: i64, status: Option<Told>) -> TicketLine {
    let line = json!({"couponId": "spring", "userId": user, "requestId": format!("{}-{offset}", partition())});
    TicketLine { status, ..serde_json::from_value(line).unwrap() }
}

/// Three coupons from 100 ms on, until 1,000 ms.
///
/// | offset | who | at | comes to |
/// | --- | --- | --- | --- |
/// | 0 | ann | 50 | `NOT_OPEN` |
/// | 1 | nobody | 60 | undecodable |
/// | 2 | ann | 120 | rank 1 |
/// | 3 | ann | 130 | `ALREADY_ISSUED` |
/// | 4 | bob | 110 | rank 2, at 130: the clock does not go back |
/// | 5 | dan | 140 | rank 3 |
/// | 6 | cho | 150 | `SOLD_OUT` |
/// | 7 | ann | 1000 | `CLOSED` |
pub(super) fn world() -> World {
    let head = StoredHead {
        coupon_id: "spring".into(),
        total: 3,
        remaining: 0,
        issued: 3,
        opens_at: Some(at(100)),
        closes_at: Some(at(1000)),
        log: "coupon-issue-request".into(),
        partition: partition(),
        version: 4,
        applied: 7,
        epochs: [(0, "NOT_OPEN"), (2, "OPEN"), (6, "SOLD_OUT"), (7, "CLOSED")].map(|(at, p)| (at, p.into())).into(),
        clock: at(1000).millis(),
    };
    let requests: Vec<LogRecord> = vec![
        request(0, "ann", 50),
        record(1, 60, "spring", "[1]"),
        request(2, "ann", 120),
        request(3, "ann", 130),
        request(4, "bob", 110),
        request(5, "dan", 140),
        request(6, "cho", 150),
        request(7, "ann", 1000),
    ];
    World {
        ends: [(partition(), Ends { judged: 8, latest: 8 })].into(),
        dead_letters: vec![dead(&requests[1], "undecodable")],
        requests,
        items: vec![item("ann", 2, 1, 120), item("bob", 4, 2, 130), item("dan", 5, 3, 140)],
        heads: vec![head],
        results: vec![
            result(0, "ann", &rejected("NOT_OPEN")),
            result(2, "ann", &issued(1, 120)),
            result(2, "ann", &issued(1, 120)),
            result(3, "ann", &rejected("ALREADY_ISSUED")),
            result(4, "bob", &issued(2, 130)),
            result(5, "dan", &issued(3, 140)),
            result(6, "cho", &rejected("SOLD_OUT")),
            result(7, "ann", &rejected("CLOSED")),
        ],
        result_partitions: 10,
        tickets: Some(vec![told("ann", 2, None), told("ann", 2, Some(Told::Issued)), told("cho", 6, None)]),
        ..World::default()
    }
}

#[track_caller]
pub(super) fn broken_is_found(by: Invariant, breaking: impl FnOnce(&mut World)) -> Report {
    let mut world = world();
    breaking(&mut world);
    let report = replay(&world);
    assert_eq!(report.invariants[&by].status(), "violated", "{report}");
    assert!(!report.ok());
    report
}

#[track_caller]
pub(super) fn is_right(change: impl FnOnce(&mut World)) {
    let mut world = world();
    change(&mut world);
    let report = replay(&world);
    assert!(report.ok(), "{report}");
    assert!(Outstanding::of(&world).is_nothing());
}
