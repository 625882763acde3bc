//! Follows a plan against an API and writes down every answer. One person in fifty who is given a ticket asks until they
//! know: that is when a person knows. Two at a time at most, or their questions would be the load of a slow system.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hyper::StatusCode;
use tokio::task::JoinSet;

use crate::Person;
use crate::api::{Answer, Api};
use crate::plan::{Pace, Plan};
use crate::sample::{Answered, Sample, Told};
use crate::think::start_of;

/// One person in so many asks until they know.
const FOLLOW_EVERY: usize = 50;
/// So many at a time.
const FOLLOWERS_MAX: usize = 2;
/// How often, at first and when it takes longer.
const FOLLOW_POLL: Duration = Duration::from_millis(20);
const FOLLOW_POLL_LATER: Duration = Duration::from_millis(100);
/// When it does.
const FOLLOW_LATER: Duration = Duration::from_millis(500);
/// For how long at most.
const FOLLOW_MAX: Duration = Duration::from_secs(30);

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
    following: AtomicUsize,
}

/// One who asks until they know; dropped, there is room for another.
struct Follows(Arc<Run>);

impl Follows {
    fn begin(run: &Arc<Run>) -> Option<Self> {
        let room = |following: usize| (following < FOLLOWERS_MAX).then(|| following.saturating_add(1));
        run.following.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room).ok()?;
        Some(Self(Arc::clone(run)))
    }
}

impl Drop for Follows {
    fn drop(&mut self) {
        self.0.following.fetch_sub(1, Ordering::Relaxed);
    }
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
        following: AtomicUsize::new(0),
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
                let Some(sample) = run.clone().answer(n, due).await else { break };
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

async fn by_users(run: &Arc<Run>, users: u32, seconds: f64, think: Duration) -> anyhow::Result<Driven> {
    let mut under_way = JoinSet::new();
    for user in 0..users {
        let run = Arc::clone(run);
        under_way.spawn(async move {
            let mut driven = Driven::default();
            let start = run.start + Duration::from_secs_f64(start_of(user, users, seconds));
            tokio::time::sleep_until(start.into()).await;
            let end = Duration::from_secs_f64(seconds);
            let mut followers = JoinSet::new();
            while run.start.elapsed() < end {
                let Some((n, due)) = run.turn() else { break };
                let Some(sample) = run.clone().answer(n, due).await else { break };
                if let Some(follower) = run.clone().follower(n, &sample) {
                    followers.spawn(follower);
                }
                driven.samples.push(sample);
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
            let Some(sample) = self.clone().answer(n, due).await else { return (None, None) };
            let told = match self.follower(n, &sample) {
                Some(follower) => Some(follower.await),
                None => None,
            };
            (Some(sample), told)
        })
    }

    async fn answer(self: Arc<Self>, n: usize, due: Duration) -> Option<Sample> {
        let ask = self.plan.asking.ask(n);
        let (person, coupon) = (self.people.get(ask.person)?, self.coupons.get(ask.coupon)?);
        self.watched.asked.fetch_add(1, Ordering::Relaxed);
        let sent = self.start.elapsed();
        let answer = self.api.issue(coupon, &person.token).await;
        let answered = self.start.elapsed();
        self.watched.answered.fetch_add(1, Ordering::Relaxed);
        let answer =
            answer.map_or_else(|error| Answered::Failed { what: format!("{error:#}") }, |answer| said(&answer));
        Some(Sample { person: ask.person, coupon: ask.coupon, due, sent, answered, answer })
    }

    /// Asks until the ticket has an outcome, for one in so many.
    fn follower(self: Arc<Self>, n: usize, sample: &Sample) -> Option<impl Future<Output = Told> + use<>> {
        let Answered::Accepted { ticket } = &sample.answer else { return None };
        if !self.plan.follow || !n.is_multiple_of(FOLLOW_EVERY) {
            return None;
        }
        let (ticket, due) = (ticket.clone(), sample.due);
        let (person, coupon) = (sample.person, self.coupons.get(sample.coupon)?.clone());
        let began = Instant::now();
        let follows = Follows::begin(&self)?;
        Some(async move {
            let _room = follows;
            while began.elapsed() < FOLLOW_MAX {
                tokio::time::sleep(if began.elapsed() < FOLLOW_LATER { FOLLOW_POLL } else { FOLLOW_POLL_LATER }).await;
                let Some(person) = self.people.get(person) else { break };
                let Ok(answer) = self.api.status(&coupon, &ticket, &person.token).await else { continue };
                let status = answer.said().status;
                if matches!(status.as_ref().and_then(serde_json::Value::as_str), Some("ISSUED" | "REJECTED")) {
                    return Told { after: self.start.elapsed().saturating_sub(due), knows: true };
                }
            }
            Told { after: self.start.elapsed().saturating_sub(due), knows: false }
        })
    }
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
