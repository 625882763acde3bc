//! How far a rush went with a system: the highest step that it kept up with, where it gave way, and whether it did at all.
//! A line that ends without giving way has not shown its limit.

use std::fmt;

use crate::profiles::RUSH;
use crate::stats::{Spread, each, number};
use crate::summary::{Cell, Summary};
use crate::text::figure;

/// This share of what is offered has to be accepted, and decided, each second.
const KEPT_UP_MIN: f64 = 0.9;
/// Beyond this share of failures a step has given way, as the load generator has it.
const FAILURES_MAX: f64 = 0.01;

/// How far one system came.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Limit {
    /// The highest step whose requests were accepted and decided as fast as they came, with a right outcome.
    pub(crate) kept_up: Option<f64>,
    /// The lowest step at which it gave way in any round.
    pub(crate) gave_way: Option<f64>,
    /// The highest step that it was asked at.
    pub(crate) highest: f64,
}

impl Limit {
    /// Of a system; none where it had no rush.
    pub(crate) fn of(summary: &Summary<'_>, system: &str) -> Option<Self> {
        let rush = summary.profile(RUSH)?;
        let gives_way_ms = rush.gives_way_ms.map(f64::from);
        let steps: Vec<(f64, Cell<'_>)> = summary
            .cells(rush)
            .into_iter()
            .filter(|cell| cell.system.id == system)
            .filter_map(|cell| Some((cell.offered.or_else(|| cell.first()?.offered)?, cell)))
            .collect();
        let keeps_up = |(rate, cell): &&(f64, Cell<'_>)| {
            let is_enough = |of: Option<Spread>| of.is_some_and(|of| of.median >= KEPT_UP_MIN * rate);
            cell.is_correct() && is_enough(cell.accepted_per_second()) && is_enough(cell.decided_per_second())
        };
        let gives_way = |(_rate, cell): &&(f64, Cell<'_>)| {
            cell.timed_runs().iter().any(|run| {
                let late = run.accept_ms.zip(gives_way_ms).is_some_and(|(ms, bound)| ms.p99 > bound);
                late || each(number(run.failures()), run.asked).is_some_and(|share| share > FAILURES_MAX)
            })
        };
        Some(Self {
            kept_up: steps.iter().rev().find(keeps_up).map(|(rate, _cell)| *rate),
            gave_way: steps.iter().find(gives_way).map(|(rate, _cell)| *rate),
            highest: steps.last()?.0,
        })
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kept_up {
            Some(rate) => write!(f, "accepted and decided up to {} a second as fast as they came", figure(rate))?,
            None => write!(f, "accepted and decided no step as fast as it came")?,
        }
        match self.gave_way {
            Some(rate) => write!(f, "; gave way at {}", figure(rate)),
            None => write!(
                f,
                "; did not give way: the limit of what it accepts, above {}, was not reached",
                figure(self.highest)
            ),
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
    use crate::data::{Percentiles, Run};
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

    fn limit(runs: Vec<Run>) -> Option<Limit> {
        let benchmark = benchmark(runs);
        Limit::of(&Summary::new(&benchmark).unwrap(), "hybrid")
    }

    #[test]
    fn a_step_is_kept_up_with_when_nine_of_ten_are_accepted_and_decided_in_time() {
        let found =
            limit(vec![step(100.0, 5.0, 100, 91.0), step(200.0, 9.0, 181, 180.0), step(400.0, 501.0, 399, 200.0)]);
        let found = found.unwrap();
        assert_eq!(found, Limit { kept_up: Some(200.0), gave_way: Some(400.0), highest: 400.0 });
        assert_eq!(found.to_string(), "accepted and decided up to 200 a second as fast as they came; gave way at 400");
    }

    #[test]
    fn a_line_that_ends_without_giving_way_has_not_shown_its_limit() {
        let found = limit(vec![step(100.0, 5.0, 100, 80.0), step(4000.0, 499.0, 3999, 300.0)]).unwrap();
        assert_eq!(found, Limit { kept_up: None, gave_way: None, highest: 4000.0 });
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
}
