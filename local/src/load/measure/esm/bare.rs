//! The bare loop: consume, encode the same event, post it in full batches, and nothing else: no group, no commit, no
//! retry, no answer that is read.

use anyhow::Context;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::header::CONTENT_TYPE;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use kafka::Connection;
use kafka_event::{Encoder, HeaderView, RecordView};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tokio::runtime::Handle;

use super::{BATCH, PATIENCE};

type Http = Client<HttpConnector, Full<Bytes>>;

/// Posts so many records of a topic's only partition.
pub(super) async fn run(connection: &Connection, topic: &str, count: usize, url: &str) -> anyhow::Result<()> {
    let mut config = ClientConfig::new();
    config.extend(connection.clone().for_consumer().properties().clone());
    // As a mapping has it, so that both are fetched for alike.
    config.set("group.id", "bare").set("fetch.queue.backoff.ms", "10").set("queued.min.messages", "10000");
    config.set("queued.max.messages.kbytes", "16384").set("enable.auto.commit", "false");
    let consumer: BaseConsumer = config.create()?;
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, 0, Offset::Beginning)?;
    consumer.assign(&list)?;
    let (topic, url, runtime) = (topic.to_owned(), url.to_owned(), Handle::current());
    let looped = tokio::task::spawn_blocking(move || {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let http: Http = Client::builder(TokioExecutor::new()).build(connector);
        let key = format!("{topic}-0");
        let mut left = count;
        while left > 0 {
            let records = records(&consumer, left.min(BATCH))?;
            left -= records.len();
            let mut event = String::with_capacity(records.iter().map(|record| record.len() + 1).sum::<usize>() + 1024);
            Encoder::event(&mut event, "127.0.0.1:9092", [(key.as_str(), records.iter().map(String::as_str))]);
            runtime.block_on(post(&http, &url, event))?;
        }
        Ok(())
    });
    looped.await?
}

/// The next records, so many: all of them are in the topic, and a request for each part of them that is fetched would make
/// the loop pay for more requests than the mapping, whose partition fills up while its function is busy.
fn records(consumer: &BaseConsumer, count: usize) -> anyhow::Result<Vec<String>> {
    let next = |_| {
        let message = consumer.poll(PATIENCE).with_context(|| format!("no record came in {PATIENCE:?}"))?;
        anyhow::Ok(encode(&message?))
    };
    (0..count).map(next).collect()
}

fn encode(message: &BorrowedMessage<'_>) -> String {
    let headers: Vec<HeaderView<'_>> = message
        .headers()
        .map(|headers| headers.iter().map(|header| (header.key, header.value)).collect())
        .unwrap_or_default();
    let view = RecordView {
        topic: message.topic(),
        partition: message.partition(),
        offset: message.offset(),
        timestamp: message.timestamp().to_millis().unwrap_or(-1),
        timestamp_type: "CREATE_TIME",
        key: message.key(),
        value: message.payload(),
        headers: &headers,
    };
    let mut out = String::new();
    Encoder::default().record(&mut out, &view);
    out
}

async fn post(http: &Http, url: &str, event: String) -> anyhow::Result<()> {
    let request = Request::post(url).header(CONTENT_TYPE, "application/json").body(Full::new(Bytes::from(event)))?;
    let answer = http.request(request).await?;
    anyhow::ensure!(answer.status() == 200, "the handler answers {}", answer.status());
    answer.into_body().collect().await.context("the handler's answer was cut")?;
    Ok(())
}
