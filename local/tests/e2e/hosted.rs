//! A Lambda host with the sample function, and a verb for each way to call it. The function is
//! `local/src/bin/sample_function.rs`.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::header::HeaderMap;
use hyper::{Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use local::lambda::{FunctionSpec, LambdaHost, USAGE_PATH};
use local::process::Spawner;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// Nothing that a test waits for takes this long, however busy the machine.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) type HttpClient = Client<HttpConnector, Full<Bytes>>;

pub(crate) fn http_client() -> HttpClient {
    Client::builder(TokioExecutor::new()).build_http()
}

/// A response, read whole.
#[derive(Debug, Clone)]
pub(crate) struct Response {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Response {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// Asserts that the function failed; its error.
    #[track_caller]
    pub(crate) fn error(&self) -> (String, String) {
        assert_eq!(self.status, StatusCode::OK, "{self:?}");
        assert_eq!(self.header("x-amz-function-error"), Some("Unhandled"), "{self:?}");
        let text = |name: &str| self.json()[name].as_str().unwrap_or_default().to_owned();
        (text("errorType"), text("errorMessage"))
    }

    /// Asserts that the function answered; its answer.
    #[track_caller]
    pub(crate) fn answer(&self) -> Value {
        assert_eq!(self.status, StatusCode::OK, "{self:?}");
        assert_eq!(self.header("x-amz-function-error"), None, "{self:?}");
        self.json()
    }
}

pub(crate) async fn send(client: &HttpClient, request: Request<Full<Bytes>>) -> Response {
    let (parts, body) = client.request(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Response { status: parts.status, headers: parts.headers, body }
}

/// A host with one function, `sample`.
pub(crate) struct Hosted {
    pub(crate) host: LambdaHost,
    client: HttpClient,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Hosted {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// Starts a host whose function is changed first.
    pub(crate) async fn start_with(change: impl FnOnce(&mut FunctionSpec)) -> Self {
        let mut spec = FunctionSpec::new("sample", env!("CARGO_BIN_EXE_sample_function"), Duration::from_secs(10));
        let lines = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&lines);
        spec.lines = Some(Arc::new(move |line: &str| sink.lock().unwrap().push(line.to_owned())));
        change(&mut spec);
        let spawner = Spawner::through(env!("CARGO_BIN_EXE_local")).unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let host = LambdaHost::start(listener, vec![spec], &spawner).unwrap();
        Self { host, client: http_client(), lines }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.host.address()
    }

    pub(crate) async fn invoke(&self, event: Value) -> Response {
        self.invoke_raw("sample", &[], event.to_string()).await
    }

    pub(crate) async fn invoke_raw(&self, name: &str, headers: &[(&str, &str)], payload: impl Into<Bytes>) -> Response {
        let address = format!("http://{}/2015-03-31/functions/{name}/invocations", self.address());
        let mut request = Request::post(address);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        send(&self.client, request.body(Full::new(payload.into())).unwrap()).await
    }

    /// What its functions have taken, by its own account.
    pub(crate) async fn usage(&self) -> Value {
        let request = Request::get(format!("http://{}{USAGE_PATH}", self.address()));
        send(&self.client, request.body(Full::default()).unwrap()).await.json()
    }

    /// The process that served.
    pub(crate) async fn pid(&self) -> i32 {
        i32::try_from(self.invoke(json!({ "do": "pid" })).await.answer().as_i64().unwrap()).unwrap()
    }

    /// Waits until the function sleeps, as it was asked to.
    pub(crate) async fn sleeps(&self) {
        eventually("the function sleeps", || self.lines().iter().any(|line| line == "sleeping")).await;
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    pub(crate) fn pids(&self) -> Vec<i32> {
        self.host.pids("sample").unwrap()
    }
}

/// Waits until it holds.
#[track_caller]
pub(crate) fn eventually<'a>(what: &'a str, mut holds: impl FnMut() -> bool + 'a) -> impl Future<Output = ()> + 'a {
    let place = std::panic::Location::caller();
    async move {
        let end = Instant::now() + PATIENCE;
        while !holds() {
            assert!(Instant::now() < end, "{what}: not within {PATIENCE:?}, at {place}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// Whether a process lives; one that is stopped does.
pub(crate) fn lives(pid: i32) -> bool {
    state(pid).is_some_and(|state| state != 'Z')
}

/// The state of a process as `ps` shows it, `T` for stopped.
pub(crate) fn state(pid: i32) -> Option<char> {
    let stat = std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}
