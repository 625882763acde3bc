//! The event as a function receives it: C01 to C10.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::support::world::{Entry, create_topic_with, stop};
use crate::support::{Reply, World, broker};

/// One record written and received, with null switches as they are set.
async fn received(world: &World, entry: Entry) -> Value {
    world.write(entry).await;
    let running = world.start().await;
    let calls = world.wait_calls(1).await;
    stop(running).await;
    calls[0].records().remove(0)
}

fn header(name: &str, value: &[u8]) -> (String, Option<Vec<u8>>) {
    (name.to_owned(), Some(value.to_vec()))
}

#[tokio::test(flavor = "multi_thread")]
async fn c01_the_documented_example_arrives_as_it_is_documented() {
    let mut expected: Value =
        serde_json::from_str(include_str!("../../../../events/kafka-worked-example.json")).unwrap();
    let sample = expected["records"]["coupon-issue-request-0"][0].clone();
    let decode = |field: &str| STANDARD.decode(sample[field].as_str().unwrap()).unwrap();
    let world = World::new(|_, _| Reply::ok()).await;
    let entry = Entry {
        key: Some(decode("key")),
        value: Some(decode("value")),
        headers: vec![header("requestId", b"req-8f2c"), header("season", "봄".as_bytes())],
        timestamp: sample["timestamp"].as_i64(),
        ..Entry::default()
    };
    received(&world, entry).await;
    let event = &world.function.calls()[0].event;
    assert!(event["bootstrapServers"].as_str().unwrap().contains(':'), "{event}");
    expected["bootstrapServers"] = event["bootstrapServers"].clone();
    let mut record = sample;
    record["topic"] = json!(world.topic);
    record["offset"] = json!(0);
    expected["records"] = json!({world.key(0): [record]});
    assert_eq!(*event, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn c02_c03_nulls_are_left_out_and_empty_is_not_null() {
    let world = World::new(|_, _| Reply::ok()).await;
    let record = received(&world, Entry::default()).await;
    assert!(record.get("key").is_none() && record.get("value").is_none(), "{record}");
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
async fn c04_header_bytes_are_signed() {
    let world = World::new(|_, _| Reply::ok()).await;
    let all: Vec<u8> = (0..=255).collect();
    let headers = vec![header("season", "봄".as_bytes()), header("all", &all)];
    let record = received(&world, Entry { headers, ..Entry::default() }).await;
    assert_eq!(record["headers"][0], json!({"season": [-21, -76, -124]}));
    let signed: Vec<i16> = (0..128).chain(-128..0).collect();
    assert_eq!(record["headers"][1], json!({"all": signed}));
}

#[tokio::test(flavor = "multi_thread")]
async fn c05_headers_stay_apart_and_in_the_producers_order() {
    let world = World::new(|_, _| Reply::ok()).await;
    let headers = vec![header("a", b"1"), header("a", b"2"), header("b", b""), ("none".to_owned(), None)];
    let record = received(&world, Entry { headers: headers.clone(), ..Entry::default() }).await;
    assert_eq!(record["headers"], json!([{"a": [49]}, {"a": [50]}, {"b": []}, {"none": []}]));
    let world = World::new(|_, _| Reply::ok()).await.set("Emulator.null_header", "null");
    let record = received(&world, Entry { headers, ..Entry::default() }).await;
    assert_eq!(record["headers"], json!([{"a": [49]}, {"a": [50]}, {"b": []}, {"none": null}]));
    let world = World::new(|_, _| Reply::ok()).await;
    assert_eq!(received(&world, Entry::default()).await["headers"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn c06_a_topic_with_dashes_and_dots_is_named_by_its_whole_name() {
    let world = World::with_topic("a-b.c_d-1-", 3, |call, seen| match call {
        0 => Reply::failures(&[(seen.first_key(), 0)]),
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

/// The embedded broker keeps the producer's time whatever the topic says; should it learn otherwise, this case tells.
#[tokio::test(flavor = "multi_thread")]
async fn c08_a_topic_of_the_brokers_time_says_so_and_has_it() {
    let world = World::new(|_, _| Reply::ok()).await;
    let topic = format!("{}-appended", world.topic);
    create_topic_with(&topic, 3, &[("message.timestamp.type", "LogAppendTime")]).await;
    let world = world.on_topic(&topic);
    let producers = 1_795_143_600_123_i64;
    let record = received(&world, Entry { timestamp: Some(producers), ..Entry::default() }).await;
    if broker::is_embedded() {
        assert_eq!((&record["timestampType"], &record["timestamp"]), (&json!("CREATE_TIME"), &json!(producers)));
    } else {
        assert_eq!(record["timestampType"], "LOG_APPEND_TIME");
        assert!(record["timestamp"].as_i64().is_some_and(|brokers| brokers != producers), "{record}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c09_several_brokers_are_one_string_even_where_one_is_away() {
    let world = World::new(|_, _| Reply::ok()).await;
    world.write(Entry::default()).await;
    let servers = format!("{}, 127.0.0.1:1", broker::address());
    let running = world.start_with(&[("bootstrap.servers", &servers)]).await;
    let calls = world.wait_calls(1).await;
    assert_eq!(calls[0].event["bootstrapServers"], format!("{},127.0.0.1:1", broker::address()));
    stop(running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c10_any_bytes_come_through() {
    let world = World::new(|_, _| Reply::ok()).await;
    let binary: Vec<u8> = (0..=255).collect();
    let entry = Entry { key: Some(binary.clone()), value: Some(binary.clone()), ..Entry::default() };
    let record = received(&world, entry).await;
    let text = STANDARD.encode(&binary);
    assert!(text.contains('+') && text.contains('/') && text.ends_with("=="), "the standard alphabet, padded");
    assert_eq!((&record["key"], &record["value"]), (&json!(text), &json!(text)));
    let parsed: kafka_event::KafkaEvent = serde_json::from_value(world.function.calls()[0].event.clone()).unwrap();
    assert_eq!(parsed.partitions[0].records[0].as_ref().unwrap().value.as_deref(), Some(binary.as_slice()));
}
