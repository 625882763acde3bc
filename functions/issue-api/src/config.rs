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

#[cfg(test)]
mod tests {
    use super::*;

    const COMPLETE: [(&str, &str); 4] = [
        ("COUPONS_TABLE", "coupons"),
        ("USER_COUPONS_TABLE", "user-coupons"),
        ("REQUEST_TOPIC", "requests"),
        ("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9092"),
    ];

    /// The configuration of a complete environment but for one variable.
    fn with(name: &str, value: Option<&str>) -> Result<Config, StartError> {
        Config::from_lookup(&|asked| {
            let given = COMPLETE.iter().find(|(known, _value)| *known == asked).map(|(_name, value)| *value);
            if asked == name { value } else { given }.map(str::to_owned)
        })
    }

    #[test]
    fn a_variable_that_is_missing_is_named() {
        for (name, _value) in COMPLETE {
            for absent in [None, Some("")] {
                let error = with(name, absent).unwrap_err().to_string();
                assert!(error.starts_with(&format!("{name} is not set: it ")), "{error}");
            }
        }
    }

    #[test]
    fn a_head_is_cached_for_a_second_at_most() {
        for (value, ms) in [(None, 250), (Some(""), 250), (Some("0"), 0), (Some("17"), 17), (Some("1000"), 1000)] {
            assert_eq!(with("HEAD_CACHE_MS", value).unwrap().head_cache, Duration::from_millis(ms), "{value:?}");
        }
        for value in ["1001", "-1", "2.5", "250ms", " 1", "99999999999999999999"] {
            let error = with("HEAD_CACHE_MS", Some(value)).unwrap_err().to_string();
            assert_eq!(error, format!("HEAD_CACHE_MS is {value:?}: it takes milliseconds, 0 to 1000"));
        }
    }

    #[test]
    fn metrics_are_written_where_a_namespace_is_given() {
        assert_eq!(with("METRICS_NAMESPACE", None).unwrap().metrics_namespace, None);
        assert_eq!(with("METRICS_NAMESPACE", Some("shop")).unwrap().metrics_namespace.as_deref(), Some("shop"));
    }
}
