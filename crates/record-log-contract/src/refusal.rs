//! What a log does not take, and that it goes on afterwards.

use record_log::{Delivery, Log, LogError};

use crate::{Subject, Topics, record, values};

pub(crate) async fn an_unknown_topic_takes_nothing<L: Log, T: Topics>(log: &Subject<'_, L, T>, topic: &str) {
    let produced = log.produce(record(topic, Some(0), Some("key"), "x")).await;
    assert!(matches!(produced, Err(LogError::UnknownTopic(_))), "{produced:?}");
    let counted = log.partitions(topic).await;
    assert!(matches!(counted, Err(LogError::UnknownTopic(_))), "{counted:?}");
}

pub(crate) async fn an_unknown_partition_takes_nothing<L: Log, T: Topics>(log: &Subject<'_, L, T>, topic: &str) {
    log.make_topic(topic, 2).await;
    let produced = log.produce(record(topic, Some(2), Some("key"), "x")).await;
    assert!(matches!(produced, Err(LogError::UnknownTopic(_))), "{produced:?}");
    for partition in 0..2 {
        assert_eq!(values(log, topic, partition).await, [], "partition {partition}");
    }
}

/// A log without a limit has to take the record: a limit that nobody owned up to loses records.
pub(crate) async fn a_record_that_is_too_large_is_not_written<L: Log, T: Topics>(
    log: &Subject<'_, L, T>,
    topic: &str,
    limit: Option<usize>,
) {
    const LARGE_BYTES: usize = 2_000_000;
    log.make_topic(topic, 1).await;
    let large = "x".repeat(limit.unwrap_or(LARGE_BYTES));
    let produced = log.produce(record(topic, Some(0), Some("key"), &large)).await;
    let offset = match limit {
        Some(_) => {
            assert!(matches!(produced, Err(LogError::TooLarge(_))), "{produced:?}");
            assert_eq!(values(log, topic, 0).await, []);
            0
        }
        None => {
            assert_eq!(produced, Ok(Delivery { partition: 0, offset: Some(0) }));
            1
        }
    };
    let next = log.produce(record(topic, Some(0), Some("key"), "small")).await;
    assert_eq!(next, Ok(Delivery { partition: 0, offset: Some(offset) }), "the record behind the large one");
}
