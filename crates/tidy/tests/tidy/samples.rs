//! The samples and examples under `events/`: each is what its schema says, and what the core and the event types read.

use std::collections::BTreeSet;

use coupon::{IssueResult, RequestRecord};
use jsonschema::Validator;
use kafka_event::KafkaEvent;
use serde_json::{Value, json};
use wire_contract::yaml;

use crate::{
    api::{OPENAPI, openapi},
    tree::{Source, report, sources},
};

const ASYNCAPI: &str = "events/asyncapi.yaml";

fn schema(name: &str) -> Value {
    serde_json::from_str(&Source::at(&format!("events/schemas/{name}.json")).text).unwrap()
}

fn validator(schema: &Value) -> Validator {
    jsonschema::draft202012::options().should_validate_formats(true).build(schema).unwrap()
}

/// What a validator holds against a value, if anything.
fn fault(validator: &Validator, value: &Value) -> Option<String> {
    let errors: Vec<String> = validator.iter_errors(value).map(|error| error.to_string()).collect();
    (!errors.is_empty()).then(|| format!("{value}: {}", errors.join("; ")))
}

#[test]
fn the_examples_of_a_schema_are_valid() {
    let mut faults = Vec::new();
    for source in sources("events/schemas", ".json") {
        let schema: Value = serde_json::from_str(&source.text).unwrap();
        let examples = schema["examples"].as_array().unwrap_or_else(|| panic!("{}: no examples", source.path));
        let validator = validator(&schema);
        faults.extend(
            examples.iter().filter_map(|one| fault(&validator, one)).map(|one| format!("{}: {one}", source.path)),
        );
    }
    report("An example of a JSON Schema follows it.", &faults);
}

#[test]
fn the_core_writes_what_the_schemas_say_and_reads_it_back() {
    let request = schema("issue-request");
    for example in request["examples"].as_array().unwrap() {
        let record: RequestRecord = serde_json::from_value(example.clone()).unwrap();
        let key = record.coupon_id.clone();
        let written = record.check(Some(key.as_bytes())).unwrap().to_record();
        assert_eq!(&serde_json::to_value(written).unwrap(), example);
    }
    let result = schema("issue-result");
    for example in result["examples"].as_array().unwrap() {
        let record: IssueResult = serde_json::from_value(example.clone()).unwrap();
        assert_eq!(&serde_json::to_value(record).unwrap(), example);
    }
}

#[test]
fn what_the_core_refuses_the_schema_refuses_too() {
    let requests = validator(&schema("issue-request"));
    let good = json!({"type": "issue", "couponId": "a", "userId": "u", "requestedAt": "2026-11-20T12:00:00+09:00"});
    let decided = |value: &Value| {
        let key = value["couponId"].as_str().unwrap_or_default().to_owned();
        serde_json::from_value::<RequestRecord>(value.clone())
            .is_ok_and(|record| record.check(Some(key.as_bytes())).is_ok())
    };
    let long = "a".repeat(65);
    let changes = [
        ("colour", json!("red"), true),
        ("userId", json!("u".repeat(128)), true),
        ("type", json!("grant"), false),
        ("couponId", json!(long), false),
        ("couponId", json!(""), false),
        ("couponId", json!("a b"), false),
        ("userId", json!("a b"), false),
        ("userId", json!("é"), false),
        ("userId", json!("u".repeat(129)), false),
        ("userId", json!(17), false),
        ("requestedAt", json!("noon"), false),
        ("requestedAt", Value::Null, false),
    ];
    for (member, value, is_good) in changes {
        let mut changed = good.clone();
        changed[member] = value;
        assert_eq!(requests.is_valid(&changed), is_good, "{changed}");
        assert_eq!(decided(&changed), is_good, "{changed}");
    }
}

#[test]
fn the_examples_of_the_openapi_file_follow_its_schemas() {
    let document = openapi();
    let mut faults = Vec::new();
    let mut seen = 0;
    each_content(&document, &mut |content: &Value| {
        let mut schema = content["schema"].clone();
        schema["components"] = document["components"].clone();
        let validator = validator(&schema);
        let named = content.get("examples").and_then(Value::as_object).into_iter().flatten();
        for example in content.get("example").into_iter().chain(named.map(|(_name, example)| &example["value"])) {
            seen += 1;
            faults.extend(fault(&validator, example));
        }
    });
    assert!(seen > 25, "{OPENAPI}: only {seen} examples were found");
    report("An example in events/openapi.yaml follows its schema.", &faults);
}

/// Every object with a `schema` and an example.
fn each_content(value: &Value, visit: &mut impl FnMut(&Value)) {
    if let Some(members) = value.as_object() {
        if members.contains_key("schema") && (members.contains_key("example") || members.contains_key("examples")) {
            visit(value);
        }
        members.values().for_each(|member| each_content(member, visit));
    } else if let Some(items) = value.as_array() {
        items.iter().for_each(|item| each_content(item, visit));
    }
}

#[test]
fn a_ticket_is_the_same_in_the_openapi_file_and_in_its_schema() {
    let document = openapi();
    let by_file = validator(&schema("ticket"));
    let by_openapi = validator(&json!({"$ref": "#/components/schemas/Ticket", "components": document["components"]}));
    let decided = json!({"requestId": "3-1", "couponId": "a", "status": "ISSUED", "rank": 1, "issuedAt": "2026-11-20T03:00:00.187Z"});
    let mut values: Vec<Value> = schema("ticket")["examples"].as_array().unwrap().clone();
    for (member, value) in [
        ("rank", json!(0)),
        ("rank", Value::Null),
        ("requestId", json!("03-1")),
        ("issuedAt", json!("2026-11-20T03:00:00Z")),
        ("status", json!("PENDING")),
        ("status", json!("REJECTED")),
        ("couponId", json!("a b")),
    ] {
        let mut changed = decided.clone();
        changed[member] = value;
        values.push(changed);
    }
    values.push(decided);
    for value in values {
        assert_eq!(by_file.is_valid(&value), by_openapi.is_valid(&value), "{value}");
    }
}

#[test]
fn the_asyncapi_file_has_the_reasons_and_the_examples_right() {
    let document = yaml::load(ASYNCAPI);
    let examples = |message: &str| {
        let pointer = format!("/components/messages/{message}/examples");
        document
            .pointer(&pointer)
            .and_then(Value::as_array)
            .unwrap_or_else(|| panic!("{ASYNCAPI}: no {pointer}"))
            .clone()
    };
    let mut faults = Vec::new();
    for (message, name) in [("issueRequest", "issue-request"), ("issueResult", "issue-result")] {
        let validator = validator(&schema(name));
        faults.extend(examples(message).iter().filter_map(|example| fault(&validator, &example["payload"])));
    }
    report("An example in events/asyncapi.yaml follows the schema of its record.", &faults);

    let listed = document.pointer("/components/messages/deadLetter/headers/properties/dlq-reason/enum");
    let listed: Vec<&str> = listed.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let core = Source::at("crates/coupon/src/record.rs");
    let reasons: Vec<&str> = core
        .code()
        .skip_while(|(_number, line)| !line.contains("impl DeadLetterReason"))
        .take_while(|(_number, line)| *line != "}")
        .filter_map(|(_number, line)| line.split_once("=> \"")?.1.split('"').next())
        .collect();
    assert_eq!(listed, reasons, "{ASYNCAPI} and {} list the reasons of a dead letter in their order", core.path);
}

#[test]
fn a_sample_call_is_one_of_the_api() {
    let document = openapi();
    let samples = sources("events", ".json").into_iter().filter(|source| source.path.starts_with("events/api-"));
    let mut routes = BTreeSet::new();
    let mut faults = Vec::new();
    for sample in samples {
        let event: Value = serde_json::from_str(&sample.text).unwrap();
        let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let route = text("/routeKey");
        routes.insert(route.to_owned());
        let method = text("/requestContext/http/method");
        let is_consistent = text("/version") == "2.0"
            && text("/requestContext/routeKey") == route
            && text("/requestContext/http/path") == text("/rawPath")
            && (route == "$default" || path_of(&event) == format!("{method} {}", text("/rawPath")));
        if !is_consistent {
            faults.push(format!("{}: route, method and path do not agree", sample.path));
        }
        if route == "$default" {
            continue;
        }
        let (verb, path) = route.split_once(' ').unwrap();
        let operation = &document["paths"][path][verb.to_lowercase()];
        if operation.is_null() {
            faults.push(format!("{}: {OPENAPI} knows no {route}", sample.path));
        }
        let is_open = operation["security"].as_array().is_some_and(Vec::is_empty);
        if is_open == event.pointer("/requestContext/authorizer/jwt/claims/sub").is_some() {
            faults.push(format!("{}: {route} has claims exactly when it asks for a token", sample.path));
        }
        if let Some(body) = event["body"].as_str() {
            let schema = json!({"$ref": "#/components/schemas/NewCoupon", "components": document["components"]});
            faults.extend(fault(&validator(&schema), &serde_json::from_str(body).unwrap()));
        }
    }
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in ["get", "post"].iter().filter(|method| item.get(**method).is_some()) {
            let route = format!("{} {path}", method.to_uppercase());
            if !path.contains("{unknown}") && !routes.contains(&route) {
                faults.push(format!("events: no sample calls {route}"));
            }
        }
    }
    report("A sample call in events/api-*.json is one of the API, and every call has one.", &faults);
}

/// The route of an event with its parameters put in.
fn path_of(event: &Value) -> String {
    let parameters = event["pathParameters"].as_object().into_iter().flatten();
    parameters.fold(event["routeKey"].as_str().unwrap().to_owned(), |route, (name, value)| {
        route.replace(&format!("{{{name}}}"), value.as_str().unwrap_or_default())
    })
}

#[test]
fn the_workers_sample_holds_requests_and_one_dead_letter() {
    let sample = Source::at("events/worker-batch.json");
    let event: KafkaEvent = serde_json::from_str(&sample.text).unwrap();
    let mut requests = 0;
    let mut others = 0;
    for partition in &event.partitions {
        for record in &partition.records {
            let record = record.as_ref().unwrap();
            let value = record.value.as_deref().unwrap_or_default();
            let request = serde_json::from_slice::<RequestRecord>(value);
            match request.ok().and_then(|request| request.check(record.key.as_deref()).ok()) {
                Some(_request) => requests += 1,
                None => others += 1,
            }
        }
    }
    assert_eq!((requests, others), (5, 1), "{}", sample.path);
}
