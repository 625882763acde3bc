//! What leaves the worker: a result record for every decided request, and the records that are no request, untouched,
//! for the dead-letter topic.

use std::time::Duration;

use bytes::Bytes;
use coupon::{DeadLetterReason, IssueResult};
use coupon_store::Deadline;
use futures_util::{Stream, StreamExt, TryStreamExt};
use kafka::{Header, Log, LogError, Record, Topic};
use kafka_event::KafkaRecord;

use crate::{batch::DeadRecord, settle::Decided};

/// How many records are under way at once: enough to fill the producer's batches, few enough to bound what a batch of
/// 10,000 holds in memory.
const IN_FLIGHT_MAX: usize = 1_000;

/// How long to wait before a full queue is tried again; it drains within a round trip.
const QUEUE_FULL_DELAY: Duration = Duration::from_millis(5);

/// A result's topic: keyed by coupon, as the request's.
pub(crate) type ResultTopic = Topic<str, IssueResult>;

/// The result of one request. The same request gives the same record, byte for byte, whenever it is published.
pub(crate) fn result_record(topic: &ResultTopic, decided: &Decided<'_>) -> Result<Record, LogError> {
    let result = IssueResult {
        request_id: decided.ticket,
        coupon_id: decided.coupon_id.clone(),
        user_id: decided.request.user_id.clone(),
        status: decided.outcome.into(),
    };
    let mut record = topic.record(decided.coupon_id.as_str(), &result)?;
    let traceparent = decided.request.traceparent();
    record.headers.extend(traceparent.map(|value| Header { name: "traceparent".into(), value: Some(value) }));
    Ok(record)
}

/// A whole record that is no request, as a dead letter: key, value and headers untouched, the reason and the place
/// appended.
pub(crate) fn dead_letter(topic: &str, source: &KafkaRecord, reason: DeadLetterReason) -> Record {
    let place = Place { topic: Some(&source.topic), partition: Some(source.partition), offset: Some(source.offset) };
    Record {
        topic: topic.to_owned(),
        partition: None,
        key: source.key.clone(),
        value: source.value.clone(),
        headers: place.appended_to(&source.headers, reason),
    }
}

/// The dead letter of a record, whatever is known of it.
pub(crate) fn dead_letter_of(topic: &str, dead: &DeadRecord) -> Record {
    match dead {
        DeadRecord::Read(source, reason) => dead_letter(topic, source, *reason),
        DeadRecord::Unread(bad) => {
            let place = Place { topic: bad.topic.as_deref(), partition: bad.partition, offset: bad.offset };
            Record {
                topic: topic.to_owned(),
                partition: None,
                key: bad.key.clone(),
                value: bad.value.clone(),
                headers: place.appended_to(&bad.headers, DeadLetterReason::Undecodable),
            }
        }
    }
}

/// Where a dead letter came from, as far as it is known.
struct Place<'a> {
    topic: Option<&'a str>,
    partition: Option<i32>,
    offset: Option<i64>,
}

impl Place<'_> {
    fn appended_to(&self, headers: &[kafka_event::Header], reason: DeadLetterReason) -> Vec<Header> {
        let own = |header: &kafka_event::Header| Header { name: header.name.clone(), value: header.value.clone() };
        let text = |name: &str, value: Option<String>| Header { name: name.into(), value: value.map(Bytes::from) };
        let appended = [
            text("dlq-reason", Some(reason.to_string())),
            text("dlq-topic", self.topic.map(str::to_owned)),
            text("dlq-partition", self.partition.map(|partition| partition.to_string())),
            text("dlq-offset", self.offset.map(|offset| offset.to_string())),
        ];
        headers.iter().map(own).chain(appended).collect()
    }
}

/// Produces every record as it comes, and waits for every acknowledgement.
///
/// # Errors
/// The first record's that was not acknowledged before the deadline; others may be in the log.
pub(crate) async fn publish<L: Log>(
    log: &L,
    records: impl Stream<Item = Result<Record, LogError>>,
    deadline: Deadline,
) -> Result<(), LogError> {
    let produced = records
        .map(|record| async { produce(log, record?).await })
        .buffer_unordered(IN_FLIGHT_MAX)
        .try_for_each(|()| std::future::ready(Ok(())));
    match tokio::time::timeout_at(deadline.instant(), produced).await {
        Ok(done) => done,
        Err(_elapsed) => Err(LogError::Unavailable("the invocation's time is over".into())),
    }
}

/// Produces one record; a full queue is waited for, since it only says that we are faster than the broker.
async fn produce<L: Log>(log: &L, record: Record) -> Result<(), LogError> {
    loop {
        match log.produce(record.clone()).await {
            Ok(_delivery) => return Ok(()),
            Err(LogError::QueueFull(_)) => tokio::time::sleep(QUEUE_FULL_DELAY).await,
            Err(error) => return Err(error),
        }
    }
}
