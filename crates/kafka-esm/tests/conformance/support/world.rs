//! A topic of its own, a function of its own and a mapping between them, with a verb for everything that a case does.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use kafka_esm::{Mapping, Metrics, Running};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Header, Message, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::topic_partition_list::Offset;
use serde_json::{Value, json};

use super::broker;
use super::function::{Call, Function, Reply};

/// How long anything may take before the case has failed; the sandbox machine is shared.
const EVENTUALLY_MAX: Duration = Duration::from_secs(60);

/// Waits until something holds.
pub(crate) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let waited = tokio::time::timeout(EVENTUALLY_MAX, async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    assert!(waited.await.is_ok(), "not within {EVENTUALLY_MAX:?}: {what}");
}

/// A record to write.
#[derive(Debug, Clone, Default)]
pub(crate) struct Entry {
    pub(crate) partition: i32,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<(String, Option<Vec<u8>>)>,
    pub(crate) timestamp: Option<i64>,
}

/// See the module.
pub(crate) struct World {
    pub(crate) topic: String,
    pub(crate) group: String,
    pub(crate) function: Function,
    pub(crate) settings: Value,
    producer: FutureProducer,
}

impl World {
    /// With the list's own defaults: three partitions, partial batch responses, provisioned, half a second, 100 records,
    /// infinite retries, a time factor of 0.01.
    pub(crate) async fn new(responder: impl Fn(usize, &Call) -> Reply + Send + Sync + 'static) -> Self {
        Self::with_topic("t", 3, responder).await
    }

    pub(crate) async fn with_topic(
        prefix: &str,
        partitions: i32,
        responder: impl Fn(usize, &Call) -> Reply + Send + Sync + 'static,
    ) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        // Only the first case installs it; `RUST_LOG` says what it shows.
        let filter = tracing_subscriber::EnvFilter::from_default_env();
        tracing_subscriber::fmt().with_env_filter(filter).with_test_writer().try_init().unwrap_or_default();
        let (topic, group) = (format!("{prefix}{number}"), format!("g{number}"));
        create_topic(&topic, partitions).await;
        let settings = json!({
            "Topics": [topic], "StartingPosition": "TRIM_HORIZON", "FunctionName": "worker",
            "SelfManagedKafkaEventSourceConfig": {"ConsumerGroupId": group},
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "Emulator": {"provisioned": true, "time_factor": 0.01, "function_timeout_seconds": 10},
        });
        let producer = client().create().unwrap();
        Self { topic, group, function: Function::start(responder).await, settings, producer }
    }

    /// Sets a property of the mapping, or a switch by `Emulator.name`.
    pub(crate) fn set(mut self, name: &str, value: impl Into<Value>) -> Self {
        match name.strip_prefix("Emulator.") {
            Some(switch) => self.settings["Emulator"][switch] = value.into(),
            None => self.settings[name] = value.into(),
        }
        self
    }

    /// Starts the mapping and waits until it is ready.
    pub(crate) async fn start(&self) -> Running {
        self.start_with(&[]).await
    }

    /// As [`Self::start`], with more client properties.
    pub(crate) async fn start_with(&self, more: &[(&str, &str)]) -> Running {
        let (mapping, emulator) = Mapping::from_value(self.settings.clone()).unwrap();
        let mut properties = properties();
        properties.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let running = kafka_esm::start(&mapping, &emulator, properties, &self.function.url).await.unwrap();
        tokio::time::timeout(EVENTUALLY_MAX, running.ready()).await.expect("ready in time").unwrap();
        running
    }

    /// Why the mapping does not start.
    pub(crate) async fn refusal(&self) -> String {
        let (mapping, emulator) = Mapping::from_value(self.settings.clone()).unwrap();
        kafka_esm::start(&mapping, &emulator, properties(), &self.function.url).await.unwrap_err().to_string()
    }

    pub(crate) fn key(&self, partition: i32) -> String {
        format!("{}-{partition}", self.topic)
    }

    pub(crate) async fn write(&self, entry: Entry) -> i64 {
        let mut headers = OwnedHeaders::new();
        for (key, value) in &entry.headers {
            headers = headers.insert(Header { key, value: value.as_ref() });
        }
        let mut record = FutureRecord::<[u8], [u8]>::to(&self.topic).partition(entry.partition).headers(headers);
        record.key = entry.key.as_deref();
        record.payload = entry.value.as_deref();
        record.timestamp = entry.timestamp;
        self.producer.send(record, Duration::from_secs(20)).await.unwrap().offset
    }

    /// Writes so many small records to a partition, in one go.
    pub(crate) async fn write_many(&self, partition: i32, count: usize) {
        let value = |number: usize| format!("{{\"n\":{number}}}");
        let values: Vec<String> = (0..count).map(value).collect();
        let send = |value: &String| {
            let record = FutureRecord::<[u8], [u8]>::to(&self.topic).partition(partition).payload(value.as_bytes());
            self.producer.send_result(record).unwrap()
        };
        let sent: Vec<_> = values.iter().map(send).collect();
        for delivery in sent {
            delivery.await.unwrap().unwrap();
        }
    }

    /// Keys and JSON values of so many messages of a topic's partition 0.
    pub(crate) async fn read_all(&self, topic: &str, count: usize) -> Vec<(Option<Vec<u8>>, Value)> {
        let topic = topic.to_owned();
        let read = tokio::task::spawn_blocking(move || {
            let consumer: BaseConsumer = client().set("group.id", format!("{topic}-reader")).create().unwrap();
            let mut list = rdkafka::TopicPartitionList::new();
            list.add_partition_offset(&topic, 0, Offset::Beginning).unwrap();
            consumer.assign(&list).unwrap();
            let next = || consumer.poll(EVENTUALLY_MAX).expect("a message in time").unwrap();
            let read = |message: rdkafka::message::BorrowedMessage<'_>| {
                (message.key().map(<[u8]>::to_vec), serde_json::from_slice(message.payload().unwrap()).unwrap())
            };
            (0..count).map(|_| read(next())).collect()
        });
        read.await.unwrap()
    }

    /// The group's committed offset of a partition.
    pub(crate) async fn committed(&self, partition: i32) -> Option<i64> {
        let (topic, group) = (self.topic.clone(), self.group.clone());
        let asked = tokio::task::spawn_blocking(move || {
            let consumer: BaseConsumer = client().set("group.id", group).create().unwrap();
            let mut list = rdkafka::TopicPartitionList::new();
            list.add_partition(&topic, partition);
            let committed = consumer.committed_offsets(list, Duration::from_secs(10)).unwrap();
            let offset = committed.find_partition(&topic, partition).unwrap().offset();
            if let Offset::Offset(offset) = offset { Some(offset) } else { None }
        });
        asked.await.unwrap()
    }

    pub(crate) async fn wait_committed(&self, partition: i32, offset: i64) {
        let what = format!("partition {partition} is committed at {offset}");
        eventually(&what, async || self.committed(partition).await == Some(offset)).await;
    }

    pub(crate) async fn wait_calls(&self, count: usize) -> Vec<Call> {
        eventually(&format!("{count} invocations"), async || self.function.calls().len() >= count).await;
        self.function.calls()
    }
}

/// Ends a mapping and gives its last numbers.
pub(crate) async fn stop(running: Running) -> Metrics {
    running.stop().await.unwrap()
}

pub(crate) async fn create_topic(name: &str, partitions: i32) {
    let admin: AdminClient<_> = client().create().unwrap();
    let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
    for result in admin.create_topics([&topic], &AdminOptions::new()).await.unwrap() {
        result.unwrap();
    }
}

fn client() -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", broker::address());
    config
}

fn properties() -> BTreeMap<String, String> {
    let property = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    [("bootstrap.servers", broker::address()), ("fetch.wait.max.ms", "50")].map(property).into()
}
