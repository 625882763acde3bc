//! Where a sandbox keeps its log and tables: a directory that is given, or one of its own that ends with it.
//!
//! Only paths; what is written there is the embedded parts' business.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use nix::fcntl::{Flock, FlockArg};
use tempfile::TempDir;

/// A data directory that no other sandbox uses meanwhile.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    /// Removed when dropped; `None` for a directory that was given.
    _temporary: Option<TempDir>,
    /// The system lets go of it when the process ends, however it ends.
    _lock: Flock<File>,
}

impl DataDir {
    /// The directory at `given`, made when it does not exist, or a temporary one.
    ///
    /// # Errors
    /// It cannot be made, or another sandbox uses it.
    pub fn open(given: Option<&Path>) -> anyhow::Result<Self> {
        let temporary = match given {
            Some(_) => None,
            None => Some(tempfile::Builder::new().prefix("firstcome-").tempdir().context("no temporary directory")?),
        };
        let path = given.or(temporary.as_ref().map(TempDir::path)).context("no directory")?;
        std::fs::create_dir_all(path).with_context(|| format!("cannot make {}", path.display()))?;
        // The embedded broker changes into its directory, so a relative path would lead elsewhere there.
        let path = path.canonicalize()?;
        let lock_path = path.join("lock");
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&lock_path)
            .with_context(|| format!("cannot write {}", lock_path.display()))?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => Ok(Self { path, _temporary: temporary, _lock: lock }),
            Err(_) => bail!("{} is in use by another sandbox; end it, or give another --data", path.display()),
        }
    }

    /// The broker's part of it.
    #[must_use]
    pub fn broker(&self) -> PathBuf {
        self.path.join("broker")
    }

    /// The Redis's part of it, for the baselines that need one.
    #[must_use]
    pub fn redis(&self) -> PathBuf {
        self.path.join("redis")
    }

    /// The DynamoDB's part of it.
    #[must_use]
    pub fn dynamodb(&self) -> PathBuf {
        self.path.join("dynamodb")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_serves_one_sandbox_at_a_time() {
        let directory = tempfile::tempdir().expect("temporary");
        let first = DataDir::open(Some(directory.path())).expect("free");
        let error = DataDir::open(Some(directory.path())).expect_err("in use").to_string();
        assert!(error.contains("in use by another sandbox"), "{error}");
        drop(first);
        DataDir::open(Some(directory.path())).expect("free again");
    }

    #[test]
    fn without_a_directory_nothing_is_left_behind() {
        let data = DataDir::open(None).expect("temporary");
        let path = data.path.clone();
        assert!(path.is_dir());
        drop(data);
        assert!(!path.exists());
    }
}
