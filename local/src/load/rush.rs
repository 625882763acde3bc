//! A rush: people who ask for one coupon at a given pace, each once, and then poll until they know. Asking again is
//! always safe, so a 503, a 429 or a lost connection is asked again after `Retry-After`.
//!
//! Who the people are and where the API comes from is `command.rs`'s; what is counted is in `figures.rs`.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hyper::StatusCode;
use tokio::task::JoinSet;

pub use load_generator::Person;

use super::api::{Answer, Api, Said};
use super::figures::{Figures, Winner};
use super::now_ms;
use super::written::Written;
use crate::audit::tickets::Told;

/// How often somebody asks before giving up.
const ATTEMPTS_MAX: u32 = 20;
/// How long somebody polls before giving up.
const FOLLOW_MAX: Duration = Duration::from_secs(180);
/// The wait where an answer names none.
const RETRY_DEFAULT: Duration = Duration::from_secs(1);
/// One person in so many polls finely, for a finer measure of when people know; the others do as `Retry-After` says.
const FINE_EVERY: usize = 50;
/// How finely.
const FINE_POLL: Duration = Duration::from_millis(20);

/// How fast people come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// All in the same moment.
    AtOnce,
    /// So many a second by schedule, whether the answers keep up or not.
    Rate(f64),
    /// So many at a time; each asks when the one before has its answer.
    Clients(usize),
}

/// A rush that is under way or over; a handle to clone.
#[derive(Debug, Clone)]
pub struct Rush(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    api: Api,
    coupon_id: String,
    people: Vec<Person>,
    written: Written,
    figures: Mutex<Figures>,
    /// When each person's request was due, by the wall clock, in the order of `people`; 0 before.
    due_ms: Mutex<Vec<i64>>,
}

impl Rush {
    /// A rush of these people for this coupon.
    ///
    /// # Errors
    /// As [`Figures::new`].
    pub fn new(api: Api, coupon_id: String, people: Vec<Person>, written: Written) -> anyhow::Result<Self> {
        let due_ms = Mutex::new(vec![0; people.len()]);
        let figures = Mutex::new(Figures::new()?);
        Ok(Self(Arc::new(Shared { api, coupon_id, people, written, figures, due_ms })))
    }

    /// Runs until everybody knows, or has given up; the tickets file is complete then.
    ///
    /// # Errors
    /// The tickets file cannot be written, or a task of the rush ended early.
    pub async fn run(&self, pace: Pace) -> anyhow::Result<()> {
        let start = Instant::now();
        match pace {
            Pace::AtOnce => self.by_schedule(start, Duration::ZERO).await?,
            Pace::Rate(rate) => self.by_schedule(start, Duration::from_secs_f64(1.0 / rate)).await?,
            Pace::Clients(clients) => self.by_clients(clients).await?,
        }
        let mut figures = self.lock();
        figures.seconds = start.elapsed().as_secs_f64();
        figures.winners.sort_by_key(|winner| winner.rank);
        drop(figures);
        self.0.written.finish()
    }

    /// The figures so far.
    #[must_use]
    pub fn figures(&self) -> Figures {
        self.lock().clone()
    }

    /// How many people there are.
    #[must_use]
    pub fn users(&self) -> usize {
        self.0.people.len()
    }

    /// Whom they ask.
    #[must_use]
    pub fn api(&self) -> &Api {
        &self.0.api
    }

    /// Which coupon it is for.
    #[must_use]
    pub fn coupon_id(&self) -> &str {
        &self.0.coupon_id
    }

    /// How many have asked, and how many know how it ended; cheap enough for a progress bar.
    #[must_use]
    pub fn progress(&self) -> (u64, u64) {
        let figures = self.lock();
        (figures.users, figures.ended)
    }

    /// When somebody's request was due, in ms since 1970.
    #[must_use]
    pub fn due_by_user(&self) -> BTreeMap<String, i64> {
        let due = self.0.due_ms.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.people.iter().map(|person| person.user_id.clone()).zip(due.iter().copied()).collect()
    }

    /// Adds a latency that was measured elsewhere, from request to result.
    pub fn record_decision(&self, latency: Duration) {
        self.lock().decision_ms.record(latency);
    }

    async fn by_schedule(&self, start: Instant, interval: Duration) -> anyhow::Result<()> {
        let mut under_way = JoinSet::new();
        for index in 0..self.users() {
            let due = start + interval.mul_f64(f64::from(u32::try_from(index).unwrap_or(u32::MAX)));
            if due > Instant::now() {
                tokio::time::sleep_until(due.into()).await;
            }
            let rush = self.clone();
            under_way.spawn(async move {
                if let Some(ticket) = rush.ask(index, due).await {
                    rush.follow(index, due, &ticket).await;
                }
            });
            while let Some(ended) = under_way.try_join_next() {
                ended?;
            }
        }
        all(under_way).await
    }

    async fn by_clients(&self, clients: usize) -> anyhow::Result<()> {
        let next = Arc::new(AtomicUsize::new(0));
        let mut under_way = JoinSet::new();
        for _ in 0..clients {
            let (rush, next) = (self.clone(), Arc::clone(&next));
            under_way.spawn(async move {
                let mut followers = JoinSet::new();
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= rush.users() {
                        return all(followers).await;
                    }
                    let due = Instant::now();
                    if let Some(ticket) = rush.ask(index, due).await {
                        let rush = rush.clone();
                        followers.spawn(async move { rush.follow(index, due, &ticket).await });
                    }
                    while let Some(ended) = followers.try_join_next() {
                        ended?;
                    }
                }
            });
        }
        while let Some(ended) = under_way.join_next().await {
            ended??;
        }
        Ok(())
    }

    /// Asks until there is an answer that is one; the ticket, if that is what it was.
    async fn ask(&self, index: usize, due: Instant) -> Option<String> {
        let person = self.0.people.get(index)?;
        self.began(index, due);
        let mut last = String::new();
        for attempt in 0..ATTEMPTS_MAX {
            if attempt > 0 {
                self.lock().repeated += 1;
            }
            let answer = self.0.api.issue(&self.0.coupon_id, &person.token).await;
            match answer {
                Ok(answer) if answer.status == StatusCode::ACCEPTED => return self.accepted(person, due, &answer),
                Ok(answer) if answer.status == StatusCode::CREATED => {
                    self.issued_at_once(person, due, &answer.said());
                    return None;
                }
                Ok(answer) if is_to_be_repeated(answer.status) => {
                    last = answer.said().code.unwrap_or_else(|| answer.status.as_u16().to_string());
                    tokio::time::sleep(wait(&answer)).await;
                }
                Ok(answer) => {
                    // A request without an answer may have won: a refusal before the queue says where that is to be seen.
                    let held = if attempt > 0 { self.held(person, &answer).await } else { Ok(None) };
                    match held {
                        Ok(held) => self.refused(person, due, &answer, held),
                        Err(error) => self.failed(format!("{error:#}")),
                    }
                    return None;
                }
                Err(error) => {
                    last = format!("{error:#}");
                    tokio::time::sleep(RETRY_DEFAULT).await;
                }
            }
        }
        self.failed(last);
        None
    }

    /// What somebody holds who is told that there is nothing left, or that it is over.
    async fn held(&self, person: &Person, answer: &Answer) -> anyhow::Result<Option<Box<Said>>> {
        if answer.status != StatusCode::GONE {
            return Ok(None);
        }
        let mut attempts = 0;
        loop {
            attempts += 1;
            match self.0.api.held(&self.0.coupon_id, &person.token).await {
                Err(_) if attempts < ATTEMPTS_MAX => tokio::time::sleep(RETRY_DEFAULT).await,
                answered => return Ok(answered?.map(Box::new)),
            }
        }
    }

    /// Polls until the ticket has an outcome.
    async fn follow(&self, index: usize, due: Instant, ticket: &str) {
        let Some(person) = self.0.people.get(index) else { return };
        let began = Instant::now();
        let fine = index.is_multiple_of(FINE_EVERY);
        let mut delay = if fine { FINE_POLL } else { RETRY_DEFAULT };
        let mut last = "PENDING".to_owned();
        while began.elapsed() < FOLLOW_MAX {
            tokio::time::sleep(delay).await;
            match self.0.api.status(&self.0.coupon_id, ticket, &person.token).await {
                Ok(answer) if answer.status == StatusCode::OK => {
                    if self.told(person, ticket, answer.said()) {
                        if fine {
                            self.lock().told_ms.record(due.elapsed());
                        }
                        return;
                    }
                    delay = if fine { FINE_POLL } else { wait(&answer) };
                }
                Ok(answer) if is_to_be_repeated(answer.status) => {
                    last = answer.status.to_string();
                    delay = wait(&answer);
                }
                Ok(answer) => {
                    self.failed(format!("a status of {}", answer.shown()));
                    return;
                }
                Err(error) => {
                    last = format!("{error:#}");
                    delay = RETRY_DEFAULT;
                }
            }
        }
        self.failed(format!("no outcome after {} s, last {last}", FOLLOW_MAX.as_secs()));
    }

    fn began(&self, index: usize, due: Instant) {
        self.lock().users += 1;
        let due_ms = now_ms().saturating_sub(i64::try_from(due.elapsed().as_millis()).unwrap_or(0));
        if let Some(slot) = self.0.due_ms.lock().unwrap_or_else(PoisonError::into_inner).get_mut(index) {
            *slot = due_ms;
        }
    }

    fn accepted(&self, person: &Person, due: Instant, answer: &Answer) -> Option<String> {
        let latency = due.elapsed();
        let Some(ticket) = answer.said().request_id else {
            self.failed(format!("a 202 without a ticket: {}", answer.shown()));
            return None;
        };
        let mut figures = self.lock();
        figures.accepted += 1;
        figures.accept_ms.record(latency);
        drop(figures);
        self.0.written.line(&self.0.coupon_id, &person.user_id, &ticket, None);
        Some(ticket)
    }

    /// By a system that decides with its answer, and gives no ticket.
    fn issued_at_once(&self, person: &Person, due: Instant, said: &Said) {
        let mut figures = self.lock();
        figures.accepted += 1;
        figures.ended += 1;
        figures.accept_ms.record(due.elapsed());
        drop(figures);
        self.won(person, said.request_id.as_deref().unwrap_or_default(), said.rank);
    }

    fn refused(&self, person: &Person, due: Instant, answer: &Answer, held: Option<Box<Said>>) {
        let said = answer.said();
        let Some(code) = said.code.filter(|_| answer.status.is_client_error()) else {
            self.failed(answer.shown());
            return;
        };
        let mut figures = self.lock();
        *figures.refused.entry(code).or_default() += 1;
        figures.refuse_ms.record(due.elapsed());
        figures.ended += 1;
        drop(figures);
        self.holds(person, said.coupon.or(held));
    }

    /// A holder who asked again, and is told which request won.
    fn holds(&self, person: &Person, coupon: Option<Box<Said>>) {
        let Some(coupon) = coupon else { return };
        let Some(ticket) = coupon.request_id else { return };
        self.0.written.line(&self.0.coupon_id, &person.user_id, &ticket, Some(Told::Issued));
        self.won(person, &ticket, coupon.rank);
    }

    fn won(&self, person: &Person, ticket: &str, rank: Option<u64>) {
        let (user_id, request_id) = (person.user_id.clone(), ticket.to_owned());
        let mut figures = self.lock();
        figures.issued += 1;
        figures.winners.push(Winner { rank: rank.unwrap_or(0), user_id, request_id });
    }

    /// Writes down what a status said; whether it was the end.
    fn told(&self, person: &Person, ticket: &str, said: Said) -> bool {
        let told = match said.status.as_ref().and_then(serde_json::Value::as_str) {
            Some("ISSUED") => Told::Issued,
            Some("REJECTED") => Told::Rejected,
            _ => Told::Pending,
        };
        self.0.written.line(&self.0.coupon_id, &person.user_id, ticket, Some(told));
        match told {
            Told::Pending => return false,
            Told::Issued => self.won(person, ticket, said.rank),
            Told::Rejected => {
                *self.lock().rejected.entry(said.reason.unwrap_or_default()).or_default() += 1;
                self.holds(person, said.coupon);
            }
        }
        self.lock().ended += 1;
        true
    }

    fn failed(&self, what: String) {
        let mut figures = self.lock();
        *figures.errors.entry(what).or_default() += 1;
        figures.ended += 1;
    }

    fn lock(&self) -> MutexGuard<'_, Figures> {
        self.0.figures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An API that cannot answer now says so by one of these; the request may have been taken all the same.
fn is_to_be_repeated(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::GATEWAY_TIMEOUT
    )
}

fn wait(answer: &Answer) -> Duration {
    answer.retry_after.unwrap_or(RETRY_DEFAULT)
}

async fn all<T: 'static>(mut tasks: JoinSet<T>) -> anyhow::Result<()> {
    while let Some(ended) = tasks.join_next().await {
        ended?;
    }
    Ok(())
}
