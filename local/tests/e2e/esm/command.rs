//! What the command says: help, refusals, the two lines, the metrics, a line in the log for each record.

use std::time::Duration;

use hyper::{Method, Request};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::function::Gate;
use super::{Esm, Function, Reply, World, eventually};
use crate::hosted::{http_client, send};
use crate::sandbox::{local, unique};

/// What a command that ends by itself has said: exit code, stdout, stderr.
async fn said(arguments: &[String]) -> (Option<i32>, String, String) {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let output = local(&arguments).await;
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// The lines that begin with `error:`, joined by what follows them.
fn error(stderr: &str) -> &str {
    let start = stderr.find("error: ").unwrap_or_else(|| panic!("no error in {stderr:?}"));
    stderr.split_at(start).1
}

#[tokio::test]
async fn the_help_names_every_flag_and_every_switch() {
    let (code, help, _) = said(&["esm".into(), "--help".into()]).await;
    assert_eq!(code, Some(0));
    let flags = ["--bootstrap-servers", "--topic", "--invoke", "--kafka-config", "--config", "--metrics-port"];
    let switches = [
        "pbr",
        "null_key",
        "null_value",
        "null_header",
        "filter_mismatch",
        "lenient_errors",
        "provisioned",
        "time_factor",
        "function_timeout_seconds",
        "destinations",
    ];
    for word in flags.iter().chain(&switches).chain(&["StartingPosition", "/2015-03-31/functions/", "SIGTERM"]) {
        assert!(help.contains(word), "{word} in {help}");
    }
}

#[tokio::test]
async fn the_example_of_the_help_is_a_mapping_that_is_taken() {
    let (_, help, _) = said(&["esm".into(), "--help".into()]).await;
    let example = help.split_once("\n  StartingPosition:").unwrap().1.split_once("\n\n").unwrap().0;
    let world = World::new("example", |_, _| Reply::ok()).await;
    let config = world.file("example.yaml", &format!("  StartingPosition:{example}"));
    let own = ["esm", "--bootstrap-servers", &world.broker, "--topic", &world.topic, "--invoke", &world.function.url];
    let arguments: Vec<String> = own.iter().chain(&["--config", &config]).map(|text| (*text).to_owned()).collect();
    let esm = Esm::start(&arguments);
    assert_eq!(esm.ready().await["group"], "orders-worker");
    esm.stop().await;
}

/// The command's arguments, with another value behind a flag.
fn replaced_in(world: &World, flag: &str, value: &str) -> Vec<String> {
    let mut arguments = world.arguments(&[]);
    let place = arguments.iter().position(|argument| argument == flag).unwrap();
    arguments[place + 1] = value.to_owned();
    arguments
}

/// With exit code 2, an error that has these words, and nothing on stdout.
async fn are_refused(cases: Vec<(Vec<String>, &[&str])>) {
    for (arguments, words) in cases {
        let (code, stdout, stderr) = said(&arguments).await;
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{arguments:?}: {stderr}");
        for word in words {
            assert!(error(&stderr).contains(word), "{word} in {stderr}");
        }
    }
}

#[tokio::test]
async fn a_file_that_is_none_is_named_with_the_way_out() {
    let world = World::new("files", |_, _| Reply::ok()).await;
    let replaced = |flag: &str, value: &str| replaced_in(&world, flag, value);
    let file = |name: &str, text: &str| replaced("--config", &world.file(name, text));
    let cases: Vec<(Vec<String>, &[&str])> = vec![
        (file("a.yaml", "BatchSize: [1"), &["--config", "a.yaml"]),
        (file("b.yaml", "FunctionName: !Ref Worker"), &["--config", "b.yaml", "plain values"]),
        (
            replaced("--config", "/nowhere/mapping.yaml"),
            &["--config /nowhere/mapping.yaml cannot be read", "YAML or JSON", "leave --config out"],
        ),
        (
            replaced("--kafka-config", "/nowhere/kafka.properties"),
            &["--kafka-config /nowhere/kafka.properties cannot be read", "leave --kafka-config out"],
        ),
        (replaced("--kafka-config", &world.file("b.properties", "sasl.mechanims=PLAIN\n")), &["sasl.mechanims"]),
    ];
    are_refused(cases).await;
}

#[tokio::test]
async fn what_cannot_be_is_refused_by_name() {
    let world = World::new("refused", |_, _| Reply::ok()).await;
    let replaced = |flag: &str, value: &str| replaced_in(&world, flag, value);
    let with = |name: &str, value: Value| {
        let mut mapping = world.mapping.clone();
        mapping[name] = value;
        // A file for each, since all are written before the first command starts.
        let file = format!("{}.json", unique("refused"));
        replaced("--config", &world.file(&file, &mapping.to_string()))
    };
    let other_topic = ["Topics", "another", &world.topic];
    let no_topic = ["nowhere", "does not exist", &world.broker, "create it"];
    let itself = ["DestinationConfig.OnFailure.Destination", &world.topic, "source topic", "another topic"];
    let cases: Vec<(Vec<String>, &[&str])> = vec![
        (vec!["esm".into()], &["--bootstrap-servers", "--topic", "--invoke"]),
        (with("BatchSize", json!(0)), &["BatchSize: 0", "1 to 10000"]),
        (with("BatchSize", json!("many")), &["BatchSize", "many"]),
        (with("BatchSizes", json!(1)), &["BatchSizes"]),
        (with("MaximumBatchingWindowInSeconds", json!(301)), &["MaximumBatchingWindowInSeconds: 301", "0 to 300"]),
        (with("StartingPosition", json!("NOW")), &["StartingPosition", "NOW", "TRIM_HORIZON"]),
        (with("Topics", json!(["another"])), &other_topic),
        (with("Emulator", json!({"pbr": "both"})), &["Emulator.pbr", "both", "selective"]),
        (with("Emulator", json!({"speed": 1})), &["Emulator", "speed"]),
        (with("Emulator", json!({"provisioned": true, "time_factor": 0})), &["Emulator.time_factor: 0"]),
        (
            with("Emulator", json!({"provisioned": true, "function_timeout_seconds": 841})),
            &["Emulator.function_timeout_seconds: 841", "840"],
        ),
        (with("Emulator", json!({})), &["FunctionResponseTypes", "provisioned mode"]),
        (
            with("SelfManagedKafkaEventSourceConfig", json!({"SchemaRegistryConfig": {"EventRecordFormat": "JSON"}})),
            &["SchemaRegistryConfig: {\"EventRecordFormat\":\"JSON\"}", "no schema registry", "leave it out"],
        ),
        (with("DestinationConfig", json!({"OnFailure": {"Destination": format!("kafka://{}", world.topic)}})), &itself),
        (
            with("DestinationConfig", json!({"OnFailure": {"Destination": "arn:aws:sqs:us-east-1:1:q"}})),
            &["DestinationConfig.OnFailure.Destination", "arn:aws:sqs:us-east-1:1:q", "Emulator.destinations"],
        ),
        (with("FilterCriteria", json!({"Filters": [{"Pattern": "{"}]})), &["FilterCriteria.Filters[0].Pattern"]),
        (with("Enabled", json!(false)), &["Enabled: false", "true or nothing"]),
        (
            with("StartingPositionTimestamp", json!(5)),
            &["StartingPositionTimestamp: 5", "TRIM_HORIZON", "AT_TIMESTAMP", "leave the timestamp out"],
        ),
        (replaced("--invoke", "https://127.0.0.1:1/"), &["invoke", "https://127.0.0.1:1/", "http://host:port"]),
        (replaced("--topic", "nowhere"), &no_topic),
        (replaced("--topic", "no topic"), &["no topic", "letters"]),
        (replaced("--bootstrap-servers", "nowhere"), &["nowhere", "host:port"]),
    ];
    are_refused(cases).await;
}

#[tokio::test]
async fn a_broker_that_does_not_answer_is_named_and_that_is_a_failure() {
    let world = World::new("unreachable", |_, _| Reply::ok()).await;
    // Something listens, and never says a word.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    for address in ["127.0.0.1:1".to_owned(), silent.local_addr().unwrap().to_string()] {
        let mut arguments = world.arguments(&[]);
        arguments[2].clone_from(&address);
        let (code, stdout, stderr) = said(&arguments).await;
        assert_eq!((code, stdout.as_str()), (Some(1), ""), "{stderr}");
        assert!(error(&stderr).contains(&format!("no broker answers at {address}")), "{stderr}");
    }
}

fn page(status: u16) -> Reply {
    let page = Reply { content_type: "text/html", ..Reply::body("<html><body>It works!</body></html>") };
    Reply { status, ..page }
}

/// Whatever a web server answers to a POST of a path that it does not know.
#[tokio::test]
async fn a_function_that_answers_html_ends_it_with_a_sentence_and_commits_nothing() {
    let ends = [200, 404, 405, 503].map(|code| async move {
        let world = World::new("html", move |_, _| page(code)).await;
        world.write_many(0, 2).await;
        let mut esm = world.start().await;
        let (status, stdout, stderr) = esm.ended().await;
        assert_eq!(status.code(), Some(1), "{stderr}");
        let told = format!("{} answers {code} with a page of HTML", world.function.url);
        assert!(error(&stderr).contains(&told), "{told} in {stderr}");
        assert_eq!(stdout.len(), 2, "{stdout:?}");
        assert_eq!(world.committed(0).await, None);
    });
    futures_util::future::join_all(ends).await;
}

/// A host that does not know its function yet says so in JSON, and one that was met may be behind a proxy.
#[tokio::test]
async fn an_error_that_is_no_page_and_a_page_later_on_are_tried_again() {
    let world = World::new("met", |number, _| match number {
        0 => Reply::status(404),
        1 => page(404),
        2 => Reply::status(503),
        3 => page(502),
        _ => Reply::ok(),
    });
    let world = world.await;
    world.write_many(0, 2).await;
    let esm = world.start().await;
    world.wait_committed(0, 2).await;
    assert_eq!(esm.stop().await["InvokeErrorCount"], 4);
}

/// Nothing is given up by a mapping that ends: what has no retry left is for the next start all the same.
#[tokio::test]
async fn a_last_attempt_that_fails_during_the_end_is_told_as_what_comes_again() {
    let gate = Gate::closed();
    let held = gate.clone();
    let world = World::new("last", move |_, _| Reply::error().behind(&held)).await.set("MaximumRetryAttempts", 0);
    world.write_many(0, 2).await;
    let mut esm = world.start().await;
    world.function.wait_calls(1).await;
    esm.signal(Signal::SIGTERM);
    assert!(tokio::time::timeout(Duration::from_secs(2), esm.child.wait()).await.is_err(), "it waits for the answer");
    gate.open();
    let (status, stdout, stderr) = esm.ended().await;
    assert_eq!(status.code(), Some(0), "{stderr}");
    let last: Value = serde_json::from_str(stdout.last().unwrap()).unwrap();
    assert_eq!((&last["metrics"]["DroppedEventCount"], world.committed(0).await), (&json!(0), None));
    for offset in 0..2 {
        let told = |line: &str| line.contains("will be redelivered") && line.contains(&format!("offset={offset}"));
        assert!(stderr.lines().any(told), "offset {offset} in {stderr}");
    }
}

#[tokio::test]
async fn a_taken_metrics_port_is_named_before_anything_begins() {
    let world = World::new("taken", |_, _| Reply::ok()).await;
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let (code, stdout, stderr) = said(&world.arguments(&["--metrics-port", &port])).await;
    assert_eq!((code, stdout.as_str()), (Some(1), ""), "{stderr}");
    assert!(error(&stderr).contains(&format!("--metrics-port {port}")), "{stderr}");
}

#[tokio::test]
async fn two_lines_of_json_and_the_metrics_under_their_names() {
    let taker = Function::start(|_, _| Reply::ok()).await;
    let world = World::new("metrics", |_, _| Reply::error()).await;
    let arn = "arn:aws:sns:us-east-1:123456789012:failed";
    let world = world.set("MaximumRetryAttempts", 1).set("Emulator.destinations", json!({arn: taker.url}));
    let world = world.set("DestinationConfig", json!({"OnFailure": {"Destination": arn}}));
    let port = local::ports::internal().unwrap();
    let esm = Esm::start(&world.arguments(&["--metrics-port", &port.to_string()]));
    assert_eq!(esm.ready().await, json!({"ready": true, "topic": world.topic, "group": world.group}));
    world.write_many(0, 3).await;
    world.wait_committed(0, 3).await;
    assert_eq!(taker.calls()[0].event["KafkaBatchInfo"]["batchSize"], 3);

    let client = http_client();
    let ask = async |accept: &str| {
        let request = Request::builder().method(Method::GET).uri(format!("http://127.0.0.1:{port}/metrics"));
        send(&client, request.header("accept", accept).body(String::new().into()).unwrap()).await
    };
    let labels = format!("{{topic=\"{}\",group=\"{}\"}}", world.topic, world.group);
    let mut text = String::new();
    eventually("the commit is counted", async || {
        let answer = ask("*/*").await;
        assert!(answer.header("content-type").unwrap().starts_with("text/plain; version=0.0.4"));
        text = String::from_utf8(answer.body.to_vec()).unwrap();
        text.contains(&format!("CommittedEventCount{labels} 3\n"))
    })
    .await;
    let expected = [
        ("PolledEventCount", 3),
        ("InvokedEventCount", 6),
        ("FailedInvokeEventCount", 6),
        ("InvokeErrorCount", 2),
        ("OnFailureDestinationDeliveredEventCount", 3),
        ("DroppedEventCount", 0),
        ("FilteredOutEventCount", 0),
        ("SumOffsetLag", 0),
        ("MaxOffsetLag", 0),
        ("SchemaRegistryErrorCount", 0),
    ];
    for (name, number) in expected {
        assert!(text.contains(&format!("\n{name}{labels} {number}\n")), "{name} {number} in {text}");
    }
    assert_eq!(ask("application/json").await.json()["metrics"]["InvokedEventCount"], 6);

    let metrics = esm.stop().await;
    assert_eq!(metrics.as_object().unwrap().len(), 18, "{metrics}");
    for (name, number) in expected {
        assert_eq!(metrics[name], number, "{name}");
    }
}

/// C25: the reason of each whole-batch failure, and of everything that comes again, is given back or is dropped.
#[tokio::test]
async fn c25_every_record_that_does_not_simply_go_through_has_a_line_with_its_reason() {
    let gate = Gate::closed();
    let world = World::new("lines", {
        let held = gate.clone();
        move |number, call| match number {
            0 => Reply::failures(&[(call.first_key(), 99)]),
            1 => Reply::body("no JSON"),
            2 => Reply::status(429),
            3 => Reply::failures(&[(call.first_key(), 1)]),
            4 => Reply::error(),
            5 => Reply::error(),
            _ => Reply::ok().behind(&held),
        }
    });
    let world = world.await.set("MaximumRetryAttempts", 4);
    world.write_many(0, 2).await;
    let esm = world.start().await;
    world.wait_committed(0, 2).await;
    gate.open();
    let stderr = esm.stderr.lock().unwrap().join("\n");
    esm.stop().await;
    for (offset, level, reason) in [
        (0, "INFO", "offset 99"),
        (1, "INFO", "offset 99"),
        (0, "INFO", "no JSON"),
        (1, "INFO", "no JSON"),
        (0, "INFO", "429"),
        (1, "INFO", "1 of 2 records"),
        (1, "INFO", "function error Unhandled"),
        // Lost, and so an error.
        (1, "ERROR", "6 invocations"),
    ] {
        let found = stderr.lines().any(|line| {
            let place = line.contains(&world.topic)
                && line.contains("partition=0")
                && line.contains(&format!("offset={offset}"));
            place && line.contains(level) && line.contains(reason)
        });
        assert!(found, "offset {offset}: {reason} in {stderr}");
    }
}
