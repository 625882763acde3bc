//! The template's parameters: what is declared, what is given, and the value that comes of it.
//!
//! Two kinds of people give values. Somebody who starts a deployment has to keep to what the template allows. The
//! machine that runs it gives what is its own, such as an address; what it gives against the template's rules is no
//! error, for those speak of AWS, but said as a reason why this very deployment could not be made there.

use std::collections::{BTreeMap, BTreeSet};

use regex_lite::Regex;
use serde::Deserialize;

use crate::error::{Fault, Place};
use crate::node::{Node, Value};
use crate::reader::{At, literal};

/// Values for a template's parameters.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Given {
    /// By whoever starts the deployment.
    pub chosen: BTreeMap<String, String>,
    /// By the machine, where the template has such a parameter and nobody has chosen otherwise.
    pub machine: BTreeMap<String, String>,
}

/// A parameter that was chosen and cannot be: its name, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unfit {
    pub(crate) name: String,
    pub(crate) reason: String,
}

/// What can be wrong with a template's parameters.
pub(crate) enum Failure {
    Declared(Fault),
    Given(Unfit),
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Declared(fault)
    }
}

/// All parameters with their values.
#[derive(Debug, Default)]
pub(crate) struct Parameters {
    /// What a `Ref` to each is.
    pub(crate) values: BTreeMap<String, Node>,
    /// Those whose value is the machine's.
    pub(crate) machines: BTreeSet<String>,
    /// What of the machine's the template would not allow.
    pub(crate) objections: Vec<(Place, String)>,
}

/// `Parameters: NAME:`
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Declared {
    #[serde(rename = "Type")]
    kind: At<String>,
    default: Option<String>,
    #[serde(default)]
    allowed_values: Vec<String>,
    allowed_pattern: Option<At<String>>,
    constraint_description: Option<String>,
    min_value: Option<f64>,
    max_value: Option<f64>,
    min_length: Option<usize>,
    max_length: Option<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
    Texts,
    Numbers,
}

impl Parameters {
    pub(crate) fn resolve(section: Option<&Node>, given: &Given) -> Result<Self, Failure> {
        let mut resolved = Self::default();
        let entries = section.map_or(Ok(&[][..]), Node::entries)?;
        let names: Vec<&str> = entries.iter().map(|entry| entry.key.as_str()).collect();
        if let Some(unknown) = given.chosen.keys().find(|name| !names.contains(&name.as_str())) {
            let reason = format!("the template has none of this name; it has {}", names.join(", "));
            return Err(Failure::Given(Unfit { name: unknown.clone(), reason }));
        }
        for entry in entries {
            let declared: Declared =
                literal(&entry.node, &["Description", "NoEcho"]).map_err(|fault| fault.below(&entry.key))?;
            resolved.add(&entry.key, entry.key_place, &declared, given)?;
        }
        Ok(resolved)
    }

    fn add(&mut self, name: &str, place: Place, declared: &Declared, given: &Given) -> Result<(), Failure> {
        let kind = declared.kind().map_err(|fault| fault.below(name))?;
        let unfit = |reason| Failure::Given(Unfit { name: name.to_owned(), reason });
        let chosen = given.chosen.get(name);
        let machine = given.machine.get(name).filter(|_| chosen.is_none());
        let Some(value) = chosen.or(machine).or(declared.default.as_ref()) else {
            return Err(unfit("has no default, so that it has to be given".to_owned()));
        };
        if let Err(reason) = declared.check(kind, value).map_err(|fault| fault.below(name))? {
            match (machine, chosen) {
                (Some(_), _) => self.objections.push((place, format!("{name}: {reason}"))),
                (None, Some(_)) => return Err(unfit(reason)),
                (None, None) => return Err(Fault::new(place, format!("Default: {reason}")).below(name).into()),
            }
        }
        if machine.is_some() {
            self.machines.insert(name.to_owned());
        }
        self.values.insert(name.to_owned(), node(place, kind, value));
        Ok(())
    }
}

/// A value as a `Ref` gives it.
fn node(place: Place, kind: Kind, text: &str) -> Node {
    let scalar = |text: &str| Value::Scalar { text: text.to_owned(), quoted: matches!(kind, Kind::Text | Kind::Texts) };
    let value = match kind {
        Kind::Text | Kind::Number => scalar(text),
        Kind::Texts | Kind::Numbers => {
            Value::List(parts(text).map(|text| Node { place, value: scalar(text) }).collect())
        }
    };
    Node { place, value }
}

/// The members of a list that is given as one text; an empty text is a list of one empty text.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim)
}

impl Declared {
    fn kind(&self) -> Result<Kind, Fault> {
        match self.kind.value.as_str() {
            "String" => Ok(Kind::Text),
            "Number" => Ok(Kind::Number),
            "CommaDelimitedList" => Ok(Kind::Texts),
            "List<Number>" => Ok(Kind::Numbers),
            // An id of something in AWS, which is a text here. What Systems Manager holds is not to be had.
            kind if kind.starts_with("AWS::") && !kind.contains("SSM") => Ok(Kind::Text),
            kind if kind.starts_with("List<AWS::") && !kind.contains("SSM") => Ok(Kind::Texts),
            kind => {
                let known = "String, Number, CommaDelimitedList, List<Number>, and the ids of AWS's own things";
                Err(Fault::new(self.kind.place, format!("Type: {kind} is not known here; known are {known}")))
            }
        }
    }

    /// The inner error is the value's, the outer one the declaration's.
    fn check(&self, kind: Kind, value: &str) -> Result<Result<(), String>, Fault> {
        let mut pattern = None;
        if let Some(At { place, value }) = &self.allowed_pattern {
            // CloudFormation matches the whole value, whether the pattern says so or not.
            let whole = Regex::new(&format!("^(?:{value})$"));
            pattern = Some(whole.map_err(|error| Fault::new(*place, format!("AllowedPattern: {error}")))?);
        }
        let values: Vec<&str> = match kind {
            Kind::Text | Kind::Number => vec![value],
            Kind::Texts | Kind::Numbers => parts(value).collect(),
        };
        let is_number = matches!(kind, Kind::Number | Kind::Numbers);
        let mut each = values.iter();
        Ok(each.try_for_each(|value| self.check_one(is_number, value, pattern.as_ref())))
    }

    fn check_one(&self, is_number: bool, value: &str, pattern: Option<&Regex>) -> Result<(), String> {
        if !self.allowed_values.is_empty() && !self.allowed_values.iter().any(|allowed| allowed == value) {
            return Err(format!("{value:?} is not one of {}", self.allowed_values.join(", ")));
        }
        if pattern.is_some_and(|pattern| !pattern.is_match(value)) {
            let expected = self.constraint_description.clone();
            let expected = expected.or(self.allowed_pattern.as_ref().map(|pattern| pattern.value.clone()));
            return Err(format!("{value:?} is not {}", expected.unwrap_or_default()));
        }
        let length = value.chars().count();
        if self.min_length.is_some_and(|least| length < least) || self.max_length.is_some_and(|most| length > most) {
            let (least, most) = (self.min_length.unwrap_or(0), self.max_length.unwrap_or(usize::MAX));
            return Err(format!("{value:?} has {length} characters, not {least} to {most}"));
        }
        if is_number {
            let number: f64 = value.parse().map_err(|_no_number| format!("{value:?} is no number"))?;
            let (least, most) = (self.min_value.unwrap_or(f64::MIN), self.max_value.unwrap_or(f64::MAX));
            if !(least..=most).contains(&number) {
                return Err(format!("{value} is not {}", bounds(self.min_value, self.max_value)));
            }
        }
        Ok(())
    }
}

fn bounds(least: Option<f64>, most: Option<f64>) -> String {
    match (least, most) {
        (Some(least), Some(most)) => format!("in {least} to {most}"),
        (Some(least), None) => format!("at least {least}"),
        (None, most) => format!("at most {}", most.unwrap_or(f64::MAX)),
    }
}
