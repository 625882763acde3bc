//! Ways to break the tables, and what people were told.

use super::world::{broken_is_found, is_right, issued, item, partition, rejected, result, told};
use crate::tickets::Told;
use crate::{Attribute, Invariant, World};

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
