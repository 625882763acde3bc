//! Time to decision, from the log: a result record's timestamp minus the moment its request was due. The status call
//! would tell it up to 250 ms late, since the API answers from a cached head; the log has the moment itself, by one
//! machine's clock where sandbox and load share it.

use std::time::Duration;

use coupon::IssueResult;
use kafka::{Connection, Reader};

use super::rush::Rush;
use crate::audit::Names;

/// Reads the result topic and adds each result's latency to the rush's figures.
///
/// # Errors
/// The broker does not answer.
pub async fn record(rush: &Rush, bootstrap_servers: &str) -> anyhow::Result<()> {
    let due = rush.due_by_user();
    let topic = Names::default().results;
    let reader = Reader::new(&Connection::plaintext(bootstrap_servers))?;
    let spans = reader.spans(&topic).await?;
    let mut seen = std::collections::BTreeSet::new();
    reader
        .read(&topic, &spans, |record| {
            let value = record.value.as_deref().unwrap_or_default();
            let Ok(result) = serde_json::from_slice::<IssueResult>(value) else { return };
            // Published again, it has a later timestamp; the first one was the decision.
            if result.coupon_id.as_str() != rush.coupon_id() || !seen.insert(result.request_id) {
                return;
            }
            if let Some(due_ms) = due.get(result.user_id.as_str()) {
                let ms = u64::try_from(record.timestamp_ms.saturating_sub(*due_ms)).unwrap_or(0);
                rush.record_decision(Duration::from_millis(ms));
            }
        })
        .await?;
    Ok(())
}
