//! A Lambda function that answers 202 and does nothing: what `cargo local measure` compares the API function with, on
//! the same host, gateway and runtime.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run(service_fn(handle)).await
}

async fn handle(_event: LambdaEvent<Value>) -> Result<Value, Error> {
    Ok(json!({ "statusCode": 202, "headers": { "content-type": "application/json" }, "body": "{}" }))
}
