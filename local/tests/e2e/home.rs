//! Where log and tables of a sandbox live, so that one can end and another go on with them: a directory for the embedded
//! parts, or real ones that run beside the sandbox. Which, `part.rs` says.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::part::{KafkaAt, Part, real_parts, url_of};

/// Log and tables; they end with the value.
pub(crate) enum Home {
    /// The sandbox keeps them, and they end with it.
    Its,
    /// In this directory.
    Directory(tempfile::TempDir),
    /// In these two.
    Real(Real),
}

/// A broker and a DynamoDB that are nobody's but this home's.
pub(crate) struct Real {
    pub(crate) kafka: Arc<Part>,
    pub(crate) dynamodb: Arc<Part>,
}

impl Real {
    /// One broker, and empty tables.
    pub(crate) async fn start() -> Self {
        Self::start_with(&[], &[]).await
    }

    /// The same with further options of their scripts.
    pub(crate) async fn start_with(kafka: &[&str], dynamodb: &[&str]) -> Self {
        let (kafka, dynamodb) = tokio::join!(Part::start("kafka", kafka), Part::start("dynamodb", dynamodb));
        Self { kafka: Arc::new(kafka), dynamodb: Arc::new(dynamodb) }
    }
}

impl Home {
    /// For one sandbox.
    pub(crate) async fn passing() -> Self {
        if real_parts() { Self::Real(Real::start().await) } else { Self::Its }
    }

    /// For several, one after the other.
    pub(crate) async fn lasting() -> Self {
        if real_parts() { Self::Real(Real::start().await) } else { Self::Directory(tempfile::tempdir().unwrap()) }
    }

    /// The options of `up` with which a sandbox lives here.
    pub(crate) fn options(&self) -> Vec<String> {
        match self {
            Self::Its => Vec::new(),
            Self::Directory(directory) => vec!["--data".to_owned(), directory.path().to_str().unwrap().to_owned()],
            Self::Real(real) => {
                let (broker, dynamodb) = (KafkaAt::of(&real.kafka).bootstrap, url_of(&real.dynamodb).to_owned());
                vec!["--broker".to_owned(), broker, "--dynamodb".to_owned(), dynamodb]
            }
        }
    }

    /// Whether broker and DynamoDB are children of the sandbox.
    pub(crate) fn is_embedded(&self) -> bool {
        !matches!(self, Self::Real(_))
    }

    /// The log is lost, the tables stay.
    pub(crate) async fn loses_its_log(&mut self) {
        match self {
            Self::Its => panic!("it has nothing between two sandboxes"),
            Self::Directory(directory) => std::fs::remove_dir_all(directory.path().join("broker")).unwrap(),
            Self::Real(real) => real.kafka = Arc::new(Part::start("kafka", &[]).await),
        }
    }

    /// Whether a part can be broken in this way; `up --faults` does it to embedded ones.
    pub(crate) fn survives(&self, target: &str, kind: &str) -> bool {
        // MiniStack's tables are in memory; and a part that is not the sandbox's is killed, never told to end.
        self.is_embedded() || !matches!((target, kind), ("dynamodb", "kill") | ("broker" | "dynamodb", "down"))
    }

    /// Breaks a part that is not the sandbox's, and mends it after its time. `false`: it is the sandbox's.
    pub(crate) async fn breaks(&self, fault: &Value) -> bool {
        let Self::Real(real) = self else { return false };
        let (begin, end) = match (fault["target"].as_str(), fault["kind"].as_str()) {
            (Some("broker"), Some("kill")) => ("kill 1", "start 1"),
            (Some("broker"), Some("freeze")) => ("freeze 1", "thaw 1"),
            (Some("dynamodb"), Some("freeze")) => ("freeze", "thaw"),
            _ => return false,
        };
        let part = Arc::clone(if fault["target"] == "broker" { &real.kafka } else { &real.dynamodb });
        part.order(begin).await;
        let duration = Duration::from_secs_f64(fault["seconds"].as_f64().unwrap());
        tokio::spawn(async move {
            tokio::time::sleep(duration).await;
            part.order(end).await;
        });
        true
    }
}
