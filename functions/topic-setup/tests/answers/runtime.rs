//! One invocation of the binary, behind a Runtime API of our own.

use std::{
    process::Stdio,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use crate::support::{Answers, request};
use axum::{
    Router,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    process::Command,
    sync::{Mutex, mpsc},
};

/// A machine that runs everybody's tests at once is slow; a hang is longer.
const PATIENCE: Duration = Duration::from_secs(60);

const PLAINTEXT: [(&str, &str); 1] = [("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")];

/// What the function told the Runtime API of its one invocation.
#[derive(Debug, PartialEq)]
enum Told {
    Response,
    Error(String),
}

struct Runtime {
    event: Mutex<Option<String>>,
    left: Duration,
    told: mpsc::Sender<Told>,
}

async fn next(State(runtime): State<Arc<Runtime>>) -> Response {
    let Some(event) = runtime.event.lock().await.take() else {
        return std::future::pending().await;
    };
    let end = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + runtime.left;
    let headers = [
        ("lambda-runtime-aws-request-id", "8f6a1c".to_owned()),
        ("lambda-runtime-deadline-ms", end.as_millis().to_string()),
        (
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:us-east-1:123456789012:function:topic-setup".to_owned(),
        ),
    ];
    (headers, event).into_response()
}

async fn response(State(runtime): State<Arc<Runtime>>, Path(_id): Path<String>) -> StatusCode {
    runtime.told.send(Told::Response).await.unwrap();
    StatusCode::ACCEPTED
}

async fn error(State(runtime): State<Arc<Runtime>>, Path(_id): Path<String>, body: String) -> StatusCode {
    runtime.told.send(Told::Error(body)).await.unwrap();
    StatusCode::ACCEPTED
}

/// Runs the binary for one event, with so much time left, and gives back what it told the Runtime API.
async fn invoke(variables: &[(&str, &str)], event: &Value, left: Duration) -> Told {
    let (told, mut heard) = mpsc::channel(1);
    let runtime = Arc::new(Runtime { event: Mutex::new(Some(event.to_string())), left, told });
    let router = Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
        .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
        .with_state(runtime);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let api = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move { axum::serve(listener, router).await });
    let mut function = Command::new(env!("CARGO_BIN_EXE_topic-setup"))
        .env_clear()
        .envs([
            ("AWS_LAMBDA_RUNTIME_API", api.as_str()),
            ("AWS_LAMBDA_FUNCTION_NAME", "topic-setup"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "none"),
            ("AWS_SECRET_ACCESS_KEY", "none"),
        ])
        .envs(variables.iter().copied())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let told = tokio::time::timeout(PATIENCE, heard.recv()).await.expect("the function told nothing").unwrap();
    function.kill().await.unwrap();
    told
}

fn topics() -> Value {
    json!([{ "Name": "requests", "Partitions": "1", "Replication": "1", "Config": { "cleanup.policy": "delete" } }])
}

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_missing_variable_is_an_answer_and_no_silence() {
    let answers = Answers::listen(&[]).await;
    assert_eq!(invoke(&[], &request("Create", &answers.url, &topics()), MINUTE).await, Told::Response);
    let answer = answers.only();
    assert_eq!(answer["Status"], "FAILED");
    let reason = answer["Reason"].as_str().unwrap();
    assert!(reason.starts_with("KAFKA_BOOTSTRAP_SERVERS is not set"), "{reason}");
    for (name, value) in [
        ("StackId", "arn:aws:cloudformation:us-east-1:123456789012:stack/shop/1"),
        ("RequestId", "7b1c7a5e"),
        ("LogicalResourceId", "Topics"),
        ("PhysicalResourceId", "kafka-topics-Topics"),
    ] {
        assert_eq!(answer[name], value);
    }
}

#[tokio::test]
async fn a_secret_that_cannot_be_read_is_an_answer() {
    let answers = Answers::listen(&[]).await;
    let variables = [
        ("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1"),
        ("KAFKA_SECURITY_PROTOCOL", "SASL_SSL"),
        ("KAFKA_SASL_MECHANISM", "SCRAM-SHA-512"),
        ("KAFKA_SASL_SECRET_ARN", "arn:aws:secretsmanager:us-east-1:123456789012:secret:user-AbCdEf"),
        ("AWS_ENDPOINT_URL_SECRETS_MANAGER", "http://127.0.0.1:1"),
    ];
    invoke(&variables, &request("Create", &answers.url, &topics()), MINUTE).await;
    let reason = answers.only()["Reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("user-AbCdEf cannot be read"), "{reason}");
}

#[tokio::test]
async fn a_broker_that_is_gone_is_an_answer_before_the_time_is_over() {
    let answers = Answers::listen(&[]).await;
    let event = request("Update", &answers.url, &topics());
    assert_eq!(invoke(&PLAINTEXT, &event, Duration::from_secs(8)).await, Told::Response);
    let answer = answers.only();
    assert_eq!(answer["Status"], "FAILED");
    let reason = answer["Reason"].as_str().unwrap();
    assert!(reason.starts_with("not done within") && reason.contains("requests"), "{reason}");
}

#[tokio::test]
async fn nothing_is_deleted_and_nobody_is_asked_for_it() {
    let answers = Answers::listen(&[]).await;
    let mut event = request("Delete", &answers.url, &topics());
    event["PhysicalResourceId"] = "kafka-topics-of-old".into();
    // Not even variables are needed: a stack that never came up can always go.
    assert_eq!(invoke(&[], &event, MINUTE).await, Told::Response);
    let answer = answers.only();
    assert_eq!(
        (answer["Status"].as_str(), answer["PhysicalResourceId"].as_str()),
        (Some("SUCCESS"), Some("kafka-topics-of-old"))
    );
}

#[tokio::test]
async fn properties_that_make_no_topics_are_an_answer() {
    for (topics, said) in [
        (json!([{ "Name": "a", "Partitions": "none", "Replication": "1" }]), "\"none\" is no number"),
        (json!("requests"), "the resource's properties"),
        (Value::Null, "the resource's properties"),
    ] {
        let answers = Answers::listen(&[]).await;
        invoke(&PLAINTEXT, &request("Create", &answers.url, &topics), MINUTE).await;
        let answer = answers.only();
        assert_eq!(answer["Status"], "FAILED");
        assert!(answer["Reason"].as_str().unwrap().contains(said), "{answer}");
    }
    let answers = Answers::listen(&[]).await;
    invoke(&PLAINTEXT, &request("Destroy", &answers.url, &topics()), MINUTE).await;
    assert!(answers.only()["Reason"].as_str().unwrap().contains("\"Destroy\""));
}

#[tokio::test]
async fn an_answer_that_is_not_taken_at_once_is_sent_again() {
    let answers = Answers::listen(&[500, 503]).await;
    assert_eq!(invoke(&[], &request("Delete", &answers.url, &topics()), MINUTE).await, Told::Response);
    assert_eq!(answers.only()["Status"], "SUCCESS");
}

#[tokio::test]
async fn an_answer_that_nobody_will_ever_take_fails_the_invocation_with_it() {
    // The signature is over: sending it again would not help, and the log has to have it.
    let answers = Answers::listen(&[403]).await;
    let told = invoke(&[], &request("Delete", &answers.url, &topics()), MINUTE).await;
    let Told::Error(text) = told else { panic!("{told:?}") };
    assert!(text.contains("status 403") && text.contains("SUCCESS"), "{text}");
    assert!(!text.contains("X-Amz-Signature"), "{text}");
    assert_eq!(answers.count(), 0);
    let told = invoke(&[], &json!({ "hello": "world" }), MINUTE).await;
    assert!(matches!(&told, Told::Error(text) if text.contains("ResponseURL")), "{told:?}");
}
