//! Load: people who ask for one coupon, and how it went. `load`, `demo` and `measure` share it.
//!
//! Everything goes through the HTTP API as any client's calls would; the log is only read, afterwards, for the time to
//! decision. Start with `rush.rs`; `command.rs` is `cargo local load`.

pub mod command;
pub mod decisions;
pub mod early;
pub mod figures;
pub mod measure;
pub mod people;
mod profiled;
pub mod rush;
pub mod shown;
#[cfg(test)]
mod tests;
pub mod written;

use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::{Cli, Command, UpOptions};

pub use command::LoadOptions;
pub use load_generator::api;
pub use measure::MeasureOptions;

/// What a shell says of a process that SIGINT ended.
pub(crate) const INTERRUPTED: u8 = 130;
/// What a shell says of a process that SIGTERM ended.
pub(crate) const TERMINATED: u8 = 143;

/// A sandbox on free ports, everything embedded: what `cargo local up --port 0` starts.
///
/// # Errors
/// The command line has no such command, which it has.
pub fn own_sandbox() -> anyhow::Result<UpOptions> {
    let Command::Up(options) = Cli::try_parse_from(["local", "up", "--port", "0"])?.command else {
        anyhow::bail!("`up` is another command now");
    };
    Ok(options)
}

/// Runs a command that has a sandbox of its own, unless somebody ends it: then the sandbox is dropped with the future,
/// which kills its children and removes its data.
///
/// # Errors
/// The command's; no signal can be waited for.
pub async fn unless_interrupted(command: impl Future<Output = anyhow::Result<ExitCode>>) -> anyhow::Result<ExitCode> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        ended = command => ended,
        _ = interrupt.recv() => Ok(ExitCode::from(INTERRUPTED)),
        _ = terminate.recv() => Ok(ExitCode::from(TERMINATED)),
    }
}

/// An id that no coupon of an earlier run has.
#[must_use]
pub fn fresh_id(of: &str) -> String {
    format!("{of}-{}-{}", now_ms(), std::process::id())
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
