//! The event as a function receives it: C01 to C06, C10.

use serde_json::{Value, json};

use crate::support::world::{Entry, stop};
use crate::support::{Reply, World};

/// One record written and received, with null switches as they are set.
async fn received(world: &World, entry: Entry) -> Value {
    world.write(entry).await;
    let running = world.start().await;
    let calls = world.wait_calls(1).await;
    stop(running).await;
    calls[0].records().remove(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn c01_c04_c05_c10_a_record_arrives_as_the_managed_mapping_would_send_it() {
    let world = World::new(|_, _| Reply::ok()).await;
    let header = |name: &str, value: &[u8]| (name.to_owned(), Some(value.to_vec()));
    let binary: Vec<u8> = (0..=255).collect();
    let entry = Entry {
        key: Some(b"spring-sale".to_vec()),
        value: Some(binary.clone()),
        headers: vec![header("a", b"1"), header("a", b"2"), header("b", b""), header("season", "봄".as_bytes())],
        timestamp: Some(1_795_143_600_123),
        ..Entry::default()
    };
    let record = received(&world, entry).await;
    let expected = json!({
        "topic": world.topic, "partition": 0, "offset": 0, "timestamp": 1_795_143_600_123_i64,
        "timestampType": "CREATE_TIME", "key": "c3ByaW5nLXNhbGU=", "value": record["value"],
        "headers": [{"a": [49]}, {"a": [50]}, {"b": []}, {"season": [-21, -76, -124]}],
    });
    assert_eq!(record, expected);
    let event = &world.function.calls()[0].event;
    assert_eq!(event["eventSource"], "SelfManagedKafka");
    assert!(event["bootstrapServers"].as_str().unwrap().starts_with("127.0.0.1:"));
    assert!(event.get("eventSourceArn").is_none());
    let parsed: kafka_event::KafkaEvent = serde_json::from_value(event.clone()).unwrap();
    assert_eq!(parsed.partitions[0].records[0].as_ref().unwrap().value.as_deref(), Some(binary.as_slice()));
}

#[tokio::test(flavor = "multi_thread")]
async fn c02_c03_nulls_are_left_out_and_empty_is_not_null() {
    let world = World::new(|_, _| Reply::ok()).await;
    let record = received(&world, Entry::default()).await;
    assert!(record.get("key").is_none() && record.get("value").is_none(), "{record}");
    assert_eq!(record["headers"], json!([]));
    let world = World::new(|_, _| Reply::ok()).await;
    let empty = Entry { key: Some(Vec::new()), value: Some(Vec::new()), ..Entry::default() };
    let record = received(&world, empty).await;
    assert_eq!((&record["key"], &record["value"]), (&json!(""), &json!("")));
}

#[tokio::test(flavor = "multi_thread")]
async fn c02_c03_the_switches_write_nulls() {
    let world = World::new(|_, _| Reply::ok()).await;
    let world = world.set("Emulator.null_key", "null").set("Emulator.null_value", "null");
    let record = received(&world, Entry::default()).await;
    assert_eq!((record.get("key"), record.get("value")), (Some(&Value::Null), Some(&Value::Null)));
}

#[tokio::test(flavor = "multi_thread")]
async fn c06_a_topic_with_dashes_and_dots_is_named_by_its_whole_name() {
    let world = World::with_topic("a-b.c_d-1-", 3, |call, seen| match call {
        0 => Reply::failures(&[(seen.offsets().keys().next().unwrap(), 0)]),
        _ => Reply::ok(),
    });
    let world = world.await;
    world.write(Entry { partition: 2, value: Some(b"x".to_vec()), ..Entry::default() }).await;
    let running = world.start().await;
    let calls = world.wait_calls(2).await;
    assert_eq!(calls[0].offsets(), [(format!("{}-2", world.topic), vec![0])].into());
    assert_eq!(calls[1].offsets(), calls[0].offsets(), "the key was accepted in the response");
    world.wait_committed(2, 1).await;
    stop(running).await;
}
