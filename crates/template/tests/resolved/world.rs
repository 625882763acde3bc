//! A template of one function, to which each test adds what it is about.

use std::collections::BTreeMap;

use template::{Given, Stack, Template, TemplateError, Whereabouts};

/// Two parameters, a mapping, two conditions, a table, and a function whose variables are the test's.
const HEAD: &str = "\
Transform: AWS::Serverless-2016-10-31
Parameters:
  Prefix: {Type: String, Default: shop-}
  Size: {Type: Number, Default: 7}
  Hosts: {Type: CommaDelimitedList, Default: 'a:1, b:2'}
Mappings:
  Regions:
    us-east-1: {Zone: eastern, Zones: [x, y]}
Conditions:
  IsShop: !Equals [!Ref Prefix, shop-]
  IsOther: !Not [!Condition IsShop]
Resources:
  Items:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: !Sub ${Prefix}items
      AttributeDefinitions: [{AttributeName: id, AttributeType: S}]
      KeySchema: [{AttributeName: id, KeyType: HASH}]
  Gone:
    Type: AWS::DynamoDB::Table
    Condition: IsOther
    Properties:
      AttributeDefinitions: [{AttributeName: id, AttributeType: S}]
      KeySchema: [{AttributeName: id, KeyType: HASH}]
  Logs: {Type: AWS::Logs::LogGroup}
  Handler:
    Type: AWS::Serverless::Function
    Metadata: {BuildMethod: rust-cargolambda, BuildProperties: {Binary: handler}}
    Properties:
      Runtime: provided.al2023
      Handler: bootstrap
      Environment:
        Variables:
";

/// The line of the first variable.
pub(crate) const FIRST_LINE: usize = 34;

/// Where the tests are.
pub(crate) fn whereabouts() -> Whereabouts {
    Whereabouts { region: "us-east-1".into(), account_id: "123456789012".into(), stack_name: "stack".into() }
}

/// What a text comes to with nothing given.
pub(crate) fn resolved(text: &str) -> Result<Stack, TemplateError> {
    resolved_with(text, &[])
}

/// The same with chosen parameters.
pub(crate) fn resolved_with(text: &str, chosen: &[(&str, &str)]) -> Result<Stack, TemplateError> {
    let chosen = chosen.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let given = Given { chosen, machine: BTreeMap::new() };
    Template::parse("t.yaml", text)?.resolve(&given, &whereabouts())
}

/// The value of one variable, written like this.
pub(crate) fn value(written: &str) -> Result<String, String> {
    assert_eq!(HEAD.lines().count() + 1, FIRST_LINE, "the tests count lines from there");
    let stack = resolved(&format!("{HEAD}          X: {written}\n")).map_err(|error| error.to_string())?;
    Ok(stack.functions[0].variables.get("X").cloned().unwrap_or_else(|| "(absent)".into()))
}

/// What is said of a text that is refused.
#[track_caller]
pub(crate) fn refusal(text: &str) -> String {
    resolved(text).expect_err("it has to be refused").to_string()
}
