//! A topic of its own, a function of its own and a mapping between them, with a verb for everything that a case does.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use kafka_esm::{Mapping, Metrics, Running};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Header, Message, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use serde_json::{Value, json};

use super::broker;
use super::function::{Call, Function, Reply};
use super::patience::{EVENTUALLY_MAX, eventually};

const RECORD_BYTES_MAX: &str = "8000000";

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
    /// To be deleted at the end.
    topics: Vec<String>,
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
        // A broker that is not ours has seen other runs.
        let run = run();
        let (topic, group) = (format!("{prefix}{run}-{number}"), format!("esm-{run}-{number}"));
        create_topic(&topic, partitions).await;
        let settings = json!({
            "Topics": [topic], "StartingPosition": "TRIM_HORIZON", "FunctionName": "worker",
            "SelfManagedKafkaEventSourceConfig": {"ConsumerGroupId": group},
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "Emulator": {"provisioned": true, "time_factor": 0.01, "function_timeout_seconds": 10},
        });
        let producer = client().set("message.max.bytes", RECORD_BYTES_MAX).create().unwrap();
        let (function, topics) = (Function::start(responder).await, vec![topic.clone()]);
        Self { topic, group, function, settings, producer, topics }
    }

    /// Sets a property of the mapping, or a switch by `Emulator.name`.
    pub(crate) fn set(mut self, name: &str, value: impl Into<Value>) -> Self {
        match name.strip_prefix("Emulator.") {
            Some(switch) => self.settings["Emulator"][switch] = value.into(),
            None => self.settings[name] = value.into(),
        }
        self
    }

    /// The same on another topic, which somebody else has made.
    pub(crate) fn on_topic(mut self, topic: &str) -> Self {
        self.topics.push(topic.to_owned());
        self.settings["Topics"] = json!([topic]);
        self.topic = topic.to_owned();
        self
    }

    /// With a new topic as destination of what fails, and that topic.
    pub(crate) async fn with_topic_destination(mut self, partitions: i32) -> (Self, String) {
        let target = format!("{}-dlq", self.topic);
        create_topic(&target, partitions).await;
        self.topics.push(target.clone());
        let destination = json!({"OnFailure": {"Destination": format!("kafka://{target}")}});
        (self.set("DestinationConfig", destination), target)
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

    /// As retention does it: the log of a partition begins at an offset.
    pub(crate) async fn delete_records(&self, partition: i32, begin: i64) {
        let admin: AdminClient<_> = client().create().unwrap();
        let mut offsets = TopicPartitionList::new();
        offsets.add_partition_offset(&self.topic, partition, Offset::Offset(begin)).unwrap();
        let deleted = admin.delete_records(&offsets, &AdminOptions::new()).await.unwrap();
        deleted.find_partition(&self.topic, partition).unwrap().error().unwrap();
    }

    /// Raises the number of partitions.
    pub(crate) async fn grow(&self, partitions: usize) {
        let admin: AdminClient<_> = client().create().unwrap();
        let wanted = NewPartitions::new(&self.topic, partitions);
        for grown in admin.create_partitions([&wanted], &AdminOptions::new()).await.unwrap() {
            grown.unwrap();
        }
        eventually("the producer knows of them", async || {
            let metadata = self.producer.client().fetch_metadata(Some(&self.topic), EVENTUALLY_MAX).unwrap();
            metadata.topics()[0].partitions().len() == partitions
        })
        .await;
    }

    /// Deletes the topic and makes it again, with as many partitions.
    pub(crate) async fn make_anew(&self) {
        let admin: AdminClient<_> = client().create().unwrap();
        let metadata = self.producer.client().fetch_metadata(Some(&self.topic), EVENTUALLY_MAX).unwrap();
        let partitions = i32::try_from(metadata.topics()[0].partitions().len()).unwrap();
        for deleted in admin.delete_topics(&[&self.topic], &AdminOptions::new()).await.unwrap() {
            deleted.unwrap();
        }
        let topic = NewTopic::new(&self.topic, partitions, TopicReplication::Fixed(1));
        // The broker takes a moment to forget it.
        eventually("the topic is there again", async || {
            let created = admin.create_topics([&topic], &AdminOptions::new()).await.unwrap();
            created.iter().all(Result::is_ok)
        })
        .await;
    }

    /// Keys and JSON values of so many messages of a topic's partition 0.
    pub(crate) async fn read_all(&self, topic: &str, count: usize) -> Vec<(Option<Vec<u8>>, Value)> {
        let topic = topic.to_owned();
        let read = tokio::task::spawn_blocking(move || {
            // A commit that ends would end a poll as well, without a message.
            let mut config = client();
            config.set("group.id", format!("{topic}-reader")).set("enable.auto.commit", "false");
            let consumer: BaseConsumer = config.create().unwrap();
            let mut list = TopicPartitionList::new();
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

    /// The offset behind a partition's last record.
    pub(crate) async fn end(&self, topic: &str, partition: i32) -> i64 {
        let (client, topic) = (self.producer.clone(), topic.to_owned());
        let asked = tokio::task::spawn_blocking(move || {
            client.client().fetch_watermarks(&topic, partition, EVENTUALLY_MAX).unwrap().1
        });
        asked.await.unwrap()
    }

    /// The group's committed offset of a partition.
    pub(crate) async fn committed(&self, partition: i32) -> Option<i64> {
        let (topic, group) = (self.topic.clone(), self.group.clone());
        let asked = tokio::task::spawn_blocking(move || {
            let consumer: BaseConsumer = client().set("group.id", group).create().unwrap();
            let mut list = TopicPartitionList::new();
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
        self.function.wait_calls(count).await
    }
}

/// What no other run has.
fn run() -> &'static str {
    static RUN: OnceLock<String> = OnceLock::new();
    RUN.get_or_init(|| format!("{:08x}", fastrand::u32(..)))
}

/// Ends the only member of its group and gives its last numbers. Where it went through everything and every record had one
/// attempt, what was polled was filtered out or invoked.
pub(crate) async fn stop(running: Running) -> Metrics {
    let metrics = stop_member(running).await;
    let retried = metrics.failed_invoke_event_count + metrics.invoke_error_count;
    let given_up = metrics.dropped_event_count + metrics.on_failure_destination_delivered_event_count;
    if metrics.sum_offset_lag == 0 && retried == 0 && given_up == 0 {
        let accounted = metrics.filtered_out_event_count + metrics.invoked_event_count;
        assert_eq!(metrics.polled_event_count, accounted, "{metrics:?}");
    }
    metrics
}

/// As [`stop`], of a member that shared its partitions: what it had polled of those that went is the others' again.
pub(crate) async fn stop_member(running: Running) -> Metrics {
    let metrics = running.stop().await.unwrap();
    assert!(metrics.invoked_event_count >= metrics.failed_invoke_event_count, "{metrics:?}");
    metrics
}

pub(crate) async fn create_topic(name: &str, partitions: i32) {
    create_topic_with(name, partitions, &[]).await;
}

/// A topic that keeps everything, whatever the timestamps of its records, and takes records of eight megabytes.
pub(crate) async fn create_topic_with(name: &str, partitions: i32, settings: &[(&str, &str)]) {
    let admin: AdminClient<_> = client().create().unwrap();
    let mut topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1))
        .set("retention.ms", "-1")
        .set("max.message.bytes", RECORD_BYTES_MAX);
    for (name, value) in settings {
        topic = topic.set(name, value);
    }
    let options = AdminOptions::new().operation_timeout(Some(EVENTUALLY_MAX));
    for result in admin.create_topics([&topic], &options).await.unwrap() {
        result.unwrap();
    }
}

/// Deletes topics of a broker that goes on living.
fn delete_topics(topics: Vec<String>) {
    let delete = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let admin: AdminClient<_> = client().create().unwrap();
            let names: Vec<&str> = topics.iter().map(String::as_str).collect();
            let deleted = admin.delete_topics(&names, &AdminOptions::new()).await;
            if !deleted.as_ref().is_ok_and(|topics| topics.iter().all(Result::is_ok)) {
                eprintln!("left behind: {deleted:?}");
            }
        });
    };
    // In a thread of its own, since a test may be in the middle of its runtime, and panicking.
    drop(std::thread::spawn(delete).join());
}

impl Drop for World {
    fn drop(&mut self) {
        if !broker::is_embedded() {
            delete_topics(self.topics.clone());
        }
    }
}

fn client() -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", broker::address());
    config
}

/// As everything of ours that reads.
fn properties() -> BTreeMap<String, String> {
    kafka::Connection::plaintext(broker::address()).for_consumer().properties().clone()
}
