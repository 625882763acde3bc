//! Waiting for conditions: tests run on slow machines beside other work.

use std::time::Duration;

/// How long anything may take before the case has failed; the sandbox machine is shared.
pub(crate) const EVENTUALLY_MAX: Duration = Duration::from_secs(60);

/// Waits until something holds.
pub(crate) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let waited = tokio::time::timeout(EVENTUALLY_MAX, async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    assert!(waited.await.is_ok(), "not within {EVENTUALLY_MAX:?}: {what}");
}
