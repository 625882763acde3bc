//! The end of a mapping whose broker stands still or is gone, and of one that is told to end twice: none of them hangs.

use std::time::{Duration, Instant};

use local::broker::Place;
use local::embedded::{Embedded, Order};
use local::parts::{BROKER, Parts};
use local::process::Spawner;
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::function::Gate;
use super::{Esm, Reply, World};
use crate::part::{KafkaAt, Part, real_parts};

/// How long an end may take whose broker does not answer, once nothing is invoked any more: the emulator's ten seconds, two
/// in which it asks for the lag, and some for a busy machine.
const END_MAX: Duration = Duration::from_secs(20);

/// A broker of a test's own, of the kind that the run is to use.
enum Broker {
    Embedded { part: Embedded, address: String, _data: tempfile::TempDir },
    Real(Part),
}

impl Broker {
    async fn start() -> Self {
        if real_parts() {
            return Self::Real(Part::start("kafka", &[]).await);
        }
        let data = tempfile::tempdir().unwrap();
        let built = Parts::build(&[BROKER]).await.unwrap();
        let port = local::ports::internal().unwrap();
        let place = Place { port, advertised_port: port, data: data.path() };
        let spawner = Spawner::through(env!("CARGO_BIN_EXE_local")).unwrap();
        let part = local::broker::start(spawner, built.path(BROKER).unwrap(), place).await.unwrap();
        Self::Embedded { part, address: format!("127.0.0.1:{port}"), _data: data }
    }

    fn address(&self) -> String {
        match self {
            Self::Embedded { address, .. } => address.clone(),
            Self::Real(kafka) => KafkaAt::of(kafka).bootstrap,
        }
    }

    async fn order(&self, order: Order) {
        match (self, order) {
            (Self::Embedded { part, .. }, order) => part.order(order).await.unwrap(),
            (Self::Real(kafka), Order::Freeze) => kafka.order("freeze 1").await,
            (Self::Real(kafka), Order::Thaw) => kafka.order("thaw 1").await,
            (Self::Real(kafka), Order::Kill) => kafka.order("kill 1").await,
            (Self::Real(_), Order::Start | Order::Stop) => panic!("not asked for here"),
        }
    }
}

/// The numbers of the last line of a mapping that ends in good order, in time.
async fn ends_in_time(esm: &mut Esm, begun: Instant) -> (Value, String) {
    let (status, stdout, stderr) = esm.ended().await;
    assert!(begun.elapsed() < END_MAX, "{:?}: {stderr}", begun.elapsed());
    assert_eq!(status.code(), Some(0), "{stderr}");
    let last: Value = serde_json::from_str(stdout.last().unwrap()).unwrap();
    (last["metrics"].clone(), stderr)
}

#[tokio::test(flavor = "multi_thread")]
async fn whose_broker_stands_still_ends_in_time_and_tells_what_it_could_not_commit() {
    let broker = Broker::start().await;
    let gate = Gate::closed();
    let held = gate.clone();
    let world = World::on(broker.address(), "still", move |_, _| Reply::ok().behind(&held)).await;
    world.write_many(0, 2).await;
    let mut esm = world.start().await;
    world.function.wait_calls(1).await;
    broker.order(Order::Freeze).await;
    esm.signal(Signal::SIGTERM);
    gate.open();
    let (metrics, stderr) = ends_in_time(&mut esm, Instant::now()).await;
    assert_eq!((&metrics["InvokedEventCount"], &metrics["CommittedEventCount"]), (&json!(2), &json!(0)));
    // By the commit that is not answered, or by the session that ends first.
    let told = ["will be redelivered", &world.topic, "partition=0", "from=0", "to=2", "commit"];
    assert!(stderr.lines().any(|line| told.iter().all(|part| line.contains(part))), "{stderr}");
    broker.order(Order::Thaw).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whose_broker_is_gone_or_stands_still_ends_in_time_with_nothing_under_way() {
    for order in [Order::Freeze, Order::Kill] {
        let broker = Broker::start().await;
        let world = World::on(broker.address(), "gone", |_, _| Reply::ok()).await;
        world.write_many(0, 2).await;
        let mut esm = world.start().await;
        world.wait_committed(0, 2).await;
        broker.order(order).await;
        // Long enough for the client to have noticed, and to be trying to reach it again.
        tokio::time::sleep(Duration::from_secs(3)).await;
        esm.signal(Signal::SIGINT);
        let (metrics, stderr) = ends_in_time(&mut esm, Instant::now()).await;
        assert_eq!((&metrics["CommittedEventCount"], &metrics["CommitErrorCount"]), (&json!(2), &json!(0)), "{stderr}");
        if order == Order::Freeze {
            broker.order(Order::Thaw).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn told_to_end_twice_it_ends_at_once() {
    let gate = Gate::closed();
    let held = gate.clone();
    let world = World::new("twice", move |_, _| Reply::ok().behind(&held)).await;
    world.write_many(0, 2).await;
    let mut esm = world.start().await;
    world.function.wait_calls(1).await;
    esm.signal(Signal::SIGINT);
    assert!(tokio::time::timeout(Duration::from_secs(1), esm.child.wait()).await.is_err(), "it waits for the answer");
    let begun = Instant::now();
    esm.signal(Signal::SIGINT);
    let (status, _, stderr) = esm.ended().await;
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_eq!(status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("error: told to end twice"), "{stderr}");
    assert_eq!(world.committed(0).await, None);
    gate.open();
}
