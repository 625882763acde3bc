//! What `up` makes of parts that are not what they are said to be: one sentence that names the value and the way out, exit
//! code 2 for what is no address at all and 1 for what is not there or is something else. And what `local/real/check`, which
//! tests on such parts, makes of a step that there is not.

use std::net::SocketAddr;

use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType as Scalar,
};
use axum::response::Html;
use local::broker::Place;
use local::parts::{BROKER, Parts};
use local::process::Spawner;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use crate::hosted::Hosted;
use crate::sandbox::{Sandbox, local};

/// Nobody listens there: the port is one that nobody may take without being root.
const NOBODY: &str = "127.0.0.1:1";

/// Runs `up`, which must refuse; what it says at last, in one line.
async fn refused(options: &[&str], code: i32) -> String {
    let output = local(&[&["up", "--port", "0"], options].concat()).await;
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(code), &b""[..]), "{options:?}: {told}");
    let sentence = told.lines().rfind(|line| line.starts_with("error: "));
    sentence.unwrap_or_else(|| panic!("{options:?}: {told}")).to_owned()
}

fn says(sentence: &str, parts: &[&str]) {
    for part in parts {
        assert!(sentence.contains(part), "{part:?} is not in: {sentence}");
    }
}

/// Answers every request with a page, as whatever has taken the port may do.
async fn page() -> (SocketAddr, AbortHandle) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = axum::Router::new().fallback(async || Html("<!doctype html><title>It works!</title>"));
    let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (address, serving.abort_handle())
}

#[tokio::test]
async fn what_is_no_address_is_refused_before_anything_starts() {
    for (option, value, expected) in [
        ("--broker", "localhost", "HOST:PORT"),
        ("--broker", "http://localhost:9092", "HOST:PORT"),
        ("--broker", "localhost:9092,", "HOST:PORT"),
        ("--dynamodb", "localhost:8000", "http://localhost:8000"),
        ("--dynamodb", "http://localhost:8000/shell/", "without a path"),
        ("--functions", "https://localhost:9000", "http://HOST:PORT"),
        ("--functions", "http://localhost:9000/2015-03-31/functions/issue-api/invocations", "without a path"),
    ] {
        says(&refused(&[option, value], 2).await, &[option, value, expected, "`embedded`"]);
    }
}

#[tokio::test]
async fn a_broker_that_does_not_answer_is_named() {
    let sentence = refused(&["--broker", NOBODY], 1).await;
    says(&sentence, &["--broker 127.0.0.1:1", "does not answer as Kafka", "leave --broker out"]);
    // A listener that speaks something else.
    let (address, serving) = page().await;
    let sentence = refused(&["--broker", &address.to_string()], 1).await;
    says(&sentence, &[&format!("--broker {address}"), "does not answer as Kafka"]);
    serving.abort();
}

#[tokio::test]
async fn a_dynamodb_that_does_not_answer_is_named() {
    let sentence = refused(&["--dynamodb", &format!("http://{NOBODY}")], 1).await;
    says(&sentence, &["--dynamodb http://127.0.0.1:1", "does not answer as DynamoDB", "leave --dynamodb out"]);
    let (address, serving) = page().await;
    let sentence = refused(&["--dynamodb", &format!("http://{address}")], 1).await;
    says(&sentence, &[&format!("--dynamodb http://{address}"), "does not answer as DynamoDB"]);
    serving.abort();
}

#[tokio::test]
async fn a_host_of_no_functions_is_named() {
    let sentence = refused(&["--functions", &format!("http://{NOBODY}")], 1).await;
    says(&sentence, &["--functions http://127.0.0.1:1", "does not answer", "cargo lambda watch"]);
    let (address, serving) = page().await;
    let sentence = refused(&["--functions", &format!("http://{address}")], 1).await;
    says(&sentence, &[&format!("--functions http://{address}"), "text/html", "<!doctype html>", "cargo lambda watch"]);
    serving.abort();
    // Another sandbox's host knows other functions, or none: here one without ours.
    let hosted = Hosted::start().await;
    let sentence = refused(&["--functions", &format!("http://{}", hosted.address())], 1).await;
    says(&sentence, &["404", "issue-", "cargo lambda watch"]);
}

#[tokio::test]
async fn a_table_with_another_key_is_named_with_both_keys() {
    // A sandbox for its DynamoDB, in which its own table makes room for another one.
    let sandbox = Sandbox::start(&[]).await;
    let tables = local::dynamodb::patient_client(&sandbox.at.dynamodb).await;
    tables.delete_table().table_name("user-coupons").send().await.unwrap();
    let definition = |name: &str, kind: Scalar| {
        AttributeDefinition::builder().attribute_name(name).attribute_type(kind).build().unwrap()
    };
    let element =
        |name: &str, role: KeyType| KeySchemaElement::builder().attribute_name(name).key_type(role).build().unwrap();
    let create = tables.create_table().table_name("user-coupons").billing_mode(BillingMode::PayPerRequest);
    let create =
        create.attribute_definitions(definition("userId", Scalar::S)).key_schema(element("userId", KeyType::Hash));
    let create =
        create.attribute_definitions(definition("rank", Scalar::N)).key_schema(element("rank", KeyType::Range));
    create.send().await.unwrap();

    let sentence = refused(&["--dynamodb", &sandbox.at.dynamodb], 1).await;
    says(
        &sentence,
        &[
            &sandbox.at.dynamodb,
            "table user-coupons has the key userId (HASH, S) and rank (RANGE, N)",
            "userId (HASH, S) and couponId (RANGE, S) is expected",
            "remove that table",
        ],
    );
}

#[tokio::test]
async fn an_audit_of_a_broker_without_our_topics_names_the_topic_and_who_makes_it() {
    let data = tempfile::tempdir().unwrap();
    let built = Parts::build(&[BROKER]).await.unwrap();
    let port = local::ports::internal().unwrap();
    let place = Place { port, advertised_port: port, data: data.path() };
    let spawner = Spawner::through(env!("CARGO_BIN_EXE_local")).unwrap();
    let _broker = local::broker::start(spawner, built.path(BROKER).unwrap(), place).await.unwrap();
    // No table is looked at before there is a log.
    let output = local(&["audit", "--kafka", &format!("127.0.0.1:{port}"), "--dynamodb", "http://127.0.0.1:1"]).await;
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{told}");
    says(&told, &["cannot check", "coupon-issue-request", "`cargo local up` makes it"]);
}

#[tokio::test]
async fn a_step_of_the_real_check_that_there_is_not_is_refused_with_the_names_of_all() {
    let check = concat!(env!("CARGO_MANIFEST_DIR"), "/real/check");
    let output = tokio::process::Command::new(check).args(["maping", "needs", "wach"]).output().await.unwrap();
    assert_eq!((output.status.code(), output.stdout), (Some(2), Vec::new()), "nothing is run");
    let told = String::from_utf8(output.stderr).unwrap();
    says(&told, &["maping", "wach"]);
    let script = std::fs::read_to_string(check).unwrap();
    let steps: Vec<&str> =
        script.split("step \"").skip(1).filter_map(|rest| rest.split([' ', ',', '"']).next()).collect();
    assert!(steps.len() >= 9, "{steps:?}");
    says(told.lines().last().unwrap(), &steps);
}
