//! Records that are no request, written past the API: each goes to the dead-letter topic as it is, with its reason, and
//! what comes behind it on the partition is decided.

use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka::{Connection, Header, ReadRecord, Reader, Record};
use local::audit::Invariant;
use serde_json::json;

use crate::sandbox::{Sandbox, is_problem, unique};

const REQUESTS: &str = "coupon-issue-request";
const DEAD_LETTERS: &str = "coupon-issue-dlq";
const PATIENCE: Duration = Duration::from_secs(60);

fn request(coupon: &str, user: &str) -> String {
    json!({"type": "issue", "couponId": coupon, "userId": user, "requestedAt": "2026-11-20T03:00:00.123Z"}).to_string()
}

fn record(partition: i32, key: Option<&str>, value: impl Into<Bytes>) -> Record {
    Record {
        topic: REQUESTS.into(),
        partition: Some(partition),
        key: key.map(|key| Bytes::copy_from_slice(key.as_bytes())),
        value: Some(value.into()),
        headers: vec![
            Header { name: "x".into(), value: Some(Bytes::from_static(b"\xff\x00")) },
            Header { name: "x".into(), value: None },
            Header { name: "dlq-reason".into(), value: Some(Bytes::from_static(b"a liar's")) },
        ],
    }
}

/// The dead-letter record about a place, as soon as it is there.
async fn dead_letter(sandbox: &Sandbox, partition: i32, offset: i64) -> ReadRecord {
    let reader = Reader::new(&Connection::plaintext(&sandbox.at.kafka)).unwrap();
    let end = Instant::now() + PATIENCE;
    loop {
        let spans = reader.spans(DEAD_LETTERS).await.unwrap();
        let mut found = None;
        let about = |record: &ReadRecord| {
            let text = |name: &str| {
                let last = record.headers.iter().rev().find(|header| header.name == name)?;
                Some(String::from_utf8_lossy(last.value.as_deref()?).into_owned())
            };
            text("dlq-partition") == Some(partition.to_string()) && text("dlq-offset") == Some(offset.to_string())
        };
        reader.read(DEAD_LETTERS, &spans, |record| found = found.take().or(Some(record).filter(about))).await.unwrap();
        if let Some(found) = found {
            return found;
        }
        assert!(Instant::now() < end, "no dead letter of {partition}-{offset} after {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Produces it, and asserts that it comes out of the other end as it was, with this reason.
async fn is_dead(sandbox: &Sandbox, record: Record, reason: &str) {
    let delivery = sandbox.produce(record.clone()).await;
    let (partition, offset) = (delivery.partition, delivery.offset.unwrap());
    let dead = dead_letter(sandbox, partition, offset).await;
    assert_eq!((&dead.key, &dead.value), (&record.key, &record.value), "{reason}");
    let own = [
        ("dlq-reason", reason.to_owned()),
        ("dlq-topic", REQUESTS.to_owned()),
        ("dlq-partition", partition.to_string()),
        ("dlq-offset", offset.to_string()),
    ];
    let own = own.map(|(name, value)| Header { name: name.into(), value: Some(value.into()) });
    // A mapping hands over a null header as an empty one: its event has no other way to say it.
    let untouched =
        record.headers.into_iter().map(|header| Header { value: header.value.or(Some(Bytes::new())), ..header });
    let expected: Vec<Header> = untouched.chain(own).collect();
    assert_eq!(dead.headers, expected, "{reason}");
}

#[tokio::test]
async fn each_kind_of_garbage_goes_where_it_belongs_and_blocks_nobody() {
    let sandbox = Sandbox::shared();
    let coupon = sandbox.coupon("garbage", 10).await;
    let partition = record_log::partition_of(coupon.as_bytes(), 10);
    let good = request(&coupon, "ann");
    let unknown = "nobody-made-this";
    let cases = [
        (partition, coupon.as_str(), Bytes::new(), "undecodable"),
        (partition, &coupon, "nonsense".into(), "undecodable"),
        (partition, &coupon, format!("[{good}]").into(), "undecodable"),
        (partition, &coupon, r#"["issue","c","u","2026-11-20T03:00:00Z"]"#.into(), "undecodable"),
        (partition, &coupon, good.replace("\"ann\"", "17").into(), "undecodable"),
        (partition, &coupon, good.replace("userId", "user").into(), "undecodable"),
        (partition, &coupon, Bytes::from_static(b"{\"type\":\"\xff\xfe\"}"), "undecodable"),
        (partition, &coupon, "{".repeat(100_000).into(), "undecodable"),
        (partition, &coupon, good.replace("\"issue\"", "\"grant\"").into(), "unknown-type"),
        (partition, "other", good.replace("\"issue\"", "\"\"").replace("ann", "").into(), "unknown-type"),
        (partition, &coupon, good.replace("ann", "a n n").into(), "invalid"),
        (partition, &coupon, good.replace("2026-11-20T", "noon").into(), "invalid"),
        (partition, "other", request("c c", "ann").into(), "invalid"),
        (partition, "other", good.clone().into(), "key-mismatch"),
        (partition, unknown, request(unknown, "ann").into(), "unknown-coupon"),
        ((partition + 1) % 10, &coupon, good.clone().into(), "wrong-partition"),
    ];
    for (partition, key, value, reason) in cases {
        is_dead(&sandbox, record(partition, Some(key), value), reason).await;
    }
    is_dead(&sandbox, record(partition, None, good.clone()), "key-mismatch").await;
    is_dead(&sandbox, Record { value: None, ..record(partition, Some(&coupon), "") }, "undecodable").await;
    assert_eq!(sandbox.asks(&coupon, "ann").await["rank"], 1, "nothing of it counted, and nothing was blocked");
}

#[tokio::test]
async fn garbage_as_large_as_the_topic_takes_fits_into_the_dead_letter_topic() {
    let sandbox = Sandbox::shared();
    let coupon = sandbox.coupon("large", 1).await;
    let partition = record_log::partition_of(coupon.as_bytes(), 10);
    is_dead(&sandbox, record(partition, Some(&coupon), "x".repeat(1_048_000)), "undecodable").await;
    assert_eq!(sandbox.asks(&coupon, "ann").await["status"], "ISSUED");
}

#[tokio::test]
async fn a_trace_as_large_as_a_record_counts_as_none_and_its_request_as_any() {
    let sandbox = Sandbox::shared();
    let coupon = sandbox.coupon("traced", 2).await;
    let partition = record_log::partition_of(coupon.as_bytes(), 10);
    let huge = Header { name: "traceparent".into(), value: Some(vec![b'0'; 1_040_000].into()) };
    let traced = Record { headers: vec![huge], ..record(partition, Some(&coupon), request(&coupon, "ann")) };
    let delivery = sandbox.produce(traced).await;
    let ticket = format!("{partition}-{}", delivery.offset.unwrap());
    assert_eq!(sandbox.outcome_of(&coupon, &ticket, "ann").await["status"], "ISSUED");
    assert_eq!(sandbox.asks(&coupon, "bob").await["rank"], 2, "nothing was blocked");
}

#[tokio::test]
async fn a_request_with_members_that_nobody_knows_counts() {
    let sandbox = Sandbox::shared();
    let coupon = sandbox.coupon("members", 1).await;
    let partition = record_log::partition_of(coupon.as_bytes(), 10);
    let value = request(&coupon, "ann").replacen('{', r#"{"colour":{"deep":[1,null]},"#, 1);
    let delivery = sandbox.produce(record(partition, Some(&coupon), value)).await;
    let ticket = format!("{partition}-{}", delivery.offset.unwrap());
    assert_eq!(sandbox.outcome_of(&coupon, &ticket, "ann").await["status"], "ISSUED");
}

#[tokio::test]
async fn a_coupon_of_another_log_is_nobodys_here() {
    let sandbox = Sandbox::start(&[]).await;
    let coupon = sandbox.coupon("moved", 5).await;
    let partition = record_log::partition_of(coupon.as_bytes(), 10);
    let tables = local::dynamodb::client(&sandbox.at.dynamodb).await;
    let key = aws_sdk_dynamodb::types::AttributeValue::S(coupon.clone());
    let head = tables.get_item().table_name("coupons").key("couponId", key).send().await.unwrap().item.unwrap();
    let older = aws_sdk_dynamodb::types::AttributeValue::S("an-older-topic".into());
    let put = tables.put_item().table_name("coupons").set_item(Some(head)).item("log", older);
    put.send().await.unwrap();

    is_dead(&sandbox, record(partition, Some(&coupon), request(&coupon, "ann")), "wrong-log").await;
    // The environments forget the head they have cached within 250 ms.
    let end = Instant::now() + PATIENCE;
    let mut answer = sandbox.issue(&coupon, "ann").await;
    while answer.status == 202 && Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(50)).await;
        answer = sandbox.issue(&coupon, "ann").await;
    }
    is_problem(&answer, 503, "QUEUE_UNAVAILABLE");
    assert!(answer.header("retry-after").is_some());
    let report = sandbox.audit().await;
    assert!(report.ok(), "{report}");
}

#[tokio::test]
async fn a_request_from_before_its_coupon_does_not_count_and_the_audit_knows() {
    let sandbox = Sandbox::start(&[]).await;
    let coupon = unique("early");
    let partition = record_log::partition_of(coupon.as_bytes(), 10);
    is_dead(&sandbox, record(partition, Some(&coupon), request(&coupon, "ann")), "unknown-coupon").await;
    assert_eq!(sandbox.create(&json!({"couponId": coupon, "name": "Early", "total": 1})).await.status, 201);
    assert_eq!(sandbox.asks(&coupon, "bob").await["rank"], 1);
    let report = sandbox.audit().await;
    assert!(report.ok(), "{report}");
    assert_eq!(report.finding(Invariant::I12).unwrap().status(), "held");
    assert_eq!((report.looked.records, report.looked.requests), (2, 2));
}
