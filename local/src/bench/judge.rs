//! What a session's runs came to: the store is read once everything has come to rest, each run is judged by what its
//! people were told, and times of decisions are added. Our own systems are audited from their log as well.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use baseline::state::FinalState;
use baseline::verdict::{Asked, judge, judge_ranks};
use bench_report::{Check, Run, Seen, Stock, Verdict};
use load_generator::{Answered, Latencies, Outcome, Person, Sample};

use super::audited;
use super::compared::Compared;
use super::one::{Draft, percentiles};
use super::session::Session;
use crate::load::decisions::{self, Decided};
use crate::load::early::told_by;

/// Judges every run of a session. What cannot be judged was not right: it stays, struck through, for medians of the runs
/// that are left would hide it.
pub(super) async fn all(session: &Session, drafts: Vec<Draft>, people: &Arc<[Person]>) -> Vec<Run> {
    if drafts.is_empty() {
        return Vec::new();
    }
    let (states, decided) = match read(session).await {
        Ok(read) => read,
        Err(error) => return drafts.into_iter().map(|draft| unjudged(draft.run, &error)).collect(),
    };
    let audited = if session.system.has_results() {
        Some(audited::check(session, audited::lines(&drafts, people)).await)
    } else {
        None
    };
    let judged = Judged::new(session.system, &states, &decided, audited, people);
    drafts
        .into_iter()
        .map(|draft| judged.run(&draft).unwrap_or_else(|error| unjudged(draft.run.clone(), &error)))
        .collect()
}

/// What is left in the store, and when what the log of results has was decided.
async fn read(session: &Session) -> anyhow::Result<(BTreeMap<String, FinalState>, Decided)> {
    let states = baseline::state::read_all(&session.tables, session.system.stores_as()).await?;
    let decided = match session.system.has_results() {
        true => decisions::read(session.kafka()?).await?,
        false => Decided::default(),
    };
    Ok((states, decided))
}

fn unjudged(run: Run, error: &anyhow::Error) -> Run {
    let check = Check { name: "the outcome can be judged".into(), held: false, found: format!("{error:#}") };
    Run { verdict: Verdict { checks: vec![check], ..Verdict::default() }, ..run }
}

/// What runs are judged by.
struct Judged<'a> {
    system: Compared,
    states: &'a BTreeMap<String, FinalState>,
    decided: &'a Decided,
    audited: Option<Check>,
    people: &'a [Person],
    /// When a ticket's coupon was issued by the store, by coupon and ticket; for a system without results.
    issued_ms: BTreeMap<(&'a str, &'a str), i64>,
}

impl<'a> Judged<'a> {
    fn new(
        system: Compared,
        states: &'a BTreeMap<String, FinalState>,
        decided: &'a Decided,
        audited: Option<Check>,
        people: &'a [Person],
    ) -> Self {
        let of = |(coupon, state): (&'a String, &'a FinalState)| {
            state.issued.iter().map(|one| ((coupon.as_str(), one.request_id.as_str()), one.issued_at_ms))
        };
        let issued_ms = states.iter().flat_map(of).collect();
        Self { system, states, decided, audited, people, issued_ms }
    }

    fn run(&self, draft: &Draft) -> anyhow::Result<Run> {
        let mut run = draft.run.clone();
        let mut checks = vec![Check {
            name: format!("everybody with a ticket had an outcome within {} s", draft.patience.as_secs()),
            held: draft.decided,
            found: if draft.decided { "the last tickets of every coupon had" } else { "the last tickets had none" }
                .into(),
        }];
        checks.extend(self.audited.clone());
        let (mut findings, mut flaws) = (Vec::new(), Vec::new());
        let (mut issued, early) = (0, !draft.early.is_empty());
        for (coupon, id) in draft.coupons.iter().enumerate() {
            let state = self.states.get(id).with_context(|| format!("the store has no coupon {id}"))?;
            issued += state.issued.len();
            findings.extend(judge(state, &self.asked(draft, coupon)).iter().map(|one| format!("{id}: {one}")));
            findings.extend(
                told_wrongly(state, draft, coupon).iter().map(|ticket| format!("{id}: told wrongly of {ticket}")),
            );
            flaws.extend(judge_ranks(state).map(|one| format!("{id}: {one}")));
        }
        let agreed = "holders, stock, order and answers agree";
        let found = first_of(&findings).unwrap_or_else(|| format!("{issued} people hold one each"));
        checks.push(Check { name: agreed.into(), held: findings.is_empty(), found });
        // Of many coupons one line is enough.
        run.verdict = Verdict { checks, flaws: first_of(&flaws).into_iter().collect() };
        // What was issued to sell it out was not issued by this run.
        run.issued = if early { 0 } else { u64::try_from(issued)? };
        self.decisions(draft, &mut run)?;
        run.stock = stock(draft);
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

    /// When each accepted request was decided: with the answer, by the log of results, or by what the store says. B's
    /// refused leave no trace there: the run is decided when its consumers were through, and they have no figure.
    fn decisions(&self, draft: &Draft, run: &mut Run) -> anyhow::Result<()> {
        let began_ms = i64::try_from(draft.driven.began_us / 1000)?;
        let (mut latencies, mut last) = (Latencies::new()?, Duration::ZERO);
        for sample in draft.driven.samples.iter().filter(|sample| sample.is_accepted()) {
            let at = self.decided_at(draft, sample, began_ms);
            if let Some(at) = at {
                latencies.record(at.saturating_sub(sample.due));
            }
            last = last.max(at.unwrap_or(draft.decided_after));
        }
        run.decision_ms = percentiles(&latencies);
        run.decided_seconds = (latencies.count() > 0 && draft.decided).then_some(last.as_secs_f64());
        Ok(())
    }

    /// Since the run began.
    fn decided_at(&self, draft: &Draft, sample: &Sample, began_ms: i64) -> Option<Duration> {
        if self.system.decides_at_once() {
            return Some(sample.answered);
        }
        let coupon = draft.coupons.get(sample.coupon)?;
        let Answered::Accepted { ticket } = &sample.answer else { return None };
        let at_ms = if self.system.has_results() {
            self.decided.at(coupon, ticket)?
        } else {
            *self.issued_ms.get(&(coupon.as_str(), ticket.as_str()))?
        };
        u64::try_from(at_ms.saturating_sub(began_ms)).ok().map(Duration::from_millis)
    }
}

/// The tickets of which people were told something else than the store has: that a coupon is theirs by it, which is not,
/// or that none is, which is.
fn told_wrongly<'d>(state: &FinalState, draft: &'d Draft, coupon: usize) -> Vec<&'d str> {
    let issued: BTreeSet<&str> = state.issued.iter().map(|one| one.request_id.as_str()).collect();
    let is_wrong = |told: &&load_generator::Told| {
        let is_issued = issued.contains(told.ticket.as_str());
        told.outcome.is_some_and(|outcome| (outcome == Outcome::Issued) != is_issued)
    };
    let told = draft.driven.told.iter().filter(|told| told.coupon == coupon);
    told.filter(is_wrong).map(|told| told.ticket.as_str()).collect()
}

/// The first of what was found, and how many there are besides.
fn first_of(found: &[String]) -> Option<String> {
    match found {
        [] => None,
        [one] => Some(one.clone()),
        [one, others @ ..] => Some(format!("{one}, and {} more", others.len())),
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

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use baseline::System;
    use baseline::state::{IssuedCoupon, Outbox};
    use hyper::header::HeaderValue;
    use load_generator::Driven;

    use super::super::stock::Watch;
    use super::*;
    use crate::audit::tickets::Told;

    /// 2026-11-28, about.
    const BEGAN_MS: i64 = 1_795_000_000_000;

    fn people() -> Vec<Person> {
        let person = |n| Person { user_id: format!("user-{n}"), token: HeaderValue::from_static("Bearer x") };
        (0..4).map(person).collect()
    }

    /// Due at once, sent after 1 ms.
    fn sample(person: usize, coupon: usize, answered_ms: u64, answer: Answered) -> Sample {
        let (sent, answered) = (Duration::from_millis(1), Duration::from_millis(answered_ms));
        Sample { person, coupon, due: Duration::ZERO, sent, answered, answer }
    }

    fn taken(person: usize, coupon: usize, answered_ms: u64) -> Sample {
        sample(person, coupon, answered_ms, Answered::Accepted { ticket: format!("3-{person}") })
    }

    fn draft(samples: Vec<Sample>, early: Vec<Asked>) -> Draft {
        let began_us = u64::try_from(BEGAN_MS).unwrap() * 1000;
        Draft {
            run: Run { seconds: 7.0, ..Run::default() },
            coupons: vec!["hot".into(), "cold".into()],
            total: 5,
            total_each: 5,
            driven: Driven { samples, began_us, ..Driven::default() },
            watch: Watch::of(Vec::new()),
            start: Instant::now(),
            early,
            decided: true,
            patience: Duration::from_secs(90),
            decided_after: Duration::from_secs(2),
        }
    }

    fn state(total: u64, holders: &[usize]) -> FinalState {
        let issued = |(index, holder): (usize, &usize)| IssuedCoupon {
            user_id: format!("user-{holder}"),
            request_id: format!("3-{holder}"),
            rank: u64::try_from(index).unwrap() + 1,
            issued_at_ms: BEGAN_MS + 250,
        };
        let remaining = total - u64::try_from(holders.len()).unwrap();
        FinalState {
            stock: baseline::state::Stock { total, remaining },
            issued: holders.iter().enumerate().map(issued).collect(),
            outbox: Outbox::default(),
        }
    }

    /// Judges with what is left of the hot coupon, and nothing issued of the cold one.
    fn judged<T>(system: System, hot: FinalState, decided: &Decided, look: impl FnOnce(&Judged<'_>) -> T) -> T {
        let states = BTreeMap::from([("hot".to_owned(), hot), ("cold".to_owned(), state(5, &[]))]);
        look(&Judged::new(Compared::Baseline(system), &states, decided, None, &people()))
    }

    #[test]
    fn whoever_asked_before_the_run_is_before_it_and_asked_for_the_hot_coupon() {
        let early =
            Asked { user_id: "user-3".into(), sent_us: 0, answered_us: 7, told: baseline::verdict::Told::Issued };
        let gone = Answered::Refused { code: "SOLD_OUT".into() };
        let draft = draft(vec![taken(0, 0, 2), sample(1, 1, 3, gone)], vec![early.clone()]);
        let (hot, cold) = judged(System::Hybrid, state(5, &[]), &Decided::default(), |judged| {
            (judged.asked(&draft, 0), judged.asked(&draft, 1))
        });
        // The run begins a microsecond behind the last answer of before.
        let user = |user: &str, sent_us, answered_us, told| Asked { user_id: user.into(), sent_us, answered_us, told };
        assert_eq!(hot, [early, user("user-0", 1008, 2008, baseline::verdict::Told::Accepted)]);
        assert_eq!(cold, [user("user-1", 1008, 3008, baseline::verdict::Told::SoldOut)]);
    }

    #[test]
    fn a_request_is_decided_by_its_answer_by_the_log_or_by_the_store() {
        let draft = draft(vec![taken(0, 0, 2)], Vec::new());
        let log = Decided::one("hot", "3-0", BEGAN_MS + 40);
        let at = |system, sample: &Sample| {
            judged(system, state(5, &[0]), &log, |judged| judged.decided_at(&draft, sample, BEGAN_MS))
        };
        let ms = |ms| Some(Duration::from_millis(ms));
        let first = taken(0, 0, 2);
        assert_eq!(at(System::Redis, &sample(0, 0, 2, Answered::Issued { rank: None })), ms(2), "with the answer");
        assert_eq!(at(System::Ours, &first), ms(40), "by the result record");
        assert_eq!(at(System::Hybrid, &first), ms(250), "by the item");
        assert_eq!(at(System::Ours, &taken(1, 0, 2)), None, "another ticket");
        assert_eq!(at(System::Hybrid, &taken(1, 0, 2)), None, "no item is by this ticket");
        let again = sample(0, 0, 2, Answered::Accepted { ticket: "4-7".into() });
        assert_eq!(at(System::Hybrid, &again), None, "their item is by another ticket");
        assert_eq!(at(System::Hybrid, &taken(0, 1, 2)), None, "another coupon");
    }

    #[test]
    fn the_hot_coupons_stock_is_behind_what_people_were_promised_once() {
        let again = taken(0, 0, 30);
        let mut draft = draft(vec![taken(0, 0, 10), taken(1, 0, 20), again, taken(2, 1, 5)], Vec::new());
        let seen = [(15, 5), (40, 4), (95, 3)].map(|(ms, left)| (draft.start + Duration::from_millis(ms), left));
        draft.watch = Watch::of(seen.to_vec());
        let behind = stock(&draft).unwrap().behind_ms.unwrap();
        // Promised at 10 and 20, counted at 40 and 95.
        assert_eq!(behind.count, 2, "who asks twice is promised one, and the cold coupon is another");
        assert!((behind.p50 - 30.0).abs() < 0.1 && (behind.max - 75.0).abs() < 0.1, "{behind:?}");
        draft.early =
            vec![Asked { user_id: "user-3".into(), sent_us: 0, answered_us: 7, told: baseline::verdict::Told::Issued }];
        assert_eq!(stock(&draft), None, "of what was sold out before");
    }

    #[test]
    fn a_run_is_right_when_everybody_got_what_they_were_told_and_wrong_otherwise() {
        let draft = draft(vec![taken(0, 0, 2), taken(1, 0, 3)], Vec::new());
        let run = |holders: &[usize]| {
            judged(System::Hybrid, state(5, holders), &Decided::default(), |judged| judged.run(&draft).unwrap())
        };
        let right = run(&[0, 1]);
        assert!(right.verdict.is_correct(), "{right:?}");
        assert_eq!((right.issued, right.decided_seconds), (2, Some(0.25)));
        let wrong = run(&[0]);
        let broken: Vec<&str> = wrong.verdict.broken().map(|check| check.found.as_str()).collect();
        assert_eq!(broken, ["hot: accepted, got nothing, although some is left: user-1"]);
    }

    #[test]
    fn nobody_may_be_told_of_a_ticket_what_the_store_does_not_have() {
        let told = |ticket: &str, outcome| load_generator::Told {
            person: 0,
            coupon: 0,
            ticket: ticket.into(),
            after: Duration::ZERO,
            outcome,
        };
        let mut all = draft(vec![taken(0, 0, 2), taken(1, 0, 3)], Vec::new());
        all.driven.told = vec![
            told("3-0", Some(Outcome::Issued)),
            told("3-1", Some(Outcome::Rejected)),
            told("3-0", None),
            load_generator::Told { coupon: 1, ..told("3-0", Some(Outcome::Rejected)) },
        ];
        let found = |draft: &Draft| {
            let run = judged(System::Hybrid, state(1, &[0]), &Decided::default(), |judged| judged.run(draft).unwrap());
            run.verdict.broken().map(|check| check.found.clone()).collect::<Vec<_>>()
        };
        assert_eq!(found(&all), [""; 0], "the other coupon has nobody's ticket");
        let lines =
            audited::lines(&[all], &people()).into_iter().map(|line| (line.request_id.to_string(), line.status));
        let given = ["3-0", "3-1"].map(|ticket| (ticket.to_owned(), None));
        let seen = [("3-0", Told::Issued), ("3-1", Told::Rejected), ("3-0", Told::Rejected)];
        let seen = seen.map(|(ticket, status)| (ticket.to_owned(), Some(status)));
        assert_eq!(lines.collect::<Vec<_>>(), given.into_iter().chain(seen).collect::<Vec<_>>());
        for wrong in [told("3-1", Some(Outcome::Issued)), told("3-0", Some(Outcome::Rejected))] {
            let mut all = draft(vec![taken(0, 0, 2), taken(1, 0, 3)], Vec::new());
            let ticket = wrong.ticket.clone();
            all.driven.told = vec![wrong];
            assert_eq!(found(&all), [format!("hot: told wrongly of {ticket}")]);
        }
    }

    #[test]
    fn every_coupon_of_a_run_is_judged() {
        let gone = Answered::Refused { code: "SOLD_OUT".into() };
        let draft = draft(vec![taken(0, 0, 2), taken(1, 1, 3), taken(2, 1, 3), sample(3, 1, 4, gone)], Vec::new());
        let states = BTreeMap::from([
            ("hot".to_owned(), state(5, &[0])),
            ("cold".to_owned(), {
                let mut oversold = state(2, &[1, 2]);
                oversold.stock.total = 1;
                oversold
            }),
        ]);
        let (decided, people) = (Decided::default(), people());
        let judged = Judged::new(Compared::Baseline(System::Hybrid), &states, &decided, None, &people);
        let run = judged.run(&draft).unwrap();
        let broken: Vec<&str> = run.verdict.broken().map(|check| check.found.as_str()).collect();
        assert_eq!(broken, ["cold: oversold: 2 issued of 1, and 1 more"], "the other is the stock, which cannot be -1");
        assert_eq!(run.issued, 3);
    }

    #[test]
    fn who_got_nothing_was_decided_when_the_consumers_were_through() {
        let all = draft(vec![taken(0, 0, 2), taken(1, 0, 3)], Vec::new());
        let run = judged(System::Hybrid, state(1, &[0]), &Decided::default(), |judged| judged.run(&all).unwrap());
        assert!(run.verdict.is_correct(), "{run:?}");
        assert_eq!((run.decided_seconds, run.decision_ms.unwrap().count), (Some(2.0), 1));
    }

    #[test]
    fn a_run_that_cannot_be_judged_keeps_its_figures_and_was_not_right() {
        let mut draft = draft(vec![taken(0, 0, 2)], Vec::new());
        draft.coupons[0] = "forgotten".into();
        let error =
            judged(System::Hybrid, state(5, &[]), &Decided::default(), |judged| judged.run(&draft).unwrap_err());
        let run = unjudged(draft.run, &error);
        assert!(!run.verdict.is_correct() && run.seconds > 6.9, "{run:?}");
        assert!(run.verdict.broken().next().unwrap().found.contains("no coupon forgotten"), "{run:?}");
    }
}
