//! A TCP proxy that can let nothing through any more: what is sent is taken and goes nowhere, so that its sender waits as
//! for a store that has stopped answering, and nothing of it arrives later.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

pub(crate) struct Gate {
    pub(crate) address: SocketAddr,
    shut: watch::Sender<bool>,
    serving: JoinHandle<()>,
}

impl Gate {
    /// An open gate in front of a port of this machine.
    pub(crate) async fn start(upstream: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (shut, is_shut) = watch::channel(false);
        let serving = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _peer)) = listener.accept().await {
                connections.spawn(connection(client, upstream, is_shut.clone()));
            }
        });
        Self { address, shut, serving }
    }

    pub(crate) fn shut(&self) {
        self.shut.send_replace(true);
    }

    pub(crate) fn open(&self) {
        self.shut.send_replace(false);
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn connection(client: TcpStream, upstream: u16, is_shut: watch::Receiver<bool>) {
    let Ok(upstream) = TcpStream::connect(("127.0.0.1", upstream)).await else { return };
    let ((from_client, to_client), (from_upstream, to_upstream)) = (client.into_split(), upstream.into_split());
    // Whichever side ends first, the connection is over.
    tokio::select! {
        () = forward(from_client, to_upstream, is_shut.clone()) => {}
        () = forward(from_upstream, to_client, is_shut) => {}
    }
}

async fn forward(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, is_shut: watch::Receiver<bool>) {
    let mut chunk = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = from.read(&mut chunk).await {
        if !*is_shut.borrow() && to.write_all(&chunk[..read]).await.is_err() {
            return;
        }
    }
}
