//! What CloudFormation asks: the envelope, whose address for the answer counts before all else, and in it the topics as
//! the template lists them. CloudFormation hands every number over as text.
//!
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-requests.html>

use std::collections::{BTreeMap, BTreeSet};

use kafka::NewTopicSpec;
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::Value;

/// A template's list of topics; nobody writes a longer one by hand.
const TOPICS_MAX: usize = 100;

/// What is known of every request, however wrong the rest may be.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Envelope {
    #[serde(rename = "ResponseURL")]
    pub(crate) response_url: String,
    #[serde(default)]
    pub(crate) request_type: String,
    #[serde(default)]
    pub(crate) stack_id: String,
    #[serde(default)]
    pub(crate) request_id: String,
    #[serde(default)]
    pub(crate) logical_resource_id: String,
    pub(crate) physical_resource_id: Option<String>,
    #[serde(default)]
    pub(crate) resource_properties: Value,
    #[serde(default)]
    pub(crate) old_resource_properties: Value,
}

/// What the stack is told that this resource is: the same for its whole life, whatever topics it has, since CloudFormation
/// takes another name for a replacement and deletes the old one.
pub(crate) fn physical_id(envelope: &Envelope) -> String {
    let given = envelope.physical_resource_id.clone().filter(|id| !id.is_empty());
    given.unwrap_or_else(|| format!("kafka-topics-{}", envelope.logical_resource_id))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Properties {
    topics: Vec<Topic>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Topic {
    name: String,
    #[serde(deserialize_with = "number")]
    partitions: i32,
    #[serde(deserialize_with = "number")]
    replication: i32,
    #[serde(default)]
    config: BTreeMap<String, Scalar>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Scalar {
    Text(String),
    Number(i64),
    Flag(bool),
}

impl Scalar {
    fn into_text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Number(number) => number.to_string(),
            Self::Flag(flag) => flag.to_string(),
        }
    }
}

fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i32, D::Error> {
    let text = Scalar::deserialize(deserializer)?.into_text();
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| D::Error::custom(format!("{text:?} is no number from 1 on")))
}

/// The topics that a request asks for.
pub(crate) fn topics(properties: &Value) -> Result<Vec<NewTopicSpec>, String> {
    let parsed: Properties =
        Properties::deserialize(properties).map_err(|error| format!("the resource's properties: {error}"))?;
    if !(1..=TOPICS_MAX).contains(&parsed.topics.len()) {
        return Err(format!("Topics has {} items: it takes 1 to {TOPICS_MAX}", parsed.topics.len()));
    }
    let mut names = BTreeSet::new();
    for topic in &parsed.topics {
        if !names.insert(&topic.name) {
            return Err(format!("the topic {:?} stands in Topics twice", topic.name));
        }
    }
    parsed.topics.into_iter().map(spec).collect()
}

fn spec(topic: Topic) -> Result<NewTopicSpec, String> {
    let Topic { name, partitions, replication, config } = topic;
    let config: BTreeMap<String, String> = config.into_iter().map(|(name, value)| (name, value.into_text())).collect();
    let in_sync = config.get("min.insync.replicas").and_then(|text| text.parse::<i32>().ok());
    if let Some(in_sync) = in_sync.filter(|in_sync| *in_sync > replication) {
        return Err(format!(
            "{name}: min.insync.replicas {in_sync} is more than its {replication} replicas, and nothing could be written"
        ));
    }
    Ok(NewTopicSpec { name, partitions, replication, config })
}

/// The names of the topics that an earlier request asked for, as far as they can be read.
pub(crate) fn names(properties: &Value) -> BTreeSet<String> {
    topics(properties).into_iter().flatten().map(|topic| topic.name).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refusal(topics_given: Value) -> String {
        topics(&json!({ "ServiceToken": "arn", "Topics": topics_given })).unwrap_err()
    }

    #[test]
    fn numbers_and_flags_come_as_text() {
        let given = json!({ "Topics": [
            { "Name": "a", "Partitions": "10", "Replication": "3", "Config": { "write.caching": "false" } },
            { "Name": "b", "Partitions": 1, "Replication": 1, "Config": { "write.caching": false, "retention.ms": 5 } },
        ]});
        let found = topics(&given).unwrap();
        assert_eq!((found[0].partitions, found[0].replication), (10, 3));
        assert_eq!(found[0].config["write.caching"], "false");
        assert_eq!(
            (found[1].config["write.caching"].as_str(), found[1].config["retention.ms"].as_str()),
            ("false", "5")
        );
    }

    #[test]
    fn what_makes_no_topic_is_named() {
        for (given, said) in [
            (json!([]), "Topics has 0 items"),
            (json!([{ "Name": "a", "Partitions": "0", "Replication": "3" }]), "\"0\" is no number from 1 on"),
            (json!([{ "Name": "a", "Partitions": "ten", "Replication": "3" }]), "\"ten\" is no number"),
            (json!([{ "Name": "a", "Partitions": "1" }]), "missing field `Replication`"),
            (
                json!([{ "Name": "a", "Partitions": "1", "Replication": "1", "Retention": "1" }]),
                "unknown field `Retention`",
            ),
        ] {
            assert!(refusal(given.clone()).contains(said), "{given}: {}", refusal(given.clone()));
        }
        let twice = json!({ "Name": "a", "Partitions": "1", "Replication": "1" });
        assert_eq!(refusal(json!([twice, twice])), "the topic \"a\" stands in Topics twice");
    }

    #[test]
    fn more_replicas_in_sync_than_there_are_is_refused() {
        let config = json!({ "min.insync.replicas": "2" });
        let given = json!([{ "Name": "a", "Partitions": "1", "Replication": "1", "Config": config }]);
        let said = "a: min.insync.replicas 2 is more than its 1 replicas, and nothing could be written";
        assert_eq!(refusal(given), said);
    }
}
