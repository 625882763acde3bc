//! The faults of a function's environments that can be asked for: all killed, none to start, all stopped where they are.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::join_all;

use super::Pool;
use crate::process::Child;

impl Pool {
    /// Kills all environments, whatever they do. The next request starts new ones.
    pub(in crate::lambda) async fn crash(&self) {
        join_all(self.environments().iter().map(|environment| environment.crash())).await;
    }

    /// Lets no environment start for a while.
    pub(in crate::lambda) fn hold(self: &Arc<Self>, duration: Duration) {
        self.state().holds += 1;
        self.later(duration, |pool| async move {
            let mut state = pool.state();
            state.holds -= 1;
            // Those that were frozen between an answer and their next question are about to ask it.
            pool.start_needed(&mut state, pool.finishing.load(Ordering::SeqCst));
        });
    }

    /// Stops all environments where they are for a while, and lets none start meanwhile.
    pub(in crate::lambda) async fn freeze(self: &Arc<Self>, duration: Duration) {
        self.state().freezes += 1;
        self.hold(duration);
        join_all(self.environments().iter().filter_map(|environment| environment.child()).map(Child::freeze)).await;
        self.later(duration, |pool| async move { pool.thaw().await });
    }

    /// Does something after a while, if the pool is still there then.
    fn later<F: Future<Output = ()> + Send>(
        self: &Arc<Self>,
        duration: Duration,
        act: impl FnOnce(Arc<Self>) -> F + Send + 'static,
    ) {
        let pool = Arc::downgrade(self);
        tokio::spawn(async move {
            tokio::time::sleep(duration).await;
            if let Some(pool) = pool.upgrade() {
                act(pool).await;
            }
        });
    }

    async fn thaw(&self) {
        let frozen = {
            let mut state = self.state();
            state.freezes -= 1;
            state.freezes > 0
        };
        if !frozen {
            join_all(self.environments().iter().filter_map(|environment| environment.child()).map(Child::thaw)).await;
        }
    }

    pub(in crate::lambda) fn is_frozen(&self) -> bool {
        self.state().freezes > 0
    }
}
