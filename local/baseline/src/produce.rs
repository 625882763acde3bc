//! Producers of the hybrid and of ours.

use std::time::Duration;

use anyhow::Context as _;
use kafka::{Connection, Producer, ProducerSettings};

/// As the functions have it at their init.
const CHECK_MAX: Duration = Duration::from_secs(3);

/// A producer that has heard of `topic`, as the functions' has at the end of their init. librdkafka asks for a producer id
/// when it is made and, where no connection is up yet, with the first metadata or half a second later; without them, the
/// first requests of a system would wait for that.
pub(crate) async fn producer(kafka: &Connection, settings: ProducerSettings, topic: &str) -> anyhow::Result<Producer> {
    let producer = Producer::new(kafka, settings)?;
    producer.check(topic, CHECK_MAX).await.with_context(|| format!("the broker does not tell of {topic}"))?;
    Ok(producer)
}
