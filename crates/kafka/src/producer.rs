//! The log port on Kafka: produces, waits for every in-sync replica, and makes the client anew when it is beyond
//! repair. Settings are here; one client's calls are in `client.rs`.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rdkafka::ClientConfig;
use record_log::{Delivery, Log, LogError, Record};

use crate::{
    ConfigError, Connection,
    client::{Client, blocking},
    clock::Moment,
};

/// More than any topic here takes. Batches of small records are bounded by `batch.size`, a million bytes.
const MESSAGE_BYTES_MAX: &str = "2097152";
/// After this long a record that is not acknowledged is given up.
const MESSAGE_TIMEOUT_MS: &str = "3000";
/// How long the broker waits for its replicas.
const REQUEST_TIMEOUT_MS: &str = "1000";
/// How long a topic that the broker does not know may still be on its way to it; librdkafka's 30 s would turn every
/// unknown topic into a timeout.
const TOPIC_PROPAGATION_MAX_MS: &str = "1000";

/// The bound around one produce: `message.timeout.ms`, the second that librdkafka's scan for timed-out records may lag,
/// and some for a thread that waits its turn.
pub const PRODUCE_TIMEOUT: Duration = Duration::from_millis(4500);
/// The bound around one question about a topic.
pub const METADATA_TIMEOUT: Duration = Duration::from_secs(3);
/// How old an answer of [`Log::partitions`] may be. Just enough that a burst asks once: whoever asks after the broker
/// went away has to learn that it did.
pub const PARTITIONS_AGE_MAX: Duration = Duration::from_millis(100);

/// Names kept in the partitions' cache; one more empties it.
const PARTITIONS_KEPT_MAX: usize = 64;

/// How a record batch is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// Not at all: for single small records, the work is for nothing.
    #[default]
    None,
    /// Fast, and read by every client.
    Lz4,
}

/// What differs between producers; everything that makes one safe does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ProducerSettings {
    /// How long a record waits for company. Zero for who answers one request at a time.
    pub linger: Duration,
    /// How a batch is compressed.
    pub compression: Compression,
}

/// A Kafka producer that waits for every in-sync replica (`acks=all`, idempotent). Make one for each process and lend
/// it out. What is queued when it is dropped is purged: [`flush`](Self::flush) it first.
pub struct Producer {
    settings: ProducerSettings,
    current: Mutex<Current>,
    partitions: Mutex<HashMap<String, (i32, Moment)>>,
}

struct Current {
    connection: Connection,
    client: Arc<Client>,
}

impl Producer {
    /// Makes the client and its threads, without a network call: milliseconds. Whether the cluster is there tells
    /// [`check`](Self::check).
    ///
    /// # Errors
    /// librdkafka refuses a property, or cannot read a certificate.
    pub fn new(connection: &Connection, settings: ProducerSettings) -> Result<Self, ConfigError> {
        let client = Arc::new(Client::new(&client_config(connection, settings))?);
        Ok(Self {
            settings,
            current: Mutex::new(Current { connection: connection.clone(), client }),
            partitions: Mutex::default(),
        })
    }

    /// Two metadata fetches for `topic`, each bounded by `timeout`: tells wrong credentials or a wrong certificate from a
    /// cluster that does not answer.
    ///
    /// # Errors
    /// [`LogError::Authentication`] when the login or a certificate was refused, [`LogError::Unavailable`] when nobody
    /// answered, [`LogError::UnknownTopic`], [`LogError::Forbidden`].
    pub async fn check(&self, topic: &str, timeout: Duration) -> Result<(), LogError> {
        self.ask_partitions(topic, timeout).await?;
        // A client without a producer id asks for one behind each answer of this kind, or half a second later, and behind the
        // first one it often knows of no connection yet to ask by. The first record would wait for that.
        self.ask_partitions(topic, timeout).await.map(|_count| ())
    }

    /// Connects anew with other credentials or certificates, after [`LogError::Authentication`]. What the old client
    /// still waits for is waited for.
    ///
    /// # Errors
    /// As [`new`](Self::new); the old client stays.
    pub fn reconnect(&self, connection: &Connection) -> Result<(), ConfigError> {
        let client = Arc::new(Client::new(&client_config(connection, self.settings))?);
        *self.current() = Current { connection: connection.clone(), client };
        Ok(())
    }

    /// Waits until everything queued is acknowledged or given up, at most `timeout`.
    ///
    /// # Errors
    /// [`LogError::Unavailable`] with the number of records left.
    pub async fn flush(&self, timeout: Duration) -> Result<(), LogError> {
        blocking(self.client(), move |client| client.flush(timeout)).await
    }

    /// Produces once, and once more when the client's idea of the topic was out of date.
    async fn produced(&self, record: &Record) -> Result<Delivery, LogError> {
        let unknown = match self.attempt(record).await {
            Err(unknown @ LogError::UnknownTopic(_)) => unknown,
            attempted => return attempted,
        };
        // A client learns of new topics and partitions by asking, by itself every five minutes only. The record was not
        // written, so that it may be handed over again.
        match self.ask_partitions(&record.topic, METADATA_TIMEOUT).await {
            Ok(count) if record.partition.is_none_or(|partition| (0..count).contains(&partition)) => {
                self.attempt(record).await
            }
            _ => Err(unknown),
        }
    }

    /// Enqueues with the client that works, making a new one when the old is beyond repair: such a record was never
    /// handed over, so that it may be handed to the next.
    async fn attempt(&self, record: &Record) -> Result<Delivery, LogError> {
        let mut client = self.client();
        let enqueued = match client.enqueue(record) {
            Err(_fatal) if client.is_beyond_repair() => {
                client = self.renewed(&client)?;
                client.enqueue(record)
            }
            enqueued => enqueued,
        };
        let enqueued = enqueued?;
        client.unless_refused(client.ended(enqueued, &record.topic)).await
    }

    /// The client after `failed`: made here, or by whoever came first while this one waited for the lock. Making one
    /// connects to nothing, so that the lock is held for milliseconds.
    fn renewed(&self, failed: &Arc<Client>) -> Result<Arc<Client>, LogError> {
        let mut current = self.current();
        if Arc::ptr_eq(&current.client, failed) {
            tracing::warn!("the producer is beyond repair and made anew");
            let client = Client::new(&client_config(&current.connection, self.settings));
            current.client = Arc::new(client.map_err(|error| LogError::Fatal(error.to_string()))?);
        }
        Ok(Arc::clone(&current.client))
    }

    async fn ask_partitions(&self, topic: &str, timeout: Duration) -> Result<i32, LogError> {
        let name = topic.to_owned();
        let client = self.client();
        let asked = blocking(Arc::clone(&client), move |client| client.partitions(&name, timeout));
        let asked = client.unless_refused(asked);
        // The thread is bounded by itself; this is for the case that there is none to be had.
        let grace = Duration::from_millis(500);
        match tokio::time::timeout(timeout.saturating_add(grace), asked).await {
            Ok(count) => count,
            Err(_elapsed) => Err(LogError::Unavailable(format!("{topic}: no metadata within {timeout:?}"))),
        }
    }

    fn client(&self) -> Arc<Client> {
        Arc::clone(&self.current().client)
    }

    fn current(&self) -> std::sync::MutexGuard<'_, Current> {
        // Every change is one assignment, whole at any moment: a panic elsewhere does not spoil it.
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known_partitions(&self, topic: &str) -> Option<i32> {
        let known = self.partitions.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(topic).filter(|(_count, asked)| asked.age() < PARTITIONS_AGE_MAX).map(|(count, _asked)| *count)
    }

    fn learn_partitions(&self, topic: &str, count: i32) {
        let mut known = self.partitions.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= PARTITIONS_KEPT_MAX {
            known.clear();
        }
        known.insert(topic.to_owned(), (count, Moment::now()));
    }
}

impl Log for Producer {
    /// Waits at most [`PRODUCE_TIMEOUT`]. A record whose wait ends, or whose future is dropped, may still be written.
    async fn produce(&self, record: Record) -> Result<Delivery, LogError> {
        match tokio::time::timeout(PRODUCE_TIMEOUT, self.produced(&record)).await {
            Ok(delivery) => delivery,
            Err(_elapsed) => {
                Err(LogError::Unavailable(format!("{}: no acknowledgement in {PRODUCE_TIMEOUT:?}", record.topic)))
            }
        }
    }

    /// Waits at most [`METADATA_TIMEOUT`]; an answer may be [`PARTITIONS_AGE_MAX`] old.
    async fn partitions(&self, topic: &str) -> Result<i32, LogError> {
        if let Some(count) = self.known_partitions(topic) {
            return Ok(count);
        }
        let count = self.ask_partitions(topic, METADATA_TIMEOUT).await?;
        self.learn_partitions(topic, count);
        Ok(count)
    }
}

/// Other names of properties that are set here. Of two names of one property the one that librdkafka is told last
/// counts, and that is any of them.
const ALIASES: [&str; 4] =
    ["request.required.acks", "delivery.timeout.ms", "queue.buffering.max.ms", "compression.codec"];

/// What makes a producer safe wins over what a properties file says.
fn client_config(connection: &Connection, settings: ProducerSettings) -> ClientConfig {
    let mut config = connection.client_config();
    for name in ALIASES {
        config.remove(name);
    }
    let linger_ms = settings.linger.as_millis().to_string();
    let compression = match settings.compression {
        Compression::None => "none",
        Compression::Lz4 => "lz4",
    };
    for (name, value) in [
        ("acks", "all"),
        ("enable.idempotence", "true"),
        ("message.timeout.ms", MESSAGE_TIMEOUT_MS),
        ("request.timeout.ms", REQUEST_TIMEOUT_MS),
        // As Kafka's own clients have it; librdkafka's default is CRC32.
        ("partitioner", "murmur2_random"),
        ("topic.metadata.propagation.max.ms", TOPIC_PROPAGATION_MAX_MS),
        // How large a record may be is the topic's to say, and the broker refuses what is larger. librdkafka's own limit
        // is below the topics' default, headers counted in: what somebody else's client could write could not be passed on.
        ("message.max.bytes", MESSAGE_BYTES_MAX),
        ("linger.ms", linger_ms.as_str()),
        ("compression.type", compression),
    ] {
        config.set(name, value);
    }
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_a_producer_safe_wins_over_a_properties_file_by_whatever_name() {
        let text = "acks=1\nenable.idempotence=false\nmessage.timeout.ms=60000\nlinger.ms=1000\n\
                    request.required.acks=0\ndelivery.timeout.ms=60000\nqueue.buffering.max.ms=1000\n\
                    compression.codec=gzip\npartitioner=random\nclient.id=shop";
        let connection = Connection::from_properties(text, Some("127.0.0.1:9092")).unwrap();
        let native = client_config(&connection, ProducerSettings::default()).create_native_config().unwrap();
        for (name, value) in [
            ("acks", "-1"),
            ("enable.idempotence", "true"),
            ("message.timeout.ms", MESSAGE_TIMEOUT_MS),
            ("linger.ms", "0"),
            ("compression.type", "none"),
            ("partitioner", "murmur2_random"),
            // What is nothing to safety is as it was given.
            ("client.id", "shop"),
        ] {
            assert_eq!(native.get(name).as_deref(), Ok(value), "{name}");
        }
    }
}
