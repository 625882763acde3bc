//! Where an assigned partition is read from: the group's commit, or the mapping's starting position where there is none.
//! What is asked of the broker is gathered first; the choice itself is pure.

use std::collections::BTreeSet;
use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::topic_partition_list::Offset;

use crate::settings::{Settings, Start};

/// Long enough for a broker that has just started.
const BROKER_TIMEOUT: Duration = Duration::from_secs(10);

/// What is known of a partition before its first record is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) committed: Option<i64>,
    /// The oldest offset kept, and the one after the newest.
    pub(crate) low: i64,
    pub(crate) high: i64,
    /// The first offset at or after the starting timestamp, if there is one.
    pub(crate) at_timestamp: Option<i64>,
    /// Whether the partition was there when the mapping started.
    pub(crate) original: bool,
    /// Whether its log was found to end before what was read of it: the commit is of another log.
    pub(crate) cut: bool,
}

/// Where to begin, and whether records before it are lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Begin {
    pub(crate) offset: i64,
    /// Records between the commit and the oldest kept one.
    pub(crate) gap: bool,
}

/// The choice.
pub(crate) fn begin(start: Start, known: Known) -> Begin {
    let plain = |offset| Begin { offset, gap: false };
    match (known.committed, start) {
        // Retention has passed the commit; or the topic is another than the one that was committed to.
        (Some(committed), _) if known.cut || committed < known.low || committed > known.high => {
            Begin { offset: known.low, gap: true }
        }
        (Some(committed), _) => plain(committed),
        (None, _) if !known.original => plain(known.low),
        (None, Start::TrimHorizon) => plain(known.low),
        (None, Start::Latest) => plain(known.high),
        (None, Start::AtTimestamp(_)) => plain(known.at_timestamp.unwrap_or(known.high)),
    }
}

/// Asks the broker about each partition, and chooses. `original` is how many partitions there were at the start, `cut` those
/// whose log was cut short or made anew.
pub(crate) fn resolve<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    settings: &Settings,
    partitions: &[i32],
    original: i32,
    cut: &BTreeSet<i32>,
) -> KafkaResult<Vec<(i32, i64)>> {
    if partitions.is_empty() {
        // A member beyond the number of partitions; some brokers take a question about nothing for one about everything.
        return Ok(Vec::new());
    }
    let list = |offset: Offset| {
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for partition in partitions {
            list.add_partition_offset(&settings.topic, *partition, offset)?;
        }
        Ok::<_, KafkaError>(list)
    };
    let committed = consumer.committed_offsets(list(Offset::Invalid)?, BROKER_TIMEOUT)?;
    // Before the times are asked for: what is written in between is behind the end that stands for "nothing newer".
    let mut bounds = Vec::with_capacity(partitions.len());
    for partition in partitions {
        bounds.push(consumer.fetch_watermarks(&settings.topic, *partition, BROKER_TIMEOUT)?);
    }
    let at_timestamp = match settings.start {
        Start::AtTimestamp(millis) => consumer.offsets_for_times(list(Offset::Offset(millis))?, BROKER_TIMEOUT)?,
        Start::TrimHorizon | Start::Latest => TopicPartitionList::new(),
    };
    let mut begins = Vec::with_capacity(partitions.len());
    for (partition, (low, high)) in partitions.iter().zip(bounds) {
        let committed = offset_of(&committed, settings, *partition)?;
        let at_timestamp = offset_of(&at_timestamp, settings, *partition)?;
        let (original, cut) = (*partition < original, cut.contains(partition));
        let known = Known { committed, low, high, at_timestamp, original, cut };
        let Begin { offset, gap } = begin(settings.start, known);
        if gap {
            let topic = &settings.topic;
            tracing::error!(topic, partition, committed, low, high, "the commit is not in the log: records are lost");
        }
        begins.push((*partition, offset));
    }
    Ok(begins)
}

/// A partition's offset in a broker's answer, if it has a real one.
fn offset_of(list: &TopicPartitionList, settings: &Settings, partition: i32) -> KafkaResult<Option<i64>> {
    let Some(element) = list.find_partition(&settings.topic, partition) else { return Ok(None) };
    element.error()?;
    match element.offset() {
        Offset::Offset(offset) => Ok(Some(offset)),
        Offset::Beginning | Offset::End | Offset::Stored | Offset::Invalid | Offset::OffsetTail(_) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: Known =
        Known { committed: None, low: 5, high: 100, at_timestamp: Some(42), original: true, cut: false };
    const STARTS: [Start; 3] = [Start::TrimHorizon, Start::Latest, Start::AtTimestamp(1)];

    #[test]
    fn c48_a_commit_outweighs_every_starting_position() {
        for start in STARTS {
            let known = Known { committed: Some(17), ..KNOWN };
            assert_eq!(begin(start, known), Begin { offset: 17, gap: false });
        }
    }

    #[test]
    fn c49_a_fresh_group_begins_where_the_mapping_says() {
        assert_eq!(STARTS.map(|start| begin(start, KNOWN).offset), [5, 100, 42]);
        let nothing_newer = Known { at_timestamp: None, ..KNOWN };
        assert_eq!(begin(Start::AtTimestamp(1), nothing_newer).offset, 100);
    }

    #[test]
    fn a_commit_that_is_no_more_in_the_log_goes_on_at_the_oldest_record_and_is_a_gap() {
        for committed in [4, 101] {
            let known = Known { committed: Some(committed), ..KNOWN };
            assert_eq!(begin(Start::Latest, known), Begin { offset: 5, gap: true });
        }
        for committed in [5, 100] {
            let known = Known { committed: Some(committed), ..KNOWN };
            assert_eq!(begin(Start::Latest, known), Begin { offset: committed, gap: false });
        }
    }

    #[test]
    fn a_commit_to_another_log_is_a_gap_wherever_it_is() {
        let known = Known { committed: Some(50), cut: true, ..KNOWN };
        assert_eq!(begin(Start::Latest, known), Begin { offset: 5, gap: true });
    }

    #[test]
    fn a_partition_added_later_is_read_from_its_start() {
        for start in STARTS {
            assert_eq!(begin(start, Known { original: false, ..KNOWN }).offset, 5);
        }
    }
}
