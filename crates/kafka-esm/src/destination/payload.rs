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

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::json;

    use super::*;
    use crate::clock;
    use crate::destination::Condition;
    use crate::mapping::Mapping;
    use crate::response::ResponseContext;

    const QUEUE: &str = "arn:aws:sqs:ap-northeast-2:123456789012:failed";
    const BUCKET: &str = "arn:aws:s3:::failed";
    const TOPIC: &str = "kafka://failed";
    const REQUEST_ID: &str = "6f0c2f0e-0000-4000-8000-5d1c3f7a9b21";
    const TWO_SERVERS: [&str; 2] = ["redpanda-0.example.internal:9093", "redpanda-1.example.internal:9093"];
    const EVENT_OF_TWO: &str = r#"{"eventSource":"SelfManagedKafka","bootstrapServers":"redpanda-0.example.internal:9093,redpanda-1.example.internal:9093","records":{"coupon-issue-request-0":[{"topic":"coupon-issue-request","partition":0,"offset":15,"timestamp":1795143600123,"timestampType":"CREATE_TIME","key":"c3ByaW5nLXNhbGU=","value":"eyJ0eXBlIjoiaXNzdWUifQ==","headers":[]},{"topic":"coupon-issue-request","partition":0,"offset":16,"timestamp":1795143600131,"timestampType":"CREATE_TIME","key":"c3ByaW5nLXNhbGU=","value":"eyJ0eXBlIjoiaXNzdWUifQ==","headers":[]}]}}"#;
    const SIZE_OF_TWO: usize = 536;

    fn settings(destination: &str, servers: &[&str]) -> Settings {
        let (mapping, emulator) = Mapping::from_value(json!({
            "FunctionName": "arn:aws:lambda:ap-northeast-2:123456789012:function:issue-worker",
            "Topics": ["coupon-issue-request"], "StartingPosition": "TRIM_HORIZON",
            "SelfManagedEventSource": {"Endpoints": {"KafkaBootstrapServers": servers}},
            "DestinationConfig": {"OnFailure": {"Destination": destination}},
            "Emulator": {"provisioned": true,
                "destinations": {QUEUE: "http://127.0.0.1:1/", BUCKET: "http://127.0.0.1:1/"}},
        }))
        .unwrap();
        Settings::new(&mapping, &emulator, &BTreeMap::new()).unwrap()
    }

    fn record(offset: i64, timestamp: i64) -> Record {
        let json = format!(
            r#"{{"topic":"coupon-issue-request","partition":0,"offset":{offset},"timestamp":{timestamp},"timestampType":"CREATE_TIME","key":"c3ByaW5nLXNhbGU=","value":"eyJ0eXBlIjoiaXNzdWUifQ==","headers":[]}}"#
        );
        Record { partition: 0, offset, timestamp, arrived: clock::now(), json: Bytes::from(json) }
    }

    /// The messages for records that have failed four times, at 03:00:09.5.
    fn letters(settings: &Settings, records: Vec<Record>, response: Option<ResponseContext>) -> Vec<Message> {
        let mut task = Task::new(records, clock::now());
        task.invokes = 4;
        let reason = "4 invocations".to_owned();
        let given_up = GivenUp { condition: Condition::RetryAttemptsExhausted, reason, response };
        let (destination, unix_millis) = (settings.destination.as_ref().unwrap(), 1_795_143_609_500);
        Letter { settings, destination, task: &task, given_up: &given_up, unix_millis }.messages()
    }

    fn failed() -> Option<ResponseContext> {
        let (version, error) = (Some("$LATEST".to_owned()), Some("Unhandled".to_owned()));
        Some(ResponseContext { request_id: Some(REQUEST_ID.into()), executed_version: version, function_error: error })
    }

    fn read(message: &Message) -> Value {
        serde_json::from_str(&message.body).unwrap()
    }

    /// ESM's sample, but for its illustrative size.
    fn of_two_records() -> Value {
        json!({
            "requestContext": {
                "requestId": REQUEST_ID,
                "functionArn": "arn:aws:lambda:ap-northeast-2:123456789012:function:issue-worker",
                "condition": "RetryAttemptsExhausted", "approximateInvokeCount": 4,
            },
            "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
            "version": "1.0", "timestamp": "2026-11-20T03:00:09.500Z",
            "KafkaBatchInfo": {
                "batchSize": 2,
                "bootstrapServers": "redpanda-0.example.internal:9093,redpanda-1.example.internal:9093",
                "payloadSize": SIZE_OF_TWO,
                "recordsInfo": {
                    "coupon-issue-request-0": {
                        "firstRecordOffset": "15", "lastRecordOffset": "16",
                        "firstRecordTimestamp": "2026-11-20T03:00:00.123Z",
                        "lastRecordTimestamp": "2026-11-20T03:00:00.131Z",
                    },
                },
            },
        })
    }

    fn two_records() -> Vec<Record> {
        vec![record(15, 1_795_143_600_123), record(16, 1_795_143_600_131)]
    }

    #[test]
    fn a_queue_receives_the_metadata_of_the_batch_and_nothing_else() {
        let messages = letters(&settings(QUEUE, &TWO_SERVERS), two_records(), failed());
        assert_eq!(messages.iter().map(read).collect::<Vec<_>>(), [of_two_records()]);
        assert_eq!((&messages[0].key, messages[0].records), (&None, 2));
    }

    #[test]
    fn c43_a_bucket_receives_the_event_as_text_as_well() {
        let mut expected = of_two_records();
        expected["payload"] = json!(EVENT_OF_TWO);
        let messages = letters(&settings(BUCKET, &TWO_SERVERS), two_records(), failed());
        assert_eq!(messages.iter().map(read).collect::<Vec<_>>(), [expected]);
        assert_eq!((&messages[0].key, messages[0].records), (&None, 2));
    }

    #[test]
    fn c41_a_topic_receives_each_record_as_an_object() {
        let messages = letters(&settings(TOPIC, &TWO_SERVERS[..1]), two_records(), failed());
        let expected = |offset: i64, timestamp: i64, shown: &str| {
            json!({
                "requestContext": {
                    "requestId": REQUEST_ID,
                    "functionArn": "arn:aws:lambda:ap-northeast-2:123456789012:function:issue-worker:$LATEST",
                    "condition": "RetriesExhausted", "approximateInvokeCount": 4,
                },
                "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
                "version": "1.0", "timestamp": "2026-11-20T03:00:09.500Z",
                "KafkaBatchInfo": {
                    "batchSize": 1, "bootstrapServers": "redpanda-0.example.internal:9093", "payloadSize": 315,
                    "recordInfo": {"offset": offset.to_string(), "timestamp": shown},
                },
                "payload": {
                    "eventSource": "SelfManagedKafka", "bootstrapServers": "redpanda-0.example.internal:9093",
                    "records": {"coupon-issue-request-0": [{
                        "topic": "coupon-issue-request", "partition": 0, "offset": offset, "timestamp": timestamp,
                        "timestampType": "CREATE_TIME", "key": "c3ByaW5nLXNhbGU=",
                        "value": "eyJ0eXBlIjoiaXNzdWUifQ==", "headers": [],
                    }]},
                },
            })
        };
        let both = [
            expected(15, 1_795_143_600_123, "2026-11-20T03:00:00.123Z"),
            expected(16, 1_795_143_600_131, "2026-11-20T03:00:00.131Z"),
        ];
        assert_eq!(messages.iter().map(read).collect::<Vec<_>>(), both);
        for message in &messages {
            assert_eq!((message.key.as_deref(), message.records), (Some(&b"spring-sale"[..]), 1));
        }
    }

    #[test]
    fn what_is_known_of_the_answer_is_told_and_nothing_is_made_up_of_none() {
        let response = |response| {
            let message = read(&letters(&settings(QUEUE, &TWO_SERVERS), two_records(), response)[0]);
            (message["requestContext"]["requestId"].clone(), message["responseContext"].clone())
        };
        let partial = ResponseContext {
            request_id: Some(REQUEST_ID.into()),
            executed_version: Some("7".into()),
            function_error: None,
        };
        assert_eq!(response(Some(partial)), (json!(REQUEST_ID), json!({"statusCode": 200, "executedVersion": "7"})));
        let (request_id, context) = response(None);
        assert_eq!((request_id.as_str().unwrap().len(), context), (36, Value::Null));
    }
}
