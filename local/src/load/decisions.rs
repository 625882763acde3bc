//! Time to decision, from the log: a result record's timestamp minus the moment its request was due. The status call
//! would tell it up to 250 ms late, since the API answers from a cached head; the log has the moment itself, by one
//! machine's clock where sandbox and load share it.

use std::collections::BTreeMap;
use std::time::Duration;

use coupon::IssueResult;
use kafka::{Connection, Reader};

use super::rush::Rush;
use crate::audit::Names;

/// When requests were decided, by coupon and ticket, in ms since 1970.
#[derive(Debug, Clone, Default)]
pub struct Decided(BTreeMap<(String, String), (String, i64)>);

impl Decided {
    /// One decision, for who tests what is made of it.
    #[cfg(test)]
    pub(crate) fn one(coupon_id: &str, ticket: &str, at_ms: i64) -> Self {
        Self([((coupon_id.to_owned(), ticket.to_owned()), ("user-0".to_owned(), at_ms))].into())
    }

    /// When a ticket was decided.
    #[must_use]
    pub fn at(&self, coupon_id: &str, ticket: &str) -> Option<i64> {
        self.0.get(&(coupon_id.to_owned(), ticket.to_owned())).map(|(_user, at_ms)| *at_ms)
    }
}

/// Reads the result topic.
///
/// # Errors
/// The broker does not answer.
pub async fn read(bootstrap_servers: &str) -> anyhow::Result<Decided> {
    let topic = Names::default().results;
    let reader = Reader::new(&Connection::plaintext(bootstrap_servers))?;
    let spans = reader.spans(&topic).await?;
    let mut decided = Decided::default();
    reader
        .read(&topic, &spans, |record| {
            let value = record.value.as_deref().unwrap_or_default();
            let Ok(result) = serde_json::from_slice::<IssueResult>(value) else { return };
            let key = (result.coupon_id.to_string(), result.request_id.to_string());
            // Published again, it has a later timestamp; the first one was the decision.
            decided.0.entry(key).or_insert_with(|| (result.user_id.to_string(), record.timestamp_ms));
        })
        .await?;
    Ok(decided)
}

/// Reads the result topic and adds each result's latency to the rush's figures.
///
/// # Errors
/// The broker does not answer.
pub async fn record(rush: &Rush, bootstrap_servers: &str) -> anyhow::Result<()> {
    let due = rush.due_by_user();
    for ((coupon_id, _ticket), (user_id, at_ms)) in read(bootstrap_servers).await?.0 {
        if let (true, Some(due_ms)) = (coupon_id == rush.coupon_id(), due.get(&user_id)) {
            let ms = u64::try_from(at_ms.saturating_sub(*due_ms)).unwrap_or(0);
            rush.record_decision(Duration::from_millis(ms));
        }
    }
    Ok(())
}
