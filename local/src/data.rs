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
    temporary: Option<TempDir>,
    /// The system lets go of it when the process ends, however it ends.
    _lock: Flock<File>,
}

/// What a directory of the sandbox's own is called, before some random letters.
const PREFIX: &str = "firstcome-";
/// The lock file in a directory that was given.
const LOCK: &str = "lock";
/// The lock file in a directory of the sandbox's own: whoever holds its lock may remove the directory.
const PASSING_LOCK: &str = "passing.lock";
const BROKER: &str = "broker";
const REDIS: &str = "redis";
const DYNAMODB: &str = "dynamodb";

impl DataDir {
    /// The directory at `given`, made when it does not exist, or a temporary one. Temporary ones that a sandbox left
    /// behind, for it was killed, are removed first.
    ///
    /// # Errors
    /// It cannot be made, or another sandbox uses it.
    pub fn open(given: Option<&Path>) -> anyhow::Result<Self> {
        let Some(given) = given else {
            let parent = std::env::temp_dir();
            remove_abandoned(&parent);
            return Self::passing(&parent);
        };
        std::fs::create_dir_all(given).with_context(|| format!("cannot make {}", given.display()))?;
        // The embedded broker changes into its directory, so a relative path would lead elsewhere there.
        let path = given.canonicalize()?;
        match Flock::lock(lock_file(&path.join(LOCK))?, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => Ok(Self { path, temporary: None, _lock: lock }),
            Err(_) => bail!("{} is in use by another sandbox; end it, or give another --data", path.display()),
        }
    }

    /// A directory of the sandbox's own, in `parent`.
    fn passing(parent: &Path) -> anyhow::Result<Self> {
        let made = tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent);
        let temporary = made.with_context(|| format!("cannot make a directory in {}", parent.display()))?;
        let path = temporary.path().canonicalize()?;
        // Locked before it has the name by which it is found, so that nobody takes it for abandoned.
        let unnamed = path.join(LOCK);
        let locked = Flock::lock(lock_file(&unnamed)?, FlockArg::LockExclusiveNonblock);
        let lock =
            locked.map_err(|(_file, error)| error).with_context(|| format!("cannot lock {}", unnamed.display()))?;
        std::fs::rename(&unnamed, path.join(PASSING_LOCK))?;
        Ok(Self { path, temporary: Some(temporary), _lock: lock })
    }

    /// Whether it goes with the sandbox.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        self.temporary.is_some()
    }

    /// The broker's part of it.
    #[must_use]
    pub fn broker(&self) -> PathBuf {
        self.path.join(BROKER)
    }

    /// The Redis's part of it, for the baselines that need one.
    #[must_use]
    pub fn redis(&self) -> PathBuf {
        self.path.join(REDIS)
    }

    /// The DynamoDB's part of it.
    #[must_use]
    pub fn dynamodb(&self) -> PathBuf {
        self.path.join(DYNAMODB)
    }
}

fn lock_file(path: &Path) -> anyhow::Result<File> {
    let opened = OpenOptions::new().create(true).truncate(false).write(true).open(path);
    opened.with_context(|| format!("cannot write {}", path.display()))
}

/// Removes the directories in `parent` whose sandbox ended without removing its own, as after a `kill -9`. What cannot be
/// removed stays for the next one to try.
fn remove_abandoned(parent: &Path) {
    let Ok(entries) = std::fs::read_dir(parent) else { return };
    for entry in entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX)) {
        let path = entry.path();
        let Ok(file) = OpenOptions::new().write(true).open(path.join(PASSING_LOCK)) else { continue };
        let Ok(_lock) = Flock::lock(file, FlockArg::LockExclusiveNonblock) else { continue };
        tracing::debug!(path = %path.display(), "a sandbox left its data behind, removing it");
        // The lock file last: without it the rest would never be found again.
        let of_parts = [BROKER, REDIS, DYNAMODB].map(|part| path.join(part));
        if of_parts.iter().filter(|part| part.exists()).all(|part| std::fs::remove_dir_all(part).is_ok()) {
            std::fs::remove_dir_all(&path).ok();
        }
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

    #[test]
    fn what_a_killed_sandbox_left_is_removed_and_nothing_else() {
        let parent = tempfile::tempdir().expect("temporary");
        let running = DataDir::passing(parent.path()).expect("its own");
        std::fs::create_dir_all(running.broker()).expect("a part's");
        let abandoned = parent.path().join("firstcome-killed");
        std::fs::create_dir_all(abandoned.join(BROKER).join("logs")).expect("a part's");
        std::fs::write(abandoned.join(PASSING_LOCK), "").expect("a lock that nobody holds");
        let given = DataDir::open(Some(&parent.path().join("firstcome-mine"))).expect("free");
        let kept = given.path.clone();
        drop(given);
        let elsewhere = parent.path().join("others");
        std::fs::create_dir_all(&elsewhere).expect("somebody's");
        std::fs::write(elsewhere.join(PASSING_LOCK), "").expect("whatever it is");

        remove_abandoned(parent.path());
        assert!(!abandoned.exists());
        assert!(running.broker().is_dir(), "its sandbox runs");
        assert!(kept.is_dir(), "it was given, so it is kept");
        assert!(elsewhere.is_dir(), "not a sandbox's");
    }
}
