//! An event source mapping: the function that it invokes, and its properties as they come out. What they mean is the
//! mapping's own business.

use serde::de::DeserializeOwned;

use crate::error::{Fault, Place, TemplateError};
use crate::function::{self, Function};
use crate::node::{Node, Value};
use crate::reader::{At, literal};
use crate::resources::{Kind, Resource};
use crate::scope::Scope;

/// An event source mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// Where it stands.
    pub place: Place,
    /// The function that it invokes, by its name in AWS.
    pub function: String,
    /// `Properties`, evaluated.
    pub properties: Properties,
}

/// Properties with their places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Properties {
    node: Node,
    /// Where it is among the resources.
    resource: String,
}

/// All mappings, in the template's order.
pub(crate) fn read(scope: &Scope<'_>, functions: &[Function]) -> Result<Vec<Mapping>, Fault> {
    let one = |resource: &Resource<'_>| {
        let properties = scope.evaluate(&resource.properties)?.unwrap_or_else(|| (*resource.properties).clone());
        let missing = || Fault::new(resource.place, "FunctionName is missing");
        let function = properties.get("FunctionName").ok_or_else(missing)?;
        let function = At { place: function.place, value: function.literal()?.to_owned() };
        let function = function::named(functions, &function)?.name.clone();
        let properties = Properties { node: properties, resource: resource.id.to_owned() };
        Ok(Mapping { place: resource.place, function, properties })
    };
    let found = scope.of_kind(Kind::Mapping);
    found.map(|resource| one(resource).map_err(|fault: Fault| resource.named(fault.below("Properties")))).collect()
}

impl Properties {
    /// As a type that says which properties there are; `file` is the template's name, for the error.
    ///
    /// # Errors
    /// A property that the type does not know, or a value of another type, with its place.
    pub fn read<T: DeserializeOwned>(&self, file: &str) -> Result<T, TemplateError> {
        literal(&self.node, &[])
            .map_err(|fault| fault.below("Properties").below(&self.resource).below("Resources").in_file(file))
    }

    /// The place of what a path names, such as `FilterCriteria.Filters[0].Pattern`, or of the closest thing around it.
    #[must_use]
    pub fn place(&self, path: &str) -> Place {
        let mut node = &self.node;
        for step in path.split(['.', '[']) {
            let step = step.trim_end_matches(']');
            let inner = match &node.value {
                Value::List(items) => step.parse().ok().and_then(|index: usize| items.get(index)),
                Value::Map(_) | Value::Scalar { .. } | Value::Tagged(..) => node.get(step),
            };
            let Some(inner) = inner else { break };
            node = inner;
        }
        node.place
    }
}
