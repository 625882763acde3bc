//! A Redis for the baselines: Debian's `redis-server` as a child, with the settings that it has by itself.
//!
//! No client: who talks to it is the crate `baseline`.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::embedded::Embedded;
use crate::process::{Program, Spawner};

const BINARY: &str = "redis-server";
/// What `redis-server` logs when it listens.
const READY: &str = "Ready to accept connections";

/// What a Redis writes to its disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// As it comes: a snapshot now and then (3600 s after a change, 60 s after 10,000), so that a crash loses what came
    /// since the last one.
    Snapshots,
    /// The append-only file as well, synchronised every second (`appendonly yes`). While a synchronisation is under way,
    /// Redis answers first and writes up to two seconds later, so that even a crash of the process alone may lose those.
    AppendOnlyFile,
}

/// Starts a Redis on a loopback port.
///
/// # Errors
/// There is no `redis-server`, or it does not become ready.
pub async fn start(spawner: Spawner, port: u16, data: &Path, durability: Durability) -> anyhow::Result<Embedded> {
    let binary = binary(&path())?;
    std::fs::create_dir_all(data).with_context(|| format!("cannot make {}", data.display()))?;
    let append_only = match durability {
        Durability::Snapshots => "no",
        Durability::AppendOnlyFile => "yes",
    };
    let port = port.to_string();
    let mut program = Program::new("redis", binary);
    program.args = ["--bind", "127.0.0.1", "--port", &port, "--daemonize", "no", "--appendonly", append_only, "--dir"]
        .iter()
        .map(Into::into)
        .collect();
    program.args.push(data.into());
    Embedded::start_when(spawner, program, |line| line.contains(READY)).await
}

/// Whether this machine has one.
#[must_use]
pub fn is_installed() -> bool {
    binary(&path()).is_ok()
}

fn path() -> OsString {
    std::env::var_os("PATH").unwrap_or_default()
}

fn binary(path: &OsStr) -> anyhow::Result<PathBuf> {
    match std::env::split_paths(path).map(|folder| folder.join(BINARY)).find(|file| file.is_file()) {
        Some(file) => Ok(file),
        None => bail!("there is no {BINARY} on this machine: `apt-get install {BINARY}`, or give --redis HOST:PORT"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_redis_is_named_with_the_way_out() {
        let empty = tempfile::tempdir().expect("temporary");
        let error = binary(empty.path().as_os_str()).expect_err("not there").to_string();
        assert!(error.contains("apt-get install redis-server") && error.contains("--redis"), "{error}");
    }
}
