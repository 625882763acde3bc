//! The wiring of the HTTP function: configuration, clients, one handler. The flow is in the library.

use std::process::ExitCode;

use aws_config::BehaviorVersion;
use bootstrap::{BrokerAway, ConnectedLog, exit_code};
use coupon_dynamodb::{DynamoStore, Tables};
use coupon_store::Counted;
use issue_api::{Answer, App, Call, Clock, Settings, clock::timed, config::Config, metrics::Watch};
use kafka::ProducerSettings;
use lambda_runtime::{Error, LambdaEvent, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    lambda_runtime::tracing::init_default_subscriber();
    exit_code("issue-api", serve().await)
}

async fn serve() -> Result<(), Error> {
    let (app, watch) = &connect(Config::from_env()?).await?;
    let handler = |event: LambdaEvent<Call>| async move {
        let (answer, took) = timed(app.handle(&event.payload)).await;
        watch.tell(&answer, took);
        Ok::<Answer, Error>(answer)
    };
    lambda_runtime::run(service_fn(handler)).await
}

async fn connect(config: Config) -> Result<(App<Counted<DynamoStore>, ConnectedLog>, Watch), Error> {
    let sdk = aws_config::load_defaults(BehaviorVersion::latest()).await;
    let tables = Tables { coupons: config.coupons_table, user_coupons: config.user_coupons_table };
    let store = Counted::new(DynamoStore::new(DynamoStore::client(&sdk), tables));
    let watch = Watch::new(config.metrics_namespace, store.counts());
    // Reads can be answered without a broker.
    let check = (config.request_topic.as_str(), BrokerAway::IsLogged);
    let log = ConnectedLog::connect(config.kafka, &sdk, ProducerSettings::default(), check).await?;
    log.flush_on_shutdown().await;
    let settings = Settings { request_topic: config.request_topic, head_age_max: config.head_cache };
    Ok((App::new(store, log, Clock::system(), settings), watch))
}
