//! The one list of what can go wrong from the outside: a mapping that is refused, and a broker that is not there. A
//! failed invocation is no error of the emulator but its everyday work.

use rdkafka::error::KafkaError;

/// Why a mapping does not start, or has ended.
#[derive(Debug, thiserror::Error)]
pub enum EsmError {
    /// Correct the named values; each line is one of them.
    #[error("the mapping is refused:\n{}", list(.0))]
    Refused(Vec<String>),
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
    problems.iter().map(|problem| format!("- {problem}")).collect::<Vec<_>>().join("\n")
}

impl EsmError {
    pub(crate) fn kafka(doing: &'static str) -> impl FnOnce(KafkaError) -> Self {
        move |source| Self::Kafka { doing, source }
    }
}
