//! The topics that the file makes, held to those that the template declares.

use std::collections::BTreeMap;

use local::settings::{Deployment, Machine, Topic};

use crate::documents::{Documents, texts};

/// Partitions and configuration.
type Layout = (i32, BTreeMap<String, String>);

/// Everything that is wrong.
pub(crate) fn faults(documents: &Documents) -> Vec<String> {
    let mut faults = Vec::new();
    let mut made = BTreeMap::new();
    let script = texts(&documents.file["services"]["topics"]["command"]).flat_map(str::lines);
    for line in script {
        match made_by(line) {
            Err(fault) => faults.push(format!("topics: `{line}`: {fault}")),
            Ok((name, layout)) => faults.extend(made.insert(name, layout).map(|_| format!("made twice: `{line}`"))),
        }
    }
    // Without `-e`, a topic that could not be made would pass for made.
    if texts(&documents.file["services"]["topics"]["entrypoint"]).nth(1) != Some("-ec") {
        faults.push("topics: the script goes on after a failure".into());
    }
    let settings = Deployment::of_checkout().unwrap().settings(&Machine::default()).unwrap();
    for topic in &settings.topics {
        match made.remove(&topic.name) {
            None => faults.push(format!("topic {} is not made", topic.name)),
            Some(found) if found != layout(topic) => {
                faults.push(format!("topic {} is made as {found:?}, not as {:?}", topic.name, layout(topic)));
            }
            Some(_) => {}
        }
    }
    faults.extend(made.keys().map(|name| format!("topic {name} is nobody's")));
    faults
}

fn layout(topic: &Topic) -> Layout {
    (topic.partitions, topic.configuration.clone())
}

/// What a line of the script makes.
fn made_by(line: &str) -> Result<(String, Layout), String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let ["rpk", "topic", "create", name, "--if-not-exists", options @ ..] = &words[..] else {
        return Err("is not `rpk topic create NAME --if-not-exists …`".into());
    };
    let mut partitions = None;
    let mut configuration = BTreeMap::new();
    for option in options.chunks(2) {
        match option {
            ["--partitions", count] => partitions = count.parse().ok(),
            ["--topic-config", entry] => {
                let (name, value) = entry.split_once('=').ok_or_else(|| format!("{entry} has no ="))?;
                configuration.insert(name.to_owned(), value.to_owned());
            }
            other => return Err(format!("{other:?} is not known here")),
        }
    }
    Ok(((*name).to_owned(), (partitions.ok_or("no --partitions")?, configuration)))
}
