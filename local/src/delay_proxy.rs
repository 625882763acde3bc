//! A TCP proxy that can hold answers back, in front of the embedded broker. The broker tells its clients this proxy's
//! address, so no connection goes around it.
//!
//! Knows no protocol: a chunk of bytes on its way back to the client is an answer to it. `faults.rs` sets the delay.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;

const CHUNK_BYTES: usize = 64 * 1024;
/// Chunks that wait at once; a sender that is further ahead waits itself.
const WAITING_MAX: usize = 64;

/// How long which share of the answers is held back.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Delay {
    /// For how long.
    pub duration: Duration,
    /// The share of chunks, 0 to 1. Order is kept, so what follows a delayed chunk comes no earlier than it.
    pub rate: f64,
}

/// A running proxy. Dropped, it stops, and so does every connection through it.
#[derive(Debug)]
pub struct DelayProxy {
    delay: Arc<Mutex<Option<Delay>>>,
    serving: AbortHandle,
}

impl DelayProxy {
    /// Serves the listener in front of a port of this machine, without a delay.
    #[must_use]
    pub fn start(listener: TcpListener, upstream_port: u16) -> Self {
        let delay = Arc::new(Mutex::new(None));
        let upstream = SocketAddr::from((Ipv4Addr::LOCALHOST, upstream_port));
        let serving = tokio::spawn(serve(listener, upstream, Arc::clone(&delay))).abort_handle();
        Self { delay, serving }
    }

    /// From the next chunk on, for connections that are open too. `None`: no delay.
    pub fn set(&self, delay: Option<Delay>) {
        *self.delay.lock().unwrap_or_else(PoisonError::into_inner) = delay;
    }
}

impl Drop for DelayProxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

type SharedDelay = Arc<Mutex<Option<Delay>>>;

/// Accepts until it is aborted; its connections end with it.
async fn serve(listener: TcpListener, upstream: SocketAddr, delay: SharedDelay) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((client, _)) => {
                    connections.spawn(connection(client, upstream, Arc::clone(&delay)));
                }
                Err(error) => {
                    tracing::warn!(%error, "no connection accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Ends as soon as one side does: no Kafka client or broker closes half a connection.
async fn connection(client: TcpStream, upstream: SocketAddr, delay: SharedDelay) {
    // Dropped, the client sees its connection end: what a broker that is down looks like from behind a proxy.
    let Ok(server) = TcpStream::connect(upstream).await else { return };
    drop(client.set_nodelay(true));
    drop(server.set_nodelay(true));
    let (mut from_client, to_client) = client.into_split();
    let (from_server, mut to_server) = server.into_split();
    tokio::select! {
        copied = tokio::io::copy(&mut from_client, &mut to_server) => drop(copied),
        () = answers(from_server, to_client, delay) => {}
    }
}

/// Reading goes on while chunks wait, so that answers are late and not fewer.
async fn answers(mut from_server: OwnedReadHalf, mut to_client: OwnedWriteHalf, delay: SharedDelay) {
    let (sender, mut waiting) = mpsc::channel::<(Instant, Vec<u8>)>(WAITING_MAX);
    let read = async move {
        let mut chunk = vec![0; CHUNK_BYTES];
        while let Ok(length) = from_server.read(&mut chunk).await
            && let Some(bytes) = chunk.get(..length)
            && !bytes.is_empty()
            && sender.send((Instant::now() + held_back(&delay), bytes.to_vec())).await.is_ok()
        {}
    };
    let write = async move {
        while let Some((due, bytes)) = waiting.recv().await {
            tokio::time::sleep_until(due).await;
            if to_client.write_all(&bytes).await.is_err() {
                return;
            }
        }
    };
    tokio::join!(read, write);
}

fn held_back(delay: &SharedDelay) -> Duration {
    let delay = *delay.lock().unwrap_or_else(PoisonError::into_inner);
    delay.filter(|delay| fastrand::f64() < delay.rate).map_or(Duration::ZERO, |delay| delay.duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that answers every byte with itself.
    async fn echo() -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("free");
        let port = listener.local_addr().expect("bound").port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut read, mut write) = stream.split();
                    tokio::io::copy(&mut read, &mut write).await
                });
            }
        });
        port
    }

    async fn proxy(upstream: u16) -> (DelayProxy, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("free");
        let address = listener.local_addr().expect("bound");
        (DelayProxy::start(listener, upstream), address)
    }

    async fn round_trip(stream: &mut TcpStream) -> Duration {
        let start = Instant::now();
        stream.write_all(b"x").await.expect("written");
        assert_eq!(stream.read_u8().await.expect("answered"), b'x');
        start.elapsed()
    }

    #[tokio::test]
    async fn answers_are_late_while_the_delay_holds_and_on_open_connections_too() {
        let (proxy, address) = proxy(echo().await).await;
        let mut stream = TcpStream::connect(address).await.expect("connected");
        round_trip(&mut stream).await;
        let duration = Duration::from_millis(200);
        proxy.set(Some(Delay { duration, rate: 1.0 }));
        assert!(round_trip(&mut stream).await >= duration);
        // A delay that went on would make the ten of them take two seconds.
        proxy.set(None);
        let start = Instant::now();
        for _ in 0..10 {
            round_trip(&mut stream).await;
        }
        assert!(start.elapsed() < duration * 10);
    }

    #[tokio::test]
    async fn a_client_of_a_broker_that_is_down_sees_its_connection_end() {
        let down = TcpListener::bind("127.0.0.1:0").await.expect("free").local_addr().expect("bound").port();
        let (_proxy, address) = proxy(down).await;
        let mut stream = TcpStream::connect(address).await.expect("the proxy accepts");
        let read = tokio::time::timeout(Duration::from_secs(10), stream.read_u8()).await.expect("no wait");
        assert!(read.is_err());
    }
}
