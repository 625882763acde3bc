//! Cross-origin resource sharing as an HTTP API does it: whoever is allowed gets the headers that were configured, on an
//! integration's answer, whose own are dropped. A preflight that no route takes is answered by the gateway itself.
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html>
//!
//! A preflight that a route does take, `$default` included, goes through that route's authorizer and to its function
//! like any request: <https://github.com/aws/serverless-application-model/issues/1603>.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD,
    HeaderMap, HeaderName, HeaderValue, ORIGIN, VARY,
};
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode};
use template::Cors;

/// All that an integration's answer may not say for itself.
const OWN: [HeaderName; 6] = [
    ACCESS_CONTROL_ALLOW_CREDENTIALS,
    ACCESS_CONTROL_ALLOW_HEADERS,
    ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS,
    ACCESS_CONTROL_MAX_AGE,
];

/// Whether a browser asks what a page may do.
pub(super) fn is_preflight(request: &Parts) -> bool {
    request.method == Method::OPTIONS
        && request.headers.contains_key(ORIGIN)
        && request.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// The gateway's own answer to a preflight.
pub(super) fn preflight(cors: &Cors, request: &Parts) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::new()));
    *response.status_mut() = StatusCode::NO_CONTENT;
    share(cors, request, response.headers_mut());
    response
}

/// Puts the configured headers onto an answer, if its request came from a page of another origin.
pub(super) fn share(cors: &Cors, request: &Parts, headers: &mut HeaderMap) {
    for name in OWN {
        headers.remove(name);
    }
    let Some(origin) = request.headers.get(ORIGIN) else { return };
    let Some(allowed) = allowed(cors, origin) else { return };
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, allowed.clone());
    if allowed != "*" {
        headers.append(VARY, HeaderValue::from_static("origin"));
    }
    if cors.allow_credentials {
        headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    }
    list(headers, ACCESS_CONTROL_EXPOSE_HEADERS, &cors.expose_headers);
    if is_preflight(request) {
        list(headers, ACCESS_CONTROL_ALLOW_METHODS, &cors.allow_methods);
        list(headers, ACCESS_CONTROL_ALLOW_HEADERS, &cors.allow_headers);
        if let Some(seconds) = cors.max_age {
            headers.insert(ACCESS_CONTROL_MAX_AGE, seconds.into());
        }
    }
}

/// What an origin is told: itself, or that anybody may.
fn allowed(cors: &Cors, origin: &HeaderValue) -> Option<HeaderValue> {
    let text = origin.to_str().ok()?;
    if cors.allow_origins.iter().any(|allowed| allowed == "*") {
        return Some(HeaderValue::from_static("*"));
    }
    let matches = |allowed: &String| match allowed.strip_suffix('*') {
        Some(scheme) => text.starts_with(scheme),
        None => allowed.eq_ignore_ascii_case(text),
    };
    cors.allow_origins.iter().any(matches).then(|| origin.clone())
}

fn list(headers: &mut HeaderMap, name: HeaderName, values: &[String]) {
    if let Ok(value) = HeaderValue::from_str(&values.join(","))
        && !value.is_empty()
    {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;

    fn cors(origins: &[&str]) -> Cors {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Cors {
            allow_origins: texts(origins),
            allow_methods: texts(&["GET", "POST"]),
            allow_headers: texts(&["authorization"]),
            expose_headers: texts(&["location", "retry-after"]),
            max_age: Some(600),
            allow_credentials: false,
        }
    }

    fn request(method: Method, headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().method(method).uri("/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn shared(cors: &Cors, request: &Parts) -> Vec<String> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("https://functions.own"));
        share(cors, request, &mut headers);
        let mut lines: Vec<_> =
            headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        lines.sort();
        lines
    }

    #[test]
    fn a_page_of_an_allowed_origin_may_read_what_is_exposed() {
        let get = request(Method::GET, &[("origin", "https://shop.example")]);
        let told = [
            "access-control-allow-origin: https://shop.example",
            "access-control-expose-headers: location,retry-after",
            "vary: origin",
        ];
        assert_eq!(shared(&cors(&["https://other", "https://SHOP.example"]), &get), told);
        assert_eq!(shared(&cors(&["https://*"]), &get), told);
        assert_eq!(
            shared(&cors(&["*"]), &get),
            ["access-control-allow-origin: *", "access-control-expose-headers: location,retry-after"]
        );
    }

    #[test]
    fn nobody_else_is_told_anything() {
        let get = request(Method::GET, &[("origin", "https://evil.example")]);
        assert_eq!(shared(&cors(&["https://shop.example"]), &get), [""; 0]);
        assert_eq!(shared(&cors(&["*"]), &request(Method::GET, &[])), [""; 0]);
    }

    #[test]
    fn a_preflight_is_told_methods_and_headers_as_well() {
        let asked = [("origin", "https://a"), ("access-control-request-method", "POST")];
        let options = request(Method::OPTIONS, &asked);
        assert!(is_preflight(&options) && !is_preflight(&request(Method::OPTIONS, &[])));
        assert!(!is_preflight(&request(Method::POST, &asked)));
        let response = preflight(&cors(&["https://a"]), &options);
        assert_eq!(response.status(), 204);
        for (name, value) in [
            ("access-control-allow-methods", "GET,POST"),
            ("access-control-allow-headers", "authorization"),
            ("access-control-max-age", "600"),
            ("access-control-allow-origin", "https://a"),
        ] {
            assert_eq!(response.headers()[name], value, "{name}");
        }
    }
}
