//! Ours without Lambda: the very libraries of both functions, the HTTP one behind the same server as A and B, the worker
//! in a consumer loop. No gateway, no environments, no mapping, so that a comparison is of architectures.

mod calls;
mod records;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use coupon_dynamodb::{DynamoStore, Tables};
use issue_api::{App, Clock, Settings};
use kafka::{Compression, Connection, ProducerSettings};
use tokio::sync::watch;
use tokio::task::JoinSet;

use self::calls::Calls;
use self::records::Records;
use crate::consume::Reading;
use crate::http::Authorize;
use crate::produce::producer;
use crate::system::{OUR_DEAD_LETTERS, OUR_GROUP, OUR_REQUESTS, OUR_RESULTS, System};

/// As the template has it.
const HEAD_CACHE: Duration = Duration::from_millis(250);
/// As the mapping has it.
const BATCH_MAX: usize = 1_000;
/// As the worker's `main` has it.
const WORKERS_PRODUCER: ProducerSettings =
    ProducerSettings { linger: Duration::from_millis(2), compression: Compression::Lz4 };

/// The routes.
pub(crate) async fn router(
    dynamodb: &aws_sdk_dynamodb::Client,
    kafka: &Connection,
    authorizer: Arc<dyn Authorize>,
) -> anyhow::Result<Router> {
    let producer = producer(kafka, ProducerSettings::default(), OUR_REQUESTS.name).await?;
    let settings = Settings { request_topic: OUR_REQUESTS.name.to_owned(), head_age_max: HEAD_CACHE };
    let app = App::new(store(dynamodb), producer, Clock::system(), settings);
    Ok(calls::router(Calls { app, authorizer }))
}

/// Starts the worker: a task for each partition, as the mapping invokes it for each side by side.
pub(crate) async fn consume(
    dynamodb: &aws_sdk_dynamodb::Client,
    kafka: &Connection,
    tasks: &mut JoinSet<()>,
    stopped: &watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let producer = producer(kafka, WORKERS_PRODUCER, OUR_RESULTS.name).await?;
    let work = Arc::new(Records::new(store(dynamodb), producer));
    let (topic, partitions) = (OUR_REQUESTS.name, OUR_REQUESTS.partitions);
    let reading = Reading { group: OUR_GROUP, topic, partitions, batch_max: BATCH_MAX };
    reading.each_partition(kafka, &work, tasks, stopped).await
}

fn store(dynamodb: &aws_sdk_dynamodb::Client) -> DynamoStore {
    let names = System::Ours.table_names();
    let tables = Tables { coupons: names.coupons.to_owned(), user_coupons: names.user_coupons.to_owned() };
    DynamoStore::new(dynamodb.clone(), tables)
}

/// The topics' names for the worker.
fn topics() -> issue_worker::Topics {
    issue_worker::Topics { results: OUR_RESULTS.name.to_owned(), dead_letters: OUR_DEAD_LETTERS.name.to_owned() }
}
