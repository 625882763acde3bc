//! The sandbox's Kafka cluster: the embedded broker or one that runs already, and the topics on it.
//!
//! Knows no coupon, only names, ends of topics and how far groups have come. The embedded broker's own program is `local/broker`.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use kafka::{Admin, Connection, LogError, NewTopicSpec, Producer, ProducerSettings, Reader};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::embedded::Embedded;
use crate::process::{Program, Spawner};
use crate::settings::Topic;

/// How long a new topic may take to be there for everybody.
const TOPIC_MAX: Duration = Duration::from_secs(20);
const TOPIC_POLL: Duration = Duration::from_millis(50);
/// As long as a function tries a broker in its init phase.
const ANSWER_MAX: Duration = Duration::from_secs(3);
/// Copies of a record: as many as the cluster thinks right, for a sandbox's may have one broker or three.
const CLUSTERS_OWN: i32 = -1;
/// And when a copy counts, which Apache Kafka and Redpanda say each by a setting that the other does not know.
const OF_COPIES: [&str; 2] = ["min.insync.replicas", "write.caching"];

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

/// Whether a cluster answers there that lets us in: tried as the functions try it in their init phase.
///
/// # Errors
/// It does not, or refuses the login or the certificate.
pub async fn answers(connection: &Connection, topic: &str) -> anyhow::Result<()> {
    let tried = Producer::new(connection, ProducerSettings::default())?.check(topic, ANSWER_MAX).await;
    match tried {
        Ok(()) | Err(LogError::UnknownTopic(_)) => Ok(()),
        Err(LogError::Authentication(why)) => {
            bail!("it refuses us ({why}); check the login and the CA in --kafka-config")
        }
        Err(why) => bail!("it does not answer as Kafka ({why}); start it first, or leave --broker out"),
    }
}

/// Makes the topics that do not exist, and waits until each can be read. One that exists is left as it is, but for a
/// warning when it has another number of partitions.
///
/// # Errors
/// The cluster does not answer, or refuses.
pub async fn ensure(connection: &Connection, topics: &[Topic]) -> anyhow::Result<()> {
    let (admin, reader) = (Admin::new(connection)?, Reader::new(connection)?);
    for topic in topics {
        // Asked first: the embedded broker logs an error for making a topic that is there.
        if let Err(LogError::UnknownTopic(_)) = reader.spans(&topic.name).await {
            admin.create(&spec(topic)).await?;
        }
        let found = ends(connection, &topic.name).await?.len();
        if i32::try_from(found) != Ok(topic.partitions) {
            tracing::warn!(topic = topic.name, found, expected = topic.partitions, "another number of partitions");
        }
    }
    Ok(())
}

fn spec(topic: &Topic) -> NewTopicSpec {
    NewTopicSpec {
        name: topic.name.clone(),
        partitions: topic.partitions,
        replication: CLUSTERS_OWN,
        config: topic
            .configuration
            .clone()
            .into_iter()
            .filter(|(name, _)| !OF_COPIES.contains(&name.as_str()))
            .collect(),
    }
}

/// The end of each partition of a topic: the offset that its next record gets. Waits for a topic that was made a moment
/// ago and has no leader yet.
///
/// # Errors
/// The cluster does not answer, or the topic does not come up.
pub async fn ends(connection: &Connection, topic: &str) -> anyhow::Result<BTreeMap<i32, i64>> {
    let reader = Reader::new(connection)?;
    let start = Instant::now();
    loop {
        match reader.spans(topic).await {
            Ok(spans) => return Ok(spans.into_iter().map(|span| (span.partition, span.end)).collect()),
            Err(LogError::UnknownTopic(_) | LogError::Unavailable(_)) if start.elapsed() < TOPIC_MAX => {}
            Err(error) => return Err(error).with_context(|| format!("topic {topic}")),
        }
        tokio::time::sleep(TOPIC_POLL).await;
    }
}

/// How far a group of consumers has come in a topic, told from outside the group.
pub struct Progress {
    consumer: Arc<BaseConsumer>,
    topic: String,
}

impl Progress {
    /// Connects to nothing yet.
    ///
    /// # Errors
    /// librdkafka refuses a property of the connection.
    pub fn new(connection: &Connection, group: &str, topic: &str) -> anyhow::Result<Self> {
        let mut config = ClientConfig::new();
        for (name, value) in connection.properties() {
            config.set(name, value);
        }
        // Nobody joins it: only its offsets are asked for.
        config.set("group.id", group).set("enable.auto.commit", "false");
        Ok(Self { consumer: Arc::new(config.create()?), topic: topic.to_owned() })
    }

    /// The offset at which the group goes on, by partition; 0 where it has committed none.
    ///
    /// # Errors
    /// The cluster does not answer.
    pub async fn committed(&self, partitions: impl IntoIterator<Item = i32>) -> anyhow::Result<BTreeMap<i32, i64>> {
        let mut asked = TopicPartitionList::new();
        for partition in partitions {
            asked.add_partition(&self.topic, partition);
        }
        let consumer = Arc::clone(&self.consumer);
        let told = tokio::task::spawn_blocking(move || consumer.committed_offsets(asked, ANSWER_MAX)).await??;
        let next = |offset: Offset| if let Offset::Offset(next) = offset { next } else { 0 };
        Ok(told.elements().iter().map(|one| (one.partition(), next(one.offset()))).collect())
    }
}

/// The properties of a cluster: those of a librdkafka configuration file, if any, at these addresses.
///
/// # Errors
/// The file cannot be read, or has a line that is no property.
pub fn connection(bootstrap_servers: &str, config: Option<&Path>) -> anyhow::Result<Connection> {
    let Some(path) = config else { return Ok(Connection::plaintext(bootstrap_servers)) };
    let text = crate::cli::read_file("--kafka-config", path, "name=value lines")?;
    match Connection::from_properties(&text, Some(bootstrap_servers)) {
        Ok(connection) => Ok(connection),
        Err(error) => bail!("--kafka-config {}: {error}", path.display()),
    }
}
