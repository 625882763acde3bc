//! Real parts for these tests: Apache Kafka and a DynamoDB that is not ours, as the scripts in `local/real` start them.
//! `FIRSTCOME_PARTS=real` asks for them; what a sandbox makes of it is `home.rs`.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{ChildStdin, ChildStdout, Command};
use tokio::sync::Mutex;

/// Which parts the sandboxes of a run have: `embedded`, which is the default, or `real`.
const PARTS: &str = "FIRSTCOME_PARTS";
/// The first start of a checkout fetches.
const READY_MAX: Duration = Duration::from_secs(600);
/// Kafka recovers its log before it serves again.
const ORDER_MAX: Duration = Duration::from_secs(120);

/// Whether this run is to use real parts.
pub(crate) fn real_parts() -> bool {
    match std::env::var(PARTS).as_deref() {
        Err(_) | Ok("" | "embedded") => false,
        Ok("real") => true,
        Ok(other) => panic!("{PARTS} is {other:?}: it expects `embedded` or `real`"),
    }
}

/// A running script of `local/real`; it ends, and what it started with it, when the value is dropped: its stdin ends.
pub(crate) struct Part {
    name: String,
    /// The line that says that it is ready.
    pub(crate) ready: Value,
    talk: Mutex<(ChildStdin, Lines<BufReader<ChildStdout>>)>,
}

impl Part {
    /// Starts a script and waits until its part is ready.
    pub(crate) async fn start(name: &str, arguments: &[&str]) -> Self {
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("real").join(name);
        let mut command = Command::new(script);
        command.arg("--commands").args(arguments);
        // Not killed on drop: at the end of its stdin it removes its data as well.
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut errors = BufReader::new(child.stderr.take().unwrap()).lines();
        let errors = tokio::spawn(async move {
            while let Ok(Some(line)) = errors.next_line().await {
                eprintln!("{line}"); // shown by a test that fails
            }
        });
        let mut answers = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready = tokio::time::timeout(READY_MAX, answers.next_line()).await.expect("it is ready or fails").unwrap();
        let Some(ready) = ready else {
            errors.await.unwrap();
            panic!("local/real/{name} does not start, see above");
        };
        let ready = serde_json::from_str(&ready).unwrap();
        Self { name: name.to_owned(), ready, talk: Mutex::new((child.stdin.take().unwrap(), answers)) }
    }

    /// Gives a command, `kill 2` or `freeze`, and waits until it holds.
    pub(crate) async fn order(&self, command: &str) {
        let mut talk = self.talk.lock().await;
        let (orders, answers) = &mut *talk;
        orders.write_all(format!("{command}\n").as_bytes()).await.unwrap();
        let answer = tokio::time::timeout(ORDER_MAX, answers.next_line()).await.expect("it is carried out").unwrap();
        let answer: Value = serde_json::from_str(&answer.unwrap_or_else(|| panic!("{} has ended", self.name))).unwrap();
        assert_eq!(answer["done"], command, "{answer}");
    }
}

/// What `local/real/kafka` says when it is ready.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct KafkaAt {
    /// Of all its brokers.
    pub(crate) bootstrap: String,
    /// The program and the class path of Kafka's own tools.
    pub(crate) java: String,
    pub(crate) classpath: String,
}

impl KafkaAt {
    pub(crate) fn of(part: &Part) -> Self {
        serde_json::from_value(part.ready.clone()).unwrap()
    }
}

/// The URL of a DynamoDB that is ready.
pub(crate) fn url_of(dynamodb: &Part) -> &str {
    dynamodb.ready["url"].as_str().unwrap()
}
