//! The Lambda host: runs real function binaries as Lambda does, one request at a time in each environment, and takes
//! requests through the Invoke API.
//!
//! It knows no coupon and no Kafka; any function that speaks the Runtime API runs here. Follow a request through
//! `invoke_api.rs` (the caller), `pool.rs` (who runs it), `environment.rs` (one process) and `runtime_api.rs` (what that
//! process sees).

mod environment;
mod extensions;
mod function;
mod invocation;
mod invoke_api;
mod pool;
mod runtime_api;
mod usage;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use futures_util::future::join_all;
use tokio::net::TcpListener;

pub use self::function::{ACCOUNT_ID, FunctionSpec, REGION, VERSION};
use self::invoke_api::InvokeApi;
pub use self::invoke_api::{PAYLOAD_BYTES_MAX, USAGE_PATH};
use self::pool::Pool;
pub use self::usage::Usage;
use crate::process::Spawner;
use crate::serve::Server;

/// How long running invocations may go on once the host is asked to stop.
const STOP_GRACE: Duration = Duration::from_secs(2);

/// A running host. Dropped, its environments are killed.
#[derive(Debug)]
pub struct LambdaHost {
    server: Server,
    pools: Arc<BTreeMap<String, Arc<Pool>>>,
}

/// The host has no function of this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no function {name}; this host has {known}")]
pub struct UnknownFunction {
    name: String,
    known: String,
}

impl LambdaHost {
    /// Serves these functions at the listener. No environment starts before it is needed.
    ///
    /// # Errors
    /// The listener has no address.
    pub fn start(listener: TcpListener, functions: Vec<FunctionSpec>, spawner: &Spawner) -> anyhow::Result<Self> {
        let pools = functions.into_iter().map(|spec| (spec.name.clone(), Pool::new(spec, spawner.clone())));
        let pools = Arc::new(pools.collect::<BTreeMap<_, _>>());
        let server =
            Server::start(listener, InvokeApi::new(Arc::clone(&pools))).context("the Lambda host's listener")?;
        Ok(Self { server, pools })
    }

    /// Where the Invoke API is.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Refuses new requests, lets running ones finish for two seconds, and ends all environments as Lambda does.
    pub async fn stop(self) {
        for pool in self.pools.values() {
            pool.close();
        }
        self.server.stop(STOP_GRACE).await;
        join_all(self.pools.values().map(|pool| pool.stop())).await;
    }

    /// Stops the environments of a function where they are, and lets none start; goes on after `duration`. The freeze
    /// holds when this returns. An invocation's time limit goes on meanwhile.
    ///
    /// # Errors
    /// There is no such function.
    pub async fn freeze(&self, name: &str, duration: Duration) -> Result<(), UnknownFunction> {
        self.pool(name)?.freeze(duration).await;
        Ok(())
    }

    /// Kills the environments of a function in whatever they do. The next request starts new ones.
    ///
    /// # Errors
    /// There is no such function.
    pub async fn crash(&self, name: &str) -> Result<(), UnknownFunction> {
        self.pool(name)?.crash().await;
        Ok(())
    }

    /// Kills the environments of a function and lets none start for `duration`. Requests wait for it to end, as they do
    /// when all environments are busy.
    ///
    /// # Errors
    /// There is no such function.
    pub async fn down(&self, name: &str, duration: Duration) -> Result<(), UnknownFunction> {
        let pool = self.pool(name)?;
        pool.hold(duration);
        pool.crash().await;
        Ok(())
    }

    /// The processes of a function's environments at this moment.
    ///
    /// # Errors
    /// There is no such function.
    pub fn pids(&self, name: &str) -> Result<Vec<i32>, UnknownFunction> {
        Ok(self.pool(name)?.pids())
    }

    fn pool(&self, name: &str) -> Result<&Arc<Pool>, UnknownFunction> {
        self.pools.get(name).ok_or_else(|| UnknownFunction {
            name: name.to_owned(),
            known: self.pools.keys().cloned().collect::<Vec<_>>().join(", "),
        })
    }
}
