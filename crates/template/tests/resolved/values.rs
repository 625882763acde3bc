//! The functions, the short form and the long alike.

use crate::world::{FIRST_LINE, value};

#[track_caller]
fn is(written: &str, expected: &str) {
    assert_eq!(value(written).as_deref(), Ok(expected), "{written}");
}

/// Refused at `found` within what is written.
#[track_caller]
fn is_refused(written: &str, found: &str, why: &str) {
    let refusal = value(written).expect_err(written);
    let column = 14 + written.find(found).expect(found);
    let place = format!("t.yaml:{FIRST_LINE}:{column}: ");
    assert!(refusal.starts_with(&place) && refusal.contains(why), "{written}: {refusal}, not {place}…{why}");
}

#[test]
fn a_text_stays_as_it_is_written() {
    for (written, expected) in [
        ("plain", "plain"),
        ("'250'", "250"),
        ("250", "250"),
        ("1.10", "1.10"),
        ("007", "007"),
        ("true", "true"),
        ("''", ""),
        ("2012-10-17", "2012-10-17"),
        ("!!str 5", "5"),
    ] {
        is(written, expected);
    }
    is_refused("~", "~", "found nothing");
    is_refused("[a]", "[a]", "expected a text, found a list");
    is_refused("!!int 5", "!!int 5", "no function of CloudFormation's");
}

#[test]
fn a_ref_is_a_parameter_a_pseudo_parameter_or_a_resource() {
    is("!Ref Prefix", "shop-");
    is("{Ref: Prefix}", "shop-");
    is("!Ref Size", "7");
    is("!Ref AWS::Region", "us-east-1");
    is("!Ref AWS::AccountId", "123456789012");
    is("!Ref AWS::Partition", "aws");
    is("!Ref AWS::URLSuffix", "amazonaws.com");
    is("!Ref AWS::StackName", "stack");
    is("!Ref AWS::NoValue", "(absent)");
    is("!Ref Items", "shop-items");
    is("!Ref Handler", "stack-Handler");
    is_refused("!Ref Nothing", "!Ref", "Nothing is no parameter and no resource");
    is_refused("!Ref AWS::Continent", "!Ref", "AWS::Continent is no pseudo parameter");
    is_refused("!Ref Gone", "!Ref", "the condition IsOther does not hold");
    is_refused("!Ref Logs", "!Ref", "what a Ref to Logs, of AWS::Logs::LogGroup, is, is not known here");
    is_refused("!Ref Hosts", "!Ref", "found a list");
}

#[test]
fn an_attribute_is_that_of_what_runs() {
    is("!GetAtt Items.Arn", "arn:aws:dynamodb:us-east-1:123456789012:table/shop-items");
    is("!GetAtt [Handler, Arn]", "arn:aws:lambda:us-east-1:123456789012:function:stack-Handler");
    is("{Fn::GetAtt: [Items, Arn]}", "arn:aws:dynamodb:us-east-1:123456789012:table/shop-items");
    is_refused("!GetAtt Items.StreamArn", "!GetAtt", "the attribute StreamArn of Items, of AWS::DynamoDB::Table");
    is_refused("!GetAtt Logs.Arn", "!GetAtt", "the attribute Arn of Logs, of AWS::Logs::LogGroup, is not known");
    is_refused("!GetAtt Nothing.Arn", "!GetAtt", "Nothing is no resource");
    is_refused("!GetAtt Items", "!GetAtt", "expected Resource.Attribute");
}

#[test]
fn a_sub_takes_names_attributes_its_own_values_and_literals() {
    is("!Sub '${Prefix}x-${AWS::Region}-${Items}'", "shop-x-us-east-1-shop-items");
    is("!Sub 'a ${Items.Arn}'", "a arn:aws:dynamodb:us-east-1:123456789012:table/shop-items");
    is("!Sub ['${Prefix}/${Own}', {Own: !Ref Size}]", "shop-/7");
    is("{Fn::Sub: '${!Prefix} $ {Prefix}'}", "${Prefix} $ {Prefix}");
    is_refused("!Sub '${Nothing}'", "!Sub", "Nothing is no parameter");
    is_refused("!Sub '${Prefix'", "!Sub", "${ without its }");
    is_refused("!Sub '${Hosts}'", "!Sub", "is a list, which Join makes a text of");
}

#[test]
fn an_if_takes_a_branch_and_looks_at_no_other() {
    is("!If [IsShop, yes, !ImportValue x]", "yes");
    is("{Fn::If: [IsOther, !ImportValue x, no]}", "no");
    is("!If [IsShop, !If [IsOther, a, !Ref Prefix], b]", "shop-");
    is("!If [IsOther, a, !Ref AWS::NoValue]", "(absent)");
    is_refused("!If [Nothing, a, b]", "Nothing", "the template has no condition Nothing");
    is_refused("!If [IsShop, a]", "!If", "value if it holds");
}

#[test]
fn lists_are_joined_split_and_selected_from() {
    is("!Join ['', [!Ref Prefix, x]]", "shop-x");
    is("!Join [',', !Ref Hosts]", "a:1,b:2");
    is("!Join ['-', [a, !If [IsShop, !Ref AWS::NoValue, b], c]]", "a-c");
    is("{Fn::Join: ['/', !Split ['-', 'x-y-z']]}", "x/y/z");
    is("!Select [1, !Ref Hosts]", "b:2");
    is("!Select ['0', !Split [':', 'host:9092']]", "host");
    is("{Fn::Select: [0, [!Ref Size]]}", "7");
    is_refused("!Select [2, !Ref Hosts]", "2", "no item 2 in a list of 2");
    is_refused("!Select [-1, !Ref Hosts]", "-1", "no item -1");
    is_refused("!Join [a]", "!Join", "expected [separator, list]");
    is_refused("!Split ['', a]", "!Split", "expected a separator");
}

#[test]
fn a_mapping_is_looked_up_by_two_keys() {
    is("!FindInMap [Regions, !Ref AWS::Region, Zone]", "eastern");
    is("!Select [1, {Fn::FindInMap: [Regions, us-east-1, Zones]}]", "y");
    is_refused("!FindInMap [Regions, eu-west-1, Zone]", "eu-west-1", "there is no eu-west-1 here");
    is_refused("!FindInMap [Regions, us-east-1]", "!FindInMap", "expected [mapping, first key, second key]");
}

#[test]
fn what_needs_an_account_or_is_no_function_is_refused_where_it_is_needed() {
    is_refused("!ImportValue x", "!ImportValue", "ImportValue is a function that is not known here; known are Ref, ");
    is_refused("{Fn::GetAZs: ''}", "{", "GetAZs is a function that is not known here");
    is_refused("!Equals [a, a]", "!Equals", "Equals stands in a condition only");
    is_refused("!Condition IsShop", "!Condition", "Condition stands in a condition only");
    is_refused("{Fn::Sub: a, b: c}", "Fn::Sub", "Fn::Sub has to be alone in its map");
}
