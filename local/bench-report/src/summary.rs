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
        let runs = self.benchmark.runs.iter().filter(|run| run.system == system.id && run.profile == profile);
        // A run that was lost on its way through the rates is of every one.
        let at_rate = |run: &&Run| offered.is_none() || run.metered || run.offered.is_none() || run.offered == offered;
        let (metered, timed): (Vec<_>, Vec<_>) = runs.filter(at_rate).partition(|run| run.metered);
        (!timed.is_empty() || !metered.is_empty()).then(|| Cell {
            system,
            profile: profile.to_owned(),
            offered,
            timed,
            metered,
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

    /// The timed runs.
    pub(crate) fn timed_runs(&self) -> &[&'a Run] {
        &self.timed
    }

    /// Every run.
    pub fn runs(&self) -> impl Iterator<Item = &'a Run> {
        self.timed.iter().chain(&self.metered).copied()
    }

    /// The first timed run, for what is drawn of one run alone.
    #[must_use]
    pub fn first(&self) -> Option<&'a Run> {
        self.timed.first().copied()
    }

    /// How many requests of the timed runs failed, and of how many.
    #[must_use]
    pub fn failures(&self) -> (u64, u64) {
        (self.timed.iter().map(|run| run.failures()).sum(), self.timed.iter().map(|run| run.asked).sum())
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
        self.timed(|run| (run.accepted > 0).then(|| number(run.accepted) / run.seconds.max(0.001)))
    }

    /// Accepted and decided each second: until the last decision, so that a queue that only grows does not count.
    #[must_use]
    pub fn decided_per_second(&self) -> Option<Spread> {
        self.timed(|run| Some(number(run.accepted) / run.decided_seconds?.max(0.001)).filter(|_| run.accepted > 0))
    }

    /// Issued each second, until the last decision: the one rate that is the same work for who refuses at the door and who
    /// accepts and rejects later.
    #[must_use]
    pub fn issued_per_second(&self) -> Option<Spread> {
        self.timed(|run| Some(number(run.issued) / run.decided_seconds?.max(0.001)).filter(|_| run.issued > 0))
    }

    /// Whether somebody accepted in a timed run got no coupon.
    #[must_use]
    pub fn is_rejecting(&self) -> bool {
        self.timed.iter().any(|run| run.issued < run.accepted)
    }

    /// Refused each second.
    #[must_use]
    pub fn refused_per_second(&self) -> Option<Spread> {
        self.timed(|run| (run.refusals() > 0).then(|| number(run.refusals()) / run.seconds.max(0.001)))
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

#[cfg(test)]
pub(crate) mod tests {
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
            Run { told_ms: Some(ms), gave_up, ..run("hybrid", "rush", 1) }
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
        assert_eq!(
            ratio(runs.clone(), 1, "ours"),
            Some(Ratio { value: 0.5, sound: true }),
            "though it has one rate only"
        );
        assert_eq!(ratio(runs.clone(), 1, "redis"), None, "A is no ratio to itself");
        assert_eq!(ratio(runs.clone(), 0, "ours"), None, "A accepted nothing");
        runs[1].verdict.checks = vec![check(false)];
        assert_eq!(ratio(runs, 1, "ours"), Some(Ratio { value: 0.5, sound: false }));
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
}
