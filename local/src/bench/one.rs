//! One profile against one system: coupons are made, the plan is driven, and what the system took meanwhile is noted.
//! Whether the outcome was right is judged at the end of the session (`judge.rs`), when the slowest outbox is empty.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::bail;
use baseline::verdict::{Asked, Told};
use bench_report::{Percentiles, ProcessCost, Run, Verdict};
use kafka::Span;
use load_generator::processes::{Process, cpu_each, cpu_ms_of};
use load_generator::{
    Answered, Driven, GIVES_WAY_FAILURES, GIVES_WAY_MS, Latencies, Pace, Person, Plan, Profile, Sample, Size, Watched,
    counts, drive,
};

use super::session::Session;
use super::stock::Watch;
use crate::load::fresh_id;
use crate::load::people::admin;

/// Refusals in a row after which a coupon counts as sold out everywhere: ten for each environment of an emulated host.
const REFUSED_IN_A_ROW: usize = 160;
const SOLD_OUT_MAX: Duration = Duration::from_secs(20);
/// What a refusal is called that came behind a 202.
const REFUSED_LATER: &str = "taken, and refused later";
/// How long decisions may be behind, and how often they are asked for.
const DECIDED_MAX: Duration = Duration::from_secs(60);
const DECIDED_POLL: Duration = Duration::from_millis(20);
/// The last tickets of each coupon that are asked for: a coupon is decided in the order of its log.
const LAST_TICKETS: usize = 3;
/// How long a stock may stand still before it counts as what it will be: A's outbox is worked off every 10 s.
const STANDS_STILL_MAX: Duration = Duration::from_secs(13);
const SETTLED_MAX: Duration = Duration::from_secs(90);

/// Profiles whose units are counted: a rush and refusals, and with time the seeds' load and duplicates.
pub(super) fn is_metered(profile: &str, size: Size) -> bool {
    matches!(profile, "sustained" | "bots") || (size == Size::Full && matches!(profile, "seeds" | "duplicates"))
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
    pub(super) total: u64,
    pub(super) driven: Driven,
    pub(super) watch: Watch,
    pub(super) start: Instant,
    /// What was asked before the run, to sell the coupon out.
    pub(super) early: Vec<Asked>,
    /// Whether the last tickets had an outcome in time.
    pub(super) decided: bool,
}

/// What there was at one moment.
struct Moment {
    processes: Vec<Process>,
    units: Option<bench_report::Units>,
    spans: Vec<(&'static str, Vec<Span>)>,
    redis_commands: Option<u64>,
    own_cpu_ms: f64,
}

impl One<'_> {
    /// Every step of the profile, until one gives way; drafts are added as they are made.
    pub(super) async fn run(&self, drafts: &mut Vec<Draft>) -> anyhow::Result<()> {
        let first = drafts.len();
        for plan in &self.profile.plans {
            let draft = self.step(*plan).await?;
            eprintln!("  {}", shown(&draft));
            let gave_way = gives_way(&draft.run);
            drafts.push(draft);
            if gave_way {
                break;
            }
        }
        if self.settles {
            settled(drafts.get(first..).unwrap_or_default()).await;
        }
        Ok(())
    }

    async fn step(&self, mut plan: Plan) -> anyhow::Result<Draft> {
        // Whoever asks until they know reads the store, and would be counted.
        plan.follow &= !self.session.is_metered();
        let coupons = self.coupons(&plan).await?;
        let hot = coupons.first().cloned().unwrap_or_default();
        let watch = Watch::start(self.session.tables.clone(), self.session.system.stores_as(), hot.clone());
        let origin = Instant::now();
        let early = if self.profile.sold_out { self.sell_out(&hot, &watch, origin).await? } else { Vec::new() };
        if self.profile.sold_out && self.session.is_metered() {
            settled_at(&watch, 0).await;
        }
        let before = self.moment().await?;
        let start = Instant::now();
        let watched = Arc::new(Watched::default());
        let driven =
            drive(&self.session.api, plan, coupons.clone(), Arc::clone(self.people), Arc::clone(&watched)).await?;
        let decided = self.decided(&coupons, &driven).await;
        let decided_after = start.elapsed();
        let early = early.into_iter().collect();
        let mut run = self.blank(&plan, &driven)?;
        if self.profile.sold_out && run.accepted > 0 {
            refused_later(&mut run, decided_after);
        }
        let mut draft = Draft { run, coupons, total: plan.stock, driven, watch, start, early, decided };
        if self.session.is_metered() {
            settled(std::slice::from_ref(&draft)).await;
        }
        self.took(&mut draft.run, &before).await?;
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

    /// Lets the last of the people take what there is, and ask until they are refused again and again; or, by a system
    /// that refuses nobody at its door (B), taken in vain as often, with nothing left in the store.
    async fn sell_out(&self, coupon: &str, watch: &Watch, origin: Instant) -> anyhow::Result<Vec<Asked>> {
        let (mut asked, mut in_vain) = (Vec::new(), 0);
        let micros =
            |moment: Instant| u64::try_from(moment.saturating_duration_since(origin).as_micros()).unwrap_or(u64::MAX);
        for person in self.people.iter().rev().take(super::EARLY_PEOPLE).cycle() {
            let sent = Instant::now();
            let answer = self.session.api.issue(coupon, &person.token).await?;
            let told = told_by(answer.status.as_u16(), answer.said().code.as_deref());
            asked.push(Asked {
                user_id: person.user_id.clone(),
                sent_us: micros(sent),
                answered_us: micros(Instant::now()),
                told,
            });
            in_vain = match told {
                Told::SoldOut | Told::AlreadyIssued => in_vain + 1,
                Told::Accepted if watch.last() == Some(0) => in_vain + 1,
                Told::Issued | Told::Accepted | Told::Nothing => 0,
            };
            if in_vain >= REFUSED_IN_A_ROW {
                break;
            }
            if origin.elapsed() > SOLD_OUT_MAX {
                bail!("{coupon} is not sold out after {} s: {}", SOLD_OUT_MAX.as_secs(), answer.shown());
            }
        }
        Ok(asked)
    }

    /// Waits until the last tickets of every coupon have an outcome; whether they did.
    async fn decided(&self, coupons: &[String], driven: &Driven) -> bool {
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
                    if start.elapsed() > DECIDED_MAX {
                        return false;
                    }
                    tokio::time::sleep(DECIDED_POLL).await;
                }
            }
        }
        true
    }

    async fn is_decided(&self, coupon: &str, person: usize, ticket: &str) -> bool {
        let Some(person) = self.people.get(person) else { return false };
        let Ok(answer) = self.session.api.status(coupon, ticket, &person.token).await else { return false };
        let status = answer.said().status;
        matches!(status.as_ref().and_then(serde_json::Value::as_str), Some("ISSUED" | "REJECTED"))
    }

    async fn moment(&self) -> anyhow::Result<Moment> {
        Ok(Moment {
            processes: self.session.processes()?,
            units: self.session.units(),
            // Ends of topics are asked of the broker, which a timed run shall not wait for.
            spans: if self.session.is_metered() { self.session.spans().await? } else { Vec::new() },
            redis_commands: if self.session.is_metered() { self.session.redis_commands().await? } else { None },
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

    /// What the answers by themselves say.
    fn blank(&self, plan: &Plan, driven: &Driven) -> anyhow::Result<Run> {
        let (refused, errors) = counts(&driven.samples);
        let of = |holds: fn(&Sample) -> bool| Latencies::of(&driven.samples, holds).map(|some| percentiles(&some));
        let mut told = Latencies::new()?;
        driven.told.iter().filter_map(|told| told.after).for_each(|after| told.record(after));
        let accepted = driven.samples.iter().filter(|sample| sample.is_accepted()).count();
        Ok(Run {
            system: self.session.system.id().into(),
            profile: self.profile.id.into(),
            round: self.round,
            metered: self.session.is_metered(),
            offered: match plan.pace {
                Pace::Rate { per_second, .. } => Some(per_second),
                Pace::Clients { .. } | Pace::Users { .. } => None,
            },
            seconds: driven.seconds,
            asked: u64::try_from(driven.samples.len())?,
            accepted: u64::try_from(accepted)?,
            refused,
            errors,
            issued: 0,
            decided_seconds: None,
            accept_ms: of(Sample::is_accepted)?,
            refuse_ms: of(Sample::is_refused)?,
            decision_ms: None,
            told_ms: percentiles(&told),
            cold_accept_ms: of(|sample| sample.coupon > 0 && sample.is_accepted())?,
            stock: None,
            units: None,
            log: None,
            redis_commands: None,
            processes: Vec::new(),
            generator_cpu_ms: 0.0,
            verdict: Verdict::default(),
        })
    }
}

/// Whoever was taken in after the end was refused all the same, only later: when the last of them had an outcome.
fn refused_later(run: &mut Run, decided_after: Duration) {
    run.refused.insert(REFUSED_LATER.into(), std::mem::take(&mut run.accepted));
    run.seconds = run.seconds.max(decided_after.as_secs_f64());
}

/// None of none.
pub(super) fn percentiles(latencies: &Latencies) -> Option<Percentiles> {
    let of = |percent| latencies.percentile_ms(percent);
    (latencies.count() > 0).then(|| Percentiles {
        count: latencies.count(),
        p50: of(50.0),
        p95: of(95.0),
        p99: of(99.0),
        p999: of(99.9),
        max: latencies.max_ms(),
    })
}

/// What an answer says, for the judge.
pub(super) fn told_by(status: u16, code: Option<&str>) -> Told {
    match (status, code) {
        (201, _) => Told::Issued,
        (202, _) => Told::Accepted,
        (_, Some("SOLD_OUT")) => Told::SoldOut,
        (_, Some("ALREADY_ISSUED")) => Told::AlreadyIssued,
        _ => Told::Nothing,
    }
}

/// Whether a step is the last: p99 beyond its bound, or too many failures.
fn gives_way(run: &Run) -> bool {
    let failures = u32::try_from(run.failures()).unwrap_or(u32::MAX);
    let asked = u32::try_from(run.asked).unwrap_or(u32::MAX);
    let late = run.accept_ms.is_some_and(|ms| ms.p99 > GIVES_WAY_MS);
    run.offered.is_some() && (late || f64::from(failures) > GIVES_WAY_FAILURES * f64::from(asked))
}

/// Waits until the stock of each is what its accepted people left, or stands still for longer than any outbox waits.
pub(super) async fn settled(drafts: &[Draft]) {
    for draft in drafts {
        let winners: BTreeSet<usize> = draft
            .driven
            .samples
            .iter()
            .filter(|sample| sample.coupon == 0 && sample.is_accepted())
            .map(|sample| sample.person)
            .collect();
        let taken = u64::try_from(winners.len()).unwrap_or(u64::MAX);
        let left = if draft.early.is_empty() { draft.total.saturating_sub(taken) } else { 0 };
        settled_at(&draft.watch, left).await;
    }
}

async fn settled_at(watch: &Watch, left: u64) {
    let (start, mut seen, mut moved) = (Instant::now(), watch.last(), Instant::now());
    while start.elapsed() < SETTLED_MAX && moved.elapsed() < STANDS_STILL_MAX {
        let now = watch.last();
        if now == Some(left) {
            return;
        }
        if now != seen {
            (seen, moved) = (now, Instant::now());
        }
        tokio::time::sleep(DECIDED_POLL).await;
    }
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
    fn an_answer_means_the_same_whoever_gave_it() {
        assert_eq!(told_by(201, None), Told::Issued);
        assert_eq!(told_by(410, Some("SOLD_OUT")), Told::SoldOut);
        assert_eq!(told_by(409, Some("ALREADY_ISSUED")), Told::AlreadyIssued);
        assert_eq!(told_by(503, Some("QUEUE_UNAVAILABLE")), Told::Nothing);
    }

    #[test]
    fn whoever_is_taken_in_vain_is_refused_later() {
        let mut run: Run = serde_json::from_value(serde_json::json!({
            "system": "hybrid", "profile": "bots", "round": 1, "metered": false, "offered": null, "seconds": 1.0,
            "asked": 100, "accepted": 100, "refused": {}, "errors": {}, "issued": 0, "decided_seconds": null,
            "accept_ms": null, "refuse_ms": null, "decision_ms": null, "told_ms": null, "cold_accept_ms": null,
            "stock": null, "units": null, "log": null, "redis_commands": null, "processes": [],
            "generator_cpu_ms": 0.0, "verdict": {"checks": [], "flaws": []},
        }))
        .unwrap();
        refused_later(&mut run, Duration::from_secs(4));
        assert_eq!((run.accepted, run.refusals(), run.seconds), (0, 100, 4.0));
    }

    #[test]
    fn percentiles_of_nothing_are_none() {
        assert_eq!(percentiles(&Latencies::new().unwrap()), None);
    }
}
