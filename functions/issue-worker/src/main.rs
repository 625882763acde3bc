//! The wiring of the consumer function: configuration, clients, one handler. The flow is in the library.

use std::{process::ExitCode, time::Duration};

use aws_config::BehaviorVersion;
use bootstrap::{BrokerAway, ConnectedLog, exit_code};
use coupon_dynamodb::{DynamoStore, Tables};
use coupon_store::{Counted, Tokens};
use issue_worker::{Topics, Unfinished, Worker, clock::work_deadline, config::Config, metrics::Watch};
use kafka::{Compression, ProducerSettings};
use kafka_event::KafkaEvent;
use lambda_runtime::{Diagnostic, Error, LambdaEvent, service_fn};

/// Results come in batches: a few milliseconds of company save many requests to the broker.
const PRODUCER: ProducerSettings = ProducerSettings { linger: Duration::from_millis(2), compression: Compression::Lz4 };

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    lambda_runtime::tracing::init_default_subscriber();
    exit_code("issue-worker", serve().await)
}

async fn serve() -> Result<(), Error> {
    let (worker, watch) = &connect(Config::from_env()?).await?;
    let handler = |event: LambdaEvent<KafkaEvent>| async move {
        let deadline = work_deadline(event.context.deadline);
        let written_at = watch.written_at(&event.payload);
        let handled = worker.handle(event.payload, deadline).await;
        let published = if handled.is_ok() { written_at.as_slice() } else { &[] };
        watch.tell(worker.tally().take(), published);
        handled.map_err(report)
    };
    lambda_runtime::run(service_fn(handler)).await
}

async fn connect(config: Config) -> Result<(Worker<Counted<DynamoStore>, ConnectedLog>, Watch), Error> {
    let sdk = aws_config::load_defaults(BehaviorVersion::latest()).await;
    let tables = Tables { coupons: config.coupons_table, user_coupons: config.user_coupons_table };
    let store = Counted::new(DynamoStore::new(DynamoStore::client(&sdk), tables));
    let watch = Watch::new(config.metrics_namespace, store.counts());
    // Without a broker no result can be published, and so nothing may be decided.
    let check = (config.result_topic.as_str(), BrokerAway::EndsInit);
    let log = ConnectedLog::connect(config.kafka, &sdk, PRODUCER, check).await?;
    log.flush_on_shutdown().await;
    let topics = Topics { results: config.result_topic, dead_letters: config.dead_letter_topic };
    Ok((Worker::new(store, log, topics, Tokens::new()), watch))
}

/// What Lambda and the mapping see of a batch that has to come again; the runtime writes it into the log as well.
fn report(unfinished: Unfinished) -> Diagnostic {
    Diagnostic { error_type: "BatchUnfinished".into(), error_message: unfinished.to_string() }
}
