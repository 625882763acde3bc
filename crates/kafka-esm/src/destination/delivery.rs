//! How a destination's messages get there. Every one is waited for: records count as resolved only once their
//! destination has them, or has failed to take them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use rdkafka::producer::{FutureProducer, FutureRecord};

use super::Destination;
use super::payload::{Letter, Message};
use crate::clock;
use crate::engine::{GivenUp, Task};
use crate::http::Http;
use crate::settings::Settings;

/// A destination that does not answer must not hold its partition for long: all messages of a task, for a topic.
pub(crate) const DELIVERY_TIMEOUT: Duration = Duration::from_secs(30);

/// What became of a task's messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Delivered {
    pub(crate) records_taken: usize,
    pub(crate) messages_failed: usize,
}

/// Delivers to the mapping's destination.
#[derive(Clone)]
pub(crate) struct Deliverer {
    pub(crate) settings: Arc<Settings>,
    pub(crate) http: Http,
    /// There with a destination that is a topic.
    pub(crate) producer: Option<FutureProducer>,
}

impl Deliverer {
    /// Sends all messages of a task in their order, none of which waits for the one before it. What the destination does not
    /// take is lost, and told record by record.
    pub(crate) async fn deliver(&self, task: &Task, given_up: &GivenUp) -> Delivered {
        let mut delivered = Delivered { records_taken: 0, messages_failed: 0 };
        let Some(destination) = &self.settings.destination else { return delivered };
        let (settings, unix_millis) = (&*self.settings, clock::unix_millis());
        let messages = (Letter { settings, destination, task, given_up, unix_millis }).messages();
        let counts: Vec<usize> = messages.iter().map(|message| message.records).collect();
        // Polled in their order, and a message is in the producer's queue when it has been polled once.
        let sent = join_all(messages.into_iter().map(|message| self.send(destination, message))).await;
        let mut records = task.records.iter();
        for (count, sent) in counts.into_iter().zip(sent) {
            let its = records.by_ref().take(count);
            let Err(error) = sent else {
                delivered.records_taken += its.count();
                continue;
            };
            delivered.messages_failed += 1;
            for record in its {
                let (topic, partition, offset) = (&settings.topic, record.partition, record.offset);
                let reason = format!("its destination did not take it: {error}");
                tracing::error!(topic, partition, offset, reason, "dropped");
            }
        }
        delivered
    }

    async fn send(&self, destination: &Destination, message: Message) -> Result<(), String> {
        match (destination, &self.producer) {
            (Destination::Http { uri, .. }, _) => {
                self.http.deliver(uri.clone(), Bytes::from(message.body), DELIVERY_TIMEOUT).await
            }
            (Destination::Kafka { topic }, Some(producer)) => {
                let record = FutureRecord::<[u8], str> { key: message.key.as_deref(), ..FutureRecord::to(topic) };
                let sent = producer.send(record.payload(&message.body), DELIVERY_TIMEOUT).await;
                sent.map(|_delivery| ()).map_err(|(error, _message)| error.to_string())
            }
            (Destination::Kafka { .. }, None) => Err("no producer".to_owned()),
        }
    }
}
