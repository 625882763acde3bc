//! What a rush came to: counts, and how long things took.
//!
//! Plain data; who records what is `rush.rs`, how it is shown `shown.rs`.

use std::collections::BTreeMap;

pub use load_generator::Latencies;
use serde::Serialize;

/// A winner, as told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Winner {
    /// The order among the issued.
    pub rank: u64,
    /// Who.
    pub user_id: String,
    /// The winning request.
    pub request_id: String,
}

/// Everything that a run counts.
#[derive(Debug, Clone, Serialize)]
pub struct Figures {
    /// People who asked.
    pub users: u64,
    /// Those who were given a ticket, or the coupon itself.
    pub accepted: u64,
    /// Those who were refused before the queue, by code.
    pub refused: BTreeMap<String, u64>,
    /// Those who never got an answer of either kind, or never an outcome, by what they met last.
    pub errors: BTreeMap<String, u64>,
    /// Requests that were repeated after a 503, a 429 or a lost connection; no error by themselves.
    pub repeated: u64,
    /// People who hold a coupon. Whoever had to ask again may be told so by `ALREADY_ISSUED`.
    pub issued: u64,
    /// People who know how it ended for them: refused, an outcome, or given up.
    pub ended: u64,
    /// Tickets that came to none, by reason.
    pub rejected: BTreeMap<String, u64>,
    /// From the first moment to the last outcome.
    pub seconds: f64,
    /// From when a request was due to its 202 or 201.
    pub accept_ms: Latencies,
    /// From when a request was due to its refusal.
    pub refuse_ms: Latencies,
    /// From when a request was due to its result in the result topic; empty where no broker was given.
    pub decision_ms: Latencies,
    /// From when a request was due to the terminal status, for the people who poll finely.
    pub told_ms: Latencies,
    /// Who won, ascending by rank.
    #[serde(skip)]
    pub winners: Vec<Winner>,
}

impl Figures {
    /// Nothing yet.
    ///
    /// # Errors
    /// As [`Latencies::new`].
    pub fn new() -> anyhow::Result<Self> {
        Ok(Self {
            users: 0,
            accepted: 0,
            refused: BTreeMap::new(),
            errors: BTreeMap::new(),
            repeated: 0,
            issued: 0,
            ended: 0,
            rejected: BTreeMap::new(),
            seconds: 0.0,
            accept_ms: Latencies::new()?,
            refuse_ms: Latencies::new()?,
            decision_ms: Latencies::new()?,
            told_ms: Latencies::new()?,
            winners: Vec::new(),
        })
    }

    /// How many got no answer or no outcome.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.errors.values().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_latency_at_all_is_null() {
        let json = serde_json::to_value(Figures::new().unwrap()).unwrap();
        assert_eq!(json["accept_ms"], serde_json::Value::Null);
    }
}
