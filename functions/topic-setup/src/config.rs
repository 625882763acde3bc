//! What the function is told by its environment: the one place that reads it.

use bootstrap::StartError;

/// The function's configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// The `KAFKA_` variables.
    pub kafka: kafka::Config,
}

impl Config {
    /// Reads the process's environment.
    ///
    /// # Errors
    /// The first variable that is missing or unreadable, with what it takes.
    #[expect(clippy::disallowed_methods, reason = "the one home of the environment")]
    pub fn from_env() -> Result<Self, StartError> {
        Ok(Self { kafka: kafka::Config::from_lookup(|name| std::env::var(name).ok())? })
    }
}
