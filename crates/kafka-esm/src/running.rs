//! Starting a mapping, and the handle to a running one.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use rdkafka::producer::FutureProducer;
use tokio::sync::watch;

use crate::client;
use crate::destination::delivery::Deliverer;
use crate::destination::{Destination, http_uri};
use crate::emulator::Emulator;
use crate::engine::Engine;
use crate::error::EsmError;
use crate::http::Http;
use crate::mapping::Mapping;
use crate::metrics::{Counters, Metrics};
use crate::poller::{EsmConsumer, Poller};
use crate::runner::{self, CommitState, Runner, State};
use crate::settings::Settings;

/// A running mapping. Dropping it stops the mapping too, without waiting for its end.
#[derive(Debug)]
pub struct Running {
    topic: String,
    group: String,
    settings: Arc<Settings>,
    counters: Arc<Counters>,
    consumer: Weak<EsmConsumer>,
    state: watch::Receiver<State>,
    stop: watch::Sender<bool>,
}

/// Whether a mapping can be, as far as its properties tell; the brokers are not asked.
///
/// # Errors
/// [`EsmError::Refused`] names every value that cannot be.
pub fn check(mapping: &Mapping, emulator: &Emulator) -> Result<(), EsmError> {
    Settings::new(mapping, emulator, &BTreeMap::new()).map(drop)
}

/// Starts a mapping: `client` are librdkafka properties that say how to reach the brokers, `invoke_url` is a complete
/// Invoke address, such as `http://127.0.0.1:9001/2015-03-31/functions/worker/invocations`.
///
/// # Errors
/// [`EsmError::Refused`] names every value that cannot be; [`EsmError::Unreachable`], that the brokers do not answer.
pub async fn start(
    mapping: &Mapping,
    emulator: &Emulator,
    client: BTreeMap<String, String>,
    invoke_url: &str,
) -> Result<Running, EsmError> {
    let settings = Arc::new(Settings::new(mapping, emulator, &client)?);
    let invoke = http_uri(invoke_url).map_err(|problem| EsmError::Refused(vec![format!("invoke: {problem}")]))?;
    let counters = Arc::new(Counters::default());
    let producer = producer(&settings, &client)?;
    let (of_poller, of_counters) = (Arc::clone(&settings), Arc::clone(&counters));
    let started = tokio::task::spawn_blocking(move || Poller::start(&of_poller, &of_counters, &client)).await;
    let Poller { consumer, news, thread } = started.map_err(|error| EsmError::Thread(error.into()))??;
    let (state, watched) = watch::channel(State::default());
    let (stop, stopped) = watch::channel(false);
    let http = Http::new();
    let running = Running {
        topic: settings.topic.clone(),
        group: settings.group.clone(),
        settings: Arc::clone(&settings),
        counters: Arc::clone(&counters),
        consumer: Arc::downgrade(&consumer),
        state: watched,
        stop,
    };
    let runner = Runner {
        engine: Engine::new(Arc::clone(&settings), Arc::clone(&counters)),
        deliverer: Deliverer { settings: Arc::clone(&settings), http: http.clone(), producer },
        settings,
        counters,
        consumer,
        http,
        invoke,
        state,
        commit: CommitState::default(),
        revoking: None,
        met: false,
        fault: None,
    };
    #[expect(clippy::disallowed_methods, reason = "the emulator is no function: nothing freezes its tasks")]
    tokio::spawn(runner.run(news, thread, stopped));
    Ok(running)
}

/// A producer for a destination that is a topic.
fn producer(settings: &Settings, client: &BTreeMap<String, String>) -> Result<Option<FutureProducer>, EsmError> {
    let Some(Destination::Kafka { .. }) = &settings.destination else { return Ok(None) };
    client::producer(&settings.bootstrap_servers, client).create().map(Some).map_err(EsmError::of_creation)
}

impl Running {
    /// The topic that is consumed.
    #[must_use]
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// The group's id, chosen by the mapping or made for this start.
    #[must_use]
    pub fn group(&self) -> &str {
        &self.group
    }

    /// Waits until the mapping has joined its group and knows where every assigned partition begins: from then on a
    /// record that is written is delivered, even with `LATEST`.
    ///
    /// # Errors
    /// The mapping has ended before.
    pub async fn ready(&self) -> Result<(), EsmError> {
        let mut state = self.state.clone();
        let reached = state.wait_for(|state| state.ready || state.ended.is_some()).await;
        match reached.map(|state| state.ready) {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => self.ended().await.and(Err(EsmError::Ended("it was stopped".to_owned()))),
        }
    }

    /// The numbers at this moment; the lag is asked of the brokers.
    pub async fn metrics(&self) -> Metrics {
        let state = self.state.borrow().clone();
        match (state.ended, self.consumer.upgrade()) {
            (Some((metrics, _)), _) => metrics,
            (None, Some(consumer)) => runner::metrics(&self.counters, &self.settings, consumer, state.committed).await,
            (None, None) => self.counters.snapshot(),
        }
    }

    /// Waits until the mapping has ended, by itself or because it was stopped, and gives its last numbers.
    ///
    /// # Errors
    /// It ended because of a fault; a mapping that was stopped has none.
    pub async fn ended(&self) -> Result<Metrics, EsmError> {
        let mut state = self.state.clone();
        let ended = state.wait_for(|state| state.ended.is_some()).await.ok().and_then(|state| state.ended.clone());
        match ended {
            Some((metrics, None)) => Ok(metrics),
            Some((_, Some(fault))) => Err(EsmError::Ended(fault)),
            None => Err(EsmError::Ended("its task was cut off".to_owned())),
        }
    }

    /// Begins no new invocation, lets the running ones finish within the function's time-out, commits what they
    /// resolved, leaves the group, and gives the last numbers. A broker that does not answer is waited for some ten
    /// seconds; what it has not taken is told in the log, and redelivered.
    ///
    /// # Errors
    /// The mapping had ended before because of a fault.
    pub async fn stop(&self) -> Result<Metrics, EsmError> {
        self.stop.send_replace(true);
        self.ended().await
    }
}
