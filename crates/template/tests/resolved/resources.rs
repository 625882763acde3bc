//! What each type of resource has to say, and what it may not.

use std::time::Duration;

use serde::Deserialize;
use template::{Authorizer, Cors, KeyAttribute};

use crate::world::{refusal, resolved};

const SYSTEM: &str = "\
Globals:
  Function:
    Runtime: provided.al2023
    Handler: bootstrap
    Timeout: 5
    Environment: {Variables: {SHARED: globals, OVERRIDDEN: globals}}
Conditions:
  Yes: !Equals [a, a]
Resources:
  Door:
    Type: AWS::Serverless::Function
    Metadata: {BuildMethod: rust-cargolambda}
    Properties:
      CodeUri: ../functions/door/
      Environment: {Variables: {OVERRIDDEN: own}}
  Worker:
    Type: AWS::Serverless::Function
    Metadata: {BuildMethod: rust-cargolambda, BuildProperties: {Binary: work}}
    Properties: {FunctionName: worker, Timeout: 60, MemorySize: 1024, ReservedConcurrentExecutions: 3}
  Items:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: b, AttributeType: N}, {AttributeName: a, AttributeType: S}]
      KeySchema: [{AttributeName: a, KeyType: HASH}, {AttributeName: b, KeyType: RANGE}]
      WarmThroughput: {ReadUnitsPerSecond: 9}
  Topics:
    Type: Custom::KafkaTopics
    Properties:
      ServiceToken: !GetAtt Worker.Arn
      Topics:
        - {Name: a, Partitions: '10', Replication: 3, Config: {retention.ms: 5, x: !Ref AWS::NoValue}}
  Api:
    Type: AWS::ApiGatewayV2::Api
    Properties:
      ProtocolType: HTTP
      CorsConfiguration: !If [Yes, {AllowOrigins: ['*'], ExposeHeaders: [location], MaxAge: 600}, !Ref AWS::NoValue]
  Stage:
    Type: AWS::ApiGatewayV2::Stage
    Properties:
      ApiId: !Ref Api
      StageName: $default
      AutoDeploy: true
      DefaultRouteSettings: {ThrottlingRateLimit: 100, ThrottlingBurstLimit: 50}
  Jwt:
    Type: AWS::ApiGatewayV2::Authorizer
    Properties:
      ApiId: !Ref Api
      AuthorizerType: JWT
      IdentitySource: [$request.header.Authorization]
      JwtConfiguration: {Issuer: https://i, Audience: [one, two]}
  Integration:
    Type: AWS::ApiGatewayV2::Integration
    Properties:
      ApiId: !Ref Api
      IntegrationType: AWS_PROXY
      IntegrationUri: !GetAtt Door.Arn
      PayloadFormatVersion: '2.0'
  Open:
    Type: AWS::ApiGatewayV2::Route
    Properties: {ApiId: !Ref Api, RouteKey: GET /a, Target: !Sub 'integrations/${Integration}'}
  Default:
    Type: AWS::ApiGatewayV2::Route
    Properties:
      ApiId: !Ref Api
      RouteKey: $default
      AuthorizationType: JWT
      AuthorizerId: !Ref Jwt
      Target: !Sub integrations/${Integration}
  Mapping:
    Type: AWS::Lambda::EventSourceMapping
    Properties:
      FunctionName: !Ref Worker
      BatchSize: !Select [0, ['10']]
      Filters: [{Pattern: x}]
";

/// With one thing said otherwise.
#[track_caller]
fn changed(before: &str, after: &str) -> String {
    assert_eq!(SYSTEM.matches(before).count(), 1, "{before}");
    SYSTEM.replace(before, after)
}

/// The place of `found` in the changed text, and the beginning of what is said.
#[track_caller]
fn is_refused(before: &str, after: &str, found: &str, told: &str) {
    let text = changed(before, after);
    let (line, column) = place(&text, found);
    let refusal = refusal(&text);
    assert!(
        refusal.starts_with(&format!("t.yaml:{line}:{column}: {told}")),
        "{after}: {refusal}, not {line}:{column}: {told}"
    );
}

fn place(text: &str, found: &str) -> (usize, usize) {
    let (before, _) = text.split_once(found).unwrap_or_else(|| panic!("no {found}"));
    (
        before.lines().count().max(1) + usize::from(before.ends_with('\n')),
        before.len() - before.rfind('\n').unwrap_or(0),
    )
}

#[test]
fn a_function_is_its_own_properties_over_the_globals() {
    let functions = resolved(SYSTEM).unwrap().functions;
    let [door, worker] = &functions[..] else { panic!("{functions:?}") };
    assert_eq!((door.name.as_str(), door.binary.as_str()), ("stack-Door", "door"));
    assert_eq!(
        door.variables,
        [("OVERRIDDEN", "own"), ("SHARED", "globals")].map(|(a, b)| (a.into(), b.into())).into()
    );
    assert_eq!((door.timeout, door.memory_mb, door.concurrency), (Duration::from_secs(5), 128, None));
    assert_eq!((worker.name.as_str(), worker.binary.as_str()), ("worker", "work"));
    assert_eq!((worker.timeout, worker.memory_mb, worker.concurrency), (Duration::from_secs(60), 1024, Some(3)));
    assert_eq!(worker.variables["OVERRIDDEN"], "globals");
}

#[test]
fn a_function_that_cannot_run_here_is_refused() {
    is_refused("Timeout: 60,", "Timeout: 901,", "901", "Resources.Worker.Properties.Timeout: 901 is not in 1 to 900");
    is_refused(
        "Timeout: 60,",
        "Timeout: soon,",
        "soon",
        "Resources.Worker.Properties.Timeout: expected a whole number",
    );
    is_refused(
        "MemorySize: 1024",
        "MemorySize: 64",
        "64",
        "Resources.Worker.Properties.MemorySize: 64 is not in 128 to",
    );
    is_refused("Timeout: 60,", "Timeot: 60,", "Timeot", "Resources.Worker.Properties: unknown field `Timeot`");
    is_refused(
        "provided.al2023",
        "nodejs22.x",
        "nodejs22.x",
        "Resources.Door.Properties.Runtime: expected provided.al2023",
    );
    is_refused(
        "{BuildMethod: rust-cargolambda, ",
        "{BuildMethod: makefile, ",
        "makefile",
        "Resources.Worker: BuildMethod: makefile",
    );
    is_refused(
        "Metadata: {BuildMethod: rust-cargolambda, BuildProperties: {Binary: work}}",
        "",
        "Worker:",
        "Resources.Worker: no Metadata",
    );
    is_refused("CodeUri: ../functions/door/", "CodeUri: ./", "Door:", "Resources.Door: no Binary");
    is_refused(
        "OVERRIDDEN: own",
        "OVERRIDDEN: [own]",
        "[own]",
        "Resources.Door.Properties.Environment.Variables.OVERRIDDEN: expected a text",
    );
}

#[test]
fn a_table_is_its_key() {
    let table = resolved(SYSTEM).unwrap().tables.remove(0);
    let attribute = |name: &str, kind: &str| KeyAttribute { name: name.into(), kind: kind.into() };
    assert_eq!((table.name.as_str(), &table.key[..]), ("stack-Items", &[attribute("a", "S"), attribute("b", "N")][..]));
    is_refused(
        "WarmThroughput: {",
        "GlobalSecondaryIndexes: {",
        "GlobalSecondaryIndexes",
        "Resources.Items.Properties: unknown field `GlobalS",
    );
    is_refused(
        "PAY_PER_REQUEST",
        "PROVISIONED",
        "PROVISIONED",
        "Resources.Items.Properties: BillingMode: expected PAY_PER_REQUEST",
    );
    is_refused(
        "{AttributeName: a, KeyType: HASH}",
        "{AttributeName: c, KeyType: HASH}",
        "c, KeyType",
        "Resources.Items.Properties: KeySchema: Attr",
    );
    is_refused(
        "{AttributeName: a, KeyType: HASH}, ",
        "",
        "[{AttributeName: b, KeyType",
        "Resources.Items.Properties: KeySchema: expected HASH",
    );
    is_refused(
        "AttributeType: N",
        "AttributeType: X",
        "X}",
        "Resources.Items.Properties: AttributeDefinitions: expected S, N or B",
    );
}

#[test]
fn a_topic_is_what_its_function_is_told() {
    let topic = resolved(SYSTEM).unwrap().topics.remove(0);
    assert_eq!((topic.name.as_str(), topic.partitions, topic.replication), ("a", 10, Some(3)));
    assert_eq!(topic.configuration, [("retention.ms".to_owned(), "5".to_owned())].into());
    is_refused(
        "Partitions: '10'",
        "Partitions: 0",
        "0, Replication",
        "Resources.Topics.Properties.Topics: expected 1 or more, found 0",
    );
    is_refused(
        "Partitions: '10'",
        "Partition: 10",
        "Partition: 10",
        "Resources.Topics.Properties.Topics: unknown field `Partition`",
    );
    is_refused(
        "        - {Name: a",
        "        - {Name: a, Partitions: 1}\n        - {Name: a",
        "a, Partitions: '10'",
        "Resources.Topics: the topic a is declared twice",
    );
}

#[test]
fn an_api_is_its_routes_and_who_may_take_them() {
    let api = resolved(SYSTEM).unwrap().api.unwrap();
    let routes: Vec<_> =
        api.routes.iter().map(|route| (route.key.as_str(), route.function.as_str(), route.authorized)).collect();
    assert_eq!(routes, [("GET /a", "stack-Door", false), ("$default", "stack-Door", true)]);
    let authorizer = Authorizer { issuer: "https://i".into(), audiences: vec!["one".into(), "two".into()] };
    assert_eq!(api.authorizer, Some(authorizer));
    assert_eq!((api.rate, api.burst), (Some(100.0), Some(50)));
    let cors = Cors {
        allow_origins: vec!["*".into()],
        expose_headers: vec!["location".into()],
        max_age: Some(600),
        ..Cors::default()
    };
    assert_eq!(api.cors, Some(cors));
    let without = resolved(&changed("Yes: !Equals [a, a]", "Yes: !Equals [a, b]")).unwrap().api.unwrap();
    assert_eq!(without.cors, None);
}

#[test]
fn an_api_that_a_gateway_here_cannot_be_is_refused() {
    for (before, after, found, told) in [
        (
            "ProtocolType: HTTP",
            "ProtocolType: WEBSOCKET",
            "WEBSOCKET",
            "Resources.Api.Properties.ProtocolType: expected HTTP",
        ),
        (
            "StageName: $default",
            "StageName: v1",
            "v1",
            "Resources.Stage.Properties.StageName: expected $default, found v1",
        ),
        ("AutoDeploy: true", "AutoDeploy: false", "false", "Resources.Stage.Properties.AutoDeploy: expected true"),
        (
            "PayloadFormatVersion: '2.0'",
            "PayloadFormatVersion: '1.0'",
            "'1.0'",
            "Resources.Integration.Properties.Payload",
        ),
        (
            "IntegrationUri: !GetAtt Door.Arn",
            "IntegrationUri: https://x",
            "https://x",
            "Resources.Integration.Properties: https://x is no function",
        ),
    ] {
        is_refused(before, after, found, told);
    }
}

#[test]
fn an_authorizer_or_a_route_that_a_gateway_here_cannot_have_is_refused() {
    for (before, after, found, told) in [
        (
            "AuthorizerType: JWT",
            "AuthorizerType: REQUEST",
            "REQUEST\n      Identity",
            "Resources.Jwt.Properties.AuthorizerType: expected JWT",
        ),
        ("[one, two]", "['']", "['']", "Resources.Jwt.Properties.JwtConfiguration: Audience: nobody's"),
        (
            "[$request.header.Authorization]",
            "[$request.querystring.token]",
            "[$request.query",
            "Resources.Jwt.Properties: IdentitySource: only",
        ),
        (
            "AuthorizerId: !Ref Jwt",
            "AuthorizerId: Other",
            "Other",
            "Resources.Default.Properties: AuthorizerId: Other is no authorizer",
        ),
        (
            "      AuthorizerId: !Ref Jwt\n",
            "",
            "JWT\n      Target",
            "Resources.Default.Properties: AuthorizationType: expected NONE, or JWT",
        ),
        (
            "Target: !Sub integrations/${Integration}",
            "Target: elsewhere",
            "elsewhere",
            "Resources.Default.Properties: Target: expected integrations/",
        ),
        (
            "      AuthorizationType: JWT\n",
            "      AuthorizationType: JWT\n      AuthorizationScopes: [a]\n",
            "AuthorizationScopes",
            "Resources.Default.Properties: unknown field `AuthorizationScopes`",
        ),
        (
            "  Stage:\n    Type: AWS::ApiGatewayV2::Stage\n",
            "  Stage:\n    Type: AWS::IAM::Role\n",
            "Api:\n",
            "Resources.Api: no AWS::ApiGatewayV2::Stage",
        ),
        (
            "  Stage:\n",
            "  Second: {Type: AWS::ApiGatewayV2::Api, Properties: {ProtocolType: HTTP}}\n  Stage:\n",
            "Second: {",
            "Resources.Second: a second API",
        ),
    ] {
        is_refused(before, after, found, told);
    }
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Read {
    function_name: String,
    batch_size: u32,
    filters: serde_json::Value,
}

#[test]
fn a_mapping_is_its_properties_as_they_come_out() {
    let mapping = resolved(SYSTEM).unwrap().mappings.remove(0);
    assert_eq!(mapping.function, "worker");
    let read: Read = mapping.properties.read("t.yaml").unwrap();
    let filters = serde_json::json!([{ "Pattern": "x" }]);
    assert_eq!(read, Read { function_name: "worker".into(), batch_size: 10, filters });
    let pattern = mapping.properties.place("Filters[0].Pattern");
    assert_eq!((pattern.line, pattern.column), place(SYSTEM, "x}]\n"));
    assert_eq!(mapping.properties.place("Filters[1].Pattern").line, pattern.line, "the closest thing around it");
}

#[test]
fn what_a_mapping_has_too_much_or_wrong_is_told_with_its_line() {
    let read = |text: &str| {
        let mapping = resolved(text).unwrap().mappings.remove(0);
        mapping.properties.read::<Read>("t.yaml").unwrap_err().to_string()
    };
    let text = changed("      Filters:", "      Surprise: 1\n      Filters:");
    let (line, column) = place(&text, "Surprise");
    let told = format!("t.yaml:{line}:{column}: Resources.Mapping.Properties: unknown field `Surprise`");
    assert!(read(&text).starts_with(&told), "{}", read(&text));
    let text = changed("['10']", "['ten']");
    let (line, _) = place(&text, "'ten'");
    let told = "Resources.Mapping.Properties.BatchSize: expected a whole number, not below 0, found \"ten\"";
    assert!(read(&text).starts_with(&format!("t.yaml:{line}:")) && read(&text).ends_with(told), "{}", read(&text));
    is_refused(
        "FunctionName: !Ref Worker",
        "FunctionName: other",
        "other\n",
        "Resources.Mapping.Properties: other is no function",
    );
}
