//! Records as the worker has them: the event that a mapping would hand over, without its JSON.

use std::time::Duration;

use anyhow::Context;
use coupon_dynamodb::DynamoStore;
use coupon_store::{Deadline, Tokens};
use issue_worker::Worker;
use kafka::Producer;
use kafka_event::{Header, KafkaEvent, KafkaRecord, PartitionRecords, TimestampType};

use crate::consume::{Received, Work};
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
    async fn work(&self, batch: &[Received]) -> anyhow::Result<()> {
        let handled = self.worker.handle(event(batch), Deadline::after(DEADLINE)).await;
        handled.context("comes again")
    }
}

/// The batch is of one partition.
fn event(batch: &[Received]) -> KafkaEvent {
    let partition = batch.first().map_or(0, |record| record.partition);
    let records = batch.iter().map(|one| Ok(record(one))).collect();
    KafkaEvent {
        event_source: "SelfManagedKafka".to_owned(),
        bootstrap_servers: String::new(),
        partitions: vec![PartitionRecords { key: format!("{}-{partition}", OUR_REQUESTS.name), records }],
    }
}

fn record(received: &Received) -> KafkaRecord {
    let header = |(name, value): &(String, _)| Header { name: name.clone(), value: Clone::clone(value) };
    KafkaRecord {
        topic: OUR_REQUESTS.name.to_owned(),
        partition: received.partition,
        offset: received.offset,
        timestamp: received.timestamp_ms,
        timestamp_type: TimestampType::CreateTime,
        key: received.key.clone(),
        value: received.value.clone(),
        headers: received.headers.iter().map(header).collect(),
    }
}
