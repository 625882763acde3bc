//! The HTTP client of load, demo, measure and bench: keep-alive connections, few allocations, a bound on what is under way.
//! The generator shares the machine with what it measures, so every microsecond here is one that the figures lose.
//!
//! Knows the paths of `events/openapi.yaml` and nothing of pace or figures: `drive.rs` is next.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::{Connect, HttpConnector};
use hyper_util::client::legacy::{Client, ResponseFuture};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use serde::Deserialize;
use tokio::sync::Semaphore;
use tokio_rustls::rustls::crypto::aws_lc_rs;

/// Requests under way at once. A sandbox in the same process needs two descriptors for each, and the usual limit of a
/// process is 1,024; environments are fewer by far, so more would only wait elsewhere.
pub const IN_FLIGHT_MAX: usize = 256;
/// The gateway waits up to 30 s for a free environment; whoever gives up earlier does not see its answer.
const ANSWER_MAX: Duration = Duration::from_secs(40);
/// No answer of the API is near this size.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// An API to ask. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Api {
    http: Http,
    connector: Connector,
    base: Arc<str>,
    permits: Arc<Semaphore>,
}

/// By the scheme: what is measured on this machine pays for no TLS, and wants no certificates.
#[derive(Debug, Clone)]
enum Http {
    Plain(Client<HttpConnector, Full<Bytes>>),
    Tls(Client<HttpsConnector<HttpConnector>, Full<Bytes>>),
}

/// What new connections are made by.
#[derive(Debug, Clone)]
enum Connector {
    Plain(HttpConnector),
    Tls(HttpsConnector<HttpConnector>),
}

impl Http {
    fn over(connector: Connector) -> Self {
        match connector {
            Connector::Plain(connector) => Self::Plain(client(connector)),
            Connector::Tls(connector) => Self::Tls(client(connector)),
        }
    }

    fn request(&self, request: Request<Full<Bytes>>) -> ResponseFuture {
        match self {
            Self::Plain(client) => client.request(request),
            Self::Tls(client) => client.request(request),
        }
    }
}

fn client<C: Connect + Clone>(connector: C) -> Client<C, Full<Bytes>> {
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_max_idle_per_host(IN_FLIGHT_MAX)
        .build(connector)
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    /// When the request was sent: behind the wait for its turn, where too many were under way.
    pub sent: Instant,
    /// The status.
    pub status: StatusCode,
    /// `Retry-After`, where there is one.
    pub retry_after: Option<Duration>,
    /// The body.
    pub body: Bytes,
}

/// What the answers have that anybody here reads; each call has its own of them.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Said {
    /// A problem's code.
    pub code: Option<String>,
    /// The ticket.
    pub request_id: Option<String>,
    /// `PENDING`, `ISSUED` or `REJECTED`.
    pub status: Option<serde_json::Value>,
    /// Why not.
    pub reason: Option<String>,
    /// Of a coupon: `OPEN`, `SOLD_OUT` and the like.
    pub state: Option<String>,
    /// The order among the issued.
    pub rank: Option<u64>,
    /// What a refused holder has.
    pub coupon: Option<Box<Said>>,
    /// Of which coupon an item of a list is.
    pub coupon_id: Option<String>,
    /// A page of what somebody holds.
    pub items: Vec<Said>,
    /// Where the next page begins, if there is one.
    pub next_cursor: Option<String>,
}

impl Answer {
    /// The members of the body; none of a body that is no JSON object.
    #[must_use]
    pub fn said(&self) -> Said {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// Status and body, for an error.
    #[must_use]
    pub fn shown(&self) -> String {
        let body: String = String::from_utf8_lossy(&self.body).chars().take(300).collect();
        format!("{} {body}", self.status)
    }
}

impl Api {
    /// An API at `http://host:port` or `https://host`, with a path behind if there is one. Whom to trust is what the machine
    /// trusts, or what `SSL_CERT_FILE` names.
    ///
    /// # Errors
    /// The URL is no such URL; it is an https one, and the machine trusts nobody.
    pub fn new(url: &str) -> anyhow::Result<Self> {
        let base = url.trim_end_matches('/');
        let unusable = || format!("--api expects a URL such as http://127.0.0.1:9700 or https://HOST, not {url:?}");
        let uri: Uri = base.parse().with_context(unusable)?;
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let connector = match uri.scheme_str().filter(|_scheme| uri.query().is_none()) {
            Some("http") => Connector::Plain(connector),
            Some("https") => Connector::Tls(over_tls(connector)?),
            _ => bail!("{}", unusable()),
        };
        Ok(Self {
            http: Http::over(connector.clone()),
            connector,
            base: base.into(),
            permits: Arc::new(Semaphore::new(IN_FLIGHT_MAX)),
        })
    }

    /// The same API for somebody with connections of their own, within the same bound of what is under way.
    #[must_use]
    pub fn apart(&self) -> Self {
        Self { http: Http::over(self.connector.clone()), ..self.clone() }
    }

    /// Asks for a coupon.
    ///
    /// # Errors
    /// No answer.
    pub async fn issue(&self, coupon_id: &str, token: &HeaderValue) -> anyhow::Result<Answer> {
        self.call(Method::POST, &format!("/coupons/{coupon_id}/issues"), Some(token), Bytes::new()).await
    }

    /// Asks for a coupon as it is, which anybody may.
    ///
    /// # Errors
    /// No answer.
    pub async fn show(&self, coupon_id: &str) -> anyhow::Result<Answer> {
        self.call(Method::GET, &format!("/coupons/{coupon_id}"), None, Bytes::new()).await
    }

    /// Asks what a ticket came to.
    ///
    /// # Errors
    /// No answer.
    pub async fn status(&self, coupon_id: &str, ticket: &str, token: &HeaderValue) -> anyhow::Result<Answer> {
        self.call(Method::GET, &format!("/coupons/{coupon_id}/issues/{ticket}"), Some(token), Bytes::new()).await
    }

    /// What somebody holds of a coupon, by the list of all that is theirs; nothing if they hold none.
    ///
    /// # Errors
    /// No answer, or another one than 200.
    pub async fn held(&self, coupon_id: &str, token: &HeaderValue) -> anyhow::Result<Option<Said>> {
        let mut path = "/me/coupons?limit=100".to_owned();
        loop {
            let answer = self.call(Method::GET, &path, Some(token), Bytes::new()).await?;
            if answer.status != StatusCode::OK {
                bail!("a list of coupons was not given: {}", answer.shown());
            }
            let page = answer.said();
            if let Some(held) = page.items.into_iter().find(|item| item.coupon_id.as_deref() == Some(coupon_id)) {
                return Ok(Some(held));
            }
            // Coupons come in order and each is on one page: the list ends.
            let Some(cursor) = page.next_cursor else { return Ok(None) };
            path = format!("/me/coupons?limit=100&cursor={cursor}");
        }
    }

    /// Creates a coupon.
    ///
    /// # Errors
    /// No answer, or another one than 201.
    pub async fn create(&self, coupon_id: &str, name: &str, total: u64, token: &HeaderValue) -> anyhow::Result<()> {
        let body = serde_json::json!({"couponId": coupon_id, "name": name, "total": total}).to_string();
        let answer = self.call(Method::POST, "/coupons", Some(token), body.into()).await?;
        if answer.status != StatusCode::CREATED {
            bail!("the coupon {coupon_id} was not created: {}", answer.shown());
        }
        Ok(())
    }

    /// One call, as soon as there is a connection for it.
    ///
    /// # Errors
    /// No answer in time, or none that is HTTP.
    pub async fn call(
        &self,
        method: Method,
        path: &str,
        token: Option<&HeaderValue>,
        body: Bytes,
    ) -> anyhow::Result<Answer> {
        let _permit = self.permits.acquire().await?;
        let sent = Instant::now();
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, token);
        }
        if !body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let request = request.body(Full::new(body))?;
        let exchange = async {
            let response = self.http.request(request).await?;
            let (head, body) = response.into_parts();
            let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await.map_err(|error| anyhow!(error))?;
            let retry_after = head.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
            let retry_after = retry_after.map(Duration::from_secs);
            Ok(Answer { sent, status: head.status, retry_after, body: body.to_bytes() })
        };
        match tokio::time::timeout(ANSWER_MAX, exchange).await {
            Ok(answer) => answer,
            Err(_elapsed) => bail!("no answer within {} s", ANSWER_MAX.as_secs()),
        }
    }
}

fn over_tls(mut connector: HttpConnector) -> anyhow::Result<HttpsConnector<HttpConnector>> {
    connector.enforce_http(false);
    let builder = HttpsConnectorBuilder::new().with_provider_and_native_roots(aws_lc_rs::default_provider());
    let builder = builder.context("no certificates to trust: apt-get install ca-certificates, or set SSL_CERT_FILE")?;
    Ok(builder.https_only().enable_http1().wrap_connector(connector))
}

/// `Bearer …`, made once for each person.
///
/// # Errors
/// The token has characters that no header takes.
pub fn bearer(token: &str) -> anyhow::Result<HeaderValue> {
    let mut value = HeaderValue::from_str(&format!("Bearer {token}")).context("a token that is no header value")?;
    value.set_sensitive(true);
    Ok(value)
}
