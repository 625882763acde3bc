//! Parts that are somebody else's: what their addresses have to look like, which is told before anything starts, and
//! whether a Lambda host is one. What is wrong is one sentence that names the value and the way out.
//!
//! Whether a broker or a DynamoDB is one shows when it is asked for its topics or tables: `broker.rs`, `dynamodb.rs`.

use std::time::Duration;

use anyhow::bail;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::header::{CONTENT_TYPE, HeaderMap};
use hyper::{Request, StatusCode, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use url::Url;

use crate::cli::Part;

/// `cargo lambda watch` compiles a function at its first call: one that has not answered by then is believed.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// More than either function's answer to these.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;
/// A look at a coupon, for the API: changes nothing, whether there is such a coupon or not.
pub const LOOK: &str = include_str!("../../events/api-get-coupon.json");
/// A batch without a record, for the worker: nothing is decided.
pub const EMPTY_BATCH: &str = include_str!("../../events/kafka-none.json");
/// How much of an answer that is none goes into the error.
const SHOWN_CHARACTERS: usize = 60;

/// `--broker`.
///
/// # Errors
/// Neither `embedded` nor addresses.
pub fn broker(text: &str) -> Result<Part, String> {
    part(text, bootstrap_servers)
}

/// `--dynamodb`.
///
/// # Errors
/// Neither `embedded` nor a URL.
pub fn dynamodb(text: &str) -> Result<Part, String> {
    part(text, url)
}

/// `--redis` of a baseline.
///
/// # Errors
/// Neither `embedded` nor one address.
pub fn redis(text: &str) -> Result<Part, String> {
    part(text, |address| match bootstrap_servers(address) {
        Ok(address) if !address.contains(',') => Ok(address),
        _ => Err("expected HOST:PORT such as localhost:6379".into()),
    })
}

/// `--functions`.
///
/// # Errors
/// Neither `embedded` nor a URL of HTTP.
pub fn functions(text: &str) -> Result<Part, String> {
    part(text, |address| match url(address) {
        Ok(url) if url.starts_with("https:") => Err("expected http://HOST:PORT: the host is on this machine".into()),
        parsed => parsed,
    })
}

fn part(text: &str, address: impl Fn(&str) -> Result<String, String>) -> Result<Part, String> {
    match text.trim() {
        "embedded" => Ok(Part::Embedded),
        text => address(text).map(Part::External).map_err(|expected| format!("{expected}, or `embedded`")),
    }
}

/// Addresses of brokers, `host:port,…`.
///
/// # Errors
/// One that has no host or no port.
pub fn bootstrap_servers(text: &str) -> Result<String, String> {
    const EXPECTED: &str = "expected HOST:PORT,HOST:PORT such as localhost:9092";
    for server in text.split(',').map(str::trim) {
        let parts = server.rsplit_once(':').filter(|(host, _port)| !host.is_empty() && !host.contains('/'));
        let port = parts.and_then(|(_host, port)| port.parse::<u16>().ok()).filter(|port| *port > 0);
        if port.is_none() {
            return Err(match server == text {
                true => EXPECTED.to_owned(),
                false => format!("{server:?} is no address: {EXPECTED}"),
            });
        }
    }
    Ok(text.to_owned())
}

/// The URL of a service, without a slash at its end.
///
/// # Errors
/// No URL of HTTP, or one with a path: the clients have paths of their own.
pub fn url(text: &str) -> Result<String, String> {
    const EXPECTED: &str = "expected a URL such as http://localhost:8000";
    let parsed = Url::parse(text).map_err(|error| format!("{EXPECTED} ({error})"))?;
    if !matches!(parsed.scheme(), "http" | "https") || !parsed.has_host() {
        return Err(format!("{EXPECTED}, with http:// in front"));
    }
    if parsed.path() != "/" || parsed.query().is_some() {
        return Err(format!("{EXPECTED}, without a path"));
    }
    Ok(text.trim_end_matches('/').to_owned())
}

/// Asks a Lambda host for a function's answer to an event, once, and takes its silence for a build that is under way.
///
/// # Errors
/// Nobody listens there, or whoever does is no Lambda host, or has no such function.
pub async fn is_lambda_host(url: &str, function: &str, event: &'static str) -> anyhow::Result<()> {
    let uri: Uri = format!("{url}/2015-03-31/functions/{function}/invocations").parse()?;
    let Ok(answer) = tokio::time::timeout(ANSWER_MAX, ask(uri, event)).await else {
        tracing::info!(url, function, "has not answered yet; going on, since it may be building the function");
        return Ok(());
    };
    let (status, headers, body) = match answer {
        Ok(answer) => answer,
        Err(error) => bail!(
            "--functions {url} does not answer ({error}); start the Lambda host first, such as `cargo lambda watch`, or \
             leave --functions out"
        ),
    };
    if serde_json::from_slice::<serde_json::Value>(&body).is_ok() && status.is_success() {
        return Ok(());
    }
    let kind = headers.get(CONTENT_TYPE).map_or("no content type", |kind| kind.to_str().unwrap_or("?"));
    let shown: String = String::from_utf8_lossy(&body).chars().take(SHOWN_CHARACTERS).collect();
    bail!(
        "--functions {url} answers an invocation of {function} with {status}, {kind}, {shown:?}: give the URL of a Lambda \
         host that has this function, such as http://127.0.0.1:9000 of `cargo lambda watch`"
    )
}

async fn ask(uri: Uri, event: &'static str) -> anyhow::Result<(StatusCode, HeaderMap, Bytes)> {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let request = Request::post(uri).header(CONTENT_TYPE, "application/json");
    let (head, body) = client.request(request.body(Full::from(event))?).await?.into_parts();
    let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await.map_err(anyhow::Error::from_boxed)?;
    Ok((head.status, head.headers, body.to_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brokers_are_hosts_with_ports() {
        for good in ["localhost:9092", "10.0.0.1:1,b.example:65535", "[::1]:9092"] {
            assert_eq!(broker(good), Ok(Part::External(good.into())));
        }
        assert_eq!(broker("embedded"), Ok(Part::Embedded));
        for bad in ["", "localhost", ":9092", "localhost:", "localhost:0", "localhost:65536", "a:1,,b:2", "http://a:1"]
        {
            let expected = broker(bad).expect_err(bad);
            assert!(expected.contains("HOST:PORT") && expected.contains("`embedded`"), "{bad}: {expected}");
        }
        assert!(broker("a:1,b").expect_err("no port").contains("\"b\""));
    }

    #[test]
    fn a_service_is_a_url_without_a_path() {
        for (good, kept) in [("http://localhost:8000", "http://localhost:8000"), ("https://a.b/", "https://a.b")] {
            assert_eq!(dynamodb(good), Ok(Part::External(kept.into())));
        }
        for bad in ["", "localhost:8000", "ftp://a", "http://", "http://a/shell/", "http://a?b"] {
            let expected = dynamodb(bad).expect_err(bad);
            assert!(expected.contains("http://localhost:8000") && expected.contains("`embedded`"), "{bad}: {expected}");
        }
        assert!(functions("https://a:9000").expect_err("no TLS").contains("http://HOST:PORT"));
        let complete = "http://a:9000/2015-03-31/functions/x/invocations";
        assert!(functions(complete).expect_err("a path").contains("without a path"));
    }
}
