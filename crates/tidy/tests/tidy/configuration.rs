//! The variables: what a function reads is what ARCHITECTURE's table says, name for name.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use template::{Given, Template, Whereabouts};

use crate::tree::{Source, report, root, shouted};

/// The variables that the Kafka crate reads for a function.
const KAFKA: &str = "crates/kafka/src/config.rs";

/// The functions that answer a request or a batch; what the table calls `both`.
const BOTH: [&str; 2] = ["issue-api", "issue-worker"];

/// What is deployed, in AWS SAM's language.
const TEMPLATE: &str = "infra/template.yaml";

/// Variables that the Lambda runtime, the AWS SDK and the log read, whatever the function.
const EVERYBODYS: [&str; 2] = ["AWS_", "RUST_"];

/// The names in a function's `config.rs`, with the line of the first mention. Other functions than those two may do
/// without one.
fn read_by(function: &str) -> BTreeMap<String, (String, usize)> {
    let path = format!("functions/{function}/src/config.rs");
    if !BOTH.contains(&function) && !root().join(&path).exists() {
        return BTreeMap::new();
    }
    let config = Source::at(&path);
    let mut names = names_in(&config);
    if config.text.contains("kafka::Config::from_lookup") {
        names.extend(names_in(&Source::at(KAFKA)).into_iter().filter(|(name, _place)| name.starts_with("KAFKA_")));
    }
    names
}

fn names_in(source: &Source) -> BTreeMap<String, (String, usize)> {
    let mut names = BTreeMap::new();
    for (number, line) in source.code() {
        for name in shouted(line).filter(|name| name.contains('_')) {
            names.entry(name.to_owned()).or_insert((source.path.clone(), number));
        }
    }
    // Values that a variable takes look the same.
    names.retain(|name, _place| !["SASL_PLAINTEXT", "SASL_SSL"].contains(&name.as_str()));
    names
}

/// The rows of the table whose first cell is a variable: its name, whom it is for, the line.
fn table() -> Vec<(String, String, usize)> {
    let page = Source::at("ARCHITECTURE.md");
    let rows = (1..).zip(page.text.lines()).filter_map(|(number, line)| {
        let mut cells = line.strip_prefix("| `")?.split(" | ");
        let name = cells.next()?.strip_suffix('`')?;
        let functions = cells.next()?;
        let is_variable = shouted(&format!("\"{name}\"")).next().is_some();
        is_variable.then(|| (name.to_owned(), functions.to_owned(), number))
    });
    rows.collect()
}

fn functions() -> BTreeSet<String> {
    let folders = fs::read_dir(root().join("functions")).unwrap();
    folders.map(|folder| folder.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn every_variable_is_in_the_table_and_in_the_code() {
    let table = table();
    assert!(!table.is_empty(), "ARCHITECTURE.md has no table of variables: rows start with | `NAME` |");
    let mut faults = Vec::new();
    for function in functions() {
        let read = read_by(&function);
        let is_for = |row: &(String, String, usize)| {
            row.1.contains(&function) || (row.1.starts_with("both") && BOTH.contains(&function.as_str()))
        };
        let told: BTreeMap<&str, usize> =
            table.iter().filter(|row| is_for(row)).map(|row| (row.0.as_str(), row.2)).collect();
        for (name, (path, number)) in &read {
            if !told.contains_key(name.as_str()) {
                faults.push(format!("{path}:{number}: {function} reads {name}, and ARCHITECTURE.md does not say so"));
            }
        }
        for (name, number) in told {
            if !read.contains_key(name) {
                faults.push(format!("ARCHITECTURE.md:{number}: {function} does not read {name}"));
            }
        }
    }
    report("The variables in a function's config.rs are those of ARCHITECTURE's configuration table.", &faults);
}

#[test]
fn the_template_gives_each_function_the_variables_that_it_reads() {
    let functions = deployed();
    assert!(!functions.is_empty(), "{TEMPLATE} has no function");
    let mut faults = Vec::new();
    // Another function than those two may have its variables read by others' code alone.
    let has_its_own = |function: &&template::Function| !read_by(&function.binary).is_empty();
    for function in functions.iter().filter(has_its_own) {
        let read: BTreeSet<String> = read_by(&function.binary).into_keys().collect();
        let is_its_own = |name: &&String| !EVERYBODYS.iter().any(|prefix| name.starts_with(prefix));
        let set: BTreeSet<String> = function.variables.keys().filter(is_its_own).cloned().collect();
        let (place, binary) = (function.place, &function.binary);
        faults.extend(read.difference(&set).map(|name| format!("{TEMPLATE}:{place}: {binary} reads {name}, not set")));
        faults.extend(set.difference(&read).map(|name| format!("{TEMPLATE}:{place}: {binary} does not read {name}")));
    }
    report("The template sets the variables that a function's config.rs reads, and no others.", &faults);
}

/// The functions of the template, with everything switched on by which a variable could be left out.
fn deployed() -> Vec<template::Function> {
    let secret = "arn:aws:secretsmanager:us-east-1:123456789012:secret:s";
    let chosen = [
        ("JwtIssuer", "https://issuer.example"),
        ("JwtAudience", "firstcome"),
        ("BootstrapServers", "b:9092"),
        ("SaslSecretArn", secret),
        ("CaSecretArn", secret),
    ];
    let given = Given {
        chosen: chosen.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        machine: BTreeMap::new(),
    };
    let template = Template::open(&root().join(TEMPLATE)).unwrap();
    template.resolve(&given, &Whereabouts::default()).unwrap().functions
}
