//! The wiring of the consumer function: configuration, clients, one handler. The flow is in the library.

use std::{process::ExitCode, sync::Arc, time::Duration};

use aws_config::BehaviorVersion;
use bootstrap::{BrokerAway, ConnectedLog};
use coupon_dynamodb::{DynamoStore, Tables};
use coupon_store::Tokens;
use issue_worker::{Topics, Unfinished, Worker, clock::work_deadline, config::Config};
use kafka::{Compression, ProducerSettings};
use kafka_event::KafkaEvent;
use lambda_runtime::{Diagnostic, Error, LambdaEvent, service_fn};

/// Results come in batches: a few milliseconds of company save many requests to the broker.
const PRODUCER: ProducerSettings = ProducerSettings { linger: Duration::from_millis(2), compression: Compression::Lz4 };

/// Lambda gives an environment about 500 ms between SIGTERM and SIGKILL.
const FLUSH_TIMEOUT: Duration = Duration::from_millis(400);

type DeployedWorker = Worker<DynamoStore, ConnectedLog>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    lambda_runtime::tracing::init_default_subscriber();
    match serve().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("issue-worker cannot start: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve() -> Result<(), Error> {
    let worker = Arc::new(connect(Config::from_env()?).await?);
    let flushed = Arc::clone(&worker);
    lambda_runtime::spawn_graceful_shutdown_handler(|| async move { flush(&flushed).await }).await;
    let worker = &worker;
    let handler = |event: LambdaEvent<KafkaEvent>| async move {
        let deadline = work_deadline(event.context.deadline);
        worker.handle(event.payload, deadline).await.map_err(report)
    };
    lambda_runtime::run(service_fn(handler)).await
}

async fn connect(config: Config) -> Result<DeployedWorker, Error> {
    let sdk = aws_config::load_defaults(BehaviorVersion::latest()).await;
    let tables = Tables { coupons: config.coupons_table, user_coupons: config.user_coupons_table };
    let store = DynamoStore::new(DynamoStore::client(&sdk), tables);
    let check = (config.result_topic.as_str(), BrokerAway::EndsInit);
    let log = ConnectedLog::connect(config.kafka, &sdk, PRODUCER, check).await?;
    let topics = Topics { results: config.result_topic, dead_letters: config.dead_letter_topic };
    Ok(Worker::new(store, log, topics, Tokens::new()))
}

/// What Lambda and the mapping see of a batch that has to come again; the runtime writes it into the log as well.
fn report(unfinished: Unfinished) -> Diagnostic {
    Diagnostic { error_type: "BatchUnfinished".into(), error_message: unfinished.to_string() }
}

async fn flush(worker: &DeployedWorker) {
    if let Err(error) = worker.log().flush(FLUSH_TIMEOUT).await {
        tracing::warn!(%error, "records were left in the queue");
    }
}
