//! What librdkafka calls back: its log, its errors, and the end of each record. Shared by every kind of client here;
//! remembers whether the cluster refused us, which a timed-out request alone does not tell.

use std::time::Duration;

use rdkafka::{
    ClientContext, Message,
    config::RDKafkaLogLevel,
    consumer::ConsumerContext,
    error::{KafkaError, RDKafkaErrorCode as Code},
    message::DeliveryResult,
    producer::ProducerContext,
};
use record_log::{Delivery, LogError};
use tokio::sync::{oneshot, watch};

use crate::error::{code_of, is_refusal, log_error};

/// How a record ended: where it lies, or librdkafka's code.
pub(crate) type Ending = Result<Delivery, Code>;

/// How long something under way may still succeed after a refusal: another broker may let us in.
const REFUSAL_GRACE: Duration = Duration::from_secs(1);

/// One client's view of its cluster.
#[derive(Debug, Default)]
pub(crate) struct Context {
    /// Why the cluster refused us last. librdkafka reports the same error once in 30 s only, so it is kept until
    /// something succeeds.
    refusal: watch::Sender<Option<String>>,
}

impl Context {
    /// The error for a request that failed with `code`: an unanswered one is an authentication failure when the
    /// cluster refused us since the last success.
    pub(crate) fn explain(&self, code: Code, what: &str) -> LogError {
        let error = log_error(code, what);
        match (&error, self.refusal()) {
            (LogError::Unavailable(_), Some(refusal)) => LogError::Authentication(refusal),
            _ => error,
        }
    }

    /// Something was answered: whoever refused us no longer does.
    pub(crate) fn succeeded(&self) {
        self.refusal.send_if_modified(|refusal| refusal.take().is_some());
    }

    /// Ends when the cluster refused us and nothing succeeded since, with the reason. Without it, a request that waits
    /// for a login would wait until it times out, and leave no time to try another password.
    pub(crate) async fn refused(&self) -> LogError {
        let mut seen = self.refusal.subscribe();
        loop {
            // The sender is `self`, so that the wait ends with a refusal only.
            if seen.wait_for(Option::is_some).await.is_err() {
                return LogError::Unavailable("the client is gone".into());
            }
            tokio::time::sleep(REFUSAL_GRACE).await;
            if let Some(refusal) = self.refusal() {
                return LogError::Authentication(refusal);
            }
        }
    }

    fn refusal(&self) -> Option<String> {
        self.refusal.borrow().clone()
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        match level {
            RDKafkaLogLevel::Emerg
            | RDKafkaLogLevel::Alert
            | RDKafkaLogLevel::Critical
            | RDKafkaLogLevel::Error
            | RDKafkaLogLevel::Warning => tracing::warn!(facility, message, "librdkafka"),
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => tracing::info!(facility, message, "librdkafka"),
            RDKafkaLogLevel::Debug => tracing::debug!(facility, message, "librdkafka"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        // rdkafka hands each event over twice, and the log has it already.
        tracing::debug!(%error, reason, "librdkafka");
        if is_refusal(code_of(&error)) {
            self.refusal.send_replace(Some(explained(reason)));
        }
    }
}

/// librdkafka says that a certificate was not verified, and leaves out why.
fn explained(reason: &str) -> String {
    if reason.contains("certificate verify failed") {
        format!("{reason}; it may have expired, be for another host, or be of another CA than the trusted one")
    } else {
        reason.to_owned()
    }
}

impl ConsumerContext for Context {}

impl ProducerContext for Context {
    type DeliveryOpaque = Box<oneshot::Sender<Ending>>;

    fn delivery(&self, result: &DeliveryResult<'_>, waiting: Self::DeliveryOpaque) {
        let ending = match result {
            Ok(message) => {
                self.succeeded();
                // A broker that deduplicated a resend acknowledges without an offset: a negative one here.
                let offset = Some(message.offset()).filter(|offset| *offset >= 0);
                Ok(Delivery { partition: message.partition(), offset })
            }
            Err((error, _message)) => Err(code_of(error)),
        };
        if waiting.send(ending).is_err() {
            tracing::debug!(?ending, "a record ended after its producer stopped waiting");
        }
    }
}
