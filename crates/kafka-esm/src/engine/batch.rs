//! When a batch is complete and which records it takes: whichever comes first of the window, the batch size and the
//! payload limit. Pure: lanes and the time in, records out.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::lane::Lane;
use crate::payload::Weight;
use crate::record::Record;
use crate::settings::{PAYLOAD_BYTES_MAX, Settings};

/// What a poller's free partitions have to offer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Nothing waits.
    Empty,
    /// Not complete before this.
    Wait(Instant),
    /// Invoke with these, sorted by partition key and offset.
    Batch(Vec<Record>),
    /// A record that fits into no request, even alone.
    Oversize(Record),
}

/// Takes the next batch of one poller's lanes, if it is complete. Partitions are taken whole, the one whose first record
/// has waited longest first: few partitions a batch leave the others free to be invoked beside it.
pub(crate) fn next(lanes: &mut BTreeMap<i32, Lane>, settings: &Settings, poller: usize, now: Instant) -> Next {
    let mut waiting: Vec<(Instant, i32)> = lanes
        .iter()
        .filter(|(partition, lane)| lane.is_free() && settings.poller_of(**partition) == poller)
        .filter_map(|(partition, lane)| Some((lane.pending.front()?.arrived, *partition)))
        .collect();
    waiting.sort_unstable();
    let Some((first_arrived, first_partition)) = waiting.first().copied() else { return Next::Empty };
    let due = first_arrived.checked_add(settings.window).unwrap_or(first_arrived);
    let waits = settings.window > Duration::ZERO && now < due;
    if waits && surely_fits(lanes, settings, &waiting) {
        return Next::Wait(due);
    }
    let order: Vec<i32> = waiting.iter().map(|(_, partition)| *partition).collect();
    let fitting = fitting(lanes, settings, &order);
    if fitting.records() == 0 {
        // Only the first record of all can fail to fit into an empty request.
        return lanes.get_mut(&first_partition).and_then(Lane::pop).map_or(Next::Empty, Next::Oversize);
    }
    if !fitting.full && waits {
        return Next::Wait(due);
    }
    Next::Batch(take(lanes, settings, fitting))
}

/// Whether everything that waits is less than a batch, without looking at each record.
fn surely_fits(lanes: &BTreeMap<i32, Lane>, settings: &Settings, waiting: &[(Instant, i32)]) -> bool {
    let lanes = waiting.iter().filter_map(|(_, partition)| lanes.get(partition));
    let (count, bytes) = lanes.fold((0, Weight::empty(settings).bytes()), |(count, bytes), lane| {
        // A partition's key and what stands around it, generously.
        let key_bytes = settings.topic.len() + 32;
        (count + lane.pending.len(), bytes + lane.pending_bytes + lane.pending.len() + key_bytes)
    });
    count < settings.batch_size && bytes <= PAYLOAD_BYTES_MAX
}

/// Takes the records that fit, by partition key, which is text, then offset: the order in which a batch is written and
/// halved.
fn take(lanes: &mut BTreeMap<i32, Lane>, settings: &Settings, fitting: Fitting) -> Vec<Record> {
    let mut records = Vec::with_capacity(fitting.records());
    let mut partitions = fitting.take;
    partitions.sort_by_cached_key(|(partition, _)| settings.partition_key(*partition));
    for (partition, count) in partitions {
        if let Some(lane) = lanes.get_mut(&partition) {
            records.extend(std::iter::from_fn(|| lane.pop()).take(count));
        }
    }
    records
}

/// How many records of each partition fit into one batch.
struct Fitting {
    take: Vec<(i32, usize)>,
    /// Whether a further record would not have fitted, or the batch size is reached.
    full: bool,
}

impl Fitting {
    fn records(&self) -> usize {
        self.take.iter().map(|(_, count)| count).sum()
    }
}

fn fitting(lanes: &BTreeMap<i32, Lane>, settings: &Settings, order: &[i32]) -> Fitting {
    let mut fitting = Fitting { take: Vec::new(), full: false };
    let mut weight = Weight::empty(settings);
    for (partition, lane) in order.iter().filter_map(|partition| Some((*partition, lanes.get(partition)?))) {
        let room = settings.batch_size - fitting.records();
        let mut count = 0;
        for record in lane.pending.iter().take(room) {
            let heavier = weight.plus(settings, record, count == 0);
            if heavier.bytes() > PAYLOAD_BYTES_MAX {
                fitting.full = true;
                break;
            }
            weight = heavier;
            count += 1;
        }
        if count > 0 {
            fitting.take.push((partition, count));
        }
        fitting.full |= fitting.records() == settings.batch_size;
        if fitting.full {
            break;
        }
    }
    fitting
}
