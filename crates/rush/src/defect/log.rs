//! A log with a defect planted in it. Without one it does what a broker does beside keeping records: it stamps each with
//! its own clock, which may go wrong.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicI64, Ordering},
};

use audit::Names;
use record_log::{Delivery, Log, LogError, Record};
use simulation::MemoryLog;

use super::{Defect, Planted};
use crate::{timeline::Timeline, trace::Trace};

/// The log with the defect. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct PlantedLog {
    pub(crate) inner: MemoryLog,
    pub(crate) planted: Planted,
    pub(crate) timeline: Timeline,
    /// How far the broker's clock is off, ms.
    pub(crate) off_ms: Arc<AtomicI64>,
    pub(crate) names: Arc<Names>,
    pub(crate) trace: Trace,
    /// How often an acknowledgement comes without an offset, in a thousand, and whether it does at all now.
    pub(crate) no_offset: u64,
    pub(crate) calm: Arc<AtomicBool>,
}

#[deny(clippy::missing_trait_methods)]
impl Log for PlantedLog {
    async fn produce(&self, mut record: Record) -> Result<Delivery, LogError> {
        self.inner.set_clock(self.timeline.now_ms().saturating_add(self.off_ms.load(Ordering::Relaxed)));
        let (is_request, is_result) = (record.topic == self.names.requests, record.topic == self.names.results);
        let is_letter = record.topic == self.names.dead_letters;
        if (is_result && self.planted.happens(Defect::ResultDropped))
            || (is_letter && self.planted.is(Defect::LetterDropped))
        {
            return Ok(Delivery { partition: 0, offset: Some(0) });
        }
        if is_request && self.planted.happens(Defect::RequestLost) {
            let partition = record.partition.unwrap_or(0);
            return Ok(Delivery { partition, offset: Some(self.inner.end(&record.topic, partition)) });
        }
        if is_result && self.planted.happens(Defect::HeadersDropped) {
            record.headers.clear();
        }
        let delivery = self.inner.produce(record).await?;
        let next = |offset: i64| offset.saturating_add(1);
        if is_request && self.planted.happens(Defect::TicketOfNext) {
            return Ok(Delivery { offset: delivery.offset.map(next), ..delivery });
        }
        if !self.calm.load(Ordering::Relaxed) && self.planted.dice.chance(self.no_offset) {
            self.trace.count("no offset");
            return Ok(Delivery { offset: None, ..delivery });
        }
        Ok(delivery)
    }

    async fn partitions(&self, topic: &str) -> Result<i32, LogError> {
        self.inner.partitions(topic).await
    }
}
