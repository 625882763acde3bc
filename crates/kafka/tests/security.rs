//! TLS and SASL: who is let in, and that a refusal is told from silence.
#![allow(clippy::disallowed_methods, reason = "these tests run listeners beside them")]

#[cfg(test)]
#[allow(dead_code, reason = "each test binary uses its part of it")]
mod support;

use std::time::Duration;

use kafka::{Admin, AdminError, Log as _, LogError};
use support::{Cluster, TOPIC, connection, producer, record, sasl, tls::Authority};

const TIMEOUT: Duration = Duration::from_secs(3);

#[tokio::test]
async fn the_right_password_is_let_in() {
    let cluster = Cluster::new();
    let address = sasl::front(cluster.mock.bootstrap_servers(), "right").await;
    producer(&connection(&address, "SASL_PLAINTEXT", "right", None)).check(TOPIC, TIMEOUT).await.unwrap();
}

#[tokio::test]
async fn a_wrong_password_is_an_authentication_failure_and_a_new_one_is_taken_up() {
    let cluster = Cluster::new();
    let address = sasl::front(cluster.mock.bootstrap_servers(), "right").await;
    let producer = producer(&connection(&address, "SASL_PLAINTEXT", "wrong", None));
    let start = std::time::Instant::now();
    let checked = producer.check(TOPIC, TIMEOUT).await;
    assert!(
        matches!(&checked, Err(LogError::Authentication(text)) if text.contains("no such user") && !text.contains("wrong")),
        "{checked:?}"
    );
    let produced = producer.produce(record("k")).await;
    assert!(matches!(produced, Err(LogError::Authentication(_))), "{produced:?}");
    // There has to be time left in a request of ten seconds to read the secret again and to try once more.
    assert!(start.elapsed() < Duration::from_secs(7), "{:?}", start.elapsed());

    producer.reconnect(&connection(&address, "SASL_PLAINTEXT", "right", None)).unwrap();
    producer.check(TOPIC, TIMEOUT).await.unwrap();
}

#[tokio::test]
async fn an_administrator_is_told_of_a_wrong_password_too() {
    let cluster = Cluster::new();
    let address = sasl::front(cluster.mock.bootstrap_servers(), "right").await;
    let described = Admin::new(&connection(&address, "SASL_PLAINTEXT", "wrong", None)).unwrap().describe(TOPIC).await;
    assert!(
        matches!(&described, Err(AdminError::Log(LogError::Authentication(text))) if text.contains("no such user")),
        "{described:?}"
    );
}

#[tokio::test]
async fn a_certificate_of_the_private_ca_is_let_in() {
    let cluster = Cluster::new();
    let authority = Authority::new();
    let address = authority.front("127.0.0.1", cluster.mock.bootstrap_servers()).await;
    producer(&connection(&address, "SSL", "", Some(authority.pem()))).check(TOPIC, TIMEOUT).await.unwrap();
}

#[tokio::test]
async fn a_certificate_of_another_ca_or_for_another_host_is_an_authentication_failure() {
    let cluster = Cluster::new();
    let authority = Authority::new();
    for (name, trusted) in [("127.0.0.1", Authority::new().pem()), ("elsewhere.example", authority.pem())] {
        let address = authority.front(name, cluster.mock.bootstrap_servers()).await;
        let checked = producer(&connection(&address, "SSL", "", Some(trusted))).check(TOPIC, TIMEOUT).await;
        let told = |text: &str| text.contains("for another host, or be of another CA");
        assert!(matches!(&checked, Err(LogError::Authentication(text)) if told(text)), "{name}: {checked:?}");
    }
}

#[tokio::test]
async fn a_broker_that_hangs_up_during_the_handshake_is_no_wrong_certificate() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::task::spawn(async move { while listener.accept().await.is_ok() {} });
    let connection = connection(&address, "SSL", "", Some(Authority::new().pem()));
    let checked = producer(&connection).check(TOPIC, Duration::from_secs(1)).await;
    assert!(matches!(checked, Err(LogError::Unavailable(_))), "{checked:?}");
}
