//! Records that are given up, and where they go: C15, C32 to C44, C58.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::function::{Call, Function};
use crate::support::world::{Entry, stop};
use crate::support::{Gate, Reply, World};

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
    with_taker(arn, Reply::ok(), responder).await
}

/// The same with a destination that answers so.
async fn with_taker(
    arn: &str,
    answer: Reply,
    responder: impl Fn(usize, &Call) -> Reply + Send + Sync + 'static,
) -> (World, Function) {
    let taker = Function::start(move |_, _| answer.clone()).await;
    let world = World::new(responder).await;
    let world = world.set("Emulator.destinations", json!({arn: taker.url}));
    (world.set("DestinationConfig", json!({"OnFailure": {"Destination": arn}})), taker)
}

#[tokio::test(flavor = "multi_thread")]
async fn c15_a_record_that_fits_into_no_request_leaves_alone() {
    let (world, taker) = with_destination(SQS, |_, _| Reply::ok()).await;
    // Base64 makes it more than six megabytes.
    world.write(text(0, &"x".repeat(4_800_000))).await;
    world.write(text(0, "next")).await;
    let running = world.start().await;
    world.wait_committed(0, 2).await;
    assert_eq!(world.function.places(), [(world.key(0), 1)]);
    let message = taker.calls()[0].event.clone();
    assert_eq!(message["requestContext"]["condition"], "MaximumPayloadSizeExceeded");
    assert_eq!(message.get("responseContext"), Some(&Value::Null));
    assert_eq!(message["KafkaBatchInfo"]["recordsInfo"][world.key(0)]["firstRecordOffset"], "0");
    let metrics = stop(running).await;
    assert_eq!((metrics.on_failure_destination_delivered_event_count, metrics.dropped_event_count), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn c32_without_retries_and_destination_a_failed_batch_is_dropped() {
    let world = World::new(|_, _| Reply::error()).await.set("MaximumRetryAttempts", 0);
    world.write_many(0, 3).await;
    let running = world.start().await;
    world.wait_committed(0, 3).await;
    assert_eq!(world.function.calls().len(), 1);
    assert_eq!(stop(running).await.dropped_event_count, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn c33_c58_an_exhausted_batch_is_one_message_before_it_is_committed() {
    let gate = Gate::closed();
    let (world, taker) = with_taker(SQS, Reply::ok().behind(&gate), |_, _| Reply::error()).await;
    let world = world.set("MaximumRetryAttempts", 3);
    world.write_many(0, 2).await;
    let running = world.start().await;
    taker.wait_calls(1).await;
    for _ in 0..20 {
        assert_eq!(world.committed(0).await, None, "not before the destination has it");
    }
    gate.open();
    world.wait_committed(0, 2).await;
    assert_eq!((world.function.calls().len(), taker.calls().len()), (4, 1));
    let message = taker.calls()[0].event.clone();
    assert_eq!(message["requestContext"]["condition"], "RetryAttemptsExhausted");
    assert_eq!(message["requestContext"]["approximateInvokeCount"], 4);
    assert_eq!(message["responseContext"]["functionError"], "Unhandled");
    let batch = &message["KafkaBatchInfo"];
    assert_eq!((&batch["batchSize"], message.get("payload")), (&json!(2), None));
    let span = &batch["recordsInfo"][world.key(0)];
    assert_eq!((&span["firstRecordOffset"], &span["lastRecordOffset"]), (&json!("0"), &json!("1")));
    let metrics = stop(running).await;
    let counts = (metrics.polled_event_count, metrics.invoked_event_count, metrics.failed_invoke_event_count);
    assert_eq!(counts, (2, 8, 8));
    let given_up = (metrics.on_failure_destination_delivered_event_count, metrics.dropped_event_count);
    assert_eq!((given_up, metrics.sum_offset_lag), ((2, 0), 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn c34_c35_for_ever_ends_after_eleven_invocations_where_there_is_a_destination() {
    let (world, taker) = with_destination(SQS, |_, _| Reply::error()).await;
    world.write_many(0, 2).await;
    let running = world.start().await;
    world.wait_committed(0, 2).await;
    let calls = world.function.calls();
    assert_eq!((calls.len(), taker.calls().len()), (11, 1));
    for (pair, seconds) in calls.windows(2).zip([1, 2, 4, 8, 16, 30, 30, 30, 30, 30]) {
        let (waited, least) = (pair[1].began - pair[0].ended.unwrap(), Duration::from_millis(seconds * 10 * 8 / 10));
        assert!(waited >= least, "{waited:?} of at least {least:?}");
    }
    stop(running).await;
    let world = World::new(|_, _| Reply::error()).await;
    world.write_many(0, 2).await;
    let running = world.start().await;
    world.wait_calls(13).await;
    assert_eq!(world.committed(0).await, None);
    assert_eq!(stop(running).await.dropped_event_count, 0);
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
    let calls = world.function.calls();
    let alone = calls.iter().filter(|call| poisoned(call) && call.records().len() == 1).count();
    assert_eq!(alone, 3);
    for (partition, expected) in [(0, vec![0, 1, 3]), (1, vec![0, 1, 2, 3])] {
        let done =
            calls.iter().filter(|call| !poisoned(call)).filter_map(|call| call.offsets().remove(&world.key(partition)));
        assert_eq!(done.flatten().collect::<Vec<_>>(), expected, "once each, and in order");
    }
    assert_eq!(taker.calls().len(), 1);
    assert_eq!(taker.calls()[0].event["KafkaBatchInfo"]["batchSize"], 1);
    assert_eq!(taker.calls()[0].event["KafkaBatchInfo"]["recordsInfo"][world.key(0)]["firstRecordOffset"], "2");
    stop(running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c37_a_partial_response_is_never_halved() {
    let world = World::new(|number, call| match number {
        0 => Reply::failures(&[1, 2, 3].map(|offset| (call.first_key(), offset))),
        _ => Reply::ok(),
    });
    let world = world.await.set("BisectBatchOnFunctionError", true);
    world.write_many(0, 4).await;
    let running = world.start().await;
    let calls = world.wait_calls(2).await;
    assert_eq!(calls[1].offsets(), [(world.key(0), vec![1, 2, 3])].into());
    stop(running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c39_a_record_that_is_too_old_is_never_invoked() {
    let (world, taker) = with_destination(SQS, |_, _| Reply::ok()).await;
    let world = world.set("MaximumRecordAgeInSeconds", 3600);
    world.write(Entry { timestamp: Some(1_000_000), ..text(0, "old") }).await;
    world.write(text(0, "young")).await;
    let running = world.start().await;
    world.wait_committed(0, 2).await;
    assert_eq!(world.function.places(), [(world.key(0), 1)]);
    let message = taker.calls()[0].event.clone();
    assert_eq!(message["requestContext"]["condition"], "RecordAgeExceeded");
    assert_eq!(message.get("responseContext"), Some(&Value::Null));
    assert_eq!(message["KafkaBatchInfo"]["recordsInfo"][world.key(0)]["lastRecordOffset"], "0");
    stop(running).await;
}

/// The least age is a minute, most of which the record has behind it when it is written.
#[tokio::test(flavor = "multi_thread")]
async fn c40_a_record_that_grows_too_old_during_its_retries_leaves_and_the_others_go_on() {
    let has = |call: &Call, offset: i64| call.offsets().values().flatten().any(|found| *found == offset);
    let (world, taker) =
        with_destination(SQS, move |_, call| if has(call, 0) { Reply::error() } else { Reply::ok() }).await;
    let world = world.set("MaximumRecordAgeInSeconds", 60).set("MaximumRetryAttempts", 10_000);
    // First, for its time passes while a group is joined.
    let running = world.start().await;
    let written = time::OffsetDateTime::now_utc() - Duration::from_secs(54);
    let timestamp = i64::try_from(written.unix_timestamp_nanos() / 1_000_000).unwrap();
    world.write(Entry { timestamp: Some(timestamp), ..text(0, "old") }).await;
    world.write(text(0, "young")).await;
    world.wait_committed(0, 2).await;
    let calls = world.function.calls();
    let tries = calls.iter().filter(|call| has(call, 0)).count();
    assert!(tries > 1, "it was tried again: {tries}");
    assert_eq!(calls.last().unwrap().offsets(), [(world.key(0), vec![1])].into(), "and then without it");
    let message = taker.calls()[0].event.clone();
    assert_eq!(message["requestContext"]["condition"], "RecordAgeExceeded");
    let span = &message["KafkaBatchInfo"]["recordsInfo"][world.key(0)];
    assert_eq!((&span["firstRecordOffset"], &span["lastRecordOffset"]), (&json!("0"), &json!("0")));
    let metrics = stop(running).await;
    assert_eq!((metrics.on_failure_destination_delivered_event_count, metrics.dropped_event_count), (1, 0));
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
    let (world, target) = World::new(|_, _| Reply::error()).await.with_topic_destination(1).await;
    let world = world.set("MaximumRetryAttempts", 0);
    world.write(Entry { key: Some(b"k".to_vec()), ..text(0, "a") }).await;
    world.write(text(0, "b")).await;
    let running = world.start().await;
    world.wait_committed(0, 2).await;
    let messages = world.read_all(&target, 2).await;
    assert_eq!(messages.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>(), [Some(b"k".to_vec()), None]);
    for (offset, (_, message)) in messages.iter().enumerate() {
        assert_eq!(message["requestContext"]["condition"], "RetriesExhausted");
        let arn = "arn:aws:lambda:us-east-1:123456789012:function:worker:$LATEST";
        assert_eq!(message["requestContext"]["functionArn"], arn);
        assert_eq!(message["KafkaBatchInfo"]["recordInfo"]["offset"], json!(offset.to_string()));
        assert_eq!(message["payload"]["records"][world.key(0)][0]["offset"], json!(offset));
    }
    stop(running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c41_a_topic_receives_a_key_where_kafkas_own_producers_put_it() {
    const PARTITIONS: i32 = 8;
    let (world, target) = World::new(|_, _| Reply::error()).await.with_topic_destination(PARTITIONS).await;
    let world = world.set("MaximumRetryAttempts", 0);
    let keys: Vec<String> = (0..40).map(|number| format!("key-{number}")).collect();
    for key in &keys {
        world.write(Entry { key: Some(key.clone().into_bytes()), ..text(0, "x") }).await;
    }
    let running = world.start().await;
    world.wait_committed(0, 40).await;
    stop(running).await;
    for partition in 0..PARTITIONS {
        let is_its = |key: &&String| kafka::partition_of(key.as_bytes(), PARTITIONS) == partition;
        let count = i64::try_from(keys.iter().filter(is_its).count()).unwrap();
        assert_eq!(world.end(&target, partition).await, count, "partition {partition}");
    }
}

/// What fits into an invocation, and what does not, for a topic takes what its own limit allows.
#[tokio::test(flavor = "multi_thread")]
async fn c41_a_topic_receives_records_as_large_as_it_allows() {
    const BYTES: [usize; 3] = [800_000, 4_600_000, 4_800_000];
    let (world, target) = World::new(|_, _| Reply::error()).await.with_topic_destination(1).await;
    let world = world.set("MaximumRetryAttempts", 0);
    for bytes in BYTES {
        world.write(text(0, &"x".repeat(bytes))).await;
    }
    let running = world.start().await;
    world.wait_committed(0, 3).await;
    let metrics = stop(running).await;
    assert_eq!((metrics.on_failure_destination_delivered_event_count, metrics.dropped_event_count), (3, 0));
    for ((_, message), bytes) in world.read_all(&target, 3).await.into_iter().zip(BYTES) {
        let value = message["payload"]["records"][world.key(0)][0]["value"].as_str().unwrap();
        assert_eq!(value.len(), bytes.div_ceil(3) * 4, "all of it, in base64");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c42_a_destination_topic_that_does_not_exist_is_refused_at_the_start() {
    let world = World::new(|_, _| Reply::ok()).await;
    let world = world.set("DestinationConfig", json!({"OnFailure": {"Destination": "kafka://nowhere"}}));
    assert!(world.refusal().await.contains("nowhere does not exist"));
    let world = World::new(|_, _| Reply::ok()).await.set("Topics", json!(["not-there"]));
    assert!(world.refusal().await.contains("Topics: the topic not-there does not exist"));
}
