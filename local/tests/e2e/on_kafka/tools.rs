//! Kafka's own console tools beside our clients: each reads what the other has written, and both put a key into the same
//! partition.

use std::collections::BTreeMap;
use std::process::Stdio;

use bytes::Bytes;
use kafka::{
    Admin, Connection, Header, Log as _, NewTopicSpec, Producer, ProducerSettings, ReadRecord, Reader, Record,
};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::home::Home;
use crate::part::KafkaAt;
use crate::sandbox::Sandbox;

const PARTITIONS: i32 = 10;
/// Between the fields of a line; in no key and no value here.
const SEPARATOR: &str = "|";

/// Runs one of Kafka's tools with these lines on its stdin; what it prints.
async fn tool(at: &KafkaAt, main: &str, arguments: &[&str], lines: &str) -> String {
    let mut command = Command::new(&at.java);
    command.args([
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
        "-XX:TieredStopAtLevel=1",
        "-cp",
        &at.classpath,
        main,
    ]);
    command.args(["--bootstrap-server", &at.bootstrap]).args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(lines.as_bytes()).await.unwrap();
    drop(stdin);
    let output = child.wait_with_output().await.unwrap();
    let (told, errors) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr).into_owned());
    assert!(output.status.success(), "{main}: {told}{errors}");
    told
}

/// Lets the console producer write a value for each key.
async fn produce_by_tool(at: &KafkaAt, topic: &str, records: &[(String, String)]) {
    let lines: String = records.iter().map(|(key, value)| format!("{key}{SEPARATOR}{value}\n")).collect();
    let separator = format!("key.separator={SEPARATOR}");
    let arguments = ["--topic", topic, "--reader-property", "parse.key=true", "--reader-property", &separator];
    tool(at, "org.apache.kafka.tools.ConsoleProducer", &arguments, &lines).await;
}

/// Lets the console consumer read so many records; their fields as it prints them: partition, headers, key, value.
async fn consume_by_tool(at: &KafkaAt, topic: &str, count: usize) -> Vec<[String; 4]> {
    let mut arguments = vec!["--topic".to_owned(), topic.to_owned(), "--from-beginning".into()];
    arguments.extend(["--max-messages".into(), count.to_string(), "--timeout-ms".into(), "60000".into()]);
    let separator = format!("key.separator={SEPARATOR}");
    for property in ["print.partition=true", "print.headers=true", "print.key=true", &separator] {
        arguments.extend(["--formatter-property".into(), property.to_owned()]);
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let told = tool(at, "org.apache.kafka.tools.consumer.ConsoleConsumer", &arguments, "").await;
    let fields = |line: &str| -> [String; 4] {
        let fields: Vec<String> = line.splitn(4, SEPARATOR).map(str::to_owned).collect();
        fields.try_into().unwrap_or_else(|fields| panic!("{fields:?}"))
    };
    let read: Vec<_> = told.lines().map(fields).collect();
    assert_eq!(read.len(), count, "{told}");
    read
}

/// Everything that our reader finds in a topic.
async fn read(at: &KafkaAt, topic: &str) -> Vec<ReadRecord> {
    let reader = Reader::new(&Connection::plaintext(&at.bootstrap)).unwrap();
    let spans = reader.spans(topic).await.unwrap();
    let mut found = Vec::new();
    reader.read(topic, &spans, |record| found.push(record)).await.unwrap();
    found
}

fn text(bytes: Option<&Bytes>) -> String {
    String::from_utf8(bytes.unwrap().to_vec()).unwrap()
}

/// A topic of ten partitions for each side, and keys of all lengths modulo four, for the hash takes four bytes at a time.
#[tokio::test]
#[ignore = "wants Java and Maven: local/real/check"]
async fn a_key_has_the_same_partition_for_kafkas_tools_and_for_ours() {
    let home = Home::passing().await;
    let Home::Real(real) = &home else { panic!("FIRSTCOME_PARTS=real") };
    let at = KafkaAt::of(&real.kafka);
    let admin = Admin::new(&Connection::plaintext(&at.bootstrap)).unwrap();
    for name in ["theirs", "ours"] {
        let config = BTreeMap::from([("message.timestamp.type".to_owned(), "LogAppendTime".to_owned())]);
        let spec = NewTopicSpec { name: name.into(), partitions: PARTITIONS, replication: -1, config };
        admin.create(&spec).await.unwrap();
    }
    let keys = ["spring-sale", "봄", "a", "ab", "abc", "abcd", "A_b-9"].map(str::to_owned).into_iter();
    let keys = keys.chain((0..50).map(|number| format!("coupon-{number}")));
    let records: Vec<_> = keys.enumerate().map(|(number, key)| (key, format!("value {number}"))).collect();

    produce_by_tool(&at, "theirs", &records).await;
    let found = read(&at, "theirs").await;
    let mut read_by_us: Vec<_> =
        found.iter().map(|record| (text(record.key.as_ref()), text(record.value.as_ref()))).collect();
    for record in &found {
        assert_eq!(record.partition, record_log::partition_of(record.key.as_ref().unwrap(), PARTITIONS), "{record:?}");
    }
    read_by_us.sort();
    let mut all = records.clone();
    all.sort();
    assert_eq!(read_by_us, all);

    let producer = Producer::new(&Connection::plaintext(&at.bootstrap), ProducerSettings::default()).unwrap();
    let header = Header { name: "traceparent".into(), value: Some("00-1".into()) };
    for (key, value) in &records {
        // No partition: librdkafka's partitioner chooses it, as it does for results.
        let record = Record {
            topic: "ours".into(),
            partition: None,
            key: Some(key.clone().into()),
            value: Some(value.clone().into()),
            headers: vec![header.clone()],
        };
        producer.produce(record).await.unwrap();
    }
    let mut by_tool = BTreeMap::new();
    for [partition, headers, key, value] in consume_by_tool(&at, "ours", records.len()).await {
        assert_eq!(headers, "traceparent:00-1");
        assert_eq!(partition, format!("Partition:{}", record_log::partition_of(key.as_bytes(), PARTITIONS)), "{key}");
        by_tool.insert(key, value);
    }
    assert_eq!(by_tool, records.into_iter().collect());
}

#[tokio::test]
#[ignore = "wants Java and Maven: local/real/check"]
async fn kafkas_tools_read_our_requests_and_results_and_write_requests_that_count() {
    let sandbox = Sandbox::start(&[]).await;
    let Home::Real(real) = sandbox.home() else { panic!("FIRSTCOME_PARTS=real") };
    let at = KafkaAt::of(&real.kafka);
    let coupon = sandbox.coupon("console", 2).await;
    let partition = record_log::partition_of(coupon.as_bytes(), PARTITIONS);
    assert_eq!(sandbox.asks(&coupon, "ann").await["rank"], 1);

    // By somebody who knows nothing but the topic and the key.
    let request = json!({
        "type": "issue", "couponId": coupon, "userId": "bob", "requestedAt": "2026-11-20T03:00:00.123Z",
    });
    produce_by_tool(&at, "coupon-issue-request", &[(coupon.clone(), request.to_string())]).await;
    let told = sandbox.outcome_of(&coupon, &format!("{partition}-1"), "bob").await;
    assert_eq!((&told["status"], &told["rank"]), (&json!("ISSUED"), &json!(2)), "{told}");

    let report = sandbox.audit().await;
    assert!(report.ok(), "{report}");
    let requests = consume_by_tool(&at, "coupon-issue-request", 2).await;
    let results = consume_by_tool(&at, "coupon-issue-result", 2).await;
    for [found, _headers, key, _value] in requests.iter().chain(&results) {
        assert_eq!((found.as_str(), key), (format!("Partition:{partition}").as_str(), &coupon));
    }
    let users = |records: &[[String; 4]]| -> Vec<Value> {
        records.iter().map(|[.., value]| serde_json::from_str::<Value>(value).unwrap()["userId"].clone()).collect()
    };
    assert_eq!(
        (users(&requests), users(&results)),
        (vec![json!("ann"), json!("bob")], vec![json!("ann"), json!("bob")])
    );
    let headers = |records: &[[String; 4]]| records.iter().map(|[_, headers, ..]| headers.clone()).collect::<Vec<_>>();
    let typed = "content-type:application/json";
    assert_eq!(
        (headers(&requests), headers(&results)),
        (vec![typed.into(), "NO_HEADERS".into()], vec![typed.to_owned(); 2])
    );
}
