//! The properties of the Kafka clients: what the mapping cannot do without, around what it was given to reach the brokers.
//! The consumer is `poller.rs`, the producer of a destination `destination/delivery.rs`.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::ClientConfig;

use crate::destination::delivery::DELIVERY_TIMEOUT;
use crate::settings::Settings;

pub(crate) const SERVERS: &str = "bootstrap.servers";
/// librdkafka's older name of the same. Told both, it takes either: a configuration is a hash map, in any order.
pub(crate) const SERVERS_ALIAS: &str = "metadata.broker.list";
/// Longest back-off, and some time for a destination, beyond the function's own time-out.
const POLL_INTERVAL_SLACK: Duration = Duration::from_secs(90);
const POLL_INTERVAL_MIN: Duration = Duration::from_secs(900);
/// As much as a broker takes in one request by default (`socket.request.max.bytes`). How large a message may be is the
/// topic's to say: librdkafka's own million bytes are a record of 750 kB, in base64, where an invocation takes six times that,
/// and a record that fits into no invocation is delivered as well.
const MESSAGE_BYTES_MAX: &str = "104857600";

/// The mapping's own needs come last: the client's properties may say how to reach a broker, not how to consume.
pub(crate) fn consumer(settings: &Settings, client: &BTreeMap<String, String>) -> ClientConfig {
    let poll_interval = (settings.function_timeout + POLL_INTERVAL_SLACK).max(POLL_INTERVAL_MIN);
    let mut config = ClientConfig::new();
    // Defaults that a client property may replace. A full queue must not delay the next fetch by its default second.
    config
        .set("client.id", "kafka-esm")
        // A rebalance is held until the running invocations end, and polls nothing meanwhile.
        .set("max.poll.interval.ms", poll_interval.as_millis().to_string())
        .set("session.timeout.ms", "10000")
        .set("topic.metadata.refresh.interval.ms", "10000")
        .set("fetch.queue.backoff.ms", "10")
        .set("fetch.error.backoff.ms", "50")
        .set("queued.min.messages", "10000")
        .set("queued.max.messages.kbytes", "16384")
        .set("socket.keepalive.enable", "true");
    config.extend(without(client, |name| name == SERVERS_ALIAS));
    config
        .set(SERVERS, &settings.bootstrap_servers)
        .set("group.id", &settings.group)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("enable.partition.eof", "false")
        .set("allow.auto.create.topics", "false")
        // What to do about a position that is not in the log is for `reposition` to say.
        .set("auto.offset.reset", "error")
        .set("partition.assignment.strategy", "range,roundrobin");
    config
}

/// For a destination that is a topic.
pub(crate) fn producer(bootstrap_servers: &str, client: &BTreeMap<String, String>) -> ClientConfig {
    let mut config = ClientConfig::new();
    // A default that a client property may replace.
    config.set("message.max.bytes", MESSAGE_BYTES_MAX);
    config.extend(without(client, is_not_for_a_producer));
    config
        .set(SERVERS, bootstrap_servers)
        .set("acks", "all")
        // What is sent again after a lost answer is written once, and in its place.
        .set("enable.idempotence", "true")
        .set("linger.ms", "0")
        .set("message.timeout.ms", DELIVERY_TIMEOUT.as_millis().to_string())
        // As Kafka's own clients have it, and with them AWS's poller; librdkafka's default is CRC32.
        .set("partitioner", "murmur2_random");
    config
}

fn without(
    client: &BTreeMap<String, String>,
    unwanted: impl Fn(&str) -> bool,
) -> impl Iterator<Item = (String, String)> {
    let wanted = client.iter().filter(move |(name, _)| !unwanted(name));
    wanted.map(|(name, value)| (name.clone(), value.clone()))
}

/// Properties that librdkafka would only warn about in a producer, and other names of those that are set here: which of two
/// names wins is left to the order of a hash map.
fn is_not_for_a_producer(name: &str) -> bool {
    const OF_CONSUMERS: [&str; 7] =
        ["fetch.", "queued.", "session.", "heartbeat.", "auto.offset", "max.poll", "group."];
    const ALIASES: [&str; 4] =
        ["request.required.acks", "delivery.timeout.ms", "queue.buffering.max.ms", SERVERS_ALIAS];
    OF_CONSUMERS.iter().any(|prefix| name.starts_with(prefix)) || ALIASES.contains(&name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::mapping::Mapping;

    fn given<const N: usize>(properties: [(&str, &str); N]) -> BTreeMap<String, String> {
        properties.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
    }

    #[test]
    fn a_destinations_producer_is_safe_and_ends_whatever_the_client_properties_say() {
        let given = given([
            ("acks", "0"),
            ("request.required.acks", "0"),
            ("message.timeout.ms", "600000"),
            ("delivery.timeout.ms", "600000"),
            ("session.timeout.ms", "6000"),
            ("bootstrap.servers", "elsewhere:1"),
            ("metadata.broker.list", "elsewhere:1"),
            ("security.protocol", "ssl"),
        ]);
        let config = producer("here:9092", &given);
        for (name, value) in [
            ("acks", Some("all")),
            ("request.required.acks", None),
            ("enable.idempotence", Some("true")),
            ("message.timeout.ms", Some("30000")),
            ("delivery.timeout.ms", None),
            ("session.timeout.ms", None),
            ("bootstrap.servers", Some("here:9092")),
            ("metadata.broker.list", None),
            ("partitioner", Some("murmur2_random")),
            ("security.protocol", Some("ssl")),
            ("message.max.bytes", Some(MESSAGE_BYTES_MAX)),
        ] {
            assert_eq!(config.get(name), value, "{name}");
        }
    }

    #[test]
    fn a_smaller_limit_of_a_destinations_messages_is_the_client_properties_to_give() {
        let config = producer("here:9092", &given([("message.max.bytes", "2000000")]));
        assert_eq!(config.get("message.max.bytes"), Some("2000000"));
    }

    #[test]
    fn the_brokers_are_told_once_by_whichever_name_they_were_given() {
        let file = json!({"Topics": ["t"], "StartingPosition": "LATEST",
            "SelfManagedEventSource": {"Endpoints": {"KafkaBootstrapServers": ["mapping:1"]}}});
        let (mapping, emulator) = Mapping::from_value(file).unwrap();
        for (client, expected) in [
            (given([]), "mapping:1"),
            (given([(SERVERS_ALIAS, "old:1")]), "old:1"),
            (given([(SERVERS, "new:1"), (SERVERS_ALIAS, "old:1")]), "new:1"),
        ] {
            let settings = Settings::new(&mapping, &emulator, &client).unwrap();
            assert_eq!(settings.bootstrap_servers, expected, "as the event tells them: {client:?}");
            let config = consumer(&settings, &client);
            assert_eq!((config.get(SERVERS), config.get(SERVERS_ALIAS)), (Some(expected), None), "{client:?}");
        }
    }
}
