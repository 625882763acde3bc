//! What is no template, and what in one is not known here: each with its place.

use crate::world::{refusal, resolved};

#[track_caller]
fn is_refused(text: &str, told: &str) {
    let refusal = refusal(text);
    assert!(refusal.starts_with(&format!("t.yaml:{told}")), "{refusal}");
}

#[test]
fn what_is_no_yaml_as_cloudformation_has_it_is_refused() {
    is_refused("", "1:1: the file is empty");
    is_refused("a: [", "2:1: a: no YAML: ");
    is_refused("a: b: c\n", "1:5: no YAML: ");
    is_refused("Resources: {}\n---\nResources: {}\n", "3:1: a second document");
    is_refused("Resources:\n  A: &a {Type: x}\n  B: *a\n", "3:6: Resources.B: an alias");
    is_refused("Resources:\n  A: {<<: {Type: x}}\n", "2:7: Resources.A: a merge");
    is_refused("Resources:\n  A: {}\n  A: {}\n", "3:3: Resources: A stands here and in line 2");
    is_refused("Resources:\n  A: {}\n  'A': {}\n", "3:3: Resources: A stands here and in line 2");
    is_refused("Resources:\n  [a]: b\n", "2:3: Resources: a key has to be a text");
    is_refused("- a\n", "1:1: expected a map, found a list");
    let deep = format!("Resources: {}", "[".repeat(80));
    assert!(refusal(&deep).contains("nested deeper than 64"), "{}", refusal(&deep));
}

#[test]
fn json_is_read_as_well() {
    let text = r#"{"Parameters": {"P": {"Type": "Number", "Default": 1}}, "Resources": {}}"#;
    assert_eq!(resolved(text).unwrap().functions, []);
}

#[test]
fn a_section_or_a_transform_that_is_not_known_is_refused() {
    is_refused("Resources: {}\nResuorces: {}\n", "2:1: Resuorces is no section");
    is_refused("Transform: AWS::LanguageExtensions\n", "1:12: Transform: AWS::LanguageExtensions is not known");
    is_refused("Description: none\n", "1:1: no Resources");
    is_refused("Globals:\n  HttpApi: {}\nResources: {}\n", "2:3: Globals: HttpApi is not known here");
}

#[test]
fn a_type_that_is_neither_run_nor_left_out_is_refused() {
    is_refused("Resources:\n  A:\n    Type: AWS::SQS::Queue\n", "3:11: Resources.A: Type: AWS::SQS::Queue is neither");
    is_refused("Resources:\n  A:\n    Properties: {}\n", "3:5: Resources.A: missing field `Type`");
    is_refused("Resources:\n  A: {Type: AWS::IAM::Role, Condtion: x}\n", "2:29: Resources.A: unknown field `Condtion`");
    is_refused(
        "Resources:\n  A: {Type: AWS::IAM::Role, Condition: X}\n",
        "2:40: Resources.A: the template has no condi",
    );
    is_refused("Resources:\n  A: {Type: Custom::Thing}\n", "2:13: Resources.A: Custom::Thing: without Topics");
}

#[test]
fn what_is_left_out_may_be_anything() {
    let text = "\
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties: {Anything: !ImportValue x, Other: !Nonsense [1]}
  Alarm: {Type: AWS::CloudWatch::Alarm, Properties: {Value: !GetAtt Role.Arn}}
Outputs:
  Told: {Value: !GetAtt Alarm.Arn}
";
    assert_eq!(resolved(text).unwrap().functions, []);
}

#[test]
fn a_condition_is_told_of_even_if_nobody_uses_it() {
    let with = |condition: &str| format!("Conditions:\n  A: {condition}\nResources: {{}}\n");
    is_refused(&with("!Equals [!Ref B, c]"), "2:15: Conditions.A: B is no parameter");
    is_refused(&with("!And [!Equals [a, a]]"), "2:6: Conditions.A: expected [condition, …], 2 to 10");
    is_refused(&with("!Condition B"), "2:6: Conditions.A: the template has no condition B");
    is_refused(&with("!Xor [a]"), "2:6: Conditions.A: Xor is no condition that is known");
    is_refused(&with("yes"), "2:6: Conditions.A: expected a condition, found \"yes\"");
    let refusal = refusal(&with("!Not [!Condition A]"));
    assert!(refusal.contains("does something refer to itself?"), "{refusal}");
}

#[test]
fn a_name_that_refers_to_itself_is_an_end() {
    let text = "\
Resources:
  T:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: !Sub 'x-${T}'
      AttributeDefinitions: [{AttributeName: id, AttributeType: S}]
      KeySchema: [{AttributeName: id, KeyType: HASH}]
";
    let refusal = refusal(text);
    assert!(refusal.starts_with("t.yaml:5:") && refusal.contains("refer to itself"), "{refusal}");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = template::Template::open(std::path::Path::new("/nowhere/t.yaml")).unwrap_err().to_string();
    assert!(error.starts_with("/nowhere/t.yaml: "), "{error}");
}
