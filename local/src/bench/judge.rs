//! What a session's runs came to: the store is read once everything has come to rest, each run is judged by what its
//! people were told, and times of decisions are added. Our own systems are audited from their log as well.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use baseline::state::FinalState;
use baseline::verdict::{Asked, judge, judge_ranks};
use bench_report::{Check, Run, Seen, Stock, Verdict};
use load_generator::{Answered, Latencies, Person, Sample};

use super::one::{Draft, percentiles, told_by};
use super::session::Session;
use crate::audit::{self, AuditOptions};
use crate::load::decisions::{self, Decided};

/// How long the audit waits for a worker that stands still.
const PATIENCE_SECONDS: u64 = 30;

/// Judges every run of a session.
///
/// # Errors
/// The store or the log cannot be read.
pub(super) async fn all(session: &Session, drafts: Vec<Draft>, people: &Arc<[Person]>) -> anyhow::Result<Vec<Run>> {
    if drafts.is_empty() {
        return Ok(Vec::new());
    }
    let states = baseline::state::read_all(&session.tables, session.system.stores_as()).await?;
    let (mut decided, mut audited) = (Decided::default(), None);
    if session.system.has_results() {
        let kafka = session.addresses.kafka.as_deref().context("no broker in the ready line")?;
        decided = decisions::read(kafka).await?;
        audited = Some(audit(session, kafka).await?);
    }
    let judged = Judged { session, states: &states, decided: &decided, audited: audited.as_ref(), people };
    drafts.into_iter().map(|draft| judged.run(draft)).collect()
}

async fn audit(session: &Session, kafka: &str) -> anyhow::Result<Check> {
    let options = AuditOptions {
        kafka: kafka.to_owned(),
        kafka_config: None,
        dynamodb: session.addresses.dynamodb.clone(),
        tickets: None,
        deployed: crate::settings::TemplateOptions::default(),
        patience: PATIENCE_SECONDS,
        json: false,
    };
    let report = audit::command::audit(&options).await?;
    let offences: Vec<String> = report
        .invariants
        .iter()
        .filter_map(|(invariant, finding)| Some(format!("{invariant} {}", finding.offending.first()?.what)))
        .collect();
    let found = if offences.is_empty() { "nothing is violated".to_owned() } else { offences.join("; ") };
    Ok(Check { name: "the log replayed gives the tables and the results".into(), held: report.ok(), found })
}

/// What runs are judged by.
struct Judged<'a> {
    session: &'a Session,
    states: &'a BTreeMap<String, FinalState>,
    decided: &'a Decided,
    audited: Option<&'a Check>,
    people: &'a Arc<[Person]>,
}

impl Judged<'_> {
    fn run(&self, draft: Draft) -> anyhow::Result<Run> {
        let mut run = draft.run.clone();
        let mut checks = vec![Check {
            name: "everybody with a ticket had an outcome within a minute".into(),
            held: draft.decided,
            found: if draft.decided { "the last tickets of every coupon had" } else { "the last tickets had none" }
                .into(),
        }];
        checks.extend(self.audited.cloned());
        let (mut findings, mut flaws) = (Vec::new(), Vec::new());
        let (mut issued, early) = (0, !draft.early.is_empty());
        for (coupon, id) in draft.coupons.iter().enumerate() {
            let state = self.states.get(id).with_context(|| format!("the store has no coupon {id}"))?;
            issued += state.issued.len();
            findings.extend(judge(state, &self.asked(&draft, coupon)).iter().map(|one| format!("{id}: {one}")));
            flaws.extend(judge_ranks(state).map(|one| format!("{id}: {one}")));
        }
        let agreed = "holders, stock, order and answers agree";
        let found = match findings.as_slice() {
            [] => format!("{issued} people hold one each"),
            [one] => one.clone(),
            [one, others @ ..] => format!("{one}, and {} more", others.len()),
        };
        checks.push(Check { name: agreed.into(), held: findings.is_empty(), found });
        run.verdict = Verdict { checks, flaws };
        // What was issued to sell it out was not issued by this run.
        run.issued = if early { 0 } else { u64::try_from(issued)? };
        self.decisions(&draft, &mut run)?;
        run.stock = stock(&draft);
        Ok(run)
    }

    /// What people asked for one of the coupons, before the run and in it, on one clock.
    fn asked(&self, draft: &Draft, coupon: usize) -> Vec<Asked> {
        let micros = |moment: Duration| u64::try_from(moment.as_micros()).unwrap_or(u64::MAX);
        // Whoever asked before is before: the run begins when the last of them has an answer.
        let begin = draft.early.iter().map(|asked| asked.answered_us).max().map_or(0, |last| last.saturating_add(1));
        let of_run = draft.driven.samples.iter().filter(|sample| sample.coupon == coupon).filter_map(|sample| {
            Some(Asked {
                user_id: self.people.get(sample.person)?.user_id.clone(),
                sent_us: begin.saturating_add(micros(sample.sent)),
                answered_us: begin.saturating_add(micros(sample.answered)),
                told: told(&sample.answer),
            })
        });
        let early = if coupon == 0 { draft.early.as_slice() } else { &[] };
        early.iter().cloned().chain(of_run).collect()
    }

    /// When each accepted request was decided: with the answer, by the log of results, or by what the store says.
    fn decisions(&self, draft: &Draft, run: &mut Run) -> anyhow::Result<()> {
        let began_ms = i64::try_from(draft.driven.began_us / 1000)?;
        let (mut latencies, mut last) = (Latencies::new()?, Duration::ZERO);
        for sample in draft.driven.samples.iter().filter(|sample| sample.is_accepted()) {
            let Some(at) = self.decided_at(draft, sample, began_ms) else { continue };
            latencies.record(at.saturating_sub(sample.due));
            last = last.max(at);
        }
        run.decision_ms = percentiles(&latencies);
        run.decided_seconds = (latencies.count() > 0 && draft.decided).then_some(last.as_secs_f64());
        Ok(())
    }

    /// Since the run began.
    fn decided_at(&self, draft: &Draft, sample: &Sample, began_ms: i64) -> Option<Duration> {
        if self.session.system.decides_at_once() {
            return Some(sample.answered);
        }
        let coupon = draft.coupons.get(sample.coupon)?;
        let ticket = match &sample.answer {
            Answered::Accepted { ticket } if self.session.system.has_results() => Some(ticket),
            Answered::Accepted { .. }
            | Answered::Issued { .. }
            | Answered::Refused { .. }
            | Answered::Failed { .. } => None,
        };
        let at_ms = if let Some(ticket) = ticket {
            self.decided.at(coupon, ticket)?
        } else {
            let user = &self.people.get(sample.person)?.user_id;
            self.states.get(coupon)?.issued.iter().find(|one| one.user_id == *user)?.issued_at_ms
        };
        u64::try_from(at_ms.saturating_sub(began_ms)).ok().map(Duration::from_millis)
    }
}

fn told(answer: &Answered) -> baseline::verdict::Told {
    match answer {
        Answered::Issued { .. } => told_by(201, None),
        Answered::Accepted { .. } => told_by(202, None),
        Answered::Refused { code } => told_by(0, Some(code)),
        Answered::Failed { .. } => told_by(0, None),
    }
}

/// The stock of the hot coupon; none of a run that began when it was sold out.
fn stock(draft: &Draft) -> Option<Stock> {
    if !draft.early.is_empty() {
        return None;
    }
    let accepted = draft.driven.samples.iter().filter(|sample| sample.coupon == 0 && sample.is_accepted());
    // Whoever asks twice is promised one.
    let mut promised: BTreeMap<usize, f64> = BTreeMap::new();
    for sample in accepted {
        let at = sample.answered.as_secs_f64() * 1000.0;
        promised.entry(sample.person).and_modify(|first| *first = first.min(at)).or_insert(at);
    }
    let seen: Vec<Seen> = draft.watch.seen_since(draft.start);
    Some(Stock::of(draft.total, promised.into_values().collect(), &seen, |behind| {
        let mut latencies = Latencies::new().ok()?;
        behind.iter().for_each(|ms| latencies.record(Duration::from_secs_f64(ms / 1000.0)));
        percentiles(&latencies)
    }))
}
