//! Failed invocations: C19, C23, C27, C29 to C33, C36, C38, C41, C43, C44, C58.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::function::{Call, Function};
use crate::support::world::{Entry, create_topic, stop};
use crate::support::{Reply, World, eventually};

const SQS: &str = "arn:aws:sqs:us-east-1:123456789012:failed";
const S3: &str = "arn:aws:s3:::failed";

fn text(partition: i32, value: &str) -> Entry {
    Entry { partition, value: Some(value.as_bytes().to_vec()), ..Entry::default() }
}

/// A world whose destination is an address that takes payloads.
async fn with_destination(
    arn: &str,
    responder: impl Fn(usize, &Call) -> Reply + Send + Sync + 'static,
) -> (World, Function) {
    let taker = Function::start_anywhere().await;
    let world = World::new(responder).await;
    let destinations = json!({arn: taker.url});
    let world = world.set("Emulator.destinations", destinations);
    (world.set("DestinationConfig", json!({"OnFailure": {"Destination": arn}})), taker)
}

#[tokio::test(flavor = "multi_thread")]
async fn c19_the_named_record_comes_again_and_holds_its_partition() {
    let world = World::new(|number, call| match number {
        0 => Reply::failures(&[(call.offsets().keys().next().unwrap(), 2)]),
        _ => Reply::ok().after(Duration::from_millis(800)),
    });
    let world = world.await;
    world.write_many(0, 5).await;
    let running = world.start().await;
    let calls = world.wait_calls(2).await;
    assert_eq!(calls[1].offsets(), [(world.key(0), vec![2])].into());
    world.wait_committed(0, 2).await;
    world.wait_committed(0, 5).await;
    stop(running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c23_c27_c31_a_failed_batch_comes_again_as_it_was() {
    let world = World::new(|number, _| match number {
        0 => Reply::failures(&[("elsewhere-0", 0)]),
        1 => Reply { body: r#"{"batchItemFailures":[]}"#.into(), ..Reply::error() },
        2 => Reply::status(500),
        3 => Reply::status(429),
        _ => Reply::ok(),
    });
    let world = world.await;
    world.write_many(0, 3).await;
    let running = world.start().await;
    let calls = world.wait_calls(5).await;
    assert!(calls.iter().all(|call| call.event == calls[0].event));
    world.wait_committed(0, 3).await;
    let metrics = stop(running).await;
    assert_eq!(
        (metrics.invoked_event_count, metrics.failed_invoke_event_count, metrics.invoke_error_count),
        (15, 12, 4)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn c29_c32_a_time_out_is_a_function_error_and_an_exhausted_batch_is_dropped() {
    let world = World::new(|_, _| Reply::ok().after(Duration::from_secs(8))).await;
    let world = world.set("MaximumRetryAttempts", 0).set("Emulator.function_timeout_seconds", 1);
    world.write_many(0, 3).await;
    let running = world.start().await;
    world.wait_committed(0, 3).await;
    assert_eq!(world.function.calls().len(), 1);
    assert_eq!(stop(running).await.dropped_event_count, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn c33_c58_an_exhausted_batch_is_one_message_before_it_is_committed() {
    let (world, taker) = with_destination(SQS, |_, _| Reply::error()).await;
    let world = world.set("MaximumRetryAttempts", 3);
    world.write_many(0, 2).await;
    let running = world.start().await;
    world.wait_committed(0, 2).await;
    assert_eq!((world.function.calls().len(), taker.calls().len()), (4, 1));
    let message = taker.calls()[0].event.clone();
    assert_eq!(message["requestContext"]["condition"], "RetryAttemptsExhausted");
    assert_eq!(message["requestContext"]["approximateInvokeCount"], 4);
    assert_eq!(message["responseContext"]["functionError"], "Unhandled");
    let batch = &message["KafkaBatchInfo"];
    assert_eq!((&batch["batchSize"], batch.get("payload")), (&json!(2), None));
    let span = &batch["recordsInfo"][world.key(0)];
    assert_eq!((&span["firstRecordOffset"], &span["lastRecordOffset"]), (&json!("0"), &json!("1")));
    let metrics = stop(running).await;
    let counts = (metrics.polled_event_count, metrics.invoked_event_count, metrics.failed_invoke_event_count);
    assert_eq!(counts, (2, 8, 8));
    let given_up = (metrics.on_failure_destination_delivered_event_count, metrics.dropped_event_count);
    assert_eq!((given_up, metrics.sum_offset_lag), ((2, 0), 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn c36_c38_bisecting_delivers_the_poison_alone() {
    let poisoned = |call: &Call| call.records().iter().any(|record| record["value"] == json!("cG9pc29u"));
    let (world, taker) =
        with_destination(SQS, move |_, call| if poisoned(call) { Reply::error() } else { Reply::ok() }).await;
    let world = world.set("MaximumRetryAttempts", 2).set("BisectBatchOnFunctionError", true);
    for partition in 0..2 {
        for number in 0..4 {
            world.write(text(partition, if (partition, number) == (0, 2) { "poison" } else { "good" })).await;
        }
    }
    let running = world.start().await;
    world.wait_committed(0, 4).await;
    world.wait_committed(1, 4).await;
    let alone = world.function.calls().iter().filter(|call| poisoned(call) && call.records().len() == 1).count();
    assert_eq!(alone, 3);
    assert_eq!(taker.calls().len(), 1);
    assert_eq!(taker.calls()[0].event["KafkaBatchInfo"]["batchSize"], 1);
    assert_eq!(taker.calls()[0].event["KafkaBatchInfo"]["recordsInfo"][world.key(0)]["firstRecordOffset"], "2");
    stop(running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c43_s3_receives_the_event_as_text() {
    let (world, taker) = with_destination(S3, |_, _| Reply::error()).await;
    let world = world.set("MaximumRetryAttempts", 0);
    world.write_many(0, 2).await;
    let running = world.start().await;
    world.wait_committed(0, 2).await;
    let message = taker.calls()[0].event.clone();
    let event: Value = serde_json::from_str(message["payload"].as_str().unwrap()).unwrap();
    assert_eq!(event, world.function.calls()[0].event);
    stop(running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c44_an_unreachable_destination_costs_the_records_and_nothing_else() {
    let world = World::new(|number, _| if number == 0 { Reply::error() } else { Reply::ok() }).await;
    let world = world
        .set("Emulator.destinations", json!({SQS: "http://127.0.0.1:1/"}))
        .set("DestinationConfig", json!({"OnFailure": {"Destination": SQS}}))
        .set("MaximumRetryAttempts", 0);
    world.write_many(0, 3).await;
    let running = world.start().await;
    world.wait_committed(0, 3).await;
    world.write(text(0, "next")).await;
    world.wait_committed(0, 4).await;
    let metrics = stop(running).await;
    assert_eq!((metrics.destination_delivery_failures, metrics.dropped_event_count), (1, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn c41_a_topic_receives_a_message_for_each_record() {
    let world = World::new(|_, _| Reply::error()).await;
    let target = format!("{}-dlq", world.topic);
    create_topic(&target, 1).await;
    let world = world
        .set("DestinationConfig", json!({"OnFailure": {"Destination": format!("kafka://{target}")}}))
        .set("MaximumRetryAttempts", 0);
    world.write(Entry { key: Some(b"k".to_vec()), ..text(0, "a") }).await;
    world.write(text(0, "b")).await;
    let running = world.start().await;
    world.wait_committed(0, 2).await;
    let messages = world.read_all(&target, 2).await;
    assert_eq!(messages.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>(), [Some(b"k".to_vec()), None]);
    for (offset, (_, message)) in messages.iter().enumerate() {
        assert_eq!(message["requestContext"]["condition"], "RetriesExhausted");
        assert_eq!(message["KafkaBatchInfo"]["recordInfo"]["offset"], json!(offset.to_string()));
        assert_eq!(message["payload"]["records"][world.key(0)][0]["offset"], json!(offset));
    }
    stop(running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c42_a_destination_topic_that_does_not_exist_is_refused_at_the_start() {
    let world = World::new(|_, _| Reply::ok()).await;
    let world = world.set("DestinationConfig", json!({"OnFailure": {"Destination": "kafka://nowhere"}}));
    assert!(world.refusal().await.contains("nowhere does not exist"));
    let world = World::new(|_, _| Reply::ok()).await.set("Topics", json!(["not-there"]));
    assert!(world.refusal().await.contains("Topics: the topic not-there does not exist"));
}

#[tokio::test(flavor = "multi_thread")]
async fn c31_a_function_that_is_not_there_is_waited_for() {
    let world = World::new(|_, _| Reply::ok()).await.set("MaximumRetryAttempts", 0);
    world.write_many(0, 2).await;
    let mut elsewhere = World::new(|_, _| Reply::ok()).await;
    elsewhere.function.url = "http://127.0.0.1:1/2015-03-31/functions/worker/invocations".into();
    elsewhere.write_many(0, 2).await;
    let running = elsewhere.start().await;
    eventually("several attempts", async || running.metrics().await.invoke_error_count > 3).await;
    assert_eq!(elsewhere.committed(0).await, None);
    let metrics = stop(running).await;
    assert_eq!((metrics.dropped_event_count, metrics.max_offset_lag), (0, 2));
}
