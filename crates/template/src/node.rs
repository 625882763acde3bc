//! A template as it is written: texts, lists, maps and functions, each with its place. Nothing is evaluated here, and
//! nothing is refused for not being known: most of a template is nobody's business on one machine.
//!
//! How a text becomes this is `read.rs`, what a function stands for `functions.rs`.

use crate::error::{Fault, Place};

/// One thing in a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) value: Value,
}

/// What it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    /// As it is written: CloudFormation turns texts into numbers, and the reverse, as whoever reads them wants it.
    Scalar {
        text: String,
        /// Whether it can only be a text.
        quoted: bool,
    },
    List(Vec<Node>),
    Map(Vec<Entry>),
    /// `!Ref x`: the name without its `!`.
    Tagged(String, Box<Node>),
}

/// One member of a map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_place: Place,
    pub(crate) node: Node,
}

/// A function and what it is given, in whichever form it is written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call<'n> {
    /// Such as `Ref` or `Sub`.
    pub(crate) name: &'n str,
    pub(crate) argument: &'n Node,
}

impl Node {
    pub(crate) fn text(place: Place, text: impl Into<String>) -> Self {
        Self { place, value: Value::Scalar { text: text.into(), quoted: true } }
    }

    /// The function that it is: `!Sub x`, `{Fn::Sub: x}`, `!Ref x` or `{Ref: x}`.
    pub(crate) fn call(&self) -> Option<Call<'_>> {
        match &self.value {
            Value::Tagged(name, argument) => Some(Call { name, argument }),
            Value::Map(entries) => match &entries[..] {
                [Entry { key, node, .. }] => {
                    let name = if key == "Ref" { Some("Ref") } else { key.strip_prefix("Fn::") }?;
                    Some(Call { name, argument: node })
                }
                _ => None,
            },
            Value::Scalar { .. } | Value::List(_) => None,
        }
    }

    /// The member of a map as it is written.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        let Value::Map(entries) = &self.value else { return None };
        entries.iter().find(|entry| entry.key == key).map(|entry| &entry.node)
    }

    /// The members of what can only be written as a map.
    pub(crate) fn entries(&self) -> Result<&[Entry], Fault> {
        match &self.value {
            Value::Map(entries) => Ok(entries),
            Value::Scalar { .. } | Value::List(_) | Value::Tagged(..) => Err(self.unlike("a map")),
        }
    }

    /// The items of what can only be written as a list.
    pub(crate) fn items(&self) -> Result<&[Self], Fault> {
        match &self.value {
            Value::List(items) => Ok(items),
            Value::Scalar { .. } | Value::Map(_) | Value::Tagged(..) => Err(self.unlike("a list")),
        }
    }

    /// What can only be written as a text.
    pub(crate) fn literal(&self) -> Result<&str, Fault> {
        match &self.value {
            Value::Scalar { text, quoted } if *quoted || !is_null(text) => Ok(text),
            Value::Scalar { .. } | Value::List(_) | Value::Map(_) | Value::Tagged(..) => Err(self.unlike("a text")),
        }
    }

    /// That it is something else than what is expected.
    pub(crate) fn unlike(&self, expected: &str) -> Fault {
        Fault::new(self.place, format!("expected {expected}, found {}", self.shown()))
    }

    pub(crate) fn shown(&self) -> String {
        match &self.value {
            Value::Scalar { text, quoted: false } if is_null(text) => "nothing".to_owned(),
            Value::Scalar { text, .. } => format!("{text:?}"),
            Value::List(_) => "a list".to_owned(),
            Value::Map(_) => "a map".to_owned(),
            Value::Tagged(name, _) => format!("!{name}"),
        }
    }
}

/// What YAML takes for no value at all.
pub(crate) fn is_null(plain: &str) -> bool {
    matches!(plain, "" | "~" | "null" | "Null" | "NULL")
}
