//! CloudFormation's functions, the short form and the long alike.
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html>
//!
//! Those that need an account or another stack (`GetAZs`, `ImportValue`, …) are refused where somebody needs their value.

use crate::error::{Fault, Place};
use crate::node::{Node, Value};
use crate::scope::Scope;

/// What is understood.
const KNOWN: &str = "Ref, GetAtt, Sub, If, Join, Split, Select, FindInMap";
const PARTITION: &str = "aws";
const URL_SUFFIX: &str = "amazonaws.com";

impl Scope<'_> {
    /// The branch that an `If` takes: `[condition, then, else]`.
    pub(crate) fn branch<'n>(&self, argument: &'n Node) -> Result<&'n Node, Fault> {
        let [condition, then, otherwise] = argument.items()? else {
            return Err(argument.unlike("[condition, value if it holds, value if not]"));
        };
        let holds = self.condition(condition.literal()?, condition.place)?;
        Ok(if holds { then } else { otherwise })
    }

    /// What every function but `If` stands for.
    pub(crate) fn call(&self, place: Place, name: &str, argument: &Node) -> Result<Node, Fault> {
        match name {
            "Ref" => self.named(argument.place, argument.literal()?),
            "GetAtt" => self.get_att(argument),
            "Sub" => self.sub(argument).map(|text| Node::text(place, text)),
            "Join" => self.join(argument).map(|text| Node::text(place, text)),
            "Split" => self.split(argument),
            "Select" => self.select(argument),
            "FindInMap" => self.find_in_map(argument),
            "Equals" | "Not" | "And" | "Or" | "Condition" => {
                Err(Fault::new(place, format!("{name} stands in a condition only; a value takes If")))
            }
            _ => Err(Fault::new(place, format!("{name} is a function that is not known here; known are {KNOWN}"))),
        }
    }

    /// What a `Ref` to this name is, other than `AWS::NoValue`.
    fn named(&self, place: Place, name: &str) -> Result<Node, Fault> {
        if let Some(value) = self.parameters.values.get(name) {
            return Ok(value.clone());
        }
        if let Some(pseudo) = name.strip_prefix("AWS::") {
            return self.pseudo(place, pseudo);
        }
        match self.resources.get(name) {
            Some(resource) => resource.reference(self, place).map(|text| Node::text(place, text)),
            None => Err(Fault::new(place, format!("{name} is no parameter and no resource of the template"))),
        }
    }

    fn pseudo(&self, place: Place, name: &str) -> Result<Node, Fault> {
        let crate::scope::Whereabouts { region, account_id, stack_name } = &self.whereabouts;
        let text = match name {
            "Region" => region.clone(),
            "AccountId" => account_id.clone(),
            "Partition" => PARTITION.to_owned(),
            "URLSuffix" => URL_SUFFIX.to_owned(),
            "StackName" => stack_name.clone(),
            "StackId" => format!(
                "arn:{PARTITION}:cloudformation:{region}:{account_id}:stack/{stack_name}/00000000-0000-0000-0000-000000000000"
            ),
            "NotificationARNs" => return Ok(Node { place, value: Value::List(Vec::new()) }),
            _ => return Err(Fault::new(place, format!("AWS::{name} is no pseudo parameter that is known here"))),
        };
        Ok(Node::text(place, text))
    }

    /// `arn:aws:…` of something here.
    pub(crate) fn arn(&self, service: &str, rest: &str) -> String {
        let crate::scope::Whereabouts { region, account_id, .. } = &self.whereabouts;
        format!("arn:{PARTITION}:{service}:{region}:{account_id}:{rest}")
    }

    /// `Resource.Attribute`, or `[Resource, Attribute]`.
    fn get_att(&self, argument: &Node) -> Result<Node, Fault> {
        let expected = "Resource.Attribute";
        let (resource, attribute) = match &argument.value {
            Value::List(items) => match &items[..] {
                [resource, attribute] => (resource.literal()?.to_owned(), self.text(attribute)?),
                _ => return Err(argument.unlike(expected)),
            },
            Value::Scalar { .. } | Value::Map(_) | Value::Tagged(..) => {
                let parts = argument.literal()?.split_once('.');
                let (resource, attribute) = parts.ok_or_else(|| argument.unlike(expected))?;
                (resource.to_owned(), attribute.to_owned())
            }
        };
        let text = self.attribute(argument.place, &resource, &attribute)?;
        Ok(Node::text(argument.place, text))
    }

    fn attribute(&self, place: Place, resource: &str, attribute: &str) -> Result<String, Fault> {
        match self.resources.get(resource) {
            Some(found) => found.attribute(self, place, attribute),
            None => Err(Fault::new(place, format!("{resource} is no resource of the template"))),
        }
    }

    /// A text with `${Name}`, `${Resource.Attribute}` and `${!literal}`, or `[text, {Name: value}]`.
    fn sub(&self, argument: &Node) -> Result<String, Fault> {
        let (text, own) = match &argument.value {
            Value::List(items) => match &items[..] {
                [text, own] => (text, Some(own)),
                _ => return Err(argument.unlike("[text, {name: value}]")),
            },
            Value::Scalar { .. } | Value::Map(_) | Value::Tagged(..) => (argument, None),
        };
        let mut written = String::new();
        let mut rest = text.literal()?;
        while let Some((before, after)) = rest.split_once("${") {
            written.push_str(before);
            let (name, after) = after.split_once('}').ok_or_else(|| Fault::new(text.place, "${ without its }"))?;
            rest = after;
            match (name.strip_prefix('!'), own.and_then(|own| own.get(name))) {
                (Some(literal), _) => written.push_str(&format!("${{{literal}}}")),
                (None, Some(own)) => written.push_str(&self.text(own)?),
                (None, None) => written.push_str(&self.substitute(text.place, name)?),
            }
        }
        written.push_str(rest);
        Ok(written)
    }

    fn substitute(&self, place: Place, name: &str) -> Result<String, Fault> {
        match name.split_once('.') {
            Some((resource, attribute)) => self.attribute(place, resource, attribute),
            None => match self.named(place, name)?.literal() {
                Ok(text) => Ok(text.to_owned()),
                Err(_list) => Err(Fault::new(place, format!("${{{name}}} is a list, which Join makes a text of"))),
            },
        }
    }

    /// `[separator, [text, …]]`.
    fn join(&self, argument: &Node) -> Result<String, Fault> {
        let [separator, list] = argument.items()? else {
            return Err(argument.unlike("[separator, list]"));
        };
        let texts: Vec<String> = self.list(list)?.iter().map(|item| self.text(item)).collect::<Result<_, _>>()?;
        Ok(texts.join(separator.literal()?))
    }

    /// `[separator, text]`.
    fn split(&self, argument: &Node) -> Result<Node, Fault> {
        let [separator, text] = argument.items()? else {
            return Err(argument.unlike("[separator, text]"));
        };
        let (place, separator, text) = (argument.place, separator.literal()?, self.text(text)?);
        if separator.is_empty() {
            return Err(argument.unlike("a separator"));
        }
        let items = text.split(separator).map(|part| Node::text(place, part)).collect();
        Ok(Node { place, value: Value::List(items) })
    }

    /// `[index, list]`, counted from 0.
    fn select(&self, argument: &Node) -> Result<Node, Fault> {
        let [index, list] = argument.items()? else {
            return Err(argument.unlike("[index, list]"));
        };
        let (asked, list) = (self.text(index)?, self.list(list)?);
        let found = asked.parse().ok().and_then(|index: usize| list.get(index));
        let Some(found) = found else {
            return Err(Fault::new(index.place, format!("there is no item {asked} in a list of {}", list.len())));
        };
        match self.reduce(found)? {
            Some(node) => Ok(node.into_owned()),
            None => Err(Fault::new(found.place, "expected a value, found AWS::NoValue")),
        }
    }

    /// `[mapping, first key, second key]`.
    fn find_in_map(&self, argument: &Node) -> Result<Node, Fault> {
        let keys: Vec<(Place, String)> =
            argument.items()?.iter().map(|key| Ok((key.place, self.text(key)?))).collect::<Result<_, Fault>>()?;
        if keys.len() != 3 {
            return Err(argument.unlike("[mapping, first key, second key]"));
        }
        let nothing = || Fault::new(argument.place, "the template has no Mappings");
        let mut found = self.mappings.ok_or_else(nothing)?;
        for (place, key) in keys {
            found = found.get(&key).ok_or_else(|| Fault::new(place, format!("Mappings: there is no {key} here")))?;
        }
        Ok(found.clone())
    }
}
