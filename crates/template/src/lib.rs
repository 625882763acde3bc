//! An AWS SAM template as data: its functions, routes, tables, topics and mappings with every parameter, condition and
//! function of CloudFormation's resolved, for somebody who runs them on one machine.
//!
//! What is needed and not understood is an error with its line, never left out in silence; what has no part in a system
//! on one machine (rights, logs, alarms) is left out by an explicit list. It starts nothing, knows no coupon, and reads
//! one file. Read `resources.rs` for the types that are known, `scope.rs` for how names are resolved.

mod conditions;
mod error;
mod function;
mod functions;
mod http;
mod mapping;
mod node;
mod parameters;
mod read;
mod reader;
mod resources;
mod scope;
mod table;
mod topics;

use std::path::Path;

pub use error::{Place, TemplateError};
pub use function::Function;
pub use http::{Api, Authorizer, Cors, Route};
pub use mapping::{Mapping, Properties};
pub use parameters::Given;
pub use reader::At;
pub use scope::Whereabouts;
pub use table::{KeyAttribute, Table};
pub use topics::Topic;

use error::Fault;
use node::{Entry, Node};
use parameters::{Failure, Parameters, Unfit};
use reader::At as Placed;
use scope::Scope;

/// The sections that a template may have.
const SECTIONS: [&str; 11] = [
    "AWSTemplateFormatVersion",
    "Conditions",
    "Description",
    "Globals",
    "Mappings",
    "Metadata",
    "Outputs",
    "Parameters",
    "Resources",
    "Rules",
    "Transform",
];
/// The one transform that is understood.
const SAM: &str = "AWS::Serverless-2016-10-31";

/// A template as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    file: String,
    root: Node,
}

/// What a template declares, for one machine.
#[derive(Debug, Clone, PartialEq)]
pub struct Stack {
    /// The functions, in the template's order, as everything below.
    pub functions: Vec<Function>,
    /// The HTTP API, if there is one.
    pub api: Option<Api>,
    /// The tables.
    pub tables: Vec<Table>,
    /// The topics.
    pub topics: Vec<Topic>,
    /// The event source mappings.
    pub mappings: Vec<Mapping>,
    /// What of the machine's own values would keep this from being deployed: each with its place.
    pub objections: Vec<String>,
}

impl Template {
    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read, is no YAML or JSON, or no template.
    pub fn open(path: &Path) -> Result<Self, TemplateError> {
        let file = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(&file, &text),
            Err(error) => Err(TemplateError::Unreadable { file, reason: error.to_string() }),
        }
    }

    /// Reads a text; `file` is the name that errors get.
    ///
    /// # Errors
    /// It is no YAML or JSON, or no template.
    pub fn parse(file: &str, text: &str) -> Result<Self, TemplateError> {
        let root = read::read(text).and_then(|root| check_sections(&root).map(|()| root));
        Ok(Self { file: file.to_owned(), root: root.map_err(|fault| fault.in_file(file))? })
    }

    /// The file's name, as it was given.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// An error at a place of this template.
    #[must_use]
    pub fn refusal(&self, place: Place, message: impl Into<String>) -> TemplateError {
        Fault::new(place, message).in_file(&self.file)
    }

    /// Resolves everything that a machine has to know.
    ///
    /// # Errors
    /// Something is wrong or not understood, with its place; a parameter is missing or cannot be.
    pub fn resolve(&self, given: &Given, whereabouts: &Whereabouts) -> Result<Stack, TemplateError> {
        let parameters = Parameters::resolve(self.root.get("Parameters"), given).map_err(|failure| match failure {
            Failure::Declared(fault) => fault.below("Parameters").in_file(&self.file),
            Failure::Given(Unfit { name, reason }) => {
                TemplateError::Parameter { file: self.file.clone(), name, reason }
            }
        })?;
        self.stack(Scope::new(parameters, whereabouts.clone())).map_err(|fault| fault.in_file(&self.file))
    }

    fn stack(&self, scope: Scope<'_>) -> Result<Stack, Fault> {
        let mut scope = scope;
        (scope.conditions, scope.mappings) = (self.root.get("Conditions"), self.root.get("Mappings"));
        scope.check_conditions().map_err(|fault| fault.below("Conditions"))?;
        let objections = self.objections(&scope)?;
        let missing = || Fault::new(self.root.place, "no Resources");
        let section = self.root.get("Resources").ok_or_else(missing)?;
        let resources = resources::read(&scope, section, self.root.get("Globals"))?;
        declared(&scope.with_resources(resources), objections).map_err(|fault| fault.below("Resources"))
    }

    /// A rule that is broken by a value of the machine's own keeps this from being deployed elsewhere, and no more; one
    /// that is broken by whoever chose the parameters is an error.
    fn objections(&self, scope: &Scope<'_>) -> Result<Vec<String>, Fault> {
        let parameters = &scope.parameters;
        let mut objections = parameters.objections.clone();
        for broken in scope.broken_rules(self.root.get("Rules")).map_err(|fault| fault.below("Rules"))? {
            if broken.parameters.is_disjoint(&parameters.machines) {
                return Err(Fault::new(broken.place, broken.message).below("Rules"));
            }
            objections.push((broken.place, broken.message));
        }
        Ok(objections.into_iter().map(|(place, message)| format!("{}:{place}: {message}", self.file)).collect())
    }
}

fn declared(scope: &Scope<'_>, objections: Vec<String>) -> Result<Stack, Fault> {
    let functions = function::read(scope)?;
    Ok(Stack {
        api: http::read(scope, &functions)?,
        tables: table::read(scope)?,
        topics: topics::read(scope)?,
        mappings: mapping::read(scope, &functions)?,
        functions,
        objections,
    })
}

fn check_sections(root: &Node) -> Result<(), Fault> {
    for Entry { key, key_place, node } in root.entries()? {
        if !SECTIONS.contains(&key.as_str()) {
            return Err(Fault::new(*key_place, format!("{key} is no section that is known here")));
        }
        if key == "Transform" {
            let Placed { place, value }: Placed<String> = reader::literal(node, &[])?;
            if value != SAM {
                return Err(Fault::new(place, format!("Transform: {value} is not known here, only {SAM}")));
            }
        }
    }
    Ok(())
}
