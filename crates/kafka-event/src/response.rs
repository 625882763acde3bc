//! What a function may answer when its mapping has `ReportBatchItemFailures`: which records to hand over again.
//!
//! One identifier that is not of the event fails the whole batch, successes included; so identifiers are made from the
//! event and nothing else. The rule that holds under every known redelivery: stop a partition at its first failure, and
//! name that record *and every later one of the partition*.

use serde::Serialize;

use crate::event::{KafkaEvent, PartitionRecords};

/// The answer: `{"batchItemFailures":[{"itemIdentifier":{"partition":"topic-0","offset":15}}]}`. The default is full
/// success.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchResponse {
    batch_item_failures: Vec<Failure>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Failure {
    item_identifier: ItemIdentifier,
}

/// A record of the event that is answered.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct ItemIdentifier {
    partition: String,
    offset: i64,
}

/// Why a batch response cannot say what it should; the way out is to fail the invocation, which redelivers everything.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ResponseError {
    /// Naming it would fail the whole batch.
    #[error("offset {offset} of partition {partition:?} is not in this event: only its own records can be named")]
    NotInBatch {
        /// The key that was given.
        partition: String,
        /// The offset that was given.
        offset: i64,
    },
    /// A record whose offset could not be read cannot be named, and unnamed it would count as done.
    #[error(
        "record {index} of partition {partition:?} has no readable offset and cannot be named: fail the invocation"
    )]
    Unnameable {
        /// The partition's key.
        partition: String,
        /// Its place in the partition's array.
        index: usize,
    },
}

/// Collects where each partition of an event was stopped.
#[derive(Debug)]
pub struct Respond<'e> {
    /// Each partition of the event, and the place in it of the first record that was not finished.
    stops: Vec<(&'e PartitionRecords, Option<usize>)>,
}

impl KafkaEvent {
    /// Begins the answer to this event, as full success.
    #[must_use]
    pub fn respond(&self) -> Respond<'_> {
        Respond { stops: self.partitions.iter().map(|partition| (partition, None)).collect() }
    }
}

impl Respond<'_> {
    /// This record was not finished: it and every later one of its partition are to come again. Of several calls for one
    /// partition the earliest record counts.
    ///
    /// # Errors
    /// [`ResponseError::NotInBatch`]: the event has no such record.
    pub fn stop_at(&mut self, partition_key: &str, offset: i64) -> Result<(), ResponseError> {
        let not_in_batch = || ResponseError::NotInBatch { partition: partition_key.to_owned(), offset };
        let here = self.stops.iter_mut().filter(|(partition, _)| partition.key == partition_key);
        let found = here.into_iter().find_map(|(partition, stop)| {
            let index = (0..partition.records.len()).find(|index| partition.offset_at(*index) == Some(offset))?;
            Some((stop, index))
        });
        let (stop, index) = found.ok_or_else(not_in_batch)?;
        *stop = Some(stop.map_or(index, |earlier| earlier.min(index)));
        Ok(())
    }

    /// The answer.
    ///
    /// # Errors
    /// [`ResponseError::Unnameable`]: a record from a stop on has no offset.
    pub fn finish(self) -> Result<BatchResponse, ResponseError> {
        let mut batch_item_failures = Vec::new();
        for (partition, stop) in self.stops {
            for index in stop.map_or(0..0, |first| first..partition.records.len()) {
                let unnameable = || ResponseError::Unnameable { partition: partition.key.clone(), index };
                let offset = partition.offset_at(index).ok_or_else(unnameable)?;
                let item_identifier = ItemIdentifier { partition: partition.key.clone(), offset };
                batch_item_failures.push(Failure { item_identifier });
            }
        }
        Ok(BatchResponse { batch_item_failures })
    }
}

impl BatchResponse {
    /// The records that are to come again, by partition and offset.
    pub fn failures(&self) -> impl Iterator<Item = &ItemIdentifier> {
        self.batch_item_failures.iter().map(|failure| &failure.item_identifier)
    }
}

impl ItemIdentifier {
    /// The event's own key of the partition.
    #[must_use]
    pub fn partition(&self) -> &str {
        &self.partition
    }

    /// The record's offset.
    #[must_use]
    pub fn offset(&self) -> i64 {
        self.offset
    }
}
