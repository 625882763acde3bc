//! `cargo run --bin rush -- --seeds N --from S`: rushes by the thousand, and one of them line by line. The first seed that
//! breaks something ends it, with the command that runs that seed again.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command talks to whoever started it")]

use std::{
    collections::BTreeMap,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use rush::Defect;

/// Simulates rushes on both functions over the ports in memory, one for each seed, and audits every one.
#[derive(Debug, Parser)]
struct Options {
    /// How many seeds
    #[arg(long, default_value_t = 10_000)]
    seeds: u64,
    /// The first seed
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// End after so many seconds, whatever is left
    #[arg(long)]
    seconds: Option<u64>,
    /// Print what happens, line by line
    #[arg(long)]
    show: bool,
    /// Print how often each thing happened: faults, commits, answers, results, dead letters
    #[arg(long)]
    counts: bool,
    /// Plant a defect, by its name
    #[arg(long, value_parser = parse_defect)]
    plant: Option<Defect>,
}

fn main() -> anyhow::Result<ExitCode> {
    let options = Options::parse();
    let stop = Arc::new(AtomicBool::new(false));
    stop_on_ctrl_c(Arc::clone(&stop))?;
    let began = now();
    let bar = ProgressBar::new(options.seeds);
    bar.set_style(ProgressStyle::with_template("{bar:30} {pos}/{len} seeds, {per_sec}, {eta} left, {msg}")?);
    let mut decided = 0_u64;
    let mut done = 0_u64;
    let mut happened = BTreeMap::new();
    let mut traces = 0_u64;
    let mut failed = None;
    for seed in options.from..options.from.saturating_add(options.seeds) {
        let over = options.seconds.is_some_and(|seconds| began.elapsed() > Duration::from_secs(seconds));
        if over || stop.load(Ordering::Relaxed) {
            break;
        }
        let rush = rush::run(seed, options.plant, options.show.then_some(|line| println!("{line}")))?;
        decided = decided.saturating_add(rush.decided);
        for (what, count) in &rush.happened {
            let sum = happened.entry(*what).or_insert(0_u64);
            *sum = sum.saturating_add(*count);
        }
        traces = traces.rotate_left(1) ^ rush.trace_hash;
        done = done.saturating_add(1);
        bar.inc(1);
        bar.set_message(format!("{decided} decided"));
        if !rush.violations.is_empty() {
            failed = Some((seed, rush));
            break;
        }
    }
    bar.finish_and_clear();
    let seconds = began.elapsed().as_secs_f64();
    let per = |count: u64| f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / seconds.max(0.001);
    println!(
        "{done} seeds from {}, {decided} requests decided, in {seconds:.1} s: {:.0} seeds/s, {:.0} decided/min; \
         their traces: {traces:016x}",
        options.from,
        per(done),
        per(decided) * 60.0
    );
    for (what, count) in happened.iter().filter(|_one| options.counts) {
        println!("{count:>12} {what}");
    }
    let Some((seed, rush)) = failed else { return Ok(ExitCode::SUCCESS) };
    for violation in &rush.violations {
        eprintln!("{}: {}", violation.invariant, violation.what);
    }
    eprintln!("seed {seed} breaks this; again, line by line: cargo run --bin rush -- --seeds 1 --from {seed} --show");
    Ok(ExitCode::FAILURE)
}

fn parse_defect(name: &str) -> Result<Defect, String> {
    let named = |defect: &&Defect| format!("{defect:?}") == name;
    let list = || Defect::ALL.iter().map(|defect| format!("\n  {defect:?}: {}", defect.says())).collect::<String>();
    Defect::ALL.iter().find(named).copied().ok_or_else(|| format!("no such defect; there are:{}", list()))
}

#[expect(clippy::disallowed_methods, reason = "the command says how long it took; no rush sees this clock")]
fn now() -> Instant {
    Instant::now()
}

/// The first Ctrl-C ends the run behind the present seed, so that what was done is still printed.
fn stop_on_ctrl_c(stop: Arc<AtomicBool>) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    std::thread::spawn(move || {
        let _stopped = runtime.block_on(tokio::signal::ctrl_c()).is_ok();
        stop.store(true, Ordering::Relaxed);
    });
    Ok(())
}
