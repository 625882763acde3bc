//! The log of a function between a broker that is not there or wants a login, and a Secrets Manager that knows it. The
//! broker is librdkafka's mock cluster, the login that of the Kafka client's own tests.
#![allow(clippy::disallowed_methods, reason = "these tests run listeners beside them")]

#[cfg(test)]
#[path = "../../kafka/tests/support/sasl.rs"]
#[allow(dead_code, reason = "each test binary uses its part of it")]
mod sasl;

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use aws_config::{BehaviorVersion, Region, SdkConfig};
    use aws_sdk_secretsmanager::config::{Credentials, SharedCredentialsProvider};
    use bootstrap::{BrokerAway, ConnectedLog, StartError};
    use kafka::{Config, Log as _, LogError, ProducerSettings};
    use rdkafka::mocking::MockCluster;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::{TcpListener, TcpStream},
    };

    use crate::sasl;

    const TOPIC: &str = "orders";

    fn config(variables: &[(&str, &str)]) -> Config {
        let value =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        Config::from_lookup(value).unwrap()
    }

    fn sdk(endpoint: &str) -> SdkConfig {
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new("id", "secret", None, None, "test")))
            .endpoint_url(endpoint)
            .build()
    }

    /// A Secrets Manager: the secret has the first password the first time that it is read, and the second from then on.
    /// Its URL, and how often it was read.
    async fn secrets_manager(passwords: [&'static str; 2]) -> (String, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let read = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&read);
        tokio::task::spawn(async move {
            while let Ok((stream, _peer)) = listener.accept().await {
                let password = passwords[count.fetch_add(1, Ordering::SeqCst).min(1)];
                answer(stream, password).await;
            }
        });
        (url, read)
    }

    /// One request a connection; which one it is does not matter.
    async fn answer(mut stream: TcpStream, password: &str) {
        let mut request = Vec::new();
        // The body is one small object and comes last.
        while !(request.windows(4).any(|four| four == b"\r\n\r\n") && request.ends_with(b"}")) {
            assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0, "the request ends early");
        }
        let text = format!(r#"{{\"username\":\"shop\",\"password\":\"{password}\"}}"#);
        let body = format!(r#"{{"ARN":"arn:sasl","Name":"sasl","SecretString":"{text}"}}"#);
        let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
        stream.write_all((head + &body).as_bytes()).await.unwrap();
    }

    #[tokio::test]
    async fn an_absent_broker_ends_the_init_of_a_function_that_cannot_do_without_and_of_no_other() {
        // It takes connections, and nobody answers on them.
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let servers = silent.local_addr().unwrap().to_string();
        let connect = async |away| {
            let config = config(&[("KAFKA_BOOTSTRAP_SERVERS", &servers)]);
            ConnectedLog::connect(config, &sdk("http://127.0.0.1:9"), ProducerSettings::default(), (TOPIC, away)).await
        };
        let (worker, door) = tokio::join!(connect(BrokerAway::EndsInit), connect(BrokerAway::IsLogged));
        let Err(StartError::Broker { servers: named, source: LogError::Unavailable(_) }) = &worker else {
            panic!("{worker:?}");
        };
        assert_eq!(*named, servers);
        assert!(door.is_ok(), "{door:?}");
    }

    #[tokio::test]
    async fn a_secret_that_changed_is_read_again_when_the_broker_refuses_the_login() {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic(TOPIC, 10, 1).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let servers = listener.local_addr().unwrap().to_string();
        let (secrets, read) = secrets_manager(["before", "after"]).await;
        let config = config(&[
            ("KAFKA_BOOTSTRAP_SERVERS", &servers),
            ("KAFKA_SECURITY_PROTOCOL", "SASL_PLAINTEXT"),
            ("KAFKA_SASL_MECHANISM", "PLAIN"),
            ("KAFKA_SASL_SECRET_ARN", "arn:sasl"),
        ]);
        // While nobody answers: a refusal would end the init, as it should.
        let check = (TOPIC, BrokerAway::IsLogged);
        let log = ConnectedLog::connect(config, &sdk(&secrets), ProducerSettings::default(), check).await.unwrap();
        assert_eq!(read.load(Ordering::SeqCst), 1);
        sasl::front_on(listener, cluster.bootstrap_servers(), "after");
        assert_eq!(log.partitions(TOPIC).await, Ok(10));
        assert_eq!(read.load(Ordering::SeqCst), 2, "the refusal has read it once more");
    }

    #[tokio::test]
    async fn a_login_that_is_refused_ends_every_init() {
        let cluster = MockCluster::new(1).unwrap();
        let servers = sasl::front(cluster.bootstrap_servers(), "right").await;
        let (secrets, _read) = secrets_manager(["wrong", "wrong"]).await;
        let config = config(&[
            ("KAFKA_BOOTSTRAP_SERVERS", &servers),
            ("KAFKA_SECURITY_PROTOCOL", "SASL_PLAINTEXT"),
            ("KAFKA_SASL_MECHANISM", "PLAIN"),
            ("KAFKA_SASL_SECRET_ARN", "arn:sasl"),
        ]);
        let check = (TOPIC, BrokerAway::IsLogged);
        let refused = ConnectedLog::connect(config, &sdk(&secrets), ProducerSettings::default(), check).await;
        let refused = refused.unwrap_err().to_string();
        assert!(
            refused.contains(&servers) && refused.contains("no such user") && !refused.contains("wrong"),
            "{refused}"
        );
    }
}
