//! What readers ask again and again, remembered until a writer changes it: where partitions end, and which topics there
//! are. A consumer that waits asks for every partition's end twenty times a second; the storage would plan a statement
//! for each.
//!
//! Remembers nothing that was read while a writer was at it. Who changes what: `storage.rs`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tansu_storage::{MetadataResponse, OffsetStage, TopicId, Topition};

/// Shared by all connections.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    partitions: HashMap<Topition, Slot<OffsetStage>>,
    metadata: HashMap<Option<Vec<TopicId>>, Slot<MetadataResponse>>,
    /// Counts what changed all of them.
    all: u64,
}

/// A value, and how often it was changed.
#[derive(Debug)]
struct Slot<T> {
    changes: u64,
    value: Option<T>,
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self { changes: 0, value: None }
    }
}

/// The state of a slot before it was read from the storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen(u64, u64);

impl Known {
    /// A partition's end, or what to hand back with the one that the storage tells.
    pub(crate) fn stage(&self, topition: &Topition) -> Result<OffsetStage, Seen> {
        let mut inner = self.lock();
        let all = inner.all;
        let slot = inner.partitions.entry(topition.clone()).or_default();
        slot.value.ok_or(Seen(all, slot.changes))
    }

    /// Remembers an end, unless it may have moved since.
    pub(crate) fn learn_stage(&self, topition: &Topition, stage: OffsetStage, seen: Seen) {
        let mut inner = self.lock();
        let all = inner.all;
        let slot = inner.partitions.entry(topition.clone()).or_default();
        if seen == Seen(all, slot.changes) {
            slot.value = Some(stage);
        }
    }

    /// The brokers and topics, or what to hand back with those that the storage tells.
    pub(crate) fn metadata(&self, topics: Option<&[TopicId]>) -> Result<MetadataResponse, Seen> {
        let mut inner = self.lock();
        let all = inner.all;
        let slot = inner.metadata.entry(topics.map(<[_]>::to_vec)).or_default();
        slot.value.clone().ok_or(Seen(all, slot.changes))
    }

    /// Remembers brokers and topics, unless they may have changed since.
    pub(crate) fn learn_metadata(&self, topics: Option<&[TopicId]>, metadata: MetadataResponse, seen: Seen) {
        let mut inner = self.lock();
        if seen.0 == inner.all {
            inner.metadata.entry(topics.map(<[_]>::to_vec)).or_default().value = Some(metadata);
        }
    }

    /// Something was written to a partition, or may have been.
    pub(crate) fn written(&self, topition: &Topition) {
        let mut inner = self.lock();
        let slot = inner.partitions.entry(topition.clone()).or_default();
        slot.changes += 1;
        slot.value = None;
    }

    /// Anything may have changed.
    pub(crate) fn changed(&self) {
        let mut inner = self.lock();
        inner.all += 1;
        inner.partitions.clear();
        inner.metadata.clear();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_that_was_read_while_somebody_wrote_is_not_remembered() {
        let (known, partition) = (Known::default(), Topition::new("t", 0));
        let seen = known.stage(&partition).expect_err("nothing is known yet");
        known.written(&partition);
        known.learn_stage(&partition, OffsetStage::default(), seen);
        let seen = known.stage(&partition).expect_err("it may be old");
        known.changed();
        known.learn_stage(&partition, OffsetStage::default(), seen);
        let seen = known.stage(&partition).expect_err("it may be of a topic that has gone");
        known.learn_stage(&partition, OffsetStage::default(), seen);
        assert!(known.stage(&partition).is_ok());
        known.written(&partition);
        assert!(known.stage(&partition).is_err());
    }
}
