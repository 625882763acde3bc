//! What a client needs to connect: librdkafka properties, from variables (`config.rs`) or from a properties file, and
//! the same for producers, readers and administration. What only a producer sets is in `producer.rs`.

use std::{collections::BTreeMap, fmt};

use rdkafka::{ClientConfig, config::RDKafkaLogLevel};

use crate::ConfigError;

const BOOTSTRAP: &str = "bootstrap.servers";
/// librdkafka's older name of the same. Of two names of one property the one that it is told last counts.
const BOOTSTRAP_ALIAS: &str = "metadata.broker.list";

/// A request that is not answered in this time is given up and its connection with it, so that a socket that died
/// while the process was frozen does not eat the whole budget.
const SOCKET_TIMEOUT_MS: &str = "1000";
/// How long a broker may hold a fetch back for want of records. Apache Kafka and Redpanda wake it when one comes; the
/// embedded broker does not, and there this is how late a lone record may be.
const FETCH_WAIT_MS: &str = "20";
/// A consumer may wait longer for a broker than a function: its fetches are held back by themselves, and librdkafka warns
/// where less than a second lies between the two.
const CONSUMER_SOCKET_TIMEOUT_MS: &str = "10000";
/// TCP, TLS and SASL together; librdkafka's 30 s would outlive every request.
const CONNECTION_SETUP_TIMEOUT_MS: &str = "2000";
/// Connections to brokers that are just learned of start half of this apart, with librdkafka's default of 100 ms each init
/// phase waits 50 ms for the one that replaces the bootstrap connection. Doubles with each attempt that fails.
const RECONNECT_BACKOFF_MS: &str = "20";
/// librdkafka waits up to 10 s between attempts by default: a broker that is back would be found back 10 s late.
const RECONNECT_BACKOFF_MAX_MS: &str = "1000";
/// Below the 350 s after which AWS's network load balancers forget a connection
/// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/network/network-load-balancers.html>).
const CONNECTIONS_IDLE_MAX_MS: &str = "240000";
pub(crate) const CA_LOCATION: &str = "ssl.ca.location";
/// A vendored OpenSSL looks for the system's certificates where it was built; this looks where distributions have them.
pub(crate) const CA_OF_THE_SYSTEM: &str = "probe";

/// How to reach a cluster. Its `Debug` shows the names of the properties and the values of those that are no secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Connection {
    properties: BTreeMap<String, String>,
}

impl Connection {
    /// A cluster without TLS and SASL; `bootstrap_servers` is `host:port,…`.
    #[must_use]
    pub fn plaintext(bootstrap_servers: &str) -> Self {
        Self { properties: BTreeMap::from([(BOOTSTRAP.to_owned(), bootstrap_servers.to_owned())]) }
    }

    /// The properties of a librdkafka configuration file: `name=value` lines, empty ones and `#` comments left out,
    /// blanks around both trimmed. They win over this crate's defaults, but not over what makes a producer safe. With TLS and
    /// no `ssl.ca.…` the system's certificates count.
    /// `bootstrap_servers` replaces the file's, by whichever of its two names.
    ///
    /// # Errors
    /// A line that is no `name=value`; no `bootstrap.servers` at all.
    pub fn from_properties(text: &str, bootstrap_servers: Option<&str>) -> Result<Self, ConfigError> {
        let mut properties = BTreeMap::new();
        for (place, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (name, value) = line
                .split_once('=')
                .map(|(name, value)| (name.trim(), value.trim()))
                .filter(|(name, _value)| !name.is_empty())
                .ok_or(ConfigError::Property { line: place.saturating_add(1) })?;
            properties.insert(name.to_owned(), value.to_owned());
        }
        let by_alias = properties.remove(BOOTSTRAP_ALIAS);
        let of_file = properties.remove(BOOTSTRAP).or(by_alias);
        if let Some(servers) = bootstrap_servers.map(str::to_owned).or(of_file) {
            properties.insert(BOOTSTRAP.to_owned(), servers);
        }
        let has_tls = properties
            .get("security.protocol")
            .is_some_and(|protocol| ["ssl", "sasl_ssl"].iter().any(|tls| protocol.eq_ignore_ascii_case(tls)));
        if has_tls && !properties.keys().any(|name| name.starts_with("ssl.ca.")) {
            properties.insert(CA_LOCATION.to_owned(), CA_OF_THE_SYSTEM.to_owned());
        }
        if properties.contains_key(BOOTSTRAP) {
            Ok(Self { properties })
        } else {
            Err(ConfigError::Missing {
                name: BOOTSTRAP,
                expected: "broker addresses as host:port, separated by commas",
            })
        }
    }

    /// A property by librdkafka's name, as given; `None` where the default holds.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.properties.get(name).map(String::as_str)
    }

    /// All properties as given, by librdkafka's names, for a client that is not this crate's.
    #[must_use]
    pub fn properties(&self) -> &BTreeMap<String, String> {
        &self.properties
    }

    /// The same for whoever reads: with this crate's defaults for consumers where nothing was given. A mapping and a
    /// reader wait alike.
    #[must_use]
    pub fn for_consumer(mut self) -> Self {
        for (name, value) in [("fetch.wait.max.ms", FETCH_WAIT_MS), ("socket.timeout.ms", CONSUMER_SOCKET_TIMEOUT_MS)] {
            self.properties.entry(name.to_owned()).or_insert_with(|| value.to_owned());
        }
        self
    }

    pub(crate) fn set(&mut self, name: &str, value: impl Into<String>) {
        self.properties.insert(name.to_owned(), value.into());
    }

    /// This crate's defaults, then what was given.
    pub(crate) fn client_config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        // librdkafka reports a refused login or certificate as an error event in any case; the level is for its log.
        config.set_log_level(RDKafkaLogLevel::Warning);
        for (name, value) in [
            ("socket.timeout.ms", SOCKET_TIMEOUT_MS),
            ("socket.connection.setup.timeout.ms", CONNECTION_SETUP_TIMEOUT_MS),
            ("socket.keepalive.enable", "true"),
            ("reconnect.backoff.ms", RECONNECT_BACKOFF_MS),
            ("reconnect.backoff.max.ms", RECONNECT_BACKOFF_MAX_MS),
            ("connections.max.idle.ms", CONNECTIONS_IDLE_MAX_MS),
            // A misspelled name must not become a topic on a broker that makes them by itself.
            ("allow.auto.create.topics", "false"),
        ] {
            config.set(name, value);
        }
        for (name, value) in &self.properties {
            config.set(name, value);
        }
        config
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.properties.iter().map(|(name, value)| (name, if is_secret(name) { "…" } else { value }));
        f.debug_map().entries(shown).finish()
    }
}

/// Every librdkafka property that holds a secret has one of these words in its name.
fn is_secret(name: &str) -> bool {
    ["password", "secret", "key", "pem", "username", "token", "sasl.oauthbearer.config"]
        .iter()
        .any(|word| name.contains(word))
}
