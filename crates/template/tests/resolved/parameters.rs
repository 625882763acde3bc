//! Parameters: declared, chosen, and given by the machine.

use std::collections::BTreeMap;

use template::{Given, Template};

use crate::world::{resolved, resolved_with, whereabouts};

/// A template with one parameter, declared like this, and a table that is named by it.
fn with(declared: &str) -> String {
    format!(
        "Parameters:\n  P: {declared}\nResources:\n  T:\n    Type: AWS::DynamoDB::Table\n    Properties:\n      \
         TableName: !Join ['+', [!Ref AWS::StackName, {joined}]]\n      AttributeDefinitions: [{{AttributeName: a, \
         AttributeType: S}}]\n      KeySchema: [{{AttributeName: a, KeyType: HASH}}]\n",
        joined = if declared.contains("List") { "!Join ['|', !Ref P]" } else { "!Ref P" },
    )
}

fn chosen(declared: &str, value: &str) -> Result<String, String> {
    let stack = resolved_with(&with(declared), &[("P", value)]).map_err(|error| error.to_string())?;
    Ok(stack.tables[0].name.trim_start_matches("stack+").to_owned())
}

#[test]
fn a_chosen_value_wins_over_the_default() {
    let declared = "{Type: String, Default: a}";
    assert_eq!(resolved(&with(declared)).unwrap().tables[0].name, "stack+a");
    assert_eq!(chosen(declared, "b"), Ok("b".into()));
}

#[test]
fn a_list_is_cut_at_its_commas() {
    assert_eq!(chosen("{Type: CommaDelimitedList}", " a:1 ,b:2"), Ok("a:1|b:2".into()));
    assert_eq!(chosen("{Type: CommaDelimitedList}", ""), Ok(String::new()), "one empty text");
    assert_eq!(chosen("{Type: List<Number>}", "1, 2"), Ok("1|2".into()));
    assert_eq!(chosen("{Type: 'List<AWS::EC2::Subnet::Id>'}", "a,b"), Ok("a|b".into()));
}

#[test]
fn a_chosen_value_keeps_to_what_is_declared() {
    for (declared, value, why) in [
        ("{Type: Number}", "many", "\"many\" is no number"),
        ("{Type: Number, MinValue: 1, MaxValue: 10}", "11", "11 is not in 1 to 10"),
        ("{Type: Number, MinValue: 1}", "0", "0 is not at least 1"),
        ("{Type: Number, MaxValue: 1}", "2", "2 is not at most 1"),
        ("{Type: 'List<Number>', MaxValue: 1}", "1,2", "2 is not at most 1"),
        ("{Type: String, AllowedValues: [a, b]}", "c", "\"c\" is not one of a, b"),
        ("{Type: String, AllowedPattern: '[a-z]+'}", "a1", "\"a1\" is not [a-z]+"),
        ("{Type: String, AllowedPattern: '[a-z]+', ConstraintDescription: lower case}", "A", "\"A\" is not lower case"),
        ("{Type: CommaDelimitedList, AllowedPattern: '[a-z]+'}", "a,1", "\"1\" is not [a-z]+"),
        ("{Type: String, MinLength: 2, MaxLength: 3}", "a", "has 1 characters, not 2 to 3"),
    ] {
        assert_eq!(
            chosen(declared, value),
            Err(format!("t.yaml: parameter P: {why}")).map_err(|text| {
                // The length is told with the value.
                if text.contains("characters") { format!("t.yaml: parameter P: {value:?} {why}") } else { text }
            })
        );
    }
}

#[test]
fn what_is_declared_wrongly_is_told_with_its_line() {
    for (declared, told) in [
        ("{Type: Number, Default: x}", "t.yaml:2:3: Parameters.P: Default: \"x\" is no number"),
        ("{Type: Text}", "t.yaml:2:13: Parameters.P: Type: Text is not known here"),
        ("{Type: 'AWS::SSM::Parameter::Value<String>'}", "t.yaml:2:13: Parameters.P: Type: AWS::SSM"),
        ("{Default: x}", "t.yaml:2:6: Parameters.P: missing field `Type`"),
        ("{Type: String, Defualt: x}", "t.yaml:2:21: Parameters.P: unknown field `Defualt`"),
        ("{Type: String, Default: x, AllowedPattern: '('}", "t.yaml:2:49: Parameters.P: AllowedPattern: "),
    ] {
        let refusal = resolved(&with(declared)).expect_err(declared).to_string();
        assert!(refusal.starts_with(told), "{declared}: {refusal}");
    }
}

#[test]
fn an_unknown_parameter_and_a_missing_one_are_told_by_name() {
    let error = resolved_with(&with("{Type: String, Default: a}"), &[("Q", "b")]).unwrap_err().to_string();
    assert_eq!(error, "t.yaml: parameter Q: the template has none of this name; it has P");
    let error = resolved(&with("{Type: String}")).unwrap_err().to_string();
    assert_eq!(error, "t.yaml: parameter P: has no default, so that it has to be given");
}

/// What stands in the way of a deployment, or the error.
fn objections(text: &str, chosen: &[(&str, &str)], machine: &[(&str, &str)]) -> Result<Vec<String>, String> {
    let pairs = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    let given = Given { chosen: pairs(chosen), machine: pairs(machine) };
    let resolved = Template::parse("t.yaml", text).and_then(|template| template.resolve(&given, &whereabouts()));
    resolved.map(|stack| stack.objections).map_err(|error| error.to_string())
}

#[test]
fn what_the_machine_gives_against_the_template_is_an_objection() {
    let text = with("{Type: String, Default: a, AllowedValues: [a, b]}");
    assert_eq!(objections(&text, &[], &[("P", "b")]), Ok(vec![]));
    assert_eq!(objections(&text, &[], &[("P", "c")]), Ok(vec!["t.yaml:2:3: P: \"c\" is not one of a, b".into()]));
    assert_eq!(objections(&text, &[("P", "a")], &[("P", "c")]), Ok(vec![]), "who chooses wins");
    assert_eq!(objections(&text, &[], &[("Q", "c")]), Ok(vec![]), "a template need not ask for it");
}

const RULES: &str = "\
Parameters:
  Port: {Type: Number, Default: 1}
  Host: {Type: String, Default: a}
  Hosts: {Type: CommaDelimitedList, Default: 'a,b'}
Rules:
  OnlyOnOne:
    RuleCondition: !Equals [!Ref Host, b]
    Assertions:
      - Assert: !Equals [!Ref Port, 1]
        AssertDescription: b has port 1 only
  Known:
    Assertions:
      - Assert: !Contains [!Ref Hosts, !Ref Host]
Resources: {}
";

#[test]
fn a_broken_rule_is_an_error_of_who_chose_and_an_objection_to_the_machine() {
    assert_eq!(objections(RULES, &[], &[]), Ok(vec![]));
    assert_eq!(objections(RULES, &[("Port", "2")], &[]), Ok(vec![]), "the rule does not apply");
    let chosen = objections(RULES, &[("Port", "2"), ("Host", "b")], &[]);
    assert_eq!(chosen, Err("t.yaml:9:9: Rules: OnlyOnOne: b has port 1 only".into()));
    let machine = objections(RULES, &[("Port", "2")], &[("Host", "b")]);
    assert_eq!(machine, Ok(vec!["t.yaml:9:9: OnlyOnOne: b has port 1 only".into()]));
    assert_eq!(objections(RULES, &[("Host", "c")], &[]), Err("t.yaml:13:9: Rules: Known: it does not hold".into()));
}
