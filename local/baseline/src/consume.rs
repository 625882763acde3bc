//! Consumers of the hybrid and of ours: records in the order of their partition, handed over in batches of what is
//! there, offsets committed behind them.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use futures_util::{Stream, StreamExt as _};
use kafka::{Connection, ReadRecord};
use rdkafka::consumer::{CommitMode, Consumer as _, StreamConsumer};
use rdkafka::error::KafkaError;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// The embedded broker's fetch does not wake on new data; with the client's default a lone record would wait 500 ms.
const FETCH_WAIT_MS: &str = "20";
/// How long the broker may take at the start to tell where the group is.
const OFFSETS_MAX: Duration = Duration::from_secs(10);
/// How long to wait before a batch that could not be worked off is tried again.
const RETRY_DELAY: Duration = Duration::from_millis(200);

/// A member of `group`, connected to nothing yet.
fn member(kafka: &Connection, group: &str) -> anyhow::Result<StreamConsumer> {
    let mut config = ClientConfig::new();
    // A consumer's fetch may wait longer than the second that our producer gives a request, so that only how to reach
    // the cluster is taken over.
    for (name, value) in kafka.properties() {
        config.set(name, value);
    }
    for (name, value) in [
        ("group.id", group),
        ("enable.auto.commit", "false"),
        ("enable.auto.offset.store", "false"),
        ("auto.offset.reset", "earliest"),
        ("allow.auto.create.topics", "false"),
        ("session.timeout.ms", "10000"),
        ("fetch.wait.max.ms", FETCH_WAIT_MS),
        ("fetch.queue.backoff.ms", "10"),
        ("fetch.error.backoff.ms", "50"),
        ("reconnect.backoff.ms", "20"),
        ("reconnect.backoff.max.ms", "1000"),
    ] {
        config.set(name, value);
    }
    Ok(config.create()?)
}

/// What works batches off.
pub(crate) trait Work: Send + Sync {
    /// Works a batch off, in its order.
    fn work(&self, batch: &[ReadRecord]) -> impl Future<Output = anyhow::Result<()>> + Send;
}

/// Where a group reads, and how much at once.
#[derive(Clone, Copy)]
pub(crate) struct Reading {
    pub(crate) group: &'static str,
    pub(crate) topic: &'static str,
    pub(crate) partitions: i32,
    pub(crate) batch_max: usize,
}

impl Reading {
    /// Starts a task for each partition, side by side.
    ///
    /// The partitions are assigned, not subscribed to, for this process is all of the group; where it goes on after a crash
    /// is the group's offset all the same. It is asked here, so that a system that has started does read.
    pub(crate) async fn each_partition<W: Work + 'static>(
        self,
        kafka: &Connection,
        work: &Arc<W>,
        tasks: &mut JoinSet<()>,
        stopped: &watch::Receiver<bool>,
    ) -> anyhow::Result<()> {
        let consumer = Arc::new(member(kafka, self.group)?);
        consumer.assign(&self.positions(&consumer).await?)?;
        for partition in 0..self.partitions {
            let Some(queue) = consumer.split_partition_queue(self.topic, partition) else {
                anyhow::bail!("{}-{partition} has no queue", self.topic);
            };
            let (consumer, work, stopped) = (Arc::clone(&consumer), Arc::clone(work), stopped.clone());
            tasks.spawn(async move {
                let records = queue.stream().map(|one| one.map(|one| ReadRecord::from(&one)));
                self.run(&consumer, records, &*work, stopped).await;
            });
        }
        tasks.spawn(serve_events(consumer, stopped.clone()));
        Ok(())
    }

    /// Where the group goes on.
    async fn positions(&self, consumer: &Arc<StreamConsumer>) -> anyhow::Result<TopicPartitionList> {
        let (consumer, mut all) = (Arc::clone(consumer), TopicPartitionList::new());
        all.add_partition_range(self.topic, 0, self.partitions.saturating_sub(1));
        let asked = tokio::task::spawn_blocking(move || consumer.committed_offsets(all, OFFSETS_MAX));
        let committed = asked.await?.with_context(|| format!("no answer where {} goes on", self.group))?;
        let mut positions = TopicPartitionList::new();
        for place in committed.elements() {
            let offset = if place.offset() == Offset::Invalid { Offset::Beginning } else { place.offset() };
            positions.add_partition_offset(self.topic, place.partition(), offset)?;
        }
        Ok(positions)
    }

    /// Hands what `records` has ready to `work` until `stopped`: each batch again and again until it is worked off, and
    /// its offsets committed behind it.
    async fn run(
        &self,
        consumer: &StreamConsumer,
        records: impl Stream<Item = Result<ReadRecord, KafkaError>>,
        work: &impl Work,
        mut stopped: watch::Receiver<bool>,
    ) {
        let topic = self.topic;
        let mut batches = std::pin::pin!(records.ready_chunks(self.batch_max));
        loop {
            let ready = tokio::select! {
                ready = batches.next() => ready,
                _ = stopped.wait_for(|stopped| *stopped) => return,
            };
            let Some(ready) = ready else { return };
            let mut batch = Vec::with_capacity(ready.len());
            for received in ready {
                match received {
                    Ok(record) => batch.push(record),
                    // Lost connections and the like; the client mends them by itself.
                    Err(error) => tracing::warn!(topic, "{error}"),
                }
            }
            if batch.is_empty() {
                tokio::time::sleep(RETRY_DELAY).await;
                continue;
            }
            while let Err(error) = work.work(&batch).await {
                tracing::warn!(topic, records = batch.len(), "tried again: {error:#}");
                if *stopped.borrow() {
                    return;
                }
                tokio::time::sleep(RETRY_DELAY).await;
            }
            commit(consumer, topic, &batch);
        }
    }
}

/// librdkafka's events come through the consumer itself, which has no records of its own any more.
async fn serve_events(consumer: Arc<StreamConsumer>, mut stopped: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            event = consumer.recv() => match event {
                Ok(_) => tracing::error!("a record outside its partition's queue"),
                Err(error) => tracing::warn!("{error}"),
            },
            _ = stopped.wait_for(|stopped| *stopped) => return,
        }
    }
}

fn commit(consumer: &StreamConsumer, topic: &str, batch: &[ReadRecord]) {
    let mut offsets = TopicPartitionList::new();
    for record in batch {
        let next = Offset::Offset(record.offset.saturating_add(1));
        match offsets.find_partition(topic, record.partition) {
            Some(mut known) => drop(known.set_offset(next)),
            None => drop(offsets.add_partition_offset(topic, record.partition, next)),
        }
    }
    // What is not committed is delivered again, which changes nothing.
    if let Err(error) = consumer.commit(&offsets, CommitMode::Async) {
        tracing::warn!(topic, "not committed: {error}");
    }
}
