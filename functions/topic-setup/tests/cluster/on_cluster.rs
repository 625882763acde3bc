//! The flow, request by request, on topics that no test before has used.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    process,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use crate::support::{Answers, request};
use kafka::Log as _;
use kafka::{Admin, Connection, NewTopicSpec, Producer, ProducerSettings, Reader, Record};
use serde_json::{Value, json};
use topic_setup::{Sender, handle};

/// As the template gives it.
const TIME: Duration = Duration::from_secs(120);

const NEEDS_A_CLUSTER: &str = "TOPIC_SETUP_BOOTSTRAP_SERVERS says where the cluster is, as host:port,…";

fn servers() -> String {
    std::env::var("TOPIC_SETUP_BOOTSTRAP_SERVERS").expect(NEEDS_A_CLUSTER)
}

fn brokers() -> i32 {
    std::env::var("TOPIC_SETUP_BROKERS").map_or(1, |text| text.parse().expect("TOPIC_SETUP_BROKERS is a number"))
}

fn admin() -> Admin {
    Admin::new(&Connection::plaintext(&servers())).unwrap()
}

/// A name that no run before this one has used.
fn name(what: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    format!("{what}-{}-{}-{}", since_1970.as_millis(), process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// The settings that `infra/template.yaml` gives a topic, and `more`.
fn topic(name: &str, partitions: i32, more: &[(&str, &str)]) -> Value {
    let mut config = json!({
        "message.timestamp.type": "LogAppendTime", "cleanup.policy": "delete", "retention.ms": "2592000000",
        "max.message.bytes": "1048576", "min.insync.replicas": if brokers() > 1 { "2" } else { "1" },
    });
    for (name, value) in more {
        config[name] = (*value).into();
    }
    let (partitions, replication) = (partitions.to_string(), brokers().to_string());
    json!({ "Name": name, "Partitions": partitions, "Replication": replication, "Config": config })
}

/// What one request is answered.
async fn ask(kind: &str, topics: &Value, before: Option<&Value>) -> (String, String) {
    let answers = Answers::listen(&[]).await;
    let mut event = request(kind, &answers.url, topics);
    if let Some(before) = before {
        event["OldResourceProperties"] = json!({ "Topics": before });
    }
    let connect = || async { Ok::<_, Infallible>(admin()) };
    handle(event, TIME, connect, &Sender::new()).await.unwrap();
    let answer = answers.only();
    let text = |name: &str| answer[name].as_str().unwrap().to_owned();
    assert_eq!(text("PhysicalResourceId"), "kafka-topics-Topics");
    (text("Status"), text("Reason"))
}

async fn succeed(kind: &str, topics: &Value) -> String {
    let (status, reason) = ask(kind, topics, None).await;
    assert_eq!(status, "SUCCESS", "{reason}");
    reason
}

async fn fail(kind: &str, topics: &Value) -> String {
    let (status, reason) = ask(kind, topics, None).await;
    assert_eq!(status, "FAILED", "{reason}");
    reason
}

async fn config(topic: &str) -> BTreeMap<String, String> {
    admin().describe(topic).await.unwrap().unwrap().config
}

#[tokio::test]
#[ignore = "needs a cluster"]
async fn the_three_topics_are_made_once_and_left_alone_then() {
    let (requests, results, dead) = (name("requests"), name("results"), name("dead-letters"));
    let topics = json!([
        topic(&requests, 10, &[]),
        topic(&results, 10, &[]),
        topic(&dead, 1, &[("max.message.bytes", "2097152")]),
    ]);
    let said = succeed("Create", &topics).await;
    assert!(said.contains(&format!("{requests} was made with 10 partitions")), "{said}");
    // Twice, as when Lambda calls again since the answer was lost.
    assert_eq!(succeed("Create", &topics).await, "every topic was as it should be");
    assert_eq!(succeed("Update", &topics).await, "every topic was as it should be");
    for (topic, partitions, bytes) in [(&requests, 10, "1048576"), (&results, 10, "1048576"), (&dead, 1, "2097152")] {
        let found = admin().describe(topic).await.unwrap().unwrap();
        assert_eq!((found.partitions, found.replication), (partitions, brokers()));
        for (name, value) in [
            ("message.timestamp.type", "LogAppendTime"),
            ("cleanup.policy", "delete"),
            ("retention.ms", "2592000000"),
            ("max.message.bytes", bytes),
        ] {
            assert_eq!(found.config.get(name).map(String::as_str), Some(value), "{topic} {name}");
        }
    }
}

#[tokio::test]
#[ignore = "needs a cluster"]
async fn partitions_are_added_and_never_taken_away() {
    let requests = name("requests");
    succeed("Create", &json!([topic(&requests, 2, &[])])).await;
    let said = succeed("Update", &json!([topic(&requests, 5, &[])])).await;
    assert_eq!(said, format!("{requests} has 5 partitions instead of 2"));
    let said = fail("Update", &json!([topic(&requests, 2, &[])])).await;
    assert!(said.contains("has 5 partitions and should have 2: none can be taken away"), "{said}");
    assert_eq!(admin().describe(&requests).await.unwrap().unwrap().partitions, 5);
}

#[tokio::test]
#[ignore = "needs a cluster"]
async fn a_wrong_setting_is_corrected_and_the_others_stay() {
    let requests = name("requests");
    let theirs =
        [("retention.ms", "86400000"), ("segment.bytes", "16777216"), ("message.timestamp.type", "CreateTime")];
    let spec = NewTopicSpec {
        name: requests.clone(),
        partitions: 2,
        replication: brokers(),
        config: theirs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
    };
    admin().create(&spec).await.unwrap();
    let said = succeed("Create", &json!([topic(&requests, 2, &[])])).await;
    assert!(
        said.contains("retention.ms=2592000000") && said.contains("message.timestamp.type=LogAppendTime"),
        "{said}"
    );
    let found = config(&requests).await;
    assert_eq!((found["retention.ms"].as_str(), found["segment.bytes"].as_str()), ("2592000000", "16777216"));
}

#[tokio::test]
#[ignore = "needs a cluster"]
async fn a_setting_that_the_cluster_does_not_take_is_named() {
    let requests = name("requests");
    // Apache Kafka does not know Redpanda's.
    let said = fail("Create", &json!([topic(&requests, 1, &[("write.caching", "false")])])).await;
    assert!(said.contains(&requests), "{said}");
    succeed("Create", &json!([topic(&requests, 1, &[])])).await;
    let said = fail("Update", &json!([topic(&requests, 1, &[("write.caching", "false")])])).await;
    assert!(said.contains("write.caching was set to false and is not shown"), "{said}");
    assert_eq!(config(&requests).await["retention.ms"], "2592000000");
}

#[tokio::test]
#[ignore = "needs a cluster"]
async fn replicas_that_cannot_be_had_are_refused_and_nothing_is_changed() {
    let (requests, results) = (name("requests"), name("results"));
    let mut many = topic(&results, 1, &[]);
    many["Replication"] = "5".into();
    succeed("Create", &json!([topic(&results, 1, &[])])).await;
    let said = fail("Update", &json!([topic(&requests, 1, &[]), many])).await;
    assert!(said.starts_with("nothing was changed: ") && said.contains("and should be on 5"), "{said}");
    assert_eq!(admin().describe(&requests).await.unwrap(), None);
}

#[tokio::test]
#[ignore = "needs a cluster"]
async fn neither_another_name_nor_the_end_of_the_stack_deletes_a_record() {
    let (old, new) = (name("requests"), name("requests"));
    let (before, after) = (json!([topic(&old, 1, &[])]), json!([topic(&new, 1, &[])]));
    succeed("Create", &before).await;
    let connection = Connection::plaintext(&servers());
    let producer = Producer::new(&connection, ProducerSettings::default()).unwrap();
    let record = Record { topic: old.clone(), value: Some("a record".into()), ..Record::default() };
    producer.produce(record).await.unwrap();
    let (status, said) = ask("Update", &after, Some(&before)).await;
    assert_eq!(status, "SUCCESS");
    assert!(said.ends_with(&format!("left as they are: {old}")), "{said}");
    succeed("Delete", &after).await;
    let spans = Reader::new(&connection).unwrap().spans(&old).await.unwrap();
    assert_eq!(spans.iter().map(|span| span.end - span.start).sum::<i64>(), 1);
}
