//! `cargo local baseline`: one of the systems to compare with, over parts that are started here or run already, until it
//! is told to end. One JSON line on stdout says where it is, once it is ready.
//!
//! What the systems are is the crate `baseline`; Redis is `redis.rs`, broker and DynamoDB are `up`'s.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use baseline::{OutboxPeriods, Running, System};
use clap::Args;
use kafka::Connection;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::Part;
use crate::data::DataDir;
use crate::embedded::{Embedded, Order};
use crate::gateway::Authorizer;
use crate::keys::{AUDIENCE, ISSUER, Keys};
use crate::parts::{self, Parts};
use crate::process::Spawner;
use crate::redis::{self, Durability};
use crate::settings::{Deployment, KeyAttribute, Machine, Place, Topic};
use crate::{broker, dynamodb, elsewhere, ports};

/// One attempt of a call of the seeds' systems to DynamoDB.
const ATTEMPT_MAX: Duration = Duration::from_secs(3);

/// `baseline`: which system, over which parts.
#[derive(Debug, Clone, Args)]
pub struct BaselineOptions {
    /// redis: rank in a sorted set, outbox every 10 s; hybrid: Redis before a Kafka topic; ours: our functions' own
    /// libraries behind the same HTTP server
    #[arg(value_name = "redis|hybrid|ours")]
    pub system: System,
    /// The API's port; 0 takes a free one. The parts take free ones always
    #[arg(long, value_name = "PORT", default_value_t = 9700)]
    pub port: u16,
    /// Redis: `embedded` starts this machine's redis-server, or HOST:PORT of one that runs already
    #[arg(long, value_name = "embedded|HOST:PORT", default_value = "embedded", value_parser = elsewhere::redis)]
    pub redis: Part,
    /// Let the embedded Redis keep an append-only file, which it does not by itself
    #[arg(long)]
    pub redis_aof: bool,
    /// The Kafka broker: `embedded`, or the bootstrap servers of a real one as HOST:PORT,HOST:PORT
    #[arg(long, value_name = "embedded|HOST:PORT,…", default_value = "embedded", value_parser = elsewhere::broker)]
    pub broker: Part,
    /// librdkafka properties for a broker that wants TLS or SASL (security.protocol=…, sasl.username=…, one a line)
    #[arg(long, value_name = "FILE")]
    pub kafka_config: Option<PathBuf>,
    /// The DynamoDB: `embedded`, or the URL of a real one (region us-east-1)
    #[arg(long, value_name = "embedded|URL", default_value = "embedded", value_parser = elsewhere::dynamodb)]
    pub dynamodb: Part,
    /// Keep Redis, log and tables here. Without it, everything starts empty
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// How often system `redis` works off the pending events of its outbox
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    pub outbox_every: u64,
    /// How often it tries the failed ones again
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    pub retry_every: u64,
}

impl BaselineOptions {
    fn outbox(&self) -> OutboxPeriods {
        let (pending, failed) = (Duration::from_secs(self.outbox_every), Duration::from_secs(self.retry_every));
        OutboxPeriods { pending, failed }
    }
}

/// Where a baseline's parts are; its JSON is the ready line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Addresses {
    /// The API's URL.
    pub api: String,
    /// The bootstrap servers, for a system with a topic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kafka: Option<String>,
    /// DynamoDB's URL.
    pub dynamodb: String,
    /// `HOST:PORT`, for a system with a Redis.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redis: Option<String>,
}

/// Starts the system, says where it is, waits for SIGINT or SIGTERM, stops.
///
/// # Errors
/// A part does not start or does not answer; the system ends by itself.
pub async fn run(options: &BaselineOptions) -> anyhow::Result<ExitCode> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut baseline = tokio::select! {
        started = Baseline::start(options) => started?,
        // Dropping a start half done kills what has been started.
        _ = interrupt.recv() => return Ok(ExitCode::SUCCESS),
        _ = terminate.recv() => return Ok(ExitCode::SUCCESS),
    };
    ready(&baseline.addresses)?;
    let failure = tokio::select! {
        _ = interrupt.recv() => None,
        _ = terminate.recv() => None,
        failure = baseline.running.failed() => Some(failure),
    };
    baseline.stop().await?;
    failure.map_or(Ok(ExitCode::SUCCESS), Err)
}

fn ready(addresses: &Addresses) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    // Flushed by hand: a pipe is buffered, and who started this waits for the line.
    writeln!(stdout, "{}", serde_json::to_string(addresses)?)?;
    stdout.flush()?;
    Ok(())
}

/// A running baseline. Dropped, its children are killed; fields are dropped in this order, the data last.
struct Baseline {
    addresses: Addresses,
    running: Running,
    parts: Vec<Embedded>,
    _data: DataDir,
}

impl Baseline {
    async fn start(options: &BaselineOptions) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).await;
        let listener =
            listener.with_context(|| format!("port {} is taken; give another --port, or 0", options.port))?;
        let data = DataDir::open(options.data.as_deref())?;
        let mut starting = Starting {
            options,
            built: Parts::build(&needed(options)).await?,
            spawner: Spawner::start()?,
            data: &data,
            parts: Vec::new(),
        };
        let (dynamodb, client) = starting.dynamodb().await?;
        let kafka = starting.kafka().await?;
        let redis = starting.redis().await?;
        let (kafka, connection) = kafka.unzip();
        if let (System::Ours, Some(connection)) = (options.system, &connection) {
            let names = Deployment::of_checkout()?.settings(&Machine::default())?.names()?;
            let ends = broker::ends(connection, &names.requests).await?;
            dynamodb::belongs_to(&client, &names.coupons, &names.requests, &ends).await?;
        }
        let outbox = options.outbox();
        let parts = baseline::Parts { dynamodb: client, kafka: connection, redis: redis.clone(), outbox };
        let running = Running::start(options.system, &parts, listener, authorizer()?).await?;
        let api = format!("http://{}", running.address());
        let parts = starting.parts;
        Ok(Self { addresses: Addresses { api, kafka, dynamodb, redis }, running, parts, _data: data })
    }

    /// Ends what asks before what is asked. No child is left afterwards.
    async fn stop(self) -> anyhow::Result<()> {
        self.running.stop().await;
        for part in self.parts.iter().rev() {
            part.order(Order::Stop).await?;
        }
        Ok(())
    }
}

/// The gateway's own, with the key of this checkout.
fn authorizer() -> anyhow::Result<Arc<Authorizer>> {
    let keys = Keys::of_checkout()?;
    let known = [(keys.kid().to_owned(), keys.public())];
    Ok(Arc::new(Authorizer::new(ISSUER, [AUDIENCE.to_owned()], known)))
}

/// The embedded binaries that these options need.
fn needed(options: &BaselineOptions) -> Vec<&'static str> {
    let mut binaries = Vec::new();
    if options.dynamodb == Part::Embedded {
        binaries.push(parts::DYNAMODB);
    }
    if options.broker == Part::Embedded && !options.system.topics().is_empty() {
        binaries.push(parts::BROKER);
    }
    binaries
}

/// The parts, as they start.
struct Starting<'a> {
    options: &'a BaselineOptions,
    built: Parts,
    spawner: Spawner,
    data: &'a DataDir,
    parts: Vec<Embedded>,
}

impl Starting<'_> {
    /// Its URL, and the client that the system wants.
    async fn dynamodb(&mut self) -> anyhow::Result<(String, Client)> {
        let url = match &self.options.dynamodb {
            Part::External(url) => url.trim_end_matches('/').to_owned(),
            Part::Embedded => {
                let (port, binary) = (ports::internal()?, self.built.path(parts::DYNAMODB)?);
                let part = dynamodb::start(self.spawner.clone(), binary, port, self.data).await?;
                self.parts.push(part);
                format!("http://127.0.0.1:{port}")
            }
        };
        let patient = dynamodb::patient_client(&url).await;
        for table in self.options.system.tables() {
            let key = |name: &&str| KeyAttribute { name: (*name).to_owned(), kind: "S".into() };
            let key: Vec<_> = table.keys.iter().map(key).collect();
            let ensured = dynamodb::ensure_table(&patient, table.name, &key).await;
            ensured.with_context(|| format!("no DynamoDB to use at {url}"))?;
        }
        let client = match self.options.system {
            System::Redis | System::Hybrid => with_time_limit(&patient),
            System::Ours => dynamodb::client(&url).await,
        };
        Ok((url, client))
    }

    /// The bootstrap servers and how to reach them, with the topics; nothing for a system without.
    async fn kafka(&mut self) -> anyhow::Result<Option<(String, Connection)>> {
        if self.options.system.topics().is_empty() {
            return Ok(None);
        }
        let address = match &self.options.broker {
            Part::External(address) => address.clone(),
            Part::Embedded => {
                let (port, binary, data) = (ports::internal()?, self.built.path(parts::BROKER)?, self.data.broker());
                let place = broker::Place { port, advertised_port: port, data: &data };
                self.parts.push(broker::start(self.spawner.clone(), binary, place).await?);
                format!("127.0.0.1:{port}")
            }
        };
        let connection = broker::connection(&address, self.options.kafka_config.as_deref())?;
        let ensured = broker::ensure(&connection, &topics(self.options.system)?).await;
        ensured.with_context(|| format!("no Kafka to use at {address}"))?;
        Ok(Some((address, connection)))
    }

    /// `HOST:PORT`; nothing for a system without.
    async fn redis(&mut self) -> anyhow::Result<Option<String>> {
        if !self.options.system.needs_redis() {
            return Ok(None);
        }
        match &self.options.redis {
            Part::External(_) if self.options.redis_aof => {
                bail!("--redis-aof is for an embedded Redis; set `appendonly yes` in the other one's own configuration")
            }
            Part::External(address) => Ok(Some(address.clone())),
            Part::Embedded => {
                let durability =
                    if self.options.redis_aof { Durability::AppendOnlyFile } else { Durability::Snapshots };
                let port = ports::internal()?;
                self.parts.push(redis::start(self.spawner.clone(), port, &self.data.redis(), durability).await?);
                Ok(Some(format!("127.0.0.1:{port}")))
            }
        }
    }
}

/// The SDK's own retries, and a limit that it has not by itself: an answer that never comes would hold a consumer for ever.
fn with_time_limit(client: &Client) -> Client {
    let limits = TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT_MAX).build();
    Client::from_conf(client.config().to_builder().timeout_config(limits).build())
}

/// Ours as they are deployed; the hybrid's with what Kafka has by itself.
fn topics(system: System) -> anyhow::Result<Vec<Topic>> {
    Ok(match system {
        System::Ours => Deployment::of_checkout()?.settings(&Machine::default())?.topics,
        System::Redis | System::Hybrid => system
            .topics()
            .iter()
            .map(|topic| Topic {
                place: Place::default(),
                name: topic.name.to_owned(),
                partitions: topic.partitions,
                replication: None,
                configuration: BTreeMap::new(),
            })
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Command};

    #[test]
    fn an_outbox_that_nobody_sets_has_the_seeds_periods() {
        let cli = Cli::try_parse_from(["local", "baseline", "redis"]).unwrap();
        let Command::Baseline(options) = cli.command else { panic!("it is another command") };
        assert_eq!(options.outbox(), OutboxPeriods::default());
    }

    #[test]
    fn ours_has_the_topics_and_tables_that_are_deployed() {
        let settings = Deployment::of_checkout().unwrap().settings(&Machine::default()).unwrap();
        let deployed: Vec<_> = settings.topics.iter().map(|topic| (topic.name.as_str(), topic.partitions)).collect();
        let ours: Vec<_> = System::Ours.topics().iter().map(|topic| (topic.name, topic.partitions)).collect();
        assert_eq!(ours, deployed);
        let tables: Vec<_> = System::Ours.tables().iter().map(|table| table.name).collect();
        let deployed: Vec<_> = settings.tables.iter().map(|table| table.name.as_str()).collect();
        assert_eq!(tables, deployed);
    }
}
