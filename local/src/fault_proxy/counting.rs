//! Counts the units that calls consume, as the engine reports them: a call is asked to report, and its answer is read.
//! What an answer does not report, because the call was refused, is counted as DynamoDB charges it
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html>).

use std::sync::{Mutex, PoisonError};

use bench_report::Units;
use bytes::Bytes;
use http_body_util::{BodyExt, Either, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_LENGTH, HeaderValue};
use hyper::{Request, Response};
use serde_json::Value;

use super::{BODY_BYTES_MAX, Proxy};

/// Units of each action of a cancelled transaction, for items of up to 1 KB.
const CANCELLED_ACTION: f64 = 2.0;
/// Units of a write whose condition was refused.
const REFUSED_WRITE: f64 = 1.0;

/// Operations on items; the others cost nothing.
const WRITES: [&str; 5] = ["PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems"];
const READS: [&str; 5] = ["GetItem", "BatchGetItem", "Query", "Scan", "TransactGetItems"];

/// A running sum.
#[derive(Debug, Default)]
pub(super) struct Counted(Mutex<Units>);

impl Counted {
    pub(super) fn units(&self) -> Units {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, units: Units) {
        let mut sum = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sum.read += units.read;
        sum.write += units.write;
    }
}

type Answer = Response<Either<Incoming, Full<Bytes>>>;

impl Proxy {
    /// Hands a call on, asked to report what it consumes, and adds that up.
    pub(super) async fn count(
        &self,
        counted: &Counted,
        operation: &str,
        request: Request<Incoming>,
    ) -> anyhow::Result<Answer> {
        if !WRITES.contains(&operation) && !READS.contains(&operation) {
            return Ok(self.forward(request).await?.map(Either::Left));
        }
        let (mut head, body) = request.into_parts();
        let body = collected(body).await?;
        let asked = reporting(&body).map_or(body, Bytes::from);
        head.headers.insert(CONTENT_LENGTH, HeaderValue::from(asked.len()));
        let answer = self.send(Request::from_parts(head, Either::Right(Full::new(asked.clone())))).await?;
        let (head, body) = answer.into_parts();
        let body = collected(body).await?;
        counted.add(consumed(operation, &asked, &body));
        Ok(Response::from_parts(head, Either::Right(Full::new(body))))
    }
}

async fn collected(body: Incoming) -> anyhow::Result<Bytes> {
    let body = Limited::new(body, BODY_BYTES_MAX).collect().await;
    Ok(body.map_err(|error| anyhow::anyhow!("no body: {error}"))?.to_bytes())
}

/// The same call with the wish to be told; none for what is no JSON object, which is the engine's to refuse.
fn reporting(body: &[u8]) -> Option<Vec<u8>> {
    let mut call: Value = serde_json::from_slice(body).ok()?;
    call.as_object_mut()?.insert("ReturnConsumedCapacity".into(), "TOTAL".into());
    serde_json::to_vec(&call).ok()
}

/// What an answer says that its call consumed.
fn consumed(operation: &str, asked: &[u8], answer: &[u8]) -> Units {
    let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
    let units = match answer.get("ConsumedCapacity") {
        Some(Value::Array(tables)) => tables.iter().map(capacity).sum(),
        Some(table) => capacity(table),
        None => refused(operation, asked, &answer),
    };
    if WRITES.contains(&operation) { Units { read: 0.0, write: units } } else { Units { read: units, write: 0.0 } }
}

fn capacity(table: &Value) -> f64 {
    table.get("CapacityUnits").and_then(Value::as_f64).unwrap_or(0.0)
}

fn refused(operation: &str, asked: &[u8], answer: &Value) -> f64 {
    let error = answer.get("__type").and_then(Value::as_str).unwrap_or_default();
    if error.ends_with("TransactionCanceledException") {
        let call: Value = serde_json::from_slice(asked).unwrap_or_default();
        let actions = call.get("TransactItems").and_then(Value::as_array).map_or(0, Vec::len);
        return CANCELLED_ACTION * f64::from(u32::try_from(actions).unwrap_or(u32::MAX));
    }
    let conditional = error.ends_with("ConditionalCheckFailedException") && WRITES.contains(&operation);
    if conditional { REFUSED_WRITE } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn units(operation: &str, asked: &str, answer: &str) -> Units {
        consumed(operation, asked.as_bytes(), answer.as_bytes())
    }

    #[test]
    fn a_call_is_asked_to_report_and_stays_the_same_otherwise() {
        let asked = reporting(br#"{"TableName":"coupons","ReturnConsumedCapacity":"NONE"}"#).unwrap();
        let asked: Value = serde_json::from_slice(&asked).unwrap();
        assert_eq!(asked, serde_json::json!({"TableName": "coupons", "ReturnConsumedCapacity": "TOTAL"}));
        assert_eq!(reporting(b"no JSON"), None);
    }

    #[test]
    fn a_transaction_over_two_tables_costs_what_both_report() {
        let answer = r#"{"ConsumedCapacity":[{"CapacityUnits":2.0},{"CapacityUnits":198.0}]}"#;
        assert_eq!(units("TransactWriteItems", "{}", answer), Units { read: 0.0, write: 200.0 });
        let answer = r#"{"Item":{},"ConsumedCapacity":{"CapacityUnits":0.5}}"#;
        assert_eq!(units("GetItem", "{}", answer), Units { read: 0.5, write: 0.0 });
    }

    #[test]
    fn what_is_refused_costs_all_the_same() {
        let cancelled = r#"{"__type":"com.amazonaws.dynamodb.v20120810#TransactionCanceledException"}"#;
        let asked = r#"{"TransactItems":[{},{},{}]}"#;
        assert_eq!(units("TransactWriteItems", asked, cancelled).write, 6.0);
        let conditional = r#"{"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException"}"#;
        assert_eq!(units("PutItem", "{}", conditional).write, 1.0);
        assert_eq!(units("PutItem", "{}", r#"{"__type":"x#ValidationException"}"#).write, 0.0);
    }
}
