//! The thread that calls back: each end of a record reaches its waiter from here. `client.rs` hands records over.
//!
//! rdkafka has such a thread of its own, `ThreadedProducer`, which polls for 100 ms at a time and spends the last
//! millisecond of each spinning, since it hands whole milliseconds to librdkafka: one percent of a core for a client that
//! does nothing. Here it is a tenth of that.

use std::{
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use rdkafka::producer::BaseProducer;

use crate::{ConfigError, context::Context};

/// How long a poll lasts, whatever it calls back meanwhile, and so how late the thread may see that it is to end.
const POLL: Duration = Duration::from_secs(1);

/// A producer whose callbacks are called.
pub(crate) struct Polled {
    producer: Arc<BaseProducer<Context>>,
    stopping: Arc<AtomicBool>,
}

impl Polled {
    /// Starts the thread.
    pub(crate) fn start(producer: BaseProducer<Context>) -> Result<Self, ConfigError> {
        let polled = Self { producer: Arc::new(producer), stopping: Arc::default() };
        let (producer, stopping) = (Arc::clone(&polled.producer), Arc::clone(&polled.stopping));
        thread::Builder::new()
            .name("kafka-poll".into())
            .spawn(move || {
                while !stopping.load(Ordering::Acquire) {
                    producer.poll(POLL);
                }
                // The last one to hold it: what is queued is purged, which takes up to half a second. Whoever let go
                // before may have been async code.
                drop(producer);
            })
            .map_err(|error| ConfigError::Refused(format!("no thread for it: {error}")))?;
        Ok(polled)
    }
}

impl Deref for Polled {
    type Target = BaseProducer<Context>;

    fn deref(&self) -> &Self::Target {
        &self.producer
    }
}

impl Drop for Polled {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Release);
    }
}
