//! A sandbox: every part started in the order that its neighbours need, waited for until it is ready, and ended with the
//! value. Used by `up`, `demo`, `load` and the tests.
//!
//! Two sandboxes share nothing: each has its own ports, broker, tables and data unless it is pointed at somebody's.
//! What is deployed is `settings.rs`; how a single part starts is in the file of its name.

use std::collections::BTreeMap;

use anyhow::Context;
use serde::Serialize;

use crate::broker::{self, Cluster};
use crate::cli::{Part, UpOptions};
use crate::data::DataDir;
use crate::dynamodb;
use crate::embedded::{Embedded, Order};
use crate::parts::{self, Parts};
use crate::ports::Ports;
use crate::process::Spawner;
use crate::settings::Settings;

/// Where the parts of a sandbox are; its JSON is the ready line of `up`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Addresses {
    /// The bootstrap servers, `host:port,…`.
    pub kafka: String,
    /// DynamoDB's URL.
    pub dynamodb: String,
}

/// A running sandbox. Dropped, its children are killed; [`Sandbox::stop`] ends them in good order.
#[derive(Debug)]
pub struct Sandbox {
    addresses: Addresses,
    broker: Option<Embedded>,
    dynamodb: Option<Embedded>,
    // The last field: fields are dropped in order, and the data go when nobody writes to them any more.
    _data: DataDir,
}

impl Sandbox {
    /// Builds what is missing, starts everything, and returns when all of it is ready.
    ///
    /// # Errors
    /// A build or a start that fails, a taken port; [`crate::cli::Refused`] when tables and log do not belong together.
    pub async fn start(options: &UpOptions, settings: &Settings) -> anyhow::Result<Self> {
        let data = DataDir::open(options.parts.data.as_deref())?;
        let built = Parts::build(&needed(options, settings)).await?;
        let ports = Ports::choose(options.port).await?;
        let starting = Starting { options, settings, data: &data, built: &built, ports, spawner: Spawner::start()? };
        let (broker, dynamodb) = tokio::try_join!(starting.log(), starting.tables())?;
        let addresses = Addresses { kafka: broker.address, dynamodb: dynamodb.address };
        let topic = &settings.topics.request.name;
        let ends = broker.client.ends(topic).await?;
        dynamodb::belongs_to(&dynamodb.client, &settings.tables.coupons, topic, &ends).await?;
        Ok(Self { addresses, broker: broker.part, dynamodb: dynamodb.part, _data: data })
    }

    /// Where its parts are.
    #[must_use]
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Ends every part, those that are fed before those that feed on them.
    ///
    /// # Errors
    /// None of them is an orphan afterwards; what did not end in good order is said.
    pub async fn stop(self) -> anyhow::Result<()> {
        for part in [self.broker, self.dynamodb].into_iter().flatten() {
            part.order(Order::Stop).await?;
        }
        Ok(())
    }
}

/// The binaries that these options need.
fn needed<'a>(options: &UpOptions, settings: &'a Settings) -> Vec<&'a str> {
    let embedded = |part: &Part, binary: &'a str| (*part == Part::Embedded).then_some(binary);
    [
        embedded(&options.parts.broker, parts::BROKER),
        embedded(&options.parts.dynamodb, parts::DYNAMODB),
        embedded(&options.parts.functions, &settings.api.name),
        embedded(&options.parts.functions, &settings.worker.name),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What the start of each part needs to know.
struct Starting<'a> {
    options: &'a UpOptions,
    settings: &'a Settings,
    data: &'a DataDir,
    built: &'a Parts,
    ports: Ports,
    spawner: Spawner,
}

/// A part that is ready: where it is, a client for it, and its process if it is ours.
struct Started<C> {
    address: String,
    client: C,
    part: Option<Embedded>,
}

impl Starting<'_> {
    async fn log(&self) -> anyhow::Result<Started<Cluster>> {
        let (address, part) = match &self.options.parts.broker {
            Part::External(address) => (address.clone(), None),
            Part::Embedded => {
                let port = self.ports.kafka;
                let place = broker::Place { port, advertised_port: port, data: &self.data.broker() };
                let part = broker::start(self.spawner.clone(), self.built.path(parts::BROKER)?, place).await?;
                (format!("127.0.0.1:{port}"), Some(part))
            }
        };
        let client = Cluster::new(&address, &BTreeMap::new());
        client.ensure(&self.settings.topics.all()).await.with_context(|| format!("Kafka at {address}"))?;
        Ok(Started { address, client, part })
    }

    async fn tables(&self) -> anyhow::Result<Started<aws_sdk_dynamodb::Client>> {
        let (address, part) = match &self.options.parts.dynamodb {
            Part::External(url) => (url.clone(), None),
            Part::Embedded => {
                let (port, data) = (self.ports.dynamodb, self.data.dynamodb());
                let binary = self.built.path(parts::DYNAMODB)?;
                let part = dynamodb::start(self.spawner.clone(), binary, port, &data).await?;
                (format!("http://127.0.0.1:{port}"), Some(part))
            }
        };
        let client = dynamodb::client(&address).await;
        dynamodb::ensure(&client, &self.settings.tables).await.with_context(|| format!("DynamoDB at {address}"))?;
        Ok(Started { address, client, part })
    }
}
