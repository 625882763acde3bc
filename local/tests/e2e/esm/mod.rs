//! `cargo local esm` as a process, between the broker of a sandbox and real HTTP functions: what it says and refuses
//! (`command.rs`), what happens when it is told to end, killed or frozen (`lives.rs`), and how it ends when its broker is
//! away (`away.rs`).

mod away;
mod command;
#[path = "../../../../crates/kafka-esm/tests/conformance/support/function.rs"]
#[allow(dead_code, reason = "shared with the conformance suite, which uses all of it")]
mod function;
mod lives;
#[path = "../../../../crates/kafka-esm/tests/conformance/support/patience.rs"]
mod patience;

use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use function::{Call, Function, Reply};
use kafka::{Admin, Connection, NewTopicSpec};
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use patience::eventually;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};

use crate::sandbox::{Sandbox, unique};

/// How long a process may take to end. A group is left only when its broker has said so.
const END_MAX: Duration = Duration::from_secs(60);

/// A topic and a function of a test's own, and the file of a mapping between them.
struct World {
    broker: String,
    topic: String,
    group: String,
    function: Function,
    mapping: Value,
    producer: FutureProducer,
    files: tempfile::TempDir,
}

impl World {
    /// Three partitions, partial responses, provisioned, half a second, 100 records, a hundredth of the back-off.
    async fn new(name: &str, responder: impl Fn(usize, &Call) -> Reply + Send + Sync + 'static) -> Self {
        Self::on(Sandbox::shared().at.kafka, name, responder).await
    }

    /// The same on another broker.
    async fn on(broker: String, name: &str, responder: impl Fn(usize, &Call) -> Reply + Send + Sync + 'static) -> Self {
        // A broker that is not the sandbox's own has seen other runs.
        let topic = format!("{}-{}", unique(name), std::process::id());
        let spec = NewTopicSpec { name: topic.clone(), partitions: 3, replication: -1, config: Default::default() };
        Admin::new(&Connection::plaintext(&broker)).unwrap().create(&spec).await.unwrap();
        let group = format!("group-of-{topic}");
        let mapping = json!({
            "StartingPosition": "TRIM_HORIZON",
            "SelfManagedKafkaEventSourceConfig": {"ConsumerGroupId": group},
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "Emulator": {"provisioned": true, "time_factor": 0.01, "function_timeout_seconds": 60},
        });
        let producer = ClientConfig::new().set("bootstrap.servers", &broker).create().unwrap();
        let (function, files) = (Function::start(responder).await, tempfile::tempdir().unwrap());
        Self { broker, topic, group, function, mapping, producer, files }
    }

    fn set(mut self, name: &str, value: impl Into<Value>) -> Self {
        match name.strip_prefix("Emulator.") {
            Some(switch) => self.mapping["Emulator"][switch] = value.into(),
            None => self.mapping[name] = value.into(),
        }
        self
    }

    /// Writes a file for the command and gives its path.
    fn file(&self, name: &str, text: &str) -> String {
        let path = self.files.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// The command's arguments; `more` come last.
    fn arguments(&self, more: &[&str]) -> Vec<String> {
        let config = self.file("mapping.json", &self.mapping.to_string());
        // Six seconds are the shortest session that Kafka allows: whoever was killed is missed no earlier.
        let properties = self.file("kafka.properties", "session.timeout.ms=6000\nheartbeat.interval.ms=1000\n");
        let own = ["esm", "--bootstrap-servers", &self.broker, "--topic", &self.topic, "--invoke", &self.function.url];
        let files = ["--config", &config, "--kafka-config", &properties];
        [&own[..], &files, more].concat().into_iter().map(str::to_owned).collect()
    }

    /// Starts the command and waits for its ready line.
    async fn start(&self) -> Esm {
        let esm = Esm::start(&self.arguments(&[]));
        esm.ready().await;
        esm
    }

    async fn write(&self, partition: i32, values: impl IntoIterator<Item = String>) {
        let send = |value: String| {
            let record = FutureRecord::<[u8], [u8]>::to(&self.topic).partition(partition).payload(value.as_bytes());
            self.producer.send_result(record).unwrap()
        };
        let sent: Vec<_> = values.into_iter().map(send).collect();
        for delivery in sent {
            delivery.await.unwrap().unwrap();
        }
    }

    async fn write_many(&self, partition: i32, count: usize) {
        self.write(partition, (0..count).map(|number| format!("{{\"n\":{number}}}"))).await;
    }

    async fn committed(&self, partition: i32) -> Option<i64> {
        let (topic, group, broker) = (self.topic.clone(), self.group.clone(), self.broker.clone());
        let asked = tokio::task::spawn_blocking(move || {
            let mut config = ClientConfig::new();
            let consumer: BaseConsumer =
                config.set("bootstrap.servers", broker).set("group.id", group).create().unwrap();
            let mut list = TopicPartitionList::new();
            list.add_partition(&topic, partition);
            let committed = consumer.committed_offsets(list, Duration::from_secs(20)).unwrap();
            let offset = committed.find_partition(&topic, partition).unwrap().offset();
            if let Offset::Offset(offset) = offset { Some(offset) } else { None }
        });
        asked.await.unwrap()
    }

    async fn wait_committed(&self, partition: i32, offset: i64) {
        let what = format!("partition {partition} is committed at {offset}");
        eventually(&what, async || self.committed(partition).await == Some(offset)).await;
    }

    fn key(&self, partition: i32) -> String {
        format!("{}-{partition}", self.topic)
    }
}

type Lines = Arc<Mutex<Vec<String>>>;

/// A running command. Dropped, it is killed.
struct Esm {
    child: Child,
    stdout: Lines,
    stderr: Lines,
    readers: Vec<tokio::task::JoinHandle<()>>,
}

impl Esm {
    fn start(arguments: &[String]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_local"));
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let (stdout, stderr) = (Lines::default(), Lines::default());
        let readers = vec![
            gather(child.stdout.take().unwrap(), Arc::clone(&stdout)),
            gather(child.stderr.take().unwrap(), Arc::clone(&stderr)),
        ];
        Self { child, stdout, stderr, readers }
    }

    /// Its first line, once it is a member of its group.
    async fn ready(&self) -> Value {
        eventually(&format!("ready, of {:?}", self.stderr), async || !self.stdout.lock().unwrap().is_empty()).await;
        serde_json::from_str(&self.stdout.lock().unwrap()[0]).unwrap()
    }

    /// Waits until so many lines of its log are of a kind.
    async fn says(&self, what: &str, count: usize, is_one: impl Fn(&str) -> bool) {
        let found = || self.stderr.lock().unwrap().iter().filter(|line| is_one(line)).count();
        eventually(what, async || found() >= count).await;
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id().expect("it runs")).unwrap();
        nix::sys::signal::kill(Pid::from_raw(pid), signal).unwrap();
    }

    /// How it ended, with all its lines.
    async fn ended(&mut self) -> (ExitStatus, Vec<String>, String) {
        let status = tokio::time::timeout(END_MAX, self.child.wait()).await.expect("it ends").unwrap();
        for reader in self.readers.drain(..) {
            reader.await.unwrap();
        }
        (status, self.stdout.lock().unwrap().clone(), self.stderr.lock().unwrap().join("\n"))
    }

    /// SIGTERM, exit code 0, and the metrics of the last line.
    async fn stop(mut self) -> Value {
        self.signal(Signal::SIGTERM);
        let (status, stdout, stderr) = self.ended().await;
        assert_eq!(status.code(), Some(0), "{stderr}");
        let last: Value = serde_json::from_str(stdout.last().unwrap()).unwrap();
        last["metrics"].clone()
    }

    /// SIGKILL: nothing of its own runs any more.
    async fn kill(mut self) {
        self.signal(Signal::SIGKILL);
        assert!(!self.ended().await.0.success());
    }
}

fn gather(output: impl AsyncRead + Send + Unpin + 'static, lines: Lines) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        let mut reader = BufReader::new(output).lines();
        while let Ok(Some(line)) = reader.next_line().await {
            // Shown by a test that fails.
            eprintln!("{line}");
            lines.lock().unwrap().push(line);
        }
    })
}
