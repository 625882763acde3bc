//! What an invocation came to, read from the HTTP answer alone: status, the function-error header, the body. Pure, so
//! that every line of ESM's response table is a unit test. What is done about it is `engine/`.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use serde_json::Value;

/// A finished HTTP exchange.
#[derive(Debug, Clone, Default)]
pub(crate) struct HttpAnswer {
    pub(crate) status: u16,
    /// `X-Amz-Function-Error`.
    pub(crate) function_error: Option<String>,
    /// `X-Amz-Executed-Version`.
    pub(crate) executed_version: Option<String>,
    pub(crate) content_type: Option<String>,
    /// `X-Amz-Request-Id` or `x-amzn-RequestId`.
    pub(crate) request_id: Option<String>,
    pub(crate) body: Bytes,
}

/// What is said of an address that answers with HTML.
pub(crate) const PAGE: &str = "a page of HTML, as a web server answers and no Invoke address does; a complete one is \
                               http://HOST:PORT/2015-03-31/functions/NAME/invocations";

impl HttpAnswer {
    /// Whether a web server speaks here: no Invoke address answers with a page, whatever its function returns.
    pub(crate) fn is_page(&self) -> bool {
        let html = self.content_type.as_deref().is_some_and(|kind| kind.to_ascii_lowercase().starts_with("text/html"));
        let start: String = shown(&self.body).trim_start().chars().take(14).collect::<String>().to_ascii_lowercase();
        html && (start.starts_with("<!doctype html") || start.starts_with("<html"))
    }
}

/// How an HTTP exchange ended.
#[derive(Debug, Clone)]
pub(crate) enum Exchange {
    Answered(HttpAnswer),
    /// No answer within the function's time-out: it counts as that time-out.
    TimedOut,
    /// Refused, reset, cut: the function may have run.
    Broken(String),
}

/// What the exchange means for the batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Success,
    /// Offsets by partition, each of them of the batch; never empty.
    Partial(BTreeMap<i32, BTreeSet<i64>>, ResponseContext),
    /// The function failed. Costs a retry, and may bisect.
    FunctionError(Failure),
    /// A partial batch response that names what it may not, or cannot be read. Costs a retry, never bisects.
    InvalidResponse(Failure),
    /// 413: the request was too large for the host.
    TooLarge(String),
    /// The function did not run, or nobody knows. Costs no retry.
    NotInvoked(String),
}

/// A failure, and what a destination is told of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Failure {
    pub(crate) reason: String,
    pub(crate) context: ResponseContext,
}

/// A destination's `responseContext`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct ResponseContext {
    pub(crate) request_id: Option<String>,
    pub(crate) executed_version: Option<String>,
    pub(crate) function_error: Option<String>,
}

/// What the interpretation depends on beside the answer.
pub(crate) struct Request<'a> {
    /// The batch's partitions by their keys, each with its offsets ascending.
    pub(crate) partitions: &'a BTreeMap<String, (i32, Vec<i64>)>,
    pub(crate) partial_responses: bool,
    pub(crate) lenient_errors: bool,
}

/// Reads an exchange.
pub(crate) fn interpret(exchange: &Exchange, request: &Request<'_>) -> Outcome {
    let answer = match exchange {
        Exchange::Answered(answer) => answer,
        Exchange::TimedOut => {
            let reason = "the function's time-out has passed without an answer".to_owned();
            return Outcome::FunctionError(Failure {
                reason,
                context: context(&HttpAnswer::default(), Some("Unhandled")),
            });
        }
        Exchange::Broken(reason) => return Outcome::NotInvoked(reason.clone()),
    };
    if answer.is_page() {
        // Success by its status, were the body not looked at, and then records would be gone that nobody has seen.
        return Outcome::NotInvoked(format!("{}: {PAGE}", answer.status));
    }
    match (answer.status, answer.function_error.as_deref()) {
        (200, Some(kind)) => {
            let context = context(answer, Some(kind));
            Outcome::FunctionError(Failure {
                reason: format!("function error {kind}: {}", shown(&answer.body)),
                context,
            })
        }
        (200, None) => completed(answer, request),
        (413, _) => Outcome::TooLarge(format!("413: {}", shown(&answer.body))),
        (status, _) => Outcome::NotInvoked(format!("{status}: {}", shown(&answer.body))),
    }
}

/// A run without the error header.
fn completed(answer: &HttpAnswer, request: &Request<'_>) -> Outcome {
    let body = serde_json::from_slice::<Value>(&answer.body);
    if request.lenient_errors && body.as_ref().is_ok_and(looks_like_an_error) {
        let reason = format!("function error without its header: {}", shown(&answer.body));
        return Outcome::FunctionError(Failure { reason, context: context(answer, Some("Unhandled")) });
    }
    if !request.partial_responses || answer.body.is_empty() {
        return Outcome::Success;
    }
    let named = body.map_err(|error| format!("the response is no JSON, {error}: {}", shown(&answer.body)));
    match named.and_then(|body| failures(&body, request)) {
        Ok(named) if named.is_empty() => Outcome::Success,
        Ok(named) => Outcome::Partial(named, context(answer, None)),
        Err(reason) => Outcome::InvalidResponse(Failure { reason, context: context(answer, None) }),
    }
}

fn looks_like_an_error(body: &Value) -> bool {
    let text = |name: &str| body.get(name).is_some_and(Value::is_string);
    text("errorType") && text("errorMessage") && body.get("batchItemFailures").is_none()
}

/// The named records. One identifier that is not of the batch makes the whole answer invalid.
fn failures(body: &Value, request: &Request<'_>) -> Result<BTreeMap<i32, BTreeSet<i64>>, String> {
    if body.is_null() || body.as_array().is_some_and(Vec::is_empty) {
        return Ok(BTreeMap::new());
    }
    let wrong = |expected: &str, met: &Value| format!("{expected}, not {}", shown(met.to_string().as_bytes()));
    let object = body.as_object().ok_or_else(|| wrong("the response must be an object", body))?;
    let list = object.get("batchItemFailures").unwrap_or(&Value::Null);
    if list.is_null() {
        return Ok(BTreeMap::new());
    }
    let list = list.as_array().ok_or_else(|| wrong("`batchItemFailures` must be an array", list))?;
    let mut named: BTreeMap<i32, BTreeSet<i64>> = BTreeMap::new();
    for failure in list {
        let (partition, offset) = identified(failure, request)?;
        named.entry(partition).or_default().insert(offset);
    }
    Ok(named)
}

fn identified(failure: &Value, request: &Request<'_>) -> Result<(i32, i64), String> {
    let shown = || shown(failure.to_string().as_bytes());
    let identifier = failure.get("itemIdentifier").filter(|identifier| identifier.is_object());
    let identifier = identifier.ok_or_else(|| format!("no object `itemIdentifier` in {}", shown()))?;
    let key = identifier.get("partition").and_then(Value::as_str);
    let key = key.ok_or_else(|| format!("no string `partition` in {}", shown()))?;
    let offset = identifier.get("offset").and_then(Value::as_i64);
    let offset = offset.ok_or_else(|| format!("no integer `offset` in {}", shown()))?;
    match request.partitions.get(key) {
        None => Err(format!("partition {key:?} is not in the batch")),
        Some((partition, offsets)) if offsets.binary_search(&offset).is_ok() => Ok((*partition, offset)),
        Some(_) => Err(format!("offset {offset} of partition {key:?} is not in the batch")),
    }
}

fn context(answer: &HttpAnswer, function_error: Option<&str>) -> ResponseContext {
    ResponseContext {
        request_id: answer.request_id.clone(),
        executed_version: answer.executed_version.clone(),
        function_error: function_error.map(str::to_owned),
    }
}

/// The start of a body, for the log.
fn shown(body: &[u8]) -> String {
    const SHOWN_CHARS_MAX: usize = 300;
    String::from_utf8_lossy(body).chars().take(SHOWN_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partitions() -> BTreeMap<String, (i32, Vec<i64>)> {
        BTreeMap::from([("t-0".to_owned(), (0, vec![10, 11, 12, 13, 14])), ("t-1".to_owned(), (1, vec![7]))])
    }

    fn read(body: &str) -> Outcome {
        read_as(body, true, false)
    }

    fn read_as(body: &str, partial_responses: bool, lenient_errors: bool) -> Outcome {
        let body = Bytes::copy_from_slice(body.as_bytes());
        let answer = HttpAnswer { status: 200, body, ..HttpAnswer::default() };
        let partitions = partitions();
        interpret(&Exchange::Answered(answer), &Request { partitions: &partitions, partial_responses, lenient_errors })
    }

    fn item(partition: &str, offset: &str) -> String {
        format!(r#"{{"itemIdentifier":{{"partition":{partition},"offset":{offset}}}}}"#)
    }

    fn named(items: &[String]) -> Outcome {
        read(&format!(r#"{{"batchItemFailures":[{}]}}"#, items.join(",")))
    }

    #[test]
    fn c18_every_empty_body_is_read_as_success() {
        let empty =
            ["null", "{}", "[]", r#"{"batchItemFailures":[]}"#, r#"{"batchItemFailures":null}"#, "", r#"{"ok":true}"#];
        for body in empty {
            assert_eq!(read(body), Outcome::Success, "{body}");
        }
    }

    #[test]
    fn c19_c22_the_named_records_are_found_and_named_twice_is_named_once() {
        let expected = BTreeMap::from([(0, BTreeSet::from([12, 14]))]);
        let items = [item(r#""t-0""#, "14"), item(r#""t-0""#, "12"), item(r#""t-0""#, "12")];
        assert_eq!(named(&items), Outcome::Partial(expected, ResponseContext::default()));
    }

    #[test]
    fn c23_c24_one_identifier_that_is_not_of_the_batch_fails_it_whole() {
        for bad in [item(r#""t-9""#, "12"), item(r#""t-0""#, "9"), item(r#""t-1""#, "12"), item(r#""t-0""#, "7")] {
            assert!(matches!(named(&[item(r#""t-0""#, "12"), bad.clone()]), Outcome::InvalidResponse(_)), "{bad}");
        }
    }

    #[test]
    fn c25_an_identifier_of_the_wrong_shape_fails_it_whole() {
        let shapes = [
            r#"{"itemIdentifier":"t-0-12"}"#,
            r#"{"itemIdentifier":null}"#,
            r#"{"itemIdentifier":""}"#,
            "{}",
            "null",
            r#"{"itemIdentifer":{"partition":"t-0","offset":12}}"#,
        ];
        let items = shapes.iter().map(|shape| (*shape).to_owned());
        let offsets = [r#""12""#, "12.5", "-1", "null", "12.0"].map(|offset| item(r#""t-0""#, offset));
        for item in items.chain(offsets).chain([item("0", "12")]) {
            assert!(matches!(named(std::slice::from_ref(&item)), Outcome::InvalidResponse(_)), "{item}");
        }
        for body in [r#"{"batchItemFailures":{}}"#, r#""text""#, "true", "7", "no json", "[1]"] {
            assert!(matches!(read(body), Outcome::InvalidResponse(_)), "{body}");
        }
    }

    #[test]
    fn c26_without_report_batch_item_failures_the_body_is_not_looked_at() {
        for body in [r#"{"batchItemFailures":[{"itemIdentifier":{"partition":"t-0","offset":12}}]}"#, "no json"] {
            assert_eq!(read_as(body, false, false), Outcome::Success);
        }
    }

    #[test]
    fn c27_c28_the_error_header_outweighs_any_body() {
        for kind in ["Handled", "Unhandled"] {
            let body = Bytes::from_static(br#"{"batchItemFailures":[]}"#);
            let function_error = Some(kind.to_owned());
            let answer = HttpAnswer { status: 200, body, function_error, ..HttpAnswer::default() };
            let partitions = partitions();
            let request = Request { partitions: &partitions, partial_responses: true, lenient_errors: false };
            let Outcome::FunctionError(failure) = interpret(&Exchange::Answered(answer), &request) else {
                panic!("a function error")
            };
            assert_eq!(failure.context.function_error.as_deref(), Some(kind));
        }
    }

    #[test]
    fn a_failed_run_without_its_header_counts_where_the_switch_says_so() {
        let body = r#"{"errorMessage":"no","errorType":"E"}"#;
        assert!(matches!(read_as(body, false, true), Outcome::FunctionError(_)));
        assert_eq!(read_as(body, true, false), Outcome::Success);
    }

    #[test]
    fn a_status_other_than_200_is_no_run_of_the_function() {
        let partitions = partitions();
        let request = Request { partitions: &partitions, partial_responses: true, lenient_errors: true };
        let read = |status| interpret(&Exchange::Answered(HttpAnswer { status, ..HttpAnswer::default() }), &request);
        for status in [400, 403, 404, 415, 429, 500, 502, 503, 202, 302] {
            assert!(matches!(read(status), Outcome::NotInvoked(_)), "{status}");
        }
        assert!(matches!(read(413), Outcome::TooLarge(_)));
        assert!(matches!(interpret(&Exchange::Broken("reset".into()), &request), Outcome::NotInvoked(_)));
        assert!(matches!(interpret(&Exchange::TimedOut, &request), Outcome::FunctionError(_)));
    }
}
