//! What the tests of the producer share: a mock cluster in this process, records, and bounded waiting.

pub(crate) mod sasl;
pub(crate) mod tls;

use std::time::Duration;

use kafka::{Config, Connection, Producer, ProducerSettings, Record, Secrets};
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

/// Fails unless `done` comes to be true within a minute.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, done: impl Fn() -> F) {
    for _attempt in 0..1_200 {
        if done().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("not within a minute: {what}");
}

/// A connection as a function makes it: from variables and secrets.
pub(crate) fn connection(address: &str, protocol: &str, password: &str, certificate: Option<String>) -> Connection {
    let config = Config::from_lookup(|name| match name {
        "KAFKA_BOOTSTRAP_SERVERS" => Some(address.to_owned()),
        "KAFKA_SECURITY_PROTOCOL" => Some(protocol.to_owned()),
        "KAFKA_SASL_MECHANISM" => Some("PLAIN".to_owned()),
        "KAFKA_SASL_SECRET_ARN" => Some("arn:sasl".to_owned()),
        "KAFKA_CA_SECRET_ARN" => Some("arn:ca".to_owned()),
        _ => None,
    });
    let json = |pem: String| format!(r#"{{"certificate":"{}"}}"#, pem.replace('\n', "\\n"));
    let sasl = Some(format!(r#"{{"username":"shop","password":"{password}"}}"#));
    config.unwrap().connection(&Secrets { sasl, ca: certificate.map(json) }).unwrap()
}

/// A producer with default settings.
pub(crate) fn producer(connection: &Connection) -> Producer {
    Producer::new(connection, ProducerSettings::default()).unwrap()
}
