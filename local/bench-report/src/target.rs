//! What the comparison has to reach, as ratios within one benchmark, and whether it did. What was not measured is not met.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::rush::Limit;
use crate::stats::{Spread, each, number};
use crate::summary::{Cell, Summary};
use crate::text::{self, figure};
use crate::{profiles, systems};

/// One target.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Target {
    /// What is compared, short.
    pub name: String,
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
/// Beyond this share of failures, what ours took for the others is no figure: 9 of the 9,701 requests of the seeds' load
/// may fail.
const FAILURES_MAX: f64 = 0.001;

/// All targets, in the order in which they are shown.
#[must_use]
pub fn targets(summary: &Summary<'_>) -> Vec<Target> {
    vec![stock(summary), accept(summary), rate(summary), units(summary), refusals(summary)]
}

fn pair<'a>(summary: &Summary<'a>, other: &str, profile: &str) -> Option<(Cell<'a>, Cell<'a>)> {
    Some((summary.cell(systems::OURS, profile)?, summary.cell(other, profile)?))
}

/// A target that is a ratio of two spreads. A wrong outcome of ours meets nothing, nor do more failures than are no share
/// to speak of, nor a round without a figure, which would have been the worst; the other's are told.
fn judged(
    (name, unit): (&str, &str),
    bound: String,
    cells: Option<(Cell<'_>, Cell<'_>)>,
    of: impl Fn(&Cell<'_>) -> Option<Spread>,
    (ratio_of, met): (impl Fn(&Spread, &Spread) -> Option<f64>, impl Fn(f64) -> bool),
) -> Target {
    let missing = |says: &str| not_measured(name, &bound, says);
    let Some((ours, other)) = cells else { return missing("one of the systems was not run") };
    let against = format!("{}{}", against(&ours, of(&ours)), against(&other, of(&other)));
    let (Some(mine), Some(theirs)) = (of(&ours), of(&other)) else {
        return missing(&format!("a figure is missing{against}"));
    };
    let Some(ratio) = ratio_of(&mine, &theirs) else {
        return missing(&format!("there is nothing to divide by{against}"));
    };
    let whole = mine.rounds >= ours.rounds();
    let reached = met(ratio) && whole && ours.is_correct() && answers(ours.failures());
    let mut says = format!(
        "{} {unit} for {}, {} {unit} for {}",
        figure(mine.median),
        ours.system.name,
        figure(theirs.median),
        other.system.name,
    );
    if let Some(ratios) = by_round([&ours, &other], &of, ratio_of) {
        says.push_str(&format!("; by round {}× to {}×", figure(ratios.min), figure(ratios.max)));
    }
    says.push_str(&against);
    let struck = !ours.is_correct() || !other.is_correct();
    let status = if reached { Status::Met } else { Status::Missed };
    Target { name: name.to_owned(), reached: format!("{}×", figure(ratio)), bound, struck, status, says }
}

/// What there is to say against a figure of the timed runs, or against a figure that is missing.
fn against(cell: &Cell<'_>, spread: Option<Spread>) -> String {
    let (name, mut says) = (&cell.system.name, String::new());
    if !cell.is_correct() {
        says.push_str(&format!("; the outcome of {name} was wrong"));
    }
    if let Some(rounds) = spread.and_then(|spread| text::of_rounds(spread, cell.rounds())) {
        says.push_str(&format!("; the figure of {name} is of {rounds}"));
    }
    if let Some(share) = failed(cell.failures()) {
        says.push_str(&format!("; {share} requests of {name} failed"));
    }
    says
}

/// The ratios of single rounds, whose two runs met the machine about alike; none where there is but one. A bar that the
/// median clears may lie within them.
fn by_round(
    cells: [&Cell<'_>; 2],
    of: impl Fn(&Cell<'_>) -> Option<Spread>,
    ratio_of: impl Fn(&Spread, &Spread) -> Option<f64>,
) -> Option<Spread> {
    let rounds: BTreeSet<u32> = cells.iter().flat_map(|cell| cell.timed_runs()).map(|run| run.round).collect();
    let ratio = |round: u32| {
        let [mine, theirs] = cells.map(|cell| of(&cell.in_round(round)));
        ratio_of(&mine?, &theirs?)
    };
    Spread::of(rounds.into_iter().filter_map(ratio)).filter(|ratios| ratios.rounds > 1)
}

/// Whether all that a system was asked has an answer, but for a share that changes no figure.
fn answers((failures, asked): (u64, u64)) -> bool {
    each(number(failures), asked).is_none_or(|share| share <= FAILURES_MAX)
}

/// `11 of 10,000`, which failed; none of none.
fn failed((failures, asked): (u64, u64)) -> Option<String> {
    (failures > 0).then(|| format!("{} of {}", text::units(number(failures)), text::units(number(asked))))
}

fn not_measured(name: &str, bound: &str, why: &str) -> Target {
    let says = why.to_owned();
    let (name, bound) = (name.to_owned(), bound.to_owned());
    Target { name, reached: "–".into(), bound, struck: false, status: Status::NotMeasured, says }
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

/// What counts is what is decided, and the highest step of the rush that was kept up with; what is accepted alone stands
/// beside it.
fn rate(summary: &Summary<'_>) -> Target {
    let mut target = judged(
        ("accepted and decided each second, to B's", "/s"),
        format!("at least {RATE_RATIO_MIN}×"),
        pair(summary, systems::HYBRID, profiles::SUSTAINED),
        |cell| cell.decided_per_second(),
        (Spread::ratio_to, |ratio| ratio >= RATE_RATIO_MIN),
    );
    let Some((ours, other)) = pair(summary, systems::HYBRID, profiles::SUSTAINED) else { return target };
    if let (Some(mine), Some(theirs)) = (ours.accepted_per_second(), other.accepted_per_second()) {
        let (mine, theirs) = (figure(mine.median), figure(theirs.median));
        target.says.push_str(&format!("; accepted alone, decided or not: {mine} /s and {theirs} /s"));
    }
    let limits = (Limit::of(summary, systems::OURS), Limit::of(summary, systems::HYBRID));
    if let (Some(mine), Some(theirs)) = limits {
        let shown =
            |limit: &Limit| limit.kept_up.map_or_else(|| "no step".into(), |rate| format!("{} /s", figure(rate)));
        let (kept, others) = (shown(&mine), shown(&theirs));
        target.says.push_str(&format!("; the rush kept up with, accepting and deciding: {kept} and {others}"));
        if mine.kept_up < theirs.kept_up && target.status == Status::Met {
            target.status = Status::Missed;
        }
    }
    target
}

fn units(summary: &Summary<'_>) -> Target {
    let profile = summary.profile(profiles::SUSTAINED);
    let name = format!("write units a coupon, {}", profile.map_or(profiles::SUSTAINED, |profile| &profile.name));
    let bound = format!("at most {WRITE_UNITS_MAX}");
    let ours = summary.cell(systems::OURS, profiles::SUSTAINED);
    let Some((ours, units)) =
        ours.and_then(|cell| Some((cell.write_units_per_coupon()?, cell))).map(|(units, cell)| (cell, units))
    else {
        return not_measured(&name, &bound, "ours was not metered");
    };
    let shown = |system, name: &str| {
        let cell = summary.cell(system, profiles::SUSTAINED)?;
        Some(format!("{name} {}{}", text::units(cell.write_units_per_coupon()?.median), marred(&cell)))
    };
    let others: Vec<String> = [shown(systems::REDIS, "A"), shown(systems::HYBRID, "B")].into_iter().flatten().collect();
    let met = units.median <= WRITE_UNITS_MAX && ours.is_correct() && answers(ours.counted_failures());
    let mut says = if others.is_empty() { "nobody to compare with was metered".into() } else { others.join(", ") };
    if let Some(share) = failed(ours.counted_failures()) {
        says.push_str(&format!("; {share} requests of {} failed", ours.system.name));
    }
    says.push_str(&elsewhere(summary));
    Target {
        name,
        reached: text::units(units.median),
        bound,
        struck: !ours.is_correct(),
        status: if met { Status::Met } else { Status::Missed },
        says,
    }
}

/// What is wrong about what was counted, to stand behind it.
fn marred(cell: &Cell<'_>) -> String {
    let wrong = if cell.is_correct() { "" } else { " with a wrong outcome" };
    let share = failed(cell.counted_failures());
    share.map_or_else(|| wrong.to_owned(), |share| format!("{wrong} ({share} requests failed)"))
}

/// Ours under the other profiles in which units are counted, whether they are over the bar or not.
fn elsewhere(summary: &Summary<'_>) -> String {
    let others = summary.benchmark.profiles.iter().filter(|profile| profile.id != profiles::SUSTAINED);
    let counted = others.filter_map(|profile| {
        let cell = summary.cell(systems::OURS, &profile.id)?;
        let units = cell.write_units_per_coupon()?.median;
        Some((units > WRITE_UNITS_MAX, format!("{} {}{}", profile.name, text::units(units), marred(&cell))))
    });
    let (over, under): (Vec<_>, Vec<_>) = counted.partition(|(is_over, _shown)| *is_over);
    let joined =
        |some: Vec<(bool, String)>| some.into_iter().map(|(_over, shown)| shown).collect::<Vec<_>>().join(", ");
    let mut says = String::new();
    if !under.is_empty() {
        says.push_str(&format!("; under it elsewhere: {}", joined(under)));
    }
    if !over.is_empty() {
        says.push_str(&format!("; over it elsewhere: {}", joined(over)));
    }
    says
}

fn refusals(summary: &Summary<'_>) -> Target {
    let (name, bound) = ("what a sold-out refusal writes", "0 write units, 0 records");
    let figures = summary.cell(systems::OURS, profiles::BOTS).and_then(|cell| {
        let units = cell.counted(|run| each(run.units?.write, run.refusals()))?;
        let records = cell.counted(|run| each(number(run.log?.records), run.refusals()))?;
        // Of several runs the one that wrote most: the bound is nothing at all.
        Some((cell, units.max, records.max))
    });
    let Some((cell, units, records)) = figures else { return not_measured(name, bound, "ours was not metered") };
    let refused: u64 = cell.runs().filter(|run| run.metered).map(crate::data::Run::refusals).sum();
    let met = units <= 0.0 && records <= 0.0 && cell.is_correct() && answers(cell.counted_failures());
    let mut says = format!("of {refused} refusals");
    if let Some(share) = failed(cell.counted_failures()) {
        says.push_str(&format!("; {share} requests of {} failed", cell.system.name));
    }
    Target {
        name: name.to_owned(),
        reached: format!("{} and {}", text::units(units), text::units(records)),
        bound: bound.to_owned(),
        struck: !cell.is_correct(),
        status: if met { Status::Met } else { Status::Missed },
        says,
    }
}

#[cfg(test)]
mod tests;
