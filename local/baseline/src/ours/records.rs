//! Records as the worker has them: the event that a mapping would hand over, without its JSON.

use std::time::Duration;

use anyhow::Context;
use coupon_dynamodb::DynamoStore;
use coupon_store::{Deadline, Tokens};
use issue_worker::Worker;
use kafka::{Producer, ReadRecord};
use kafka_event::{Header, KafkaEvent, KafkaRecord, PartitionRecords, TimestampType};

use crate::consume::Work;
use crate::system::OUR_REQUESTS;

/// The worker's 60 s less the 5 s that it keeps.
const DEADLINE: Duration = Duration::from_secs(55);

pub(super) struct Records {
    worker: Worker<DynamoStore, Producer>,
}

impl Records {
    pub(super) fn new(store: DynamoStore, producer: Producer) -> Self {
        Self { worker: Worker::new(store, producer, super::topics(), Tokens::new()) }
    }
}

impl Work for Records {
    async fn work(&self, batch: &[ReadRecord]) -> anyhow::Result<()> {
        let handled = self.worker.handle(event(batch), Deadline::after(DEADLINE)).await;
        handled.context("comes again")
    }
}

/// The batch is of one partition.
fn event(batch: &[ReadRecord]) -> KafkaEvent {
    let partition = batch.first().map_or(0, |record| record.partition);
    let records = batch.iter().map(|one| Ok(record(one))).collect();
    KafkaEvent {
        event_source: "SelfManagedKafka".to_owned(),
        bootstrap_servers: String::new(),
        partitions: vec![PartitionRecords { key: format!("{}-{partition}", OUR_REQUESTS.name), records }],
    }
}

fn record(read: &ReadRecord) -> KafkaRecord {
    let header = |one: &kafka::Header| Header { name: one.name.clone(), value: one.value.clone() };
    KafkaRecord {
        topic: OUR_REQUESTS.name.to_owned(),
        partition: read.partition,
        offset: read.offset,
        timestamp: read.timestamp_ms,
        timestamp_type: TimestampType::CreateTime,
        key: read.key.clone(),
        value: read.value.clone(),
        headers: read.headers.iter().map(header).collect(),
    }
}
