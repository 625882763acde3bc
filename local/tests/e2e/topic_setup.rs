//! topic-setup's flow on the sandbox's broker, as far as the embedded one goes: it makes topics and tells of them, but adds
//! no partition and changes no setting. All of it, on Apache Kafka: `local/real/topic-setup`.

use std::{convert::Infallible, time::Duration};

use axum::{Router, extract::State, routing::put};
use kafka::{Admin, Connection, Log as _, Producer, ProducerSettings, Reader, Record};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use topic_setup::{Sender, handle};

use crate::sandbox::{Sandbox, unique};

/// As the template gives it.
const TIME: Duration = Duration::from_secs(120);

fn topic(name: &str, partitions: u32) -> Value {
    let config =
        json!({ "message.timestamp.type": "LogAppendTime", "cleanup.policy": "delete", "retention.ms": "86400000" });
    json!({ "Name": name, "Partitions": partitions.to_string(), "Replication": "1", "Config": config })
}

/// What CloudFormation is told when it asks for these topics.
async fn ask(servers: &str, kind: &str, topics: &[Value]) -> Value {
    async fn take(State(taken): State<mpsc::Sender<String>>, body: String) {
        taken.send(body).await.unwrap();
    }
    let (taken, mut answers) = mpsc::channel(1);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/answer", listener.local_addr().unwrap());
    let router = Router::new().route("/answer", put(take)).with_state(taken);
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    let event = json!({ "RequestType": kind, "ResponseURL": url, "ResourceProperties": { "Topics": topics } });
    let connect = || async { Ok::<_, Infallible>(Admin::new(&Connection::plaintext(servers)).unwrap()) };
    handle(event, TIME, connect, &Sender::new()).await.unwrap();
    let answer = answers.recv().await.unwrap();
    server.abort();
    serde_json::from_str(&answer).unwrap()
}

#[tokio::test]
async fn topics_are_made_once_and_outlive_their_stack() {
    let servers = Sandbox::shared().at.kafka.clone();
    let name = unique("made");
    let answer = ask(&servers, "Create", &[topic(&name, 3)]).await;
    assert_eq!(answer["Status"], "SUCCESS", "{answer}");
    let producer = Producer::new(&Connection::plaintext(&servers), ProducerSettings::default()).unwrap();
    let record = Record { topic: name.clone(), value: Some("a record".into()), ..Record::default() };
    producer.produce(record).await.unwrap();

    let answer = ask(&servers, "Update", &[topic(&name, 3)]).await;
    assert_eq!(answer["Reason"], "every topic was as it should be");
    assert_eq!(ask(&servers, "Delete", &[topic(&name, 3)]).await["Status"], "SUCCESS");
    let spans = Reader::new(&Connection::plaintext(&servers)).unwrap().spans(&name).await.unwrap();
    assert_eq!((spans.len(), spans.iter().map(|span| span.end - span.start).sum::<i64>()), (3, 1));
}

#[tokio::test]
async fn what_a_cluster_cannot_do_is_told_and_nothing_else_is_changed() {
    let servers = Sandbox::shared().at.kafka.clone();
    let (name, other) = (unique("refused"), unique("other"));
    assert_eq!(ask(&servers, "Create", &[topic(&name, 2)]).await["Status"], "SUCCESS");
    let answer = ask(&servers, "Update", &[topic(&other, 1), topic(&name, 1)]).await;
    let reason = answer["Reason"].as_str().unwrap();
    assert!(answer["Status"] == "FAILED" && reason.starts_with("nothing was changed: "), "{answer}");
    assert!(reason.contains("has 2 partitions and should have 1"), "{reason}");
    let admin = Admin::new(&Connection::plaintext(&servers)).unwrap();
    assert_eq!(admin.describe(&other).await.unwrap(), None);
}
