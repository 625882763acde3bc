//! Reading secrets from Secrets Manager. They are never logged and never put into a variable.

use std::time::Duration;

use aws_config::{SdkConfig, timeout::TimeoutConfig};
use aws_sdk_secretsmanager::{Client, config::Builder, error::DisplayErrorContext};

/// How long one secret may take, the SDK's retries included: an init phase has 10 s in all.
const SECRET_TIMEOUT: Duration = Duration::from_secs(3);

/// A secret that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("secret {arn} cannot be read: {detail}")]
pub struct SecretsError {
    arn: String,
    detail: String,
}

/// The texts behind the ARNs of a Kafka configuration; no call where it names none.
pub(crate) async fn kafka_secrets(sdk: &SdkConfig, config: &kafka::Config) -> Result<kafka::Secrets, SecretsError> {
    let (sasl, ca) = (config.sasl_secret_arn(), config.ca_secret_arn());
    if sasl.is_none() && ca.is_none() {
        return Ok(kafka::Secrets::default());
    }
    let timeouts = TimeoutConfig::builder().operation_timeout(SECRET_TIMEOUT).build();
    let client = Client::from_conf(Builder::from(sdk).timeout_config(timeouts).build());
    let (sasl, ca) = tokio::try_join!(secret(&client, sasl), secret(&client, ca))?;
    Ok(kafka::Secrets { sasl, ca })
}

async fn secret(client: &Client, arn: Option<&str>) -> Result<Option<String>, SecretsError> {
    let Some(arn) = arn else { return Ok(None) };
    let failed = |detail: String| SecretsError { arn: arn.to_owned(), detail };
    let answer = client.get_secret_value().secret_id(arn).send().await;
    let answer = answer.map_err(|source| failed(DisplayErrorContext(source).to_string()))?;
    let text = answer.secret_string().ok_or_else(|| failed("it is binary, and text is expected".into()))?;
    Ok(Some(text.to_owned()))
}
