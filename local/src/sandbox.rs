//! A sandbox: every part started in the order that its neighbours need, waited for until it is ready, and ended with the
//! value. Used by `up`, `demo`, `load` and the tests.
//!
//! Two sandboxes share nothing: each has its own ports, broker, tables and data unless it is pointed at somebody's.
//! What is deployed is the template's, see `settings.rs`; the start of the parts is `starting.rs`.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::RwLock;

use crate::cli::UpOptions;
use crate::data::DataDir;
use crate::embedded::{Embedded, Order};
use crate::faults::{FaultServer, Targets};
use crate::gateway::Gateway;
use crate::secrets::SecretsManager;
use crate::settings::{Deployment, Settings};
use crate::starting::Starting;

/// How long the invocations that run may hold an end up.
const MAPPING_STOP_MAX: Duration = Duration::from_secs(3);

/// Where the parts of a sandbox are; its JSON is the ready line of `up`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Addresses {
    /// The API's URL.
    pub api: String,
    /// The bootstrap servers, `host:port,…`.
    pub kafka: String,
    /// DynamoDB's URL.
    pub dynamodb: String,
    /// The Lambda host's URL.
    pub functions: String,
    /// Where faults are asked for, if they were wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub faults: Option<String>,
}

/// A running sandbox. Dropped, its children are killed; [`Sandbox::stop`] ends them in good order.
///
/// Fields are dropped in this order: what asks before what is asked, and the data last.
#[derive(Debug)]
pub struct Sandbox {
    addresses: Addresses,
    settings: Settings,
    gateway: Gateway,
    mapping: kafka_esm::Running,
    faults: Option<FaultServer>,
    targets: Targets,
    _secrets: SecretsManager,
    _data: DataDir,
}

impl Sandbox {
    /// Builds what is missing, starts everything, and returns when all of it is ready.
    ///
    /// # Errors
    /// A template that cannot be run, a build or a start that fails, a taken port; [`crate::cli::Refused`] when tables and
    /// log do not belong together.
    pub async fn start(options: &UpOptions, deployment: &Deployment) -> anyhow::Result<Self> {
        let starting = Starting::prepare(options, deployment).await?;
        let (log, tables) = tokio::try_join!(starting.log(), starting.tables())?;
        starting.check(&tables).await?;
        let secrets = starting.secrets().await?;
        let functions = starting.functions(&tables, &secrets).await?;
        let gateway = starting.gateway(&functions).await?;
        let (mapping, ()) = tokio::try_join!(starting.mapping(&functions), starting.answers(&gateway, &functions))?;
        let functions_address = functions.address.clone();
        let targets = Targets {
            broker: log.part,
            delay: log.delay,
            dynamodb: tables.part,
            calls: tables.calls,
            functions: functions.names(&starting.settings),
            host: Arc::new(RwLock::new(functions.host)),
        };
        let faults = if options.faults { Some(starting.faults(targets.clone()).await?) } else { None };
        let addresses = Addresses {
            api: format!("http://{}", gateway.address()),
            kafka: log.address,
            dynamodb: tables.address,
            functions: functions_address,
            faults: faults.as_ref().map(FaultServer::url),
        };
        let Starting { settings, data, .. } = starting;
        Ok(Self { addresses, settings, gateway, mapping, faults, targets, _secrets: secrets, _data: data })
    }

    /// Where its parts are.
    #[must_use]
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// What is deployed.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Waits for ever, unless the mapping ends by itself: without it, nothing would be decided any more.
    pub async fn failed(&self) -> anyhow::Error {
        match self.mapping.ended().await {
            Ok(_) => anyhow::anyhow!("the mapping has ended by itself"),
            Err(error) => anyhow::Error::new(error).context("the mapping has ended by itself"),
        }
    }

    /// Ends every part: those that ask before those that are asked. No child is left afterwards.
    ///
    /// # Errors
    /// A part that did not end in good order.
    pub async fn stop(self) -> anyhow::Result<()> {
        drop(self.faults);
        self.gateway.stop().await;
        // The mapping waits for the invocations that run, as long as the function may take; nobody who ends a sandbox
        // does, and what is not committed is redelivered.
        drop(tokio::time::timeout(MAPPING_STOP_MAX, self.mapping.stop()).await);
        if let Some(host) = self.targets.host.write().await.take() {
            host.stop().await;
        }
        let stop = |part: Option<Embedded>| async move {
            match part {
                Some(part) => part.order(Order::Stop).await,
                None => Ok(()),
            }
        };
        let (broker, dynamodb) = tokio::join!(stop(self.targets.broker), stop(self.targets.dynamodb));
        broker.and(dynamodb)
    }
}
