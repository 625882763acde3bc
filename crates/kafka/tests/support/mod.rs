//! What the tests of the producer share: a mock cluster in this process, records, and bounded waiting.

pub(crate) mod sasl;
pub(crate) mod tls;

use std::time::Duration;

use kafka::{Connection, Producer, ProducerSettings, Record};
use rdkafka::{mocking::MockCluster, producer::DefaultProducerContext};

/// The topic of every test.
pub(crate) const TOPIC: &str = "orders";
/// Its partitions.
pub(crate) const PARTITIONS: i32 = 10;

/// librdkafka's own mock cluster with one broker and one topic.
pub(crate) struct Cluster {
    pub(crate) mock: MockCluster<'static, DefaultProducerContext>,
}

impl Cluster {
    pub(crate) fn new() -> Self {
        let mock = MockCluster::new(1).unwrap();
        mock.create_topic(TOPIC, PARTITIONS, 1).unwrap();
        Self { mock }
    }

    pub(crate) fn connection(&self) -> Connection {
        Connection::plaintext(&self.mock.bootstrap_servers())
    }

    pub(crate) fn producer(&self) -> Producer {
        Producer::new(&self.connection(), ProducerSettings::default()).unwrap()
    }

    /// A producer with librdkafka properties of its own.
    pub(crate) fn producer_with(&self, properties: &str) -> Producer {
        let connection = Connection::from_properties(properties, Some(&self.mock.bootstrap_servers())).unwrap();
        Producer::new(&connection, ProducerSettings::default()).unwrap()
    }
}

/// A small record with a key.
pub(crate) fn record(key: &str) -> Record {
    Record { topic: TOPIC.into(), key: Some(key.to_owned().into()), value: Some("{}".into()), ..Record::default() }
}

/// A port of this machine on which nobody listens.
pub(crate) fn closed_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Fails unless `done` comes to be true within ten seconds.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, done: impl Fn() -> F) {
    for _attempt in 0..200 {
        if done().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("not within ten seconds: {what}");
}
