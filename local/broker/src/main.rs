//! The sandbox's Kafka broker: tansu with SQLite storage, as a process of its own. It cannot share one with the embedded
//! DynamoDB, because each links its own SQLite and tansu's then refuses to start ("incorrect threading configuration").
//!
//! Knows no topic and no coupon. The sandbox starts and supervises it, see `local/src/broker.rs`; what tansu's storage
//! lacks is in `storage.rs`.
#![expect(clippy::print_stdout, reason = "its ready line is what the sandbox waits for")]

mod groups;
mod known;
mod producers;
mod storage;

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Parser;
use tansu_broker::broker::Broker;
use tansu_broker::coordinator::group::administrator::Controller;
use tansu_storage::StorageContainer;
use tokio::net::TcpStream;
use tokio::signal::unix::{SignalKind, signal};
use url::Url;
use uuid::Uuid;

use crate::groups::{Coordinating, Groups};
use crate::producers::Producers;
use crate::storage::LogStorage;

/// Storage opens its file and answers in well under a second; a machine under load gets this long.
const START_MAX: Duration = Duration::from_secs(30);
const CLUSTER: &str = "firstcome-sandbox";
const NODE: i32 = 111;

/// A Kafka broker on 127.0.0.1 that keeps its log in one directory.
#[derive(Debug, Parser)]
struct Options {
    /// The port to listen on
    #[arg(long)]
    port: u16,
    /// The port that clients are told to use, when a proxy stands in front; by default the one above
    #[arg(long)]
    advertised_port: Option<u16>,
    /// Where the log is kept; made when it does not exist
    #[arg(long)]
    data: PathBuf,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_env_filter(
            tracing_subscriber::EnvFilter::builder()
                .with_default_directive(tracing_subscriber::filter::LevelFilter::WARN.into())
                .from_env_lossy(),
        )
        .init();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    // tansu resolves a `sqlite://` path against the working directory, whatever it looks like.
    std::fs::create_dir_all(&options.data).with_context(|| format!("cannot make {}", options.data.display()))?;
    std::env::set_current_dir(&options.data).with_context(|| format!("cannot enter {}", options.data.display()))?;

    // A taken port must not pass for ours: whoever has it would answer the connection below.
    drop(
        std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, options.port))
            .with_context(|| format!("port {} is taken; give another --port", options.port))?,
    );
    let listener = Url::parse(&format!("tcp://127.0.0.1:{}", options.port))?;
    let advertised = Url::parse(&format!("tcp://127.0.0.1:{}", options.advertised_port.unwrap_or(options.port)))?;
    end_on_panic();
    let storage = StorageContainer::builder()
        .cluster_id(CLUSTER)
        .node_id(NODE)
        .advertised_listener(advertised.clone())
        .storage(Url::parse("sqlite://log.db")?)
        .silent(true)
        .build()
        .await
        .context("the storage does not open")?;
    let groups = Groups::default();
    let storage = LogStorage::new(storage, Producers::open(Path::new("log.db")).await?, groups.clone());
    let groups = Coordinating::new(Controller::with_storage(storage.clone())?, groups);
    let mut broker = Broker::new(NODE, CLUSTER, listener, advertised, storage, groups, Uuid::new_v4());
    // `serve` registers the broker and listens; `main` would unwrap its errors and clear the terminal.
    let mut serving = tokio::spawn(async move { broker.serve(tokio::time::Instant::now()).await });

    tokio::select! {
        ended = &mut serving => bail!("the broker ended: {ended:?}"),
        ready = accepting(options.port) => ready?,
    }
    println!("ready on 127.0.0.1:{}", options.port);

    tokio::select! {
        ended = &mut serving => bail!("the broker ended: {ended:?}"),
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    // Every acknowledged record is committed to SQLite, so there is nothing to wait for.
    serving.abort();
    Ok(())
}

/// A task of the broker that panicked is a broker that takes connections and answers none: whoever supervises it can do
/// something about a process that ended.
fn end_on_panic() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        std::process::exit(101);
    }));
}

/// Until the port takes a connection.
async fn accepting(port: u16) -> anyhow::Result<()> {
    let start = Instant::now();
    while start.elapsed() < START_MAX {
        if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_ok() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    bail!("port {port} took no connection within {} s", START_MAX.as_secs())
}
