//! The batch response: it can name only what was in the event, and names a partition's rest.

#[cfg(test)]
mod response {
    use kafka_event::{BatchResponse, KafkaEvent, ResponseError};

    const EVENT: &str = r#"{"records":{
        "t-0":[{"topic":"t","partition":0,"offset":10,"timestamp":0},{"topic":"t","partition":0,"offset":12,"timestamp":0},
               {"topic":"t","partition":0,"offset":13,"timestamp":0}],
        "t-1":[{"topic":"t","partition":1,"offset":5,"timestamp":0}],
        "t-2":[{"topic":"t","partition":2,"offset":3,"timestamp":0},{"topic":"t"}]}}"#;

    fn event() -> KafkaEvent {
        serde_json::from_str(EVENT).unwrap()
    }

    #[test]
    fn full_success_names_nothing() {
        let response = event().respond().finish().unwrap();
        assert_eq!(response, BatchResponse::default());
        assert_eq!(serde_json::to_string(&response).unwrap(), r#"{"batchItemFailures":[]}"#);
    }

    #[test]
    fn a_stopped_partition_names_the_record_and_every_later_one() {
        let event = event();
        let mut respond = event.respond();
        respond.stop_at("t-0", 13).unwrap();
        respond.stop_at("t-0", 12).unwrap();
        respond.stop_at("t-0", 13).unwrap();
        let answer = serde_json::to_string(&respond.finish().unwrap()).unwrap();
        let named = r#"{"batchItemFailures":[{"itemIdentifier":{"partition":"t-0","offset":12}},{"itemIdentifier":{"partition":"t-0","offset":13}}]}"#;
        assert_eq!(answer, named);
    }

    #[test]
    fn a_record_that_is_not_in_the_batch_cannot_be_named() {
        let event = event();
        let mut respond = event.respond();
        for (partition, offset) in [("t-0", 11), ("t-0", 5), ("t-1", 10), ("t", 10), ("t-9", 10), ("T-0", 10)] {
            let refused = ResponseError::NotInBatch { partition: partition.into(), offset };
            assert_eq!(respond.stop_at(partition, offset), Err(refused));
        }
        assert_eq!(respond.finish().unwrap().failures().count(), 0);
    }

    #[test]
    fn a_record_without_an_offset_after_the_stop_cannot_be_answered_for() {
        let event = event();
        let mut respond = event.respond();
        respond.stop_at("t-2", 3).unwrap();
        assert_eq!(respond.finish(), Err(ResponseError::Unnameable { partition: "t-2".into(), index: 1 }));
    }
}
