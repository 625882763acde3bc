//! An emulator of Lambda's event source mapping for self-managed Apache Kafka: it consumes a topic as a member of a
//! group, batches what it reads, invokes a function by HTTP, and commits what was resolved. For any function in any
//! language behind an Invoke address, such as `cargo lambda watch` and the Runtime Interface Emulator have one.
//!
//! ```no_run
//! use std::collections::BTreeMap;
//!
//! use kafka_esm::Mapping;
//! use serde_json::json;
//!
//! # async fn run() -> Result<(), kafka_esm::EsmError> {
//! // The `Properties` of an `AWS::Lambda::EventSourceMapping`, and the emulator's own switches beside them.
//! let (mapping, emulator) = Mapping::from_value(json!({
//!     "Topics": ["orders"],
//!     "StartingPosition": "TRIM_HORIZON",
//!     "BatchSize": 100,
//!     "MaximumBatchingWindowInSeconds": 1,
//!     "SelfManagedKafkaEventSourceConfig": {"ConsumerGroupId": "orders-worker"},
//!     "ProvisionedPollerConfig": {"MinimumPollers": 1},
//!     "FunctionResponseTypes": ["ReportBatchItemFailures"],
//!     "Emulator": {"pbr": "resume", "function_timeout_seconds": 30},
//! }))?;
//! // How to reach the brokers: librdkafka's properties.
//! let client = BTreeMap::from([("bootstrap.servers".to_owned(), "127.0.0.1:9092".to_owned())]);
//! let invoke = "http://127.0.0.1:9000/2015-03-31/functions/orders-worker/invocations";
//!
//! let running = kafka_esm::start(&mapping, &emulator, client, invoke).await?;
//! running.ready().await?; // a member of its group; what is written from now on is delivered
//! println!("lag {}", running.metrics().await.sum_offset_lag);
//! let metrics = running.stop().await?; // running invocations end, and are committed
//! println!("{} invoked, {} failed", metrics.invoked_event_count, metrics.failed_invoke_event_count);
//! # Ok(())
//! # }
//! ```
//!
//! # What is emulated
//!
//! | of the managed mapping | here |
//! | --- | --- |
//! | the event | to the byte, signed header bytes and all; nulls by three switches where AWS is known to do both |
//! | batches | by size, window and 6 MB; across partitions; one under way for a partition, five for a poller |
//! | offsets | committed after success alone; committed ones outweigh `StartingPosition`; gaps by retention are logged |
//! | partial batch responses | every documented and odd answer; redelivery `selective` or `resume` |
//! | failures | retries, back-off, bisect, record age, 429 and errors before the function runs, time-outs |
//! | destinations | a topic; SQS, SNS and S3 by an HTTP address that stands for the ARN, payload for payload |
//! | filters | every operator on `value`, with a switch for what they do not apply to |
//! | provisioned mode | what needs it is refused without it; `MinimumPollers` pollers |
//! | metrics | under their own names, as numbers and in Prometheus' text format |
//! | groups | heartbeats during invocations of 14 minutes; rebalances wait for what is under way |
//!
//! What AWS documents and what was decided where it does not is a list of cases, each with its tests: `CONFORMANCE.md`.
//!
//! # What is not
//!
//! - Amazon MSK (`EventSourceArn`), queue mode (share groups) and schema registries: their properties are refused.
//! - The managed mapping's scaling: pollers stay as many as the minimum, and share one consumer. What an added poller does
//!   to a group, a second emulator in the same group shows.
//! - Delays of its control plane: a mapping begins at once, and needs no minutes to be created or updated.
//! - Networking and secrets: `SourceAccessConfigurations` is checked and not used; client properties take their place.
//! - TLS to functions and destinations: both are expected on the same machine.
//!
//! [`Mapping`] is the configuration as CloudFormation has it, [`start`] runs it. Inside, `poller.rs` reads, `engine/`
//! decides, `runner.rs` acts. No function links this crate.

mod client;
mod clock;
mod destination;
mod emulator;
mod engine;
mod error;
mod filter;
mod http;
mod mapping;
mod metrics;
mod payload;
mod poller;
mod position;
mod rebalance;
mod record;
mod response;
mod runner;
mod running;
mod settings;

pub use emulator::{Emulator, FilterMismatch, Pbr};
pub use error::EsmError;
pub use kafka_event::{NullHeader, NullText};
pub use mapping::{
    DestinationConfig, Endpoints, Filter, FilterCriteria, KafkaEventSourceConfig, LoggingConfig, Mapping,
    MetricsConfig, OnFailure, ProvisionedPollerConfig, SelfManagedEventSource, SourceAccessConfiguration,
};
pub use metrics::Metrics;
pub use running::{Running, check, start};
