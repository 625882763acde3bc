//! The sandbox's DynamoDB: dynoxide with SQLite storage, as a process of its own. It cannot share one with the embedded
//! broker, because each links its own SQLite.
//!
//! Knows no table and no coupon. The sandbox starts and supervises it, see `local/src/dynamodb.rs`.
#![expect(clippy::print_stdout, reason = "its ready line is what the sandbox waits for")]

use std::net::Ipv4Addr;
use std::path::PathBuf;

use anyhow::Context;
use clap::Parser;
use dynoxide::{Database, server};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// A DynamoDB on 127.0.0.1 that keeps its tables in one directory; any region, any credentials.
#[derive(Debug, Parser)]
struct Options {
    /// The port to listen on
    #[arg(long)]
    port: u16,
    /// Where the tables are kept; made when it does not exist
    #[arg(long)]
    data: PathBuf,
    /// The directory goes with the sandbox, so that nothing has to outlive a loss of power
    #[arg(long)]
    passing: bool,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env()
                // It warns of every 400, which are answers like any other: a condition that does not hold, a table that
                // is not there yet.
                .unwrap_or_else(|_unset| tracing_subscriber::EnvFilter::new("warn,dynoxide::server=error")),
        )
        .init();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    std::fs::create_dir_all(&options.data).with_context(|| format!("cannot make {}", options.data.display()))?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port))
        .await
        .with_context(|| format!("cannot listen on port {}; give another --port", options.port))?;
    let path = options.data.join("tables.db");
    let database = Database::new(&path.to_string_lossy())
        .map_err(|error| anyhow::anyhow!("the storage {} does not open: {error}", path.display()))?;
    // By what they do: SQLite's `synchronous = OFF` and NORMAL, where it has FULL by itself. A commit that waits for the disk
    // holds up every read behind it, for 200 ms and more when other files are being written. A kill of the process loses
    // nothing with either; a loss of power a moment's commits with NORMAL, everything with OFF.
    let durability = if options.passing { database.enable_bulk_loading() } else { database.disable_bulk_loading() };
    durability.map_err(|error| anyhow::anyhow!("{}: {error}", path.display()))?;
    println!("ready on 127.0.0.1:{}", options.port);

    // Every answered write is committed to SQLite. Connections that clients keep open would hold a graceful end up for
    // as long as they like, so it gets no longer than the requests that run need.
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tokio::spawn(async {
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            std::process::exit(0);
        });
    };
    server::serve_with_shutdown(listener, database, stop).await.map_err(anyhow::Error::msg)
}
