//! Who ends a benchmark: Ctrl-C or SIGTERM. The session that runs is stopped in good order and forgotten, and what the others
//! measured is written.

use std::process::ExitCode;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::load::{INTERRUPTED, TERMINATED};

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

    /// What a shell says of a process that was ended by the one that has come.
    pub(super) fn code(&self) -> Option<ExitCode> {
        self.come.map(ExitCode::from)
    }
}
