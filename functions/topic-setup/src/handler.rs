//! One request of CloudFormation's, from the event to the answer. Whatever happens on the way becomes an answer, since
//! nobody else tells a stack that waits.

use std::{collections::BTreeSet, time::Duration};

use kafka::Admin;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    answer::Answer,
    request::{Envelope, names, topics},
    send::Sender,
    setup::ensure_all,
};

/// What is kept of every invocation for the answer.
const RESERVE: Duration = Duration::from_secs(20);

/// A request that was not answered: Lambda calls again, and then CloudFormation's own time runs out.
#[derive(Debug, thiserror::Error)]
pub enum Unanswered {
    /// There is no address to send an answer to.
    #[error("the event is no request of CloudFormation's: {0}")]
    Unaddressed(serde_json::Error),
    /// The answer was not taken.
    #[error("CloudFormation does not take the answer {answer}: {reason}")]
    Unsent {
        /// What it would have been told.
        answer: String,
        /// What came instead.
        reason: String,
    },
}

/// Does what one request asks, with a cluster that `connect` brings, and answers it, all within `left`.
///
/// # Errors
/// Nobody could be told what came of it.
pub async fn handle<E, F>(
    event: Value,
    left: Duration,
    connect: impl FnOnce() -> F + Send,
    sender: &Sender,
) -> Result<(), Unanswered>
where
    E: std::fmt::Display,
    F: Future<Output = Result<Admin, E>>,
{
    let envelope = Envelope::deserialize(event).map_err(Unanswered::Unaddressed)?;
    let reserve = RESERVE.min(left / 2);
    // Kept until the answer is sent: a client of a broker that is gone may take its time to end.
    let mut admin = None;
    let outcome = outcome(&envelope, left.saturating_sub(reserve), connect, &mut admin).await;
    match &outcome {
        Ok(done) => tracing::info!(done, "{} of topics", envelope.request_type),
        Err(why) => tracing::error!(why, "{} of topics failed", envelope.request_type),
    }
    let answer = Answer::new(&envelope, &outcome).to_json();
    let sent = sender.put(&envelope.response_url, &answer, reserve).await;
    drop(admin);
    sent.map_err(|reason| Unanswered::Unsent { answer, reason })
}

async fn outcome<E, F>(
    envelope: &Envelope,
    left: Duration,
    connect: impl FnOnce() -> F + Send,
    kept: &mut Option<Admin>,
) -> Result<String, String>
where
    E: std::fmt::Display,
    F: Future<Output = Result<Admin, E>>,
{
    match envelope.request_type.as_str() {
        "Create" | "Update" => {}
        "Delete" => return Ok("topics and their records are left as they are".into()),
        other => return Err(format!("RequestType is {other:?}: it takes Create, Update and Delete")),
    }
    let wanted = topics(&envelope.resource_properties)?;
    let mut last = String::new();
    let working = async {
        let admin = connect().await.map_err(|error| error.to_string())?;
        let admin = kept.insert(admin);
        ensure_all(admin, &wanted, &mut last).await.map_err(|error| error.to_string())
    };
    let done = match tokio::time::timeout(left, working).await {
        Ok(done) => done?.summary(),
        Err(_elapsed) if last.is_empty() => return Err(format!("the cluster did not answer within {left:?}")),
        Err(_elapsed) => return Err(format!("not done within {left:?}: {last}")),
    };
    let wanted: BTreeSet<String> = wanted.into_iter().map(|topic| topic.name).collect();
    let left_behind: Vec<String> = names(&envelope.old_resource_properties).difference(&wanted).cloned().collect();
    if left_behind.is_empty() {
        return Ok(done);
    }
    Ok(format!("{done}; no longer looked after, and left as they are: {}", left_behind.join(", ")))
}
