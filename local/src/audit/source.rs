//! Reads a real world in the order that makes it sound to judge while requests still come in: tickets, then the log's
//! ends, then a wait until everything below them is decided, published and cleared away, then tables, heads last.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use kafka::{Connection, Reader, Span};

use super::tables;
use super::tickets::{self, TicketLine};
use super::topics::TopicSoFar;
use super::{Ends, LogRecord, Names, Outstanding, Place, StoredHead, World};

/// How often the tables are looked at while waiting.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Where a world is.
#[derive(Debug)]
pub struct Source {
    topics: Reader,
    tables: aws_sdk_dynamodb::Client,
    names: Names,
}

impl Source {
    /// A cluster, and a DynamoDB at a URL. Connects to neither yet.
    ///
    /// # Errors
    /// librdkafka refuses a property of the connection.
    pub async fn new(kafka: &Connection, dynamodb: &str, names: Names) -> anyhow::Result<Self> {
        Ok(Self { topics: Reader::new(kafka)?, tables: tables::client(dynamodb).await, names })
    }

    /// Reads everything, waiting for what is on its way; `patience` is how long nothing may change meanwhile.
    ///
    /// # Errors
    /// A part does not answer, log and tables do not belong together, the log does not start at its start any more, or
    /// something is not decided in time.
    pub async fn read(&self, tickets: Option<Vec<TicketLine>>, patience: Duration) -> anyhow::Result<World> {
        let mut requests = TopicSoFar::new(&self.topics, &self.names.requests);
        let spans = requests.catch_up().await?;
        whole(&self.names.requests, &spans)?;
        requests.records.sort_by_key(|record| record.place);
        let mut world = World { names: self.names.clone(), tickets, requests: requests.records, ..World::default() };
        world.ends = spans.iter().map(|span| (span.partition, Ends { judged: span.end, latest: span.end })).collect();
        self.until_decided(&mut world, patience).await?;
        self.until_published(&mut world, patience).await?;
        world.items = tables::issued(&self.tables, &self.names.user_coupons).await?;
        world.heads = tables::heads(&self.tables, &self.names.coupons).await?;
        self.ends_again(&mut world).await?;
        Ok(world)
    }

    /// Waits until each coupon's head has applied its last request below the ends.
    async fn until_decided(&self, world: &mut World, patience: Duration) -> anyhow::Result<()> {
        let mut dead_letters = TopicSoFar::new(&self.topics, &self.names.dead_letters);
        let mut waiting = Waiting::new();
        loop {
            dead_letters.catch_up().await?;
            world.dead_letters.clone_from(&dead_letters.records);
            world.heads = tables::heads(&self.tables, &self.names.coupons).await?;
            self.ends_again(world).await?;
            let outstanding = Outstanding::of(world);
            let Some((coupon, place)) = outstanding.undecided.first() else { return Ok(()) };
            if waiting.unchanged_for(world.heads.iter().map(|head| head.applied).collect()) > patience {
                let more = outstanding.undecided.len().saturating_sub(1);
                bail!(
                    "{} {place} of coupon {coupon} is not decided, and nothing was for {} s ({more} more coupons wait); \
                     is the worker running?",
                    self.names.requests,
                    patience.as_secs()
                );
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Waits until every decision has its result and every dead letter is there. Both may be late, when an invocation
    /// failed behind its commit and comes again; when nothing more comes, the checks say what is missing.
    async fn until_published(&self, world: &mut World, patience: Duration) -> anyhow::Result<()> {
        let mut results = TopicSoFar::new(&self.topics, &self.names.results);
        let mut dead_letters = TopicSoFar::new(&self.topics, &self.names.dead_letters);
        let mut waiting = Waiting::new();
        loop {
            let partitions = results.catch_up().await?;
            whole(&self.names.results, &partitions)?;
            whole(&self.names.dead_letters, &dead_letters.catch_up().await?)?;
            world.result_partitions = i32::try_from(partitions.len())?;
            take(&mut world.results, &mut results);
            take(&mut world.dead_letters, &mut dead_letters);
            let read = vec![i64::try_from(world.results.len())?, i64::try_from(world.dead_letters.len())?];
            let outstanding = Outstanding::of(world);
            if outstanding.is_nothing() || waiting.unchanged_for(read) > patience {
                return Ok(());
            }
            results.records = std::mem::take(&mut world.results);
            dead_letters.records = std::mem::take(&mut world.dead_letters);
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Takes the log's ends again, behind the heads: what a head has applied was in the log before.
    async fn ends_again(&self, world: &mut World) -> anyhow::Result<()> {
        let spans = self.topics.spans(&self.names.requests).await?;
        for span in &spans {
            world.ends.entry(span.partition).or_insert(Ends { judged: 0, latest: 0 }).latest = span.end;
        }
        let mut ours = world.heads.iter().filter(|head| head.log == self.names.requests);
        ours.try_for_each(|head| belongs(head, &spans))
    }
}

/// Reads a tickets file.
///
/// # Errors
/// It cannot be read, or a line is no ticket: then the line is named.
pub fn read_tickets(path: &Path) -> anyhow::Result<Vec<TicketLine>> {
    let named = || format!("tickets file {}", path.display());
    let file = std::fs::File::open(path).with_context(named)?;
    tickets::parse(std::io::BufReader::new(file)).with_context(named)
}

fn take(records: &mut Vec<LogRecord>, topic: &mut TopicSoFar<'_>) {
    *records = std::mem::take(&mut topic.records);
}

/// A log that retention has cut is no witness of what came before, nor are results and dead letters.
fn whole(topic: &str, spans: &[Span]) -> anyhow::Result<()> {
    match spans.iter().find(|span| span.start > 0) {
        Some(span) => bail!(
            "{topic}-{} starts at offset {}, so what came before is gone; audit within the topic's retention",
            span.partition,
            span.start
        ),
        None => Ok(()),
    }
}

fn belongs(head: &StoredHead, spans: &[Span]) -> anyhow::Result<()> {
    let place = Place { partition: head.partition, offset: head.applied };
    let end = spans.iter().find(|span| span.partition == place.partition).map_or(0, |span| span.end);
    if place.offset < end {
        return Ok(());
    }
    bail!(
        "tables and log do not belong together: coupon {} has applied {place} of {}, whose partition ends at {end}",
        head.coupon_id,
        head.log
    )
}

/// How long something has not changed.
struct Waiting {
    since: Instant,
    seen: Vec<i64>,
}

impl Waiting {
    fn new() -> Self {
        Self { since: Instant::now(), seen: Vec::new() }
    }

    fn unchanged_for(&mut self, now: Vec<i64>) -> Duration {
        if now != self.seen {
            *self = Self { since: Instant::now(), seen: now };
        }
        self.since.elapsed()
    }
}
