//! The gateway in front of a Lambda host with a real function: what a client gets to see, a hostile one included.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use http_body_util::Full;
use hyper::{Method, Request, StatusCode};
use local::gateway::{Authorizer, Gateway, GatewaySettings, Route, Throttle};
use local::keys::{AUDIENCE, Claims, ISSUER, Keys};
use local::lambda::FunctionSpec;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::hosted::{Hosted, HttpClient, Response, http_client, send};

/// Nothing that is answered at all takes this long, however busy the machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A gateway before a host of its own. `/open/{id}` needs no token, everything else does.
struct Front {
    gateway: Gateway,
    keys: Keys,
    client: HttpClient,
    _hosted: Option<Hosted>,
    _directory: TempDir,
}

impl Front {
    async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    async fn start_with(change: impl FnOnce(&mut FunctionSpec)) -> Self {
        let hosted = Hosted::start_with(change).await;
        let host = format!("http://{}", hosted.address());
        Self::before(&host, Some(hosted)).await
    }

    async fn before(host: &str, hosted: Option<Hosted>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let keys = Keys::load_or_make(directory.path()).unwrap();
        let route = |key: &str, authorized| Route { key: key.into(), function: "sample".into(), authorized };
        let settings = GatewaySettings {
            routes: vec![route("POST /open/{id}", false), route("GET /open/{id}", false), route("$default", true)],
            host: host.to_owned(),
            calls_max: 512,
            authorizer: Authorizer::new(ISSUER, [AUDIENCE.to_owned()], [(keys.kid().to_owned(), keys.public())]),
            cors: None,
            throttle: Throttle::default(),
        };
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let gateway = Gateway::start(listener, settings).unwrap();
        Self { gateway, keys, client: http_client(), _hosted: hosted, _directory: directory }
    }

    fn request(&self, method: Method, path: &str) -> hyper::http::request::Builder {
        Request::builder().method(method).uri(format!("http://{}{path}", self.gateway.address()))
    }

    async fn send(&self, request: hyper::http::request::Builder, body: impl Into<Bytes>) -> Response {
        send(&self.client, request.body(Full::new(body.into())).unwrap()).await
    }

    async fn get(&self, path: &str) -> Response {
        self.send(self.request(Method::GET, path), "").await
    }

    /// Writes these bytes and reads until the gateway closes.
    async fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.gateway.address()).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert!(read.is_ok(), "not closed after {PATIENCE:?}: {answer:?}");
        answer
    }
}

#[track_caller]
fn is_own(response: &Response, status: StatusCode, message: &str) {
    assert_eq!(response.status, status, "{response:?}");
    assert_eq!(response.json(), json!({ "message": message }));
    assert_eq!(response.header("content-type"), Some("application/json"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_becomes_an_event_and_the_answer_a_response() {
    let front = Front::start().await;
    let request = front.request(Method::POST, "/open/a?q=1").header("content-type", "application/json");
    let response = front.send(request, r#"{"a":1}"#).await;
    // The sample function echoes its event, which has no statusCode and is therefore the body.
    let event = response.json();
    assert_eq!(response.status, StatusCode::OK);
    assert_eq!(event["routeKey"], "POST /open/{id}");
    assert_eq!(event["pathParameters"], json!({ "id": "a" }));
    assert_eq!(event["body"], r#"{"a":1}"#);
    assert_eq!(event["requestContext"]["requestId"].as_str(), response.header("apigw-requestid"));
    assert_eq!(event["requestContext"].get("authorizer"), None, "no token was asked for");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_lets_in_and_its_claims_reach_the_function() {
    let front = Front::start().await;
    let claims = Claims { scope: "coupons:write".into(), ..Claims::default() };
    let token = front.keys.sign("ann", &claims).unwrap();
    let request = front.request(Method::GET, "/me").header("authorization", format!("Bearer {token}"));
    let event = front.send(request, "").await.json();
    let jwt = &event["requestContext"]["authorizer"]["jwt"];
    assert_eq!(jwt["claims"]["sub"], "ann");
    assert_eq!(jwt["claims"]["scope"], "coupons:write");
    assert!(jwt["claims"].as_object().unwrap().values().all(Value::is_string), "{jwt}");
    assert_eq!(jwt["scopes"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_good_token_only_the_open_route_is_open() {
    let front = Front::start().await;
    let bare = front.get("/me").await;
    is_own(&bare, StatusCode::UNAUTHORIZED, "Unauthorized");
    assert_eq!(bare.header("www-authenticate"), Some("Bearer"));
    let late = front.keys.sign("ann", &Claims { expires_in_seconds: -1, ..Claims::default() }).unwrap();
    let late =
        front.send(front.request(Method::GET, "/me").header("authorization", format!("Bearer {late}")), "").await;
    is_own(&late, StatusCode::UNAUTHORIZED, "Unauthorized");
    assert_eq!(
        late.header("www-authenticate"),
        Some(r#"Bearer scope="" error="invalid_token" error_description="the token has expired""#)
    );
    let open = front.send(front.request(Method::GET, "/open/a").header("authorization", "nonsense"), "").await;
    assert_eq!(open.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_fails_is_an_internal_server_error() {
    // The function is handed the event, whose `do` is missing, so that it can only fail in its environment.
    let front = Front::start_with(|spec| {
        spec.variables.insert("SAMPLE_INIT".into(), "exit".into());
    })
    .await;
    is_own(&front.get("/open/a").await, StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_environment_or_a_host_the_service_is_unavailable() {
    let front = Front::start_with(|spec| {
        spec.environments = 0;
        spec.queue_timeout = Duration::from_millis(200);
    })
    .await;
    is_own(&front.get("/open/a").await, StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable");

    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let nobody = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let front = Front::before(&nobody, None).await;
    is_own(&front.get("/open/a").await, StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable");
}

#[tokio::test(flavor = "multi_thread")]
async fn too_large_a_body_or_head_is_refused_and_the_answer_arrives() {
    let front = Front::start().await;
    for bytes in [10 * 1024 * 1024 + 1, 30 * 1024 * 1024] {
        let large = front.send(front.request(Method::POST, "/open/a"), vec![b'x'; bytes]).await;
        is_own(&large, StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large");
    }
    // It fits the gateway but, as an event, not a function.
    let event = front.send(front.request(Method::POST, "/open/a"), vec![b'x'; 7 * 1024 * 1024]).await;
    is_own(&event, StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large");

    let fits = front.send(front.request(Method::GET, "/open/a").header("x-a", "a".repeat(10_000)), "").await;
    assert_eq!(fits.status, StatusCode::OK);
    for request in [
        front.request(Method::GET, "/open/a").header("x-a", "a".repeat(10_240)),
        front.request(Method::GET, &format!("/open/{}", "a".repeat(10_240))),
    ] {
        is_own(
            &front.send(request, "").await,
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            "Request Header Fields Too Large",
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_bytes_get_an_answer_or_a_closed_connection() {
    let front = Front::start().await;
    for (bytes, first_line) in [
        (b"GET /open/%zz%ff?%=%&& HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".as_slice(), "HTTP/1.1 200 OK"),
        (b"GET /open/a HTTP/1.1\r\nhost: \xff\xfe\r\nx: \x80\r\nconnection: close\r\n\r\n", "HTTP/1.1 200 OK"),
        (b"GET /open/a HTTP/1.0\r\n\r\n", "HTTP/1.0 200 OK"),
        // An encoded slash is a slash: no way past the authorizer.
        (b"GET /open/a%2Fb HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", "HTTP/1.1 401 Unauthorized"),
        (b"OPTIONS * HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", "HTTP/1.1 401 Unauthorized"),
        (b"CONNECT a:1 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", "HTTP/1.1 401 Unauthorized"),
        (b"GET /open/\xff HTTP/1.1\r\nhost: x\r\n\r\n", "HTTP/1.1 400 Bad Request"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "HTTP/1.1 400 Bad Request"),
        (b"GET /open/a HTTP/1.1\r\nhost: x\r\nbad header\r\n\r\n", "HTTP/1.1 400 Bad Request"),
        (b"POST /open/a HTTP/1.1\r\nhost: x\r\ncontent-length: nine\r\n\r\n", "HTTP/1.1 400 Bad Request"),
        (b"POST /open/a HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", "HTTP/1.1 400 Bad Request"),
    ] {
        let answer = front.raw(bytes).await;
        assert_eq!(answer.lines().next(), Some(first_line), "{:?}: {answer:?}", String::from_utf8_lossy(bytes));
    }
    assert_eq!(front.get("/open/a").await.status, StatusCode::OK, "and the next one is served");
}

#[tokio::test(flavor = "multi_thread")]
async fn pipelined_requests_are_answered_in_order() {
    let front = Front::start().await;
    let one = |id: usize| format!("GET /open/{id} HTTP/1.1\r\nhost: x\r\n\r\n");
    let requests: String = (0..20).map(one).collect();
    let last = "GET /open/last HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let answer = front.raw(format!("{requests}{last}").as_bytes()).await;
    let ids: Vec<_> = answer.matches(r#""rawPath":"/open/"#).collect();
    assert_eq!(ids.len(), 21, "{answer}");
    let places: Vec<_> = (0..20).map(|id| answer.find(&format!(r#""rawPath":"/open/{id}""#)).unwrap()).collect();
    assert!(places.is_sorted(), "{places:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_clients_hold_up_nobody() {
    let front = Arc::new(Front::start().await);
    let mut slow = Vec::new();
    for _ in 0..200 {
        let mut stream = TcpStream::connect(front.gateway.address()).await.unwrap();
        stream.write_all(b"POST /open/a HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nhalf").await.unwrap();
        slow.push(stream);
    }
    let quick = join_all((0..20).map(|_| front.get("/open/a")));
    let answers = tokio::time::timeout(PATIENCE, quick).await.unwrap();
    assert!(answers.iter().all(|answer| answer.status == StatusCode::OK));
    // They are still served when they get there.
    let mut first = slow.swap_remove(0);
    first.write_all(b" ready").await.unwrap();
    let mut answer = [0; 15];
    first.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_gateway_finishes_what_runs() {
    let front = Front::start().await;
    assert_eq!(front.get("/open/a").await.status, StatusCode::OK);
    let address = front.gateway.address();
    let mut half = TcpStream::connect(address).await.unwrap();
    half.write_all(b"POST /open/a HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\nha").await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let (stopped, answer) = tokio::join!(front.gateway.stop(), async {
        half.write_all(b"lf").await.unwrap();
        let mut answer = String::new();
        half.read_to_string(&mut answer).await.unwrap();
        answer
    });
    assert_eq!(stopped, ());
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(TcpStream::connect(address).await.is_err());
}
