//! What the function is told by its environment: the one place that reads it.

use std::time::Duration;

use bootstrap::{StartError, Variables};

/// The oldest head that a call may be answered from, in milliseconds.
const HEAD_CACHE_MS_MAX: u64 = 1_000;
const HEAD_CACHE_MS_DEFAULT: u64 = 250;

/// The function's configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// `COUPONS_TABLE`.
    pub coupons_table: String,
    /// `USER_COUPONS_TABLE`.
    pub user_coupons_table: String,
    /// `REQUEST_TOPIC`.
    pub request_topic: String,
    /// `HEAD_CACHE_MS`, 0 to 1000, 250 where it is absent.
    pub head_cache: Duration,
    /// `METRICS_NAMESPACE`; without one no metrics are written.
    pub metrics_namespace: Option<String>,
    /// The `KAFKA_` variables.
    pub kafka: kafka::Config,
}

impl Config {
    /// Reads the process's environment.
    ///
    /// # Errors
    /// As [`Config::from_lookup`].
    #[expect(clippy::disallowed_methods, reason = "the one home of the environment")]
    pub fn from_env() -> Result<Self, StartError> {
        Self::from_lookup(&|name| std::env::var(name).ok())
    }

    /// Reads variables through a lookup.
    ///
    /// # Errors
    /// The first variable that is missing or unreadable, with what it takes.
    pub fn from_lookup(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, StartError> {
        let variables = Variables::new(lookup);
        let bounds = (0, HEAD_CACHE_MS_DEFAULT, HEAD_CACHE_MS_MAX);
        let head_cache_ms = variables.number("HEAD_CACHE_MS", bounds, "milliseconds, 0 to 1000")?;
        Ok(Self {
            coupons_table: variables.required("COUPONS_TABLE", "the name of the table of coupons")?,
            user_coupons_table: variables.required("USER_COUPONS_TABLE", "the name of the table of issued coupons")?,
            request_topic: variables.required("REQUEST_TOPIC", "the name of the topic of requests")?,
            head_cache: Duration::from_millis(head_cache_ms),
            metrics_namespace: variables.optional("METRICS_NAMESPACE"),
            kafka: kafka::Config::from_lookup(lookup)?,
        })
    }
}
