//! Ways to break the result topic and the dead-letter topic.

use bytes::Bytes;

use super::world::{
    TRACE, broken_is_found, bytes, dead, is_right, issued, partition, record, rejected, request, result, world,
};
use crate::{Invariant, Outstanding, StoredHead};

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
