//! Makes topics and tells what they are, for deployment and for tools; no function that answers requests uses it.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use rdkafka::{
    admin::{
        AdminClient, AdminOptions, AlterConfig, ConfigSource, NewPartitions, NewTopic, ResourceSpecifier,
        TopicReplication,
    },
    error::{KafkaError, RDKafkaErrorCode as Code},
};
use record_log::LogError;

use crate::{
    ConfigError, Connection, METADATA_TIMEOUT,
    client::{Client, blocking},
    context::Context,
    error::code_of,
};

/// The bound around one change of a topic, the brokers' agreement included.
const CHANGE_TIMEOUT: Duration = Duration::from_secs(20);

/// A topic as it should be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTopicSpec {
    /// Its name.
    pub name: String,
    /// How many partitions.
    pub partitions: i32,
    /// On how many brokers each; −1 for the cluster's default.
    pub replication: i32,
    /// Topic configuration by Kafka's names, such as `retention.ms`.
    pub config: BTreeMap<String, String>,
}

/// A topic as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicDescription {
    /// How many partitions.
    pub partitions: i32,
    /// On how many brokers the least replicated partition is.
    pub replication: i32,
    /// Its configuration by Kafka's names, defaults included; values that the cluster keeps to itself are absent.
    pub config: BTreeMap<String, String>,
    /// What of it was set on this very topic, and is no default of the cluster's.
    pub overrides: BTreeMap<String, String>,
}

/// What came of making a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TopicCreation {
    /// It is made.
    Created,
    /// A topic of this name was there; it was left as it is.
    Exists,
}

/// Why a topic was not made or described.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AdminError {
    /// The cluster understood and refuses: repeating does not help.
    #[error("the cluster refuses {0}")]
    Refused(String),
    /// As when producing.
    #[error(transparent)]
    Log(#[from] LogError),
}

/// Administration of one cluster.
#[derive(Clone)]
pub struct Admin {
    client: Arc<AdminClient<Context>>,
    /// Asks for metadata, first of all: nobody polls an `AdminClient` for errors, so that it never hears of a refused
    /// login, and says that nobody answers.
    asking: Arc<Client>,
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admin").finish_non_exhaustive()
    }
}

impl Admin {
    /// Connects to nothing yet.
    ///
    /// # Errors
    /// librdkafka refuses a property, or cannot read a certificate.
    pub fn new(connection: &Connection) -> Result<Self, ConfigError> {
        let config = connection.client_config();
        let client = config.create_with_context(Context::default());
        let client = Arc::new(client.map_err(|source| ConfigError::from_creation(&source))?);
        Ok(Self { client, asking: Arc::new(Client::new(&config)?) })
    }

    /// Makes a topic unless there is one of this name.
    ///
    /// # Errors
    /// The cluster refuses the configuration, or does not answer.
    pub async fn create(&self, spec: &NewTopicSpec) -> Result<TopicCreation, AdminError> {
        let replication = TopicReplication::Fixed(spec.replication);
        let mut topic = NewTopic::new(&spec.name, spec.partitions, replication);
        for (name, value) in &spec.config {
            topic = topic.set(name, value);
        }
        let answers = self.client.create_topics([&topic], &options()).await.map_err(|error| self.failed(&error))?;
        match answers.into_iter().next() {
            Some(Ok(_name)) => Ok(TopicCreation::Created),
            Some(Err((_name, Code::TopicAlreadyExists))) => Ok(TopicCreation::Exists),
            Some(Err((name, code))) => Err(self.refused(code, &name)),
            None => Err(no_answer(&spec.name)),
        }
    }

    /// Raises a topic's number of partitions. Keys may belong to another one from then on.
    ///
    /// # Errors
    /// There are as many already, the cluster refuses, or does not answer.
    pub async fn grow(&self, topic: &str, partitions: usize) -> Result<(), AdminError> {
        let wanted = NewPartitions::new(topic, partitions);
        let answers =
            self.client.create_partitions([&wanted], &options()).await.map_err(|error| self.failed(&error))?;
        match answers.into_iter().next() {
            Some(Ok(_name)) => Ok(()),
            Some(Err((name, code))) => Err(self.refused(code, &name)),
            None => Err(no_answer(topic)),
        }
    }

    /// What a topic is; `None` when there is none.
    ///
    /// # Errors
    /// The cluster refuses, or does not answer.
    pub async fn describe(&self, topic: &str) -> Result<Option<TopicDescription>, AdminError> {
        let Some((partitions, replication)) = self.layout(topic).await? else { return Ok(None) };
        let resource = ResourceSpecifier::Topic(topic);
        let answers =
            self.client.describe_configs([&resource], &options()).await.map_err(|error| self.failed(&error))?;
        let described = match answers.into_iter().next() {
            Some(Ok(described)) => described,
            Some(Err(code)) => return Err(self.refused(code, topic)),
            None => return Err(no_answer(topic)),
        };
        let mut found =
            TopicDescription { partitions, replication, config: BTreeMap::new(), overrides: BTreeMap::new() };
        for entry in described.entries {
            let Some(value) = entry.value else { continue };
            if entry.source == ConfigSource::DynamicTopic && !entry.is_read_only {
                found.overrides.insert(entry.name.clone(), value.clone());
            }
            found.config.insert(entry.name, value);
        }
        Ok(Some(found))
    }

    /// Sets some of a topic's configuration and keeps what else was set on it.
    ///
    /// By Kafka's older call, `AlterConfigs`, which takes all of a topic's settings and resets those that it is not given:
    /// rdkafka 0.39 does not have `IncrementalAlterConfigs`. What somebody else sets between our reading and our writing is
    /// undone. It hides refusals, too: `Ok` says that the cluster answered, and only [`Admin::describe`] what holds.
    ///
    /// # Errors
    /// There is no such topic, or the cluster does not answer.
    pub async fn alter(&self, topic: &str, changes: &BTreeMap<String, String>) -> Result<(), AdminError> {
        let found = self.describe(topic).await?.ok_or_else(|| LogError::UnknownTopic(topic.to_owned()))?;
        let mut all = found.overrides;
        all.extend(changes.clone());
        let altered = all
            .iter()
            .fold(AlterConfig::new(ResourceSpecifier::Topic(topic)), |altered, (name, value)| altered.set(name, value));
        let answers = self.client.alter_configs([&altered], &options()).await.map_err(|error| self.failed(&error))?;
        match answers.into_iter().next() {
            Some(Ok(_resource)) => Ok(()),
            Some(Err((_resource, code))) => Err(self.refused(code, topic)),
            None => Err(no_answer(topic)),
        }
    }

    /// Partitions and replicas, from metadata.
    async fn layout(&self, topic: &str) -> Result<Option<(i32, i32)>, AdminError> {
        let name = topic.to_owned();
        let asked = blocking(Arc::clone(&self.asking), move |client| client.layout(&name, METADATA_TIMEOUT));
        Ok(self.asking.unless_refused(asked).await?)
    }

    fn failed(&self, error: &KafkaError) -> AdminError {
        if let KafkaError::AdminOpCreation(text) = error {
            return AdminError::Refused(text.clone());
        }
        // rdkafka forgets this one in its own list of codes.
        let code = if let KafkaError::AdminOp(code) = error { *code } else { code_of(error) };
        self.refused(code, "the call")
    }

    fn refused(&self, code: Code, what: &str) -> AdminError {
        let is_final = matches!(
            code,
            Code::InvalidTopic
                | Code::InvalidPartitions
                | Code::InvalidReplicationFactor
                | Code::InvalidReplicaAssignment
                | Code::InvalidConfig
                | Code::InvalidRequest
                | Code::InvalidArgument
                | Code::PolicyViolation
                | Code::UnsupportedVersion
                | Code::UnsupportedFeature
        );
        if is_final {
            AdminError::Refused(format!("{what}: {code}"))
        } else {
            AdminError::Log(self.asking.explain_code(code, what))
        }
    }
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(CHANGE_TIMEOUT)).operation_timeout(Some(CHANGE_TIMEOUT))
}

fn no_answer(topic: &str) -> AdminError {
    LogError::Unavailable(format!("the cluster's answer does not speak of {topic}")).into()
}
