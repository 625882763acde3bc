//! A function that does nothing, behind an Invoke address, and remembers when it was asked: what both sides post to.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::routing::post;
use tokio::net::TcpListener;
use tokio::sync::Notify;

/// One invocation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request {
    /// When all of it was there.
    pub(super) at: Instant,
    pub(super) bytes: usize,
}

#[derive(Debug, Default)]
struct Requests {
    seen: Mutex<Vec<Request>>,
    more: Notify,
}

/// Serves until it is dropped.
pub(super) struct Handler {
    url: String,
    requests: Arc<Requests>,
    serving: tokio::task::JoinHandle<()>,
}

impl Drop for Handler {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Handler {
    pub(super) async fn start() -> anyhow::Result<Self> {
        let requests = Arc::new(Requests::default());
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let path = "/2015-03-31/functions/empty/invocations";
        let url = format!("http://{}{path}", listener.local_addr()?);
        let router =
            Router::new().route(path, post(invoke)).layer(DefaultBodyLimit::max(8 << 20)).with_state(requests.clone());
        let serving = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!(%error, "the handler is no longer served");
            }
        });
        Ok(Self { url, requests, serving })
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) fn requests(&self) -> Vec<Request> {
        self.requests.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn forget(&self) {
        self.requests.seen.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// When the request of this number arrived, counted from 0.
    pub(super) async fn request(&self, number: usize, patience: Duration) -> anyhow::Result<Instant> {
        let arrived = async {
            loop {
                let more = self.requests.more.notified();
                if let Some(request) = self.requests().get(number) {
                    return request.at;
                }
                more.await;
            }
        };
        tokio::time::timeout(patience, arrived).await.context("the record is not invoked")
    }

    /// Records a second from the first request to the last: what came before the first one, such as joining a group, is
    /// nobody's speed. All records being alike, the bytes tell how many of them came after it.
    pub(super) fn rate(&self, records: usize) -> anyhow::Result<f64> {
        let requests = self.requests();
        let (Some(first), Some(last)) = (requests.first(), requests.last()) else { anyhow::bail!("no request came") };
        let all: usize = requests.iter().map(|request| request.bytes).sum();
        let float = |count: usize| u32::try_from(count).map(f64::from);
        let records = float(records)? * float(all - first.bytes)? / float(all)?;
        Ok(records / (last.at - first.at).as_secs_f64())
    }
}

async fn invoke(State(requests): State<Arc<Requests>>, body: Bytes) -> &'static str {
    let request = Request { at: Instant::now(), bytes: body.len() };
    requests.seen.lock().unwrap_or_else(PoisonError::into_inner).push(request);
    requests.more.notify_waiters();
    "null"
}
