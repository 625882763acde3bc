//! `cargo local measure esm`: what the event source mapping adds between a broker and a function. How long a record takes
//! to its invocation, and how many records a second go through, against a bare loop on the same topic in the same run.
//!
//! The function does nothing and is `handler.rs`; the bare loop is `bare.rs`.

mod bare;
mod handler;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use kafka::{Admin, Connection, Header, Log as _, NewTopicSpec, Producer, ProducerSettings, Record};
use kafka_esm::{Mapping, Running};
use serde::Serialize;
use serde_json::json;

use super::{AT_LEAST, Latencies, Measure, fresh_id};
use crate::embedded::Embedded;
use crate::load::shown::percentiles;
use crate::load::unless_interrupted;
use crate::parts::{self, Parts};
use crate::process::Spawner;
use crate::{broker, ports};
use handler::{Handler, Turn};

/// Records of one invocation.
pub(super) const BATCH: usize = 1000;
/// Records one after the other, for the latency.
const SINGLE: usize = 500;
/// Between two of them, so that none finds the path still warm from the last.
const PAUSE: Duration = Duration::from_millis(10);
/// What the median has to stay below, in ms.
const LATENCY_MS_MAX: f64 = 10.0;
/// How long anything may take before the measurement has failed.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often it is looked whether a mapping has committed everything.
const LOOKED: Duration = Duration::from_millis(50);

/// `measure esm`: on which broker, and how much.
#[derive(Debug, Clone, Args)]
pub struct EsmMeasureOptions {
    /// The brokers, as HOST:PORT,HOST:PORT; by default an embedded one is started
    #[arg(long, value_name = "HOST:PORT,…")]
    pub bootstrap_servers: Option<String>,
    /// librdkafka properties for brokers that want TLS or SASL
    #[arg(long, value_name = "FILE", requires = "bootstrap_servers")]
    pub kafka_config: Option<PathBuf>,
    /// Turns of mapping and bare loop; the median counts
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=99))]
    pub turns: u16,
    /// Records of a turn
    #[arg(long, value_name = "N", default_value_t = 200_000, value_parser = clap::value_parser!(u32).range(10_000..))]
    pub records: u32,
    /// Exit 1 when a goal is missed
    #[arg(long)]
    pub strict: bool,
    /// Print the measures as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Serialize)]
struct Figures {
    throughput: Measure,
    /// Records of a request in these turns, on average: what is compared must ask for alike.
    batch: Batches,
    /// From the acknowledgement of a record to its invocation.
    acknowledged_ms: Latencies,
    /// From the moment a record is handed to its producer to its invocation: an upper bound of what the mapping adds.
    produced_ms: Latencies,
    latency_met: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
struct Batches {
    mapping: f64,
    bare_loop: f64,
}

impl Batches {
    /// Over all turns, each a mapping's and a bare loop's.
    fn of(turns: &[(Turn, Turn)]) -> anyhow::Result<Self> {
        let mean = |batch: fn(&(Turn, Turn)) -> f64| {
            anyhow::Ok(turns.iter().map(batch).sum::<f64>() / f64::from(u32::try_from(turns.len())?))
        };
        Ok(Self { mapping: mean(|(mapping, _)| mapping.batch)?, bare_loop: mean(|(_, bare)| bare.batch)? })
    }
}

/// Measures, prints on stdout.
///
/// # Errors
/// The broker does not answer, or a mapping does not come to its end.
pub(super) async fn run(options: &EsmMeasureOptions) -> anyhow::Result<ExitCode> {
    unless_interrupted(run_measures(options)).await
}

async fn run_measures(options: &EsmMeasureOptions) -> anyhow::Result<ExitCode> {
    let figures = measure(options).await?;
    if options.json {
        println!("{}", serde_json::to_string(&figures)?);
    } else {
        print!("{}", page(&figures));
    }
    let missed = !figures.throughput.met || !figures.latency_met;
    Ok(if options.strict && missed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn measure(options: &EsmMeasureOptions) -> anyhow::Result<Figures> {
    let embedded = match options.bootstrap_servers {
        Some(_) => None,
        None => Some(OwnBroker::start().await?),
    };
    let servers = options.bootstrap_servers.clone().or_else(|| Some(embedded.as_ref()?.address.clone()));
    let servers = servers.context("no broker")?;
    let connection = broker::connection(&servers, options.kafka_config.as_deref())?;
    let run = Run { connection, handler: Handler::start().await? };
    eprintln!("Measuring the latency, {SINGLE} records one after the other …");
    let (acknowledged_ms, produced_ms) = run.latency().await?;
    eprintln!("Measuring the throughput, {} turns of {} records …", options.turns, options.records);
    let (throughput, batch) = run.throughput(options).await?;
    let latency_met = produced_ms.percentile_ms(50.0) < LATENCY_MS_MAX;
    Ok(Figures { throughput, batch, acknowledged_ms, produced_ms, latency_met })
}

/// An embedded broker with data of its own; both end with the value.
struct OwnBroker {
    address: String,
    _broker: Embedded,
    _data: tempfile::TempDir,
}

impl OwnBroker {
    async fn start() -> anyhow::Result<Self> {
        let built = Parts::build(&[parts::BROKER]).await?;
        let (port, data) = (ports::internal()?, tempfile::tempdir()?);
        let place = broker::Place { port, advertised_port: port, data: data.path() };
        let started = broker::start(Spawner::start()?, built.path(parts::BROKER)?, place).await?;
        Ok(Self { address: format!("127.0.0.1:{port}"), _broker: started, _data: data })
    }
}

/// What both measures need.
struct Run {
    connection: Connection,
    handler: Handler,
}

impl Run {
    /// A topic of one partition, so that mapping and bare loop alike have one invocation under way.
    async fn topic(&self) -> anyhow::Result<String> {
        let name = fresh_id("measure-esm");
        let spec = NewTopicSpec { name: name.clone(), partitions: 1, replication: -1, config: Default::default() };
        Admin::new(&self.connection)?.create(&spec).await?;
        broker::ends(&self.connection, &name).await?;
        Ok(name)
    }

    /// A mapping without a window, in a group of its own, from the topic's beginning.
    async fn mapping(&self, topic: &str) -> anyhow::Result<Running> {
        let (mapping, emulator) = Mapping::from_value(json!({
            "Topics": [topic], "StartingPosition": "TRIM_HORIZON", "BatchSize": BATCH,
            "MaximumBatchingWindowInSeconds": 0,
        }))?;
        let client = self.connection.clone().for_consumer().properties().clone();
        let running = kafka_esm::start(&mapping, &emulator, client, self.handler.url()).await?;
        tokio::time::timeout(PATIENCE, running.ready()).await.context("the mapping does not join its group")??;
        Ok(running)
    }

    /// From acknowledgement and from produce to invocation.
    async fn latency(&self) -> anyhow::Result<(Latencies, Latencies)> {
        let topic = self.topic().await?;
        let producer = Producer::new(&self.connection, ProducerSettings::default())?;
        let running = self.mapping(&topic).await?;
        let (mut acknowledged, mut produced) = (Latencies::new()?, Latencies::new()?);
        for number in 0..SINGLE {
            let before = self.handler.requests().len();
            let sent = Instant::now();
            producer.produce(record(&topic, number)).await?;
            let stored = Instant::now();
            let invoked = self.handler.request(before, PATIENCE).await?;
            // The first ones warm connections up.
            if number >= SINGLE / 10 {
                acknowledged.record(invoked.saturating_duration_since(stored));
                produced.record(invoked.saturating_duration_since(sent));
            }
            tokio::time::sleep(PAUSE).await;
        }
        running.stop().await?;
        Ok((acknowledged, produced))
    }

    async fn throughput(&self, options: &EsmMeasureOptions) -> anyhow::Result<(Measure, Batches)> {
        let (topic, count) = (self.topic().await?, usize::try_from(options.records)?);
        self.fill(&topic, count).await?;
        let mut turns = Vec::new();
        // The first turn warms up.
        for turn in 0..=options.turns {
            let pair = (self.through_the_mapping(&topic, count).await?, self.through_the_loop(&topic, count).await?);
            if turn > 0 {
                turns.push(pair);
            }
        }
        let name = "through an empty handler in batches of 1000, against a bare loop";
        let rates: Vec<(f64, f64)> = turns.iter().map(|(mapping, bare)| (mapping.rate, bare.rate)).collect();
        Ok((Measure::of(name, (AT_LEAST, 0.8), "records/s", &rates), Batches::of(&turns)?))
    }

    async fn fill(&self, topic: &str, count: usize) -> anyhow::Result<()> {
        let settings = ProducerSettings { linger: Duration::from_millis(5), ..ProducerSettings::default() };
        let producer = Producer::new(&self.connection, settings)?;
        for first in (0..count).step_by(BATCH) {
            let records = (first..count.min(first + BATCH)).map(|number| producer.produce(record(topic, number)));
            for delivered in futures_util::future::join_all(records).await {
                delivered?;
            }
        }
        Ok(())
    }

    async fn through_the_mapping(&self, topic: &str, count: usize) -> anyhow::Result<Turn> {
        self.handler.forget();
        let running = self.mapping(topic).await?;
        let end = Instant::now() + PATIENCE;
        while running.metrics().await.committed_event_count < u64::try_from(count)? {
            anyhow::ensure!(Instant::now() < end, "the mapping has not invoked everything in {PATIENCE:?}");
            tokio::time::sleep(LOOKED).await;
        }
        let metrics = running.stop().await?;
        anyhow::ensure!(metrics.failed_invoke_event_count == 0, "an empty handler fails nothing: {metrics:?}");
        self.handler.turn(count)
    }

    async fn through_the_loop(&self, topic: &str, count: usize) -> anyhow::Result<Turn> {
        self.handler.forget();
        bare::run(&self.connection, topic, count, self.handler.url()).await?;
        self.handler.turn(count)
    }
}

/// As large as a request for a coupon.
fn record(topic: &str, number: usize) -> Record {
    let value = json!({
        "type": "issue", "couponId": "spring-sale", "userId": format!("user-{number:07}"),
        "requestedAt": "2026-11-20T03:00:00.123Z",
    });
    Record {
        topic: topic.to_owned(),
        key: Some("spring-sale".into()),
        value: Some(value.to_string().into()),
        headers: vec![Header { name: "traceparent".into(), value: Some(vec![b'0'; 55].into()) }],
        ..Record::default()
    }
}

fn page(figures: &Figures) -> String {
    let Figures { throughput, batch, acknowledged_ms, produced_ms, latency_met } = figures;
    let verdict = if *latency_met { "met" } else { "MISSED" };
    format!(
        "{}    {:.0} records a request, against {:.0}\nfrom a record's produce to its invocation without a window, p50 below {LATENCY_MS_MAX} ms: {verdict}\n    \
         {}\nof which from its acknowledgement\n    {}\n",
        super::line(throughput),
        batch.mapping,
        batch.bare_loop,
        percentiles(produced_ms),
        percentiles(acknowledged_ms)
    )
}
