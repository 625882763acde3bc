//! `cargo local bench`: the seeds' two systems and ours, under the same profiles, by one load generator, in turns. Here
//! is the order of things; what a system is `compared.rs` says, how one runs `session.rs`, one profile `one.rs`, what
//! came of it `judge.rs`, and the report is the crate `bench-report`'s.
//!
//! Two kinds of sessions, so that counting disturbs no figure of time: timed ones, as many as there are rounds, and one
//! in which the store is behind a proxy that counts its units. A round starts each system anew, in another order, and a full
//! one for each profile. What is broken off is a run all the same, of which nothing is known.

mod audited;
mod compared;
mod judge;
mod machine;
mod one;
mod options;
mod session;
mod settle;
mod signals;
mod stock;
mod write;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use bench_report::profiles::SEEDS;
use bench_report::{Benchmark, Run};
use load_generator::{Person, Profile, Size};

use crate::load::early::EARLY_PEOPLE;
use crate::load::people::people;
use crate::parts::{self, Parts};
use crate::redis;
use crate::settings::{Deployment, Machine};
pub(crate) use compared::Compared;
pub use options::BenchOptions;
use session::Session;
use signals::Signals;

/// Without a second round there is no spread.
const ROUNDS_MIN: u16 = 2;
/// What `--full` may take: a third round that would end later is left out, and that is said.
const FULL_MAX: Duration = Duration::from_secs(35 * 60);

/// Measures, judges, writes the report; exit 0 also where a target is missed, which the report says, and 1 where a system did
/// not run at all.
///
/// # Errors
/// The report cannot be written, nobody's token can be signed, nothing was measured.
pub async fn run(options: &BenchOptions) -> anyhow::Result<ExitCode> {
    options.check()?;
    let out = write::Out::of(options)?;
    if let Some(path) = &options.show {
        let read = std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
        let benchmark: Benchmark = serde_json::from_slice(&read)
            .with_context(|| format!("{} is no bench.json of this version", path.display()))?;
        out.drawn(&benchmark)?;
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(system) = options.systems.iter().find(|system| system.wants_redis() && !redis::is_installed()) {
        bail!("{system} wants a redis-server: `apt-get install redis-server`, or choose --systems ours,emulated");
    }
    let mut signals = Signals::new()?;
    let mut benchmark = machine::blank(options)?;
    measure(options, &mut benchmark, &out, &mut signals).await?;
    if benchmark.runs.is_empty() {
        eprintln!("Ended before anything was measured; nothing is written.");
    } else {
        out.data(&benchmark)?;
        out.drawn(&benchmark)?;
    }
    let ran = |system: &Compared| benchmark.runs.iter().any(|run| run.system == system.id() && run.asked > 0);
    let ended = if options.systems.iter().all(ran) { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    Ok(signals.code().unwrap_or(ended))
}

/// What has been measured is in `benchmark` and on the disk when a session ends: an interrupt loses the one that runs.
async fn measure(
    options: &BenchOptions,
    benchmark: &mut Benchmark,
    out: &write::Out<'_>,
    signals: &mut Signals,
) -> anyhow::Result<()> {
    // So that no turn has a build in it. Those of the parts that are there take a second.
    if signals.unless_come(built(options)).await?.is_none() {
        benchmark.interrupted = true;
        return Ok(());
    }
    // Until the last round is through: what a kill leaves on the disk says so.
    benchmark.interrupted = true;
    let (start, profiles) = (Instant::now(), options.profiles());
    let count = profiles.iter().map(Profile::people_max).max().unwrap_or(0).saturating_add(EARLY_PEOPLE);
    eprintln!("Signing {count} tokens …");
    let people: Arc<[Person]> = people(count).await?.into();
    let rounds = options.rounds();
    for round in 0..=rounds {
        let began = Instant::now();
        // The round before the first counts units, round by round alike.
        let (metered, number) = (round == 0, u32::from(round.max(1)));
        let order = in_order(&options.systems, round.max(1));
        let turns =
            options.sessions(&profiles).flat_map(|profiles| order.iter().map(move |system| (profiles, *system)));
        for (profiles, system) in turns {
            let turn = Turn { options, profiles, people: &people, system, round: number };
            if turn.runs(metered).is_empty() {
                continue;
            }
            match metered {
                true => eprintln!("Counting units: {system}"),
                false => eprintln!("Round {round} of {rounds}: {system}"),
            }
            turn.session(metered, signals).await.keep(system, benchmark);
            benchmark.seconds = start.elapsed().as_secs_f64();
            // An earlier benchmark's file stays until there is something to put in its place.
            if !benchmark.runs.is_empty() {
                out.data(benchmark)?;
            }
            if signals.code().is_some() {
                return Ok(());
            }
        }
        let is_wanted = options.rounds.is_some() || round < ROUNDS_MIN || round == rounds;
        if options.full && !is_wanted && start.elapsed().saturating_add(began.elapsed()) > FULL_MAX {
            let minutes = FULL_MAX.as_secs() / 60;
            let said =
                format!("{round} rounds of {rounds}: one more would have ended after more than {minutes} minutes");
            eprintln!("{said}");
            benchmark.remarks.push(said);
            break;
        }
    }
    benchmark.interrupted = false;
    Ok(())
}

/// Builds what the systems consist of.
async fn built(options: &BenchOptions) -> anyhow::Result<()> {
    let embedded = [parts::BROKER, parts::DYNAMODB];
    let settings = Deployment::of_checkout()?.settings(&Machine::default())?;
    let functions: Vec<&str> = match options.systems.contains(&Compared::Emulated) {
        true => settings.functions.iter().map(|function| function.binary.as_str()).collect(),
        false => Vec::new(),
    };
    if options.release {
        Parts::build(&embedded).await?.build_deployed(&functions).await?;
    } else {
        Parts::build(&[&embedded, functions.as_slice()].concat()).await?;
    }
    Ok(())
}

/// The systems in the order of a round, from 1: every second round goes backwards, so that each comes behind each other
/// one, and every third begins anew with another one. A machine that gets busier favours nobody.
fn in_order(systems: &[Compared], round: u16) -> Vec<Compared> {
    let mut order = systems.to_vec();
    let turns = usize::from(round.saturating_sub(1) / 2).checked_rem(order.len()).unwrap_or(0);
    order.rotate_left(turns);
    if round.is_multiple_of(2) {
        order.reverse();
    }
    order
}

/// One system's turn.
struct Turn<'a> {
    options: &'a BenchOptions,
    profiles: &'a [Profile],
    people: &'a Arc<[Person]>,
    system: Compared,
    round: u32,
}

/// What a session came to; runs that were through count even when a later one failed.
#[derive(Default)]
struct Came {
    runs: Vec<Run>,
    failed: Option<anyhow::Error>,
}

impl Came {
    fn keep(self, system: Compared, benchmark: &mut Benchmark) {
        benchmark.runs.extend(self.runs);
        if let Some(error) = self.failed {
            eprintln!("{system}: {error:#}");
            benchmark.remarks.push(format!("{system}: {error:#}"));
        }
    }
}

impl Turn<'_> {
    /// What a session is about to run: every profile, none behind a proxy, or those that have units to count.
    fn runs(&self, metered: bool) -> Vec<Profile> {
        let size = self.options.size();
        if metered {
            let is_mine = |profile: &Profile| self.profiles.iter().any(|mine| mine.id == profile.id);
            let counted = self.options.counted().into_iter();
            counted.filter(|profile| is_mine(profile) && one::is_metered(profile.id, size)).collect()
        } else {
            self.profiles.to_vec()
        }
    }

    /// A session that does not begin leaves every one of its runs without a figure, and none of them right.
    fn not_started(&self, metered: bool, error: anyhow::Error) -> Came {
        let error = error.context("it does not start");
        let lost = |profile: Profile| one::lost(one::blank(self.system, profile.id, self.round, metered), &error);
        Came { runs: self.runs(metered).into_iter().map(lost).collect(), failed: Some(error) }
    }

    async fn session(&self, metered: bool, signals: &mut Signals) -> Came {
        let session = match Session::start(self.system, metered, self.options.release, signals).await {
            Ok(Some(session)) => session,
            Ok(None) => return Came::default(),
            Err(error) => return self.not_started(metered, error),
        };
        let came = tokio::select! {
            came = self.came(&session, metered) => came,
            () = signals.come() => Came::default(),
        };
        let stopped = session.stop().await;
        Came { failed: came.failed.or(stopped.err()), ..came }
    }

    /// All profiles, judged together at the end, when the slowest outbox is empty. One that cannot be run is that one's
    /// fault, as long as the system is there.
    async fn came(&self, session: &Session, metered: bool) -> Came {
        let mut drafts = Vec::new();
        let (mut failed, mut lost) = (None, Vec::new());
        for profile in &self.runs(metered) {
            // The stock over time is drawn of the seeds' load, so its outbox is waited for in any case.
            let settles = self.options.size() == Size::Full || profile.id == SEEDS;
            let (people, round) = (self.people, self.round);
            let one = one::One { session, profile, people, round, settles };
            if !session.runs() {
                lost.push(one::lost(one.blank(), &anyhow::anyhow!("the system had ended")));
            } else if let Err(error) = one.run(&mut drafts).await {
                lost.push(one::lost(one.blank(), &error));
                failed = failed.or(Some(error.context(format!("profile {}", profile.id))));
            }
        }
        settle::settled(session, &drafts).await;
        let mut runs = judge::all(session, drafts, self.people).await;
        runs.append(&mut lost);
        Came { runs, failed }
    }
}

#[cfg(test)]
mod tests {
    use baseline::System;
    use load_generator::PROFILES;

    use super::*;

    const SYSTEMS: [Compared; 4] = [
        Compared::Baseline(System::Redis),
        Compared::Baseline(System::Hybrid),
        Compared::Baseline(System::Ours),
        Compared::Emulated,
    ];

    fn options(full: bool) -> BenchOptions {
        BenchOptions {
            quick: !full,
            full,
            systems: SYSTEMS.to_vec(),
            profiles: PROFILES.map(str::to_owned).to_vec(),
            rounds: None,
            out: None,
            page: None,
            release: false,
            show: None,
        }
    }

    #[test]
    fn each_system_comes_behind_each_other_one_within_two_rounds() {
        let rounds: Vec<Vec<Compared>> = (1..=3).map(|round| in_order(&SYSTEMS, round)).collect();
        let place = |order: &[Compared], system| order.iter().position(|it| *it == system).unwrap();
        for one in SYSTEMS {
            for other in SYSTEMS.into_iter().filter(|other| *other != one) {
                let behind = |order: &Vec<Compared>| place(order, one) > place(order, other);
                assert!(rounds[..2].iter().any(behind), "{one} behind {other}: {rounds:?}");
            }
        }
        assert_eq!(rounds[2][0], SYSTEMS[1], "the third begins with another one");
        assert!(in_order(&[], 1).is_empty());
    }

    #[test]
    fn a_full_benchmark_has_the_seeds_load_as_long_as_theirs_was() {
        let seconds = |full| match options(full).profiles()[0].plans[0].pace {
            load_generator::Pace::Users { seconds, .. } => seconds,
            load_generator::Pace::Rate { .. } | load_generator::Pace::Clients { .. } => f64::NAN,
        };
        assert!(seconds(true) > 79.9 && seconds(false) < 10.0);
    }

    #[test]
    fn a_full_benchmark_starts_anew_for_each_profile_and_a_quick_one_for_all() {
        for (full, sessions) in [(true, PROFILES.len()), (false, 1)] {
            let options = options(full);
            let profiles = options.profiles();
            assert_eq!(options.sessions(&profiles).count(), sessions);
            assert_eq!(options.sessions(&profiles).map(<[Profile]>::len).sum::<usize>(), PROFILES.len());
        }
        assert_eq!(options(false).sessions(&[]).count(), 0);
    }

    #[test]
    fn a_system_that_does_not_start_has_a_wrong_run_of_every_profile() {
        let (options, people) = (options(true), Arc::from(Vec::<Person>::new()));
        let profiles = options.profiles();
        let turn = Turn { options: &options, profiles: &profiles, people: &people, system: SYSTEMS[1], round: 2 };
        for (metered, ids) in [(false, PROFILES.to_vec()), (true, PROFILES.to_vec())] {
            let came = turn.not_started(metered, anyhow::anyhow!("no port"));
            assert_eq!(came.runs.iter().map(|run| run.profile.as_str()).collect::<Vec<_>>(), ids);
            for run in came.runs {
                assert_eq!((run.system.as_str(), run.round, run.metered), ("hybrid", 2, metered));
                assert_eq!(run.verdict.broken().next().unwrap().found, "it does not start: no port");
            }
            assert!(came.failed.is_some());
        }
    }
}
