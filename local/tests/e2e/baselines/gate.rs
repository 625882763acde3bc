//! A TCP proxy that can let nothing through any more, or no transaction, or none of one coupon: what is sent is taken and
//! goes nowhere, so that its sender waits as for a store that has stopped answering, and nothing of it arrives later.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// What goes through.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Lets {
    Everything,
    /// Reads and single writes: requests are answered, nothing is decided.
    NoTransaction,
    /// All but transactions that name this coupon.
    NoTransactionOf(String),
    Nothing,
}

/// In the head of a request that is one.
const TRANSACTION: &[u8] = b"TransactWriteItems";
/// Between its head and its body.
const BODY: &[u8] = b"\r\n\r\n";

pub(crate) struct Gate {
    pub(crate) address: SocketAddr,
    lets: watch::Sender<Lets>,
    serving: JoinHandle<()>,
}

impl Gate {
    /// An open gate in front of a port of this machine.
    pub(crate) async fn start(upstream: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (lets, is_let) = watch::channel(Lets::Everything);
        let serving = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _peer)) = listener.accept().await {
                connections.spawn(connection(client, upstream, is_let.clone()));
            }
        });
        Self { address, lets, serving }
    }

    pub(crate) fn shut(&self) {
        self.lets.send_replace(Lets::Nothing);
    }

    pub(crate) fn hold_transactions(&self) {
        self.lets.send_replace(Lets::NoTransaction);
    }

    pub(crate) fn hold_transactions_of(&self, coupon: &str) {
        self.lets.send_replace(Lets::NoTransactionOf(coupon.to_owned()));
    }

    pub(crate) fn open(&self) {
        self.lets.send_replace(Lets::Everything);
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn connection(client: TcpStream, upstream: u16, lets: watch::Receiver<Lets>) {
    let Ok(upstream) = TcpStream::connect(("127.0.0.1", upstream)).await else { return };
    let ((from_client, to_client), (from_upstream, to_upstream)) = (client.into_split(), upstream.into_split());
    // Whichever side ends first, the connection is over.
    tokio::select! {
        () = forward(from_client, to_upstream, lets.clone()) => {}
        () = forward(from_upstream, to_client, lets) => {}
    }
}

async fn forward(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, lets: watch::Receiver<Lets>) {
    let mut chunk = vec![0; 64 * 1024];
    let (mut held, mut waiting) = (false, Vec::new());
    while let Ok(read @ 1..) = from.read(&mut chunk).await {
        waiting.extend_from_slice(&chunk[..read]);
        let passes = match &*lets.borrow() {
            Lets::Everything => true,
            Lets::Nothing => false,
            // Its body follows, and nothing else: who waits for an answer asks nothing more on this connection.
            Lets::NoTransaction => {
                held |= has(&waiting, TRANSACTION);
                !held
            }
            Lets::NoTransactionOf(coupon) => {
                // Whose it is, is told when it is whole.
                if has(&waiting, TRANSACTION) && !is_whole(&waiting) {
                    continue;
                }
                held |= has(&waiting, TRANSACTION) && has(&waiting, coupon.as_bytes());
                !held
            }
        };
        if passes && !held && to.write_all(&waiting).await.is_err() {
            return;
        }
        waiting.clear();
    }
}

fn has(sent: &[u8], word: &[u8]) -> bool {
    sent.windows(word.len()).any(|window| window == word)
}

/// Whether a request has as much body as its head says.
fn is_whole(request: &[u8]) -> bool {
    let Some(head) = request.windows(BODY.len()).position(|window| window == BODY) else { return false };
    let length = String::from_utf8_lossy(&request[..head]).lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().unwrap())
    });
    request.len() >= head + BODY.len() + length.unwrap_or(0)
}
