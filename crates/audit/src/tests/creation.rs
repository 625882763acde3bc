//! Requests from before their coupon's creation, and those that came in while the rest was read.

use super::world::{at, broken_is_found, dead, is_right, issued, item, partition, rejected, request, result, world};
use crate::{Invariant, Outstanding, Place, World};

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
fn told_the_same_as_by_deciding_it_counts_or_not_by_what_the_others_have() {
    let late = |world: &mut World| world.dead_letters.push(dead(&world.requests[3], "unknown-coupon"));
    is_right(late);
    // Not decided, it moved no clock: bob's coupon is from when ann's was.
    let not_decided = |world: &mut World| {
        late(world);
        world.items[1] = item("bob", 4, 2, 120);
        world.results[4] = result(4, "bob", &issued(2, 120));
    };
    is_right(not_decided);
    // Only one of the two can be.
    broken_is_found(Invariant::I11, |world| {
        late(world);
        world.results[4] = result(4, "bob", &issued(2, 120));
    });
    broken_is_found(Invariant::I8, |world| {
        not_decided(world);
        world.heads[0].remaining = 1;
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
