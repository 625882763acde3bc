//! This checkout's own template: it is understood, whole.

use std::path::Path;

use template::{Given, Stack, Template};

use crate::world::whereabouts;

fn checkouts(chosen: &[(&str, &str)]) -> Stack {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/template.yaml");
    let needed = [("JwtIssuer", "https://i"), ("JwtAudience", "a"), ("BootstrapServers", "b:1")];
    let secret = [("SaslSecretArn", "arn:aws:secretsmanager:us-east-1:123456789012:secret:x")];
    let pairs = needed.iter().chain(&secret).chain(chosen);
    let chosen = pairs.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let given = Given { chosen, ..Given::default() };
    Template::open(&path).unwrap().resolve(&given, &whereabouts()).unwrap()
}

#[test]
fn all_of_it_is_understood() {
    let stack = checkouts(&[]);
    assert!(stack.api.is_some_and(|api| !api.routes.is_empty() && api.cors.is_none()));
    assert_eq!((stack.tables.len(), stack.topics.len(), stack.mappings.len()), (2, 3, 1));
    assert_eq!(stack.objections, [""; 0]);
}

#[test]
fn every_switch_is_understood_too() {
    let stack = checkouts(&[
        ("CorsOrigins", "https://shop.example"),
        ("CaSecretArn", "arn:aws:secretsmanager:us-east-1:123456789012:secret:y"),
        ("SubnetA", "subnet-0123456789abcdef0"),
        ("SubnetB", "subnet-1123456789abcdef0"),
        ("SecurityGroup", "sg-0123456789abcdef0"),
        ("ApiConcurrency", "5"),
        ("Pollers", "0"),
        ("WarmReads", "1"),
        ("WarmWrites", "1"),
        ("Prefix", "other-"),
    ]);
    let api = stack.api.unwrap();
    assert!(api.cors.is_some() && api.routes.iter().any(|route| route.key == "OPTIONS /{proxy+}"));
    assert!(stack.functions.iter().all(|function| function.name.starts_with("other-")));
    assert_eq!(stack.functions.iter().filter_map(|function| function.concurrency).collect::<Vec<_>>(), [5]);
}
