//! One pattern: fields that must all match, each by one of its rules. A record's JSON is looked at only where a pattern
//! points, and stays text, since numbers are compared as they are written: 300 is not 300.0.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// Fields that must all match.
#[derive(Debug, Clone, Default)]
pub(super) struct Node {
    fields: Vec<(String, Condition)>,
    /// For each `$or`: alternatives of which one must match.
    alternatives: Vec<Vec<Node>>,
}

#[derive(Debug, Clone)]
enum Condition {
    /// One of these.
    Leaf(Vec<Rule>),
    Nested(Node),
}

/// What a leaf may be.
#[derive(Debug, Clone)]
pub(super) enum Rule {
    Null,
    Truth(bool),
    Text(String),
    /// As it is written.
    Number(String),
    EqualsIgnoreCase(String),
    Prefix(String),
    Suffix(String),
    AnythingBut(Vec<Rule>),
    Numeric(Vec<(Comparison, f64)>),
    Exists(bool),
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Comparison {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// A record's value at a leaf.
enum Leaf<'a> {
    Null,
    Truth(bool),
    Text(String),
    Number(&'a str),
}

type Object<'a> = BTreeMap<String, &'a RawValue>;

impl Node {
    pub(super) fn parse(fields: &Map<String, Value>) -> Result<Self, String> {
        let mut node = Self::default();
        for (name, condition) in fields {
            if let (Some(alternatives), "$or") = (condition.as_array(), name.as_str()) {
                let parse = |alternative: &Value| {
                    let fields = alternative.as_object();
                    Self::parse(fields.ok_or_else(|| format!("`$or` takes objects, not {alternative}"))?)
                };
                node.alternatives.push(alternatives.iter().map(parse).collect::<Result<_, _>>()?);
            } else if let Some(rules) = condition.as_array().filter(|rules| !rules.is_empty()) {
                let rules = rules.iter().map(Rule::parse).collect::<Result<_, _>>()?;
                node.fields.push((name.clone(), Condition::Leaf(rules)));
            } else if let Some(nested) = condition.as_object() {
                node.fields.push((name.clone(), Condition::Nested(Self::parse(nested)?)));
            } else {
                return Err(format!("`{name}` must be an array of rules or an object of fields, not {condition}"));
            }
        }
        Ok(node)
    }

    /// Whether a record's JSON has what the pattern asks for. Of an array one element is enough.
    pub(super) fn matches(&self, json: &RawValue) -> bool {
        if let Ok(elements) = serde_json::from_str::<Vec<&RawValue>>(json.get()) {
            return elements.into_iter().any(|element| self.matches(element));
        }
        self.matches_object(&serde_json::from_str(json.get()).unwrap_or_default())
    }

    fn matches_object(&self, object: &Object<'_>) -> bool {
        let field = |(name, condition): &(String, Condition)| condition.matches(object.get(name).copied());
        let one_matches = |alternatives: &Vec<Self>| alternatives.iter().any(|node| node.matches_object(object));
        self.fields.iter().all(field) && self.alternatives.iter().all(one_matches)
    }
}

impl Condition {
    fn matches(&self, json: Option<&RawValue>) -> bool {
        match (self, json) {
            (Self::Leaf(rules), Some(json)) => {
                let leaves = leaves(json);
                rules.iter().any(|rule| leaves.iter().any(|leaf| rule.matches(leaf)))
            }
            (Self::Leaf(rules), None) => rules.iter().any(|rule| matches!(rule, Rule::Exists(false))),
            (Self::Nested(node), Some(json)) => node.matches(json),
            // Something may still be asked not to exist.
            (Self::Nested(node), None) => node.matches_object(&Object::new()),
        }
    }
}

/// A scalar, or an array's scalars; an object is no leaf.
fn leaves(json: &RawValue) -> Vec<Leaf<'_>> {
    let text = json.get();
    match text.as_bytes().first() {
        Some(b'[') => {
            let elements = serde_json::from_str::<Vec<&RawValue>>(text).unwrap_or_default();
            elements.into_iter().flat_map(leaves).collect()
        }
        Some(b'{') | None => Vec::new(),
        Some(b'"') => serde_json::from_str(text).map(Leaf::Text).into_iter().collect(),
        Some(b't') => vec![Leaf::Truth(true)],
        Some(b'f') => vec![Leaf::Truth(false)],
        Some(b'n') => vec![Leaf::Null],
        Some(_) => vec![Leaf::Number(text)],
    }
}

impl Rule {
    pub(super) fn parse(rule: &Value) -> Result<Self, String> {
        match rule {
            Value::Null => Ok(Self::Null),
            Value::Bool(truth) => Ok(Self::Truth(*truth)),
            Value::Number(number) => Ok(Self::Number(number.to_string())),
            Value::String(text) => Ok(Self::Text(text.clone())),
            Value::Object(operator) => match operator.iter().collect::<Vec<_>>()[..] {
                [(name, operand)] => Self::operator(name, operand),
                _ => Err(format!("a rule has exactly one operator, not {rule}")),
            },
            Value::Array(_) => Err(format!("a rule cannot be an array: {rule}")),
        }
    }

    fn operator(name: &str, operand: &Value) -> Result<Self, String> {
        let text =
            || operand.as_str().map(str::to_owned).ok_or_else(|| format!("`{name}` takes a string, not {operand}"));
        match name {
            "equals-ignore-case" => Ok(Self::EqualsIgnoreCase(text()?.to_lowercase())),
            "prefix" => text().map(Self::Prefix),
            "suffix" => text().map(Self::Suffix),
            "exists" => {
                operand.as_bool().map(Self::Exists).ok_or_else(|| format!("`exists` takes a boolean, not {operand}"))
            }
            "anything-but" => {
                let rules = operand.as_array().cloned().unwrap_or_else(|| vec![operand.clone()]);
                rules.iter().map(Self::parse).collect::<Result<_, _>>().map(Self::AnythingBut)
            }
            "numeric" => comparisons(operand).map(Self::Numeric),
            other => Err(format!("`{other}` is no operator")),
        }
    }

    fn matches(&self, leaf: &Leaf<'_>) -> bool {
        match (self, leaf) {
            (Self::Exists(wanted), _) => *wanted,
            (Self::AnythingBut(rules), leaf) => !rules.iter().any(|rule| rule.matches(leaf)),
            (_, Leaf::Text(text)) => self.matches_text(text),
            (Self::Null, Leaf::Null) => true,
            (Self::Truth(expected), Leaf::Truth(truth)) => expected == truth,
            (Self::Number(expected), Leaf::Number(number)) => expected == number,
            (Self::Numeric(comparisons), Leaf::Number(number)) => number
                .parse::<f64>()
                .is_ok_and(|number| comparisons.iter().all(|(how, bound)| how.holds(number, *bound))),
            _ => false,
        }
    }

    /// Whether a text, a leaf's or a whole value's, is what the rule asks for.
    pub(super) fn matches_text(&self, text: &str) -> bool {
        match self {
            Self::Text(expected) => text == expected,
            Self::EqualsIgnoreCase(lower) => text.to_lowercase() == *lower,
            Self::Prefix(prefix) => text.starts_with(prefix.as_str()),
            Self::Suffix(suffix) => text.ends_with(suffix.as_str()),
            Self::AnythingBut(rules) => !rules.iter().any(|rule| rule.matches_text(text)),
            Self::Exists(wanted) => *wanted,
            Self::Null | Self::Truth(_) | Self::Number(_) | Self::Numeric(_) => false,
        }
    }
}

impl Comparison {
    #[expect(clippy::float_cmp, reason = "`=` in a pattern is equality, not nearness")]
    fn holds(self, number: f64, bound: f64) -> bool {
        match self {
            Self::Equal => number == bound,
            Self::Less => number < bound,
            Self::LessOrEqual => number <= bound,
            Self::Greater => number > bound,
            Self::GreaterOrEqual => number >= bound,
        }
    }
}

/// `[">", 0, "<=", 5]`: pairs that must all hold.
fn comparisons(operand: &Value) -> Result<Vec<(Comparison, f64)>, String> {
    let refused = || format!("`numeric` takes pairs of =, <, <=, >, >= and a number, not {operand}");
    let parts = operand.as_array().filter(|parts| !parts.is_empty()).ok_or_else(refused)?;
    let pair = |pair: &[Value]| {
        let [how, bound] = pair else { return None };
        let how = match how.as_str()? {
            "=" => Comparison::Equal,
            "<" => Comparison::Less,
            "<=" => Comparison::LessOrEqual,
            ">" => Comparison::Greater,
            ">=" => Comparison::GreaterOrEqual,
            _ => return None,
        };
        Some((how, bound.as_f64()?))
    };
    parts.chunks(2).map(|chunk| pair(chunk).ok_or_else(refused)).collect()
}
