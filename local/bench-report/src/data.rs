//! The data: what was run, on what, and what came of it. Everything here is as it was measured; nothing is derived.
//!
//! It is the JSON that a benchmark writes, and reads again to be shown anew.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A whole benchmark.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Benchmark {
    /// When it began, RFC 3339.
    pub taken_at: String,
    /// How long it took.
    pub seconds: f64,
    /// The command that repeats it.
    pub command: String,
    /// How the binaries were built: `dev` or `release`.
    pub build: String,
    /// Whether it was ended before it was through; what had been measured until then is here.
    pub interrupted: bool,
    /// Where it ran.
    pub machine: Machine,
    /// What ran, by name.
    pub versions: BTreeMap<String, String>,
    /// The systems in the order in which they are shown.
    pub systems: Vec<System>,
    /// The profiles in the order in which they are shown.
    pub profiles: Vec<ProfileInfo>,
    /// Every run.
    pub runs: Vec<Run>,
    /// What went wrong beside the figures, such as a system that did not start.
    pub remarks: Vec<String>,
}

/// The machine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The processor's name.
    pub cpu: String,
    /// How many of it.
    pub cores: usize,
    /// Memory in MB.
    pub memory_mb: u64,
    /// The kernel.
    pub kernel: String,
    /// The load average over a minute before the first run: other people's work.
    pub load_before: String,
}

/// A system that was measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct System {
    /// Such as [`crate::systems::REDIS`].
    pub id: String,
    /// For people, short.
    pub name: String,
    /// What it is, in a sentence.
    pub says: String,
}

/// A profile that was run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileInfo {
    /// Such as [`crate::profiles::RUSH`].
    pub id: String,
    /// For people, short.
    pub name: String,
    /// What it does, in a sentence, with its numbers.
    pub says: String,
    /// The same of the run in which units are counted, which is shorter; none where nothing is counted.
    #[serde(default)]
    pub counted: Option<String>,
    /// The accept p99, ms, beyond which a step has given way; none for a profile without steps, and in older files.
    #[serde(default)]
    pub gives_way_ms: Option<u32>,
}

/// One run of one profile against one system.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// The system's id.
    pub system: String,
    /// The profile's id.
    pub profile: String,
    /// From 1.
    pub round: u32,
    /// Whether the store was behind the counting proxy: such a run counts units and records, and its times do not count.
    pub metered: bool,
    /// Requests a second by schedule, where the profile has one.
    pub offered: Option<f64>,
    /// From the first request to the last answer.
    pub seconds: f64,
    /// Requests that were sent.
    pub asked: u64,
    /// Those answered 201 or 202.
    pub accepted: u64,
    /// Refusals by code.
    pub refused: BTreeMap<String, u64>,
    /// Requests without an answer, or with one that is neither, by what came instead.
    pub errors: BTreeMap<String, u64>,
    /// Coupons that people hold when all is quiet, by the store.
    pub issued: u64,
    /// From the first request until the last one accepted was decided.
    pub decided_seconds: Option<f64>,
    /// From when a request was due to its 201 or 202.
    pub accept_ms: Option<Percentiles>,
    /// From when a request was due to its refusal.
    pub refuse_ms: Option<Percentiles>,
    /// From when a request was due until the coupon was the person's, or not, for good.
    pub decision_ms: Option<Percentiles>,
    /// From when a request was due until the person knew, of those who were chosen beforehand to ask until they do; who gave
    /// up counts with how long they had asked, and a figure that is theirs is shown as *more than*.
    pub told_ms: Option<Percentiles>,
    /// How many of those who asked gave up; none in older files, whose `told_ms` is of those alone who did not.
    #[serde(default)]
    pub gave_up: Option<u64>,
    /// The same as `accept_ms`, of the cold coupons alone.
    pub cold_accept_ms: Option<Percentiles>,
    /// The stock in the store, and how long it was wrong.
    pub stock: Option<Stock>,
    /// What the store charged; metered runs alone.
    pub units: Option<Units>,
    /// What the topics took; none for a system without topics.
    pub log: Option<Log>,
    /// Commands that Redis carried out.
    pub redis_commands: Option<u64>,
    /// What the system's processes took, from the first request until all was at rest; none where the next run began
    /// before that.
    pub processes: Vec<ProcessCost>,
    /// What its functions took, as Lambda bills them; none for a system without.
    #[serde(default)]
    pub functions: Vec<FunctionCost>,
    /// What the load generator itself took, in CPU ms.
    pub generator_cpu_ms: f64,
    /// Whether the outcome was right.
    pub verdict: Verdict,
}

impl Run {
    /// All refusals.
    #[must_use]
    pub fn refusals(&self) -> u64 {
        self.refused.values().sum()
    }

    /// All errors.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.errors.values().sum()
    }
}

/// Latencies, in ms.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Percentiles {
    /// How many were recorded.
    pub count: u64,
    /// On the mean.
    pub mean: f64,
    /// Half of them took no longer.
    pub p50: f64,
    /// 95 of 100.
    pub p95: f64,
    /// 99 of 100.
    pub p99: f64,
    /// 999 of 1,000.
    pub p999: f64,
    /// The longest.
    pub max: f64,
}

/// The stock in the store beside what was handed out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stock {
    /// For each coupon handed out, how long the store's stock did not count it yet.
    pub behind_ms: Option<Percentiles>,
    /// From the last acceptance until the stock was right for good; none if it never was.
    pub settled_ms: Option<f64>,
    /// How many there were at first.
    pub total: u64,
    /// What was seen, ascending by time, thinned for drawing.
    pub series: Vec<StockPoint>,
}

/// The stock at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct StockPoint {
    /// Since the first request.
    pub at_ms: f64,
    /// What is left by the promises that people have been given.
    pub promised: i64,
    /// What is left by the store.
    pub stored: i64,
}

/// Capacity units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Units {
    /// Read.
    pub read: f64,
    /// Write.
    pub write: f64,
}

/// What topics took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Log {
    /// Records.
    pub records: u64,
    /// Bytes of keys, values and headers.
    pub bytes: u64,
}

/// What processes of one name took.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProcessCost {
    /// The executable's.
    pub name: String,
    /// CPU time, user and system, during the run.
    pub cpu_ms: f64,
    /// Proportional set size at the end.
    pub pss_mb: f64,
}

/// What one function took.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunctionCost {
    /// The function's name.
    pub name: String,
    /// How often it was invoked.
    pub invocations: u64,
    /// For how long, each invocation and each init phase rounded up to a millisecond.
    pub billed_ms: u64,
    /// The memory by which its time is billed, as the template has it.
    pub memory_mb: u32,
}

/// Whether the outcome of a run was right.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// What was checked.
    pub checks: Vec<Check>,
    /// What else is wrong though it costs nobody a coupon, such as ranks given twice: shown beside the verdict, no part of
    /// it.
    #[serde(default)]
    pub flaws: Vec<String>,
}

impl Verdict {
    /// Whether everything held, and something was checked at all.
    #[must_use]
    pub fn is_correct(&self) -> bool {
        !self.checks.is_empty() && self.checks.iter().all(|check| check.held)
    }

    /// What did not hold.
    pub fn broken(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|check| !check.held)
    }
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// What has to hold, as a sentence.
    pub name: String,
    /// Whether it did.
    pub held: bool,
    /// What was found, with the first offender where there is one.
    pub found: String,
}
