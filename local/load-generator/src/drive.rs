//! Follows a plan against an API and writes down every answer. Some who are given a ticket ask until they know: that is when
//! a person knows. The plan says beforehand by whose number, one in so many: a choice among those who are done with asking
//! would leave out whoever comes behind somebody that waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hyper::StatusCode;
use tokio::task::JoinSet;

use crate::Person;
use crate::api::{Answer, Api};
use crate::plan::{Pace, Plan};
use crate::sample::{Answered, Outcome, Sample, Told};
use crate::think::start_of;

/// How often they ask who have asked for less than so long: people who wait long do not become the load.
const FOLLOW_POLLS: [(Duration, Duration); 3] = [
    (Duration::from_millis(500), Duration::from_millis(20)),
    (Duration::from_secs(2), Duration::from_millis(100)),
    (FOLLOW_MAX, Duration::from_millis(500)),
];
/// For how long at most; whoever does not know then has given up.
pub const FOLLOW_MAX: Duration = Duration::from_secs(30);

/// How far a run is; to be looked at while it runs.
#[derive(Debug, Default)]
pub struct Watched {
    /// Requests that were sent.
    pub asked: AtomicUsize,
    /// Requests that have their answer.
    pub answered: AtomicUsize,
}

/// What came of a run.
#[derive(Debug, Clone, Default)]
pub struct Driven {
    /// Every request, in the order in which answers came.
    pub samples: Vec<Sample>,
    /// When people knew.
    pub told: Vec<Told>,
    /// The moment from which `due` and `answered` count, in µs since 1970.
    pub began_us: u64,
    /// From the beginning to the last answer.
    pub seconds: f64,
}

struct Run {
    api: Api,
    plan: Plan,
    coupons: Vec<String>,
    people: Arc<[Person]>,
    watched: Arc<Watched>,
    start: Instant,
    next: AtomicUsize,
}

/// Runs a plan to its end. When there are fewer people than it takes, it ends with the last of them.
///
/// # Errors
/// A task of the run ended early.
pub async fn drive(
    api: &Api,
    plan: Plan,
    coupons: Vec<String>,
    people: Arc<[Person]>,
    watched: Arc<Watched>,
) -> anyhow::Result<Driven> {
    let began = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let run = Arc::new(Run {
        api: api.clone(),
        plan,
        coupons,
        people,
        watched,
        start: Instant::now(),
        next: AtomicUsize::new(0),
    });
    let mut driven = match plan.pace {
        Pace::Rate { per_second, .. } => by_schedule(&run, Duration::from_secs_f64(1.0 / per_second)).await?,
        Pace::Clients { clients, seconds, .. } => by_clients(&run, clients, seconds).await?,
        Pace::Users { users, seconds, think } => by_users(&run, users, seconds, think).await?,
    };
    driven.began_us = u64::try_from(began.as_micros()).unwrap_or(u64::MAX);
    driven.samples.sort_by_key(|sample| sample.answered);
    driven.seconds = driven.samples.last().map_or(0.0, |last| last.answered.as_secs_f64());
    Ok(driven)
}

async fn by_schedule(run: &Arc<Run>, interval: Duration) -> anyhow::Result<Driven> {
    let mut under_way = JoinSet::new();
    let mut driven = Driven::default();
    for n in 0..run.plan.requests_max() {
        let due = interval.mul_f64(f64::from(u32::try_from(n).unwrap_or(u32::MAX)));
        if run.start.elapsed() < due {
            tokio::time::sleep_until((run.start + due).into()).await;
        }
        let Some(asking) = run.clone().asking(n, due) else { break };
        under_way.spawn(asking);
        while let Some(ended) = under_way.try_join_next() {
            driven.add(ended?);
        }
    }
    while let Some(ended) = under_way.join_next().await {
        driven.add(ended?);
    }
    Ok(driven)
}

async fn by_clients(run: &Arc<Run>, clients: usize, seconds: f64) -> anyhow::Result<Driven> {
    let mut under_way = JoinSet::new();
    let end = Duration::from_secs_f64(seconds);
    for _ in 0..clients {
        let run = Arc::clone(run);
        under_way.spawn(async move {
            let (mut driven, mut followers) = (Driven::default(), JoinSet::new());
            while run.start.elapsed() < end
                && let Some((n, due)) = run.turn()
            {
                let Some(sample) = run.clone().answer(&run.api, n, due).await else { break };
                if let Some(follower) = run.clone().follower(n, &sample) {
                    followers.spawn(follower);
                }
                driven.samples.push(sample);
            }
            while let Some(told) = followers.join_next().await {
                driven.told.push(told?);
            }
            anyhow::Ok(driven)
        });
    }
    joined(under_way).await
}

/// Each with a connection of their own, as a browser has, and a user of k6.
async fn by_users(run: &Arc<Run>, users: u32, seconds: f64, think: Duration) -> anyhow::Result<Driven> {
    let mut under_way = JoinSet::new();
    for user in 0..users {
        let run = Arc::clone(run);
        under_way.spawn(async move {
            let (mut driven, api) = (Driven::default(), run.api.apart());
            let start = run.start + Duration::from_secs_f64(start_of(user, users, seconds));
            tokio::time::sleep_until(start.into()).await;
            let end = Duration::from_secs_f64(seconds);
            let mut followers = JoinSet::new();
            while run.start.elapsed() < end {
                let Some((n, due)) = run.turn() else { break };
                let Some(sample) = run.clone().answer(&api, n, due).await else { break };
                if let Some(follower) = run.clone().follower(n, &sample) {
                    followers.spawn(follower);
                }
                driven.samples.push(sample);
                // Who would think beyond the end has asked for the last time.
                if run.start.elapsed().saturating_add(think) >= end {
                    break;
                }
                tokio::time::sleep(think).await;
            }
            while let Some(told) = followers.join_next().await {
                driven.told.push(told?);
            }
            anyhow::Ok(driven)
        });
    }
    joined(under_way).await
}

async fn joined(mut under_way: JoinSet<anyhow::Result<Driven>>) -> anyhow::Result<Driven> {
    let mut driven = Driven::default();
    while let Some(ended) = under_way.join_next().await {
        let mut ended = ended??;
        driven.samples.append(&mut ended.samples);
        driven.told.append(&mut ended.told);
    }
    Ok(driven)
}

impl Driven {
    fn add(&mut self, (sample, told): (Option<Sample>, Option<Told>)) {
        self.samples.extend(sample);
        self.told.extend(told);
    }
}

impl Run {
    /// The next request's number and due time, for those who ask when they are ready.
    fn turn(&self) -> Option<(usize, Duration)> {
        let n = self.next.fetch_add(1, Ordering::Relaxed);
        (n < self.plan.requests_max()).then(|| (n, self.start.elapsed()))
    }

    /// A request by schedule and what follows it; none when there is nobody left to ask.
    fn asking(
        self: Arc<Self>,
        n: usize,
        due: Duration,
    ) -> Option<impl Future<Output = (Option<Sample>, Option<Told>)>> {
        self.people.get(self.plan.asking.ask(n).person)?;
        Some(async move {
            let Some(sample) = self.clone().answer(&self.api, n, due).await else { return (None, None) };
            let told = match self.follower(n, &sample) {
                Some(follower) => Some(follower.await),
                None => None,
            };
            (Some(sample), told)
        })
    }

    async fn answer(self: Arc<Self>, api: &Api, n: usize, due: Duration) -> Option<Sample> {
        let ask = self.plan.asking.ask(n);
        let (person, coupon) = (self.people.get(ask.person)?, self.coupons.get(ask.coupon)?);
        self.watched.asked.fetch_add(1, Ordering::Relaxed);
        let asked = Instant::now();
        let answer = api.issue(coupon, &person.token).await;
        let answered = self.start.elapsed();
        let sent = answer.as_ref().map_or(asked, |answer| answer.sent).saturating_duration_since(self.start);
        self.watched.answered.fetch_add(1, Ordering::Relaxed);
        let answer =
            answer.map_or_else(|error| Answered::Failed { what: format!("{error:#}") }, |answer| said(&answer));
        Some(Sample { person: ask.person, coupon: ask.coupon, due, sent, answered, answer })
    }

    /// Asks until the ticket has an outcome, for one in so many.
    fn follower(self: Arc<Self>, n: usize, sample: &Sample) -> Option<impl Future<Output = Told> + use<>> {
        let Answered::Accepted { ticket } = &sample.answer else { return None };
        if !n.is_multiple_of(self.plan.follow_every?) {
            return None;
        }
        let (ticket, due) = (ticket.clone(), sample.due);
        let (person, coupon) = (sample.person, sample.coupon);
        let began = Instant::now();
        Some(async move {
            let mut outcome = None;
            while let (None, Some(pause)) = (outcome, pause(began.elapsed())) {
                tokio::time::sleep(pause).await;
                outcome = self.outcome(person, coupon, &ticket).await;
            }
            Told { person, coupon, ticket, after: self.start.elapsed().saturating_sub(due), outcome }
        })
    }

    /// What a ticket came to, if there is an answer that tells it.
    async fn outcome(&self, person: usize, coupon: usize, ticket: &str) -> Option<Outcome> {
        let (person, coupon) = (self.people.get(person)?, self.coupons.get(coupon)?);
        let answer = self.api.status(coupon, ticket, &person.token).await.ok()?;
        Outcome::parse(answer.said().status.as_ref()?.as_str()?)
    }
}

/// How long somebody waits before the next question who has asked for so long; none for who gives up.
fn pause(asked_for: Duration) -> Option<Duration> {
    FOLLOW_POLLS.iter().find(|(less_than, _pause)| asked_for < *less_than).map(|(_less_than, pause)| *pause)
}

/// What an answer to a request for a coupon is.
fn said(answer: &Answer) -> Answered {
    let said = answer.said();
    match (answer.status, said.code, said.request_id) {
        (StatusCode::CREATED, _, _) => Answered::Issued { rank: said.rank },
        (StatusCode::ACCEPTED, _, Some(ticket)) => Answered::Accepted { ticket },
        (StatusCode::CONFLICT | StatusCode::GONE | StatusCode::FORBIDDEN, Some(code), _) => Answered::Refused { code },
        // By status and code alone: a text in it would make a kind of its own of every failure.
        (status, Some(code), _) => Answered::Failed { what: format!("{} {code}", status.as_u16()) },
        (status, None, _) => Answered::Failed { what: status.as_u16().to_string() },
    }
}

#[cfg(test)]
mod tests;
