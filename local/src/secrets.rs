//! What a `--kafka-config` file says about logging in, as the functions want it: variables that name a security protocol
//! and secrets, and a Secrets Manager that gives those secrets away.
//!
//! Knows the two secrets of this sandbox and no other. The functions' side is the `kafka` crate's `config.rs`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use kafka::Connection;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use crate::settings::Machine;

const SASL_ARN: &str = "arn:aws:secretsmanager:us-east-1:123456789012:secret:sandbox/kafka-sasl-AbCdEf";
const CA_ARN: &str = "arn:aws:secretsmanager:us-east-1:123456789012:secret:sandbox/kafka-ca-AbCdEf";
/// Secrets Manager's own protocol: the operation is a header, the rest is JSON.
/// <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html>
const GET: &str = "secretsmanager.GetSecretValue";

/// What the properties of a Kafka client are to the functions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// For the template's parameters.
    pub machine: Machine,
    /// The secrets' texts by ARN.
    secrets: BTreeMap<String, String>,
}

impl Login {
    /// Reads the properties that the functions have a variable or a secret for.
    ///
    /// # Errors
    /// A certificate file that cannot be read; a security protocol with SASL and no username or password.
    pub fn new(bootstrap_servers: &str, connection: &Connection) -> anyhow::Result<Self> {
        let get = |name: &str| connection.get(name).map(str::to_owned);
        let protocol = get("security.protocol").unwrap_or_else(|| "PLAINTEXT".into()).to_uppercase();
        let mut machine = Machine { bootstrap_servers: bootstrap_servers.into(), ..Machine::default() };
        let mut secrets = BTreeMap::new();
        if protocol.starts_with("SASL_") {
            let (username, password) = get("sasl.username").zip(get("sasl.password")).with_context(|| {
                format!("security.protocol {protocol} needs sasl.username and sasl.password in --kafka-config")
            })?;
            let mechanism = get("sasl.mechanism").or_else(|| get("sasl.mechanisms"));
            machine.sasl_mechanism = mechanism.unwrap_or_else(|| "SCRAM-SHA-512".into());
            machine.sasl_secret_arn = SASL_ARN.into();
            let text = json!({ "username": username, "password": password }).to_string();
            secrets.insert(SASL_ARN.to_owned(), text);
        }
        if let Some(certificate) = certificate(connection)? {
            machine.ca_secret_arn = CA_ARN.into();
            secrets.insert(CA_ARN.to_owned(), json!({ "certificate": certificate }).to_string());
        }
        machine.security_protocol = protocol;
        Ok(Self { machine, secrets })
    }

    /// Whether the functions have anything to ask for.
    #[must_use]
    pub fn has_secrets(&self) -> bool {
        !self.secrets.is_empty()
    }
}

/// The CA's certificate as PEM; `probe` is librdkafka's word for the system's own.
fn certificate(connection: &Connection) -> anyhow::Result<Option<String>> {
    if let Some(pem) = connection.get("ssl.ca.pem") {
        return Ok(Some(pem.replace("\\n", "\n")));
    }
    match connection.get("ssl.ca.location") {
        None | Some("probe") => Ok(None),
        Some(path) => std::fs::read_to_string(path).map(Some).with_context(|| format!("ssl.ca.location {path}")),
    }
}

/// A Secrets Manager on loopback. Ends when dropped.
#[derive(Debug)]
pub struct SecretsManager {
    address: SocketAddr,
    serving: AbortHandle,
}

impl SecretsManager {
    /// Serves the secrets of a login on a free port.
    ///
    /// # Errors
    /// There is no free port.
    pub async fn start(login: &Login) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let router = axum::Router::new().route("/", post(answer)).with_state(Arc::new(login.secrets.clone()));
        let serving = tokio::spawn(async move { axum::serve(listener, router).await }).abort_handle();
        Ok(Self { address, serving })
    }

    /// Its URL, for `AWS_ENDPOINT_URL_SECRETS_MANAGER`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for SecretsManager {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn answer(State(secrets): State<Arc<BTreeMap<String, String>>>, headers: HeaderMap, body: String) -> Response {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    if target != GET {
        return refuse("UnknownOperationException", &format!("the sandbox knows {GET} alone, not {target}"));
    }
    let request: Value = serde_json::from_str(&body).unwrap_or_default();
    let Some(id) = request.get("SecretId").and_then(Value::as_str) else {
        return refuse("InvalidRequestException", "SecretId is missing");
    };
    match secrets.get(id) {
        Some(text) => reply(
            StatusCode::OK,
            &json!({ "ARN": id, "Name": id, "SecretString": text, "VersionStages": ["AWSCURRENT"] }),
        ),
        None => refuse("ResourceNotFoundException", "Secrets Manager can't find the specified secret."),
    }
}

fn refuse(kind: &str, message: &str) -> Response {
    reply(StatusCode::BAD_REQUEST, &json!({ "__type": kind, "message": message }))
}

fn reply(status: StatusCode, body: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/x-amz-json-1.1")], body.to_string()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SASL: &str = "security.protocol=sasl_plaintext\nsasl.username=ann\nsasl.password=s3cret\n";

    fn login(text: &str) -> anyhow::Result<Login> {
        Login::new("b:9092", &Connection::from_properties(text, Some("b:9092")).expect("properties"))
    }

    #[test]
    fn a_broker_without_a_login_needs_no_secret() {
        let login = login("").expect("a login");
        assert_eq!(login.machine.security_protocol, "PLAINTEXT");
        assert_eq!(login.machine.sasl_secret_arn, "");
        assert!(login.secrets.is_empty());
    }

    #[test]
    fn a_password_becomes_a_secret_and_no_variable() {
        let login = login(SASL).expect("a login");
        assert_eq!(login.machine.security_protocol, "SASL_PLAINTEXT");
        assert_eq!(login.machine.sasl_mechanism, "SCRAM-SHA-512");
        assert!(!format!("{:?}", login.machine).contains("s3cret"));
        assert_eq!(login.secrets[SASL_ARN], r#"{"password":"s3cret","username":"ann"}"#);
    }

    #[test]
    fn sasl_without_a_password_is_refused_by_name() {
        let error = login("security.protocol=SASL_SSL\nsasl.username=ann\n").expect_err("no password").to_string();
        assert!(error.contains("sasl.password"), "{error}");
    }

    async fn ask(body: &Value, target: &str) -> Response {
        let secrets = Arc::new(login(SASL).expect("a login").secrets);
        let mut headers = HeaderMap::new();
        headers.insert("x-amz-target", target.parse().expect("a header"));
        answer(State(secrets), headers, body.to_string()).await
    }

    #[tokio::test]
    async fn a_secret_is_given_by_its_arn_alone() {
        assert_eq!(ask(&json!({ "SecretId": SASL_ARN }), GET).await.status(), StatusCode::OK);
        assert_eq!(ask(&json!({ "SecretId": CA_ARN }), GET).await.status(), StatusCode::BAD_REQUEST);
        assert_eq!(ask(&json!({}), GET).await.status(), StatusCode::BAD_REQUEST);
        assert_eq!(ask(&json!({}), "secretsmanager.PutSecretValue").await.status(), StatusCode::BAD_REQUEST);
    }
}
