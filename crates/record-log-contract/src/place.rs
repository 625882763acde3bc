//! Where a record lies, and that it lies there whole.

use std::collections::BTreeSet;

use bytes::Bytes;
use futures_util::future::join_all;
use record_log::{Header, Log, Record, partition_of};

use crate::{Subject, Topics, record, values};

pub(crate) async fn offsets_of_a_partition_are_dense_and_in_order<L: Log, T: Topics>(
    log: &Subject<'_, L, T>,
    topic: &str,
) {
    log.make_topic(topic, 2).await;
    for number in 0..5_i64 {
        let delivery = log.produce(record(topic, Some(1), Some("key"), &number.to_string())).await.unwrap();
        assert_eq!((delivery.partition, delivery.offset), (1, Some(number)), "the place of record {number}");
    }
    let expected: Vec<(i64, String)> = (0..5).map(|number| (number, number.to_string())).collect();
    assert_eq!(values(log, topic, 1).await, expected);
    assert_eq!(values(log, topic, 0).await, [], "the other partition");
}

pub(crate) async fn a_record_is_read_back_as_it_was_produced<L: Log, T: Topics>(log: &Subject<'_, L, T>, topic: &str) {
    log.make_topic(topic, 1).await;
    let header =
        |name: &str, value: Option<&'static [u8]>| Header { name: name.into(), value: value.map(Bytes::from_static) };
    let headers =
        vec![header("b", Some(b"\xff\x00")), header("a", Some(b"1")), header("b", Some(b"")), header("c", None)];
    let whole = Record {
        topic: topic.into(),
        partition: Some(0),
        key: Some(Bytes::from_static(b"\x00key\xff")),
        value: Some(Bytes::from_static(b"{}\x00\xfe")),
        headers,
    };
    let bare = Record { topic: topic.into(), partition: Some(0), ..Record::default() };
    for one in [&whole, &bare] {
        log.produce(one.clone()).await.unwrap();
    }
    let back: Vec<Record> = log.read_back(topic, 0).await.into_iter().map(|(_offset, record)| record).collect();
    assert_eq!(back, [whole, bare]);
}

pub(crate) async fn a_key_chooses_the_partition<L: Log, T: Topics>(log: &Subject<'_, L, T>, topic: &str) {
    log.make_topic(topic, 7).await;
    for number in 0..20 {
        let key = format!("key-{number}");
        let delivery = log.produce(record(topic, None, Some(&key), &key)).await.unwrap();
        assert_eq!(delivery.partition, partition_of(key.as_bytes(), 7), "{key}");
        let there = values(log, topic, delivery.partition).await;
        assert!(there.iter().any(|(offset, value)| Some(*offset) == delivery.offset && *value == key), "{there:?}");
    }
}

pub(crate) async fn a_named_partition_goes_before_the_key<L: Log, T: Topics>(log: &Subject<'_, L, T>, topic: &str) {
    log.make_topic(topic, 3).await;
    for partition in 0..3 {
        let delivery = log.produce(record(topic, Some(partition), Some("one key"), "x")).await.unwrap();
        assert_eq!((delivery.partition, delivery.offset), (partition, Some(0)));
    }
}

pub(crate) async fn a_record_without_key_lies_where_it_is_said_to<L: Log, T: Topics>(
    log: &Subject<'_, L, T>,
    topic: &str,
) {
    log.make_topic(topic, 3).await;
    let delivery = log.produce(record(topic, None, None, "keyless")).await.unwrap();
    assert_eq!(values(log, topic, delivery.partition).await, [(0, "keyless".to_owned())]);
}

pub(crate) async fn many_at_once_get_a_place_each<L: Log, T: Topics>(log: &Subject<'_, L, T>, topic: &str) {
    const MANY: usize = 200;
    log.make_topic(topic, 1).await;
    let under_way = (0..MANY).map(|number| async move {
        let delivery = log.produce(record(topic, Some(0), Some("key"), &number.to_string())).await.unwrap();
        (delivery.offset.unwrap(), number.to_string())
    });
    let acknowledged: BTreeSet<(i64, String)> = join_all(under_way).await.into_iter().collect();
    assert_eq!(values(log, topic, 0).await.into_iter().collect::<BTreeSet<_>>(), acknowledged);
    let offsets: Vec<i64> = acknowledged.into_iter().map(|(offset, _value)| offset).collect();
    assert_eq!(offsets, (0..i64::try_from(MANY).unwrap()).collect::<Vec<_>>());
}

pub(crate) async fn a_topic_says_how_many_partitions_it_has<L: Log, T: Topics>(log: &Subject<'_, L, T>, topic: &str) {
    log.make_topic(topic, 4).await;
    assert_eq!(log.partitions(topic).await, Ok(4));
}
