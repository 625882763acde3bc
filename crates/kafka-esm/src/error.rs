//! The one list of what can go wrong from the outside: a mapping that is refused, and a broker that is not there. A
//! failed invocation is no error of the emulator but its everyday work.

use rdkafka::error::KafkaError;

/// Why a mapping does not start, or has ended.
#[derive(Debug, thiserror::Error)]
pub enum EsmError {
    /// Correct the named values; where there are several, each has a line.
    #[error("the mapping is refused:{}", list(.0))]
    Refused(Vec<String>),
    /// Start the broker, or correct its address or what it takes to log in.
    #[error(
        "no broker answers at {servers}, {reason}; is it running, is that its address, and does it want TLS or a login?"
    )]
    Unreachable {
        /// The brokers' addresses as they were given.
        servers: String,
        /// What the client met last.
        reason: String,
    },
    /// Give the user that logs in the rights to it.
    #[error(
        "the brokers do not let this user see the topic {topic}; allow it Describe and Read on it (Write on a destination), and \
         Read on the group"
    )]
    NotAllowed {
        /// The topic's name.
        topic: String,
    },
    /// The broker or a property of its client; the properties are named by librdkafka.
    #[error("the Kafka client failed while it {doing}: {source}")]
    Kafka {
        /// What was tried.
        doing: &'static str,
        /// librdkafka's own words.
        #[source]
        source: KafkaError,
    },
    /// The mapping has ended, which nobody asked it to, or before this could be answered.
    #[error("the mapping has ended: {0}")]
    Ended(String),
    /// The system gave no thread.
    #[error("no thread for the poller: {0}")]
    Thread(#[from] std::io::Error),
}

fn list(problems: &[String]) -> String {
    match problems {
        [problem] => format!(" {problem}"),
        problems => problems.iter().map(|problem| format!("\n- {problem}")).collect(),
    }
}

impl EsmError {
    /// A client that cannot be made has a property that cannot be, which librdkafka names. The value is not told, for it
    /// may be a password.
    pub(crate) fn of_creation(error: KafkaError) -> Self {
        if let KafkaError::ClientConfig(_, reason, name, _value) = &error {
            return Self::Refused(vec![format!("the client property {name}: {reason}")]);
        }
        Self::kafka("was configured")(error)
    }

    pub(crate) fn kafka(doing: &'static str) -> impl FnOnce(KafkaError) -> Self {
        move |source| Self::Kafka { doing, source }
    }
}
