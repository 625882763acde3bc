//! Many at once: a cold coupon behind a hot one, a rush by the commands themselves, and trouble in the middle of one.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use kafka::Record;
use local::audit::Invariant;
use local::load::api::Api;
use local::load::people::people;
use local::load::rush::{Pace, Rush};
use local::load::written::Written;
use serde_json::{Value, json};

use crate::sandbox::{Sandbox, local, unique};

fn request(coupon: &str, partition: i32, user: &str) -> Record {
    let value = json!({
        "type": "issue", "couponId": coupon, "userId": user, "requestedAt": "2026-11-20T03:00:00.123Z",
    });
    Record {
        topic: "coupon-issue-request".into(),
        partition: Some(partition),
        key: Some(Bytes::copy_from_slice(coupon.as_bytes())),
        value: Some(value.to_string().into()),
        headers: Vec::new(),
    }
}

#[tokio::test]
async fn a_cold_coupon_behind_a_hot_one_has_its_turn() {
    const HOT: usize = 1500;
    let sandbox = Sandbox::start(&[]).await;
    let hot = sandbox.coupon("hot", 500).await;
    let partition = record_log::partition_of(hot.as_bytes(), 10);
    let cold = std::iter::repeat_with(|| unique("cold"))
        .find(|id| record_log::partition_of(id.as_bytes(), 10) == partition)
        .unwrap();
    let created = sandbox.create(&json!({"couponId": cold, "name": "Cold", "total": 1})).await;
    assert_eq!(created.status, 201, "{created:?}");
    let rush = (0..HOT).map(|number| sandbox.produce(request(&hot, partition, &format!("hot-{number}"))));
    futures_util::future::join_all(rush).await;
    let ticket = sandbox.ticket(&cold, "ann").await;
    let first = sandbox.status(&cold, &ticket, "ann").await.json();
    // Nothing of this coupon is decided yet, so there is no bound to tell; once it is, nobody is ahead any more.
    assert!(first["status"] == "ISSUED" || first.get("aheadAtMost").is_none(), "{first}");
    assert_eq!(sandbox.outcome_of(&cold, &ticket, "ann").await["rank"], 1);
    assert_eq!(sandbox.show(&cold).await.status, 200);
    let report = sandbox.audit().await;
    assert!(report.ok(), "{report}");
    assert_eq!(report.looked.issued, 501);
}

/// Runs a command that prints JSON, and gives its exit code and what it printed.
pub(crate) async fn json_of(arguments: &[&str]) -> (Option<i32>, Value) {
    let output = local(arguments).await;
    let stderr = String::from_utf8_lossy(&output.stderr);
    let printed =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}\n{stderr}"));
    (output.status.code(), printed)
}

/// The options with which the audit finds a sandbox.
pub(crate) fn audit_of<'a>(sandbox: &'a Sandbox, tickets: &'a Path) -> [&'a str; 8] {
    let tickets = tickets.to_str().unwrap();
    ["audit", "--kafka", &sandbox.at.kafka, "--dynamodb", &sandbox.at.dynamodb, "--json", "--tickets", tickets]
}

#[tokio::test]
async fn a_rush_by_the_commands_is_fair_and_the_audit_says_so() {
    let sandbox = Sandbox::start(&[]).await;
    let directory = tempfile::tempdir().unwrap();
    let tickets = directory.path().join("tickets.jsonl");
    let path = tickets.to_str().unwrap();
    let (code, figures) = json_of(&[
        "load",
        "--api",
        &sandbox.at.api,
        "--kafka",
        &sandbox.at.kafka,
        "--stock",
        "40",
        "--users",
        "200",
        "--clients",
        "12",
        "--tickets",
        path,
        "--json",
    ])
    .await;
    assert_eq!(code, Some(0), "{figures}");
    assert_eq!((&figures["users"], &figures["issued"], &figures["errors"]), (&json!(200), &json!(40), &json!({})));
    let accepted = figures["accepted"].as_u64().unwrap();
    let refused: u64 = figures["refused"].as_object().unwrap().values().filter_map(Value::as_u64).sum();
    assert_eq!(accepted + refused, 200, "{figures}");
    assert_eq!(figures["accept_ms"]["count"], accepted);
    assert_eq!(figures["decision_ms"]["count"], accepted, "every decision is in the log: {figures}");

    let lines = std::fs::read_to_string(&tickets).unwrap();
    assert!(lines.lines().count() >= usize::try_from(2 * accepted).unwrap(), "a ticket and an answer each");
    let (code, report) = json_of(&audit_of(&sandbox, &tickets)).await;
    assert_eq!((code, &report["ok"]), (Some(0), &json!(true)), "{report}");
    for invariant in ["I1", "I2", "I3", "I4", "I5", "I6", "I8", "I9", "I11", "I12"] {
        assert_eq!(report["invariants"][invariant]["status"], "held", "{invariant}: {report}");
    }

    // A ticket that nobody was given.
    let forged = lines.lines().next().unwrap().replace("\"user-", "\"nobody-");
    std::fs::write(&tickets, format!("{lines}{forged}\n")).unwrap();
    let (code, report) = json_of(&audit_of(&sandbox, &tickets)).await;
    assert_eq!((code, &report["invariants"]["I4"]["status"]), (Some(1), &json!("violated")), "{report}");
}

#[tokio::test]
async fn the_demo_tells_who_won_and_that_it_was_fair() {
    let (code, told) = json_of(&["demo", "--stock", "10", "--users", "60", "--json"]).await;
    assert_eq!((code, &told["ok"]), (Some(0), &json!(true)), "{told}");
    let ranks: Vec<u64> =
        told["winners"].as_array().unwrap().iter().filter_map(|winner| winner["rank"].as_u64()).collect();
    assert_eq!(ranks, (1..=10).collect::<Vec<_>>());
    assert_eq!(told["figures"]["users"], 60);
}

/// A rush against a sandbox, while `trouble` happens to it: everybody must get an outcome, and a fair one.
async fn a_rush_with(sandbox: &Sandbox, trouble: impl Future<Output = ()>) {
    let directory = tempfile::tempdir().unwrap();
    let tickets = directory.path().join("tickets.jsonl");
    let coupon = sandbox.coupon("trouble", 150).await;
    let written = Written::to(&tickets).unwrap();
    let rush = Rush::new(Api::new(&sandbox.at.api).unwrap(), coupon, people(300).await.unwrap(), written).unwrap();
    let (ran, ()) = tokio::join!(rush.run(Pace::Rate(60.0)), trouble);
    ran.unwrap();
    let figures = rush.figures();
    assert_eq!((figures.failed(), figures.issued), (0, 150), "{:?}", figures.errors);
    let mut options = sandbox.audit_options();
    options.tickets = Some(tickets);
    let report = local::audit::command::audit(&options).await.unwrap();
    assert!(report.ok(), "{report}");
    for told in [Invariant::I4, Invariant::I5] {
        assert_eq!(report.finding(told).unwrap().status(), "held", "{report}");
    }
}

async fn after(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}

#[tokio::test]
async fn a_worker_that_is_killed_and_a_broker_that_goes_away_change_nothing() {
    let sandbox = Sandbox::start(&["--faults"]).await;
    a_rush_with(&sandbox, async {
        for _ in 0..3 {
            after(600).await;
            sandbox.fault(json!({"target": "issue-worker", "kind": "kill", "seconds": 0.3})).await;
        }
        after(300).await;
        sandbox.fault(json!({"target": "broker", "kind": "kill", "seconds": 1})).await;
    })
    .await;
}

#[tokio::test]
async fn a_store_that_loses_answers_throttles_and_conflicts_changes_nothing() {
    let sandbox = Sandbox::start(&["--faults"]).await;
    a_rush_with(&sandbox, async {
        for kind in ["lost-answer", "throttle", "conflict"] {
            after(400).await;
            sandbox.fault(json!({"target": "dynamodb", "kind": kind, "seconds": 3, "rate": 0.3})).await;
        }
        after(1500).await;
        sandbox.fault(json!({"target": "issue-worker", "kind": "freeze", "seconds": 1})).await;
    })
    .await;
}

#[tokio::test]
async fn producers_that_all_begin_at_once_are_all_let_in() {
    let sandbox = Sandbox::shared();
    let begin = |number: i32| {
        let connection = kafka::Connection::plaintext(&sandbox.at.kafka);
        tokio::spawn(async move {
            let producer = kafka::Producer::new(&connection, kafka::ProducerSettings::default()).unwrap();
            for turn in 0..5 {
                let record = kafka::Record {
                    topic: "coupon-issue-request".into(), // where garbage becomes dead letters
                    partition: Some((number + turn) % 10),
                    value: Some("{}".into()),
                    ..kafka::Record::default()
                };
                // On a busy machine the broker may be late, and then it is asked again; what it must not do is refuse.
                let is_late = |why: &str| why.contains("timed out") || why.contains("no acknowledgement in");
                let mut late = 0;
                loop {
                    match kafka::Log::produce(&producer, record.clone()).await {
                        Err(kafka::LogError::Unavailable(why)) if late < 10 && is_late(&why) => late += 1,
                        admitted => {
                            admitted.unwrap();
                            break;
                        }
                    }
                }
            }
        })
    };
    for producing in (0..24).map(begin).collect::<Vec<_>>() {
        producing.await.unwrap();
    }
}
