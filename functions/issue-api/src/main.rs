//! The wiring of the HTTP function: configuration, clients, one handler. The flow is in the library.

use std::{process::ExitCode, sync::Arc, time::Duration};

use aws_config::BehaviorVersion;
use bootstrap::{BrokerAway, ConnectedLog};
use coupon_dynamodb::{DynamoStore, Tables};
use issue_api::{Answer, App, Call, Clock, Settings, config::Config};
use kafka::ProducerSettings;
use lambda_runtime::{Error, LambdaEvent, service_fn};

/// Lambda gives an environment about 500 ms between SIGTERM and SIGKILL.
const FLUSH_TIMEOUT: Duration = Duration::from_millis(400);

type DeployedApp = App<DynamoStore, ConnectedLog>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    lambda_runtime::tracing::init_default_subscriber();
    match serve().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("issue-api cannot start: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve() -> Result<(), Error> {
    let app = Arc::new(connect(Config::from_env()?).await?);
    let flushed = Arc::clone(&app);
    lambda_runtime::spawn_graceful_shutdown_handler(|| async move { flush(&flushed).await }).await;
    let app = &app;
    let handler = |event: LambdaEvent<Call>| async move { Ok::<Answer, Error>(app.handle(&event.payload).await) };
    lambda_runtime::run(service_fn(handler)).await
}

async fn connect(config: Config) -> Result<DeployedApp, Error> {
    let sdk = aws_config::load_defaults(BehaviorVersion::latest()).await;
    let tables = Tables { coupons: config.coupons_table, user_coupons: config.user_coupons_table };
    let store = DynamoStore::new(DynamoStore::client(&sdk), tables);
    // Reads can be answered without a broker.
    let check = (config.request_topic.as_str(), BrokerAway::IsLogged);
    let log = ConnectedLog::connect(config.kafka, &sdk, ProducerSettings::default(), check).await?;
    let settings = Settings { request_topic: config.request_topic, head_age_max: config.head_cache };
    Ok(App::new(store, log, Clock::system(), settings))
}

async fn flush(app: &DeployedApp) {
    if let Err(error) = app.log().flush(FLUSH_TIMEOUT).await {
        tracing::warn!(%error, "records were left in the queue");
    }
}
