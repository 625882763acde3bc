//! Puts an answer where CloudFormation waits for it: one PUT to an address that was signed beforehand, with the HTTP client
//! that the AWS SDK brings along.

use std::time::Duration;

use aws_smithy_http_client::{Connector, tls};
use aws_smithy_runtime_api::client::{http::HttpConnector as _, orchestrator::HttpRequest};
use aws_smithy_types::body::SdkBody;

/// One attempt, name and connection included.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);
/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(500);

/// Sends answers.
#[derive(Debug)]
pub struct Sender {
    connector: Connector,
}

/// Why an answer was not taken.
enum Failure {
    /// Nobody will take it: the address is none, or the signature is over.
    Final(String),
    /// Nobody answered, or with a 5xx.
    Passing(String),
}

impl Default for Sender {
    fn default() -> Self {
        Self::new()
    }
}

impl Sender {
    /// Connects to nothing yet.
    #[must_use]
    pub fn new() -> Self {
        let provider = tls::Provider::Rustls(tls::rustls_provider::CryptoMode::AwsLc);
        Self { connector: Connector::builder().tls_provider(provider).build() }
    }

    /// Puts `body` to `url`, again while `left` lasts.
    ///
    /// # Errors
    /// The last attempt's reason. The address is left out of it: whoever knows it can answer in our place.
    pub(crate) async fn put(&self, url: &str, body: &str, left: Duration) -> Result<(), String> {
        let mut last = "there was no time to answer".to_owned();
        let sending = async {
            loop {
                match self.attempt(url, body).await {
                    Ok(()) => return Ok(()),
                    Err(Failure::Final(why)) => return Err(why),
                    Err(Failure::Passing(why)) => {
                        tracing::warn!(why, "CloudFormation did not take the answer; sending it again");
                        last = why;
                    }
                }
                tokio::time::sleep(PAUSE).await;
            }
        };
        match tokio::time::timeout(left, sending).await {
            Ok(sent) => sent,
            Err(_elapsed) => Err(last),
        }
    }

    async fn attempt(&self, url: &str, body: &str) -> Result<(), Failure> {
        let unusable = || Failure::Final("ResponseURL is no address".into());
        let mut request = HttpRequest::new(SdkBody::from(body));
        request.set_method("PUT").map_err(|_error| unusable())?;
        request.set_uri(url).map_err(|_error| unusable())?;
        // The address is signed for an empty one.
        request.headers_mut().insert("content-type", "");
        request.headers_mut().insert("content-length", body.len().to_string());
        let answered = tokio::time::timeout(ATTEMPT_TIMEOUT, self.connector.call(request)).await;
        let answered =
            answered.map_err(|_elapsed| Failure::Passing(format!("no answer within {ATTEMPT_TIMEOUT:?}")))?;
        let status = match answered {
            Ok(response) => response.status(),
            Err(error) => return Err(Failure::Passing(error.to_string())),
        };
        match status.as_u16() {
            200..=299 => Ok(()),
            code @ 500..=599 => Err(Failure::Passing(format!("status {code}"))),
            code => Err(Failure::Final(format!("status {code}"))),
        }
    }
}
