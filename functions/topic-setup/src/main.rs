//! The wiring of the deploy-time function. Nothing is connected before there is somebody to tell what went wrong.

use std::process::ExitCode;

use aws_config::BehaviorVersion;
use bootstrap::{StartError, connect_admin, exit_code, time_left};
use kafka::Admin;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;
use topic_setup::{Sender, config::Config, handle};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    lambda_runtime::tracing::init_default_subscriber();
    exit_code("topic-setup", serve().await)
}

async fn serve() -> Result<(), Error> {
    let sender = &Sender::new();
    let handler = |event: LambdaEvent<Value>| async move {
        let left = time_left(event.context.deadline);
        // Boxed, or the whole of the SDK would be a part of this future's type.
        handle(event.payload, left, || Box::pin(connect()), sender).await.map_err(Error::from)
    };
    lambda_runtime::run(service_fn(handler)).await
}

/// In each invocation, not in the init phase: a variable or a secret that is wrong has to become an answer, or the stack
/// waits for one until its time is over.
async fn connect() -> Result<Admin, StartError> {
    let config = Config::from_env()?;
    let sdk = aws_config::load_defaults(BehaviorVersion::latest()).await;
    connect_admin(&config.kafka, &sdk).await
}
