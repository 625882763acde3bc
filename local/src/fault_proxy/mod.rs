//! An HTTP proxy in front of a DynamoDB endpoint that lets faults happen which cannot be provoked from outside:
//! throttling, transaction conflicts, answers that get lost, latency. What meets none passes through as it is.
//!
//! Knows DynamoDB's operations and errors, no coupon. `faults.rs` decides what a call meets, `answer.rs` spells the
//! errors. Used by tests and by `up --faults`.

mod answer;
mod counting;
mod faults;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use http_body_util::{BodyExt, Either, Full};
use hyper::body::Incoming;
use hyper::http::uri::{Authority, Scheme};
use hyper::service::service_fn;
use hyper::{Request, Response, Uri};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};

use counting::Counted;
pub use faults::{Fault, Kind};
use faults::{Faults, Meets};

/// Bodies that a fault has to look into; DynamoDB takes no longer ones
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html>).
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A running proxy. When the handle is dropped, it stops, and so does every connection through it.
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    faults: Arc<Faults>,
    counted: Option<Arc<Counted>>,
    serving: AbortHandle,
}

impl FaultProxy {
    /// Serves `listener` in front of the DynamoDB at `upstream`, such as `http://127.0.0.1:8000`; no fault is set.
    ///
    /// # Errors
    /// `upstream` is no `http` URL, or the listener has no address.
    pub fn start(listener: TcpListener, upstream: &str) -> anyhow::Result<Self> {
        Self::start_seeded(listener, upstream, fastrand::u64(..))
    }

    /// The same with dice that repeat themselves: calls that come one after the other meet the same faults again.
    ///
    /// # Errors
    /// As [`FaultProxy::start`].
    pub fn start_seeded(listener: TcpListener, upstream: &str, seed: u64) -> anyhow::Result<Self> {
        Self::start_with(listener, upstream, seed, None)
    }

    /// The same without any fault, counting the units that calls consume: each call is asked to report them.
    ///
    /// # Errors
    /// As [`FaultProxy::start`].
    pub fn start_counting(listener: TcpListener, upstream: &str) -> anyhow::Result<Self> {
        Self::start_with(listener, upstream, 0, Some(Arc::default()))
    }

    fn start_with(
        listener: TcpListener,
        upstream: &str,
        seed: u64,
        counted: Option<Arc<Counted>>,
    ) -> anyhow::Result<Self> {
        let uri: Uri = upstream.parse().with_context(|| format!("{upstream} is no URL"))?;
        anyhow::ensure!(
            uri.scheme() == Some(&Scheme::HTTP),
            "faults are injected in front of an http:// endpoint, not {upstream}: point them at a local DynamoDB"
        );
        let authority = uri.authority().cloned().with_context(|| format!("{upstream} names no host"))?;
        let address = listener.local_addr()?;
        let faults = Arc::new(Faults::new(seed));
        let proxy =
            Proxy { upstream: authority, client: client(), faults: Arc::clone(&faults), counted: counted.clone() };
        let proxy = Arc::new(proxy);
        tracing::info!(%address, upstream, seed, "faults can be injected");
        let serving = tokio::spawn(serve(listener, proxy)).abort_handle();
        Ok(Self { address, faults, counted, serving })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From the next call on, calls meet this fault, until it is cleared or set anew. Kinds are independent.
    pub fn set(&self, fault: Fault) {
        self.faults.set(fault);
    }

    /// From the next call on, no call meets this kind of fault.
    pub fn clear(&self, kind: Kind) {
        self.faults.clear(kind);
    }

    /// Units that calls have consumed so far; nothing of a proxy that does not count.
    #[must_use]
    pub fn units(&self) -> bench_report::Units {
        self.counted.as_ref().map_or_else(Default::default, |counted| counted.units())
    }

    /// How many calls have met this kind of fault.
    #[must_use]
    pub fn met(&self, kind: Kind) -> u64 {
        self.faults.met(kind)
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// What every connection shares.
#[derive(Debug)]
struct Proxy {
    upstream: Authority,
    client: Client<HttpConnector, Either<Incoming, Full<Bytes>>>,
    faults: Arc<Faults>,
    counted: Option<Arc<Counted>>,
}

fn client() -> Client<HttpConnector, Either<Incoming, Full<Bytes>>> {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    Client::builder(TokioExecutor::new()).http1_preserve_header_case(true).build(connector)
}

/// Accepts until it is aborted; its connections end with it.
async fn serve(listener: TcpListener, proxy: Arc<Proxy>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, Arc::clone(&proxy)));
                }
                // Such as too many open files: connections have to end before there can be new ones.
                Err(error) => {
                    tracing::warn!(%error, "no connection accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(stream: TcpStream, proxy: Arc<Proxy>) {
    drop(stream.set_nodelay(true));
    let service = service_fn(move |request| {
        let proxy = Arc::clone(&proxy);
        async move { proxy.call(request).await }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .preserve_header_case(true)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    // A lost answer ends its connection this way, and so does a client that goes away.
    if let Err(error) = served {
        tracing::debug!(%error, "connection ended");
    }
}

impl Proxy {
    /// One call. An error drops the connection without an answer.
    async fn call(&self, request: Request<Incoming>) -> anyhow::Result<Response<Either<Incoming, Full<Bytes>>>> {
        let operation = answer::operation(request.headers()).to_owned();
        let meets = self.faults.meets(&operation);
        if let Some(delay) = meets.delay() {
            tokio::time::sleep(delay).await;
        }
        if let Some(counted) = &self.counted {
            return self.count(counted, &operation, request).await;
        }
        match meets {
            Meets::Refusal { refusal, dice, .. } => {
                let body = http_body_util::Limited::new(request.into_body(), BODY_BYTES_MAX);
                let body = body.collect().await.map_err(|error| anyhow::anyhow!("no body: {error}"))?.to_bytes();
                Ok(answer::refusal(refusal, dice, &body)?.map(Either::Right))
            }
            Meets::LostAnswer { .. } => {
                // To the end: what the store did is done, and only the news of it are lost.
                let answered = self.forward(request).await?.into_body().collect().await?;
                anyhow::bail!("an answer of {} bytes to {operation} got lost", answered.to_bytes().len())
            }
            Meets::Nothing { .. } => Ok(self.forward(request).await?.map(Either::Left)),
        }
    }

    /// Hands a request on, its headers and body untouched.
    async fn forward(&self, request: Request<Incoming>) -> anyhow::Result<Response<Incoming>> {
        self.send(request.map(Either::Left)).await
    }

    async fn send(&self, mut request: Request<Either<Incoming, Full<Bytes>>>) -> anyhow::Result<Response<Incoming>> {
        let mut parts = request.uri().clone().into_parts();
        parts.scheme = Some(Scheme::HTTP);
        parts.authority = Some(self.upstream.clone());
        *request.uri_mut() = Uri::from_parts(parts)?;
        Ok(self.client.request(request).await?)
    }
}

#[cfg(test)]
mod tests;
