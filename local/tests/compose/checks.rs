//! What holds of the file as a whole and of each service: schema, images, ports, health, and what ends. Listeners and
//! topics have files of their own.
//!
//! Each check gives its faults as sentences, so that the same check serves the file and its broken variants.

use std::collections::{BTreeMap, BTreeSet};

use clap::Parser as _;
use serde_json::Value;

use crate::documents::{Documents, ports, texts};
use crate::{listeners, topics};

/// An image whose digest nobody here could learn. One that is not listed needs its digest.
const WITHOUT_DIGEST: [&str; 1] = ["docker.redpanda.com/redpandadata/console"];

/// Everything that is wrong.
pub(crate) fn faults(documents: &Documents) -> Vec<String> {
    let checks: [fn(&Documents) -> Vec<String>; 9] =
        [schema, variables, images, published, health, ended, commands, listeners::faults, topics::faults];
    checks.iter().flat_map(|check| check(documents)).collect()
}

fn schema(documents: &Documents) -> Vec<String> {
    let schema: Value = serde_json::from_str(include_str!("spec/compose-spec.json")).unwrap();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    validator.iter_errors(&documents.file).map(|error| format!("schema: {}: {error}", error.instance_path())).collect()
}

/// The file means the same everywhere: nothing is taken from the environment.
fn variables(documents: &Documents) -> Vec<String> {
    if documents.file.to_string().contains('$') { vec!["a $ is filled in from the environment".into()] } else { vec![] }
}

fn images(documents: &Documents) -> Vec<String> {
    let mut faults = Vec::new();
    let mut seen = BTreeMap::new();
    for (name, service) in documents.services() {
        let image = service["image"].as_str().unwrap_or_default();
        let (reference, digest) =
            image.split_once('@').map_or((image, None), |(reference, digest)| (reference, Some(digest)));
        // A colon before the last slash is a registry's port.
        let (repository, tag) =
            reference.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')).unwrap_or((reference, ""));
        if !is_version(tag) {
            faults.push(format!("{name}: image {image:?} is not pinned to a version"));
        }
        if digest.is_some_and(|digest| !is_digest(digest)) {
            faults.push(format!("{name}: image {image:?} has a digest that is none"));
        }
        if digest.is_none() && !WITHOUT_DIGEST.contains(&repository) {
            faults.push(format!("{name}: image {image:?} has no digest"));
        }
        if *seen.entry(repository).or_insert(image) != image {
            faults.push(format!("{name}: {repository} is there in two versions"));
        }
    }
    faults
}

/// Three numbers, with a `v` before and a variant behind them if need be.
fn is_version(tag: &str) -> bool {
    let numbers = tag.strip_prefix('v').unwrap_or(tag).split('-').next().unwrap_or_default();
    let mut parts = numbers.split('.');
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    parts.clone().count() == 3 && parts.all(is_number)
}

fn is_digest(digest: &str) -> bool {
    let hex = digest.strip_prefix("sha256:").unwrap_or_default();
    hex.len() == 64 && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Loopback only, and exactly what the page promises.
fn published(documents: &Documents) -> Vec<String> {
    let mut faults = Vec::new();
    let mut found = BTreeSet::new();
    for (name, service) in documents.services() {
        if service.get("network_mode").is_some() {
            faults.push(format!("{name}: network_mode publishes past `ports`"));
        }
        match ports(service) {
            Err(fault) => faults.push(format!("{name}: {fault}")),
            Ok(ports) => {
                let beyond = ports.iter().filter(|port| port.host != "127.0.0.1");
                faults.extend(beyond.map(|port| format!("{name}: {} is published beyond 127.0.0.1", port.published)));
                found.extend(ports.into_iter().map(|port| (name.to_owned(), port.published)));
            }
        }
    }
    let promised: BTreeSet<_> = documents.addresses().into_iter().collect();
    faults.extend(found.difference(&promised).map(|one| format!("{one:?} is published and not on the page")));
    faults.extend(promised.difference(&found).map(|one| format!("{one:?} is on the page and not published")));
    faults
}

/// Whatever keeps running tells whether it is well, and is not asked for ever.
fn health(documents: &Documents) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, service) in documents.services().filter(|(name, _)| !ends(documents, name)) {
        let check = &service["healthcheck"];
        if texts(&check["test"]).next() != Some("CMD") || check["disable"] == true {
            faults.push(format!("{name}: no health check"));
        }
        let missing = ["interval", "timeout", "retries"].into_iter().filter(|bound| check.get(bound).is_none());
        faults.extend(missing.map(|bound| format!("{name}: the health check has no {bound}")));
    }
    faults
}

/// Whether somebody waits for the service's end. `up --wait` takes the end of any other for a failure
/// (<https://github.com/docker/compose/pull/9572>).
fn ends(documents: &Documents, name: &str) -> bool {
    let waits = |service: &Value| service["depends_on"][name]["condition"] == "service_completed_successfully";
    documents.services().any(|(_, service)| waits(service))
}

/// What ends stays ended, and who waits waits for something that can come.
fn ended(documents: &Documents) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, service) in documents.services() {
        if ends(documents, name) && service["restart"] != "no" {
            faults.push(format!("{name} ends, and is started again"));
        }
        let awaited = service["depends_on"].as_object().into_iter().flatten();
        for (other, how) in awaited {
            let condition = if ends(documents, other) { "service_completed_successfully" } else { "service_healthy" };
            if documents.file["services"].get(other).is_none() {
                faults.push(format!("{name} waits for {other}, which is not there"));
            } else if how["condition"] != condition {
                faults.push(format!("{name} waits for {other} without {condition}"));
            }
        }
    }
    faults
}

/// Header and page give the same two commands; the second is one of ours, and leads to what is published.
fn commands(documents: &Documents) -> Vec<String> {
    let mut faults = Vec::new();
    let header: String = documents.text.lines().take_while(|line| line.starts_with('#')).collect::<Vec<_>>().join("\n");
    if !header.contains("CI validates this file and does not run it") {
        faults.push("the header does not say that CI does not run the file".into());
    }
    let commands = Documents::commands(&header);
    let [start, up] = commands[..] else { return vec![format!("the header has not two commands: {commands:?}")] };
    let page = Documents::commands(&documents.page);
    faults.extend([start, up].iter().filter(|one| !page.contains(*one)).map(|one| format!("the page lacks `{one}`")));
    if start != "docker compose -f local/compose.yaml up -d --wait" {
        faults.push(format!("`{start}` does not start this file and wait"));
    }
    if let Err(error) = local::cli::Cli::try_parse_from(up.split_whitespace().skip(1)) {
        faults.push(format!("`{up}`: {error}"));
    }
    let option = |name: &str| up.split_whitespace().skip_while(|word| *word != name).nth(1).unwrap_or_default();
    if listeners::outside(documents) != [option("--broker")] {
        faults.push(format!("--broker {} is not what the broker advertises", option("--broker")));
    }
    let dynamodb = ports(&documents.file["services"]["dynamodb"]).unwrap_or_default();
    if !dynamodb.iter().any(|port| option("--dynamodb") == format!("http://localhost:{}", port.published)) {
        faults.push(format!("--dynamodb {} is not published", option("--dynamodb")));
    }
    // The broker's log outlives a restart of its container; tables that did not would be at odds with it.
    if texts(&documents.file["services"]["dynamodb"]["command"]).any(|word| word == "-inMemory") {
        faults.push("dynamodb forgets its tables sooner than the broker its log".into());
    }
    faults
}
