//! What the consumer does when its group changes. Runs on the poller's thread, inside a poll, and may take its time:
//! heartbeats are librdkafka's own, and the poll interval is longer than any function may run.

use std::sync::atomic::Ordering;
use std::sync::mpsc as std_mpsc;

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::RDKafkaRespErr;

use crate::engine::{Uncommitted, count_commit, log_uncommitted};
use crate::metrics::add;
use crate::poller::{News, Outbox, Shared};
use crate::position;
use crate::settings::{Settings, Start};

/// A broker that is starting may fail the first questions.
const ATTEMPTS_MAX: usize = 3;

impl ClientContext for Shared {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical | RDKafkaLogLevel::Error => {
                tracing::error!(target: "librdkafka", facility, "{message}");
            }
            RDKafkaLogLevel::Warning => tracing::warn!(target: "librdkafka", facility, "{message}"),
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => {
                tracing::info!(target: "librdkafka", facility, "{message}")
            }
            RDKafkaLogLevel::Debug => tracing::debug!(target: "librdkafka", facility, "{message}"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::warn!(target: "librdkafka", %error, reason, "client error");
        self.learned().complaint = Some(reason.to_owned());
    }
}

impl ConsumerContext for Shared {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, code: RDKafkaRespErr, partitions: &mut TopicPartitionList) {
        let partitions: Vec<i32> = partitions.elements().iter().map(|element| element.partition()).collect();
        let done = if code == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            self.take_over(consumer, &partitions)
        } else {
            self.give_back(consumer, partitions);
            consumer.unassign()
        };
        if let Err(error) = done {
            tracing::error!(%error, "the assignment failed; asking for it again");
            self.rejoin.store(true, Ordering::Release);
            // Without an answer to the rebalance the group would wait for this member.
            if let Err(error) = consumer.unassign() {
                tracing::error!(%error, "could not give the assignment up");
            }
        }
    }
}

impl Shared {
    /// Finds out where each partition begins, says so, and starts reading.
    fn take_over(&self, consumer: &BaseConsumer<Self>, partitions: &[i32]) -> KafkaResult<()> {
        let original = self.original_partitions.load(Ordering::Relaxed);
        let cut = std::mem::take(&mut self.learned().cut);
        let resolve = || position::resolve(consumer, &self.settings, partitions, original, &cut);
        let mut begins = resolve();
        for _attempt in 1..ATTEMPTS_MAX {
            if let Err(error) = &begins {
                tracing::warn!(%error, "could not ask where the partitions begin");
                begins = resolve();
            }
        }
        let begins = begins?;
        self.learned().begins = begins.iter().copied().collect();
        if self.settings.start == Start::Latest && !begins.is_empty() {
            // A fresh group would find another "latest" when the partition moves or the mapping restarts.
            consumer.commit(&list(&self.settings, begins.iter().copied())?, CommitMode::Sync)?;
        }
        let assignment = list(&self.settings, begins.iter().copied())?;
        tracing::info!(topic = self.settings.topic, group = self.settings.group, ?begins, "partitions assigned");
        self.tell(News::Assigned(begins));
        consumer.assign(&assignment)?;
        // Whom the runner has paused stays so through a rebalance, and the runner has forgotten of it.
        consumer.resume(&assignment)
    }

    /// Waits until nothing of the partitions is under way and commits what was resolved, while that is still allowed.
    fn give_back(&self, consumer: &BaseConsumer<Self>, partitions: Vec<i32>) {
        *self.outbox() = Outbox::default();
        self.learned().begins.clear();
        let lost = consumer.assignment_lost();
        tracing::info!(
            topic = self.settings.topic,
            group = self.settings.group,
            ?partitions,
            lost,
            "partitions revoked"
        );
        let (answer, answered) = std_mpsc::channel();
        if !self.tell(News::Revoking { partitions, answer }) {
            return;
        }
        let uncommitted = answered.recv().unwrap_or_default();
        // Lost before the revocation or while it was held: another member may have committed further.
        if lost || consumer.assignment_lost() {
            let reason = "resolved, and the partition was lost before it could be committed";
            log_uncommitted(&self.settings.topic, &uncommitted, reason);
        } else if !uncommitted.is_empty() {
            commit(consumer, self, &uncommitted);
        }
    }
}

/// Commits and waits for the broker's answer; whether the broker has taken it.
pub(crate) fn commit(consumer: &BaseConsumer<Shared>, shared: &Shared, uncommitted: &[Uncommitted]) -> bool {
    let positions = uncommitted.iter().map(|position| (position.partition, position.position));
    match list(&shared.settings, positions).and_then(|list| consumer.commit(&list, CommitMode::Sync)) {
        Ok(()) => {
            for position in uncommitted {
                count_commit(&shared.counters, position.committed, position.position);
            }
            true
        }
        Err(error) => {
            add(&shared.counters.commit_error, 1);
            log_uncommitted(&shared.settings.topic, uncommitted, &format!("the commit failed: {error}"));
            false
        }
    }
}

/// Positions as librdkafka takes them.
pub(crate) fn list(
    settings: &Settings,
    positions: impl Iterator<Item = (i32, i64)>,
) -> KafkaResult<TopicPartitionList> {
    let mut list = TopicPartitionList::new();
    for (partition, offset) in positions {
        list.add_partition_offset(&settings.topic, partition, Offset::Offset(offset))?;
    }
    Ok(list)
}
