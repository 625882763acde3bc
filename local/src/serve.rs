//! The HTTP/1 server under the gateway and the Lambda host: accepts, keeps connections alive, and stops in good order.
//!
//! Knows no path and no status: what to answer is its caller's, see `gateway/` and `lambda/`. Not `axum`: these two are
//! what every request of a load run goes through several times, in the development profile.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// How long a client may take for a request's head, and for its body: API Gateway's own idle time of a connection is
/// longer, but a local caller that needs 30 s for a head is stuck.
pub(crate) const READ_SECONDS_MAX: Duration = Duration::from_secs(30);

/// The largest head that is read at all; what is larger is answered 431 by the server itself, without a body.
const HEAD_BYTES_MAX: usize = 128 * 1024;

/// How much of a refused body is read away, so that its sender gets to see the answer instead of a reset connection.
const DRAIN_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// What answers the requests of a [`Server`].
pub(crate) trait Answer: Clone + Send + Sync + 'static {
    /// The answer to one request. The future is dropped when the caller goes away.
    fn answer(
        &self,
        request: Request<Incoming>,
        peer: SocketAddr,
    ) -> impl Future<Output = Response<Full<Bytes>>> + Send;
}

/// A running server. Dropped, it ends at once.
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    accepting: JoinHandle<()>,
}

impl Server {
    /// Serves what arrives at the listener.
    ///
    /// # Errors
    /// The listener has no address.
    pub(crate) fn start(listener: TcpListener, answer: impl Answer) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let (stop, stopped) = watch::channel(false);
        let accepting = tokio::spawn(accept(listener, stopped, answer));
        Ok(Self { address, stop, accepting })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts nothing more, lets the running requests finish for at most `grace`, and ends.
    pub(crate) async fn stop(mut self, grace: Duration) {
        self.stop.send_replace(true);
        if tokio::time::timeout(grace, &mut self.accepting).await.is_err() {
            self.accepting.abort();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The connections go with it: they are tasks of a set that the accepting task owns.
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, mut stopped: watch::Receiver<bool>, answer: impl Answer) {
    let mut connections = JoinSet::new();
    while !*stopped.borrow() {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    connections.spawn(connection(stream, peer, stopped.clone(), answer.clone()));
                }
                Err(error) => {
                    // Out of file descriptors, most likely: those who are served now will give some back.
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            },
            _ = connections.join_next(), if !connections.is_empty() => {}
            _ = stopped.changed() => {}
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn connection(stream: TcpStream, peer: SocketAddr, mut stopped: watch::Receiver<bool>, answer: impl Answer) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, %peer, "TCP_NODELAY");
    }
    let service = service_fn(|request| {
        let answer = &answer;
        async move { Ok::<_, Infallible>(answer.answer(request, peer).await) }
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(READ_SECONDS_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(serving);
    // In a block of its own, which drops the borrowed value that it waits for: it could not be held over an await.
    let stop = async { drop(stopped.wait_for(|stopped| *stopped).await) };
    let ended = tokio::select! {
        ended = &mut serving => ended,
        () = stop => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, %peer, "connection ended");
    }
}

/// A body, read whole.
#[derive(Debug)]
pub(crate) enum Received {
    /// All of it.
    Whole(Bytes),
    /// More than the limit. What came was read away, within bounds.
    TooLarge,
    /// The client stopped sending, or took too long.
    Incomplete,
}

/// Reads a body of at most `limit` bytes.
pub(crate) async fn receive(body: Incoming, limit: usize) -> Received {
    match tokio::time::timeout(READ_SECONDS_MAX, read(body, limit)).await {
        Ok(received) => received,
        Err(_) => Received::Incomplete,
    }
}

async fn read(mut body: Incoming, limit: usize) -> Received {
    if body.is_end_stream() {
        return Received::Whole(Bytes::new());
    }
    let announced = body.size_hint().exact();
    let limit_u64 = u64::try_from(limit).unwrap_or(u64::MAX);
    if announced.is_some_and(|length| length > limit_u64) {
        return drain(body, 0).await;
    }
    let mut first: Option<Bytes> = None;
    let mut rest = BytesMut::new();
    let mut length = 0_usize;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return Received::Incomplete };
        let Ok(data) = frame.into_data() else { continue };
        length = length.saturating_add(data.len());
        if length > limit {
            return drain(body, u64::try_from(length).unwrap_or(u64::MAX)).await;
        }
        match &first {
            // One frame is the common case, and it needs no copy.
            None => first = Some(data),
            Some(_) => rest.extend_from_slice(&data),
        }
    }
    Received::Whole(match first {
        Some(first) if rest.is_empty() => first,
        Some(first) => [first, rest.freeze()].concat().into(),
        None => Bytes::new(),
    })
}

async fn drain(mut body: Incoming, mut seen: u64) -> Received {
    while let Some(Ok(frame)) = body.frame().await {
        seen = seen.saturating_add(frame.data_ref().map_or(0, |data| u64::try_from(data.len()).unwrap_or(u64::MAX)));
        if seen > DRAIN_BYTES_MAX {
            break;
        }
    }
    Received::TooLarge
}

/// A JSON answer.
pub(crate) fn json(status: StatusCode, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let content_type = hyper::header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(hyper::header::CONTENT_TYPE, content_type);
    response
}
