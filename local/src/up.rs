//! `cargo local up`: a sandbox that runs until it is told to end. One JSON line on stdout says where its parts are, once
//! all of them are ready; everything else goes to stderr.
//!
//! What is started is `sandbox.rs`'s business.

use std::io::Write;
use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};

use crate::cli::UpOptions;
use crate::sandbox::Sandbox;
use crate::settings::Deployment;

/// Starts, says where, waits for SIGINT or SIGTERM, stops.
///
/// # Errors
/// The start fails; a part does not end in good order.
pub async fn run(options: &UpOptions) -> anyhow::Result<ExitCode> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let deployment = Deployment::read(&options.deployed)?;
    let sandbox = tokio::select! {
        started = Sandbox::start(options, &deployment) => started?,
        // Dropping a start half done kills what has been started.
        _ = interrupt.recv() => return Ok(ExitCode::SUCCESS),
        _ = terminate.recv() => return Ok(ExitCode::SUCCESS),
    };
    ready(&sandbox)?;
    let failure = tokio::select! {
        _ = interrupt.recv() => None,
        _ = terminate.recv() => None,
        failure = sandbox.failed() => Some(failure),
    };
    sandbox.stop().await?;
    match failure {
        None => Ok(ExitCode::SUCCESS),
        Some(failure) => Err(failure),
    }
}

fn ready(sandbox: &Sandbox) -> anyhow::Result<()> {
    let line = serde_json::to_string(sandbox.addresses())?;
    let mut stdout = std::io::stdout().lock();
    // Flushed by hand: a pipe is buffered, and who started this waits for the line.
    writeln!(stdout, "{line}")?;
    stdout.flush()?;
    Ok(())
}
