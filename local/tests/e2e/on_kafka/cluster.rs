//! Three brokers that keep three copies of each record and want two: one of them is killed and started again in the
//! middle of a rush, and no 202 is lost.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kafka::{Admin, Connection};
use local::audit::Invariant;
use local::load::api::Api;
use local::load::people::people;
use local::load::rush::{Pace, Rush};
use local::load::written::Written;
use rdkafka::consumer::{BaseConsumer, Consumer as _};

use crate::home::{Home, Real};
use crate::part::KafkaAt;
use crate::sandbox::Sandbox;

const PEOPLE: usize = 900;
const STOCK: u64 = 800;
/// Slow enough that the rush outlasts the broker's absence.
const RATE: f64 = 30.0;
/// Kafka takes a silent broker out of the cluster after nine seconds (`broker.session.timeout.ms`); only then do the
/// others lead its partitions.
const AWAY: Duration = Duration::from_secs(14);
/// Bounds a wait that ends by itself.
const PATIENCE: Duration = Duration::from_secs(120);

/// The number of the broker that leads a partition of the request topic.
async fn leader_of(bootstrap: &str, partition: i32) -> i32 {
    let consumer: BaseConsumer = rdkafka::ClientConfig::new().set("bootstrap.servers", bootstrap).create().unwrap();
    let found = tokio::task::spawn_blocking(move || {
        let metadata = consumer.fetch_metadata(Some("coupon-issue-request"), Duration::from_secs(10)).unwrap();
        let partitions = metadata.topics()[0].partitions();
        partitions.iter().find(|found| found.id() == partition).unwrap().leader()
    });
    found.await.unwrap()
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "{what}: not within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
#[ignore = "wants Java and Maven: local/real/check"]
async fn a_broker_of_three_that_is_killed_in_a_rush_costs_no_ticket() {
    let real = Real::start_with(&["--brokers", "3"], &[]).await;
    let kafka = Arc::clone(&real.kafka);
    let bootstrap = KafkaAt::of(&kafka).bootstrap;
    let home = Arc::new(Home::Real(real));
    let sandbox = Sandbox::start_in(&home, &[]).await;
    let topic = Admin::new(&Connection::plaintext(&bootstrap)).unwrap().describe("coupon-issue-request").await;
    let topic = topic.unwrap().expect("`up` has made it");
    assert_eq!((topic.replication, topic.config["min.insync.replicas"].as_str()), (3, "2"), "{topic:?}");

    let coupon = sandbox.coupon("three", STOCK).await;
    // The broker whose absence the coupon's requests feel.
    let leader = leader_of(&bootstrap, record_log::partition_of(coupon.as_bytes(), 10)).await;
    let directory = tempfile::tempdir().unwrap();
    let tickets = directory.path().join("tickets.jsonl");
    let written = Written::to(&tickets).unwrap();
    let rush = Rush::new(Api::new(&sandbox.at.api).unwrap(), coupon, people(PEOPLE).await.unwrap(), written).unwrap();
    let trouble = async {
        until("some are accepted", || rush.figures().accepted >= 50).await;
        kafka.order(&format!("kill {leader}")).await;
        let before = rush.figures().accepted;
        tokio::time::sleep(AWAY).await;
        until("two of three accept", || rush.figures().accepted >= before + 50).await;
        kafka.order(&format!("start {leader}")).await;
    };
    let (ran, ()) = tokio::join!(rush.run(Pace::Rate(RATE)), trouble);
    ran.unwrap();
    let figures = rush.figures();
    assert_eq!((figures.failed(), figures.issued), (0, STOCK), "{:?}", figures.errors);
    eprintln!("{} were accepted, {} asked again while a leader was missing", figures.accepted, figures.repeated);

    let mut options = sandbox.audit_options();
    options.tickets = Some(tickets);
    let report = local::audit::command::audit(&options).await.unwrap();
    assert!(report.ok(), "{report}");
    for told in [Invariant::I4, Invariant::I5] {
        assert_eq!(report.finding(told).unwrap().status(), "held", "{report}");
    }
}
