//! What is in the sources, and where it may not be.

use crate::tree::{Source, has_word, report, sources};

/// The longest file. Tests do not count: neither a `#[cfg(test)]` module nor a file of tests.
const LINES_MAX: usize = 400;

/// Files that are longer, and why.
const LONG: [(&str, &str); 0] = [];

/// DynamoDB's language, which has one home.
const EXPRESSIONS: [&str; 12] = [
    "ConditionExpression",
    "UpdateExpression",
    "ProjectionExpression",
    "FilterExpression",
    "ExpressionAttribute",
    "condition_expression",
    "update_expression",
    "projection_expression",
    "filter_expression",
    "expression_attribute",
    "attribute_not_exists",
    "attribute_exists",
];

/// Deliberate second implementations: a check that runs the checked code checks nothing.
const SECOND: [&str; 4] = [
    "crates/audit/src",
    "crates/coupon/tests/reference/model.rs",
    "crates/model/src/truth.rs",
    "crates/simulation/src/store",
];

/// What decides, and what they must not use therefore.
const DECIDING: [&str; 3] = ["decide", "outcome", "needs_item"];

/// Crates for any domain.
const GENERAL: [&str; 4] =
    ["crates/kafka/src", "crates/kafka-esm/src", "crates/kafka-event/src", "crates/record-log/src"];

fn rust() -> impl Iterator<Item = Source> {
    sources("", ".rs").into_iter()
}

#[test]
fn every_file_says_first_what_it_is() {
    let faults: Vec<String> = rust()
        .filter(|source| !source.text.starts_with("//! "))
        .map(|source| format!("{}:1: {}", source.path, source.text.lines().next().unwrap_or_default()))
        .collect();
    report("The first line of a file is `//!`: what lives here, what must not, which file to read next.", &faults);
}

#[test]
fn no_file_grows_without_a_reason() {
    let mut faults = Vec::new();
    let is_test = |path: &str| path.contains("/tests/") || path.ends_with("/tests.rs");
    for source in rust().filter(|source| !is_test(&source.path)) {
        let lines = source.production().count();
        let reason = LONG.iter().find(|(path, _reason)| *path == source.path);
        match (lines > LINES_MAX, reason) {
            (true, None) => faults.push(format!("{}: {lines} lines outside tests", source.path)),
            (false, Some(_)) => faults.push(format!("{}: {lines} lines; it is in LONG for nothing", source.path)),
            (true, Some((path, reason))) => println!("{path}: {lines} lines, for {reason}"),
            (false, None) => {}
        }
    }
    report("A file has at most 400 lines outside tests: split it, or put it into LONG with the reason.", &faults);
}

#[test]
fn a_dynamodb_expression_is_in_its_home_alone() {
    // The seeds' systems store a coupon otherwise, and share no table with ours.
    let homes = ["crates/coupon-dynamodb/", "crates/tidy/", "local/baseline/src/store/"];
    let elsewhere = rust().filter(|source| !homes.iter().any(|home| source.path.starts_with(home)));
    let faults: Vec<String> = elsewhere.flat_map(|source| lines_with(&source, &EXPRESSIONS)).collect();
    report("Only crates/coupon-dynamodb knows a DynamoDB expression, and the baselines' own store.", &faults);
}

#[test]
fn the_second_implementations_do_not_use_the_first() {
    let mut faults = Vec::new();
    for folder in SECOND {
        let found: Vec<Source> = rust().filter(|source| source.path.starts_with(folder)).collect();
        if found.is_empty() {
            faults.push(format!("{folder}: it is not there; SECOND in sources.rs names it"));
        }
        for source in found {
            faults.extend(uses_of_the_core(&source));
        }
    }
    report(
        "The audit, the reference model and the simulated store share record types with the core, nothing that decides.",
        &faults,
    );
}

/// Calls of the deciding functions, and imports of them from the core; a variable of that name is none.
fn uses_of_the_core(source: &Source) -> Vec<String> {
    let mut faults = Vec::new();
    let mut imports_core = false;
    for (number, line) in source.code() {
        imports_core |= line.trim_start().starts_with("use coupon::");
        let used = DECIDING.iter().any(|name| {
            let called =
                has_word(line, name) && line.contains(&format!("{name}(")) && !line.contains(&format!(".{name}("));
            let qualified = line.contains(&format!("coupon::{name}"));
            called || qualified || (imports_core && has_word(line, name))
        });
        if used {
            faults.push(format!("{}:{number}: {}", source.path, line.trim()));
        }
        imports_core &= !line.contains(';');
    }
    faults
}

#[test]
fn the_general_crates_know_no_coupon() {
    let mut faults = Vec::new();
    for source in GENERAL.iter().flat_map(|folder| sources(folder, ".rs")) {
        let knowing = source.code().filter(|(_number, line)| line.to_ascii_lowercase().contains("coupon"));
        faults.extend(knowing.map(|(number, line)| format!("{}:{number}: {}", source.path, line.trim())));
    }
    report("kafka, kafka-esm, kafka-event and record-log are for any domain: they know no coupon.", &faults);
}

#[test]
fn a_recorded_case_of_proptest_is_kept() {
    let ignored = Source::at(".gitignore").text;
    let faults: Vec<String> = (1..)
        .zip(ignored.lines())
        .filter(|(_number, line)| line.contains("proptest-regressions"))
        .map(|(number, line)| format!(".gitignore:{number}: {line}"))
        .collect();
    report("The failing cases that proptest records are committed.", &faults);
}

fn lines_with(source: &Source, words: &[&str]) -> Vec<String> {
    let found = source.code().filter(|(_number, line)| words.iter().any(|word| line.contains(word)));
    found.map(|(number, line)| format!("{}:{number}: {}", source.path, line.trim())).collect()
}
