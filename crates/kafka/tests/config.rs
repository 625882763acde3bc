//! What a configuration says, what it refuses, and that no secret shows.

use kafka::{Config, ConfigError, Connection, Producer, ProducerSettings, Secrets};

const CREDENTIALS: &str = r#"{"username":"shop","password":"hunter2-ünïcode"}"#;

fn config(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    Config::from_lookup(|name| {
        variables.iter().find(|(known, _value)| *known == name).map(|(_name, value)| (*value).to_owned())
    })
}

const SASL_SSL: [(&str, &str); 5] = [
    ("KAFKA_BOOTSTRAP_SERVERS", "b-1.example:9094,b-2.example:9094"),
    ("KAFKA_SECURITY_PROTOCOL", "SASL_SSL"),
    ("KAFKA_SASL_MECHANISM", "SCRAM-SHA-512"),
    ("KAFKA_SASL_SECRET_ARN", "arn:aws:secretsmanager:eu-west-1:1:secret:sasl"),
    ("KAFKA_CA_SECRET_ARN", "arn:aws:secretsmanager:eu-west-1:1:secret:ca"),
];

#[test]
fn the_brokers_alone_are_a_plaintext_connection() {
    let config = config(&[("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9092,[::1]:9093")]).unwrap();
    assert_eq!((config.sasl_secret_arn(), config.ca_secret_arn()), (None, None));
    let connection = config.connection(&Secrets::default()).unwrap();
    assert_eq!(connection.get("bootstrap.servers"), Some("127.0.0.1:9092,[::1]:9093"));
    assert_eq!(connection.get("security.protocol"), Some("PLAINTEXT"));
}

#[test]
fn sasl_and_a_private_ca_come_from_their_secrets() {
    let config = config(&SASL_SSL).unwrap();
    assert_eq!(config.sasl_secret_arn(), Some("arn:aws:secretsmanager:eu-west-1:1:secret:sasl"));
    assert_eq!(config.ca_secret_arn(), Some("arn:aws:secretsmanager:eu-west-1:1:secret:ca"));
    let secrets = Secrets { sasl: Some(CREDENTIALS.into()), ca: Some(r#"{"certificate":"a\npem"}"#.into()) };
    let connection = config.connection(&secrets).unwrap();
    for (name, value) in [
        ("security.protocol", "SASL_SSL"),
        ("sasl.mechanism", "SCRAM-SHA-512"),
        ("sasl.username", "shop"),
        ("sasl.password", "hunter2-ünïcode"),
        ("ssl.ca.pem", "a\npem"),
    ] {
        assert_eq!(connection.get(name), Some(value), "{name}");
    }
}

#[test]
fn without_a_private_ca_the_systems_certificates_are_looked_for() {
    let config = config(&[("KAFKA_BOOTSTRAP_SERVERS", "b:9094"), ("KAFKA_SECURITY_PROTOCOL", "SSL")]).unwrap();
    let connection = config.connection(&Secrets::default()).unwrap();
    assert_eq!(connection.get("ssl.ca.location"), Some("probe"));
}

#[test]
fn a_variable_that_is_missing_or_empty_is_named_with_what_it_expects() {
    let without = |absent: &str| SASL_SSL.into_iter().filter(|(name, _)| *name != absent).collect::<Vec<_>>();
    for (name, expected) in [
        ("KAFKA_BOOTSTRAP_SERVERS", "host:port"),
        ("KAFKA_SASL_MECHANISM", "SCRAM-SHA-512"),
        ("KAFKA_SASL_SECRET_ARN", "username"),
    ] {
        let missing = config(&without(name)).unwrap_err();
        let mut variables = without(name);
        variables.push((name, ""));
        assert_eq!(config(&variables).unwrap_err(), missing);
        let text = missing.to_string();
        assert!(text.contains(name) && text.contains(expected), "{text}");
    }
}

#[test]
fn a_variable_that_cannot_be_read_is_named_with_what_it_expects() {
    for (name, value, expected) in [
        ("KAFKA_BOOTSTRAP_SERVERS", "b-1.example", "host:port"),
        ("KAFKA_BOOTSTRAP_SERVERS", "b-1.example:9094,", "host:port"),
        ("KAFKA_BOOTSTRAP_SERVERS", ":9094", "host:port"),
        ("KAFKA_BOOTSTRAP_SERVERS", "b-1.example:99999", "host:port"),
        ("KAFKA_SECURITY_PROTOCOL", "sasl_ssl", "SASL_SSL"),
        ("KAFKA_SASL_MECHANISM", "SCRAM", "SCRAM-SHA-512"),
    ] {
        let mut variables = vec![(name, value)];
        variables.extend(SASL_SSL.into_iter().filter(|(known, _)| *known != name));
        let text = config(&variables).unwrap_err().to_string();
        assert!(text.contains(name) && text.contains(value) && text.contains(expected), "{text}");
    }
}

#[test]
fn a_secret_that_cannot_be_read_is_named_and_not_shown() {
    let config = config(&SASL_SSL).unwrap();
    let ca = Some(r#"{"certificate":"pem"}"#.to_owned());
    for sasl in [
        None,
        Some("hunter2"),
        Some(r#"{"username":"shop"}"#),
        Some(r#"{"username":"","password":"hunter2"}"#),
        Some(r#"{"username":17,"password":"hunter2"}"#),
    ] {
        let secrets = Secrets { sasl: sasl.map(str::to_owned), ca: ca.clone() };
        let text = config.connection(&secrets).unwrap_err().to_string();
        assert!(text.contains("KAFKA_SASL_SECRET_ARN") && text.contains("username"), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
    let secrets = Secrets { sasl: Some(CREDENTIALS.into()), ca: Some("{}".into()) };
    assert!(config.connection(&secrets).unwrap_err().to_string().contains("KAFKA_CA_SECRET_ARN"));
}

#[test]
fn a_certificate_that_is_none_is_refused_before_anything_connects() {
    let config = config(&SASL_SSL).unwrap();
    let secrets = Secrets { sasl: Some(CREDENTIALS.into()), ca: Some(r#"{"certificate":"no pem"}"#.into()) };
    let refused = Producer::new(&config.connection(&secrets).unwrap(), ProducerSettings::default()).err().unwrap();
    let text = refused.to_string();
    assert!(text.contains("ssl.ca.pem") && !text.contains("hunter2"), "{text}");
}

#[test]
fn nothing_that_is_printed_holds_a_secret() {
    let config = config(&SASL_SSL).unwrap();
    let secrets = Secrets { sasl: Some(CREDENTIALS.into()), ca: Some(r#"{"certificate":"the pem"}"#.into()) };
    let connection = config.connection(&secrets).unwrap();
    let text = format!("{config:?} {secrets:?} {connection:?}");
    assert!(!text.contains("hunter2") && !text.contains("the pem"), "{text}");
    assert!(text.contains("b-1.example:9094"), "{text}");
}

#[test]
fn a_properties_file_is_read_as_librdkafka_writes_it() {
    let text =
        "# the staging cluster\n\nbootstrap.servers = b:9092\nsasl.password=a=b c\r\n  security.protocol=SASL_SSL  \n";
    let connection = Connection::from_properties(text, None).unwrap();
    assert_eq!(connection.get("bootstrap.servers"), Some("b:9092"));
    assert_eq!(connection.get("sasl.password"), Some("a=b c"));
    assert_eq!(connection.get("security.protocol"), Some("SASL_SSL"));
    let elsewhere = Connection::from_properties(text, Some("other:9092")).unwrap();
    assert_eq!(elsewhere.get("bootstrap.servers"), Some("other:9092"));
}

/// librdkafka has two names for the brokers, and the one that it is told last counts: told both, it may be any.
#[test]
fn the_brokers_have_one_name_whatever_a_properties_file_calls_them() {
    for (text, given, expected) in [
        ("metadata.broker.list=old:1", None, "old:1"),
        ("metadata.broker.list=old:1\nbootstrap.servers=new:1", None, "new:1"),
        ("metadata.broker.list=old:1", Some("given:1"), "given:1"),
        ("bootstrap.servers=new:1\nmetadata.broker.list=old:1", Some("given:1"), "given:1"),
    ] {
        let connection = Connection::from_properties(text, given).unwrap();
        assert_eq!(connection.get("bootstrap.servers"), Some(expected), "{text}");
        assert_eq!(connection.get("metadata.broker.list"), None, "{text}");
    }
}

#[test]
fn with_tls_the_systems_certificates_count_unless_others_are_named() {
    for (text, expected) in [
        ("security.protocol=SASL_SSL", Some("probe")),
        ("security.protocol=ssl\nssl.ca.location=/etc/ca.pem", Some("/etc/ca.pem")),
        ("security.protocol=ssl\nssl.ca.pem=PEM", None),
        ("security.protocol=sasl_plaintext", None),
        ("client.id=me", None),
    ] {
        let connection = Connection::from_properties(text, Some("b:9092")).unwrap();
        assert_eq!(connection.get("ssl.ca.location"), expected, "{text}");
    }
}

#[test]
fn a_properties_file_that_says_nothing_is_refused_with_the_line() {
    let refused = Connection::from_properties("bootstrap.servers=b:9092\nsasl.password hunter2", None).unwrap_err();
    assert_eq!(refused, ConfigError::Property { line: 2 });
    let text = Connection::from_properties("client.id=me", None).unwrap_err().to_string();
    assert!(text.contains("bootstrap.servers"), "{text}");
}

#[test]
fn a_property_that_the_client_does_not_know_is_named_without_its_value() {
    let connection = Connection::from_properties("bootstrap.servers=b:9092\nsasl.pasword=hunter2", None).unwrap();
    let text = Producer::new(&connection, ProducerSettings::default()).err().unwrap().to_string();
    assert!(text.contains("sasl.pasword") && !text.contains("hunter2"), "{text}");
}
