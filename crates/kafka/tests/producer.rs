//! The producer against librdkafka's mock cluster: what it produces, and how each failure looks to the caller.
#![allow(clippy::disallowed_methods, reason = "these tests measure real time")]

#[cfg(test)]
#[allow(dead_code, reason = "each test binary uses its part of it")]
mod support;

use std::time::{Duration, Instant};

use kafka::{Compression, Header, Log as _, LogError, Producer, ProducerSettings, Reader, Record, partition_of};
use rdkafka::types::{RDKafkaApiKey as Api, RDKafkaRespErr as Broker};
use support::{Cluster, PARTITIONS, TOPIC, closed_port, eventually, record};

#[tokio::test]
async fn a_record_lies_where_its_key_says() {
    let cluster = Cluster::new();
    let producer = cluster.producer();
    for key in ["", "spring-sale", "customer-7", "21", "foobar"] {
        let delivery = producer.produce(record(key)).await.unwrap();
        assert_eq!(delivery.partition, partition_of(key.as_bytes(), PARTITIONS), "{key:?}");
    }
}

#[tokio::test]
async fn a_named_partition_wins_over_the_key() {
    let cluster = Cluster::new();
    let producer = cluster.producer();
    for offset in 0..3 {
        let delivery = producer.produce(Record { partition: Some(7), ..record("customer-7") }).await.unwrap();
        assert_eq!((delivery.partition, delivery.offset), (7, Some(offset)));
    }
}

#[tokio::test]
async fn what_is_read_is_what_was_produced() {
    let cluster = Cluster::new();
    let settings = ProducerSettings { linger: Duration::from_millis(5), compression: Compression::Lz4 };
    let producer = Producer::new(&cluster.connection(), settings).unwrap();
    let header = |name: &str, value: Option<&str>| Header {
        name: name.into(),
        value: value.map(|value| value.to_owned().into()),
    };
    let headers = vec![header("b", Some("1")), header("a", Some("")), header("b", None), header("a", Some("ünïcode"))];
    let long = "0123456789".repeat(1000);
    let values = [None, Some(""), Some("{}"), Some(long.as_str())];
    for value in values {
        let key = value.map(|_value| "k".to_owned().into());
        let value = value.map(|value| value.to_owned().into());
        let partition = Some(3);
        let record = Record { topic: TOPIC.into(), partition, key, value, headers: headers.clone() };
        producer.produce(record).await.unwrap();
    }

    let reader = Reader::new(&cluster.connection()).unwrap();
    let spans = reader.spans(TOPIC).await.unwrap();
    let lengths: Vec<(i32, i64)> = spans.iter().map(|span| (span.partition, span.end - span.start)).collect();
    assert_eq!(
        lengths,
        (0..PARTITIONS).map(|partition| (partition, i64::from(partition == 3) * 4)).collect::<Vec<_>>()
    );
    let mut read = Vec::new();
    reader.read(TOPIC, &spans, |record| read.push(record)).await.unwrap();
    let read_values: Vec<Option<&[u8]>> = read.iter().map(|record| record.value.as_deref()).collect();
    assert_eq!(read_values, values.map(|value| value.map(str::as_bytes)));
    for (offset, record) in read.iter().enumerate() {
        assert_eq!((record.partition, record.offset), (3, i64::try_from(offset).unwrap()));
        assert_eq!(record.key.is_some(), record.value.is_some());
        assert_eq!(record.headers, headers);
        assert!(record.timestamp_ms > 1_700_000_000_000);
    }
}

#[tokio::test]
async fn a_read_stops_at_its_end_and_starts_at_its_start() {
    let cluster = Cluster::new();
    let producer = cluster.producer();
    for _record in 0..5 {
        producer.produce(Record { partition: Some(0), ..record("k") }).await.unwrap();
    }
    let reader = Reader::new(&cluster.connection()).unwrap();
    let span = kafka::Span { partition: 0, start: 1, end: 4 };
    let mut offsets = Vec::new();
    reader.read(TOPIC, &[span], |record| offsets.push(record.offset)).await.unwrap();
    assert_eq!(offsets, [1, 2, 3]);
}

#[tokio::test]
async fn an_unknown_topic_is_said_to_be_one() {
    let cluster = Cluster::new();
    cluster.mock.topic_error("nowhere", Broker::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART).unwrap();
    let producer = cluster.producer();
    let asked = producer.partitions("nowhere").await;
    assert!(matches!(&asked, Err(LogError::UnknownTopic(text)) if text.contains("nowhere")), "{asked:?}");
    let produced = producer.produce(Record { topic: "nowhere".into(), ..record("k") }).await;
    assert!(matches!(produced, Err(LogError::UnknownTopic(_))), "{produced:?}");
}

#[tokio::test]
async fn a_topic_that_is_made_later_is_found_at_once() {
    let cluster = Cluster::new();
    cluster.mock.topic_error("late", Broker::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART).unwrap();
    let producer = cluster.producer();
    let late = || Record { topic: "late".into(), ..record("k") };
    for _time in 0..2 {
        let produced = producer.produce(late()).await;
        assert!(matches!(produced, Err(LogError::UnknownTopic(_))), "{produced:?}");
    }
    cluster.mock.topic_error("late", Broker::RD_KAFKA_RESP_ERR_NO_ERROR).unwrap();
    producer.produce(late()).await.unwrap();
}

#[tokio::test]
async fn a_name_that_no_topic_can_have_is_an_unknown_topic() {
    let cluster = Cluster::new();
    let producer = cluster.producer();
    for name in [String::new(), "nul\0inside".into(), "a topic".into(), "x".repeat(250), "x".repeat(1000)] {
        let asked = producer.partitions(&name).await;
        assert!(matches!(asked, Err(LogError::UnknownTopic(_))), "{asked:?}");
        let produced = producer.produce(Record { topic: name, ..record("k") }).await;
        assert!(matches!(produced, Err(LogError::UnknownTopic(_))), "{produced:?}");
    }
}

#[tokio::test]
async fn a_partition_that_is_not_there_is_said_not_to_be() {
    let cluster = Cluster::new();
    let producer = cluster.producer();
    for partition in [PARTITIONS, i32::MAX, -2] {
        let produced = producer.produce(Record { partition: Some(partition), ..record("k") }).await;
        assert!(matches!(produced, Err(LogError::UnknownTopic(_))), "{partition}: {produced:?}");
    }
}

#[tokio::test]
async fn a_record_too_large_for_the_client_or_the_broker_is_said_to_be_too_large() {
    let cluster = Cluster::new();
    let producer = cluster.producer();
    let large = Record { value: Some(vec![b' '; 2_200_000].into()), ..record("k") };
    let produced = producer.produce(large).await;
    assert!(matches!(produced, Err(LogError::TooLarge(_))), "{produced:?}");

    cluster.mock.request_errors(Api::Produce, &[Broker::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE]);
    let produced = producer.produce(record("k")).await;
    assert!(matches!(produced, Err(LogError::TooLarge(_))), "{produced:?}");
    producer.produce(record("k")).await.unwrap();
}

#[tokio::test]
async fn a_full_queue_is_told_from_a_silent_broker() {
    let cluster = Cluster::new();
    let producer = cluster.producer_with("queue.buffering.max.messages=1");
    producer.produce(record("k")).await.unwrap();
    // It counts as queued for a moment longer than its producer waits.
    producer.flush(Duration::from_secs(3)).await.unwrap();
    cluster.mock.broker_down(-1).unwrap();
    let (first, second) = tokio::join!(producer.produce(record("k")), producer.produce(record("k")));
    assert!(matches!(first, Err(LogError::Unavailable(_))), "{first:?}");
    assert!(matches!(second, Err(LogError::QueueFull(_))), "{second:?}");
}

#[tokio::test]
async fn a_topic_without_permission_is_forbidden() {
    let cluster = Cluster::new();
    let producer = cluster.producer();
    cluster.mock.request_errors(Api::Produce, &[Broker::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED]);
    let produced = producer.produce(record("k")).await;
    assert!(matches!(produced, Err(LogError::Forbidden(_))), "{produced:?}");
}

#[tokio::test]
async fn a_broker_that_is_gone_is_unavailable_within_the_bound_and_found_when_it_is_back() {
    let cluster = Cluster::new();
    let producer = cluster.producer();
    producer.produce(record("k")).await.unwrap();
    cluster.mock.broker_down(-1).unwrap();
    let start = Instant::now();
    let produced = producer.produce(record("k")).await;
    assert!(matches!(produced, Err(LogError::Unavailable(_))), "{produced:?}");
    assert!(start.elapsed() < 2 * kafka::PRODUCE_TIMEOUT, "{:?}", start.elapsed());
    let asked = producer.partitions(TOPIC).await;
    assert!(matches!(asked, Err(LogError::Unavailable(_))), "{asked:?}");

    cluster.mock.broker_up(-1).unwrap();
    producer.produce(record("k")).await.unwrap();
}

#[tokio::test]
async fn a_connection_that_died_unnoticed_costs_a_timeout_and_not_the_record() {
    let cluster = Cluster::new();
    let producer = cluster.producer();
    producer.produce(record("k")).await.unwrap();
    // What is under way now is answered in a minute, as by a socket that died while the process was frozen.
    cluster.mock.broker_round_trip_time(-1, Duration::from_secs(60)).unwrap();
    let thawed = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        cluster.mock.broker_round_trip_time(-1, Duration::ZERO).unwrap();
    };
    let (produced, ()) = tokio::join!(producer.produce(record("k")), thawed);
    // Within `kafka::PRODUCE_TIMEOUT`, or it would have been given up.
    produced.unwrap();
}

#[tokio::test]
async fn a_producer_beyond_repair_is_made_anew() {
    let cluster = Cluster::new();
    let producer = cluster.producer();
    producer.produce(record("k")).await.unwrap();
    // Out of sequence with nothing else under way: records were lost, and librdkafka gives up.
    cluster.mock.request_errors(Api::Produce, &[Broker::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER]);
    let produced = producer.produce(record("k")).await;
    assert!(matches!(produced, Err(LogError::Fatal(_))), "{produced:?}");
    let records = (0..20).map(|number| record(&format!("k{number}")));
    let mut waiting = tokio::task::JoinSet::new();
    let producer = std::sync::Arc::new(producer);
    for record in records {
        let producer = producer.clone();
        waiting.spawn(async move { producer.produce(record).await });
    }
    for produced in waiting.join_all().await {
        produced.unwrap();
    }
}

#[tokio::test]
async fn a_producer_without_the_right_to_be_idempotent_is_forbidden_and_works_once_it_has_it() {
    let cluster = Cluster::new();
    cluster.mock.request_errors(Api::InitProducerId, &[Broker::RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED]);
    let producer = cluster.producer();
    let produced = producer.produce(record("k")).await;
    assert!(matches!(produced, Err(LogError::Forbidden(_))), "{produced:?}");
    producer.produce(record("k")).await.unwrap();
}

#[tokio::test]
async fn asking_for_partitions_blocks_nobody_and_is_answered_from_memory_for_a_moment_only() {
    let cluster = Cluster::new();
    let producer = cluster.producer();
    assert_eq!(producer.partitions(TOPIC).await, Ok(PARTITIONS));
    cluster.mock.broker_down(-1).unwrap();
    eventually("a silent broker is noticed", async || producer.partitions(TOPIC).await.is_err()).await;

    // One thread runs all of this test: were it blocked, nothing would tick.
    let mut ticks = 0;
    let asked = producer.partitions(TOPIC);
    tokio::pin!(asked);
    let mut interval = tokio::time::interval(Duration::from_millis(50));
    let answer = loop {
        tokio::select! {
            answer = &mut asked => break answer,
            _tick = interval.tick() => ticks += 1,
        }
    };
    assert!(answer.is_err());
    assert!(ticks >= 20, "{ticks} ticks of 50 ms in {:?}", kafka::METADATA_TIMEOUT);
}

#[tokio::test]
async fn a_flush_waits_for_what_is_queued_and_says_what_is_left() {
    let cluster = Cluster::new();
    let producer = cluster.producer();
    producer.produce(record("k")).await.unwrap();
    // A record counts as queued for a moment longer than its producer waits.
    producer.flush(Duration::from_secs(3)).await.unwrap();
    cluster.mock.broker_down(-1).unwrap();
    // Polled in this order: the record is queued before the first flush starts.
    let (produced, ()) = tokio::join!(biased; producer.produce(record("k")), async {
        let flushed = producer.flush(Duration::from_millis(100)).await;
        assert!(matches!(&flushed, Err(LogError::Unavailable(text)) if text.starts_with("1 record")), "{flushed:?}");
        cluster.mock.broker_up(-1).unwrap();
        producer.flush(Duration::from_secs(3)).await.unwrap();
    });
    produced.unwrap();
}

#[tokio::test]
async fn a_broker_that_does_not_answer_is_no_wrong_password() {
    let connection = kafka::Connection::plaintext(&format!("127.0.0.1:{}", closed_port()));
    let producer = Producer::new(&connection, ProducerSettings::default()).unwrap();
    let start = Instant::now();
    let checked = producer.check(TOPIC, Duration::from_millis(200)).await;
    assert!(matches!(checked, Err(LogError::Unavailable(_))), "{checked:?}");
    assert!(start.elapsed() < kafka::METADATA_TIMEOUT, "the bound is the one that was given: {:?}", start.elapsed());
}
