//! A request as a function sees it: an event in payload format 2.0.
//!
//! Pure but for random ids, and total: whatever a client sends becomes some text.
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{CONTENT_TYPE, COOKIE, HOST, HeaderMap, HeaderValue, USER_AGENT};
use percent_encoding::percent_decode_str;
use serde::Serialize;
use time::OffsetDateTime;

use super::Origin;
use super::authorizer::Claims;
use super::routes::Match;
use crate::lambda::ACCOUNT_ID;

/// The id of the one API there is.
const API_ID: &str = "local";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    version: &'static str,
    route_key: &'a str,
    raw_path: String,
    raw_query_string: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cookies: Vec<String>,
    headers: BTreeMap<Cow<'a, str>, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    query_string_parameters: BTreeMap<String, String>,
    request_context: Context<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "no_parameters")]
    path_parameters: &'a BTreeMap<&'a str, String>,
    is_base64_encoded: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Context<'a> {
    account_id: &'static str,
    api_id: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    authorizer: Option<Authorizer>,
    domain_name: &'a str,
    domain_prefix: &'a str,
    http: Http<'a>,
    request_id: &'a str,
    route_key: &'a str,
    stage: &'static str,
    time: String,
    time_epoch: u128,
}

#[derive(Serialize)]
struct Authorizer {
    jwt: Jwt,
}

#[derive(Serialize)]
struct Jwt {
    claims: Claims,
    /// The scopes of the route, of which ours has none: null.
    scopes: Option<Vec<String>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Http<'a> {
    method: &'a str,
    path: String,
    protocol: &'static str,
    source_ip: String,
    user_agent: String,
}

/// The event, as JSON.
///
/// # Errors
/// None that a request can bring about; text always serialises.
pub(super) fn event(
    origin: &Origin,
    body: &[u8],
    found: &Match<'_>,
    claims: Option<Claims>,
) -> serde_json::Result<Vec<u8>> {
    let Origin { parts, peer, request_id, trace_id, now } = origin;
    let route_key = found.route.key.as_str();
    let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let domain_name = host.rsplit_once(':').map_or(host, |(name, _port)| name);
    // An HTTP API hands on the path decoded, unlike a function URL.
    let path = percent_decode_str(parts.uri.path()).decode_utf8_lossy().into_owned();
    let path = if path.is_empty() { "/".to_owned() } else { path };
    let (body, is_base64_encoded) = body_text(&parts.headers, body);
    serde_json::to_vec(&Event {
        version: "2.0",
        route_key,
        raw_path: path.clone(),
        raw_query_string: parts.uri.query().unwrap_or_default(),
        cookies: cookies(&parts.headers),
        headers: headers(&parts.headers, *peer, trace_id),
        query_string_parameters: query(parts.uri.query().unwrap_or_default()),
        request_context: Context {
            account_id: ACCOUNT_ID,
            api_id: API_ID,
            authorizer: claims.map(|claims| Authorizer { jwt: Jwt { claims, scopes: None } }),
            domain_name,
            domain_prefix: domain_name.split('.').next().unwrap_or_default(),
            http: Http {
                method: parts.method.as_str(),
                path,
                protocol: if parts.version == hyper::Version::HTTP_10 { "HTTP/1.0" } else { "HTTP/1.1" },
                source_ip: peer.ip().to_string(),
                user_agent: parts.headers.get(USER_AGENT).map(text).unwrap_or_default().into_owned(),
            },
            request_id,
            route_key,
            stage: "$default",
            time: common_log_time(*now),
            time_epoch: now.as_millis(),
        },
        body,
        path_parameters: &found.parameters,
        is_base64_encoded,
    })
}

fn no_parameters(parameters: &BTreeMap<&str, String>) -> bool {
    parameters.is_empty()
}

/// A header's value: UTF-8 where it is that, else Latin-1, which anything is.
fn text(value: &HeaderValue) -> Cow<'_, str> {
    match std::str::from_utf8(value.as_bytes()) {
        Ok(text) => text.into(),
        Err(_) => value.as_bytes().iter().copied().map(char::from).collect::<String>().into(),
    }
}

/// All headers, names in lower case as hyper has them, several of one name joined, cookies apart; and those that
/// the gateway adds.
fn headers<'a>(headers: &'a HeaderMap, peer: SocketAddr, trace_id: &str) -> BTreeMap<Cow<'a, str>, String> {
    let mut joined: BTreeMap<Cow<'a, str>, String> = BTreeMap::new();
    let mut add = |name: &'a str, value: &str| {
        joined
            .entry(name.into())
            .and_modify(|all| {
                all.push(',');
                all.push_str(value);
            })
            .or_insert_with(|| value.to_owned());
    };
    for (name, value) in headers.iter().filter(|(name, _)| *name != COOKIE && *name != "x-amzn-trace-id") {
        add(name.as_str(), &text(value));
    }
    add("x-forwarded-for", &peer.ip().to_string());
    joined.insert("x-forwarded-proto".into(), "http".to_owned());
    let port = headers.get(HOST).and_then(|host| host.to_str().ok()?.rsplit_once(':')).map_or("80", |(_, port)| port);
    joined.insert("x-forwarded-port".into(), port.to_owned());
    joined.insert("x-amzn-trace-id".into(), trace_id.to_owned());
    joined
}

fn cookies(headers: &HeaderMap) -> Vec<String> {
    let mut cookies = Vec::new();
    for header in headers.get_all(COOKIE) {
        cookies.extend(text(header).split(';').map(str::trim).filter(|cookie| !cookie.is_empty()).map(str::to_owned));
    }
    cookies
}

/// The query's parameters, decoded, several of one name joined.
fn query(query: &str) -> BTreeMap<String, String> {
    let mut joined: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        match joined.get_mut(&*name) {
            Some(all) => {
                all.push(',');
                all.push_str(&value);
            }
            None => drop(joined.insert(name.into_owned(), value.into_owned())),
        }
    }
    joined
}

/// The body as text, and whether that is Base64: for all but text types, and for text that is none.
fn body_text<'a>(headers: &HeaderMap, body: &'a [u8]) -> (Option<Cow<'a, str>>, bool) {
    if body.is_empty() {
        return (None, false);
    }
    match std::str::from_utf8(body) {
        Ok(text) if headers.get(CONTENT_TYPE).is_none_or(is_text_type) => (Some(text.into()), false),
        _ => (Some(STANDARD.encode(body).into()), true),
    }
}

fn is_text_type(content_type: &HeaderValue) -> bool {
    let Ok(content_type) = content_type.to_str() else { return false };
    let media_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    media_type.starts_with("text/")
        || media_type.ends_with("+json")
        || media_type.ends_with("+xml")
        || ["application/json", "application/javascript", "application/xml"].contains(&media_type.as_str())
}

/// `12/Mar/2020:19:03:58 +0000`.
fn common_log_time(now: Duration) -> String {
    let seconds = i64::try_from(now.as_secs()).unwrap_or_default();
    let time = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let month = time.month().to_string();
    let month = month.get(..3).unwrap_or_default();
    let (hour, minute, second) = time.to_hms();
    format!("{:02}/{month}/{:04}:{hour:02}:{minute:02}:{second:02} +0000", time.day(), time.year())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::gateway::routes::{Route, Routes};

    fn event_of(request: hyper::Request<&[u8]>, claims: Option<Claims>) -> Value {
        let route = |key: &str| Route { key: key.into(), function: "f".into(), authorized: false };
        let routes = Routes::new(vec![route("POST /coupons/{couponId}/issues"), route("$default")]).unwrap();
        let (parts, body) = request.into_parts();
        let found = routes.find(&parts.method, parts.uri.path()).unwrap();
        let origin = Origin {
            parts,
            peer: ([127, 0, 0, 1], 5000).into(),
            request_id: "JKJaXmPLvHcESHA=".into(),
            trace_id: "Root=1-5759e988-bd862e3fe1be46a994272793".into(),
            now: Duration::from_millis(1_583_348_638_390),
        };
        serde_json::from_slice(&event(&origin, body, &found, claims).unwrap()).unwrap()
    }

    #[test]
    fn an_event_has_the_shape_that_amazon_documents() {
        let request = hyper::Request::post("/coupons/spring%2Dsale/issues?b=1&a=x%20y&a=z+&c")
            .header("Host", "id.execute-api.us-east-1.amazonaws.com:8080")
            .header("User-Agent", "agent")
            .header("Content-Type", "application/json; charset=utf-8")
            .header("X-Several", "1")
            .header("X-Several", "2")
            .header("Cookie", "one=1; two=2")
            .header("Cookie", "three=3")
            .body(b"{}".as_slice())
            .unwrap();
        let claims = Claims::from([("sub".to_owned(), "ann".to_owned()), ("exp".to_owned(), "7".to_owned())]);
        assert_eq!(
            event_of(request, Some(claims)),
            json!({
                "version": "2.0",
                "routeKey": "POST /coupons/{couponId}/issues",
                "rawPath": "/coupons/spring-sale/issues",
                "rawQueryString": "b=1&a=x%20y&a=z+&c",
                "cookies": ["one=1", "two=2", "three=3"],
                "headers": {
                    "host": "id.execute-api.us-east-1.amazonaws.com:8080",
                    "user-agent": "agent",
                    "content-type": "application/json; charset=utf-8",
                    "x-several": "1,2",
                    "x-forwarded-for": "127.0.0.1",
                    "x-forwarded-port": "8080",
                    "x-forwarded-proto": "http",
                    "x-amzn-trace-id": "Root=1-5759e988-bd862e3fe1be46a994272793",
                },
                "queryStringParameters": { "a": "x y,z ", "b": "1", "c": "" },
                "requestContext": {
                    "accountId": "123456789012",
                    "apiId": "local",
                    "authorizer": { "jwt": { "claims": { "sub": "ann", "exp": "7" }, "scopes": null } },
                    "domainName": "id.execute-api.us-east-1.amazonaws.com",
                    "domainPrefix": "id",
                    "http": {
                        "method": "POST",
                        "path": "/coupons/spring-sale/issues",
                        "protocol": "HTTP/1.1",
                        "sourceIp": "127.0.0.1",
                        "userAgent": "agent",
                    },
                    "requestId": "JKJaXmPLvHcESHA=",
                    "routeKey": "POST /coupons/{couponId}/issues",
                    "stage": "$default",
                    "time": "04/Mar/2020:19:03:58 +0000",
                    "timeEpoch": 1_583_348_638_390_u64,
                },
                "body": "{}",
                "pathParameters": { "couponId": "spring-sale" },
                "isBase64Encoded": false,
            })
        );
    }

    #[test]
    fn what_is_absent_is_left_out() {
        let event = event_of(hyper::Request::get("/nowhere").body(b"".as_slice()).unwrap(), None);
        for name in ["cookies", "queryStringParameters", "pathParameters", "body"] {
            assert_eq!(event.get(name), None, "{name}");
        }
        assert_eq!(event["routeKey"], "$default");
        assert_eq!(event["rawQueryString"], "");
        assert_eq!(event["requestContext"].get("authorizer"), None);
        assert_eq!(event["isBase64Encoded"], false);
    }

    #[test]
    fn only_text_goes_as_text() {
        for (content_type, body, expected) in [
            (Some("application/json"), b"{}".as_slice(), ("{}", false)),
            (Some("text/plain"), "쿠폰".as_bytes(), ("쿠폰", false)),
            (Some("application/problem+json"), b"{}", ("{}", false)),
            (None, b"plain", ("plain", false)),
            (Some("application/json"), b"\xff", ("/w==", true)),
            (Some("application/octet-stream"), b"hi", ("aGk=", true)),
            (Some("application/x-www-form-urlencoded"), b"a=1", ("YT0x", true)),
        ] {
            let mut request = hyper::Request::post("/");
            if let Some(content_type) = content_type {
                request = request.header(CONTENT_TYPE, content_type);
            }
            let event = event_of(request.body(body).unwrap(), None);
            let found = (event["body"].as_str().unwrap(), event["isBase64Encoded"].as_bool().unwrap());
            assert_eq!(found, expected, "{content_type:?}");
        }
    }

    #[test]
    fn whatever_a_client_sends_becomes_text() {
        let request = hyper::Request::get("/%ff%00/%zz?%=%ff&&=&%41")
            .header("X-Latin", HeaderValue::from_bytes(b"caf\xe9").unwrap())
            .header("X-Utf8", HeaderValue::from_bytes("쿠폰".as_bytes()).unwrap())
            .header(COOKIE, HeaderValue::from_bytes(b";; \xe9 ;").unwrap())
            .header(HOST, HeaderValue::from_bytes(b"\xff:x").unwrap())
            .body(b"".as_slice())
            .unwrap();
        let event = event_of(request, None);
        assert_eq!(event["rawPath"], "/\u{fffd}\0/%zz");
        assert_eq!(event["headers"]["x-latin"], "café");
        assert_eq!(event["headers"]["x-utf8"], "쿠폰");
        assert_eq!(event["cookies"], json!(["é"]));
        assert_eq!(event["queryStringParameters"], json!({ "%": "\u{fffd}", "": "", "A": "" }));
        assert_eq!(event["requestContext"]["domainName"], "localhost");
    }
}
