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

/// How one side did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Turn {
    /// Records a second from the first request to the last: what came before the first one, such as joining a group, is
    /// nobody's speed.
    pub(super) rate: f64,
    /// Records of a request, on average.
    pub(super) batch: f64,
}

/// All records being alike, the bytes tell how many of them came after the first request.
fn turn(requests: &[Request], records: usize) -> anyhow::Result<Turn> {
    let (Some(first), Some(last)) = (requests.first(), requests.last()) else { anyhow::bail!("no request came") };
    let all: usize = requests.iter().map(|request| request.bytes).sum();
    let float = |count: usize| u32::try_from(count).map(f64::from);
    let after_first = float(records)? * float(all - first.bytes)? / float(all)?;
    let batch = float(records)? / float(requests.len())?;
    Ok(Turn { rate: after_first / (last.at - first.at).as_secs_f64(), batch })
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

    /// What the requests since the last [`Self::forget`] come to, which had so many records in all.
    pub(super) fn turn(&self, records: usize) -> anyhow::Result<Turn> {
        turn(&self.requests(), records)
    }
}

async fn invoke(State(requests): State<Arc<Requests>>, body: Bytes) -> &'static str {
    let request = Request { at: Instant::now(), bytes: body.len() };
    requests.seen.lock().unwrap_or_else(PoisonError::into_inner).push(request);
    requests.more.notify_waiters();
    "null"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_is_its_records_after_the_first_request_and_its_mean_batch() {
        let start = Instant::now();
        let request = |after_ms, bytes| Request { at: start + Duration::from_millis(after_ms), bytes };
        // 10 records of 100 bytes: 4, then 6 within two seconds.
        let requests = [request(0, 400), request(500, 100), request(2000, 500)];
        assert_eq!(turn(&requests, 10).unwrap(), Turn { rate: 3.0, batch: 10.0 / 3.0 });
        assert!(turn(&[], 10).is_err());
    }
}
