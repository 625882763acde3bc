//! A log in memory as a subject, and wrong ones: each breaks the contract in one way.

use record_log::{Delivery, Log, LogError, Record};
use record_log_contract::Topics;
use simulation::MemoryLog;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    LosesOneInMany,
    AnswersTheNextOffset,
    WritesTwice,
    IgnoresTheKey,
    IgnoresTheNamedPartition,
    LosesHeaders,
    SortsHeaders,
    EmptiesNullKeys,
    CutsLargeValues,
    TakesUnknownPartitions,
    MakesUnknownTopics,
    CountsOnePartitionMore,
}

impl Fault {
    pub(crate) const ALL: [Self; 12] = [
        Self::LosesOneInMany,
        Self::AnswersTheNextOffset,
        Self::WritesTwice,
        Self::IgnoresTheKey,
        Self::IgnoresTheNamedPartition,
        Self::LosesHeaders,
        Self::SortsHeaders,
        Self::EmptiesNullKeys,
        Self::CutsLargeValues,
        Self::TakesUnknownPartitions,
        Self::MakesUnknownTopics,
        Self::CountsOnePartitionMore,
    ];
}

pub(crate) struct Misbehaving {
    pub(crate) inner: MemoryLog,
    pub(crate) fault: Fault,
}

impl Misbehaving {
    pub(crate) fn new(fault: Fault) -> Self {
        Self { inner: MemoryLog::new(), fault }
    }

    fn spoil(&self, record: &mut Record) {
        match self.fault {
            Fault::IgnoresTheKey if record.partition.is_none() => record.partition = Some(0),
            Fault::IgnoresTheNamedPartition => record.partition = None,
            Fault::LosesHeaders => record.headers.clear(),
            Fault::SortsHeaders => record.headers.sort_by(|one, other| one.name.cmp(&other.name)),
            Fault::EmptiesNullKeys => record.key = Some(record.key.take().unwrap_or_default()),
            Fault::CutsLargeValues => {
                record.value = record.value.take().map(|value| value.slice(..value.len().min(100_000)));
            }
            Fault::TakesUnknownPartitions => record.partition = record.partition.map(|partition| partition.min(1)),
            Fault::MakesUnknownTopics if self.inner.partition_count(&record.topic) == 0 => {
                self.inner.create_topic(&record.topic, 1);
            }
            Fault::None
            | Fault::LosesOneInMany
            | Fault::AnswersTheNextOffset
            | Fault::WritesTwice
            | Fault::IgnoresTheKey
            | Fault::MakesUnknownTopics
            | Fault::CountsOnePartitionMore => {}
        }
    }
}

#[deny(clippy::missing_trait_methods)]
impl Log for Misbehaving {
    async fn produce(&self, mut record: Record) -> Result<Delivery, LogError> {
        self.spoil(&mut record);
        let unlucky = record.value.as_deref() == Some(b"77");
        if self.fault == Fault::LosesOneInMany && unlucky {
            let end = self.inner.end(&record.topic, 0);
            return Ok(Delivery { partition: 0, offset: Some(end) });
        }
        if self.fault == Fault::WritesTwice && unlucky {
            self.inner.produce(record.clone()).await?;
        }
        let delivery = self.inner.produce(record).await?;
        let wrong = self.fault == Fault::AnswersTheNextOffset && unlucky;
        Ok(Delivery { offset: delivery.offset.map(|offset| offset + i64::from(wrong)), ..delivery })
    }

    async fn partitions(&self, topic: &str) -> Result<i32, LogError> {
        let count = self.inner.partitions(topic).await?;
        Ok(count + i32::from(self.fault == Fault::CountsOnePartitionMore))
    }
}

/// The cluster of a log in memory.
pub(crate) struct Memory(pub(crate) MemoryLog);

impl Topics for Memory {
    async fn make_topic(&self, name: &str, partitions: i32) {
        self.0.create_topic(name, usize::try_from(partitions).unwrap());
    }

    async fn read_back(&self, topic: &str, partition: i32) -> Vec<(i64, Record)> {
        let records = self.0.read(topic, partition, 0);
        let as_produced = |record: Record| Record { partition: Some(partition), ..record };
        records.into_iter().map(|logged| (logged.offset, as_produced(logged.record))).collect()
    }
}
