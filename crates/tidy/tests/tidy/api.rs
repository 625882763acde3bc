//! The HTTP API as three places tell it: `problem.rs`, the OpenAPI file, the JSON Schemas. Codes, statuses and titles
//! agree, in both directions.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use wire_contract::yaml;

use crate::tree::{Source, report, shouted};

const PROBLEMS: &str = "functions/issue-api/src/problem.rs";
/// The API as a file.
pub(crate) const OPENAPI: &str = "events/openapi.yaml";

/// A code's status and title in the function.
fn problems() -> BTreeMap<String, (u64, String)> {
    let source = Source::at(PROBLEMS);
    let mut problems = BTreeMap::new();
    for (_number, line) in source.code() {
        let Some((_variant, row)) = line.split_once("=> (") else { continue };
        let mut texts = row.split('"').skip(1).step_by(2);
        let status = row.split(',').nth(1).and_then(|status| status.trim().parse().ok());
        if let (Some(code), Some(status), Some(title)) = (shouted(row).next(), status, texts.nth(1)) {
            problems.insert(code.to_owned(), (status, title.to_owned()));
        }
    }
    assert!(!problems.is_empty(), "{PROBLEMS}: no row such as `Self::SoldOut => (\"SOLD_OUT\", 410, \"…\"),`");
    problems
}

pub(crate) fn openapi() -> Value {
    yaml::load(OPENAPI)
}

/// What a `$ref` into the same file leads to, or the value itself.
fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    let target = value.get("$ref").and_then(Value::as_str).and_then(|target| target.strip_prefix('#'));
    target.map_or(value, |target| document.pointer(target).unwrap_or_else(|| panic!("{OPENAPI}: no #{target}")))
}

/// Every answer that the file tells of: the call, the status, the answer.
fn answers(document: &Value) -> Vec<(String, u64, &Value)> {
    let mut answers = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            for (status, answer) in operation.get("responses").and_then(Value::as_object).into_iter().flatten() {
                let call = format!("{} {path}", method.to_uppercase());
                answers.push((call, status.parse().unwrap(), resolved(document, answer)));
            }
        }
    }
    answers
}

/// The codes that the schema of an answer's problem allows.
fn codes(answer: &Value) -> Vec<&str> {
    let all_of = answer.pointer("/content/application~1problem+json/schema/allOf");
    let narrowed =
        all_of.and_then(Value::as_array).into_iter().flatten().filter_map(|one| one.pointer("/properties/code"));
    narrowed
        .flat_map(|code| {
            code.get("const").into_iter().chain(code.get("enum").and_then(Value::as_array).into_iter().flatten())
        })
        .filter_map(Value::as_str)
        .collect()
}

#[test]
fn the_codes_of_the_function_are_those_of_the_openapi_file() {
    let problems = problems();
    let document = openapi();
    let mut faults = Vec::new();
    let mut answered = BTreeSet::new();
    for (call, status, answer) in answers(&document) {
        let codes = codes(answer);
        if codes.is_empty() && answer.pointer("/content/application~1problem+json").is_some() {
            faults.push(format!("{OPENAPI}: {call} {status} does not say which codes it has"));
        }
        for code in codes {
            answered.insert(code.to_owned());
            match problems.get(code) {
                None => faults.push(format!("{OPENAPI}: {call} {status} {code} is no code of {PROBLEMS}")),
                Some((known, _title)) if *known != status => {
                    faults.push(format!("{OPENAPI}: {call} {status} {code}, which {PROBLEMS} answers as {known}"));
                }
                Some(_) => {}
            }
        }
    }
    let missing = problems.keys().filter(|code| !answered.contains(*code));
    faults.extend(missing.map(|code| format!("{PROBLEMS}: {code} is in no answer of {OPENAPI}")));
    report(
        "A code that the function answers is in the OpenAPI file with its status, and the other way round.",
        &faults,
    );
}

#[test]
fn the_schema_of_a_problem_lists_every_code() {
    let known: BTreeSet<String> = problems().into_keys().collect();
    let document = openapi();
    let schema: Value = serde_json::from_str(&Source::at("events/schemas/problem.json").text).unwrap();
    let listed = |value: Option<&Value>| -> BTreeSet<String> {
        value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    assert_eq!(listed(document.pointer("/components/schemas/Problem/properties/code/enum")), known, "{OPENAPI}");
    assert_eq!(listed(schema.pointer("/properties/code/enum")), known, "events/schemas/problem.json");
}

#[test]
fn the_examples_of_a_problem_are_what_the_function_says() {
    let problems = problems();
    let document = openapi();
    let mut faults = Vec::new();
    let mut seen = 0;
    for (call, status, answer) in answers(&document) {
        let Some(content) = answer.pointer("/content/application~1problem+json") else { continue };
        let named = content.get("examples").and_then(Value::as_object).into_iter().flatten();
        for example in content.get("example").into_iter().chain(named.map(|(_name, example)| &example["value"])) {
            seen += 1;
            let code = example["code"].as_str().unwrap_or_default();
            let kind = format!("urn:firstcome:problem:{}", code.to_ascii_lowercase().replace('_', "-"));
            let expected = problems.get(code).map(|(status, title)| (*status, title.as_str()));
            let told = (example["status"].as_u64().unwrap_or(0), example["title"].as_str().unwrap_or_default());
            if expected != Some(told) || told.0 != status || example["type"] != kind.as_str() {
                faults.push(format!("{OPENAPI}: {call} {status}: {example}, but {PROBLEMS} has {expected:?}"));
            }
        }
    }
    assert!(seen > 10, "{OPENAPI}: only {seen} examples of problems were found");
    report("An example of a problem has the status, the title and the type that the function gives it.", &faults);
}
