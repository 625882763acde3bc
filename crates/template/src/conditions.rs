//! Conditions, and the rules that parameters have to keep.
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-conditions.html>

use std::collections::BTreeSet;

use crate::error::{Fault, Place};
use crate::node::{Call, Entry, Node, Value};
use crate::scope::Scope;

const KNOWN: &str = "Equals, Not, And, Or, Condition, and in a rule Contains";

/// A rule that does not hold.
#[derive(Debug)]
pub(crate) struct Broken {
    pub(crate) place: Place,
    pub(crate) message: String,
    /// The parameters that it speaks of.
    pub(crate) parameters: BTreeSet<String>,
}

impl Scope<'_> {
    /// Whether a condition of this name holds.
    pub(crate) fn condition(&self, name: &str, place: Place) -> Result<bool, Fault> {
        match self.conditions.and_then(|conditions| conditions.get(name)) {
            Some(condition) => self.holds(condition).map_err(|fault| fault.below(name)),
            None => Err(Fault::new(place, format!("the template has no condition {name}"))),
        }
    }

    /// Evaluates every condition, for one that nobody uses may be wrong as well.
    pub(crate) fn check_conditions(&self) -> Result<(), Fault> {
        let entries = self.conditions.map_or(Ok(&[][..]), Node::entries)?;
        entries.iter().try_for_each(|entry| self.condition(&entry.key, entry.key_place).map(drop))
    }

    fn holds(&self, node: &Node) -> Result<bool, Fault> {
        let call = node.call().or_else(|| condition_by_name(node));
        let Some(Call { name, argument }) = call else { return Err(node.unlike("a condition")) };
        self.one_deeper(node.place, || match name {
            "Condition" => self.condition(argument.literal()?, argument.place),
            "Equals" => match argument.items()? {
                [one, other] => Ok(self.text(one)? == self.text(other)?),
                _ => Err(argument.unlike("[value, value]")),
            },
            "Not" => match argument.items()? {
                [one] => Ok(!self.holds(one)?),
                _ => Err(argument.unlike("[condition]")),
            },
            "And" => several(argument)?.iter().try_fold(true, |holds, one| Ok(self.holds(one)? && holds)),
            "Or" => several(argument)?.iter().try_fold(false, |holds, one| Ok(self.holds(one)? || holds)),
            "Contains" => match argument.items()? {
                [list, value] => {
                    let value = self.text(value)?;
                    self.list(list)?.iter().try_fold(false, |found, item| Ok(self.text(item)? == value || found))
                }
                _ => Err(argument.unlike("[list, value]")),
            },
            _ => Err(Fault::new(node.place, format!("{name} is no condition that is known here; known are {KNOWN}"))),
        })
    }

    /// The rules that the parameters break.
    pub(crate) fn broken_rules(&self, rules: Option<&Node>) -> Result<Vec<Broken>, Fault> {
        let mut broken = Vec::new();
        for rule in rules.map_or(Ok(&[][..]), Node::entries)? {
            self.assert(rule, &mut broken).map_err(|fault| fault.below(&rule.key))?;
        }
        Ok(broken)
    }

    fn assert(&self, Entry { key, node: rule, .. }: &Entry, broken: &mut Vec<Broken>) -> Result<(), Fault> {
        let applies = rule.get("RuleCondition").map_or(Ok(true), |condition| self.holds(condition))?;
        let assertions = rule.get("Assertions").ok_or_else(|| rule.unlike("Assertions"))?;
        for assertion in assertions.items()? {
            let assert = assertion.get("Assert").ok_or_else(|| assertion.unlike("Assert"))?;
            if applies && !self.holds(assert)? {
                let description = assertion.get("AssertDescription").map_or(Ok("it does not hold"), Node::literal)?;
                let (place, message) = (assertion.place, format!("{key}: {description}"));
                broken.push(Broken { place, message, parameters: references(rule) });
            }
        }
        Ok(())
    }
}

/// `{Condition: NAME}`, which is a member of other things elsewhere.
fn condition_by_name(node: &Node) -> Option<Call<'_>> {
    let Value::Map(entries) = &node.value else { return None };
    match &entries[..] {
        [entry] if entry.key == "Condition" => Some(Call { name: "Condition", argument: &entry.node }),
        _ => None,
    }
}

/// CloudFormation takes 2 to 10.
fn several(argument: &Node) -> Result<&[Node], Fault> {
    match argument.items()? {
        items if (2..=10).contains(&items.len()) => Ok(items),
        _ => Err(argument.unlike("[condition, …], 2 to 10 of them")),
    }
}

/// The names that a node refers to.
fn references(node: &Node) -> BTreeSet<String> {
    if let Some(Call { name: "Ref", argument }) = node.call() {
        return argument.literal().map(str::to_owned).into_iter().collect();
    }
    match &node.value {
        Value::Scalar { .. } => BTreeSet::new(),
        Value::List(items) => items.iter().flat_map(references).collect(),
        Value::Map(entries) => entries.iter().flat_map(|entry| references(&entry.node)).collect(),
        Value::Tagged(_, argument) => references(argument),
    }
}
