//! The log that a function produces to: connected at init, tried once, and connected anew with the secret read again
//! when the broker refuses the login, as it does after a rotation.

use std::{sync::Arc, time::Duration};

use aws_config::SdkConfig;
use kafka::{Config, Delivery, Log, LogError, Producer, ProducerSettings, Record};

use crate::{StartError, secrets::kafka_secrets};

/// How long the one metadata fetch at init may take.
const CHECK_TIMEOUT: Duration = Duration::from_secs(3);

/// What a broker that does not answer at init means to a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BrokerAway {
    /// It ends the init: the function can do nothing without.
    EndsInit,
    /// It is logged: the function can still answer reads.
    IsLogged,
}

/// How long a call may take in all: two attempts and two secrets, each bounded by itself, would come to more than the API
/// function has.
const CALL_TIMEOUT: Duration = Duration::from_secs(6);

/// Lambda gives an environment about 500 ms between SIGTERM and SIGKILL.
const FLUSH_TIMEOUT: Duration = Duration::from_millis(400);

/// A producer with the way back to its secret. Clones share it.
#[derive(Clone)]
pub struct ConnectedLog(Arc<Connected>);

struct Connected {
    producer: Producer,
    config: Config,
    sdk: SdkConfig,
    /// Held while the secret is read again, so that one refusal reads it once.
    renewing: tokio::sync::Mutex<()>,
}

impl std::fmt::Debug for ConnectedLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConnectedLog").field("config", &self.0.config).finish_non_exhaustive()
    }
}

impl ConnectedLog {
    /// Reads the secrets, makes the producer, and tries it by one metadata fetch for `topic`.
    ///
    /// # Errors
    /// A secret or a property is wrong, the broker refuses the login or its certificate is not trusted; a broker that
    /// does not answer where `away` says so. A topic that is not there yet is logged: it may be made later.
    pub async fn connect(
        config: Config,
        sdk: &SdkConfig,
        settings: ProducerSettings,
        (topic, away): (&str, BrokerAway),
    ) -> Result<Self, StartError> {
        let secrets = kafka_secrets(sdk, &config).await?;
        let producer = Producer::new(&config.connection(&secrets)?, settings)?;
        match producer.check(topic, CHECK_TIMEOUT).await {
            Ok(()) => {}
            Err(error @ LogError::Unavailable(_)) if away == BrokerAway::IsLogged => {
                tracing::warn!(%error, "the broker does not answer; going on, since reads can still be answered");
            }
            Err(error @ LogError::UnknownTopic(_)) => tracing::error!(%error, "the topic does not exist"),
            Err(source) => {
                let servers = config.bootstrap_servers().to_owned();
                return Err(StartError::Broker { servers, source });
            }
        }
        let renewing = tokio::sync::Mutex::new(());
        Ok(Self(Arc::new(Connected { producer, config, sdk: sdk.clone(), renewing })))
    }

    /// Registers for the SIGTERM that ends an environment, and waits then until what is queued is acknowledged or given
    /// up: dropping the producer would purge it.
    pub async fn flush_on_shutdown(&self) {
        let log = self.clone();
        let flush = || async move {
            if let Err(error) = log.0.producer.flush(FLUSH_TIMEOUT).await {
                tracing::warn!(%error, "records were left in the queue");
            }
        };
        lambda_runtime::spawn_graceful_shutdown_handler(flush).await;
    }

    /// Calls the producer, and once more with the secret as it is now when the broker refuses the login.
    async fn called<'a, T, F>(&'a self, call: impl Fn(&'a Producer) -> F + Send) -> Result<T, LogError>
    where
        F: Future<Output = Result<T, LogError>> + Send,
    {
        let called = async {
            match call(&self.0.producer).await {
                Err(LogError::Authentication(_)) => {
                    self.reconnect().await?;
                    call(&self.0.producer).await
                }
                called => called,
            }
        };
        match tokio::time::timeout(CALL_TIMEOUT, called).await {
            Ok(called) => called,
            Err(_elapsed) => Err(LogError::Unavailable(format!("no answer within {CALL_TIMEOUT:?}"))),
        }
    }

    /// Connects with the secret as it is now. A second caller who was refused meanwhile finds it done.
    async fn reconnect(&self) -> Result<(), LogError> {
        let refused = |detail: String| LogError::Authentication(detail);
        let Ok(_held) = self.0.renewing.try_lock() else {
            let _done = self.0.renewing.lock().await;
            return Ok(());
        };
        tracing::warn!("the broker refuses the login; reading the secret again");
        let secrets = kafka_secrets(&self.0.sdk, &self.0.config).await.map_err(|error| refused(error.to_string()))?;
        let connection = self.0.config.connection(&secrets).map_err(|error| refused(error.to_string()))?;
        self.0.producer.reconnect(&connection).map_err(|error| refused(error.to_string()))
    }
}

impl Log for ConnectedLog {
    async fn produce(&self, record: Record) -> Result<Delivery, LogError> {
        self.called(|producer| producer.produce(record.clone())).await
    }

    async fn partitions(&self, topic: &str) -> Result<i32, LogError> {
        self.called(|producer| producer.partitions(topic)).await
    }
}
