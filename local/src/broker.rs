//! The sandbox's Kafka cluster: the embedded broker or one that runs already, and the topics on it.
//!
//! Knows no coupon, only names and ends of topics. The embedded broker's own program is `local/broker`.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::types::RDKafkaErrorCode;

use crate::embedded::Embedded;
use crate::process::{Program, Spawner};
use crate::settings::Topic;

/// How long a broker may take for one answer while the sandbox starts.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// Copies of a record on a real cluster that has as many brokers.
const REPLICATION: usize = 3;

/// Starts the embedded broker.
///
/// # Errors
/// It does not become ready.
pub async fn start(spawner: Spawner, binary: &Path, place: Place<'_>) -> anyhow::Result<Embedded> {
    let mut program = Program::new("broker", binary);
    program.args = vec!["--port".into(), place.port.to_string().into(), "--data".into(), place.data.into()];
    program.args.extend(["--advertised-port".into(), place.advertised_port.to_string().into()]);
    Embedded::start(spawner, program).await
}

/// Where the embedded broker is to be.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The port it listens on.
    pub port: u16,
    /// The port it tells its clients: a proxy's, or the same.
    pub advertised_port: u16,
    /// The directory of its log.
    pub data: &'a Path,
}

/// A cluster, by the properties that reach it.
#[derive(Debug, Clone)]
pub struct Cluster {
    client: ClientConfig,
}

impl Cluster {
    /// A cluster at `host:port,…`, with further librdkafka properties.
    #[must_use]
    pub fn new(bootstrap_servers: &str, properties: &BTreeMap<String, String>) -> Self {
        let mut client = ClientConfig::new();
        client.extend(properties.clone());
        client.set("bootstrap.servers", bootstrap_servers);
        Self { client }
    }

    /// Makes the topics that do not exist, and waits until each can be written to. One that exists is left as it is,
    /// but for a warning when it has another number of partitions.
    ///
    /// # Errors
    /// The cluster does not answer, or refuses.
    pub async fn ensure(&self, topics: &[&Topic]) -> anyhow::Result<()> {
        let admin: AdminClient<DefaultClientContext> = self.client.create()?;
        let brokers = self.brokers().await?;
        let copies = if brokers >= REPLICATION { REPLICATION } else { 1 };
        let replication = i32::try_from(copies)?;
        let new: Vec<_> = topics.iter().map(|topic| new_topic(topic, replication)).collect();
        let options = AdminOptions::new().operation_timeout(Some(ANSWER_MAX)).request_timeout(Some(ANSWER_MAX));
        for made in admin.create_topics(&new, &options).await.context("the broker makes no topics")? {
            match made {
                Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((topic, code)) => bail!("topic {topic} cannot be made: {code}"),
            }
        }
        for topic in topics {
            self.writable(topic).await?;
        }
        Ok(())
    }

    /// The end of each partition of a topic: the offset that its next record gets.
    ///
    /// # Errors
    /// The cluster does not answer.
    pub async fn ends(&self, topic: &str) -> anyhow::Result<BTreeMap<i32, i64>> {
        let topic = topic.to_owned();
        self.ask(move |consumer| {
            let mut ends = BTreeMap::new();
            for partition in partitions(consumer, &topic)? {
                let (_, end) = consumer.fetch_watermarks(&topic, partition, ANSWER_MAX)?;
                ends.insert(partition, end);
            }
            Ok(ends)
        })
        .await
    }

    async fn brokers(&self) -> anyhow::Result<usize> {
        let servers = self.client.get("bootstrap.servers").unwrap_or_default().to_owned();
        self.ask(move |consumer| {
            let metadata = consumer.fetch_metadata(None, ANSWER_MAX);
            let metadata = metadata
                .with_context(|| format!("no Kafka broker answers at {servers} within {} s", ANSWER_MAX.as_secs()))?;
            Ok(metadata.brokers().len())
        })
        .await
    }

    /// Waits until every partition of a topic has a leader.
    async fn writable(&self, topic: &Topic) -> anyhow::Result<()> {
        let name = topic.name.clone();
        let wait = async {
            loop {
                let asked = name.clone();
                let found = self.ask(move |consumer| partitions(consumer, &asked)).await?;
                if !found.is_empty() {
                    return anyhow::Ok(found.len());
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let waited = tokio::time::timeout(ANSWER_MAX, wait).await;
        let found = waited.map_err(|_elapsed| anyhow::anyhow!("topic {} does not come up", topic.name))??;
        if i32::try_from(found) != Ok(topic.partitions) {
            tracing::warn!(topic = topic.name, found, expected = topic.partitions, "another number of partitions");
        }
        Ok(())
    }

    /// librdkafka's questions block, so they get a thread that may.
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&BaseConsumer) -> anyhow::Result<T> + Send + 'static,
    ) -> anyhow::Result<T> {
        let client = self.client.clone();
        tokio::task::spawn_blocking(move || question(&client.create()?)).await?
    }
}

/// The partitions of a topic, none unless each has a leader.
fn partitions(consumer: &BaseConsumer, topic: &str) -> anyhow::Result<Vec<i32>> {
    let metadata = consumer.fetch_metadata(Some(topic), ANSWER_MAX)?;
    let Some(found) = metadata.topics().iter().find(|found| found.name() == topic) else { return Ok(Vec::new()) };
    let all_led = found.error().is_none() && found.partitions().iter().all(|partition| partition.leader() >= 0);
    Ok(if all_led { found.partitions().iter().map(|partition| partition.id()).collect() } else { Vec::new() })
}

fn new_topic(topic: &Topic, replication: i32) -> NewTopic<'_> {
    let mut new = NewTopic::new(&topic.name, topic.partitions, TopicReplication::Fixed(replication));
    for (name, value) in &topic.configuration {
        new = new.set(name, value);
    }
    if replication > 1 { new.set("min.insync.replicas", "2") } else { new }
}
