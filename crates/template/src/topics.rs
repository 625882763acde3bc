//! Topics, which are no resource of AWS's: a custom resource hands them to a function that makes them on the cluster.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::error::{Fault, Place};
use crate::reader::At;
use crate::resources::{Kind, Resource};
use crate::scope::Scope;

/// What CloudFormation and the function have between themselves.
const UNREAD: [&str; 3] = ["Revision", "ServiceTimeout", "ServiceToken"];

/// A topic as it has to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// Where it stands.
    pub place: Place,
    /// Its name.
    pub name: String,
    /// How many partitions it is made with.
    pub partitions: i32,
    /// On how many brokers each of them is.
    pub replication: Option<i32>,
    /// Its configuration, by Kafka's names.
    pub configuration: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Properties {
    topics: Vec<Declared>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Declared {
    name: At<String>,
    partitions: At<i32>,
    replication: Option<At<i32>>,
    #[serde(default)]
    config: BTreeMap<String, String>,
}

/// All topics, in the template's order.
pub(crate) fn read(scope: &Scope<'_>) -> Result<Vec<Topic>, Fault> {
    let mut topics: Vec<Topic> = Vec::new();
    for resource in scope.of_kind(Kind::Topics) {
        for declared in resource.read::<Properties>(scope, &UNREAD)?.topics {
            let topic = one(declared).map_err(|fault| resource.named(fault.below("Topics").below("Properties")))?;
            if topics.iter().any(|other| other.name == topic.name) {
                return Err(twice(resource, &topic));
            }
            topics.push(topic);
        }
    }
    Ok(topics)
}

fn twice(resource: &Resource<'_>, topic: &Topic) -> Fault {
    resource.named(Fault::new(topic.place, format!("the topic {} is declared twice", topic.name)))
}

fn one(declared: Declared) -> Result<Topic, Fault> {
    for at in std::iter::once(&declared.partitions).chain(&declared.replication) {
        if at.value < 1 {
            return Err(Fault::new(at.place, format!("expected 1 or more, found {}", at.value)));
        }
    }
    Ok(Topic {
        place: declared.name.place,
        name: declared.name.value,
        partitions: declared.partitions.value,
        replication: declared.replication.map(|at| at.value),
        configuration: declared.config,
    })
}
