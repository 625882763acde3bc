//! From what the mapping hands over to what can be decided: the requests of each coupon in log order, and the records
//! that are no request. Nothing here fails: a record that cannot be read is a dead letter.

use std::collections::BTreeMap;

use bytes::Bytes;
use coupon::{
    CouponId, DeadLetterReason, Entry, IssueRequest, Offset, Partition, RequestRecord, Ticket, Timestamp, UserId,
};
use kafka_event::{BadRecord, KafkaEvent, KafkaRecord};

/// Twice what a `traceparent` has today, 55 bytes (<https://www.w3.org/TR/trace-context/#traceparent-header>).
const TRACEPARENT_BYTES_MAX: usize = 110;

/// A request of the log.
#[derive(Debug)]
pub(crate) struct Request {
    /// Where it lies.
    pub(crate) place: Ticket,
    /// Who asks.
    pub(crate) user_id: UserId,
    /// The record as it came.
    pub(crate) source: KafkaRecord,
}

impl Request {
    /// What the core needs of it.
    pub(crate) fn entry(&self) -> Entry {
        Entry {
            offset: self.place.offset,
            timestamp: Timestamp::from_millis_clamped(self.source.timestamp),
            user_id: self.user_id.clone(),
        }
    }

    /// The record's `traceparent`, handed on as it is; none where it is no such thing, for a header can be as large as a
    /// record, and a result that no topic takes would block the partition.
    pub(crate) fn traceparent(&self) -> Option<Bytes> {
        let mut traces = self.source.headers.iter().filter(|header| header.name == "traceparent");
        traces.find_map(|header| header.value.clone().filter(|value| value.len() <= TRACEPARENT_BYTES_MAX))
    }
}

/// One coupon's requests of a batch, ascending by place.
#[derive(Debug)]
pub(crate) struct CouponBatch {
    pub(crate) coupon_id: CouponId,
    pub(crate) requests: Vec<Request>,
}

/// A record that is no request, by what can be told from the record alone.
#[derive(Debug)]
pub(crate) enum DeadRecord {
    /// Whole, but no request.
    Read(KafkaRecord, DeadLetterReason),
    /// The event itself does not say what the record was.
    Unread(Box<BadRecord>),
}

/// What one invocation received, sorted.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) coupons: Vec<CouponBatch>,
    pub(crate) dead: Vec<DeadRecord>,
}

impl Batch {
    /// Sorts an event's records by coupon.
    pub(crate) fn of(event: KafkaEvent) -> Self {
        let mut coupons: BTreeMap<CouponId, Vec<Request>> = BTreeMap::new();
        let mut dead = Vec::new();
        for record in event.partitions.into_iter().flat_map(|partition| partition.records) {
            let record = match record {
                Ok(record) => record,
                Err(bad) => {
                    dead.push(DeadRecord::Unread(bad));
                    continue;
                }
            };
            match decode(&record) {
                Ok((place, IssueRequest { coupon_id, user_id, .. })) => {
                    coupons.entry(coupon_id).or_default().push(Request { place, user_id, source: record });
                }
                Err(reason) => dead.push(DeadRecord::Read(record, reason)),
            }
        }
        let in_log_order = |(coupon_id, mut requests): (CouponId, Vec<Request>)| {
            requests.sort_by_key(|request| request.place);
            CouponBatch { coupon_id, requests }
        };
        Self { coupons: coupons.into_iter().map(in_log_order).collect(), dead }
    }
}

fn decode(record: &KafkaRecord) -> Result<(Ticket, IssueRequest), DeadLetterReason> {
    // A place that is none cannot come from a broker; whatever claims it is not readable as a record.
    let partition = Partition::new(record.partition).map_err(|_source| DeadLetterReason::Undecodable)?;
    let offset = Offset::new(record.offset).map_err(|_source| DeadLetterReason::Undecodable)?;
    let value = record.value.as_deref().unwrap_or_default();
    // serde reads a struct from an array as well; the contract asks for an object.
    if value.trim_ascii_start().first() != Some(&b'{') {
        return Err(DeadLetterReason::Undecodable);
    }
    let decoded: RequestRecord = serde_json::from_slice(value).map_err(|_source| DeadLetterReason::Undecodable)?;
    let request = decoded.check(record.key.as_deref())?;
    Ok((Ticket { partition, offset }, request))
}
