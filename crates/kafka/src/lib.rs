//! Kafka for any domain: configuration from named variables, typed topics, a producer that waits for every in-sync
//! replica, TLS and SASL, and for tools a reader and an administration client. Knows nothing of what is produced.
//!
//! The words (topic, record, log) are the `record-log` crate's and re-exported here, so that a domain needs this crate
//! alone. Start with [`Config`], then [`Producer`].
//!
//! A shop's orders, for example:
//!
//! ```no_run
//! use kafka::{Config, Log as _, Producer, ProducerSettings, Secrets, Topic};
//!
//! #[derive(serde::Serialize)]
//! struct Order { amount: u32 }
//!
//! # async fn place() -> Result<(), Box<dyn std::error::Error>> {
//! let config = Config::from_lookup(|name| std::env::var(name).ok())?;
//! let producer = Producer::new(&config.connection(&Secrets::default())?, ProducerSettings::default())?;
//! let orders: Topic<str, Order> = Topic::new("orders");
//!
//! let delivery = producer.produce(orders.record("customer-7", &Order { amount: 3 })?).await?;
//! println!("in partition {} at {:?}", delivery.partition, delivery.offset);
//! # Ok(())
//! # }
//! ```
//!
//! With SASL or a private CA, fetch the texts behind [`Config::sasl_secret_arn`] and [`Config::ca_secret_arn`] and hand
//! them in as [`Secrets`].

mod admin;
mod client;
mod clock;
mod config;
mod connection;
mod context;
mod error;
mod poller;
mod producer;
mod reader;

pub use admin::{Admin, AdminError, NewTopicSpec, TopicCreation, TopicDescription};
pub use config::{
    BOOTSTRAP_SERVERS, CA_SECRET_ARN, Config, SASL_MECHANISM, SASL_SECRET_ARN, SECURITY_PROTOCOL, SaslMechanism,
    Secrets, SecurityProtocol,
};
pub use connection::Connection;
pub use error::ConfigError;
pub use producer::{Compression, METADATA_TIMEOUT, PARTITIONS_AGE_MAX, PRODUCE_TIMEOUT, Producer, ProducerSettings};
pub use reader::{ReadRecord, Reader, Span};
pub use record_log::{Delivery, Header, Key, Log, LogError, Record, Topic, murmur2, partition_of};
