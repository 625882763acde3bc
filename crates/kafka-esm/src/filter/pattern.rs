//! One pattern: fields that must all match, each by one of its rules. A record's JSON is looked at only where a pattern
//! points, and stays text, since numbers are compared as they are written: 300 is not 300.0.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

/// Arrays within arrays that are looked into. Beyond, as in no record that somebody means, nothing matches: looking on would
/// cost time by the square of the depth, and stack.
const ARRAYS_MAX: usize = 64;

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

pub(super) type Object<'a> = BTreeMap<String, &'a RawValue>;

impl Node {
    pub(super) fn parse(fields: Object<'_>) -> Result<Self, String> {
        let mut node = Self::default();
        for (name, condition) in fields {
            if let (Some(alternatives), "$or") = (as_array(condition), name.as_str()) {
                let parse = |alternative: &RawValue| {
                    Self::parse(
                        as_object(alternative).ok_or_else(|| format!("`$or` takes objects, not {alternative}"))?,
                    )
                };
                node.alternatives.push(alternatives.into_iter().map(parse).collect::<Result<_, _>>()?);
            } else if let Some(rules) = as_array(condition).filter(|rules| !rules.is_empty()) {
                let rules = rules.into_iter().map(Rule::parse).collect::<Result<_, _>>()?;
                node.fields.push((name, Condition::Leaf(rules)));
            } else if let Some(nested) = as_object(condition) {
                node.fields.push((name, Condition::Nested(Self::parse(nested)?)));
            } else {
                return Err(format!("`{name}` must be an array of rules or an object of fields, not {condition}"));
            }
        }
        Ok(node)
    }

    /// Whether a record's JSON has what the pattern asks for. Of an array one element is enough.
    pub(super) fn matches(&self, json: &RawValue) -> bool {
        self.matches_within(json, ARRAYS_MAX)
    }

    fn matches_within(&self, json: &RawValue, arrays: usize) -> bool {
        match (as_array(json), arrays.checked_sub(1)) {
            (Some(elements), Some(arrays)) => elements.into_iter().any(|element| self.matches_within(element, arrays)),
            (Some(_), None) => false,
            (None, _) => self.matches_object(&as_object(json).unwrap_or_default()),
        }
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
                let leaves = leaves(json, ARRAYS_MAX);
                rules.iter().any(|rule| leaves.iter().any(|leaf| rule.matches(leaf)))
            }
            (Self::Leaf(rules), None) => rules.iter().any(|rule| matches!(rule, Rule::Exists(false))),
            (Self::Nested(node), Some(json)) => node.matches(json),
            // Something may still be asked not to exist.
            (Self::Nested(node), None) => node.matches_object(&Object::new()),
        }
    }
}

/// The elements, if it is an array.
pub(super) fn as_array(json: &RawValue) -> Option<Vec<&RawValue>> {
    json.get().starts_with('[').then(|| serde_json::from_str(json.get()).ok()).flatten()
}

/// The fields, if it is an object.
pub(super) fn as_object(json: &RawValue) -> Option<Object<'_>> {
    json.get().starts_with('{').then(|| serde_json::from_str(json.get()).ok()).flatten()
}

/// A scalar, or an array's scalars, so many arrays deep; an object is no leaf.
fn leaves(json: &RawValue, arrays: usize) -> Vec<Leaf<'_>> {
    let text = json.get();
    match text.as_bytes().first() {
        Some(b'[') => match arrays.checked_sub(1) {
            Some(arrays) => as_array(json).into_iter().flatten().flat_map(|element| leaves(element, arrays)).collect(),
            None => Vec::new(),
        },
        Some(b'{') | None => Vec::new(),
        Some(b'"') => serde_json::from_str(text).map(Leaf::Text).into_iter().collect(),
        Some(b't') => vec![Leaf::Truth(true)],
        Some(b'f') => vec![Leaf::Truth(false)],
        Some(b'n') => vec![Leaf::Null],
        Some(_) => vec![Leaf::Number(text)],
    }
}

impl Rule {
    pub(super) fn parse(rule: &RawValue) -> Result<Self, String> {
        let text = rule.get();
        match text.as_bytes().first() {
            Some(b'{') => match as_object(rule).unwrap_or_default().into_iter().collect::<Vec<_>>()[..] {
                [(ref name, operand)] => Self::operator(name, operand),
                _ => Err(format!("a rule has exactly one operator, not {rule}")),
            },
            Some(b'[') | None => Err(format!("a rule cannot be an array: {rule}")),
            Some(b'"') => string(rule).map(Self::Text).ok_or_else(|| format!("no string: {rule}")),
            Some(b't') => Ok(Self::Truth(true)),
            Some(b'f') => Ok(Self::Truth(false)),
            Some(b'n') => Ok(Self::Null),
            Some(_) => Ok(Self::Number(text.to_owned())),
        }
    }

    fn operator(name: &str, operand: &RawValue) -> Result<Self, String> {
        let text = || string(operand).ok_or_else(|| format!("`{name}` takes a string, not {operand}"));
        match name {
            "equals-ignore-case" => Ok(Self::EqualsIgnoreCase(text()?.to_lowercase())),
            "prefix" => text().map(Self::Prefix),
            "suffix" => text().map(Self::Suffix),
            "exists" => match operand.get() {
                "true" => Ok(Self::Exists(true)),
                "false" => Ok(Self::Exists(false)),
                _ => Err(format!("`exists` takes a boolean, not {operand}")),
            },
            "anything-but" => {
                let rules = as_array(operand).unwrap_or_else(|| vec![operand]);
                rules.into_iter().map(Self::parse).collect::<Result<_, _>>().map(Self::AnythingBut)
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

fn string(json: &RawValue) -> Option<String> {
    serde_json::from_str(json.get()).ok()
}

/// `[">", 0, "<=", 5]`: pairs that must all hold.
fn comparisons(operand: &RawValue) -> Result<Vec<(Comparison, f64)>, String> {
    let refused = || format!("`numeric` takes pairs of =, <, <=, >, >= and a number, not {operand}");
    let parts = as_array(operand).filter(|parts| !parts.is_empty()).ok_or_else(refused)?;
    let pair = |pair: &[&RawValue]| {
        let [how, bound] = pair else { return None };
        let how = match string(how)?.as_str() {
            "=" => Comparison::Equal,
            "<" => Comparison::Less,
            "<=" => Comparison::LessOrEqual,
            ">" => Comparison::Greater,
            ">=" => Comparison::GreaterOrEqual,
            _ => return None,
        };
        Some((how, serde_json::from_str(bound.get()).ok()?))
    };
    parts.chunks(2).map(|chunk| pair(chunk).ok_or_else(refused)).collect()
}
