//! One librdkafka producer: hands records over, waits for their ends, asks for metadata. When it is beyond repair is
//! told here; making another one is `producer.rs`.

use std::{sync::Arc, time::Duration};

use rdkafka::{
    ClientConfig,
    error::{KafkaError, RDKafkaErrorCode as Code},
    message::{Header, OwnedHeaders},
    producer::{BaseRecord, Producer as _},
};
use record_log::{Delivery, LogError, Record};
use tokio::sync::oneshot;

use crate::{
    ConfigError,
    context::{Context, Ending},
    error::code_of,
    poller::Polled,
};

/// The longest name of a topic (`org.apache.kafka.common.internals.Topic.MAX_NAME_LENGTH`).
const TOPIC_BYTES_MAX: usize = 249;

/// A producer with its polling thread.
pub(crate) struct Client {
    producer: Polled,
}

impl Client {
    /// Connects to nothing yet: takes milliseconds.
    pub(crate) fn new(config: &ClientConfig) -> Result<Self, ConfigError> {
        let producer =
            config.create_with_context(Context::default()).map_err(|source| ConfigError::from_creation(&source))?;
        Ok(Self { producer: Polled::start(producer)? })
    }

    /// Hands a record to the client's queue. The bytes are copied once, into librdkafka's memory.
    pub(crate) fn enqueue(&self, record: &Record) -> Result<oneshot::Receiver<Ending>, LogError> {
        check_name(&record.topic)?;
        let (sender, receiver) = oneshot::channel();
        let opaque = Box::new(sender);
        let mut base = BaseRecord::<[u8], [u8], _>::with_opaque_to(&record.topic, opaque);
        base.partition = record.partition;
        base.key = record.key.as_deref();
        base.payload = record.value.as_deref();
        base.headers = headers(record);
        match self.producer.send(base) {
            Ok(()) => Ok(receiver),
            Err((error, _record)) => Err(self.explain(&error, &record.topic)),
        }
    }

    /// Waits for a record's end.
    pub(crate) async fn ended(&self, receiver: oneshot::Receiver<Ending>, topic: &str) -> Result<Delivery, LogError> {
        match receiver.await {
            Ok(Ok(delivery)) => Ok(delivery),
            Ok(Err(code)) => Err(self.explain(&KafkaError::MessageProduction(code), topic)),
            Err(_dropped) => Err(LogError::Unavailable(format!("{topic}: the producer went away"))),
        }
    }

    /// What `asked` comes to, or that the cluster refuses us, whichever is known first.
    pub(crate) async fn unless_refused<T>(
        &self,
        asked: impl Future<Output = Result<T, LogError>>,
    ) -> Result<T, LogError> {
        let context = self.producer.context();
        tokio::select! {
            answer = asked => answer,
            refusal = context.refused() => Err(refusal),
        }
    }

    /// How many partitions a topic has. Blocks for up to `timeout`.
    pub(crate) fn partitions(&self, topic: &str, timeout: Duration) -> Result<i32, LogError> {
        check_name(topic)?;
        let metadata =
            self.producer.client().fetch_metadata(Some(topic), timeout).map_err(|error| self.explain(&error, topic))?;
        self.producer.context().succeeded();
        let found = metadata.topics().iter().find(|found| found.name() == topic);
        let found = found.ok_or_else(|| LogError::UnknownTopic(topic.to_owned()))?;
        if let Some(error) = found.error() {
            return Err(self.explain(&KafkaError::MetadataFetch(error.into()), topic));
        }
        match i32::try_from(found.partitions().len()) {
            Ok(count) if count > 0 => Ok(count),
            _ => Err(LogError::UnknownTopic(topic.to_owned())),
        }
    }

    /// How many partitions a topic has, and on how many brokers the least replicated one is; `None` where there is no such
    /// topic. Blocks for up to `timeout`.
    pub(crate) fn layout(&self, topic: &str, timeout: Duration) -> Result<Option<(i32, i32)>, LogError> {
        // The whole cluster's metadata: asking for one topic by name would make rdkafka panic on some names.
        let metadata =
            self.producer.client().fetch_metadata(None, timeout).map_err(|error| self.explain(&error, topic))?;
        self.producer.context().succeeded();
        let Some(found) = metadata.topics().iter().find(|found| found.name() == topic) else { return Ok(None) };
        if let Some(error) = found.error() {
            return Err(self.explain(&KafkaError::MetadataFetch(error.into()), topic));
        }
        let replication = found.partitions().iter().map(|partition| partition.replicas().len()).min().unwrap_or(0);
        let count = |number: usize| i32::try_from(number).unwrap_or(i32::MAX);
        Ok(Some((count(found.partitions().len()), count(replication))))
    }

    /// Waits until the queue is empty. Blocks for up to `timeout`.
    pub(crate) fn flush(&self, timeout: Duration) -> Result<(), LogError> {
        self.producer.flush(timeout).map_err(|error| {
            let left = self.producer.in_flight_count();
            LogError::Unavailable(format!("{left} records were not acknowledged within {timeout:?}: {error}"))
        })
    }

    /// The error that a code is to the caller; the cause behind a fatal one is asked of librdkafka.
    fn explain(&self, error: &KafkaError, what: &str) -> LogError {
        let context = self.producer.context();
        match self.producer.client().fatal_error() {
            Some((code @ (Code::ClusterAuthorizationFailed | Code::TopicAuthorizationFailed), text)) => {
                context.explain(code, &text)
            }
            Some((_code, text)) => LogError::Fatal(format!("{what}: {text}")),
            None => context.explain(code_of(error), what),
        }
    }

    /// The error that a code of another client of the same cluster is to the caller.
    pub(crate) fn explain_code(&self, code: Code, what: &str) -> LogError {
        self.producer.context().explain(code, what)
    }

    /// Whether nothing can be produced with it any more.
    pub(crate) fn is_beyond_repair(&self) -> bool {
        self.producer.client().fatal_error().is_some()
    }
}

/// Kafka's rule for a topic's name. Checked here, since rdkafka panics on one of more than 512 bytes.
fn check_name(topic: &str) -> Result<(), LogError> {
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if (1..=TOPIC_BYTES_MAX).contains(&topic.len()) && topic.bytes().all(is_legal) {
        return Ok(());
    }
    let shown: String = topic.chars().take(40).collect();
    let rule = format!("a topic's name has 1 to {TOPIC_BYTES_MAX} letters, digits, '.', '_' and '-'");
    Err(LogError::UnknownTopic(format!("{rule}, not {shown:?}")))
}

fn headers(record: &Record) -> Option<OwnedHeaders> {
    if record.headers.is_empty() {
        return None;
    }
    let empty = OwnedHeaders::new_with_capacity(record.headers.len());
    Some(
        record.headers.iter().fold(empty, |headers, header| {
            headers.insert(Header { key: &header.name, value: header.value.as_deref() })
        }),
    )
}

/// Asks a blocking question on a thread made for that.
pub(crate) async fn blocking<T: Send + 'static>(
    client: Arc<Client>,
    ask: impl FnOnce(&Client) -> Result<T, LogError> + Send + 'static,
) -> Result<T, LogError> {
    match tokio::task::spawn_blocking(move || ask(&client)).await {
        Ok(answer) => answer,
        Err(error) => Err(LogError::Unavailable(format!("the client's thread ended early: {error}"))),
    }
}
