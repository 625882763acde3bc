//! Runs put together: what one system did under one profile, over all rounds. Figures are medians of the timed runs;
//! units and records are those of the metered ones, whose times do not count.

use std::collections::BTreeSet;

use crate::ReportError;
use crate::cost::{Cost, Prices};
use crate::data::{Benchmark, Check, ProcessCost, ProfileInfo, Run, System};
use crate::stats::{Spread, each, number};
use crate::systems::REDIS;

/// A benchmark with the price table it is shown by.
#[derive(Debug)]
pub struct Summary<'a> {
    /// What was measured.
    pub benchmark: &'a Benchmark,
    /// What it costs.
    pub prices: Prices,
}

/// All rounds of one system under one profile, and at one rate where the profile steps through rates.
#[derive(Debug, Clone)]
pub struct Cell<'a> {
    /// Which system.
    pub system: &'a System,
    profile: String,
    /// The rate by schedule, where there is one.
    pub offered: Option<f64>,
    timed: Vec<&'a Run>,
    metered: Vec<&'a Run>,
    rounds: usize,
}

/// A figure by A's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ratio {
    /// So many times as much.
    pub value: f64,
    /// Whether A's outcome was right; a ratio to a wrong one is struck through.
    pub sound: bool,
}

impl Ratio {
    /// To what A has, and whether its outcome was right; none to nothing.
    pub(crate) fn of(value: f64, (other, sound): (f64, bool)) -> Option<Self> {
        (other > 0.0).then(|| Self { value: value / other, sound })
    }

    pub(crate) fn shown(self) -> String {
        format!("{}×", crate::text::figure(self.value))
    }
}

impl<'a> Summary<'a> {
    /// With the price table of this crate.
    ///
    /// # Errors
    /// The table is not what it has to be.
    pub fn new(benchmark: &'a Benchmark) -> Result<Self, ReportError> {
        Ok(Self { benchmark, prices: Prices::known()? })
    }

    /// What is to be known of a profile; none of one that was not run.
    #[must_use]
    pub fn profile(&self, id: &str) -> Option<&'a ProfileInfo> {
        self.benchmark.profiles.iter().find(|profile| profile.id == id)
    }

    /// The cell of a system under a profile; of all rates together where there are several.
    #[must_use]
    pub fn cell(&self, system: &str, profile: &str) -> Option<Cell<'a>> {
        let system = self.benchmark.systems.iter().find(|one| one.id == system)?;
        self.cell_of(system, profile, None)
    }

    /// A profile's cells, systems in their order, rates ascending.
    #[must_use]
    pub fn cells(&self, profile: &ProfileInfo) -> Vec<Cell<'a>> {
        let mut cells = Vec::new();
        // A system that gave way at the first step has one rate, too.
        let stepped = self.benchmark.systems.iter().any(|system| self.rates(&system.id, &profile.id).len() > 1);
        for system in &self.benchmark.systems {
            let rates = self.rates(&system.id, &profile.id);
            if stepped && !rates.is_empty() {
                cells.extend(rates.into_iter().filter_map(|rate| self.cell_of(system, &profile.id, Some(rate))));
            } else {
                cells.extend(self.cell_of(system, &profile.id, None));
            }
        }
        cells
    }

    /// The same with all rates of a system together: what is counted has rates of its own.
    pub(crate) fn whole_cells(&self, profile: &ProfileInfo) -> Vec<Cell<'a>> {
        self.benchmark.systems.iter().filter_map(|system| self.cell_of(system, &profile.id, None)).collect()
    }

    /// A cell's figure by A's under the same profile at the same rate; none for A itself, and none where either has none.
    #[must_use]
    pub fn to_a(&self, cell: &Cell<'_>, figure: impl Fn(&Cell<'_>) -> Option<Spread>) -> Option<Ratio> {
        let system = self.benchmark.systems.iter().find(|one| one.id == REDIS && cell.system.id != REDIS)?;
        let of_a = self.cell_of(system, &cell.profile, cell.offered)?;
        Ratio::of(figure(cell)?.median, (figure(&of_a)?.median, of_a.is_correct()))
    }

    /// The rates at which a system was asked under a profile, ascending.
    #[must_use]
    pub fn rates(&self, system: &str, profile: &str) -> Vec<f64> {
        let runs = self.benchmark.runs.iter().filter(|run| run.system == system && run.profile == profile);
        let mut rates: Vec<f64> = runs.filter(|run| !run.metered).filter_map(|run| run.offered).collect();
        rates.sort_by(f64::total_cmp);
        rates.dedup();
        rates
    }

    fn cell_of(&self, system: &'a System, profile: &str, offered: Option<f64>) -> Option<Cell<'a>> {
        let runs = || self.benchmark.runs.iter().filter(|run| run.system == system.id && run.profile == profile);
        let rounds: BTreeSet<u32> = runs().filter(|run| !run.metered).map(|run| run.round).collect();
        // A run that was lost on its way through the rates is of every one.
        let at_rate = |run: &&Run| offered.is_none() || run.metered || run.offered.is_none() || run.offered == offered;
        let (metered, timed): (Vec<_>, Vec<_>) = runs().filter(at_rate).partition(|run| run.metered);
        (!timed.is_empty() || !metered.is_empty()).then(|| Cell {
            system,
            profile: profile.to_owned(),
            offered,
            timed,
            metered,
            rounds: rounds.len(),
        })
    }
}

impl<'a> Cell<'a> {
    /// The median over the timed rounds.
    pub fn timed(&self, figure: impl Fn(&Run) -> Option<f64>) -> Option<Spread> {
        Spread::of(self.timed.iter().filter_map(|run| figure(run)))
    }

    /// The median over the metered rounds.
    pub fn counted(&self, figure: impl Fn(&Run) -> Option<f64>) -> Option<Spread> {
        Spread::of(self.metered.iter().filter_map(|run| figure(run)))
    }

    /// In how many rounds the system was timed under the profile, at whatever rate: a figure of fewer is of those that were
    /// left.
    pub(crate) fn rounds(&self) -> usize {
        self.rounds
    }

    /// In how many runs units were counted.
    pub(crate) fn counted_runs(&self) -> usize {
        self.metered.len()
    }

    /// The timed runs.
    pub(crate) fn timed_runs(&self) -> &[&'a Run] {
        &self.timed
    }

    /// Every run.
    pub fn runs(&self) -> impl Iterator<Item = &'a Run> {
        self.timed.iter().chain(&self.metered).copied()
    }

    /// The rate by schedule, of the runs where there is but one; a run that was lost has none.
    pub(crate) fn rate(&self) -> Option<f64> {
        self.offered.or_else(|| self.timed.iter().find_map(|run| run.offered))
    }

    /// The timed runs of one round alone.
    pub(crate) fn in_round(&self, round: u32) -> Self {
        let timed = self.timed.iter().copied().filter(|run| run.round == round).collect();
        Self { timed, metered: Vec::new(), rounds: 1, ..self.clone() }
    }

    /// How many requests of the timed runs failed, and of how many.
    #[must_use]
    pub fn failures(&self) -> (u64, u64) {
        failures(&self.timed)
    }

    /// The same of the metered runs.
    #[must_use]
    pub fn counted_failures(&self) -> (u64, u64) {
        failures(&self.metered)
    }

    /// Whether every run's outcome was right. Figures of a cell that is not correct are shown struck through.
    #[must_use]
    pub fn is_correct(&self) -> bool {
        self.runs().next().is_some() && self.runs().all(|run| run.verdict.is_correct())
    }

    /// How many runs were right, and of how many.
    #[must_use]
    pub fn correct_runs(&self) -> (usize, usize) {
        (self.runs().filter(|run| run.verdict.is_correct()).count(), self.runs().count())
    }

    /// What did not hold, each check once.
    #[must_use]
    pub fn broken(&self) -> Vec<&'a Check> {
        let mut broken: Vec<&Check> = Vec::new();
        for check in self.runs().flat_map(|run| run.verdict.broken()) {
            if !broken.iter().any(|known| known.name == check.name) {
                broken.push(check);
            }
        }
        broken
    }

    /// What else was wrong, in the first run that had it.
    #[must_use]
    pub fn flaws(&self) -> &'a [String] {
        self.runs().map(|run| run.verdict.flaws.as_slice()).find(|flaws| !flaws.is_empty()).unwrap_or_default()
    }

    /// Accepted each second, from the first request to the last answer.
    #[must_use]
    pub fn accepted_per_second(&self) -> Option<Spread> {
        self.each_second(|run| run.accepted, |run| Some(run.seconds))
    }

    /// Accepted and decided each second: until the last decision, so that a queue that only grows does not count.
    #[must_use]
    pub fn decided_per_second(&self) -> Option<Spread> {
        self.each_second(|run| run.accepted, |run| run.decided_seconds)
    }

    /// Issued each second, until the last decision: the one rate that is the same work for who refuses at the door and who
    /// accepts and rejects later.
    #[must_use]
    pub fn issued_per_second(&self) -> Option<Spread> {
        self.each_second(|run| run.issued, |run| run.decided_seconds)
    }

    /// A rate of the accepted. A round in which every request failed has one, nothing: left out, it would leave the median as
    /// good as before. None where nothing was asked, or nobody was to be accepted.
    fn each_second(&self, count: fn(&Run) -> u64, seconds: fn(&Run) -> Option<f64>) -> Option<Spread> {
        let refuses = self.refuses_everybody();
        self.timed(|run| match run.accepted {
            0 => (run.asked > 0 && !refuses).then_some(0.0),
            _ => Some(number(count(run)) / seconds(run)?.max(0.001)),
        })
    }

    /// Whether refusals are all that a timed run was to be answered with, as behind the end.
    fn refuses_everybody(&self) -> bool {
        self.timed.iter().all(|run| run.accepted == 0) && self.refuses()
    }

    /// Whether somebody was refused in a timed run.
    fn refuses(&self) -> bool {
        self.timed.iter().any(|run| run.refusals() > 0)
    }

    /// Whether somebody accepted in a timed run got no coupon.
    #[must_use]
    pub fn is_rejecting(&self) -> bool {
        self.timed.iter().any(|run| run.issued < run.accepted)
    }

    /// Refused each second; nothing in a round that refused nobody where another one did.
    #[must_use]
    pub fn refused_per_second(&self) -> Option<Spread> {
        let refuses = self.refuses();
        self.timed(|run| (refuses && run.asked > 0).then(|| number(run.refusals()) / run.seconds.max(0.001)))
    }

    /// Write units for each coupon issued.
    #[must_use]
    pub fn write_units_per_coupon(&self) -> Option<Spread> {
        self.counted(|run| each(run.units?.write, run.issued))
    }

    /// Read units for each coupon issued.
    #[must_use]
    pub fn read_units_per_coupon(&self) -> Option<Spread> {
        self.counted(|run| each(run.units?.read, run.issued))
    }

    /// CPU ms of everything but the load generator, for each answer.
    #[must_use]
    pub fn cpu_ms_per_answer(&self) -> Option<Spread> {
        let cpu = |run: &Run| run.processes.iter().map(|process| process.cpu_ms).sum::<f64>();
        self.timed(|run| each(cpu(run), run.accepted.saturating_add(run.refusals())).filter(|ms| *ms > 0.0))
    }

    /// CPU ms and memory in MB of each kind of process, by name.
    #[must_use]
    pub fn processes(&self) -> Vec<(&'a str, Option<Spread>, Option<Spread>)> {
        let names: BTreeSet<&'a str> =
            self.timed.iter().flat_map(|run| &run.processes).map(|process| process.name.as_str()).collect();
        let of = |name: &str, figure: fn(&ProcessCost) -> f64| {
            self.timed(|run| run.processes.iter().find(|process| process.name == name).map(figure))
        };
        names.into_iter().map(|name| (name, of(name, |one| one.cpu_ms), of(name, |one| one.pss_mb))).collect()
    }

    /// Memory of all of the system's processes at the end, in MB.
    #[must_use]
    pub fn memory_mb(&self) -> Option<Spread> {
        let memory = |run: &Run| run.processes.iter().map(|process| process.pss_mb).sum::<f64>();
        self.timed(|run| Some(memory(run)).filter(|mb| *mb > 0.0))
    }

    /// What a million coupons cost, by the metered run.
    ///
    /// # Errors
    /// The price table lacks a price.
    pub fn cost_of_a_million_issued(&self, prices: &Prices) -> Result<Option<Cost>, ReportError> {
        self.metered.first().map_or(Ok(None), |run| prices.of_a_million(run, run.issued))
    }

    /// What a million refusals cost, by the metered run.
    ///
    /// # Errors
    /// The price table lacks a price.
    pub fn cost_of_a_million_refused(&self, prices: &Prices) -> Result<Option<Cost>, ReportError> {
        self.metered.first().map_or(Ok(None), |run| prices.of_a_million(run, run.refusals()))
    }
}

fn failures(runs: &[&Run]) -> (u64, u64) {
    (runs.iter().map(|run| run.failures()).sum(), runs.iter().map(|run| run.asked).sum())
}

#[cfg(test)]
pub(crate) mod tests;
