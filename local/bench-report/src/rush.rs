//! How far a rush went with a system: the highest step that it kept up with, where it gave way, and whether it did at all.
//! A line that ends without giving way has not shown its limit.

use std::fmt;

use crate::data::ProfileInfo;
use crate::profiles::RUSH;
use crate::stats::{Spread, each, number};
use crate::summary::{Cell, Summary};
use crate::text::figure;

/// This share of what is offered has to be accepted, and decided, each second.
const KEPT_UP_MIN: f64 = 0.9;
/// Beyond this share of failures a step has given way, as the load generator has it.
const FAILURES_MAX: f64 = 0.01;

/// What gave way in files that do not say it.
const GIVES_WAY_MS: u32 = 500;

/// The accept p99, ms, beyond which a step of this rush has given way.
pub(crate) fn gives_way_ms(rush: &ProfileInfo) -> f64 {
    f64::from(rush.gives_way_ms.unwrap_or(GIVES_WAY_MS))
}

/// How far one system came.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Limit {
    /// The highest step below the one that gave way whose requests were accepted and decided as fast as they came, with a
    /// right outcome, in as many rounds as the lowest step had: steps that only some rounds came to are of the better ones.
    pub(crate) kept_up: Option<f64>,
    /// The lowest step at which it gave way in any round.
    pub(crate) gave_way: Option<f64>,
    /// The highest step that it was asked at; none where a round was lost, which may have given way.
    pub(crate) highest: Option<f64>,
}

impl Limit {
    /// Of a system; none where it had no rush.
    pub(crate) fn of(summary: &Summary<'_>, system: &str) -> Option<Self> {
        let rush = summary.profile(RUSH)?;
        let bound = gives_way_ms(rush);
        let mut runs = summary.benchmark.runs.iter().filter(|run| run.system == system && run.profile == RUSH);
        let lost = runs.any(|run| !run.metered && run.asked == 0);
        let steps: Vec<(f64, Cell<'_>)> = summary
            .cells(rush)
            .into_iter()
            .filter(|cell| cell.system.id == system)
            .filter_map(|cell| Some((cell.rate()?, cell)))
            .collect();
        let rounds = steps.first().map_or(0, |(_rate, cell)| cell.timed_runs().len());
        let keeps_up = |(rate, cell): &&(f64, Cell<'_>)| {
            let is_enough = |of: Option<Spread>| of.is_some_and(|of| of.median >= KEPT_UP_MIN * rate);
            let is_whole = cell.timed_runs().len() >= rounds && cell.is_correct();
            is_whole && is_enough(cell.accepted_per_second()) && is_enough(cell.decided_per_second())
        };
        let gives_way = |(_rate, cell): &&(f64, Cell<'_>)| {
            cell.timed_runs().iter().any(|run| {
                let late = run.accept_ms.is_some_and(|ms| ms.p99 > bound);
                late || each(number(run.failures()), run.asked).is_some_and(|share| share > FAILURES_MAX)
            })
        };
        let gave_way = steps.iter().find(gives_way).map(|(rate, _cell)| *rate);
        let below = steps.iter().filter(|(rate, _cell)| gave_way.is_none_or(|at| *rate < at));
        (lost || !steps.is_empty()).then(|| Self {
            kept_up: below.rev().find(keeps_up).map(|(rate, _cell)| *rate),
            gave_way,
            highest: steps.last().filter(|_step| !lost).map(|(rate, _cell)| *rate),
        })
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kept_up {
            Some(rate) => write!(f, "accepted and decided up to {} a second as fast as they came", figure(rate))?,
            None => write!(f, "accepted and decided no step as fast as it came and with a right outcome")?,
        }
        match (self.gave_way, self.highest) {
            (Some(rate), _) => write!(f, "; gave way at {}", figure(rate)),
            (None, Some(highest)) => {
                let above = figure(highest);
                write!(f, "; did not give way: the limit of what it accepts, above {above}, was not reached")
            }
            (None, None) => write!(f, "; a round was lost: where it gives way is not known"),
        }
    }
}

/// What the steps say, by system: its name and how far it came.
pub(crate) fn limits<'a>(summary: &Summary<'a>) -> Vec<(&'a str, Limit)> {
    let systems = summary.benchmark.systems.iter();
    systems.filter_map(|system| Some((system.name.as_str(), Limit::of(summary, &system.id)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Benchmark, Percentiles, Run, Verdict};
    use crate::summary::tests::{benchmark, check, run};

    /// Two seconds of a rate, with a p99, and how many are accepted and decided each second.
    fn step(rate: f64, p99: f64, accepted: u32, decided: f64) -> Run {
        let accept_ms = Percentiles { count: 9, mean: 1.0, p50: 1.0, p95: 1.0, p99, p999: p99, max: p99 };
        Run {
            offered: Some(rate),
            accepted: u64::from(accepted) * 2,
            accept_ms: Some(accept_ms),
            decided_seconds: Some(f64::from(accepted) * 2.0 / decided),
            ..run("hybrid", "rush", 1)
        }
    }

    fn in_round(round: u32, step: Run) -> Run {
        Run { round, ..step }
    }

    fn lost(round: u32) -> Run {
        let verdict = Verdict { checks: vec![check(false)], ..Verdict::default() };
        Run { system: "hybrid".into(), profile: "rush".into(), round, verdict, ..Run::default() }
    }

    fn limit(runs: Vec<Run>) -> Option<Limit> {
        let benchmark = benchmark(runs);
        Limit::of(&Summary::new(&benchmark).unwrap(), "hybrid")
    }

    #[test]
    fn a_step_is_kept_up_with_when_nine_of_ten_are_accepted_and_decided_in_time() {
        let found =
            limit(vec![step(100.0, 5.0, 100, 91.0), step(200.0, 9.0, 181, 180.0), step(400.0, 501.0, 399, 200.0)]);
        let found = found.unwrap();
        assert_eq!(found, Limit { kept_up: Some(200.0), gave_way: Some(400.0), highest: Some(400.0) });
        assert_eq!(found.to_string(), "accepted and decided up to 200 a second as fast as they came; gave way at 400");
    }

    #[test]
    fn a_line_that_ends_without_giving_way_has_not_shown_its_limit() {
        let found = limit(vec![step(100.0, 5.0, 100, 80.0), step(4000.0, 499.0, 3999, 300.0)]).unwrap();
        assert_eq!(found, Limit { kept_up: None, gave_way: None, highest: Some(4000.0) });
        assert!(found.to_string().ends_with("above 4,000, was not reached"), "{found}");
        assert_eq!(limit(vec![run("hybrid", "sustained", 1)]), None);
    }

    #[test]
    fn failures_are_giving_way_and_a_wrong_outcome_is_no_keeping_up() {
        let mut failing = step(100.0, 5.0, 100, 100.0);
        failing.errors = [("503".to_owned(), 11)].into();
        assert_eq!(limit(vec![failing]).unwrap().gave_way, Some(100.0));
        let mut wrong = step(100.0, 5.0, 100, 100.0);
        wrong.verdict.checks = vec![check(false)];
        assert_eq!(limit(vec![wrong]).unwrap().kept_up, None);
    }

    #[test]
    fn what_only_the_better_rounds_came_to_was_not_kept_up_with() {
        let first = [step(500.0, 5.0, 500, 500.0), step(1000.0, 501.0, 1000, 1000.0)];
        let second = [step(500.0, 5.0, 500, 500.0), step(1000.0, 9.0, 1000, 1000.0), step(2000.0, 9.0, 2000, 2000.0)];
        let runs: Vec<Run> = first.into_iter().chain(second.map(|step| in_round(2, step))).collect();
        let found = limit(runs.clone()).unwrap();
        assert_eq!(found, Limit { kept_up: Some(500.0), gave_way: Some(1000.0), highest: Some(2000.0) });
        // A round that ended sooner without giving way says nothing of the steps that it did not come to.
        let cut = runs.into_iter().filter(|run| run.round == 2 || run.offered == Some(500.0)).collect();
        let found = limit(cut).unwrap();
        assert_eq!(found, Limit { kept_up: Some(500.0), gave_way: None, highest: Some(2000.0) });
    }

    #[test]
    fn the_step_that_gave_way_was_not_kept_up_with_however_many_it_accepted() {
        let found = limit(vec![step(100.0, 501.0, 100, 100.0)]).unwrap();
        assert_eq!((found.kept_up, found.gave_way), (None, Some(100.0)));
        let says = "accepted and decided no step as fast as it came and with a right outcome; gave way at 100";
        assert_eq!(found.to_string(), says);
    }

    #[test]
    fn a_round_that_was_lost_has_not_shown_that_nothing_gives_way() {
        for runs in [vec![lost(1)], vec![lost(1), in_round(2, step(100.0, 5.0, 100, 100.0))]] {
            let found = limit(runs).unwrap();
            assert_eq!(found, Limit { kept_up: None, gave_way: None, highest: None });
            assert!(found.to_string().ends_with("; a round was lost: where it gives way is not known"), "{found}");
        }
        let found = limit(vec![lost(1), in_round(2, step(100.0, 501.0, 100, 100.0))]).unwrap();
        assert_eq!(found.gave_way, Some(100.0), "though it is of the second round, and the only step");
    }

    #[test]
    fn a_file_that_does_not_say_when_a_step_gives_way_is_judged_by_half_a_second() {
        let mut older = serde_json::to_value(benchmark(vec![step(100.0, 501.0, 100, 100.0)])).unwrap();
        for profile in older["profiles"].as_array_mut().unwrap() {
            profile.as_object_mut().unwrap().remove("gives_way_ms");
        }
        let benchmark: Benchmark = serde_json::from_value(older).unwrap();
        let found = Limit::of(&Summary::new(&benchmark).unwrap(), "hybrid").unwrap();
        assert_eq!(found.gave_way, Some(100.0));
    }
}
