//! The sample events under `events/`: each is read, written again and read again to the same value, and says what its
//! name promises. We do not write this input, so the samples are what the contract rests on.

#[cfg(test)]
mod golden {
    use bytes::Bytes;
    use kafka_event::{Encoder, Header, KafkaEvent, KafkaRecord, NullHeader, NullText, TimestampType};

    const WORKED_EXAMPLE: &str = include_str!("../../../events/kafka-worked-example.json");
    const MANY_PARTITIONS: &str = include_str!("../../../events/kafka-many-partitions.json");
    const NULLS: &str = include_str!("../../../events/kafka-nulls.json");
    const HEADERS: &str = include_str!("../../../events/kafka-headers.json");
    const BAD_RECORDS: &str = include_str!("../../../events/kafka-bad-records.json");
    const NONE: &str = include_str!("../../../events/kafka-none.json");

    fn read(text: &str) -> KafkaEvent {
        serde_json::from_str(text).unwrap()
    }

    fn good(event: &KafkaEvent) -> Vec<&KafkaRecord> {
        event
            .partitions
            .iter()
            .flat_map(|partition| &partition.records)
            .map(|record| record.as_ref().unwrap())
            .collect()
    }

    fn header(name: &str, value: &'static [u8]) -> Header {
        Header { name: name.into(), value: Some(Bytes::from_static(value)) }
    }

    #[test]
    fn every_sample_without_a_bad_record_survives_being_written_again() {
        for text in [WORKED_EXAMPLE, MANY_PARTITIONS, HEADERS, NONE] {
            let event = read(text);
            assert_eq!(read(&Encoder::default().whole_event(&event)), event);
        }
        let (null_key, null_value, null_header) = (NullText::Null, NullText::Null, NullHeader::Null);
        let encoder = Encoder { null_key, null_value, null_header };
        let event = KafkaEvent { event_source: "SelfManagedKafka".into(), ..read(NULLS) };
        assert_eq!(read(&encoder.whole_event(&event)), event);
    }

    #[test]
    fn the_worked_example_is_written_as_it_was_read() {
        let written = Encoder::default().whole_event(&read(WORKED_EXAMPLE));
        let as_value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(as_value(&written), as_value(WORKED_EXAMPLE));
        let event = read(WORKED_EXAMPLE);
        let record = good(&event)[0];
        assert_eq!(record.key.as_deref(), Some(b"spring-sale".as_slice()));
        assert_eq!(record.value.as_ref().unwrap().len(), 101);
        assert_eq!(record.headers, [header("requestId", b"req-8f2c"), header("season", "봄".as_bytes())]);
    }

    #[test]
    fn partitions_come_in_the_order_of_their_numbers() {
        let event = read(MANY_PARTITIONS);
        let keys: Vec<_> = event.partitions.iter().map(|partition| partition.topic_partition().unwrap()).collect();
        assert_eq!(keys, [("a-b.c_d-1", 0), ("a-b.c_d-1", 2), ("a-b.c_d-1", 10)]);
        assert_eq!(good(&event)[0].offset, 9_007_199_254_740_993, "no offset passes through a float");
        assert_eq!(good(&event)[0].value.as_deref(), Some(b"".as_slice()), "an empty value is no tombstone");
        assert_eq!(good(&event)[1].timestamp_type, TimestampType::LogAppendTime);
    }

    #[test]
    fn a_null_and_a_missing_member_are_the_same() {
        let event = read(NULLS);
        let records = good(&event);
        assert_eq!((&records[0].key, &records[0].value, records[0].headers.len()), (&None, &None, 0));
        assert_eq!((&records[1].key, &records[1].value, records[1].headers.len()), (&None, &None, 0));
        assert_eq!(records[1].partition, 0, "a partition may come as a string");
        assert_eq!(records[2].headers, [Header { name: "trace".into(), value: None }, header("empty", b"")]);
    }

    #[test]
    fn the_null_switches_decide_how_a_null_is_written() {
        let event = read(NULLS);
        let omitting = Encoder::default().whole_event(&event);
        assert!(!omitting.contains("null"), "{omitting}");
        let (null_key, null_value, null_header) = (NullText::Null, NullText::Null, NullHeader::Null);
        let explicit = Encoder { null_key, null_value, null_header }.whole_event(&event);
        assert!(explicit.contains(r#""key":null,"value":null,"headers":[]"#), "{explicit}");
        assert!(explicit.contains(r#"[{"trace":null},{"empty":[]}]"#), "{explicit}");
    }

    #[test]
    fn null_keys_tombstones_signed_bytes_and_repeated_headers_are_written_to_the_byte() {
        let place = |number: i64| {
            format!(
                r#"{{"topic":"orders","partition":0,"offset":{number},"timestamp":1795143600000,"timestampType":"CREATE_TIME""#
            )
        };
        let written = |records: [&str; 3]| {
            let records: Vec<String> = records.iter().zip(1..).map(|(rest, number)| place(number) + rest).collect();
            format!(
                r#"{{"eventSource":"SelfManagedKafka","bootstrapServers":"redpanda-0.example.internal:9093","records":{{"orders-0":[{}]}}}}"#,
                records.join(",")
            )
        };
        let event = read(NULLS);
        assert_eq!(
            Encoder::default().whole_event(&event),
            written([
                r#","headers":[]}"#,
                r#","headers":[]}"#,
                r#","key":"aw==","headers":[{"trace":[]},{"empty":[]}]}"#
            ])
        );
        let (null_key, null_value, null_header) = (NullText::Null, NullText::Null, NullHeader::Null);
        assert_eq!(
            Encoder { null_key, null_value, null_header }.whole_event(&event),
            written([
                r#","key":null,"value":null,"headers":[]}"#,
                r#","key":null,"value":null,"headers":[]}"#,
                r#","key":"aw==","value":null,"headers":[{"trace":null},{"empty":[]}]}"#,
            ])
        );
        // The first record of the headers' sample stands there as it is to be written: signed, repeated, in order.
        let sample: serde_json::Value = serde_json::from_str(HEADERS).unwrap();
        let again: serde_json::Value = serde_json::from_str(&Encoder::default().whole_event(&read(HEADERS))).unwrap();
        assert_eq!(again["records"]["orders-3"][0], sample["records"]["orders-3"][0]);
    }

    #[test]
    fn header_bytes_are_read_signed_or_unsigned_and_written_signed() {
        let event = read(HEADERS);
        let records = good(&event);
        let repeated = [header("a", b"1"), header("a", b"2"), header("b", b""), header("a", b"\x80\xFF\x00\x7F")];
        assert_eq!(records[0].headers, repeated);
        assert_eq!(records[1].headers, [header("unsigned", "봄".as_bytes()), header("signed", "봄".as_bytes())]);
        let written = Encoder::default().whole_event(&event);
        assert!(written.contains(r#"[{"unsigned":[-21,-76,-124]},{"signed":[-21,-76,-124]}]"#), "{written}");
        assert!(written.contains(r#"{"a":[-128,-1,0,127]}"#), "{written}");
    }

    #[test]
    fn a_bad_record_fails_alone_and_loses_nothing_that_could_be_read() {
        let event = read(BAD_RECORDS);
        let [orders, scalars, text] = &event.partitions[..] else { panic!("three partitions") };
        assert!(orders.records[0].is_ok() && orders.records[5].is_ok());
        let bad: Vec<_> = orders.records.iter().filter_map(|record| record.as_ref().err()).collect();
        assert_eq!(bad.len(), 4);
        assert_eq!((bad[0].offset, bad[0].value.as_deref()), (Some(2), Some(b"not base64!".as_slice())));
        assert!(bad[0].reason.contains("`value` is no base64"), "{}", bad[0].reason);
        assert_eq!(bad[0].headers, [header("a", b"1")]);
        assert_eq!((bad[1].reason.as_str(), bad[1].offset), ("`timestamp` is missing", Some(3)));
        assert_eq!(bad[2].headers, [header("b", b"2")], "the readable header is kept");
        assert!(
            bad[2].reason.contains("not an array with 256") && bad[2].reason.contains("\"c\""),
            "{}",
            bad[2].reason
        );
        assert_eq!((&bad[3].topic, bad[3].partition, bad[3].offset), (&None, None, None));
        assert_eq!(bad[3].value.as_deref(), Some(b"v".as_slice()));
        assert_eq!(bad[3].reason.matches("must be").count(), 6, "{}", bad[3].reason);
        assert!(scalars.records.len() == 5 && scalars.records.iter().all(Result::is_err));
        assert!(text.records.len() == 1 && text.records[0].is_err());
    }

    #[test]
    fn an_event_without_records_is_an_event() {
        assert!(read(NONE).partitions.is_empty());
        assert!(read("{}").partitions.is_empty());
        assert!(read(r#"{"records":null}"#).partitions.is_empty());
        assert!(read(r#"{"records":{"orders-0":[],"orders-1":null}}"#).partitions.iter().all(|p| p.records.is_empty()));
    }

    #[test]
    fn what_is_no_event_is_refused() {
        for text in ["", "[]", "7", r#"{"records":[]}"#, r#"{"records":{"orders-0":[{]}}"#] {
            assert!(serde_json::from_str::<KafkaEvent>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn offsets_are_ascending_whatever_the_order_in_which_they_came() {
        let record = |offset: i64| format!(r#"{{"topic":"t","partition":0,"offset":{offset},"timestamp":0}}"#);
        let text = format!(r#"{{"records":{{"t-0":[{},{},{}]}}}}"#, record(9), record(7), record(8));
        let event = read(&text);
        assert_eq!(good(&event).iter().map(|record| record.offset).collect::<Vec<_>>(), [7, 8, 9]);
    }
}
