//! What a destination receives, as AWS documents it: metadata of the batch for SQS and SNS, the event as well for S3, and
//! one message a record for a topic. Pure.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::Destination;
use crate::engine::{GivenUp, Task};
use crate::payload;
use crate::record::Record;
use crate::settings::{Settings, random_uuid};

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    /// The record's own key, for a topic.
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) body: String,
    /// How many records it stands for.
    pub(crate) records: usize,
}

/// The messages for records that are given up.
pub(crate) fn messages(
    settings: &Settings,
    destination: &Destination,
    task: &Task,
    given_up: &GivenUp,
    unix_millis: i64,
) -> Vec<Message> {
    let envelope = |records: &[Record]| {
        let event = payload::event(settings, records);
        let mut envelope = envelope(settings, destination, task, given_up, unix_millis);
        envelope["KafkaBatchInfo"] = json!({
            "batchSize": records.len(),
            "bootstrapServers": settings.bootstrap_servers,
            "payloadSize": event.len(),
        });
        (envelope, event)
    };
    match destination {
        Destination::Http { with_event, .. } => {
            let (mut message, event) = envelope(&task.records);
            message["KafkaBatchInfo"]["recordsInfo"] = records_info(settings, &task.records);
            if *with_event {
                message["payload"] = Value::from(String::from_utf8_lossy(&event));
            }
            vec![Message { key: None, body: message.to_string(), records: task.records.len() }]
        }
        Destination::Kafka { .. } => {
            let of_record = |record: &Record| {
                let (mut message, event) = envelope(std::slice::from_ref(record));
                let (offset, timestamp) = (record.offset.to_string(), rfc3339(record.timestamp));
                message["KafkaBatchInfo"]["recordInfo"] = json!({"offset": offset, "timestamp": timestamp});
                message["payload"] = serde_json::from_slice(&event).unwrap_or_default();
                Message { key: key(record), body: message.to_string(), records: 1 }
            };
            task.records.iter().map(of_record).collect()
        }
    }
}

fn envelope(
    settings: &Settings,
    destination: &Destination,
    task: &Task,
    given_up: &GivenUp,
    unix_millis: i64,
) -> Value {
    let response = given_up.response.as_ref();
    let request_id = response.and_then(|response| response.request_id.clone()).unwrap_or_else(random_uuid);
    json!({
        "requestContext": {
            "requestId": request_id,
            "functionArn": function_arn(&settings.function),
            "condition": given_up.condition.as_str(destination),
            "approximateInvokeCount": task.invokes,
        },
        "responseContext": response.map(|response| {
            let version = response.executed_version.as_deref().unwrap_or("$LATEST");
            let mut context = json!({"statusCode": 200, "executedVersion": version});
            if let Some(error) = &response.function_error {
                context["functionError"] = Value::from(error.as_str());
            }
            context
        }),
        "version": "1.0",
        "timestamp": rfc3339(unix_millis),
    })
}

/// By partition key: the first and the last record.
fn records_info(settings: &Settings, records: &[Record]) -> Value {
    let mut partitions = BTreeMap::new();
    for records in records.chunk_by(|a, b| a.partition == b.partition) {
        if let (Some(first), Some(last)) = (records.first(), records.last()) {
            let info = json!({
                "firstRecordOffset": first.offset.to_string(),
                "lastRecordOffset": last.offset.to_string(),
                "firstRecordTimestamp": rfc3339(first.timestamp),
                "lastRecordTimestamp": rfc3339(last.timestamp),
            });
            partitions.insert(settings.partition_key(first.partition), info);
        }
    }
    json!(partitions)
}

fn function_arn(function: &str) -> String {
    match function.starts_with("arn:") {
        true => function.to_owned(),
        false => format!("arn:aws:lambda:us-east-1:123456789012:function:{function}"),
    }
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
