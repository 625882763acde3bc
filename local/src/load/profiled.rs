//! `cargo local load --profile NAME`: one of the benchmark's profiles by itself, against one system, with its figures.
//! Nothing is judged here: `cargo local audit` and `cargo local bench` do that.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use load_generator::api::Api;
use load_generator::{Driven, FOLLOW_MAX, Latencies, Person, Plan, Profile, Sample, Watched, counts, drive, gives_way};
use serde_json::{Value, json};

use super::early::{EARLY_PEOPLE, sell_out};
use super::people::{admin, people};
use super::{fresh_id, shown};

/// How often a line says how far it is.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// A plan that was driven.
pub(super) struct Ran {
    plan: Plan,
    driven: Driven,
}

impl Ran {
    /// Whether every request has an answer that is one, and everybody who asked what became of theirs knows.
    pub(super) fn is_complete(&self) -> bool {
        counts(&self.driven.samples).1.is_empty() && gave_up(&self.driven) == 0
    }
}

/// Drives the plans of a profile, until one gives way.
///
/// # Errors
/// A coupon is not created, or a task ended early.
pub(super) async fn run(api: &Api, profile: &Profile) -> anyhow::Result<Vec<Ran>> {
    let people: Arc<[Person]> = people(profile.people_max().saturating_add(EARLY_PEOPLE)).await?.into();
    let (token, mut ran) = (admin()?, Vec::new());
    for plan in &profile.plans {
        let base = fresh_id(profile.id);
        let mut coupons = Vec::new();
        for index in 0..plan.asking.coupons() {
            let (id, stock) = (format!("{base}-{index}"), if index == 0 { plan.stock } else { plan.cold_stock });
            api.create(&id, profile.name, stock, &token).await?;
            coupons.push(id);
        }
        if let (true, Some(coupon)) = (profile.sold_out, coupons.first()) {
            sell_out(api, coupon, &people).await?;
        }
        eprintln!("{}: {} requests at most", profile.name, plan.requests_max());
        let watched = Arc::new(Watched::default());
        let driving = drive(api, *plan, coupons, Arc::clone(&people), Arc::clone(&watched));
        let driven = with_progress(&watched, driving).await?;
        let gave_way = gives_way(plan, &driven.samples)?;
        ran.push(Ran { plan: *plan, driven });
        if gave_way {
            break;
        }
    }
    Ok(ran)
}

async fn with_progress<T>(watched: &Watched, done: impl Future<Output = T>) -> T {
    use std::sync::atomic::Ordering::Relaxed;
    tokio::pin!(done);
    loop {
        tokio::select! {
            value = &mut done => return value,
            () = tokio::time::sleep(LINE_EVERY) => {
                eprintln!("{} asked, {} answered", watched.asked.load(Relaxed), watched.answered.load(Relaxed));
            }
        }
    }
}

/// The figures for people.
pub(super) fn page(profile: &Profile, ran: &[Ran]) -> anyhow::Result<String> {
    let mut page = format!("{}\n{}\n", profile.name, profile.says);
    for Ran { plan, driven } in ran {
        let (refused, failed) = counts(&driven.samples);
        let accepted = driven.samples.iter().filter(|sample| sample.is_accepted()).count();
        let rate = f64::from(u32::try_from(driven.samples.len())?) / driven.seconds.max(0.001);
        if let load_generator::Pace::Rate { per_second, .. } = plan.pace {
            writeln!(page, "by schedule        {per_second:.0}/s")?;
        }
        writeln!(page, "answered           {} in {:.1} s ({rate:.2}/s)", driven.samples.len(), driven.seconds)?;
        writeln!(page, "accepted           {accepted}")?;
        for (what, count) in refused.iter().chain(&failed) {
            writeln!(page, "                   {count} {what}")?;
        }
        for (name, latencies) in latencies(driven)? {
            if name == "told" && gave_up(driven).saturating_mul(2) > driven.told.len() {
                writeln!(page, "{name:<18} more than {} s, for more than half", FOLLOW_MAX.as_secs())?;
            } else if latencies.count() > 0 {
                writeln!(page, "{name:<18} mean {:.2} ms, {}", latencies.mean_ms(), shown::percentiles(&latencies))?;
            }
        }
        let gave_up = gave_up(driven);
        if gave_up > 0 {
            writeln!(page, "                   {gave_up} gave up asking what their ticket came to")?;
        }
    }
    Ok(page)
}

/// The figures for programs.
pub(super) fn json(profile: &Profile, ran: &[Ran]) -> anyhow::Result<Value> {
    let steps: Vec<Value> = ran
        .iter()
        .map(|Ran { plan, driven }| {
            let (refused, failed) = counts(&driven.samples);
            let mut step = json!({
                "pace": format!("{:?}", plan.pace),
                "seconds": driven.seconds,
                "answered": driven.samples.len(),
                "refused": refused,
                "failed": failed,
                "gave_up": gave_up(driven),
            });
            for (name, latencies) in latencies(driven)? {
                if let Some(step) = step.as_object_mut() {
                    step.insert(format!("{name}_ms"), serde_json::to_value(&latencies)?);
                }
            }
            anyhow::Ok(step)
        })
        .collect::<Result<_, _>>()?;
    Ok(json!({ "profile": profile.id, "steps": steps }))
}

fn gave_up(driven: &Driven) -> usize {
    driven.told.iter().filter(|told| told.outcome.is_none()).count()
}

fn latencies(driven: &Driven) -> anyhow::Result<[(&'static str, Latencies); 3]> {
    let mut told = Latencies::new()?;
    driven.told.iter().for_each(|one| told.record(one.after));
    Ok([
        ("accept", Latencies::of(&driven.samples, Sample::is_accepted)?),
        ("refuse", Latencies::of(&driven.samples, Sample::is_refused)?),
        ("told", told),
    ])
}
