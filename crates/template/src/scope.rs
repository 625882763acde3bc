//! What names stand for: parameters, pseudo parameters, resources, mappings and conditions. The functions that use them
//! are `functions.rs`.
//!
//! Evaluation is one step deep: [`Scope::reduce`] turns a function into what it stands for and leaves what is inside to
//! whoever reads it.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::BTreeMap;

use crate::error::{Fault, Place};
use crate::node::{Call, Node, Value};
use crate::parameters::Parameters;
use crate::resources::Resource;

/// How many functions may stand within one another. Only what refers to itself comes so far.
const DEPTH_MAX: usize = 64;

/// Where a deployment is said to be: the pseudo parameters.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Whereabouts {
    /// `AWS::Region`.
    pub region: String,
    /// `AWS::AccountId`.
    pub account_id: String,
    /// `AWS::StackName`, which also begins the names that the template leaves open.
    pub stack_name: String,
}

/// Everything that has a name.
#[derive(Debug, Default)]
pub(crate) struct Scope<'t> {
    pub(crate) parameters: Parameters,
    pub(crate) whereabouts: Whereabouts,
    /// `Conditions`, as it is written.
    pub(crate) conditions: Option<&'t Node>,
    /// `Mappings`, as it is written.
    pub(crate) mappings: Option<&'t Node>,
    pub(crate) resources: BTreeMap<&'t str, Resource<'t>>,
    depth: Cell<usize>,
}

impl<'t> Scope<'t> {
    /// A scope in which nothing but parameters has a name.
    pub(crate) fn new(parameters: Parameters, whereabouts: Whereabouts) -> Self {
        Self { parameters, whereabouts, ..Self::default() }
    }

    /// What a node stands for, with whatever is inside still to be evaluated; none for `AWS::NoValue`.
    pub(crate) fn reduce<'n>(&self, node: &'n Node) -> Result<Option<Cow<'n, Node>>, Fault> {
        let Some(Call { name, argument }) = node.call() else {
            return self.is_whole(node).map(|()| Some(Cow::Borrowed(node)));
        };
        self.one_deeper(node.place, || match name {
            "If" => self.reduce(self.branch(argument)?),
            "Ref" if argument.literal()? == "AWS::NoValue" => Ok(None),
            _ => self.call(node.place, name, argument).map(|value| Some(Cow::Owned(placed(value, node.place)))),
        })
    }

    /// Whether a node stands for `AWS::NoValue`. Evaluates conditions alone, for most of a template is read by nobody.
    pub(crate) fn is_absent(&self, node: &Node) -> Result<bool, Fault> {
        match node.call() {
            Some(Call { name: "Ref", argument }) => Ok(argument.literal()? == "AWS::NoValue"),
            Some(Call { name: "If", argument }) => {
                self.one_deeper(node.place, || self.is_absent(self.branch(argument)?))
            }
            _ => Ok(false),
        }
    }

    /// The text that a node stands for.
    pub(crate) fn text(&self, node: &Node) -> Result<String, Fault> {
        match self.reduce(node)? {
            Some(node) => node.literal().map(str::to_owned),
            None => Err(Fault::new(node.place, "expected a text, found AWS::NoValue")),
        }
    }

    /// The items of the list that a node stands for.
    pub(crate) fn list(&self, node: &Node) -> Result<Vec<Node>, Fault> {
        match self.reduce(node)? {
            Some(list) => {
                let kept = list.items()?.iter().filter_map(|item| match self.is_absent(item) {
                    Ok(true) => None,
                    Ok(false) => Some(Ok(item.clone())),
                    Err(fault) => Some(Err(fault)),
                });
                kept.collect()
            }
            None => Err(Fault::new(node.place, "expected a list, found AWS::NoValue")),
        }
    }

    /// The same with everything inside evaluated.
    pub(crate) fn evaluate(&self, node: &Node) -> Result<Option<Node>, Fault> {
        let Some(reduced) = self.reduce(node)? else { return Ok(None) };
        let value = match &reduced.value {
            Value::Scalar { .. } => reduced.value.clone(),
            Value::List(items) => {
                let items = items.iter().filter_map(|item| self.evaluate(item).transpose());
                Value::List(items.collect::<Result<_, _>>()?)
            }
            Value::Map(entries) => {
                let entries = entries.iter().filter_map(|entry| {
                    let node = self.evaluate(&entry.node).map_err(|fault| fault.below(&entry.key)).transpose()?;
                    Some(node.map(|node| crate::node::Entry { node, ..entry.clone() }))
                });
                Value::Map(entries.collect::<Result<_, _>>()?)
            }
            Value::Tagged(..) => return Err(reduced.unlike("a value")),
        };
        Ok(Some(Node { place: reduced.place, value }))
    }

    pub(crate) fn one_deeper<R>(&self, place: Place, within: impl FnOnce() -> Result<R, Fault>) -> Result<R, Fault> {
        let depth = self.depth.get();
        if depth >= DEPTH_MAX {
            return Err(Fault::new(
                place,
                format!("functions deeper than {DEPTH_MAX}; does something refer to itself?"),
            ));
        }
        self.depth.set(depth.saturating_add(1));
        let result = within();
        self.depth.set(depth);
        result
    }

    /// A map with a function among other members is nothing.
    fn is_whole(&self, node: &Node) -> Result<(), Fault> {
        let Value::Map(entries) = &node.value else { return Ok(()) };
        match entries.iter().find(|entry| entry.key.starts_with("Fn::")) {
            Some(entry) => Err(Fault::new(entry.key_place, format!("{} has to be alone in its map", entry.key))),
            None => Ok(()),
        }
    }
}

/// A value as it stands where it is used, so that what is wrong with it is told there.
fn placed(node: Node, place: Place) -> Node {
    let value = match node.value {
        Value::List(items) => Value::List(items.into_iter().map(|item| placed(item, place)).collect()),
        other @ (Value::Scalar { .. } | Value::Map(_) | Value::Tagged(..)) => other,
    };
    Node { place, value }
}
