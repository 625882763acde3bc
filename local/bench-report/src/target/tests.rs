//! What meets a target and what does not, from made-up runs.

use super::*;
use crate::data::{Log, Percentiles, Run, Stock, Units};
use crate::summary::tests::{benchmark, check, run};

fn percentiles(ms: f64) -> Percentiles {
    Percentiles { count: 9, mean: ms, p50: ms, p95: ms, p99: ms, p999: ms, max: ms }
}

fn seeds(system: &str, stock_ms: f64, accept_ms: f64) -> Run {
    let stock = Stock { behind_ms: Some(percentiles(stock_ms)), settled_ms: None, total: 9, series: Vec::new() };
    Run { stock: Some(stock), accept_ms: Some(percentiles(accept_ms)), ..run(system, "seeds", 1) }
}

fn status(runs: Vec<Run>, index: usize) -> Status {
    let benchmark = benchmark(runs);
    targets(&Summary::new(&benchmark).unwrap())[index].status
}

#[test]
fn a_stock_that_is_right_twenty_times_sooner_is_enough_and_nineteen_is_not() {
    assert_eq!(status(vec![seeds("redis", 5000.0, 1.0), seeds("ours", 250.0, 1.0)], 0), Status::Met);
    assert_eq!(status(vec![seeds("redis", 4750.0, 1.0), seeds("ours", 250.0, 1.0)], 0), Status::Missed);
}

#[test]
fn accepting_may_take_half_as_long_again_as_a() {
    assert_eq!(status(vec![seeds("redis", 1.0, 2.0), seeds("ours", 1.0, 3.0)], 1), Status::Met);
    assert_eq!(status(vec![seeds("redis", 1.0, 2.0), seeds("ours", 1.0, 3.1)], 1), Status::Missed);
}

#[test]
fn accepting_some_and_failing_the_others_meets_nothing() {
    let failing = |system: &str, failures| {
        let errors = [("503".to_owned(), failures)].into();
        Run { asked: 10_000, errors, ..seeds(system, 5000.0, 1.0) }
    };
    let pair = |theirs, ours| vec![failing("redis", theirs), failing("ours", ours)];
    assert_eq!(status(pair(0, 10), 1), Status::Met, "one in a thousand");
    assert_eq!(status(pair(0, 11), 1), Status::Missed);
    assert_eq!(status(pair(5000, 5000), 1), Status::Missed, "as many of A's are no excuse");
    let benchmark = benchmark(pair(5000, 0));
    let accept = targets(&Summary::new(&benchmark).unwrap()).swap_remove(1);
    assert_eq!(accept.status, Status::Met);
    assert!(accept.says.ends_with("; 5,000 of 10,000 requests of redis's name failed"), "{}", accept.says);
}

#[test]
fn a_ratio_of_several_rounds_says_how_far_single_ones_are_apart() {
    let at = |round, system: &str, ms| Run { round, ..seeds(system, 5000.0, ms) };
    let one = vec![at(1, "redis", 2.0), at(1, "ours", 2.0)];
    // Told in another order than they ran, and A has a round that ours lacks.
    let mut three = vec![at(2, "redis", 4.0), at(3, "redis", 9.0), at(2, "ours", 6.0)];
    three.extend(one.clone());
    let says = |runs: Vec<Run>| {
        let benchmark = benchmark(runs);
        targets(&Summary::new(&benchmark).unwrap()).swap_remove(1).says
    };
    assert!(!says(one).contains("by round"));
    assert!(says(three.clone()).contains("; by round 1.00× to 1.50×"), "{}", says(three));
}

#[test]
fn a_round_without_a_figure_meets_nothing() {
    let mut runs = vec![seeds("redis", 5000.0, 1.0), seeds("ours", 5.0, 1.0)];
    assert_eq!(status(runs.clone(), 0), Status::Met);
    let mut never = Run { round: 2, ..seeds("ours", 5.0, 1.0) };
    never.stock.as_mut().unwrap().behind_ms = None;
    runs.push(never);
    let benchmark = benchmark(runs);
    let stock = targets(&Summary::new(&benchmark).unwrap()).swap_remove(0);
    assert_eq!(stock.status, Status::Missed, "the stock of that round was never right");
    assert!(stock.says.ends_with("; the figure of ours's name is of 1 of 2 rounds"), "{}", stock.says);
}

#[test]
fn a_round_that_failed_altogether_meets_no_rate() {
    let errors = [("503".to_owned(), 1000)].into();
    let failed = Run { round: 2, accepted: 0, decided_seconds: None, errors, ..run("ours", "sustained", 2) };
    let benchmark = benchmark(vec![run("hybrid", "sustained", 1), run("ours", "sustained", 1), failed]);
    let rate = targets(&Summary::new(&benchmark).unwrap()).swap_remove(2);
    assert_eq!((rate.status, rate.reached.as_str()), (Status::Missed, "0.50×"));
}

#[test]
fn a_figure_that_is_missing_says_what_failed() {
    let failing = Run { accept_ms: None, errors: [("503".to_owned(), 1000)].into(), ..seeds("ours", 5.0, 1.0) };
    let benchmark = benchmark(vec![seeds("redis", 5.0, 1.0), failing]);
    let accept = targets(&Summary::new(&benchmark).unwrap()).swap_remove(1);
    let says = "a figure is missing; 1,000 of 1,000 requests of ours's name failed";
    assert_eq!((accept.status, accept.says.as_str()), (Status::NotMeasured, says));
}

#[test]
fn a_fast_rate_with_a_wrong_outcome_meets_nothing() {
    let pair = vec![run("hybrid", "sustained", 1), run("ours", "sustained", 1)];
    assert_eq!(status(pair.clone(), 2), Status::Met);
    let mut wrong = pair;
    wrong[1].verdict.checks = vec![check(false)];
    assert_eq!(status(wrong, 2), Status::Missed);
}

#[test]
fn a_queue_that_decides_faster_and_gives_way_sooner_is_not_enough() {
    let step = |system: &str, rate: f64, accepted| Run {
        offered: Some(rate),
        accepted,
        decided_seconds: Some(2.0),
        ..run(system, "rush", 1)
    };
    let rush = |ours| {
        let mut runs = vec![run("hybrid", "sustained", 1), run("ours", "sustained", 1)];
        runs.extend([step("hybrid", 500.0, 1000), step("hybrid", 1000.0, 1990), step("ours", 500.0, 1000)]);
        runs.push(step("ours", 1000.0, ours));
        runs
    };
    assert_eq!(status(rush(1900), 2), Status::Met);
    assert_eq!(status(rush(1700), 2), Status::Missed, "850 of 1,000 a second");
    let benchmark = benchmark(rush(1700));
    let says = targets(&Summary::new(&benchmark).unwrap()).swap_remove(2).says;
    assert!(says.contains("accepted alone, decided or not: 500 /s and 500 /s"), "{says}");
    assert!(says.contains("accepting and deciding: 500 /s and 1,000 /s"), "{says}");
}

#[test]
fn units_are_told_of_every_profile_in_which_they_are_counted() {
    let counted = |profile: &str, write| {
        let units = Some(Units { read: 0.0, write });
        Run { metered: true, units, ..run("ours", profile, 1) }
    };
    let benchmark = benchmark(vec![
        counted("sustained", 2030.0),
        counted("seeds", 2500.0),
        counted("duplicates", 2620.0),
        counted("sellout", 2050.0),
    ]);
    let units = targets(&Summary::new(&benchmark).unwrap()).swap_remove(3);
    assert_eq!((units.name.as_str(), units.status), ("write units a coupon, the sustained", Status::Met));
    let says = units.says;
    assert!(says.contains("; under it elsewhere: the sellout 2.05;"), "{says}");
    assert!(says.contains("over it elsewhere: the seeds 2.50, the duplicates 2.62"), "{says}");
}

#[test]
fn a_ratio_to_a_wrong_outcome_is_struck_through_and_may_be_met_all_the_same() {
    let mut pair = vec![run("hybrid", "sustained", 1), run("ours", "sustained", 1)];
    pair[0].verdict.checks = vec![check(false)];
    let benchmark = benchmark(pair);
    let rate = targets(&Summary::new(&benchmark).unwrap()).swap_remove(2);
    assert!(rate.struck && rate.status == Status::Met && rate.says.contains("hybrid's name was wrong"), "{rate:?}");
}

#[test]
fn a_refusal_that_writes_anything_at_all_misses() {
    let writing = |write, records| bots(1000, Units { read: 3.0, write }, records);
    assert_eq!(status(vec![writing(0.0, 0)], 4), Status::Met);
    assert_eq!(status(vec![writing(1.0, 0)], 4), Status::Missed);
    assert_eq!(status(vec![writing(0.0, 1)], 4), Status::Missed);
    assert_eq!(status(vec![writing(0.0, 0), writing(0.0, 1), writing(0.0, 0)], 4), Status::Missed, "one of three");
}

/// A metered run of so many refusals.
fn bots(refusals: u64, units: Units, records: u64) -> Run {
    let refused = [("SOLD_OUT".to_owned(), refusals)].into();
    let (units, log) = (Some(units), Some(Log { records, bytes: 0 }));
    Run { metered: true, accepted: 0, issued: 0, refused, units, log, ..run("ours", "bots", 1) }
}

#[test]
fn counting_some_and_failing_the_others_meets_nothing() {
    let failing = |run: Run, failures| {
        let errors = [("503".to_owned(), failures)].into();
        Run { asked: 2000, errors, ..run }
    };
    let refusing = |failures| failing(bots(2000 - failures, Units::default(), 0), failures);
    let units = Some(Units { read: 0.0, write: 2030.0 });
    let issuing = |failures| failing(Run { metered: true, units, ..run("ours", "sustained", 1) }, failures);
    for failures in [0, 2] {
        assert_eq!(status(vec![issuing(failures)], 3), Status::Met, "{failures} of 2,000");
        assert_eq!(status(vec![refusing(failures)], 4), Status::Met, "{failures} of 2,000");
    }
    let seeds = Run { profile: "seeds".into(), ..issuing(7) };
    let benchmark = benchmark(vec![issuing(1900), refusing(1900), seeds]);
    let targets = targets(&Summary::new(&benchmark).unwrap());
    let (units, refusals) = (&targets[3], &targets[4]);
    assert_eq!((units.status, refusals.status), (Status::Missed, Status::Missed));
    let says = "; 1,900 of 2,000 requests of ours's name failed";
    assert!(units.says.contains(says), "{}", units.says);
    assert!(units.says.ends_with("the seeds 2.03 (7 of 2,000 requests failed)"), "{}", units.says);
    assert_eq!(refusals.says, format!("of 100 refusals{says}"));
}

#[test]
fn what_was_not_run_is_not_met() {
    for index in 0..5 {
        assert_eq!(status(Vec::new(), index), Status::NotMeasured);
    }
}
