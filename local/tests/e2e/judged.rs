//! The audit against real tables and topics: a world that is right passes; one that somebody tampered with does not,
//! and what cannot be judged is refused. The command's exit codes are part of it.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use bytes::Bytes;
use kafka::{Header, Record};
use serde_json::{Value, json};

use crate::sandbox::{Sandbox, local};

type Item = HashMap<String, AttributeValue>;

/// A sandbox with one coupon of three, sold out, and one person too late.
struct Judged {
    sandbox: Sandbox,
    tables: aws_sdk_dynamodb::Client,
    coupon: String,
}

impl Judged {
    async fn start() -> Self {
        let sandbox = Sandbox::start(&[]).await;
        let coupon = sandbox.coupon("judged", 3).await;
        for user in ["ann", "bob", "cho"] {
            assert_eq!(sandbox.asks(&coupon, user).await["status"], "ISSUED");
        }
        let tables = local::dynamodb::client(&sandbox.at.dynamodb).await;
        Self { sandbox, tables, coupon }
    }

    fn key_of(&self, user: Option<&str>) -> Item {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let user = user.map(|user| ("userId".to_owned(), text(user)));
        user.into_iter().chain([("couponId".to_owned(), text(&self.coupon))]).collect()
    }

    /// The head, or with a user their issued coupon.
    async fn item(&self, user: Option<&str>) -> Item {
        let get = self.tables.get_item().table_name(table(user)).set_key(Some(self.key_of(user)));
        get.consistent_read(true).send().await.unwrap().item.unwrap()
    }

    async fn put(&self, user: Option<&str>, item: Item) {
        self.tables.put_item().table_name(table(user)).set_item(Some(item)).send().await.unwrap();
    }

    async fn delete(&self, user: &str) {
        let key = Some(self.key_of(Some(user)));
        self.tables.delete_item().table_name(table(Some(user))).set_key(key).send().await.unwrap();
    }

    /// Exit code and report of the command.
    async fn audit(&self) -> (Option<i32>, Value) {
        let at = &self.sandbox.at;
        let output =
            local(&["audit", "--kafka", &at.kafka, "--dynamodb", &at.dynamodb, "--patience", "5", "--json"]).await;
        (output.status.code(), serde_json::from_slice(&output.stdout).unwrap_or_default())
    }

    /// Asserts that the audit finds this invariant violated, and names the offender.
    async fn finds(&self, invariant: &str, offender: &str) {
        let (code, report) = self.audit().await;
        let finding = &report["invariants"][invariant];
        assert_eq!((code, &report["ok"], &finding["status"]), (Some(1), &json!(false), &json!("violated")), "{report}");
        let named = finding["offending"].as_array().unwrap().iter();
        let named: Vec<&str> = named.filter_map(|offence| offence["where"].as_str()).collect();
        assert!(named.iter().any(|place| place.contains(offender)), "{offender} is not in {named:?}");
    }

    async fn holds(&self) {
        let (code, report) = self.audit().await;
        assert_eq!((code, &report["ok"]), (Some(0), &json!(true)), "{report}");
    }

    /// Changes an attribute of the head or of somebody's coupon, lets the audit find it, and puts it back.
    async fn tampered(&self, user: Option<&str>, (name, value): (&str, AttributeValue), invariant: &str) {
        let right = self.item(user).await;
        let mut wrong = right.clone();
        wrong.insert(name.to_owned(), value);
        self.put(user, wrong).await;
        self.finds(invariant, user.unwrap_or(&self.coupon)).await;
        self.put(user, right).await;
    }

    async fn produce(&self, topic: &str, value: String) {
        let header = Header { name: "content-type".into(), value: Some(Bytes::from_static(b"application/json")) };
        let record = Record {
            topic: topic.into(),
            partition: None,
            key: Some(self.coupon.clone().into()),
            value: Some(value.into()),
            headers: vec![header],
        };
        self.sandbox.produce(record).await;
    }
}

fn table(user: Option<&str>) -> &'static str {
    if user.is_some() { "user-coupons" } else { "coupons" }
}

fn number(number: i64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

#[tokio::test]
async fn tables_that_somebody_tampered_with_are_found() {
    let judged = Judged::start().await;
    judged.holds().await;
    judged.tampered(None, ("remaining", number(1)), "I6").await;
    judged.tampered(None, ("issued", number(4)), "I1").await;
    judged.tampered(None, ("clock", number(1)), "I8").await;
    judged.tampered(None, ("version", number(99)), "I8").await;
    let sold_out =
        HashMap::from([("offset".to_owned(), number(0)), ("phase".to_owned(), AttributeValue::S("SOLD_OUT".into()))]);
    judged.tampered(None, ("epochs", AttributeValue::L(vec![AttributeValue::M(sold_out)])), "I8").await;
    judged.tampered(Some("bob"), ("rank", number(3)), "I3").await;
    judged.tampered(Some("bob"), ("rank", AttributeValue::S("2".into())), "I8").await;
    judged.tampered(Some("bob"), ("issuedAt", AttributeValue::S("2026-11-20T03:00:00Z".into())), "I8").await;

    let bobs = judged.item(Some("bob")).await;
    judged.delete("bob").await;
    judged.finds("I8", "bob").await;
    judged.put(Some("bob"), bobs.clone()).await;
    let mut eves = bobs;
    eves.insert("userId".into(), AttributeValue::S("eve".into()));
    judged.put(Some("eve"), eves).await;
    judged.finds("I1", &judged.coupon).await;
    judged.delete("eve").await;
    judged.holds().await;
}

#[tokio::test]
async fn results_and_dead_letters_that_somebody_added_are_found() {
    let judged = Judged::start().await;
    let partition = record_log::partition_of(judged.coupon.as_bytes(), 10);
    let lie = json!({
        "requestId": format!("{partition}-0"), "couponId": judged.coupon, "userId": "ann", "status": "REJECTED",
        "reason": "SOLD_OUT",
    });
    judged.produce("coupon-issue-result", lie.to_string()).await;
    judged.finds("I11", "coupon-issue-result").await;
    judged.finds("I5", "coupon-issue-result").await;
    judged.produce("coupon-issue-dlq", "no dead letter at all".into()).await;
    judged.finds("I12", "coupon-issue-dlq").await;
}

#[tokio::test]
async fn what_cannot_be_judged_is_refused_with_the_reason() {
    let judged = Judged::start().await;
    let at = &judged.sandbox.at;
    let refused = async |arguments: &[&str], reason: &str| {
        let output = local(arguments).await;
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{stderr}");
        assert!(stderr.contains("cannot check") && stderr.contains(reason), "{reason}: {stderr}");
        assert!(output.stdout.is_empty(), "no verdict without a check");
    };
    refused(&["audit", "--kafka", "127.0.0.1:1", "--dynamodb", &at.dynamodb], "coupon-issue-request").await;
    refused(&["audit", "--kafka", &at.kafka, "--dynamodb", "http://127.0.0.1:1"], "coupons").await;

    let here = ["audit", "--kafka", &at.kafka, "--dynamodb", &at.dynamodb, "--patience", "1"];
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "{\"couponId\":\"c\"}\n").unwrap();
    refused(&[&here[..], &["--tickets", file.path().to_str().unwrap()]].concat(), "line 1").await;

    let right = judged.item(None).await;
    let mut wrong = right.clone();
    wrong.insert("applied".into(), number(1_000_000));
    judged.put(None, wrong.clone()).await;
    refused(&here, "do not belong together").await;
    // A head from before the last request, and nobody who decides it again.
    wrong.insert("applied".into(), number(0));
    judged.put(None, wrong.clone()).await;
    refused(&here, "is not decided").await;
    wrong.insert("applied".into(), AttributeValue::S("7".into()));
    judged.put(None, wrong).await;
    refused(&here, "applied is").await;
}
