//! What can go wrong: a configuration that no client can be made of, and the one translation of the client's error
//! codes into [`LogError`], which says what the caller can do.

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use record_log::LogError;

/// A configuration that no client can be made of. Its text never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A variable that is needed.
    #[error("{name} is not set: it expects {expected}")]
    Missing {
        /// The variable.
        name: &'static str,
        /// What it expects.
        expected: &'static str,
    },
    /// A variable with a value that says nothing.
    #[error("{name} is {value:?}: it expects {expected}")]
    Unreadable {
        /// The variable.
        name: &'static str,
        /// What it is.
        value: String,
        /// What it expects.
        expected: &'static str,
    },
    /// The secret that a variable points to.
    #[error("the secret that {name} points to is missing or unreadable: it expects {expected}")]
    Secret {
        /// The variable.
        name: &'static str,
        /// What the secret's text has to be.
        expected: &'static str,
    },
    /// A line of a properties file.
    #[error("line {line} of the Kafka properties is no `name=value`")]
    Property {
        /// Counted from 1.
        line: usize,
    },
    /// librdkafka knows no such property, or not this value of it.
    #[error("the Kafka client refuses its configuration: {0}")]
    Refused(String),
}

impl ConfigError {
    /// rdkafka's own text quotes the value, which may be a password.
    pub(crate) fn from_creation(error: &KafkaError) -> Self {
        if let KafkaError::ClientConfig(_, description, name, _value) = error {
            Self::Refused(format!("{name}: {description}"))
        } else {
            Self::Refused(error.to_string())
        }
    }
}

/// What a code means to whoever waits for a record or for an answer about a topic.
///
/// A code without a line of its own counts as "nobody answered": to say that a record is not in the log, one has to
/// know.
pub(crate) fn log_error(code: Code, what: &str) -> LogError {
    let text = format!("{what}: {code}");
    #[expect(clippy::wildcard_enum_match_arm, reason = "librdkafka has 140 codes and will have more")]
    match code {
        Code::QueueFull => LogError::QueueFull(text),
        Code::UnknownTopic
        | Code::UnknownTopicOrPartition
        | Code::UnknownPartition
        | Code::InvalidTopic
        | Code::UnknownTopicId => LogError::UnknownTopic(text),
        Code::MessageSizeTooLarge | Code::InvalidMessageSize | Code::MessageBatchTooLarge => LogError::TooLarge(text),
        Code::Authentication
        | Code::SaslAuthenticationFailed
        | Code::UnsupportedSASLMechanism
        | Code::IllegalSASLState
        | Code::SSL => LogError::Authentication(text),
        Code::TopicAuthorizationFailed | Code::ClusterAuthorizationFailed => LogError::Forbidden(text),
        Code::Fatal => LogError::Fatal(text),
        _ => LogError::Unavailable(text),
    }
}

/// Whether a connection was refused for who we are or for who the broker is, and will be the next time.
pub(crate) fn is_refusal(code: Code) -> bool {
    matches!(log_error(code, ""), LogError::Authentication(_))
}

/// The code within an error; the few that have none are failures of the client itself.
pub(crate) fn code_of(error: &KafkaError) -> Code {
    error.rdkafka_error_code().unwrap_or(Code::Fail)
}
