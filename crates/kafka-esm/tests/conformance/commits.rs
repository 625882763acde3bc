//! Commits that fail: C54, against librdkafka's own mock cluster, which can be told to refuse one. No other broker can, so
//! this case is the same whatever the others run on.

use std::collections::BTreeMap;

use kafka_esm::Mapping;
use rdkafka::ClientConfig;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use serde_json::json;

use crate::support::function::Function;
use crate::support::{Reply, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn c54_a_refused_commit_is_counted_and_tried_again() {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic("t", 1, 1).unwrap();
    let servers = cluster.bootstrap_servers();
    let producer: FutureProducer = ClientConfig::new().set("bootstrap.servers", &servers).create().unwrap();
    let write = async || {
        let record = FutureRecord::<[u8], str>::to("t").partition(0).payload("{}");
        producer.send(record, std::time::Duration::from_secs(20)).await.unwrap();
    };
    let function = Function::start(|_, _| Reply::ok()).await;
    let mapping = json!({"Topics": ["t"], "StartingPosition": "TRIM_HORIZON", "MaximumBatchingWindowInSeconds": 0});
    let (mapping, emulator) = Mapping::from_value(mapping).unwrap();
    let properties = BTreeMap::from([("bootstrap.servers".to_owned(), servers.clone())]);
    let running = kafka_esm::start(&mapping, &emulator, properties, &function.url).await.unwrap();
    running.ready().await.unwrap();
    // Errors that librdkafka does not try again by itself; the second is what a member hears that the group has lost.
    let refused =
        [RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN, RDKafkaRespErr::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED];
    cluster.request_errors(RDKafkaApiKey::OffsetCommit, &refused);
    write().await;
    eventually("two refused commits", async || running.metrics().await.commit_error_count == 2).await;
    eventually("the third", async || running.metrics().await.committed_event_count == 1).await;
    write().await;
    eventually("it goes on", async || running.metrics().await.committed_event_count == 2).await;
    let metrics = running.stop().await.unwrap();
    assert_eq!((metrics.commit_error_count, metrics.sum_offset_lag), (2, 0));
    assert_eq!(function.calls().len(), 2, "nobody else has come, so nothing is redelivered");
}
