//! A task: records that are invoked, or delivered to a destination, together; and what becomes of them after a failure.
//! A retry, a half of a split batch and the rest after a partial response are all tasks of the same lineage.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use crate::destination::Condition;
use crate::emulator::Pbr;
use crate::record::Record;
use crate::response::ResponseContext;
use crate::settings::Settings;

/// Records under way together.
#[derive(Debug, Clone)]
pub(crate) struct Task {
    /// Sorted by partition key and offset; never empty.
    pub(crate) records: Vec<Record>,
    /// Their partitions, kept since they are asked for all the time.
    partitions: Vec<i32>,
    /// Retries spent by the lineage; a split and a smaller rest inherit it.
    pub(crate) retries: u32,
    /// Invocations that these records took part in.
    pub(crate) invokes: u32,
    /// Failed attempts since the last split, which the back-off follows.
    pub(crate) failed: u32,
    pub(crate) state: TaskState,
}

/// Where a task stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TaskState {
    /// Waits for its turn in every lane, and for this moment.
    Waiting(Instant),
    /// Its invocation is under way.
    Running,
    /// Given up; waits for its turn to be handed to the destination or dropped.
    GivenUp(GivenUp),
    /// On its way to the destination.
    Delivering,
}

/// Why records are given up, and what a destination is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GivenUp {
    pub(crate) condition: Condition,
    pub(crate) reason: String,
    /// `None` where no invocation has answered.
    pub(crate) response: Option<ResponseContext>,
}

impl Task {
    pub(crate) fn new(records: Vec<Record>, now: Instant) -> Self {
        let partitions = partitions_of(&records);
        Self { records, partitions, retries: 0, invokes: 0, failed: 0, state: TaskState::Waiting(now) }
    }

    pub(crate) fn given_up(self, given_up: GivenUp) -> Self {
        Self { state: TaskState::GivenUp(given_up), ..self }
    }

    pub(crate) fn partitions(&self) -> &[i32] {
        &self.partitions
    }

    /// With other records of the same lineage.
    fn with(self, records: Vec<Record>) -> Self {
        Self { partitions: partitions_of(&records), records, ..self }
    }

    /// Without the records of partitions that are gone.
    pub(crate) fn only(mut self, kept: impl Fn(i32) -> bool) -> Self {
        let mut records = std::mem::take(&mut self.records);
        records.retain(|record| kept(record.partition));
        self.with(records)
    }

    /// By partition key, for reading the response.
    pub(crate) fn offsets_by_key(&self, settings: &Settings) -> BTreeMap<String, (i32, Vec<i64>)> {
        let mut partitions: BTreeMap<String, (i32, Vec<i64>)> = BTreeMap::new();
        for records in self.records.chunk_by(|a, b| a.partition == b.partition) {
            if let Some(first) = records.first() {
                let offsets = records.iter().map(|record| record.offset).collect();
                partitions.insert(settings.partition_key(first.partition), (first.partition, offsets));
            }
        }
        partitions
    }

    /// Halves it, the first half taking the odd record. Neither costs a retry; both begin their back-off anew.
    pub(crate) fn split(self, now: Instant) -> (Self, Self) {
        let Self { mut records, retries, invokes, .. } = self;
        let rest = records.split_off(records.len().div_ceil(2));
        let half = |records| Self { retries, invokes, ..Self::new(records, now) };
        (half(records), half(rest))
    }

    /// Parts what is too old from the rest, in order.
    pub(crate) fn part_older_than(mut self, timestamp_ms_min: i64) -> (Self, Self) {
        let records = std::mem::take(&mut self.records);
        let (old, young) = records.into_iter().partition(|record| record.timestamp < timestamp_ms_min);
        (self.clone().with(old), self.with(young))
    }

    /// Leaves what a partial response brings back, and returns what is resolved by it.
    pub(crate) fn keep_named(mut self, named: &BTreeMap<i32, BTreeSet<i64>>, pbr: Pbr) -> (Self, Vec<Record>) {
        let comes_back = |record: &Record| {
            named.get(&record.partition).is_some_and(|offsets| match pbr {
                Pbr::Selective => offsets.contains(&record.offset),
                Pbr::Resume => offsets.first().is_some_and(|lowest| record.offset >= *lowest),
            })
        };
        let (back, resolved) = std::mem::take(&mut self.records).into_iter().partition(comes_back);
        (self.with(back), resolved)
    }
}

/// Each partition once; the records of one stand together.
fn partitions_of(records: &[Record]) -> Vec<i32> {
    let groups = records.chunk_by(|a, b| a.partition == b.partition);
    groups.filter_map(|records| records.first()).map(|record| record.partition).collect()
}
