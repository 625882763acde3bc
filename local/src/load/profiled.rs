//! `cargo local load --profile NAME`: one of the benchmark's profiles by itself, against one system, with its figures.
//! Nothing is judged here: `cargo local audit` and `cargo local bench` do that.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use load_generator::api::Api;
use load_generator::{Driven, Latencies, Person, Plan, Profile, Sample, Watched, counts, drive};
use serde_json::{Value, json};

use super::people::{admin, people};
use super::{fresh_id, shown};

/// How often a line says how far it is.
const LINE_EVERY: Duration = Duration::from_secs(5);
/// Coupons that are taken before bots come: those of the profile, and a few in vain.
const EARLY_PEOPLE: usize = 64;
/// Refusals in a row after which a coupon counts as sold out in every environment.
const REFUSED_IN_A_ROW: usize = 160;

/// A plan that was driven.
pub(super) struct Ran {
    plan: Plan,
    driven: Driven,
}

impl Ran {
    /// Requests without an answer, or with one that is none.
    pub(super) fn failed(&self) -> u64 {
        counts(&self.driven.samples).1.values().sum()
    }
}

/// Drives every plan of a profile.
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
        ran.push(Ran { plan: *plan, driven: with_progress(&watched, driving).await? });
    }
    Ok(ran)
}

/// Lets the last of the people take what there is, and ask until they are refused again and again; bounded by how many
/// requests that can take at the most.
async fn sell_out(api: &Api, coupon: &str, people: &[Person]) -> anyhow::Result<()> {
    let mut refused_in_a_row = 0;
    for person in people.iter().rev().take(EARLY_PEOPLE).cycle().take(100 * REFUSED_IN_A_ROW) {
        let answer = api.issue(coupon, &person.token).await?;
        refused_in_a_row = if answer.status.is_client_error() { refused_in_a_row + 1 } else { 0 };
        if refused_in_a_row == REFUSED_IN_A_ROW {
            return Ok(());
        }
    }
    anyhow::bail!("{coupon} is not sold out after {} requests", 100 * REFUSED_IN_A_ROW)
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
            if latencies.count() > 0 {
                writeln!(page, "{name:<18} mean {:.2} ms, {}", latencies.mean_ms(), shown::percentiles(&latencies))?;
            }
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

fn latencies(driven: &Driven) -> anyhow::Result<[(&'static str, Latencies); 3]> {
    let mut told = Latencies::new()?;
    driven.told.iter().filter_map(|told| told.after).for_each(|after| told.record(after));
    Ok([
        ("accept", Latencies::of(&driven.samples, Sample::is_accepted)?),
        ("refuse", Latencies::of(&driven.samples, Sample::is_refused)?),
        ("told", told),
    ])
}
