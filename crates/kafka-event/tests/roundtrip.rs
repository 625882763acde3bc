//! Whatever a record holds is read back as it was written, under every switch.

#[cfg(test)]
mod roundtrip {
    use bytes::Bytes;
    use kafka_event::{
        Encoder, Header, KafkaEvent, KafkaRecord, NullHeader, NullText, PartitionRecords, TimestampType,
    };
    use proptest::collection::vec;
    use proptest::option;
    use proptest::prelude::*;

    fn bytes() -> impl Strategy<Value = Bytes> {
        vec(any::<u8>(), 0..40).prop_map(Bytes::from)
    }

    fn record() -> impl Strategy<Value = KafkaRecord> {
        let header = (any::<String>(), bytes()).prop_map(|(name, value)| Header { name, value: Some(value) });
        let timestamp_type = prop_oneof![
            Just(TimestampType::CreateTime),
            Just(TimestampType::LogAppendTime),
            Just(TimestampType::Other("NO_TIMESTAMP_TYPE".into())),
        ];
        (option::of(bytes()), option::of(bytes()), vec(header, 0..4), any::<i64>(), timestamp_type).prop_map(
            |(key, value, headers, timestamp, timestamp_type)| {
                let (topic, partition, offset) = ("a-b.c_d-1".to_owned(), 0, 0);
                KafkaRecord { topic, partition, offset, timestamp, timestamp_type, key, value, headers }
            },
        )
    }

    /// Offsets and partitions in order, as a mapping sends them.
    fn event() -> impl Strategy<Value = KafkaEvent> {
        vec(vec(record(), 1..5), 0..4).prop_map(|partitions| {
            let partitions = partitions.into_iter().zip(0_i32..).map(|(records, partition)| {
                let number = |(record, offset): (KafkaRecord, i64)| Ok(KafkaRecord { partition, offset, ..record });
                let records = records.into_iter().zip([3, 4, 9, 10]).map(number).collect();
                PartitionRecords { key: format!("a-b.c_d-1-{partition}"), records }
            });
            let partitions = partitions.collect();
            KafkaEvent { event_source: "SelfManagedKafka".into(), bootstrap_servers: "a:1,b:2".into(), partitions }
        })
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_back(event in event(), nulls in any::<bool>()) {
            let (null_key, null_value, null_header) = match nulls {
                true => (NullText::Null, NullText::Null, NullHeader::Null),
                false => (NullText::Omit, NullText::Omit, NullHeader::Empty),
            };
            let written = Encoder { null_key, null_value, null_header }.whole_event(&event);
            prop_assert_eq!(serde_json::from_str::<KafkaEvent>(&written).unwrap(), event);
        }

        #[test]
        fn no_header_number_leaves_a_signed_byte(value in vec(any::<u8>(), 1..300)) {
            let record = KafkaRecord {
                topic: "t".into(), partition: 0, offset: 0, timestamp: 0, timestamp_type: TimestampType::CreateTime,
                key: None, value: None, headers: vec![Header { name: "h".into(), value: Some(value.into()) }],
            };
            let partition = PartitionRecords { key: "t-0".into(), records: vec![Ok(record)] };
            let written = Encoder::default().whole_event(&KafkaEvent { partitions: vec![partition], ..KafkaEvent::default() });
            let parsed: serde_json::Value = serde_json::from_str(&written).unwrap();
            let numbers = parsed.pointer("/records/t-0/0/headers/0/h").unwrap().as_array().unwrap();
            prop_assert!(numbers.iter().all(|number| (-128..=127).contains(&number.as_i64().unwrap())));
        }
    }
}
