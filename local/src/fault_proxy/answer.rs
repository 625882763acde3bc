//! DynamoDB's refusals as it spells them: status, headers with the body's checksum, and the error as JSON. SDKs tell
//! errors apart by `__type`
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.LowLevelAPI.html>).

use bytes::Bytes;
use http_body_util::Full;
use hyper::http::HeaderMap;
use hyper::{Response, StatusCode};
use serde_json::{Value, json};

use super::faults::Refusal;

/// The operation that a request's `x-amz-target` names, without the API's version; empty when it names none.
pub(super) fn operation(headers: &HeaderMap) -> &str {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    target.rsplit_once('.').map_or("", |(_, operation)| operation)
}

/// The answer to a refused request with this body; `dice` chooses the action that a cancelled transaction blames.
pub(super) fn refusal(refusal: Refusal, dice: usize, request: &[u8]) -> anyhow::Result<Response<Full<Bytes>>> {
    match refusal {
        Refusal::Error(name) => error(name, &json!({ "message": message(name) })),
        Refusal::Cancelled(code) => {
            let actions = member(request, "TransactItems").as_array().map_or(1, Vec::len).max(1);
            error("TransactionCanceledException", &cancelled(code, actions, dice))
        }
        Refusal::Unprocessed => {
            let body = json!({ "Responses": {}, "UnprocessedKeys": member(request, "RequestItems") });
            answer(StatusCode::OK, None, &body)
        }
    }
}

/// One action is refused by `code`, the others have nothing to say; as DynamoDB names all codes in its message.
fn cancelled(code: &str, actions: usize, dice: usize) -> Value {
    let refused = dice.checked_rem(actions).unwrap_or(0);
    let codes: Vec<&str> = (0..actions).map(|action| if action == refused { code } else { "None" }).collect();
    let reason = |code: &&str| match *code {
        "None" => json!({ "Code": "None" }),
        code => json!({ "Code": code, "Message": message(code) }),
    };
    let shown = codes.join(", ");
    json!({
        "Message": format!("Transaction cancelled, please refer cancellation reasons for specific reasons [{shown}]"),
        "CancellationReasons": codes.iter().map(reason).collect::<Vec<_>>(),
    })
}

fn message(name: &str) -> &'static str {
    match name {
        "ThrottlingException" | "ThrottlingError" => "Throughput exceeds the current capacity of your table or index.",
        "ProvisionedThroughputExceededException" | "ProvisionedThroughputExceeded" => {
            "The level of configured provisioned throughput for the table was exceeded."
        }
        "RequestLimitExceeded" => "Throughput exceeds the current throughput limit for your account.",
        "TransactionConflictException" | "TransactionConflict" => "Transaction is ongoing for the item",
        "TransactionInProgressException" => "Transaction is ongoing for the given ClientRequestToken",
        _ => "Refused.",
    }
}

fn member(request: &[u8], name: &str) -> Value {
    let request: Value = serde_json::from_slice(request).unwrap_or_default();
    request.get(name).cloned().unwrap_or_else(|| json!({}))
}

fn error(name: &str, members: &Value) -> anyhow::Result<Response<Full<Bytes>>> {
    let mut body = json!({ "__type": format!("com.amazonaws.dynamodb.v20120810#{name}") });
    if let (Some(body), Some(members)) = (body.as_object_mut(), members.as_object()) {
        body.extend(members.clone());
    }
    answer(StatusCode::BAD_REQUEST, Some(name), &body)
}

fn answer(status: StatusCode, error: Option<&str>, body: &Value) -> anyhow::Result<Response<Full<Bytes>>> {
    let body = serde_json::to_vec(body)?;
    let mut answer = Response::builder()
        .status(status)
        .header("content-type", "application/x-amz-json-1.0")
        .header("x-amzn-requestid", format!("{:032X}{:020X}", fastrand::u128(..), fastrand::u64(..)))
        .header("x-amz-crc32", crc32fast::hash(&body).to_string());
    if let Some(name) = error {
        answer = answer.header("x-amzn-errortype", name);
    }
    Ok(answer.body(Full::new(Bytes::from(body)))?)
}
