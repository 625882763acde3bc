//! The file holds, and each of its checks can fail: one variant for every way in which it could go wrong unnoticed.

use serde_json::{Value, json};

use crate::{checks::faults, documents::Documents};

/// A way to break it, and what has to be said then.
type Variant = (&'static str, fn(&mut Documents), &'static str);

fn at<'a>(documents: &'a mut Documents, pointer: &str) -> &'a mut Value {
    documents.file.pointer_mut(pointer).unwrap_or_else(|| panic!("no {pointer}"))
}

fn set(documents: &mut Documents, pointer: &str, value: Value) {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    at(documents, parent)[name] = value;
}

fn remove(documents: &mut Documents, pointer: &str) {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    at(documents, parent).as_object_mut().unwrap().remove(name).unwrap();
}

/// Replaces within every text below a pointer; the text has to be there.
fn replace(documents: &mut Documents, pointer: &str, from: &str, to: &str) {
    let target = at(documents, pointer);
    let before = target.to_string();
    assert!(before.contains(from), "{pointer} has no {from}");
    *target = serde_json::from_str(&before.replace(from, to)).unwrap();
}

const BROKEN: [Variant; 36] = [
    ("latest", |d| set(d, "/services/redis/image", json!("redis:latest")), "not pinned"),
    ("no tag", |d| set(d, "/services/redis/image", json!("registry:5000/redis")), "not pinned"),
    ("half a version", |d| replace(d, "/services/redis/image", "8.6.3", "8.6"), "not pinned"),
    ("no digest", |d| set(d, "/services/redis/image", json!("redis:8.6.3-alpine")), "has no digest"),
    ("a digest cut short", |d| replace(d, "/services/redis/image", "02d2", ""), "a digest that is none"),
    ("two Redpandas", |d| replace(d, "/services/topics/image", "v26.2.3", "v26.2.1"), "in two versions"),
    ("no image", |d| remove(d, "/services/redis/image"), "not pinned"),
    ("a misspelled key", |d| set(d, "/services/redis/helthcheck", json!({})), "schema: /services/redis"),
    (
        "a wrong type",
        |d| set(d, "/services/redis/healthcheck/retries", json!([30])),
        "schema: /services/redis/healthcheck",
    ),
    ("a variable", |d| set(d, "/services/redis/image", json!("redis:${VERSION}")), "from the environment"),
    ("published everywhere", |d| set(d, "/services/redis/ports", json!(["6379:6379"])), "is not 127.0.0.1:"),
    ("published to a network", |d| replace(d, "/services/redis/ports", "127.0.0.1", "0.0.0.0"), "beyond 127.0.0.1"),
    ("the host's network", |d| set(d, "/services/redis/network_mode", json!("host")), "past `ports`"),
    ("a port that no page names", |d| replace(d, "/services/console/ports", "8080:", "8088:"), "not on the page"),
    ("a page with another port", |d| d.page = d.page.replace("localhost:6379", "localhost:6380"), "not published"),
    ("no health check", |d| remove(d, "/services/dynamodb/healthcheck"), "dynamodb: no health check"),
    ("one that is off", |d| set(d, "/services/redis/healthcheck/disable", json!(true)), "redis: no health check"),
    ("one without a bound", |d| remove(d, "/services/redis/healthcheck/retries"), "has no retries"),
    ("nobody waits for the topics", |d| remove(d, "/services/console/depends_on"), "topics: no health check"),
    ("topics made for ever", |d| set(d, "/services/topics/restart", json!("always")), "is started again"),
    ("waiting for nobody", |d| replace(d, "/services/topics/depends_on", "redpanda", "kafka"), "which is not there"),
    ("not waiting", |d| replace(d, "/services/topics/depends_on", "_healthy", "_started"), "without service_healthy"),
    ("a header that promises", |d| d.text = d.text.replace("does not run it", "runs it"), "does not say that CI"),
    ("a page with another command", |d| d.page = d.page.replace("--wait", ""), "the page lacks"),
    ("an option that is none", |d| d.text = d.text.replace("--dynamodb http", "--dynamo http"), "unexpected argument"),
    ("tables in memory", |d| replace(d, "/services/dynamodb/command", "-sharedDb", "-inMemory"), "forgets its tables"),
    (
        "another port outside",
        |d| replace(d, "/services/redpanda/ports", ":19092:19092", ":19093:19092"),
        "no published port leads",
    ),
    (
        "another port behind it",
        |d| replace(d, "/services/redpanda/ports", ":19092:19092", ":19092:9092"),
        "no published port leads",
    ),
    (
        "a host of somebody's",
        |d| replace(d, "/services/redpanda/command", "//localhost", "//kafka.example"),
        "neither localhost nor a service",
    ),
    (
        "nothing for the containers",
        |d| replace(d, "/services/redpanda/command", "internal://redpanda:9092,", ""),
        "is not advertised",
    ),
    (
        "bound to its own loopback",
        |d| replace(d, "/services/redpanda/command", "//0.0.0.0:19092", "//127.0.0.1:19092"),
        "within its container",
    ),
    (
        "a console that looks elsewhere",
        |d| replace(d, "/services/console/environment", "9092", "19092"),
        "advertises inside",
    ),
    ("no fsync", |d| replace(d, "/services/redpanda/command", "fsync=false", "fsync=true"), "not written to the disk"),
    (
        "topics by accident",
        |d| replace(d, "/services/redpanda/command", "enabled=false", "enabled=true"),
        "nobody configured",
    ),
    ("a topic that is nobody's", |d| replace(d, "/services/topics/command", "issue-dlq", "issue-dead"), "is nobody's"),
    ("a script that goes on", |d| replace(d, "/services/topics/entrypoint", "-ec", "-c"), "goes on after a failure"),
];

/// What must not be otherwise in the script that makes the topics.
const TOPICS: [(&str, &str, &str); 7] = [
    ("--partitions 10", "--partitions 12", "topic coupon-issue-request is made as"),
    ("LogAppendTime", "CreateTime", "topic coupon-issue-dlq is made as"),
    ("--topic-config write.caching=false", "", "topic coupon-issue-result is made as"),
    ("retention.ms=2592000000", "retention.ms=604800000", "topic coupon-issue-request is made as"),
    ("max.message.bytes=2097152", "max.message.bytes=1048576", "topic coupon-issue-dlq is made as"),
    ("coupon-issue-result", "coupon-issue-request", "made twice"),
    ("--if-not-exists", "", "is not `rpk topic create"),
];

#[test]
fn the_parts_in_docker_are_what_the_pages_and_the_sandbox_expect() {
    let found = faults(&Documents::read());
    assert!(found.is_empty(), "local/compose.yaml:\n  {}", found.join("\n  "));
}

#[test]
fn no_broken_variant_passes() {
    for (name, broken, expected) in BROKEN {
        let mut documents = Documents::read();
        broken(&mut documents);
        let found = faults(&documents);
        assert!(found.iter().any(|fault| fault.contains(expected)), "{name}: no {expected:?} in {found:#?}");
    }
}

#[test]
fn no_topic_that_differs_passes() {
    for (from, to, expected) in TOPICS {
        let mut documents = Documents::read();
        replace(&mut documents, "/services/topics/command", from, to);
        let found = faults(&documents);
        assert!(found.iter().any(|fault| fault.contains(expected)), "{to}: no {expected:?} in {found:#?}");
    }
}
