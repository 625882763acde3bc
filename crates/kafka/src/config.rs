//! The configuration of a Kafka client as named variables, and the secrets that they point to. Nothing is read from
//! the environment here: the caller hands in a lookup, so that its own `config.rs` stays the one place that does.
//! What becomes of it is a [`Connection`]: `connection.rs`.

use std::{fmt, str::FromStr};

use serde::Deserialize;

use crate::connection::{CA_LOCATION, CA_OF_THE_SYSTEM};
use crate::{ConfigError, Connection};

/// `host:port,…` of the brokers to ask first.
pub const BOOTSTRAP_SERVERS: &str = "KAFKA_BOOTSTRAP_SERVERS";
/// [`SecurityProtocol`] by name; `PLAINTEXT` when absent.
pub const SECURITY_PROTOCOL: &str = "KAFKA_SECURITY_PROTOCOL";
/// [`SaslMechanism`] by name; needed with `SASL_PLAINTEXT` and `SASL_SSL`.
pub const SASL_MECHANISM: &str = "KAFKA_SASL_MECHANISM";
/// The secret `{"username","password"}`; needed with `SASL_PLAINTEXT` and `SASL_SSL`.
pub const SASL_SECRET_ARN: &str = "KAFKA_SASL_SECRET_ARN";
/// The secret `{"certificate"}`, a private CA as PEM; without it the system's CA certificates count.
pub const CA_SECRET_ARN: &str = "KAFKA_CA_SECRET_ARN";

const BOOTSTRAP_EXPECTED: &str = "broker addresses as host:port, separated by commas";
const PROTOCOL_EXPECTED: &str = "PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL";
const MECHANISM_EXPECTED: &str = "SCRAM-SHA-512, SCRAM-SHA-256 or PLAIN";
const SASL_SECRET_EXPECTED: &str = r#"the ARN of a secret {"username": "…", "password": "…"}"#;
const SASL_JSON_EXPECTED: &str = r#"the JSON object {"username": "…", "password": "…"}, neither empty"#;
const CA_JSON_EXPECTED: &str = r#"the JSON object {"certificate": "-----BEGIN CERTIFICATE-----…"}"#;

/// How bytes travel and who has to say who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SecurityProtocol {
    /// Neither TLS nor SASL.
    #[default]
    Plaintext,
    /// TLS.
    Ssl,
    /// SASL without TLS: the password is only as safe as the network.
    SaslPlaintext,
    /// SASL inside TLS.
    SaslSsl,
}

impl SecurityProtocol {
    /// Kafka's name of it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Plaintext => "PLAINTEXT",
            Self::Ssl => "SSL",
            Self::SaslPlaintext => "SASL_PLAINTEXT",
            Self::SaslSsl => "SASL_SSL",
        }
    }

    /// Whether a username and a password are asked for.
    #[must_use]
    pub const fn has_sasl(self) -> bool {
        matches!(self, Self::SaslPlaintext | Self::SaslSsl)
    }

    /// Whether the broker's certificate is verified.
    #[must_use]
    pub const fn has_tls(self) -> bool {
        matches!(self, Self::Ssl | Self::SaslSsl)
    }
}

impl FromStr for SecurityProtocol {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::Plaintext, Self::Ssl, Self::SaslPlaintext, Self::SaslSsl]
            .into_iter()
            .find(|protocol| protocol.as_str() == text)
            .ok_or(())
    }
}

/// How a username and a password are proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SaslMechanism {
    /// Salted challenge and response; the password never travels.
    ScramSha512,
    /// The same with a shorter hash.
    ScramSha256,
    /// The password itself: only inside TLS.
    Plain,
}

impl SaslMechanism {
    /// Kafka's name of it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ScramSha512 => "SCRAM-SHA-512",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::Plain => "PLAIN",
        }
    }
}

impl FromStr for SaslMechanism {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::ScramSha512, Self::ScramSha256, Self::Plain]
            .into_iter()
            .find(|mechanism| mechanism.as_str() == text)
            .ok_or(())
    }
}

/// What the variables say. Holds no secret, only where to read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    bootstrap_servers: String,
    protocol: SecurityProtocol,
    sasl: Option<Sasl>,
    ca_secret_arn: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Sasl {
    mechanism: SaslMechanism,
    secret_arn: String,
}

/// The texts of the secrets that a [`Config`] points to, as the secret store gave them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secrets {
    /// The text behind [`Config::sasl_secret_arn`].
    pub sasl: Option<String>,
    /// The text behind [`Config::ca_secret_arn`].
    pub ca: Option<String>,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets").field("sasl", &self.sasl.is_some()).field("ca", &self.ca.is_some()).finish()
    }
}

#[derive(Deserialize)]
struct Credentials {
    username: String,
    password: String,
}

#[derive(Deserialize)]
struct Authority {
    certificate: String,
}

impl Config {
    /// Reads the variables; an empty one counts as absent, as deployment templates write it.
    ///
    /// # Errors
    /// A variable that is needed and missing, or that cannot be read: named, with what it expects.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let lookup = |name: &str| lookup(name).filter(|value| !value.is_empty());
        let bootstrap_servers = required(&lookup, BOOTSTRAP_SERVERS, BOOTSTRAP_EXPECTED)?;
        if !bootstrap_servers.split(',').all(is_address) {
            return Err(unreadable(BOOTSTRAP_SERVERS, &bootstrap_servers, BOOTSTRAP_EXPECTED));
        }
        let protocol = match lookup(SECURITY_PROTOCOL) {
            None => SecurityProtocol::default(),
            Some(text) => text.parse().map_err(|()| unreadable(SECURITY_PROTOCOL, &text, PROTOCOL_EXPECTED))?,
        };
        let sasl = if protocol.has_sasl() { Some(Sasl::from_lookup(&lookup)?) } else { None };
        let ca_secret_arn = if protocol.has_tls() { lookup(CA_SECRET_ARN) } else { None };
        Ok(Self { bootstrap_servers, protocol, sasl, ca_secret_arn })
    }

    /// The brokers that are asked first, as they were given.
    #[must_use]
    pub fn bootstrap_servers(&self) -> &str {
        &self.bootstrap_servers
    }

    /// Where the username and the password are, when there have to be any.
    #[must_use]
    pub fn sasl_secret_arn(&self) -> Option<&str> {
        self.sasl.as_ref().map(|sasl| sasl.secret_arn.as_str())
    }

    /// Where the private CA's certificate is, when there is one.
    #[must_use]
    pub fn ca_secret_arn(&self) -> Option<&str> {
        self.ca_secret_arn.as_deref()
    }

    /// What a client needs to connect; call it again with fresh secrets after an authentication failure.
    ///
    /// # Errors
    /// A secret that is missing, or not of the form it has to have: the variable that points to it is named, its text
    /// is not.
    pub fn connection(&self, secrets: &Secrets) -> Result<Connection, ConfigError> {
        let mut connection = Connection::plaintext(&self.bootstrap_servers);
        connection.set("security.protocol", self.protocol.as_str());
        if let Some(sasl) = &self.sasl {
            let credentials: Credentials = secret(secrets.sasl.as_deref(), SASL_SECRET_ARN, SASL_JSON_EXPECTED)?;
            if credentials.username.is_empty() || credentials.password.is_empty() {
                return Err(ConfigError::Secret { name: SASL_SECRET_ARN, expected: SASL_JSON_EXPECTED });
            }
            connection.set("sasl.mechanism", sasl.mechanism.as_str());
            connection.set("sasl.username", credentials.username);
            connection.set("sasl.password", credentials.password);
        }
        if self.ca_secret_arn.is_some() {
            let authority: Authority = secret(secrets.ca.as_deref(), CA_SECRET_ARN, CA_JSON_EXPECTED)?;
            connection.set("ssl.ca.pem", authority.certificate);
        } else if self.protocol.has_tls() {
            connection.set(CA_LOCATION, CA_OF_THE_SYSTEM);
        }
        Ok(connection)
    }
}

impl Sasl {
    fn from_lookup(lookup: &impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mechanism = required(lookup, SASL_MECHANISM, MECHANISM_EXPECTED)?;
        let mechanism = mechanism.parse().map_err(|()| unreadable(SASL_MECHANISM, &mechanism, MECHANISM_EXPECTED))?;
        let secret_arn = required(lookup, SASL_SECRET_ARN, SASL_SECRET_EXPECTED)?;
        Ok(Self { mechanism, secret_arn })
    }
}

fn required(
    lookup: &impl Fn(&str) -> Option<String>,
    name: &'static str,
    expected: &'static str,
) -> Result<String, ConfigError> {
    lookup(name).ok_or(ConfigError::Missing { name, expected })
}

fn unreadable(name: &'static str, value: &str, expected: &'static str) -> ConfigError {
    ConfigError::Unreadable { name, value: value.to_owned(), expected }
}

/// The secret's members; the source of a failure is left out, for it would quote the text.
fn secret<T: for<'a> Deserialize<'a>>(
    text: Option<&str>,
    name: &'static str,
    expected: &'static str,
) -> Result<T, ConfigError> {
    text.and_then(|text| serde_json::from_str(text).ok()).ok_or(ConfigError::Secret { name, expected })
}

/// `host:port`, an IPv6 host in brackets.
fn is_address(text: &str) -> bool {
    text.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0))
}
