//! The poller: a Kafka consumer on a thread of its own, which polls without end so that its membership never depends on
//! a function. It encodes what it reads, and hands it to the runner with every change of the assignment.
//!
//! Decides nothing. A rebalance is held here until the runner has finished what is under way; what the consumer does
//! then is in `rebalance.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc as std_mpsc};
use std::time::Duration;

use bytes::Bytes;
use kafka_event::{HeaderView, RecordView};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Headers, Message, Timestamp};
use rdkafka::metadata::MetadataTopic;
use rdkafka::topic_partition_list::Offset;
use rdkafka::types::RDKafkaRespErr;
use tokio::sync::mpsc;

use crate::client;
use crate::clock;
use crate::engine::Uncommitted;
use crate::error::EsmError;
use crate::metrics::{Counters, add};
use crate::rebalance::list;
use crate::record::{Polled, Record};
use crate::settings::Settings;

/// How long a poll may wait for a record; only stopping is delayed by it.
const POLL_MAX: Duration = Duration::from_millis(100);
/// Records handed over at once.
const HAND_OVER_MAX: usize = 1_000;
/// And at most so many bytes of JSON, or a rush of large records would stand in memory many times over.
const HAND_OVER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Hand-overs that may wait for the runner.
const HAND_OVERS_WAITING_MAX: usize = 4;
/// How long a broker may take to tell of its topics, and how often a topic is looked for that it does not tell of.
const METADATA_TIMEOUT: Duration = Duration::from_secs(10);
const TOPIC_ATTEMPTS_MAX: usize = 15;
const TOPIC_ATTEMPTS_APART: Duration = Duration::from_millis(200);
/// Errors of a client that could not connect: one a broker and an attempt, of which there are few.
const ERRORS_READ_MAX: usize = 1_000;

/// What the runner learns from the poller, in order.
#[derive(Debug)]
pub(crate) enum News {
    Polled(Vec<Polled>),
    /// The partitions of this member from now on, each with where it begins.
    Assigned(Vec<(i32, i64)>),
    /// Partitions go. The consumer waits for the answer, which is what to commit before they do.
    Revoking {
        partitions: Vec<i32>,
        answer: std_mpsc::Sender<Vec<Uncommitted>>,
    },
    /// The consumer cannot go on.
    Fatal(KafkaError),
}

/// The consumer with its context.
pub(crate) type EsmConsumer = BaseConsumer<Shared>;

/// Read and not handed over yet.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    pub(crate) polled: Vec<Polled>,
    /// Of the records' JSON.
    pub(crate) bytes: usize,
}

/// What the brokers and the client have told. Nobody asks them while holding it.
#[derive(Debug, Default)]
pub(crate) struct Learned {
    /// Where each assigned partition began, for the client has no position of one that has had no record.
    pub(crate) begins: BTreeMap<i32, i64>,
    /// Partitions whose log ends before what was read of it: cut short, or made anew.
    pub(crate) cut: BTreeSet<i32>,
    /// The ends of partitions as the broker told them last, for when it does not answer.
    pub(crate) highs: BTreeMap<i32, i64>,
    /// What the client complained of last: why a broker does not answer, which the question itself does not tell.
    pub(crate) complaint: Option<String>,
}

/// What the poller's thread and its callbacks share.
pub(crate) struct Shared {
    pub(crate) settings: Arc<Settings>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) news: mpsc::Sender<News>,
    /// Read and not handed over yet. A revocation clears it: its new owner reads it again.
    pub(crate) outbox: Mutex<Outbox>,
    /// How many partitions the topic had at the start; later ones are read from their beginning.
    pub(crate) original_partitions: AtomicI32,
    learned: Mutex<Learned>,
    /// The assignment could not be taken up and has to be asked for again.
    pub(crate) rejoin: AtomicBool,
    pub(crate) stop: AtomicBool,
}

impl Shared {
    pub(crate) fn outbox(&self) -> MutexGuard<'_, Outbox> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn learned(&self) -> MutexGuard<'_, Learned> {
        self.learned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the runner, and waits until it has room; `false` when it is gone.
    pub(crate) fn tell(&self, news: News) -> bool {
        // In async code only where a runtime is torn down with its mapping still running, and then nobody listens.
        let waits = tokio::runtime::Handle::try_current().is_err();
        if waits { self.news.blocking_send(news).is_ok() } else { self.news.try_send(news).is_ok() }
    }
}

/// A running poller.
pub(crate) struct Poller {
    pub(crate) consumer: Arc<EsmConsumer>,
    pub(crate) news: mpsc::Receiver<News>,
    pub(crate) thread: std::thread::JoinHandle<()>,
}

impl Poller {
    /// Connects, checks that the topics exist, and joins the group.
    pub(crate) fn start(
        settings: &Arc<Settings>,
        counters: &Arc<Counters>,
        client: &BTreeMap<String, String>,
    ) -> Result<Self, EsmError> {
        let (news, received) = mpsc::channel(HAND_OVERS_WAITING_MAX);
        let shared = Shared {
            settings: Arc::clone(settings),
            counters: Arc::clone(counters),
            news,
            outbox: Mutex::default(),
            learned: Mutex::default(),
            original_partitions: AtomicI32::new(i32::MAX),
            rejoin: AtomicBool::new(false),
            stop: AtomicBool::new(false),
        };
        if cfg!(panic = "abort") {
            tracing::warn!(
                "built with panic = abort, so that a header whose name is no UTF-8 ends the process; build it with unwind"
            );
        }
        let config = client::consumer(settings, client);
        let consumer: EsmConsumer = config.create_with_context(shared).map_err(EsmError::of_creation)?;
        let partitions = check_topics(&consumer, settings)?;
        consumer.context().original_partitions.store(partitions, Ordering::Relaxed);
        consumer.subscribe(&[&settings.topic]).map_err(EsmError::kafka("subscribed"))?;
        let consumer = Arc::new(consumer);
        let polled = Arc::clone(&consumer);
        let thread = std::thread::Builder::new().name("kafka-esm-poller".into()).spawn(move || run(&polled))?;
        Ok(Self { consumer, news: received, thread })
    }
}

/// How many partitions the topic has. A missing topic is refused here, where it can be said.
fn check_topics(consumer: &EsmConsumer, settings: &Settings) -> Result<i32, EsmError> {
    use crate::destination::Destination;
    let missing = |name: &str, topic: &str| {
        let servers = &settings.bootstrap_servers;
        EsmError::Refused(vec![format!("{name}: the topic {topic} does not exist at {servers}; create it first")])
    };
    if let Some(Destination::Kafka { topic }) = &settings.destination
        && partitions_of(consumer, settings, topic)? == 0
    {
        return Err(missing("DestinationConfig.OnFailure.Destination", topic));
    }
    match partitions_of(consumer, settings, &settings.topic)? {
        0 => Err(missing("Topics", &settings.topic)),
        partitions => Ok(i32::try_from(partitions).unwrap_or(i32::MAX)),
    }
}

/// None for a topic that is not there. One that was made a moment ago may be unknown to the broker that is asked; one that the
/// user may not see is there for all that anybody knows.
fn partitions_of(consumer: &EsmConsumer, settings: &Settings, topic: &str) -> Result<usize, EsmError> {
    for attempt in 1..=TOPIC_ATTEMPTS_MAX {
        let metadata = consumer.fetch_metadata(Some(topic), METADATA_TIMEOUT);
        let metadata = metadata.map_err(|error| unreachable(consumer, settings, &error))?;
        let named = metadata.topics().iter().find(|found| found.name() == topic);
        if named.and_then(MetadataTopic::error) == Some(RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED) {
            return Err(EsmError::NotAllowed { topic: topic.to_owned() });
        }
        let found = named.filter(|found| found.error().is_none());
        match found.map_or(0, |found| found.partitions().len()) {
            0 if attempt < TOPIC_ATTEMPTS_MAX => wait(TOPIC_ATTEMPTS_APART),
            partitions => return Ok(partitions),
        }
    }
    Ok(0)
}

/// On the blocking thread of the start.
#[expect(clippy::disallowed_methods, reason = "no async code, and bounded")]
fn wait(time: Duration) {
    std::thread::sleep(time);
}

/// Nobody has answered, or not as a broker would.
fn unreachable(consumer: &EsmConsumer, settings: &Settings, error: &KafkaError) -> EsmError {
    // The client tells its errors, of which the last is the reason, to whoever polls.
    for _ in 0..ERRORS_READ_MAX {
        if consumer.poll(Duration::ZERO).is_none() {
            break;
        }
    }
    let complaint = consumer.context().learned().complaint.take();
    let reason = complaint.unwrap_or_else(|| error.to_string());
    EsmError::Unreachable { servers: settings.bootstrap_servers.clone(), reason }
}

/// Polls until it is told to stop; dropping the consumer then leaves the group.
fn run(consumer: &EsmConsumer) {
    let shared = consumer.context();
    let mut scratch = String::new();
    let mut alive = true;
    // A runtime that ended took the runner with it, without a word.
    while alive && !shared.stop.load(Ordering::Acquire) && !shared.news.is_closed() {
        if shared.rejoin.swap(false, Ordering::AcqRel) {
            consumer.unsubscribe();
            if let Err(error) = consumer.subscribe(&[&shared.settings.topic]) {
                tracing::error!(%error, "could not subscribe again");
            }
        }
        // One poll that waits, then whatever is there already, so that a rush makes batches and not single records.
        let mut timeout = POLL_MAX;
        while let Some(polled) = consumer.poll(timeout) {
            timeout = Duration::ZERO;
            match polled {
                Ok(message) => take(shared, &message, &mut scratch),
                Err(error) => alive &= survives(consumer, error),
            }
            if is_full(&shared.outbox()) {
                break;
            }
        }
        let polled = std::mem::take(&mut *shared.outbox()).polled;
        if !polled.is_empty() {
            alive &= shared.tell(News::Polled(polled));
        }
    }
}

/// Whether it is time to hand over, though there may be more to poll.
fn is_full(outbox: &Outbox) -> bool {
    outbox.polled.len() >= HAND_OVER_MAX || outbox.bytes >= HAND_OVER_BYTES_MAX
}

/// Counts and logs an error; `false` after one that librdkafka does not recover from by itself.
fn survives(consumer: &EsmConsumer, error: KafkaError) -> bool {
    let shared = consumer.context();
    if let KafkaError::MessageConsumption(RDKafkaErrorCode::AutoOffsetReset) = error {
        if let Err(error) = reposition(consumer) {
            tracing::error!(%error, topic = shared.settings.topic, "could not find a position anew; joining again");
            shared.rejoin.store(true, Ordering::Release);
        }
        return true;
    }
    add(&shared.counters.polling_error, 1);
    // Told with its reason by the context already, which a code alone lacks.
    tracing::debug!(%error, topic = shared.settings.topic, "polling failed");
    if matches!(error, KafkaError::MessageConsumptionFatal(_)) {
        shared.tell(News::Fatal(error));
        return false;
    }
    true
}

/// A partition is at an offset that its log does not have. Where retention has passed it, it goes on at the oldest record, and
/// what was read before stays. Where the log ends before it, offsets mean other records than they did: everything is given
/// back, and the partition begins at its oldest record. Which partition it is, the client does not tell.
fn reposition(consumer: &EsmConsumer) -> KafkaResult<()> {
    let (shared, topic) = (consumer.context(), &consumer.context().settings.topic);
    let mut positions = shared.learned().begins.clone();
    for element in consumer.position()?.elements_for_topic(topic) {
        if let (Offset::Offset(offset), Some(position)) = (element.offset(), positions.get_mut(&element.partition())) {
            *position = offset;
        }
    }
    let mut passed = false;
    for (partition, position) in &mut positions {
        let (low, high) = consumer.fetch_watermarks(topic, *partition, METADATA_TIMEOUT)?;
        if *position < low {
            tracing::error!(topic, partition, from = *position, to = low, "no more in the log: these records are lost");
            *position = low;
            passed = true;
        } else if *position > high {
            tracing::error!(topic, partition, position = *position, high, "the log ends before what was read of it");
            shared.learned().cut.insert(*partition);
        }
    }
    if !passed || !shared.learned().cut.is_empty() {
        shared.rejoin.store(true, Ordering::Release);
        return Ok(());
    }
    consumer.assign(&list(&shared.settings, positions.into_iter())?)
}

fn take(shared: &Shared, message: &BorrowedMessage<'_>, scratch: &mut String) {
    let (partition, offset) = (message.partition(), message.offset());
    let bytes = message.key_len() + message.payload_len();
    add(&shared.counters.polled_bytes, bytes);
    scratch.clear();
    let polled = if shared.settings.filters.pass(message.payload()) {
        encode(shared, message, scratch);
        let json = Bytes::copy_from_slice(scratch.as_bytes());
        let timestamp = timestamp(message).0;
        Polled::Record(Record { partition, offset, timestamp, arrived: clock::now(), json })
    } else {
        Polled::FilteredOut { partition, offset }
    };
    let mut outbox = shared.outbox();
    outbox.polled.push(polled);
    outbox.bytes += scratch.len();
}

/// Writes the record's JSON.
fn encode(shared: &Shared, message: &BorrowedMessage<'_>, out: &mut String) {
    // rdkafka panics on a header whose name is not UTF-8, which any producer may write; the thread has to survive that.
    let read = || {
        let headers = message.headers();
        headers.map(|headers| headers.iter().map(|header| (header.key, header.value)).collect()).unwrap_or_default()
    };
    let headers: Vec<HeaderView<'_>> = catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_panic| {
        let (topic, partition, offset) = (&shared.settings.topic, message.partition(), message.offset());
        tracing::error!(topic, partition, offset, "a header's name is no UTF-8: the record goes on without headers");
        Vec::new()
    });
    let (timestamp, timestamp_type) = timestamp(message);
    let view = RecordView {
        topic: &shared.settings.topic,
        partition: message.partition(),
        offset: message.offset(),
        timestamp,
        timestamp_type,
        key: message.key(),
        value: message.payload(),
        headers: &headers,
    };
    shared.settings.encoder.record(out, &view);
}

fn timestamp(message: &BorrowedMessage<'_>) -> (i64, &'static str) {
    match message.timestamp() {
        Timestamp::CreateTime(millis) => (millis, "CREATE_TIME"),
        Timestamp::LogAppendTime(millis) => (millis, "LOG_APPEND_TIME"),
        // Kafka's own "none", from records older than timestamps.
        Timestamp::NotAvailable => (-1, "CREATE_TIME"),
    }
}
