//! `cargo local measure`: what the functions cost, as ratios to the bare thing beside them in the same run, so that the
//! figures mean the same on a fast machine and a slow one. Each pair is measured in turns, and the median turn counts.
//!
//! Compares with nothing but the parts themselves; other systems are `bench`'s.

mod door;
mod esm;
mod worker;

use std::collections::BTreeMap;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use kafka::{Connection, Reader};
use load_generator::processes;
use serde::Serialize;

use super::api::Api;
use super::figures::Latencies;
use super::people::{admin, people};
use super::rush::{Pace, Person, Rush};
use super::written::Written;
use super::{decisions, fresh_id, own_sandbox, unless_interrupted};
use crate::cli::UpOptions;
use crate::sandbox::Sandbox;
use crate::settings::{Deployment, Machine};

/// The function that does nothing; its package is `local/empty-handler`.
const EMPTY_HANDLER: &str = "empty-handler";
/// Requests a second at which the time to decision is taken, and for how many seconds.
const DECISION_RATE: u32 = 500;
const DECISION_SECONDS: u32 = 8;

/// `measure`: how long.
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct MeasureOptions {
    /// Something else than the functions.
    #[command(subcommand)]
    pub of: Option<MeasureOf>,
    /// Turns of each pair; the median counts
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=99))]
    pub turns: u16,
    /// Requests of a turn
    #[arg(long, value_name = "N", default_value_t = 4000, value_parser = clap::value_parser!(u32).range(100..))]
    pub requests: u32,
    /// Build the functions as they are deployed, optimised; the first time takes minutes more
    #[arg(long)]
    pub release: bool,
    /// Exit 1 when a ratio misses its goal
    #[arg(long)]
    pub strict: bool,
    /// Print the measures as JSON
    #[arg(long)]
    pub json: bool,
}

/// What else can be measured.
#[derive(Debug, Clone, Subcommand)]
pub enum MeasureOf {
    /// The event source mapping: how late a record is invoked, and how many go through, against a bare loop
    Esm(esm::EsmMeasureOptions),
}

/// One ratio, with what it has to be.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Measure {
    /// What is compared with what.
    name: &'static str,
    /// The median turn's.
    ratio: f64,
    /// Whether the ratio has to be at least or at most the goal.
    goal: &'static str,
    /// The bound.
    bound: f64,
    /// Whether it is kept.
    met: bool,
    /// The two sides of the median turn.
    ours: f64,
    bare: f64,
    unit: &'static str,
}

impl Measure {
    /// Ours by bare, of the median turn by ratio.
    fn of(name: &'static str, (goal, bound): (&'static str, f64), unit: &'static str, turns: &[(f64, f64)]) -> Self {
        let mut turns: Vec<(f64, f64, f64)> = turns.iter().map(|(ours, bare)| (ours / bare, *ours, *bare)).collect();
        turns.sort_by(|one, other| one.0.total_cmp(&other.0));
        let (ratio, ours, bare) = turns.get(turns.len() / 2).copied().unwrap_or((f64::NAN, f64::NAN, f64::NAN));
        let met = if goal == AT_LEAST { ratio >= bound } else { ratio <= bound };
        Self { name, ratio, goal, bound, met, ours, bare, unit }
    }
}

/// More of ours is better.
pub(super) const AT_LEAST: &str = "at least";
/// Less of ours is better.
pub(super) const AT_MOST: &str = "at most";

#[derive(Debug, Serialize)]
struct Measures {
    ratios: Vec<Measure>,
    /// CPU time of one accepted and decided request, by process; `local` is gateway, Lambda host, mapping and who asks.
    cpu_ms: BTreeMap<String, f64>,
    /// CPU time of a thousand coupons.
    thousand_cpu_ms: worker::Spent,
    /// From the moment a request was due to its result in the log.
    decision_ms: Latencies,
    decision_rate: u32,
    /// Records of the request topic when memory was looked at; what was refused comes on top.
    requests: i64,
    memory: Vec<processes::Process>,
}

/// Measures, prints on stdout.
///
/// # Errors
/// A sandbox does not start, or a request has another answer than it should.
pub async fn run(options: &MeasureOptions) -> anyhow::Result<ExitCode> {
    if let Some(MeasureOf::Esm(options)) = &options.of {
        return esm::run(options).await;
    }
    unless_interrupted(run_measures(options)).await
}

async fn run_measures(options: &MeasureOptions) -> anyhow::Result<ExitCode> {
    let measures = measure(options).await?;
    if options.json {
        println!("{}", serde_json::to_string(&measures)?);
    } else {
        print!("{}", page(&measures));
    }
    let missed = measures.ratios.iter().any(|measure| !measure.met);
    Ok(if options.strict && missed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn measure(options: &MeasureOptions) -> anyhow::Result<Measures> {
    let users = options.requests.max(DECISION_RATE * DECISION_SECONDS);
    eprintln!("Starting two sandboxes, one of them with an empty handler, and signing {users} tokens …");
    let deployment = Deployment::of_checkout()?;
    let mut empty = deployment.clone();
    for route in deployment.settings(&Machine::default())?.api.routes {
        empty = empty.with_binary(&route.function, EMPTY_HANDLER);
    }
    let people = people(usize::try_from(users)?).await?;
    let up = UpOptions { release: options.release, ..own_sandbox()? };
    let ours = Sandbox::start(&up, &deployment).await?;
    let bare = Sandbox::start(&up, &empty).await?;
    eprintln!("Measuring the door …");
    let door = door::Door { ours: &ours, bare: Api::new(&bare.addresses().api)?, people: &people, options };
    let (mut ratios, cpu_ms) = door.measure().await?;
    bare.stop().await?;
    eprintln!("Measuring the worker …");
    let (ratio, thousand_cpu_ms) = worker::measure(&ours, options).await?;
    ratios.push(ratio);
    eprintln!("Measuring the time to decision at {DECISION_RATE} requests a second …");
    let decision_ms = decision(&ours, people).await?;
    let requests = requests(&ours).await?;
    let memory = processes::of_tree(std::process::id())?;
    ours.stop().await?;
    Ok(Measures { ratios, cpu_ms, thousand_cpu_ms, decision_ms, decision_rate: DECISION_RATE, requests, memory })
}

/// How many requests are in the log.
async fn requests(sandbox: &Sandbox) -> anyhow::Result<i64> {
    let reader = Reader::new(&Connection::plaintext(&sandbox.addresses().kafka))?;
    let spans = reader.spans(&sandbox.settings().names()?.requests).await?;
    Ok(spans.iter().map(|span| span.end - span.start).sum())
}

async fn decision(sandbox: &Sandbox, mut people: Vec<Person>) -> anyhow::Result<Latencies> {
    people.truncate(usize::try_from(DECISION_RATE * DECISION_SECONDS)?);
    // Half of them win. Who comes behind them is decided in the log until the API hears of the end, and then refused
    // there: both kinds of decision are in it.
    let stock = u64::try_from(people.len() / 2)?;
    let rush = Rush::new(Api::new(&sandbox.addresses().api)?, fresh_id("decision"), people, Written::default())?;
    rush.api().create(rush.coupon_id(), "Decision", stock, &admin()?).await?;
    rush.run(Pace::Rate(f64::from(DECISION_RATE))).await?;
    decisions::record(&rush, &sandbox.addresses().kafka).await?;
    Ok(rush.figures().decision_ms)
}

/// As it is printed.
fn line(Measure { name, ratio, goal, bound, met, ours, bare, unit }: &Measure) -> String {
    let verdict = if *met { "met" } else { "MISSED" };
    format!("{name}\n    {ratio:.2}, {goal} {bound}: {verdict} ({ours:.1} against {bare:.1} {unit})\n")
}

fn page(measures: &Measures) -> String {
    let mut page = String::new();
    for measure in &measures.ratios {
        page.push_str(&line(measure));
    }
    let worker::Spent { worker, bare } = &measures.thousand_cpu_ms;
    for (of, spent) in [
        ("one accepted and decided request", &measures.cpu_ms),
        ("1,000 coupons by the worker", worker),
        ("1,000 coupons by bare transactions", bare),
    ] {
        page.push_str(&format!("CPU time of {of}\n"));
        for (name, ms) in spent {
            page.push_str(&format!("    {name:<18} {ms:>7.2} ms\n"));
        }
    }
    let decision = super::shown::percentiles(&measures.decision_ms);
    page.push_str(&format!("time to decision at {}/s\n    {decision}\n", measures.decision_rate));
    page.push_str(&format!("memory, with {} requests in the log\n", measures.requests));
    for process in &measures.memory {
        let processes::Process { name, pid, pss_mb, rss_mb, cpu_ms: _ } = process;
        page.push_str(&format!("    {name:<18} {pss_mb:>7.1} MB PSS {rss_mb:>7.1} MB RSS (pid {pid})\n"));
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_turn_counts() {
        let turns = [(50.0, 100.0), (90.0, 100.0), (70.0, 100.0)];
        let measure = Measure::of("x", (AT_LEAST, 0.7), "req/s", &turns);
        assert_eq!((measure.ratio, measure.ours, measure.met), (0.7, 70.0, true));
        assert!(!Measure::of("x", (AT_MOST, 0.6), "ms", &turns).met);
        assert!(!Measure::of("x", (AT_LEAST, 0.6), "ms", &[]).met, "nothing measured meets nothing");
    }
}
