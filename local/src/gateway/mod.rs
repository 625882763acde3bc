//! The gateway: an API Gateway HTTP API with a JWT authorizer, for one machine. It lets requests in, hands them to
//! functions as events in payload format 2.0, and turns their answers into responses.
//!
//! It knows no coupon; routes and functions are its settings'. A request's way is `throttle.rs`, `routes.rs`,
//! `authorizer.rs`, `event.rs`, `invoker.rs`, `reply.rs`, `cors.rs`, in this order.

mod authorizer;
mod cors;
mod event;
mod invoker;
mod reply;
mod routes;
mod throttle;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use base64::Engine as _;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{HeaderName, HeaderValue, WWW_AUTHENTICATE};
use hyper::http::request::Parts;
use hyper::{Request, Response, StatusCode, Uri};
use template::Cors;
use tokio::net::TcpListener;

pub use self::authorizer::Authorizer;
use self::authorizer::{Claims, Refusal};
use self::invoker::{Invoker, NoAnswer};
pub use self::routes::Route;
use self::routes::{Match, Routes};
use self::throttle::Bucket;
pub use self::throttle::Throttle;
use crate::serve::{Answer, Received, Server, receive};

/// API Gateway's limits: the payload, and the request line with all header values.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html>
const BODY_BYTES_MAX: usize = 10 * 1024 * 1024;
const HEAD_BYTES_MAX: usize = 10_240;

/// How long running requests may go on once the gateway is asked to stop.
const STOP_GRACE: Duration = Duration::from_secs(2);

const REQUEST_ID: HeaderName = HeaderName::from_static("apigw-requestid");

/// What a gateway is made of.
#[derive(Debug)]
pub struct GatewaySettings {
    /// Which request goes where.
    pub routes: Vec<Route>,
    /// The Lambda host, such as `http://127.0.0.1:9703`.
    pub host: String,
    /// Calls under way at once. Those beyond wait here instead of at the host, where each would cost two more sockets: a
    /// crowd of thousands must not run out of file descriptors.
    pub calls_max: usize,
    /// Who is let through where a route asks for it.
    pub authorizer: Authorizer,
    /// What pages of other origins may do; nothing without it.
    pub cors: Option<Cors>,
    /// How many requests are let in.
    pub throttle: Throttle,
}

/// A running gateway. Dropped, it ends at once.
#[derive(Debug)]
pub struct Gateway {
    server: Server,
}

impl Gateway {
    /// Serves what arrives at the listener.
    ///
    /// # Errors
    /// A route key or the host's address is none, or the listener has no address.
    pub fn start(listener: TcpListener, settings: GatewaySettings) -> anyhow::Result<Self> {
        let GatewaySettings { routes, host, calls_max, authorizer, cors, throttle } = settings;
        let routes = Routes::new(routes)?;
        let addresses = routes
            .functions()
            .map(|function| Ok((function.to_owned(), Invoker::address(&host, function)?)))
            .collect::<anyhow::Result<_>>()?;
        let (invoker, bucket) = (Invoker::new(calls_max), Bucket::new(throttle));
        let shared = Shared { routes, addresses, authorizer, cors, bucket, invoker };
        let server = Server::start(listener, Handle(Arc::new(shared))).context("the gateway's listener")?;
        Ok(Self { server })
    }

    /// Where the API is.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Accepts nothing more, lets running requests finish for two seconds, and ends.
    pub async fn stop(self) {
        self.server.stop(STOP_GRACE).await;
    }
}

#[derive(Debug)]
struct Shared {
    routes: Routes,
    /// Where each function is invoked.
    addresses: BTreeMap<String, Uri>,
    authorizer: Authorizer,
    cors: Option<Cors>,
    bucket: Option<Bucket>,
    invoker: Invoker,
}

#[derive(Debug, Clone)]
struct Handle(Arc<Shared>);

impl Answer for Handle {
    async fn answer(&self, request: Request<Incoming>, peer: SocketAddr) -> Response<Full<Bytes>> {
        let (parts, body) = request.into_parts();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let origin = Origin { trace_id: trace_id(&parts, now), request_id: request_id(), parts, peer, now };
        let admitted = self.0.admit(&origin);
        // A refused request is read to its end too, within bounds: its sender would otherwise find a reset connection
        // instead of the answer.
        let received = receive(body, BODY_BYTES_MAX).await;
        let mut response = match (admitted, received) {
            (Err(refused), _) => self.0.refuse(refused, &origin),
            (Ok(_), Received::TooLarge) => reply::own(StatusCode::PAYLOAD_TOO_LARGE),
            (Ok(_), Received::Incomplete) => reply::own(StatusCode::BAD_REQUEST),
            (Ok(admitted), Received::Whole(body)) => {
                let mut response = self.0.run(&origin, &body, admitted).await;
                if let Some(cors) = &self.0.cors {
                    cors::share(cors, &origin.parts, response.headers_mut());
                }
                response
            }
        };
        if let Ok(request_id) = HeaderValue::from_str(&origin.request_id) {
            response.headers_mut().insert(REQUEST_ID, request_id);
        }
        response
    }
}

/// A request but for its body.
#[derive(Debug)]
struct Origin {
    parts: Parts,
    peer: SocketAddr,
    request_id: String,
    trace_id: String,
    /// Since 1970.
    now: Duration,
}

/// A request that may go to a function.
struct Admitted<'a> {
    found: Match<'a>,
    claims: Option<Claims>,
}

/// Why a request goes to none.
enum Refused {
    Throttled,
    Head,
    Route,
    Token(Refusal),
}

impl Refused {
    fn response(self) -> Response<Full<Bytes>> {
        match self {
            Self::Throttled => reply::own(StatusCode::TOO_MANY_REQUESTS),
            Self::Head => reply::own(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE),
            Self::Route => reply::own(StatusCode::NOT_FOUND),
            Self::Token(refusal) => {
                let mut response = reply::own(StatusCode::UNAUTHORIZED);
                if let Ok(challenge) = HeaderValue::from_str(&refusal.challenge()) {
                    response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
                }
                response
            }
        }
    }
}

impl Shared {
    fn admit(&self, origin: &Origin) -> Result<Admitted<'_>, Refused> {
        let Origin { parts, now, .. } = origin;
        if self.bucket.as_ref().is_some_and(|bucket| !bucket.admits(*now)) {
            return Err(Refused::Throttled);
        }
        if head_bytes(parts) > HEAD_BYTES_MAX {
            return Err(Refused::Head);
        }
        let found = self.routes.find(&parts.method, parts.uri.path()).ok_or(Refused::Route)?;
        let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        let claims = match found.route.authorized {
            true => Some(self.authorizer.authorize(&parts.headers, now).map_err(Refused::Token)?),
            false => None,
        };
        Ok(Admitted { found, claims })
    }

    /// The answer to who gets to no function. A preflight for which there is no route is the gateway's to answer.
    fn refuse(&self, refused: Refused, origin: &Origin) -> Response<Full<Bytes>> {
        match (&refused, &self.cors) {
            (Refused::Route, Some(cors)) if cors::is_preflight(&origin.parts) => cors::preflight(cors, &origin.parts),
            _ => refused.response(),
        }
    }

    async fn run(&self, origin: &Origin, body: &[u8], admitted: Admitted<'_>) -> Response<Full<Bytes>> {
        let Admitted { found, claims } = admitted;
        let function = &found.route.function;
        let (Ok(event), Some(address)) = (event::event(origin, body, &found, claims), self.addresses.get(function))
        else {
            return reply::own(StatusCode::INTERNAL_SERVER_ERROR);
        };
        let request_id = &origin.request_id;
        match self.invoker.invoke(address.clone(), event, &origin.trace_id).await {
            Ok(answer) => reply::respond(&answer).unwrap_or_else(|malformed| {
                tracing::warn!(function, request_id, answer = %String::from_utf8_lossy(&answer), "{malformed}");
                reply::own(StatusCode::INTERNAL_SERVER_ERROR)
            }),
            Err(no_answer) => {
                tracing::warn!(function, request_id, "{no_answer}");
                reply::own(match no_answer {
                    NoAnswer::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
                    NoAnswer::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
                    NoAnswer::Unavailable(_) | NoAnswer::TimedOut => StatusCode::SERVICE_UNAVAILABLE,
                })
            }
        }
    }
}

/// The request line and all header values.
fn head_bytes(parts: &Parts) -> usize {
    let target = parts.uri.path_and_query().map_or(0, |target| target.as_str().len());
    let line = parts.method.as_str().len() + target + "  HTTP/1.1".len();
    line + parts.headers.values().map(HeaderValue::len).sum::<usize>()
}

/// The caller's trace, or a new one.
fn trace_id(parts: &Parts, now: Duration) -> String {
    match parts.headers.get("x-amzn-trace-id").and_then(|value| value.to_str().ok()) {
        Some(trace_id) => trace_id.to_owned(),
        None => format!("Root=1-{:08x}-{:024x}", now.as_secs(), fastrand::u128(..) >> 32),
    }
}

/// Eleven random bytes in Base64, as API Gateway's look.
fn request_id() -> String {
    let mut random = [0; 11];
    fastrand::fill(&mut random);
    base64::engine::general_purpose::STANDARD.encode(random)
}
