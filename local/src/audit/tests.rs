//! The audit can fail: one world written by hand that is right, and one test for each way to break it. A test names the
//! invariant that must find the break; others may find it too.

use bytes::Bytes;
use coupon::Timestamp;
use serde_json::json;

use super::tickets::{TicketLine, Told};
use super::{Attribute, Ends, Invariant, LogRecord, Outstanding, Place, Report, StoredHead, StoredItem, World, replay};

const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// 2026-11-20T03:00:00.000Z and this many ms.
fn at(ms: i64) -> Timestamp {
    Timestamp::parse("2026-11-20T03:00:00Z").unwrap().plus_millis(ms)
}

fn partition() -> i32 {
    record_log::partition_of(b"spring", 10)
}

fn bytes(text: &str) -> Option<Bytes> {
    Some(Bytes::copy_from_slice(text.as_bytes()))
}

fn record(offset: i64, ms: i64, key: &str, value: &str) -> LogRecord {
    let headers = vec![("content-type".into(), bytes("application/json")), ("traceparent".into(), bytes(TRACE))];
    let place = Place { partition: partition(), offset };
    LogRecord { place, timestamp: at(ms).millis(), key: bytes(key), value: bytes(value), headers }
}

fn request(offset: i64, user: &str, ms: i64) -> LogRecord {
    let value =
        json!({"type": "issue", "couponId": "spring", "userId": user, "requestedAt": at(0).to_string()}).to_string();
    record(offset, ms, "spring", &value)
}

fn result(offset: i64, user: &str, rest: &str) -> LogRecord {
    let value = format!(r#"{{"requestId":"{}-{offset}","couponId":"spring","userId":"{user}",{rest}}}"#, partition());
    record(offset, 0, "spring", &value)
}

fn issued(rank: u64, ms: i64) -> String {
    format!(r#""status":"ISSUED","rank":{rank},"issuedAt":"{}""#, at(ms))
}

fn rejected(reason: &str) -> String {
    format!(r#""status":"REJECTED","reason":"{reason}""#)
}

fn dead(of: &LogRecord, reason: &str) -> LogRecord {
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

fn item(user: &str, offset: i64, rank: u64, ms: i64) -> StoredItem {
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

fn told(user: &str, offset: i64, status: Option<Told>) -> TicketLine {
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
fn world() -> World {
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
fn broken_is_found(by: Invariant, breaking: impl FnOnce(&mut World)) -> Report {
    let mut world = world();
    breaking(&mut world);
    let report = replay(&world);
    assert_eq!(report.invariants[&by].status(), "violated", "{report}");
    assert!(!report.ok());
    report
}

#[track_caller]
fn is_right(change: impl FnOnce(&mut World)) {
    let mut world = world();
    change(&mut world);
    let report = replay(&world);
    assert!(report.ok(), "{report}");
    assert!(Outstanding::of(&world).is_nothing());
}

#[test]
fn a_world_that_is_right_is_held_to_be() {
    is_right(|_| ());
    let report = replay(&world());
    for (invariant, finding) in &report.invariants {
        let expected = if matches!(invariant, Invariant::I7 | Invariant::I10) { "not checked" } else { "held" };
        assert_eq!(finding.status(), expected, "{invariant}");
    }
}

#[test]
fn without_tickets_what_people_were_told_is_not_checked() {
    let report = replay(&World { tickets: None, ..world() });
    let unchecked: Vec<_> = report.invariants.iter().filter(|(_, f)| f.status() == "not checked").collect();
    let names: Vec<String> = unchecked.iter().map(|(invariant, _)| invariant.to_string()).collect();
    assert_eq!(names, ["I4", "I5", "I7", "I10"]);
    assert!(report.ok() && unchecked.iter().all(|(_, finding)| finding.lacks.is_some()));
}

#[test]
fn the_json_has_the_contracts_members() {
    let report = broken_is_found(Invariant::I8, |world| world.items[0].user_id = "eve".into());
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["ok"], false);
    assert_eq!(json["invariants"]["I7"]["status"], "not checked");
    assert_eq!(json["invariants"]["I12"], json!({"status": "held", "offending": []}));
    assert_eq!(json["invariants"]["I8"]["offending"][0]["where"], "user-coupons eve spring");
    assert_eq!(json["invariants"].as_object().unwrap().len(), 12);
}

#[test]
fn the_page_shows_a_few_offenders_and_counts_the_rest() {
    let report = broken_is_found(Invariant::I8, |world| {
        world.items.extend((0..30).map(|n| item(&format!("eve-{n}"), 100 + n, 9, 120)));
    });
    let page = report.to_string();
    assert!(page.contains("and 20 more"), "{page}");
    assert_eq!(page.matches("user-coupons eve-").count(), 20, "ten of I8, ten of I3: {page}");
}

#[test]
fn a_head_that_issued_more_than_there_are_is_found() {
    broken_is_found(Invariant::I1, |world| (world.heads[0].issued, world.heads[0].remaining) = (4, -1));
    broken_is_found(Invariant::I1, |world| world.items.push(item("eve", 6, 4, 150)));
}

#[test]
fn a_second_coupon_of_one_person_is_found() {
    broken_is_found(Invariant::I2, |world| world.items.push(item("ann", 3, 4, 130)));
    broken_is_found(Invariant::I2, |world| world.results.push(result(3, "ann", &issued(2, 130))));
}

#[test]
fn winners_out_of_order_are_found() {
    broken_is_found(Invariant::I3, |world| {
        world.items[0] = item("ann", 2, 2, 120);
        world.items[1] = item("bob", 4, 1, 130);
    });
}

#[test]
fn a_hole_in_the_ranks_is_found() {
    broken_is_found(Invariant::I3, |world| world.items[2] = item("dan", 5, 4, 140));
    broken_is_found(Invariant::I3, |world| drop(world.items.remove(1)));
}

#[test]
fn a_winner_passed_over_for_a_later_one_is_found() {
    broken_is_found(Invariant::I3, |world| world.items[1] = item("cho", 6, 2, 150));
}

#[test]
fn a_ticket_without_an_outcome_is_found() {
    let give = |user, offset| move |world: &mut World| world.tickets.as_mut().unwrap().push(told(user, offset, None));
    broken_is_found(Invariant::I4, give("ann", 8));
    broken_is_found(Invariant::I4, give("ann", 1));
    broken_is_found(Invariant::I4, give("eve", 2));
    broken_is_found(Invariant::I4, |world| world.heads[0].applied = 5);
}

#[test]
fn an_answer_that_changed_is_found() {
    let answer = |user, offset, status| {
        move |world: &mut World| world.tickets.as_mut().unwrap().push(told(user, offset, Some(status)))
    };
    broken_is_found(Invariant::I5, answer("ann", 2, Told::Rejected));
    broken_is_found(Invariant::I5, answer("cho", 6, Told::Issued));
    broken_is_found(Invariant::I5, |world| world.results.push(result(6, "cho", &rejected("CLOSED"))));
    is_right(answer("ann", 2, Told::Pending));
}

#[test]
fn a_head_that_does_not_add_up_is_found() {
    broken_is_found(Invariant::I6, |world| world.heads[0].remaining = 1);
    broken_is_found(Invariant::I6, |world| world.heads[0].issued = i64::MAX);
}

#[test]
fn each_count_of_a_head_is_held_to_the_log() {
    broken_is_found(Invariant::I8, |world| (world.heads[0].total, world.heads[0].remaining) = (4, 1));
    broken_is_found(Invariant::I8, |world| world.heads[0].applied = 6);
    broken_is_found(Invariant::I8, |world| world.heads[0].clock -= 1);
    broken_is_found(Invariant::I8, |world| drop(world.heads[0].epochs.pop()));
    broken_is_found(Invariant::I8, |world| world.heads[0].epochs[1].1 = "SOLD_OUT".into());
    broken_is_found(Invariant::I8, |world| world.heads[0].version = 0);
    broken_is_found(Invariant::I8, |world| world.heads[0].version = 8);
}

#[test]
fn each_byte_of_an_item_is_held_to_the_log() {
    let set = |name: &str, value: Attribute| {
        broken_is_found(Invariant::I8, |world| drop(world.items[1].attributes.insert(name.into(), value)));
    };
    set("requestId", Attribute::Text(format!("{}-3", partition())));
    set("rank", Attribute::Number("02".into()));
    set("rank", Attribute::Text("2".into()));
    set("issuedAt", Attribute::Text("2026-11-20T03:00:00.13Z".into()));
    set("colour", Attribute::Text("red".into()));
    broken_is_found(Invariant::I8, |world| drop(world.items[1].attributes.remove("issuedAt")));
    broken_is_found(Invariant::I8, |world| drop(world.items.pop()));
    broken_is_found(Invariant::I8, |world| world.items[0].coupon_id = "winter".into());
}

#[test]
fn an_issue_outside_the_window_is_found() {
    broken_is_found(Invariant::I9, |world| world.items[0] = item("ann", 2, 1, 99));
    broken_is_found(Invariant::I9, |world| world.items[0] = item("ann", 2, 1, 1000));
    // The item claims a moment inside; its request met the clock outside.
    broken_is_found(Invariant::I9, |world| world.items[0] = item("ann", 0, 1, 100));
}

#[test]
fn a_decision_without_a_result_is_found() {
    broken_is_found(Invariant::I11, |world| drop(world.results.remove(0)));
    let mut owing = world();
    owing.results.remove(0);
    assert_eq!(Outstanding::of(&owing).unpublished, 1);
}

#[test]
fn a_result_that_is_not_the_decisions_is_found() {
    broken_is_found(Invariant::I11, |world| world.results[0] = result(0, "ann", &rejected("CLOSED")));
    broken_is_found(Invariant::I11, |world| world.results.push(result(9, "ann", &rejected("CLOSED"))));
    broken_is_found(Invariant::I11, |world| world.results[4] = result(4, "bob", &issued(2, 110)));
    broken_is_found(Invariant::I11, |world| world.results[0].key = bytes("sprung"));
    broken_is_found(Invariant::I11, |world| world.results[0].key = None);
    broken_is_found(Invariant::I11, |world| world.results[0].place.partition = (partition() + 1) % 10);
    broken_is_found(Invariant::I11, |world| world.results[0].value = None);
    let spaced = |value: &Bytes| bytes(&String::from_utf8_lossy(value).replace(":", ": "));
    broken_is_found(Invariant::I11, |world| world.results[0].value = spaced(world.results[0].value.as_ref().unwrap()));
}

#[test]
fn the_headers_of_a_result_are_held_to_its_requests() {
    broken_is_found(Invariant::I11, |world| drop(world.results[0].headers.pop()));
    broken_is_found(Invariant::I11, |world| drop(world.results[0].headers.remove(0)));
    broken_is_found(Invariant::I11, |world| world.results[0].headers[1].1 = bytes(&TRACE.replace("0af", "0bf")));
    broken_is_found(Invariant::I11, |world| world.requests[0].headers.truncate(1));
    broken_is_found(Invariant::I11, |world| world.results[0].headers.push(("x".into(), None)));
    // Two of one request, each right by itself.
    broken_is_found(Invariant::I11, |world| world.results[2].headers.reverse());
    is_right(|world| {
        world.requests[0].headers.truncate(1);
        world.results[0].headers.truncate(1);
    });
}

#[test]
fn garbage_that_disappeared_is_found() {
    broken_is_found(Invariant::I12, |world| drop(world.dead_letters.pop()));
    let mut owing = world();
    owing.dead_letters.pop();
    assert_eq!(Outstanding::of(&owing).unlettered, 1);
}

#[test]
fn a_dead_letter_that_was_touched_is_found() {
    broken_is_found(Invariant::I12, |world| world.dead_letters[0].value = bytes("[2]"));
    broken_is_found(Invariant::I12, |world| world.dead_letters[0].key = None);
    broken_is_found(Invariant::I12, |world| drop(world.dead_letters[0].headers.remove(0)));
    broken_is_found(Invariant::I12, |world| world.dead_letters[0].headers.swap(2, 3));
    broken_is_found(Invariant::I12, |world| world.dead_letters[0].headers[2].1 = bytes("invalid"));
    broken_is_found(Invariant::I12, |world| world.dead_letters[0].headers[5].1 = bytes("01"));
    broken_is_found(Invariant::I12, |world| world.dead_letters[0].headers[5].1 = bytes("99"));
    is_right(|world| world.dead_letters.push(world.dead_letters[0].clone()));
    // A mapping cannot hand over a null header as such.
    is_right(|world| (world.requests[1].headers[0].1, world.dead_letters[0].headers[0].1) = (None, bytes("")));
}

#[test]
fn a_request_among_the_dead_letters_is_found() {
    broken_is_found(Invariant::I12, |world| world.dead_letters.push(dead(&world.requests[2], "invalid")));
    broken_is_found(Invariant::I12, |world| world.results.push(result(1, "ann", &rejected("SOLD_OUT"))));
}

#[test]
fn every_reason_is_recognised_and_the_first_one_counts() {
    let right = String::from_utf8_lossy(request(0, "eve", 60).value.as_ref().unwrap()).into_owned();
    let cases = [
        ("spring", "".to_owned(), "undecodable"),
        ("spring", format!("[{right}]"), "undecodable"),
        ("spring", right.replace("\"userId\"", "\"user\""), "undecodable"),
        ("spring", right.replace("\"eve\"", "17"), "undecodable"),
        ("other", right.replace("issue\"", "grant\"").replace("eve", ""), "unknown-type"),
        ("other", right.replace("eve", "e v e"), "invalid"),
        ("other", right.replace("2026-", "2026/"), "invalid"),
        ("other", right.clone(), "key-mismatch"),
        ("winter", right.replace("spring", "winter"), "unknown-coupon"),
    ];
    for (key, value, reason) in cases {
        let garbage = record(1, 60, key, &value);
        is_right(|world| (world.requests[1], world.dead_letters[0]) = (garbage.clone(), dead(&garbage, reason)));
        let wrong = if reason == "undecodable" { "invalid" } else { "undecodable" };
        broken_is_found(Invariant::I12, |world| {
            (world.requests[1], world.dead_letters[0]) = (garbage.clone(), dead(&garbage, wrong));
        });
    }
    is_right(|world| {
        let mut elsewhere = request(0, "eve", 60);
        elsewhere.place.partition = partition() + 1;
        world.dead_letters.push(dead(&elsewhere, "wrong-partition"));
        world.requests.push(elsewhere);
        let other_log = StoredHead { coupon_id: "autumn".into(), log: "older".into(), ..world.heads[0].clone() };
        world.heads.push(other_log);
        let autumn = right.replace("spring", "autumn");
        let mut moved = record(1, 60, "autumn", &autumn);
        moved.place.partition = partition() + 1;
        world.dead_letters.push(dead(&moved, "wrong-log"));
        world.requests.push(moved);
    });
}

/// Offset 0 came before the coupon was created and lies in the dead-letter topic.
fn early(world: &mut World) {
    world.dead_letters.push(dead(&world.requests[0], "unknown-coupon"));
}

#[test]
fn a_request_from_before_the_creation_does_not_count() {
    is_right(|world| {
        early(world);
        world.results.remove(0);
        world.heads[0].epochs.remove(0);
        world.heads[0].epochs.remove(0);
        world.requests[0].timestamp = at(105).millis();
    });
}

#[test]
fn redelivered_after_the_creation_it_counts() {
    is_right(early);
    let as_winner = |world: &mut World| {
        world.requests[0] = request(0, "ann", 120);
        early(world);
        world.heads[0].epochs.drain(..2);
        world.items[0] = item("ann", 0, 1, 120);
        world.results[0] = result(0, "ann", &issued(1, 120));
        world.results[1] = result(2, "ann", &rejected("ALREADY_ISSUED"));
        world.results[2] = world.results[1].clone();
        world.tickets = None;
    };
    is_right(as_winner);
    // Without its result, the item alone says that it counts.
    let report = broken_is_found(Invariant::I11, |world| {
        as_winner(world);
        world.results.remove(0);
    });
    assert_eq!(report.invariants[&Invariant::I8].status(), "held", "{report}");
}

#[test]
fn redelivered_behind_later_requests_it_is_told_that_it_has_none() {
    let late = |world: &mut World| {
        world.requests[0] = request(0, "eve", 105);
        early(world);
        world.results[0] = result(0, "eve", &rejected("ALREADY_ISSUED"));
        world.heads[0].epochs.drain(..2);
    };
    is_right(late);
    broken_is_found(Invariant::I11, |world| {
        late(world);
        world.results[0] = result(0, "eve", &issued(1, 105));
    });
}

#[test]
fn what_came_in_behind_the_ends_is_not_judged() {
    is_right(|world| {
        // The ends were taken before cho asked; the tables were read after ann had asked the last time.
        world.ends.get_mut(&partition()).unwrap().judged = 5;
        world.requests.truncate(5);
        world.tickets.as_mut().unwrap().pop();
    });
    broken_is_found(Invariant::I8, |world| {
        world.ends.get_mut(&partition()).unwrap().judged = 5;
        world.requests.truncate(5);
        world.heads[0].epochs.remove(0);
    });
}

#[test]
fn an_undecided_request_is_waited_for() {
    let mut waiting = world();
    waiting.heads[0].applied = 4;
    let outstanding = Outstanding::of(&waiting);
    assert_eq!(outstanding.undecided, [("spring".to_owned(), Place { partition: partition(), offset: 5 })]);
}
