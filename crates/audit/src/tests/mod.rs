//! The audit can fail: one world written by hand that is right, and one test for each way to break it. A test names the
//! invariant that must find the break; others may find it too. Here stands what the report says of a world.

mod creation;
mod tables;
mod topics;
mod world;

use serde_json::json;

use self::world::{broken_is_found, is_right, item, told, world};
use crate::tickets::{TicketLine, Told};
use crate::{Invariant, World, replay};

#[test]
fn a_world_that_is_right_is_held_to_be() {
    is_right(|_| ());
    let report = replay(&world());
    for (invariant, finding) in &report.invariants {
        let expected = if matches!(invariant, Invariant::I7 | Invariant::I10) { "not checked" } else { "held" };
        assert_eq!(finding.status(), expected, "{invariant}");
    }
}

/// Asserts that with these tickets nothing is violated, and exactly these invariants are not checked, each with what it
/// lacks.
#[track_caller]
fn unchecked_with(tickets: Option<Vec<TicketLine>>, expected: &[&str]) {
    let report = replay(&World { tickets, ..world() });
    let unchecked: Vec<_> = report.invariants.iter().filter(|(_, f)| f.status() == "not checked").collect();
    let names: Vec<String> = unchecked.iter().map(|(invariant, _)| invariant.to_string()).collect();
    assert_eq!(names, expected);
    assert!(report.ok() && unchecked.iter().all(|(_, finding)| finding.lacks.is_some()));
}

#[test]
fn without_tickets_what_people_were_told_is_not_checked() {
    unchecked_with(None, &["I4", "I5", "I7", "I10"]);
}

#[test]
fn a_file_without_a_ticket_is_no_witness() {
    unchecked_with(Some(Vec::new()), &["I4", "I5", "I7", "I10"]);
}

#[test]
fn tickets_without_an_outcome_witness_none() {
    unchecked_with(Some(vec![told("ann", 2, None), told("ann", 2, Some(Told::Pending))]), &["I5", "I7", "I10"]);
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
