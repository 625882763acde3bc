//! The event source mapping, as wild as it is allowed to be: pollers own partitions, each hands over batches with one in
//! flight, the whole of a failed batch comes again; a rebalance starts over from what was committed, in other batches,
//! while the invocations of before go on; what is finished may be handed over again, in whole or in part, at any time.
//! What it never does: skip a record, or hand over one of a partition before those in front of it.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
};

use kafka_event::{Encoder, Header, KafkaEvent, KafkaRecord, PartitionRecords, TimestampType};
use simulation::LoggedRecord;

use crate::{defect::Defect, timeline::START_MS, weather::pause, world::World};

/// How long a poller waits between two looks at its partitions, ms at the most.
const IDLE_MS: u64 = 500;
/// How long before a failed batch comes again, ms at the most.
const BACKOFF_MS: u64 = 3_000;
/// How much later a finished batch may come again, ms at the most.
const DUPLICATE_MS: u64 = 60_000;

/// What the mapping knows.
#[derive(Debug, Default)]
pub(crate) struct Mapping {
    /// What each partition was committed up to: the next offset.
    pub(crate) committed: RefCell<BTreeMap<i32, i64>>,
    /// Grows at each rebalance; a poller of an older generation has lost its partitions.
    pub(crate) generation: Cell<u64>,
}

/// The records of a batch, by partition, each ascending.
type Batch = BTreeMap<i32, Vec<LoggedRecord>>;

impl World {
    /// Gives every partition a new poller.
    pub(crate) fn rebalance(self: &Rc<Self>) {
        let generation = self.mapping.generation.get().saturating_add(1);
        self.mapping.generation.set(generation);
        self.trace.note("rebalance", "", i64::try_from(generation).unwrap_or(0));
        let mut owned: Vec<Vec<i32>> = vec![Vec::new(); self.plan.pollers];
        for partition in self.partitions() {
            let place = self.dice.place(owned.len());
            if let Some(poller) = owned.get_mut(place) {
                poller.push(partition);
            }
        }
        for partitions in owned.into_iter().filter(|partitions| !partitions.is_empty()) {
            let world = Rc::clone(self);
            drop(tokio::task::spawn_local(async move { world.poll(generation, partitions).await }));
        }
    }

    /// Whether everything in the log was handed over, finished and committed.
    pub(crate) fn is_drained(&self) -> bool {
        let committed = self.mapping.committed.borrow();
        let done = |partition: &i32| {
            committed.get(partition).copied().unwrap_or(0) >= self.topics.end(&self.names.requests, *partition)
        };
        self.partitions().iter().all(done)
    }

    async fn poll(self: Rc<Self>, generation: u64, partitions: Vec<i32>) {
        let mut positions: BTreeMap<i32, i64> =
            partitions.iter().map(|partition| (*partition, self.first(*partition))).collect();
        while self.mapping.generation.get() == generation {
            let batch = self.take(&positions);
            if batch.is_empty() {
                pause(&self.dice, IDLE_MS).await;
                continue;
            }
            if !self.deliver_until_finished(generation, &batch).await {
                return;
            }
            for (partition, records) in &batch {
                let next = records.last().map_or(0, |last| last.offset.saturating_add(1));
                positions.insert(*partition, next);
                if self.is_calm() || !self.dice.chance(self.plan.faults.commit_lost) {
                    self.mapping.committed.borrow_mut().insert(*partition, next);
                } else {
                    self.trace.count("position lost");
                }
            }
            if !self.is_calm() && self.dice.chance(self.plan.faults.duplicate) {
                self.duplicate(batch);
            }
        }
    }

    /// Where a new owner of a partition starts: at what was committed.
    fn first(&self, partition: i32) -> i64 {
        self.mapping.committed.borrow().get(&partition).copied().unwrap_or(0)
    }

    /// The next records of the partitions, in a batch of random size.
    fn take(&self, positions: &BTreeMap<i32, i64>) -> Batch {
        let mut left = usize::try_from(self.dice.between(1, self.plan.batch_max)).unwrap_or(1);
        let mut batch = Batch::new();
        for (partition, position) in positions {
            if left == 0 {
                break;
            }
            let position = self.misplaced(*partition, *position);
            let records = self.topics.read_some(&self.names.requests, *partition, position, left);
            left = left.saturating_sub(records.len());
            if let Some(last) = records.last() {
                self.planted.note_batch_end(*partition, last.offset);
                batch.insert(*partition, records);
            }
        }
        batch
    }

    /// The position, unless a planted defect moves it.
    fn misplaced(&self, partition: i32, position: i64) -> i64 {
        let behind = self.topics.end(&self.names.requests, partition).saturating_sub(position);
        let skips = behind > 1 && self.planted.happens(Defect::RecordSkipped);
        position.saturating_add(i64::from(skips))
    }

    /// Hands over a batch until it is finished; false when its partitions were taken away before.
    async fn deliver_until_finished(self: &Rc<Self>, generation: u64, batch: &Batch) -> bool {
        if self.planted.happens(Defect::BatchesSwapped) {
            self.deliver_next_first(batch).await;
        }
        loop {
            let finished = self.invoke(self.event(batch)).await;
            if self.mapping.generation.get() != generation {
                self.abandoned.set(self.abandoned.get() || !finished);
                return false;
            }
            if finished {
                return true;
            }
            pause(&self.dice, BACKOFF_MS).await;
        }
    }

    async fn deliver_next_first(self: &Rc<Self>, batch: &Batch) {
        let next = |(partition, records): (&i32, &Vec<LoggedRecord>)| {
            let from = records.last()?.offset.saturating_add(1);
            let later = self.topics.read_some(&self.names.requests, *partition, from, 5);
            (!later.is_empty()).then_some((*partition, later))
        };
        let later: Batch = batch.iter().filter_map(next).collect();
        if !later.is_empty() {
            self.invoke(self.event(&later)).await;
        }
    }

    /// Hands over a finished batch again, later, whole or in part.
    fn duplicate(self: &Rc<Self>, mut batch: Batch) {
        if self.dice.chance(500) {
            self.trace.count("duplicate in part");
            for records in batch.values_mut() {
                records.retain(|_record| self.dice.chance(500));
            }
            batch.retain(|_partition, records| !records.is_empty());
        }
        let world = Rc::clone(self);
        let late = self.dice.millis(DUPLICATE_MS);
        let again = async move {
            tokio::time::sleep(late).await;
            world.trace.note("duplicate", "", 0);
            let finished = world.invoke(world.event(&batch)).await;
            world.abandoned.set(world.abandoned.get() || !finished);
        };
        drop(self.detach(again));
    }

    /// The event of a batch.
    pub(crate) fn event(&self, batch: &Batch) -> KafkaEvent {
        let partition = |(partition, records): (&i32, &Vec<LoggedRecord>)| PartitionRecords {
            key: format!("{}-{partition}", self.names.requests),
            records: records.iter().map(|record| Ok(self.handed_over(*partition, record))).collect(),
        };
        let event = KafkaEvent { partitions: batch.iter().map(partition).collect(), ..KafkaEvent::default() };
        if self.plan.encodes_events { through_json(event) } else { event }
    }

    fn handed_over(&self, partition: i32, logged: &LoggedRecord) -> KafkaRecord {
        let header = |header: &record_log::Header| Header { name: header.name.clone(), value: header.value.clone() };
        let producers_clock = self.planted.is(Defect::ProducersClock);
        KafkaRecord {
            topic: self.names.requests.clone(),
            partition,
            offset: logged.offset,
            timestamp: if producers_clock { START_MS } else { logged.timestamp },
            timestamp_type: TimestampType::LogAppendTime,
            key: logged.record.key.clone(),
            value: logged.record.value.clone(),
            headers: logged.record.headers.iter().map(header).collect(),
        }
    }

    /// Every record of the log from its start, in batches, for a last redelivery of everything.
    pub(crate) fn everything(&self) -> Vec<Batch> {
        let mut batches = Vec::new();
        for partition in self.partitions() {
            let records = self.topics.read(&self.names.requests, partition, 0);
            batches.extend(records.chunks(500).map(|some| Batch::from([(partition, some.to_vec())])));
        }
        batches
    }
}

/// The event as a function gets it: written as JSON and read again. A null header cannot be told from an empty one then.
fn through_json(event: KafkaEvent) -> KafkaEvent {
    serde_json::from_str(&Encoder::default().whole_event(&event)).unwrap_or(event)
}
