//! Who ends a benchmark: Ctrl-C or SIGTERM. The session that runs is stopped in good order and forgotten, and what the others
//! measured is written.

use std::process::ExitCode;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::load::{INTERRUPTED, TERMINATED};

const HEARD_LATE_MAX: Duration = Duration::from_millis(200);

/// The two signals, and which of them has come.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    come: Option<u8>,
}

impl Signals {
    /// From here on neither of them ends the process by itself.
    pub(super) fn new() -> std::io::Result<Self> {
        let (interrupt, terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        Ok(Self { interrupt, terminate, come: None })
    }

    /// Waits for one of them.
    pub(super) async fn come(&mut self) {
        let code = tokio::select! {
            _ = self.interrupt.recv() => INTERRUPTED,
            _ = self.terminate.recv() => TERMINATED,
        };
        self.come = Some(code);
    }

    /// What came of some work; nothing when somebody ends the benchmark meanwhile. A Ctrl-C goes to cargo as well, whose end may
    /// be heard of first.
    ///
    /// # Errors
    /// The work's.
    pub(super) async fn unless_come<T>(
        &mut self,
        work: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<Option<T>> {
        let worked = tokio::select! {
            worked = work => worked,
            () = self.come() => return Ok(None),
        };
        if worked.is_err() && tokio::time::timeout(HEARD_LATE_MAX, self.come()).await.is_ok() {
            return Ok(None);
        }
        worked.map(Some)
    }

    /// What a shell says of a process that was ended by the one that has come.
    pub(super) fn code(&self) -> Option<ExitCode> {
        self.come.map(ExitCode::from)
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;
    use nix::sys::signal::{Signal, raise};

    use super::*;

    #[tokio::test]
    async fn a_failure_beside_a_signal_is_the_signals() {
        let mut signals = Signals::new().unwrap();
        let broken = async |signals: &mut Signals| signals.unless_come(async { Err::<(), _>(anyhow!("cargo")) }).await;
        assert_eq!(broken(&mut signals).await.unwrap_err().to_string(), "cargo");
        assert!(signals.code().is_none());
        raise(Signal::SIGTERM).unwrap();
        assert!(broken(&mut signals).await.unwrap().is_none());
        assert!(signals.code().is_some());
        assert_eq!(signals.unless_come(async { Ok(7) }).await.unwrap(), Some(7));
    }
}
