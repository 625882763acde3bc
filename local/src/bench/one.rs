//! One profile against one system: coupons are made, the plan is driven, and what the system took meanwhile is noted.
//! Whether the outcome was right is judged at the end of the session (`judge.rs`), when the slowest outbox is empty.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use baseline::verdict::Asked;
use bench_report::{Check, FunctionCost, Percentiles, ProcessCost, Run, Verdict};
use kafka::Span;
use load_generator::processes::{Process, cpu_each, cpu_ms_of};
use load_generator::{
    Answered, Asking, Driven, Latencies, Outcome, Pace, Person, Plan, Profile, Sample, Size, Watched, counts, drive,
    gives_way,
};

use super::compared::Compared;
use super::session::Session;
use super::settle::{pause, settled, settled_at};
use super::stock::Watch;
use crate::lambda::Usage;
use crate::load::early::sell_out;
use crate::load::fresh_id;
use crate::load::people::admin;

/// What a refusal is called that came behind a 202.
const REFUSED_LATER: &str = "taken, and refused later";
/// How long decisions may be behind the last answer: so long, and a second more for so many that were accepted, for a
/// queue that is worked off slowly is worked off all the same.
const DECIDED_MAX: Duration = Duration::from_secs(90);
const DECIDED_EACH_SECOND: f64 = 50.0;
/// The last tickets of each coupon that are asked for: a coupon is decided in the order of its log.
const LAST_TICKETS: usize = 3;

const _: () = assert!(load_generator::FOLLOW_MAX.as_secs() == bench_report::GAVE_UP_SECONDS);

/// Profiles whose units are counted: coupons and refusals by themselves, and with time every mixture of them.
pub(super) fn is_metered(profile: &str, size: Size) -> bool {
    matches!(profile, "sustained" | "bots") || size == Size::Full
}

/// One profile, one system.
pub(super) struct One<'a> {
    pub(super) session: &'a Session,
    pub(super) profile: &'a Profile,
    pub(super) people: &'a Arc<[Person]>,
    pub(super) round: u32,
    /// Whether to wait for A's outbox before the next profile begins, which otherwise meets its work.
    pub(super) settles: bool,
}

/// A run that is not judged yet.
pub(super) struct Draft {
    pub(super) run: Run,
    pub(super) coupons: Vec<String>,
    /// How many there were of the first coupon, and of each further one.
    pub(super) total: u64,
    pub(super) total_each: u64,
    pub(super) driven: Driven,
    pub(super) watch: Watch,
    pub(super) start: Instant,
    /// What was asked before the run, to sell the coupon out.
    pub(super) early: Vec<Asked>,
    /// Whether the last tickets had an outcome in time, and how long that might take.
    pub(super) decided: bool,
    pub(super) patience: Duration,
    /// When that was known.
    pub(super) decided_after: Duration,
}

impl Draft {
    /// What is left of a coupon when its accepted people have theirs.
    pub(super) fn left(&self, coupon: usize) -> u64 {
        if !self.early.is_empty() {
            return 0;
        }
        let accepted = self.driven.samples.iter().filter(|sample| sample.coupon == coupon && sample.is_accepted());
        let winners: BTreeSet<usize> = accepted.map(|sample| sample.person).collect();
        let total = if coupon == 0 { self.total } else { self.total_each };
        total.saturating_sub(u64::try_from(winners.len()).unwrap_or(u64::MAX))
    }
}

/// What there was at one moment.
struct Moment {
    processes: Vec<Process>,
    units: Option<bench_report::Units>,
    spans: Vec<(&'static str, Vec<Span>)>,
    redis_commands: Option<u64>,
    functions: BTreeMap<String, Usage>,
    own_cpu_ms: f64,
}

impl One<'_> {
    /// Every step of the profile, until one gives way; drafts are added as they are made.
    pub(super) async fn run(&self, drafts: &mut Vec<Draft>) -> anyhow::Result<()> {
        let first = drafts.len();
        for plan in &self.profile.plans {
            let draft = self.step(*plan).await?;
            eprintln!("  {}", shown(&draft));
            let gave_way = gives_way(plan, &draft.driven.samples)?;
            drafts.push(draft);
            if gave_way {
                break;
            }
        }
        if self.settles {
            settled(self.session, drafts.get(first..).unwrap_or_default()).await;
        }
        Ok(())
    }

    /// Whether a step is at rest before the next begins, and what it took is therefore its own. The steps of a rush come
    /// one right behind the other: waiting for A's outbox behind each would take longer than the steps.
    fn rests(&self) -> bool {
        self.session.is_metered() || (self.settles && self.profile.plans.len() == 1)
    }

    async fn step(&self, mut plan: Plan) -> anyhow::Result<Draft> {
        // Whoever asks until they know reads the store, and would be counted.
        plan.follow_every = plan.follow_every.filter(|_| !self.session.is_metered());
        let coupons = self.coupons(&plan).await?;
        let hot = coupons.first().cloned().unwrap_or_default();
        let watch = Watch::start(self.session.tables.clone(), self.session.system.stores_as(), hot.clone());
        let mut early = Vec::new();
        if self.profile.sold_out {
            early = sell_out(&self.session.api, &hot, self.people).await?;
            // What was taken in vain is a queue, too, and not the run's.
            self.session.caught_up(DECIDED_MAX).await?;
            if self.rests() {
                settled_at(&watch, 0).await;
            }
        }
        let before = self.moment().await?;
        let start = Instant::now();
        let watched = Arc::new(Watched::default());
        let driven =
            drive(&self.session.api, plan, coupons.clone(), Arc::clone(self.people), Arc::clone(&watched)).await?;
        let accepted = driven.samples.iter().filter(|sample| sample.is_accepted()).count();
        let patience = patience(accepted);
        let decided = self.decided(&coupons, &driven, patience).await?;
        let decided_after = start.elapsed();
        let mut run = self.measured(&plan, &driven, accepted)?;
        if self.profile.sold_out && run.accepted > 0 {
            refused_later(&mut run, decided_after);
        }
        let (total, total_each) = (plan.stock, plan.cold_stock);
        let mut draft =
            Draft { run, coupons, total, total_each, driven, watch, start, early, decided, patience, decided_after };
        let rests = self.rests();
        draft.watch.until(draft.left(0), rests);
        if rests {
            // Behind A's outbox, whose work for these coupons is a part of what they take.
            settled(self.session, std::slice::from_ref(&draft)).await;
            self.took(&mut draft.run, &before).await?;
        }
        Ok(draft)
    }

    async fn coupons(&self, plan: &Plan) -> anyhow::Result<Vec<String>> {
        let (token, base) = (admin()?, fresh_id(self.profile.id));
        let mut coupons = Vec::new();
        for index in 0..plan.asking.coupons() {
            let id = format!("{base}-{index}");
            let stock = if index == 0 { plan.stock } else { plan.cold_stock };
            self.session.api.create(&id, self.profile.name, stock, &token).await?;
            coupons.push(id);
        }
        Ok(coupons)
    }

    /// Waits until everybody with a ticket has an outcome; whether they do. Where reads are counted, or a status says more
    /// than is decided (B refuses by the stock alone, whatever is still queued), the log tells how far its consumers are;
    /// else the last tickets of every coupon are asked for.
    async fn decided(&self, coupons: &[String], driven: &Driven, within: Duration) -> anyhow::Result<bool> {
        if self.session.is_metered() || self.profile.is_short() {
            return self.session.caught_up(within).await;
        }
        Ok(self.last_have_an_outcome(coupons, driven, within).await)
    }

    async fn last_have_an_outcome(&self, coupons: &[String], driven: &Driven, within: Duration) -> bool {
        let mut last: BTreeMap<usize, Vec<(usize, &str)>> = BTreeMap::new();
        for sample in driven.samples.iter().rev() {
            let of_coupon = last.entry(sample.coupon).or_default();
            if let Answered::Accepted { ticket } = &sample.answer
                && of_coupon.len() < LAST_TICKETS
            {
                of_coupon.push((sample.person, ticket));
            }
        }
        let start = Instant::now();
        for (coupon, tickets) in last {
            let Some(coupon) = coupons.get(coupon) else { continue };
            for (person, ticket) in tickets {
                while !self.is_decided(coupon, person, ticket).await {
                    if start.elapsed() > within {
                        return false;
                    }
                    tokio::time::sleep(pause(start.elapsed())).await;
                }
            }
        }
        true
    }

    async fn is_decided(&self, coupon: &str, person: usize, ticket: &str) -> bool {
        let Some(person) = self.people.get(person) else { return false };
        let Ok(answer) = self.session.api.status(coupon, ticket, &person.token).await else { return false };
        answer.said().status.as_ref().and_then(serde_json::Value::as_str).is_some_and(|it| Outcome::parse(it).is_some())
    }

    async fn moment(&self) -> anyhow::Result<Moment> {
        Ok(Moment {
            processes: self.session.processes()?,
            units: self.session.units(),
            // Ends of topics are asked of the broker, which a timed run shall not wait for.
            spans: if self.session.is_metered() { self.session.spans().await? } else { Vec::new() },
            redis_commands: if self.session.is_metered() { self.session.redis_commands().await? } else { None },
            functions: self.session.functions().await?,
            own_cpu_ms: cpu_ms_of(std::process::id()),
        })
    }

    /// Notes what the system took since.
    async fn took(&self, run: &mut Run, before: &Moment) -> anyhow::Result<()> {
        run.generator_cpu_ms = cpu_ms_of(std::process::id()) - before.own_cpu_ms;
        let after = self.session.processes()?;
        let mut memory: BTreeMap<&str, f64> = BTreeMap::new();
        for process in &after {
            *memory.entry(&process.name).or_default() += process.pss_mb;
        }
        let cost = |(name, cpu_ms): (String, f64)| {
            let pss_mb = memory.get(name.as_str()).copied().unwrap_or(0.0);
            ProcessCost { name, cpu_ms, pss_mb }
        };
        run.processes = cpu_each(&before.processes, &after, 1).into_iter().map(cost).collect();
        run.functions = functions_since(&before.functions, self.session.functions().await?);
        if !self.session.is_metered() {
            return Ok(());
        }
        if let (Some(before), Some(after)) = (before.units, self.session.units()) {
            run.units = Some(bench_report::Units { read: after.read - before.read, write: after.write - before.write });
        }
        run.log = self.session.log_since(&before.spans).await?;
        let commands = self.session.redis_commands().await?;
        // The two connections that ask are themselves two commands each.
        run.redis_commands =
            commands.zip(before.redis_commands).map(|(after, before)| after.saturating_sub(before).saturating_sub(2));
        Ok(())
    }

    /// A run of which nothing is known.
    pub(super) fn blank(&self) -> Run {
        blank(self.session.system, self.profile.id, self.round, self.session.is_metered())
    }

    /// What the answers by themselves say.
    fn measured(&self, plan: &Plan, driven: &Driven, accepted: usize) -> anyhow::Result<Run> {
        let (refused, errors) = counts(&driven.samples);
        let of = |holds: fn(&Sample) -> bool| Latencies::of(&driven.samples, holds).map(|some| percentiles(&some));
        let mut told = Latencies::new()?;
        // Whoever gave up would have waited longer still: left out, they would flatter.
        driven.told.iter().for_each(|one| told.record(one.after));
        Ok(Run {
            offered: match plan.pace {
                Pace::Rate { per_second, .. } => Some(per_second),
                Pace::Clients { .. } | Pace::Users { .. } => None,
            },
            seconds: driven.seconds,
            asked: u64::try_from(driven.samples.len())?,
            accepted: u64::try_from(accepted)?,
            refused,
            errors,
            accept_ms: of(Sample::is_accepted)?,
            refuse_ms: of(Sample::is_refused)?,
            told_ms: percentiles(&told),
            gave_up: Some(u64::try_from(driven.told.iter().filter(|told| told.outcome.is_none()).count())?),
            cold_accept_ms: match plan.asking {
                Asking::HotAmongCold { .. } => of(|sample| sample.coupon > 0 && sample.is_accepted())?,
                Asking::Fresh | Asking::Twice | Asking::Again { .. } | Asking::InTurn { .. } => None,
            },
            ..self.blank()
        })
    }
}

/// A run of which nothing is known.
pub(super) fn blank(system: Compared, profile: &str, round: u32, metered: bool) -> Run {
    Run { system: system.id().into(), profile: profile.into(), round, metered, ..Run::default() }
}

/// A run that was not brought to its end: its system's figures under the profile are not those of every round.
pub(super) fn lost(blank: Run, why: &anyhow::Error) -> Run {
    let check = Check { name: "the run came to its end".into(), held: false, found: format!("{why:#}") };
    Run { verdict: Verdict { checks: vec![check], ..Verdict::default() }, ..blank }
}

/// How long decisions of so many accepted requests may take.
fn patience(accepted: usize) -> Duration {
    let accepted = u32::try_from(accepted).unwrap_or(u32::MAX);
    DECIDED_MAX.saturating_add(Duration::from_secs_f64(f64::from(accepted) / DECIDED_EACH_SECOND))
}

/// What each function has taken since.
fn functions_since(before: &BTreeMap<String, Usage>, now: BTreeMap<String, Usage>) -> Vec<FunctionCost> {
    let since = |(name, usage): (String, Usage)| {
        let old = before.get(&name);
        FunctionCost {
            invocations: usage.invocations.saturating_sub(old.map_or(0, |old| old.invocations)),
            billed_ms: usage.billed_ms.saturating_sub(old.map_or(0, |old| old.billed_ms)),
            memory_mb: usage.memory_mb,
            name,
        }
    };
    now.into_iter().map(since).collect()
}

/// Whoever was taken in after the end was refused all the same, only later: when the last of them had an outcome. Nobody
/// was accepted, then.
fn refused_later(run: &mut Run, decided_after: Duration) {
    run.refused.insert(REFUSED_LATER.into(), std::mem::take(&mut run.accepted));
    run.accept_ms = None;
    run.seconds = run.seconds.max(decided_after.as_secs_f64());
}

/// None of none.
pub(super) fn percentiles(latencies: &Latencies) -> Option<Percentiles> {
    let of = |percent| latencies.percentile_ms(percent);
    (latencies.count() > 0).then(|| Percentiles {
        count: latencies.count(),
        mean: latencies.mean_ms(),
        p50: of(50.0),
        p95: of(95.0),
        p99: of(99.0),
        p999: of(99.9),
        max: latencies.max_ms(),
    })
}

fn shown(draft: &Draft) -> String {
    let run = &draft.run;
    let rate = run.offered.map_or_else(String::new, |rate| format!(" at {rate:.0}/s"));
    let ms = run
        .accept_ms
        .or(run.refuse_ms)
        .map_or_else(String::new, |ms| format!(", p50 {:.1} p99 {:.1} ms", ms.p50, ms.p99));
    let late = if draft.decided { "" } else { ", NOT decided in time" };
    format!(
        "{:<11}{rate} {} accepted, {} refused, {} failed in {:.1} s{ms}{late}",
        run.profile,
        run.accepted,
        run.refusals(),
        run.failures(),
        run.seconds
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_taken_in_vain_is_refused_later_and_was_never_accepted() {
        let mut latencies = Latencies::new().unwrap();
        latencies.record(Duration::from_millis(1));
        let mut run = Run { accepted: 100, seconds: 1.0, accept_ms: percentiles(&latencies), ..Run::default() };
        refused_later(&mut run, Duration::from_secs(4));
        assert_eq!((run.accepted, run.refusals(), run.seconds, run.accept_ms), (0, 100, 4.0, None));
    }

    #[test]
    fn a_function_took_what_it_has_taken_since() {
        let usage = |invocations, billed_ms| Usage { invocations, billed_ms, memory_mb: 512 };
        let before = BTreeMap::from([("issue-api".to_owned(), usage(10, 100))]);
        let now = [("issue-api".to_owned(), usage(15, 130)), ("issue-worker".to_owned(), usage(2, 9))].into();
        let cost = |name: &str, invocations, billed_ms| FunctionCost {
            name: name.into(),
            invocations,
            billed_ms,
            memory_mb: 512,
        };
        assert_eq!(functions_since(&before, now), [cost("issue-api", 5, 30), cost("issue-worker", 2, 9)]);
    }

    #[test]
    fn a_long_queue_may_take_longer_than_a_short_one() {
        assert_eq!([0, 15_000].map(patience), [Duration::from_secs(90), Duration::from_secs(390)]);
    }

    #[test]
    fn percentiles_of_nothing_are_none() {
        assert_eq!(percentiles(&Latencies::new().unwrap()), None);
    }
}
