//! Starts a system over parts that run already, and stops it: its HTTP server and what works beside it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use aws_sdk_dynamodb::Client;
use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::serve::ListenerExt as _;
use kafka::Connection;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::http::{Authorize, router};
use crate::hybrid::Hybrid;
use crate::ours;
use crate::queue::Queue;
use crate::redis_outbox::{OutboxPeriods, RedisOutbox, process};
use crate::store::Store;
use crate::system::System;

/// How long requests and what works beside them may go on once a system is asked to stop.
const STOP_GRACE: Duration = Duration::from_secs(3);

/// Requests that a system works on at once, the same for all three; those beyond wait here. As many as keep store, broker
/// and cores of one machine busy: a server without such a bound lets a rush become hundreds of calls that time out together.
const CALLS_MAX: usize = 64;

/// Where a system's parts are. Tables and topics exist.
#[derive(Debug, Clone)]
pub struct Parts {
    /// DynamoDB. Ours wants `DynamoStore::client`'s kind of client, since it does its own retries.
    pub dynamodb: Client,
    /// The cluster, for systems with topics.
    pub kafka: Option<Connection>,
    /// `HOST:PORT`, for systems that need a Redis.
    pub redis: Option<String>,
    /// For the outbox of system A.
    pub outbox: OutboxPeriods,
}

/// A running system. Dropped, it ends at once.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Running {
    /// Starts a system on this listener.
    ///
    /// # Errors
    /// A part that it needs is missing or does not answer.
    pub async fn start(
        system: System,
        parts: &Parts,
        listener: TcpListener,
        authorizer: Arc<dyn Authorize>,
    ) -> anyhow::Result<Self> {
        let address = listener.local_addr()?;
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        let store = || Store::new(parts.dynamodb.clone(), system.table_names());
        let app = match system {
            System::Redis => {
                let system = RedisOutbox { store: store(), queue: parts.queue().await? };
                tasks.spawn(process(system.store.clone(), parts.outbox, stopped.clone()));
                router(system, authorizer)
            }
            System::Hybrid => {
                let system = Hybrid::start(store(), parts.queue().await?, parts.kafka()?).await?;
                system.consume(parts.kafka()?, &mut tasks, &stopped).await?;
                router(system, authorizer)
            }
            System::Ours => {
                ours::consume(&parts.dynamodb, parts.kafka()?, &mut tasks, &stopped).await?;
                ours::router(&parts.dynamodb, parts.kafka()?, authorizer).await?
            }
        };
        tasks.spawn(serve(listener, bounded(app), stopped));
        Ok(Self { address, stop, tasks })
    }

    /// Where its API is.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits for ever, unless a part of it ends by itself.
    pub async fn failed(&mut self) -> anyhow::Error {
        match self.tasks.join_next().await {
            Some(Err(error)) => anyhow::Error::new(error).context("a task of the system has ended"),
            Some(Ok(())) | None => anyhow::anyhow!("a task of the system has ended by itself"),
        }
    }

    /// Accepts nothing more, lets what runs finish for three seconds, and ends.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(STOP_GRACE, all).await.is_err() {
            tracing::warn!("stopped in the middle of something");
        }
    }
}

impl Parts {
    async fn queue(&self) -> anyhow::Result<Queue> {
        Queue::connect(self.redis.as_deref().context("this system needs a Redis")?).await
    }

    fn kafka(&self) -> anyhow::Result<&Connection> {
        self.kafka.as_ref().context("this system needs a broker")
    }
}

fn bounded(app: Router) -> Router {
    let calls = Arc::new(Semaphore::new(CALLS_MAX));
    app.layer(from_fn(move |request: Request, next: Next| {
        let calls = Arc::clone(&calls);
        async move {
            // It is never closed; were it, the call would go unbounded.
            let _permit = calls.acquire().await;
            next.run(request).await
        }
    }))
}

async fn serve(listener: TcpListener, app: Router, mut stopped: watch::Receiver<bool>) {
    // Or answers of two segments wait for an acknowledgement.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    let stop = async move { drop(stopped.wait_for(|stopped| *stopped).await) };
    if let Err(error) = axum::serve(listener, app).with_graceful_shutdown(stop).await {
        tracing::error!("the server has ended: {error}");
    }
}
