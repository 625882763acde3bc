//! Who may depend on whom. Production never depends on the sandbox, a port never on its adapter, the core on nothing.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

use crate::tree::{Source, report, root};

/// What a package may link of ours; its tests may use more, but never a function or `local`.
const ALLOWED: &[(&str, &[&str])] = &[
    ("audit", &["coupon", "record-log"]),
    ("baseline", &["coupon", "coupon-dynamodb", "coupon-store", "issue-api", "issue-worker", "kafka", "kafka-event"]),
    ("bench-report", &[]),
    ("bootstrap", &["kafka"]),
    ("coupon", &[]),
    ("coupon-dynamodb", &["coupon", "coupon-store"]),
    ("coupon-store", &["coupon"]),
    ("coupon-store-contract", &["coupon", "coupon-store"]),
    ("embedded-broker", &[]),
    ("embedded-dynamodb", &[]),
    ("emf", &[]),
    ("empty-handler", &[]),
    ("issue-api", &["bootstrap", "coupon", "coupon-dynamodb", "coupon-store", "emf", "kafka", "record-log"]),
    (
        "issue-worker",
        &["bootstrap", "coupon", "coupon-dynamodb", "coupon-store", "emf", "kafka", "kafka-event", "record-log"],
    ),
    ("kafka", &["record-log"]),
    ("kafka-esm", &["kafka-event"]),
    ("kafka-event", &[]),
    (
        "local",
        &[
            "audit",
            "baseline",
            "bench-report",
            "coupon",
            "coupon-dynamodb",
            "coupon-store",
            "kafka",
            "kafka-esm",
            "kafka-event",
            "load-generator",
            "record-log",
            "start",
            "template",
        ],
    ),
    ("load-generator", &[]),
    ("model", &["coupon"]),
    ("record-log", &[]),
    ("record-log-contract", &["record-log"]),
    (
        "rush",
        &["audit", "coupon", "coupon-store", "issue-api", "issue-worker", "kafka-event", "record-log", "simulation"],
    ),
    ("simulation", &["coupon", "coupon-store", "record-log"]),
    ("start", &[]),
    ("template", &[]),
    ("tidy", &["template", "wire-contract"]),
    ("topic-setup", &["bootstrap", "kafka", "record-log"]),
    ("wire-contract", &["record-log"]),
];

/// Packages that only tests and tools link: never a function, not even by way of another package.
const NEVER_DEPLOYED: [&str; 18] = [
    "audit",
    "baseline",
    "bench-report",
    "coupon-store-contract",
    "embedded-broker",
    "embedded-dynamodb",
    "empty-handler",
    "kafka-esm",
    "load-generator",
    "local",
    "model",
    "record-log-contract",
    "rush",
    "simulation",
    "start",
    "template",
    "tidy",
    "wire-contract",
];

/// What the core is made of beside `core` and `alloc`.
const CORE: [&str; 3] = ["serde", "thiserror", "time"];

/// Libraries that have one home, and the packages that may name them.
const HOMES: [(&str, &[&str]); 3] = [
    ("aws-sdk-dynamodb", &["baseline", "coupon-dynamodb", "local"]),
    ("aws-sdk-secretsmanager", &["bootstrap"]),
    ("rdkafka", &["baseline", "kafka", "kafka-esm", "local"]),
];

fn metadata() -> Metadata {
    MetadataCommand::new().current_dir(root()).other_options(vec!["--offline".into()]).exec().unwrap()
}

fn members(metadata: &Metadata) -> BTreeMap<String, &Package> {
    metadata.workspace_packages().into_iter().map(|package| (package.name.to_string(), package)).collect()
}

/// The names of a package's dependencies of one kind.
fn names(package: &Package, kind: DependencyKind) -> BTreeSet<&str> {
    package.dependencies.iter().filter(|one| one.kind == kind).map(|one| one.name.as_str()).collect()
}

#[test]
fn nothing_depends_on_what_it_may_not() {
    let metadata = metadata();
    let members = members(&metadata);
    let mut faults = Vec::new();
    for (name, package) in &members {
        let Some((_name, allowed)) = ALLOWED.iter().find(|(known, _allowed)| known == name) else {
            faults.push(format!("{}: say in ALLOWED what {name} may depend on", package.manifest_path));
            continue;
        };
        for dependency in
            names(package, DependencyKind::Normal).into_iter().chain(names(package, DependencyKind::Build))
        {
            if members.contains_key(dependency) && !allowed.contains(&dependency) {
                faults.push(format!("{}: {name} may not depend on {dependency}", package.manifest_path));
            }
        }
    }
    report("Dependencies point from the functions to the ports to the core (ALLOWED in dependencies.rs).", &faults);
}

#[test]
fn nobody_depends_on_local_not_even_in_tests() {
    let metadata = metadata();
    let mut faults = Vec::new();
    for (name, package) in members(&metadata) {
        let forbidden = package
            .dependencies
            .iter()
            .filter(|one| ["local", "issue-api", "issue-worker", "topic-setup"].contains(&one.name.as_str()));
        // `rush` simulates the functions' own libraries, `baseline` serves them without Lambda; no function links either.
        let by_trade =
            |dependency: &str| name == "local" || (["baseline", "rush"].contains(&&*name) && dependency != "local");
        for dependency in forbidden.filter(|one| !by_trade(one.name.as_str())) {
            faults.push(format!("{}: {name} uses {}", package.manifest_path, dependency.name));
        }
    }
    report(
        "What production depends on is production: `local` is a guest, and a function is nobody's library.",
        &faults,
    );
}

#[test]
fn no_function_links_what_is_for_tests_and_tools() {
    let metadata = metadata();
    let members = members(&metadata);
    let mut faults = Vec::new();
    for function in members.keys().filter(|name| members[*name].manifest_path.as_str().contains("/functions/")) {
        let mut reached = BTreeSet::from([function.as_str()]);
        let mut open = vec![function.as_str()];
        while let Some(name) = open.pop() {
            let ours =
                names(members[name], DependencyKind::Normal).into_iter().filter(|one| members.contains_key(*one));
            open.extend(ours.filter(|one| reached.insert(one)));
        }
        let never = reached.iter().filter(|name| NEVER_DEPLOYED.contains(name));
        faults.extend(never.map(|name| format!("{}: {function} links {name}", members[function].manifest_path)));
    }
    report("A deployed function links nothing that is for tests and tools.", &faults);
}

#[test]
fn the_core_is_no_std_and_has_no_company() {
    let metadata = metadata();
    let core = members(&metadata)["coupon"];
    let mut faults: Vec<String> = names(core, DependencyKind::Normal)
        .into_iter()
        .filter(|name| !CORE.contains(name))
        .map(|name| format!("{}: {name}", core.manifest_path))
        .collect();
    let lib = Source::at("crates/coupon/src/lib.rs");
    if !lib.text.lines().any(|line| line == "#![no_std]") {
        faults.push(format!("{}: no `#![no_std]`", lib.path));
    }
    report(
        "The core reads no clock, no environment and no socket: `no_std`, and serde, thiserror, time alone.",
        &faults,
    );
}

#[test]
fn a_library_with_a_home_stays_there() {
    let metadata = metadata();
    let mut faults = Vec::new();
    for (name, package) in members(&metadata) {
        for (library, homes) in HOMES {
            if names(package, DependencyKind::Normal).contains(library) && !homes.contains(&name.as_str()) {
                faults.push(format!("{}: {library} belongs to {}", package.manifest_path, homes.join(", ")));
            }
        }
    }
    report("Kafka's client and the AWS SDK's are known to the crate that wraps them.", &faults);
}

#[test]
fn every_version_is_pinned_in_the_root_and_every_member_keeps_the_lints() {
    let metadata = metadata();
    let mut faults = Vec::new();
    for package in members(&metadata).values() {
        let path = package.manifest_path.strip_prefix(root().to_str().unwrap()).unwrap();
        let manifest = Source::at(path.as_str());
        if !manifest.text.contains("[lints]\nworkspace = true") {
            faults.push(format!("{path}: no `[lints] workspace = true`"));
        }
        let mut section = "";
        for (number, line) in (1..).zip(manifest.text.lines()) {
            if line.starts_with('[') {
                section = line;
            } else if section.ends_with("dependencies]") && line.contains('=') && !line.contains("workspace = true") {
                faults.push(format!("{path}:{number}: {line}"));
            }
        }
    }
    report("Members say `workspace = true`: versions and features are in the root Cargo.toml, once.", &faults);
}
