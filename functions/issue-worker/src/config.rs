//! What the function is told by its environment: the one place that reads it.

use bootstrap::{StartError, Variables};

/// The function's configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// `COUPONS_TABLE`.
    pub coupons_table: String,
    /// `USER_COUPONS_TABLE`.
    pub user_coupons_table: String,
    /// `REQUEST_TOPIC`.
    pub request_topic: String,
    /// `RESULT_TOPIC`.
    pub result_topic: String,
    /// `DEAD_LETTER_TOPIC`.
    pub dead_letter_topic: String,
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
        Ok(Self {
            coupons_table: variables.required("COUPONS_TABLE", "the name of the table of coupons")?,
            user_coupons_table: variables.required("USER_COUPONS_TABLE", "the name of the table of issued coupons")?,
            request_topic: variables.required("REQUEST_TOPIC", "the name of the topic of requests")?,
            result_topic: variables.required("RESULT_TOPIC", "the name of the topic of results")?,
            dead_letter_topic: variables
                .required("DEAD_LETTER_TOPIC", "the name of the topic of records that are no request")?,
            metrics_namespace: variables.optional("METRICS_NAMESPACE"),
            kafka: kafka::Config::from_lookup(lookup)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPLETE: [(&str, &str); 6] = [
        ("COUPONS_TABLE", "coupons"),
        ("USER_COUPONS_TABLE", "user-coupons"),
        ("REQUEST_TOPIC", "requests"),
        ("RESULT_TOPIC", "results"),
        ("DEAD_LETTER_TOPIC", "dead"),
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
    fn each_variable_is_the_one_of_its_name() {
        let config = with("METRICS_NAMESPACE", Some("shop")).unwrap();
        assert_eq!((&*config.coupons_table, &*config.user_coupons_table), ("coupons", "user-coupons"));
        let topics = (&*config.request_topic, &*config.result_topic, &*config.dead_letter_topic);
        assert_eq!(topics, ("requests", "results", "dead"));
        assert_eq!(config.metrics_namespace.as_deref(), Some("shop"));
        assert_eq!(config.kafka.bootstrap_servers(), "127.0.0.1:9092");
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
}
