//! What is put together of made-up runs, which other tests make, too.

use std::collections::BTreeMap;

use super::*;
use crate::columns::told_ms;
use crate::data::{Machine, Percentiles, Units, Verdict};

pub(crate) fn check(held: bool) -> Check {
    Check { name: "nobody has two".into(), held, found: "user-7 has 2".into() }
}

/// A thousand accepted in two seconds, decided in four.
pub(crate) fn run(system: &str, profile: &str, round: u32) -> Run {
    Run {
        system: system.into(),
        profile: profile.into(),
        round,
        seconds: 2.0,
        asked: 1000,
        accepted: 1000,
        issued: 1000,
        decided_seconds: Some(4.0),
        verdict: Verdict { checks: vec![check(true)], flaws: Vec::new() },
        ..Run::default()
    }
}

pub(crate) fn benchmark(runs: Vec<Run>) -> Benchmark {
    let system = |id: &str| System { id: id.into(), name: format!("{id}'s name"), says: "what it is".into() };
    let profile = |id: &str| {
        let (name, says) = (format!("the {id}"), "what it does".into());
        ProfileInfo { id: id.into(), name, says, counted: None, gives_way_ms: (id == "rush").then_some(500) }
    };
    Benchmark {
        taken_at: "2026-11-28T20:00:00Z".into(),
        seconds: 100.0,
        command: "cargo local bench --full".into(),
        build: "dev".into(),
        interrupted: false,
        machine: Machine::default(),
        versions: BTreeMap::new(),
        systems: ["redis", "hybrid", "ours", "emulated"].map(system).to_vec(),
        profiles: ["seeds", "rush", "sustained", "hot", "duplicates", "bots", "sellout"].map(profile).to_vec(),
        runs,
        remarks: Vec::new(),
    }
}

#[test]
fn times_come_from_timed_runs_and_units_from_metered_ones() {
    let mut metered = run("ours", "rush", 1);
    (metered.metered, metered.seconds) = (true, 100.0);
    metered.units = Some(Units { read: 500.0, write: 2020.0 });
    let benchmark = benchmark(vec![run("ours", "rush", 1), metered]);
    let cell = Summary::new(&benchmark).unwrap().cell("ours", "rush").unwrap();
    assert_eq!(cell.accepted_per_second().unwrap().median, 500.0);
    assert_eq!(cell.decided_per_second().unwrap().median, 250.0, "a queue that is not worked off does not count");
    assert_eq!(cell.write_units_per_coupon().unwrap().median, 2.02);
    assert_eq!(cell.read_units_per_coupon().unwrap().median, 0.5);
}

#[test]
fn one_wrong_round_makes_the_cell_wrong_and_names_what_broke_once() {
    let mut wrong = run("redis", "rush", 2);
    wrong.verdict.checks = vec![check(false)];
    let mut flawed = run("redis", "rush", 1);
    flawed.verdict.flaws = vec!["a rank twice".into()];
    let benchmark = benchmark(vec![flawed, wrong.clone(), wrong]);
    let cell = Summary::new(&benchmark).unwrap().cell("redis", "rush").unwrap();
    assert!(!cell.is_correct());
    assert_eq!(cell.flaws(), ["a rank twice"], "and its run was right");
    assert_eq!(cell.correct_runs(), (1, 3));
    assert_eq!(cell.broken(), [&check(false)]);
}

#[test]
fn a_figure_of_those_who_gave_up_has_no_end() {
    let told = |gave_up| {
        let ms = Percentiles { count: 10, mean: 9.0, p50: 9.0, p95: 9.0, p99: 9.0, p999: 9.0, max: 9.0 };
        Run { told_ms: Some(ms), gave_up: Some(gave_up), ..run("hybrid", "rush", 1) }
    };
    let figures = |runs| {
        let benchmark = benchmark(runs);
        let cell = Summary::new(&benchmark).unwrap().cell("hybrid", "rush").unwrap();
        (told_ms(&cell, 50.0, |ms| ms.p50).unwrap(), told_ms(&cell, 99.0, |ms| ms.p99).unwrap())
    };
    let (half, most) = figures(vec![told(5)]);
    assert_eq!((half.median, most.median), (9.0, f64::INFINITY), "half of them knew");
    assert_eq!(figures(vec![told(6)]).0.median, f64::INFINITY);
    let (median, _) = figures(vec![told(6), told(0), told(0)]);
    assert_eq!((median.median, median.max), (9.0, f64::INFINITY));
}

#[test]
fn a_run_that_nobody_judged_is_not_correct() {
    let mut unjudged = run("ours", "rush", 1);
    unjudged.verdict = Verdict::default();
    let benchmark = benchmark(vec![unjudged]);
    assert!(!Summary::new(&benchmark).unwrap().cell("ours", "rush").unwrap().is_correct());
}

#[test]
fn a_figure_is_compared_with_as_at_the_same_rate() {
    let at = |system: &str, rate: f64, accepted| Run { offered: Some(rate), accepted, ..run(system, "rush", 1) };
    let mut runs = vec![at("redis", 100.0, 1000), at("redis", 200.0, 4000), at("ours", 200.0, 2000)];
    runs.extend([run("ours", "seeds", 1), Run { accepted: 0, ..run("redis", "seeds", 1) }]);
    let ratio = |runs: Vec<Run>, profile: usize, system: &str| {
        let benchmark = benchmark(runs);
        let summary = Summary::new(&benchmark).unwrap();
        let cells = summary.cells(&benchmark.profiles[profile]);
        let cell = cells.iter().rev().find(|cell| cell.system.id == system).unwrap();
        summary.to_a(cell, |cell| cell.accepted_per_second())
    };
    assert_eq!(ratio(runs.clone(), 1, "ours"), Some(Ratio { value: 0.5, sound: true }), "though it has one rate only");
    assert_eq!(ratio(runs.clone(), 1, "redis"), None, "A is no ratio to itself");
    assert_eq!(ratio(runs.clone(), 0, "ours"), None, "A accepted nothing");
    runs[1].verdict.checks = vec![check(false)];
    assert_eq!(ratio(runs, 1, "ours"), Some(Ratio { value: 0.5, sound: false }));
}

/// Nothing but failures.
fn failed(system: &str, profile: &str, round: u32) -> Run {
    let errors = [("503".to_owned(), 1000)].into();
    Run { accepted: 0, issued: 0, decided_seconds: None, errors, ..run(system, profile, round) }
}

/// Nothing but refusals.
fn refused(system: &str, round: u32) -> Run {
    Run { refused: [("SOLD_OUT".to_owned(), 1000)].into(), errors: BTreeMap::new(), ..failed(system, "bots", round) }
}

/// Medians of what is accepted, decided, issued and refused each second.
fn rates(runs: Vec<Run>) -> [Option<f64>; 4] {
    let (system, profile) = (runs[0].system.clone(), runs[0].profile.clone());
    let benchmark = benchmark(runs);
    let cell = Summary::new(&benchmark).unwrap().cell(&system, &profile).unwrap();
    [cell.accepted_per_second(), cell.decided_per_second(), cell.issued_per_second(), cell.refused_per_second()]
        .map(|spread| spread.map(|spread| spread.median))
}

#[test]
fn a_round_in_which_every_request_failed_pulls_the_rates_down() {
    let two = vec![run("ours", "sustained", 1), failed("ours", "sustained", 2)];
    assert_eq!(rates(two.clone()), [Some(250.0), Some(125.0), Some(125.0), None]);
    assert_eq!(rates(vec![two[1].clone()]), [Some(0.0), Some(0.0), Some(0.0), None]);
    let mut refusing = two.clone();
    refusing[1].refused = [("DUPLICATE".to_owned(), 1)].into();
    assert_eq!(rates(refusing)[..3], [Some(250.0), Some(125.0), Some(125.0)], "one refusal is no excuse");
    let mut undecided = two;
    undecided[1] = Run { decided_seconds: None, ..run("ours", "sustained", 2) };
    assert_eq!(rates(undecided)[..3], [Some(500.0), Some(250.0), Some(250.0)], "the run's verdict is wrong already");
}

#[test]
fn where_everybody_is_refused_only_refusals_have_a_rate_and_failures_pull_it_down() {
    assert_eq!(rates(vec![refused("ours", 1)]), [None, None, None, Some(500.0)]);
    assert_eq!(rates(vec![refused("ours", 1), failed("ours", "bots", 2)]), [None, None, None, Some(250.0)]);
}

#[test]
fn a_run_that_was_lost_makes_every_step_wrong_and_no_figure() {
    let at = |rate: f64| Run { offered: Some(rate), ..run("ours", "rush", 1) };
    let verdict = Verdict { checks: vec![check(false)], ..Verdict::default() };
    let lost = Run { system: "ours".into(), profile: "rush".into(), round: 2, verdict, ..Run::default() };
    let benchmark = benchmark(vec![at(100.0), at(200.0), lost]);
    let cells = Summary::new(&benchmark).unwrap().cells(&benchmark.profiles[1]);
    assert_eq!(cells.len(), 2);
    for cell in &cells {
        assert!(!cell.is_correct());
        for column in crate::columns::COLUMNS.iter().chain(&crate::columns::DETAILS) {
            assert!((column.of)(cell).is_none_or(|spread| spread.rounds == 1), "{}", column.name);
        }
    }
}

#[test]
fn a_profile_that_steps_through_rates_has_a_cell_for_each() {
    let at = |rate: f64, round| Run { offered: Some(rate), ..run("ours", "rush", round) };
    let benchmark = benchmark(vec![at(200.0, 1), at(100.0, 1), at(100.0, 2)]);
    let summary = Summary::new(&benchmark).unwrap();
    let cells = summary.cells(&benchmark.profiles[1]);
    let rates: Vec<_> = cells.iter().map(|cell| (cell.offered.unwrap(), cell.runs().count())).collect();
    assert_eq!(rates, [(100.0, 2), (200.0, 1)]);
    assert!(summary.cell("nobody", "rush").is_none());
}
