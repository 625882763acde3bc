//! What a destination receives, as AWS documents it: metadata of the batch for SQS and SNS, the event as well for S3, and
//! one message a record for a topic. Pure.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;

use super::Destination;
use crate::engine::{GivenUp, Task};
use crate::payload;
use crate::record::Record;
use crate::settings::{Settings, random_uuid};

/// `arn:aws:lambda:REGION:ACCOUNT:function:NAME`; a version or an alias would be one more.
const UNQUALIFIED_PARTS: usize = 7;

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    /// The record's own key, for a topic.
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) body: String,
    /// How many records it stands for.
    pub(crate) records: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    request_context: RequestContext<'a>,
    response_context: Option<AnswerContext<'a>>,
    version: &'static str,
    timestamp: String,
    #[serde(rename = "KafkaBatchInfo")]
    batch: BatchInfo<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<Payload<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RequestContext<'a> {
    request_id: String,
    function_arn: String,
    condition: &'a str,
    approximate_invoke_count: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AnswerContext<'a> {
    status_code: u16,
    executed_version: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_error: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BatchInfo<'a> {
    batch_size: usize,
    bootstrap_servers: &'a str,
    payload_size: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    records_info: Option<BTreeMap<String, Span>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    record_info: Option<Place>,
}

/// Offsets are strings here, unlike in the event.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Span {
    first_record_offset: String,
    last_record_offset: String,
    first_record_timestamp: String,
    last_record_timestamp: String,
}

#[derive(Serialize)]
struct Place {
    offset: String,
    timestamp: String,
}

/// The event: as text for S3, as an object for a topic.
#[derive(Serialize)]
#[serde(untagged)]
enum Payload<'a> {
    Text(&'a str),
    Object(Value),
}

/// What all messages of a task share.
pub(crate) struct Letter<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) destination: &'a Destination,
    pub(crate) task: &'a Task,
    pub(crate) given_up: &'a GivenUp,
    pub(crate) unix_millis: i64,
}

impl Letter<'_> {
    /// The messages for records that are given up.
    pub(crate) fn messages(&self) -> Vec<Message> {
        match self.destination {
            Destination::Http { with_event, .. } => vec![self.of_batch(*with_event)],
            Destination::Kafka { .. } => self.task.records.iter().map(|record| self.of_record(record)).collect(),
        }
    }

    fn of_batch(&self, with_event: bool) -> Message {
        let records = &self.task.records;
        let event = payload::event(self.settings, records);
        let text = String::from_utf8_lossy(&event);
        let payload = with_event.then(|| Payload::Text(&text));
        let batch = BatchInfo { records_info: Some(spans(self.settings, records)), ..self.batch(records, event.len()) };
        Message { key: None, body: self.envelope(batch, payload), records: records.len() }
    }

    fn of_record(&self, record: &Record) -> Message {
        let event = payload::event(self.settings, std::slice::from_ref(record));
        let place = Place { offset: record.offset.to_string(), timestamp: rfc3339(record.timestamp) };
        let batch = BatchInfo { record_info: Some(place), ..self.batch(std::slice::from_ref(record), event.len()) };
        let payload = Payload::Object(serde_json::from_slice(&event).unwrap_or_default());
        Message { key: key(record), body: self.envelope(batch, Some(payload)), records: 1 }
    }

    /// AWS's samples name the function's version to a topic and to nobody else.
    fn function_arn(&self) -> String {
        let function = &self.settings.function;
        let arn = match function.starts_with("arn:") {
            true => function.to_owned(),
            false => format!("arn:aws:lambda:us-east-1:123456789012:function:{function}"),
        };
        let qualified = arn.split(':').count() > UNQUALIFIED_PARTS;
        match self.destination {
            Destination::Kafka { .. } if !qualified => arn + ":$LATEST",
            Destination::Kafka { .. } | Destination::Http { .. } => arn,
        }
    }

    fn batch(&self, records: &[Record], payload_size: usize) -> BatchInfo<'_> {
        let bootstrap_servers = &self.settings.bootstrap_servers;
        BatchInfo { batch_size: records.len(), bootstrap_servers, payload_size, records_info: None, record_info: None }
    }

    fn envelope(&self, batch: BatchInfo<'_>, payload: Option<Payload<'_>>) -> String {
        let response = self.given_up.response.as_ref();
        let envelope = Envelope {
            request_context: RequestContext {
                request_id: response.and_then(|response| response.request_id.clone()).unwrap_or_else(random_uuid),
                function_arn: self.function_arn(),
                condition: self.given_up.condition.as_str(self.destination),
                approximate_invoke_count: self.task.invokes,
            },
            response_context: response.map(|response| AnswerContext {
                status_code: 200,
                executed_version: response.executed_version.as_deref().unwrap_or("$LATEST"),
                function_error: response.function_error.as_deref(),
            }),
            version: "1.0",
            timestamp: rfc3339(self.unix_millis),
            batch,
            payload,
        };
        // Strings and numbers alone: there is nothing that JSON could not say.
        serde_json::to_string(&envelope).unwrap_or_default()
    }
}

/// By partition key: the first and the last record.
fn spans(settings: &Settings, records: &[Record]) -> BTreeMap<String, Span> {
    let span = |records: &[Record]| {
        let (first, last) = (records.first()?, records.last()?);
        let span = Span {
            first_record_offset: first.offset.to_string(),
            last_record_offset: last.offset.to_string(),
            first_record_timestamp: rfc3339(first.timestamp),
            last_record_timestamp: rfc3339(last.timestamp),
        };
        Some((settings.partition_key(first.partition), span))
    };
    records.chunk_by(|a, b| a.partition == b.partition).filter_map(span).collect()
}

/// From the record's own JSON: the bytes are not kept twice for a case this rare.
fn key(record: &Record) -> Option<Vec<u8>> {
    let json: Value = serde_json::from_slice(&record.json).ok()?;
    STANDARD.decode(json.get("key")?.as_str()?).ok()
}

/// `2026-11-20T03:00:09.500Z`; a producer's impossible timestamp is shown as the number that it is.
pub(crate) fn rfc3339(millis: i64) -> String {
    let Ok(date) = OffsetDateTime::from_unix_timestamp(millis.div_euclid(1000)) else { return millis.to_string() };
    let (month, thousandths) = (u8::from(date.month()), millis.rem_euclid(1000));
    let (hour, minute, second) = date.to_hms();
    format!("{:04}-{month:02}-{:02}T{hour:02}:{minute:02}:{second:02}.{thousandths:03}Z", date.year(), date.day())
}
