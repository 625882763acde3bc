//! What the functions' wiring shares: reading variables with errors that say what is expected, secrets from Secrets
//! Manager, a log that reads its secret again when the broker refuses it, and what is left of an invocation. Knows no
//! coupon and decides nothing.

mod admin;
mod clock;
mod log;
mod secrets;
mod variables;

pub use admin::connect_admin;
pub use clock::time_left;
pub use log::{BrokerAway, ConnectedLog};
pub use secrets::SecretsError;
pub use variables::{VariableError, Variables};

use std::{fmt::Display, process::ExitCode};

/// The exit code of a function whose serving ended; a failure is written into the log by one line.
#[must_use]
pub fn exit_code<E: Display>(function: &str, served: Result<(), E>) -> ExitCode {
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{function} cannot start: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Why a function cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A variable is missing or unreadable.
    #[error(transparent)]
    Variable(#[from] VariableError),
    /// A Kafka variable or secret is missing or unreadable.
    #[error(transparent)]
    Kafka(#[from] kafka::ConfigError),
    /// A secret cannot be read.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    /// The broker refuses us, or does not answer a function that cannot do without.
    #[error("the broker at {servers} cannot be used: {source}")]
    Broker {
        /// `KAFKA_BOOTSTRAP_SERVERS`.
        servers: String,
        /// What it said.
        source: kafka::LogError,
    },
}
