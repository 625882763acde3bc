//! Load: people who ask for one coupon, and how it went. `load`, `demo` and `measure` share it.
//!
//! Everything goes through the HTTP API as any client's calls would; the log is only read, afterwards, for the time to
//! decision. Start with `rush.rs`; `command.rs` is `cargo local load`.

pub mod api;
pub mod command;
pub mod decisions;
pub mod figures;
pub mod measure;
pub mod people;
pub mod rush;
pub mod shown;
#[cfg(test)]
mod tests;
pub mod written;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Parser;

use crate::cli::{Cli, Command, UpOptions};

pub use command::LoadOptions;
pub use measure::MeasureOptions;

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
