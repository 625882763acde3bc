//! What the comparison has to reach, as ratios within one benchmark, and whether it did. What was not measured is not met.

use serde::Serialize;

use crate::stats::{Spread, each, number};
use crate::summary::{Cell, Summary};
use crate::{profiles, systems};

/// One target.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Target {
    /// What is compared, short.
    pub name: &'static str,
    /// What was reached, as it is shown; a dash when it was not measured.
    pub reached: String,
    /// What has to be reached, as it is shown.
    pub bound: String,
    /// Whether what was reached is struck through: an outcome that it is made of was wrong.
    pub struck: bool,
    /// Whether it was.
    pub status: Status,
    /// Both sides, with what was wrong about either.
    pub says: String,
}

/// Whether a target is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It is.
    Met,
    /// It is not.
    Missed,
    /// The benchmark lacks a run that it takes.
    NotMeasured,
}

impl Status {
    /// For people.
    #[must_use]
    pub fn shown(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::Missed => "MISSED",
            Self::NotMeasured => "not measured",
        }
    }
}

const STOCK_RATIO_MIN: f64 = 20.0;
const ACCEPT_RATIO_MAX: f64 = 1.5;
const RATE_RATIO_MIN: f64 = 1.0;
const WRITE_UNITS_MAX: f64 = 2.1;

/// All targets, in the order in which they are shown.
#[must_use]
pub fn targets(summary: &Summary<'_>) -> Vec<Target> {
    vec![stock(summary), accept(summary), rate(summary), units(summary), refusals(summary)]
}

fn pair<'a>(summary: &Summary<'a>, other: &str, profile: &str) -> Option<(Cell<'a>, Cell<'a>)> {
    Some((summary.cell(systems::OURS, profile)?, summary.cell(other, profile)?))
}

/// A target that is a ratio of two spreads. A wrong outcome of ours meets nothing; one of the other's is told.
fn judged(
    (name, unit): (&'static str, &str),
    bound: String,
    cells: Option<(Cell<'_>, Cell<'_>)>,
    figure: impl Fn(&Cell<'_>) -> Option<Spread>,
    (ratio_of, met): (impl Fn(&Spread, &Spread) -> Option<f64>, impl Fn(f64) -> bool),
) -> Target {
    let missing = |says: &str| not_measured(name, &bound, says);
    let Some((ours, other)) = cells else { return missing("one of the systems was not run") };
    let (Some(mine), Some(theirs)) = (figure(&ours), figure(&other)) else { return missing("a figure is missing") };
    let Some(ratio) = ratio_of(&mine, &theirs) else { return missing("there is nothing to divide by") };
    let reached = met(ratio) && ours.is_correct();
    let mut says = format!(
        "{} {unit} for {}, {} {unit} for {}",
        crate::text::figure(mine.median),
        ours.system.name,
        crate::text::figure(theirs.median),
        other.system.name,
    );
    for cell in [&ours, &other] {
        if !cell.is_correct() {
            says.push_str(&format!("; the outcome of {} was wrong", cell.system.name));
        }
    }
    let struck = !ours.is_correct() || !other.is_correct();
    let status = if reached { Status::Met } else { Status::Missed };
    Target { name, reached: format!("{}×", crate::text::figure(ratio)), bound, struck, status, says }
}

fn not_measured(name: &'static str, bound: &str, why: &str) -> Target {
    let says = why.to_owned();
    Target { name, reached: "–".into(), bound: bound.to_owned(), struck: false, status: Status::NotMeasured, says }
}

fn stock(summary: &Summary<'_>) -> Target {
    judged(
        ("the stock is right sooner than A's", "ms"),
        format!("at least {STOCK_RATIO_MIN}×"),
        pair(summary, systems::REDIS, profiles::SEEDS),
        |cell| cell.timed(|run| Some(run.stock.as_ref()?.behind_ms?.p50)),
        (|ours, theirs| theirs.ratio_to(ours), |ratio| ratio >= STOCK_RATIO_MIN),
    )
}

fn accept(summary: &Summary<'_>) -> Target {
    judged(
        ("accept p99 at the seeds' load, to A's", "ms"),
        format!("at most {ACCEPT_RATIO_MAX}×"),
        pair(summary, systems::REDIS, profiles::SEEDS),
        |cell| cell.timed(|run| Some(run.accept_ms?.p99)),
        (Spread::ratio_to, |ratio| ratio <= ACCEPT_RATIO_MAX),
    )
}

fn rate(summary: &Summary<'_>) -> Target {
    judged(
        ("accepted and decided each second, to B's", "/s"),
        format!("at least {RATE_RATIO_MIN}×"),
        pair(summary, systems::HYBRID, profiles::SUSTAINED),
        |cell| cell.decided_per_second(),
        (Spread::ratio_to, |ratio| ratio >= RATE_RATIO_MIN),
    )
}

fn units(summary: &Summary<'_>) -> Target {
    let name = "write units a coupon, in a rush";
    let bound = format!("at most {WRITE_UNITS_MAX}");
    let ours = summary.cell(systems::OURS, profiles::SUSTAINED);
    let Some((ours, units)) =
        ours.and_then(|cell| Some((cell.write_units_per_coupon()?, cell))).map(|(units, cell)| (cell, units))
    else {
        return not_measured(name, &bound, "ours was not metered");
    };
    let shown = |system, name: &str| {
        let cell = summary.cell(system, profiles::SUSTAINED)?;
        let wrong = if cell.is_correct() { "" } else { " with a wrong outcome" };
        Some(format!("{name} {}{wrong}", crate::text::units(cell.write_units_per_coupon()?.median)))
    };
    let others: Vec<String> = [shown(systems::REDIS, "A"), shown(systems::HYBRID, "B")].into_iter().flatten().collect();
    let met = units.median <= WRITE_UNITS_MAX && ours.is_correct();
    Target {
        name,
        reached: crate::text::units(units.median),
        bound,
        struck: !ours.is_correct(),
        status: if met { Status::Met } else { Status::Missed },
        says: if others.is_empty() { "nobody to compare with was metered".into() } else { others.join(", ") },
    }
}

fn refusals(summary: &Summary<'_>) -> Target {
    let (name, bound) = ("what a sold-out refusal writes", "0 write units, 0 records");
    let figures = summary.cell(systems::OURS, profiles::BOTS).and_then(|cell| {
        let units = cell.counted(|run| each(run.units?.write, run.refusals()))?;
        let records = cell.counted(|run| each(number(run.log?.records), run.refusals()))?;
        Some((cell, units.median, records.median))
    });
    let Some((cell, units, records)) = figures else { return not_measured(name, bound, "ours was not metered") };
    let refused: u64 = cell.runs().filter(|run| run.metered).map(crate::data::Run::refusals).sum();
    let met = units <= 0.0 && records <= 0.0 && cell.is_correct();
    Target {
        name,
        reached: format!("{} and {}", crate::text::units(units), crate::text::units(records)),
        bound: bound.to_owned(),
        struck: !cell.is_correct(),
        status: if met { Status::Met } else { Status::Missed },
        says: format!("of {refused} refusals"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Log, Percentiles, Run, Stock, Units};
    use crate::summary::tests::{benchmark, check, run};

    fn percentiles(ms: f64) -> Percentiles {
        Percentiles { count: 9, p50: ms, p95: ms, p99: ms, p999: ms, max: ms }
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
    fn a_fast_rate_with_a_wrong_outcome_meets_nothing() {
        let pair = vec![run("hybrid", "sustained", 1), run("ours", "sustained", 1)];
        assert_eq!(status(pair.clone(), 2), Status::Met);
        let mut wrong = pair;
        wrong[1].verdict.checks = vec![check(false)];
        assert_eq!(status(wrong, 2), Status::Missed);
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
        let bots = |write: f64, records: u64| {
            let mut run = run("ours", "bots", 1);
            (run.metered, run.accepted) = (true, 0);
            run.refused = [("SOLD_OUT".to_owned(), 1000)].into();
            run.units = Some(Units { read: 3.0, write });
            run.log = Some(Log { records, bytes: 0 });
            vec![run]
        };
        assert_eq!(status(bots(0.0, 0), 4), Status::Met);
        assert_eq!(status(bots(1.0, 0), 4), Status::Missed);
        assert_eq!(status(bots(0.0, 1), 4), Status::Missed);
    }

    #[test]
    fn what_was_not_run_is_not_met() {
        for index in 0..5 {
            assert_eq!(status(Vec::new(), index), Status::NotMeasured);
        }
    }
}
