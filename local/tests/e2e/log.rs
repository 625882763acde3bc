//! The port's contract, held by the client that the functions have, on the sandbox's broker.

use std::collections::BTreeMap;

use kafka::{Admin, Connection, NewTopicSpec, Producer, ProducerSettings, Reader, Record, Span};
use record_log_contract::{Abilities, Topics, hold};

use crate::sandbox::{Sandbox, unique};

/// More than the client sends, whatever the topic would take.
const TOO_LARGE_BYTES: usize = 2 * 1024 * 1024 + 1;

struct Cluster {
    admin: Admin,
    reader: Reader,
}

impl Topics for Cluster {
    async fn make_topic(&self, name: &str, partitions: i32) {
        let spec = NewTopicSpec { name: name.to_owned(), partitions, replication: 1, config: BTreeMap::new() };
        self.admin.create(&spec).await.unwrap();
    }

    async fn read_back(&self, topic: &str, partition: i32) -> Vec<(i64, Record)> {
        // Apache Kafka has made a topic before each of its partitions has a leader that answers: the reader waits for it.
        let spans = self.reader.spans(topic).await.unwrap();
        let asked: Vec<Span> = spans.into_iter().filter(|span| span.partition == partition).collect();
        let mut records = Vec::new();
        let read = self.reader.read(topic, &asked, |read| {
            let (key, value, headers) = (read.key, read.value, read.headers);
            let partition = Some(read.partition);
            records.push((read.offset, Record { topic: topic.to_owned(), partition, key, value, headers }));
        });
        read.await.unwrap();
        records
    }
}

#[tokio::test]
async fn the_producer_holds_the_contract_of_a_log() {
    let connection = Connection::plaintext(&Sandbox::shared().at.kafka);
    let producer = Producer::new(&connection, ProducerSettings::default()).unwrap();
    let cluster = Cluster { admin: Admin::new(&connection).unwrap(), reader: Reader::new(&connection).unwrap() };
    let abilities = Abilities { too_large_bytes: Some(TOO_LARGE_BYTES), refuses_unknown_topics: true };
    hold(&producer, &cluster, abilities, &unique("contract")).await;
}
