//! What a function's answer becomes as an HTTP response, and the answers that the gateway makes itself.
//!
//! Pure. A malformed answer is never passed on in part: it is a 500.
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html#http-api-develop-integrations-lambda.response>

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, SET_COOKIE, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};
use hyper::{Response, StatusCode};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::serve::json;

/// What a function returns when it says how to answer.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Structured {
    headers: Option<Map<String, Value>>,
    multi_value_headers: Option<Map<String, Value>>,
    cookies: Option<Vec<String>>,
    body: Option<String>,
    is_base64_encoded: Option<bool>,
}

/// The members that tell what kind of answer it is.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Kind<'a> {
    #[serde(borrow)]
    status_code: Option<&'a RawValue>,
    #[serde(borrow)]
    error_message: Option<&'a RawValue>,
    #[serde(borrow)]
    error_type: Option<&'a RawValue>,
}

/// Why a function's answer is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Malformed {
    /// Not what payload format 2.0 asks for.
    #[error("the function's answer is malformed: {0}")]
    Answer(String),
    /// A host other than ours may hand on an error like an answer.
    #[error("the function failed")]
    FunctionError,
}

/// The response that a function's answer stands for.
pub(super) fn respond(answer: &[u8]) -> Result<Response<Full<Bytes>>, Malformed> {
    let malformed = |error: serde_json::Error| Malformed::Answer(error.to_string());
    if answer.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        return inferred(answer).map_err(malformed);
    }
    let kind: Kind<'_> = serde_json::from_slice(answer).map_err(malformed)?;
    let Some(status) = kind.status_code else {
        if kind.error_message.is_some() && kind.error_type.is_some() {
            return Err(Malformed::FunctionError);
        }
        return Ok(json(StatusCode::OK, answer.to_vec()));
    };
    let structured: Structured = serde_json::from_slice(answer).map_err(malformed)?;
    structured_response(status_code(status)?, structured)
}

/// No object: 200 with the text of a string, or with the JSON of anything else.
fn inferred(answer: &[u8]) -> serde_json::Result<Response<Full<Bytes>>> {
    let value: Value = serde_json::from_slice(answer)?;
    Ok(json(StatusCode::OK, value.as_str().map_or_else(|| answer.to_vec(), |text| text.as_bytes().to_vec())))
}

/// A number from 200 to 599, or such a number as text. No 1xx: it would not end the exchange.
fn status_code(status: &RawValue) -> Result<StatusCode, Malformed> {
    let number = status.get().trim_matches('"').parse::<u16>().ok().filter(|number| (200..=599).contains(number));
    let status = number.and_then(|number| StatusCode::from_u16(number).ok());
    status.ok_or_else(|| Malformed::Answer("statusCode is no number from 200 to 599".to_owned()))
}

fn structured_response(status: StatusCode, structured: Structured) -> Result<Response<Full<Bytes>>, Malformed> {
    let Structured { headers, multi_value_headers, cookies, body, is_base64_encoded } = structured;
    let body = body.unwrap_or_default();
    let body = if is_base64_encoded.unwrap_or_default() {
        STANDARD.decode(body).map(Bytes::from).map_err(|error| Malformed::Answer(format!("body: {error}")))?
    } else {
        Bytes::from(body)
    };
    let without_body = status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED;
    let mut response = Response::new(Full::new(if without_body { Bytes::new() } else { body }));
    *response.status_mut() = status;
    let target = response.headers_mut();
    for (name, value) in headers.iter().flatten().chain(multi_value_headers.iter().flatten()) {
        add(target, name, value)?;
    }
    for cookie in cookies.iter().flatten() {
        target.append(SET_COOKIE, header_value("set-cookie", cookie)?);
    }
    if !without_body && !target.contains_key(CONTENT_TYPE) {
        target.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain;charset=utf-8"));
    }
    Ok(response)
}

/// Adds a header: a text, a number or a boolean, or a list of them. Those that belong to the connection are not the
/// function's to set.
fn add(target: &mut HeaderMap, name: &str, value: &Value) -> Result<(), Malformed> {
    let header = HeaderName::from_bytes(name.as_bytes())
        .map_err(|_invalid| Malformed::Answer(format!("{name:?} is no header name")))?;
    if [CONNECTION, CONTENT_LENGTH, TE, TRAILER, TRANSFER_ENCODING, UPGRADE].contains(&header)
        || header.as_str() == "keep-alive"
    {
        return Ok(());
    }
    match value {
        Value::Array(several) => several.iter().try_for_each(|value| add(target, name, value)),
        Value::String(text) => {
            target.append(header, header_value(name, text)?);
            Ok(())
        }
        Value::Number(_) | Value::Bool(_) => {
            target.append(header, header_value(name, &value.to_string())?);
            Ok(())
        }
        Value::Null | Value::Object(_) => Err(Malformed::Answer(format!("header {name} is no text"))),
    }
}

fn header_value(name: &str, value: &str) -> Result<HeaderValue, Malformed> {
    HeaderValue::from_str(value).map_err(|_invalid| Malformed::Answer(format!("header {name} has a control character")))
}

/// An answer of the gateway's own.
pub(super) fn own(status: StatusCode) -> Response<Full<Bytes>> {
    // Its words are the reason phrases but for three, which are the names that HTTP had for them when they were coined.
    let message = match status {
        StatusCode::PAYLOAD_TOO_LARGE => "Request Entity Too Large",
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => "Request Header Fields Too Large",
        other => other.canonical_reason().unwrap_or("Unknown"),
    };
    json(status, format!(r#"{{"message":"{message}"}}"#))
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;
    use serde_json::json;

    use super::*;

    fn shown(answer: &str) -> Result<(u16, Vec<String>, Vec<u8>), Malformed> {
        let (parts, body) = respond(answer.as_bytes())?.into_parts();
        let headers = parts.headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let body = runtime.block_on(body.collect()).unwrap().to_bytes().to_vec();
        Ok((parts.status.as_u16(), headers.collect(), body))
    }

    #[test]
    fn an_answer_without_a_status_is_the_body() {
        for (answer, body) in [
            (r#""Hello from Lambda!""#, "Hello from Lambda!"),
            (r#" { "message" : "Hi" } "#, r#" { "message" : "Hi" } "#),
            (r#"{"errorMessage":"not an error by itself"}"#, r#"{"errorMessage":"not an error by itself"}"#),
            ("[1,2]", "[1,2]"),
            ("null", "null"),
            ("7", "7"),
        ] {
            let shown = shown(answer).unwrap();
            assert_eq!(
                shown,
                (200, vec!["content-type: application/json".to_owned()], body.as_bytes().to_vec()),
                "{answer}"
            );
        }
    }

    #[test]
    fn an_answer_with_a_status_says_everything() {
        let answer = json!({
            "statusCode": 201,
            "headers": { "Location": "/coupons/a", "X-Number": 7, "X-Flag": true, "content-length": "999", "Connection": "close" },
            "multiValueHeaders": { "x-several": ["a", "b"] },
            "cookies": ["a=1; Secure", "b=2"],
            "body": "aGk=",
            "isBase64Encoded": true,
        });
        let (status, mut headers, body) = shown(&answer.to_string()).unwrap();
        headers.sort();
        assert_eq!(status, 201);
        assert_eq!(body, b"hi");
        assert_eq!(
            headers,
            [
                "content-type: text/plain;charset=utf-8",
                "location: /coupons/a",
                "set-cookie: a=1; Secure",
                "set-cookie: b=2",
                "x-flag: true",
                "x-number: 7",
                "x-several: a",
                "x-several: b",
            ]
        );
        assert_eq!(shown(r#"{"statusCode":"404"}"#).unwrap().0, 404);
        assert_eq!(shown(r#"{"statusCode":204,"body":"none"}"#).unwrap(), (204, vec![], vec![]));
        assert_eq!(shown(r#"{"statusCode":200,"body":null,"headers":null,"isBase64Encoded":null}"#).unwrap().2, b"");
    }

    #[test]
    fn a_malformed_answer_is_none_at_all() {
        for answer in [
            "",
            "{",
            "Hello",
            r#"{"statusCode":99}"#,
            r#"{"statusCode":101}"#,
            r#"{"statusCode":600}"#,
            r#"{"statusCode":2e2}"#,
            r#"{"statusCode":"OK"}"#,
            r#"{"statusCode":{}}"#,
            r#"{"statusCode":200,"body":{"a":1}}"#,
            r#"{"statusCode":200,"body":"?","isBase64Encoded":true}"#,
            r#"{"statusCode":200,"headers":[]}"#,
            r#"{"statusCode":200,"headers":{"a b":"c"}}"#,
            r#"{"statusCode":200,"headers":{"a":"b\r\nset-cookie: c"}}"#,
            r#"{"statusCode":200,"headers":{"a":{}}}"#,
            r#"{"statusCode":200,"cookies":"a=1"}"#,
            r#"{"statusCode":200,"cookies":["a\nb"]}"#,
        ] {
            assert!(matches!(shown(answer), Err(Malformed::Answer(_))), "{answer}");
        }
        let error = r#"{"errorType":"Runtime.ExitError","errorMessage":"exit status 1"}"#;
        assert_eq!(shown(error), Err(Malformed::FunctionError), "as `cargo lambda watch` hands it on");
    }

    #[test]
    fn the_gateways_own_answers_are_worded_as_amazons() {
        for (status, body) in [
            (401, r#"{"message":"Unauthorized"}"#),
            (404, r#"{"message":"Not Found"}"#),
            (413, r#"{"message":"Request Entity Too Large"}"#),
            (429, r#"{"message":"Too Many Requests"}"#),
            (431, r#"{"message":"Request Header Fields Too Large"}"#),
            (500, r#"{"message":"Internal Server Error"}"#),
            (503, r#"{"message":"Service Unavailable"}"#),
        ] {
            let response = own(StatusCode::from_u16(status).unwrap());
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            assert_eq!(runtime.block_on(response.into_body().collect()).unwrap().to_bytes(), body);
        }
    }
}
