//! The resources: which types run on one machine, which are left out there, and what their names and attributes are to
//! each other. What a resource of a type has to say is in `function.rs`, `http.rs`, `table.rs` and `topics.rs`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;

use crate::error::{Fault, Place};
use crate::node::{Entry, Node, Value};
use crate::reader::{At, evaluated};
use crate::scope::Scope;

/// What a resource is to a sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Function,
    Table,
    Api,
    Stage,
    Authorizer,
    Integration,
    Route,
    Mapping,
    Topics,
    /// Without a part in what the system does: rights, logs, alarms.
    LeftOut,
}

/// A custom resource is called as its author likes.
const CUSTOM: &str = "Custom::";

const KINDS: [(&str, Kind); 18] = [
    ("AWS::Serverless::Function", Kind::Function),
    ("AWS::DynamoDB::Table", Kind::Table),
    ("AWS::ApiGatewayV2::Api", Kind::Api),
    ("AWS::ApiGatewayV2::Stage", Kind::Stage),
    ("AWS::ApiGatewayV2::Authorizer", Kind::Authorizer),
    ("AWS::ApiGatewayV2::Integration", Kind::Integration),
    ("AWS::ApiGatewayV2::Route", Kind::Route),
    ("AWS::Lambda::EventSourceMapping", Kind::Mapping),
    ("AWS::CloudFormation::CustomResource", Kind::Topics),
    ("AWS::CloudWatch::Alarm", Kind::LeftOut),
    ("AWS::CloudWatch::CompositeAlarm", Kind::LeftOut),
    ("AWS::CloudWatch::Dashboard", Kind::LeftOut),
    ("AWS::IAM::ManagedPolicy", Kind::LeftOut),
    ("AWS::IAM::Policy", Kind::LeftOut),
    ("AWS::IAM::Role", Kind::LeftOut),
    ("AWS::Lambda::Permission", Kind::LeftOut),
    ("AWS::Logs::LogGroup", Kind::LeftOut),
    ("AWS::Logs::MetricFilter", Kind::LeftOut),
];

/// Nothing of a sandbox: when a resource is made and what becomes of it when its stack goes.
const UNREAD: [&str; 5] = ["DependsOn", "DeletionPolicy", "UpdateReplacePolicy", "CreationPolicy", "UpdatePolicy"];

/// One resource.
#[derive(Debug)]
pub(crate) struct Resource<'t> {
    pub(crate) id: &'t str,
    /// Of its name.
    pub(crate) place: Place,
    pub(crate) kind: Kind,
    kind_name: String,
    /// With `Globals` in them.
    pub(crate) properties: Cow<'t, Node>,
    pub(crate) metadata: Option<&'t Node>,
    /// The condition by which it is not part of this deployment.
    absent_by: Option<String>,
}

/// `Resources: NAME:`, but for what stays as it is written.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Declared {
    #[serde(rename = "Type")]
    kind: At<String>,
    condition: Option<At<String>>,
}

/// All resources of a template, in its order.
pub(crate) fn read<'t>(
    scope: &Scope<'_>,
    section: &'t Node,
    globals: Option<&Node>,
) -> Result<Vec<Resource<'t>>, Fault> {
    let globals = globals.map(functions_globals).transpose()?.flatten();
    let one = |entry| one(scope, entry, globals).map_err(|fault| fault.below(&entry.key).below("Resources"));
    section.entries()?.iter().map(one).collect()
}

fn one<'t>(scope: &Scope<'_>, entry: &'t Entry, globals: Option<&Node>) -> Result<Resource<'t>, Fault> {
    let unread: Vec<&str> = UNREAD.into_iter().chain(["Properties", "Metadata"]).collect();
    let Declared { kind: At { place, value: kind_name }, condition } = evaluated(scope, &entry.node, &unread)?;
    let own = entry.node.get("Properties");
    let kind = kind(&kind_name, own).map_err(|message| Fault::new(place, message))?;
    let properties = match (own, globals.filter(|_| kind == Kind::Function)) {
        (Some(own), Some(globals)) => Cow::Owned(merged(globals, own)),
        (Some(own), None) => Cow::Borrowed(own),
        (None, _) => Cow::Owned(Node { place: entry.key_place, value: Value::Map(Vec::new()) }),
    };
    let holds = condition.as_ref().map_or(Ok(true), |condition| scope.condition(&condition.value, condition.place))?;
    Ok(Resource {
        id: &entry.key,
        place: entry.key_place,
        kind,
        kind_name,
        properties,
        metadata: entry.node.get("Metadata"),
        absent_by: condition.filter(|_| !holds).map(|condition| condition.value),
    })
}

fn kind(name: &str, properties: Option<&Node>) -> Result<Kind, String> {
    let known = KINDS.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind);
    match known.or_else(|| name.starts_with(CUSTOM).then_some(Kind::Topics)) {
        Some(Kind::Topics) if properties.is_none_or(|properties| properties.get("Topics").is_none()) => {
            Err(format!("{name}: without Topics it is not known here what this resource makes"))
        }
        Some(kind) => Ok(kind),
        None => Err(format!(
            "Type: {name} is neither run here nor known to be left out, see KINDS in crates/template/src/resources.rs"
        )),
    }
}

/// `Globals: Function:`, the only globals that there is something for here.
fn functions_globals(globals: &Node) -> Result<Option<&Node>, Fault> {
    match globals.entries()?.iter().find(|entry| entry.key != "Function") {
        Some(other) => {
            Err(Fault::new(other.key_place, format!("Globals: {} is not known here, only Function", other.key)))
        }
        None => Ok(globals.get("Function")),
    }
}

/// As SAM merges: maps member by member, lists one after the other, and otherwise the function's own. A function of
/// CloudFormation's is no map.
/// <https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-specification-template-anatomy-globals.html>
fn merged(global: &Node, own: &Node) -> Node {
    if global.call().is_some() || own.call().is_some() {
        return own.clone();
    }
    let value = match (&global.value, &own.value) {
        (Value::Map(globals), Value::Map(owns)) => {
            let mut entries: Vec<Entry> = owns.clone();
            for global in globals {
                match entries.iter_mut().find(|entry| entry.key == global.key) {
                    Some(entry) => entry.node = merged(&global.node, &entry.node),
                    None => entries.push(global.clone()),
                }
            }
            Value::Map(entries)
        }
        (Value::List(globals), Value::List(owns)) => Value::List(globals.iter().chain(owns).cloned().collect()),
        _ => return own.clone(),
    };
    Node { place: own.place, value }
}

impl Resource<'_> {
    pub(crate) fn exists(&self) -> bool {
        self.absent_by.is_none()
    }

    /// What a `Ref` to it is.
    pub(crate) fn reference(&self, scope: &Scope<'_>, place: Place) -> Result<String, Fault> {
        self.is_there(place)?;
        match self.kind {
            Kind::Function => self.name(scope, "FunctionName"),
            Kind::Table => self.name(scope, "TableName"),
            Kind::Stage => self.name(scope, "StageName"),
            // Ids that AWS makes up; here the names in the template are as good.
            Kind::Api | Kind::Authorizer | Kind::Integration | Kind::Route => Ok(self.id.to_owned()),
            Kind::Mapping | Kind::Topics | Kind::LeftOut => Err(Fault::new(
                place,
                format!("what a Ref to {}, of {}, is, is not known here", self.id, self.kind_name),
            )),
        }
    }

    /// What an attribute of it is.
    pub(crate) fn attribute(&self, scope: &Scope<'_>, place: Place, attribute: &str) -> Result<String, Fault> {
        self.is_there(place)?;
        match (self.kind, attribute) {
            (Kind::Function, "Arn") => self.function_arn(scope),
            (Kind::Table, "Arn") => Ok(scope.arn("dynamodb", &format!("table/{}", self.name(scope, "TableName")?))),
            _ => {
                let (id, kind) = (self.id, &self.kind_name);
                Err(Fault::new(place, format!("the attribute {attribute} of {id}, of {kind}, is not known here")))
            }
        }
    }

    pub(crate) fn function_arn(&self, scope: &Scope<'_>) -> Result<String, Fault> {
        Ok(scope.arn("lambda", &format!("function:{}", self.name(scope, "FunctionName")?)))
    }

    /// The name that the template gives it, or one as CloudFormation makes them.
    pub(crate) fn name(&self, scope: &Scope<'_>, property: &str) -> Result<String, Fault> {
        match self.properties.get(property) {
            Some(node) => scope.one_deeper(node.place, || scope.text(node)).map_err(|fault| fault.below(property)),
            None => Ok(format!("{}-{}", scope.whereabouts.stack_name, self.id)),
        }
    }

    /// Reads its properties, but for those that mean nothing here.
    pub(crate) fn read<T: serde::de::DeserializeOwned>(&self, scope: &Scope<'_>, unread: &[&str]) -> Result<T, Fault> {
        let read = evaluated(scope, &self.properties, unread);
        read.map_err(|fault| self.named(fault.below("Properties")))
    }

    /// A fault of this resource.
    pub(crate) fn named(&self, fault: Fault) -> Fault {
        fault.below(self.id)
    }

    fn is_there(&self, place: Place) -> Result<(), Fault> {
        match &self.absent_by {
            Some(condition) => {
                Err(Fault::new(place, format!("{} is not there: the condition {condition} does not hold", self.id)))
            }
            None => Ok(()),
        }
    }
}

impl<'t> Scope<'t> {
    /// The resources of a kind, as far as they are there.
    pub(crate) fn of_kind(&self, kind: Kind) -> impl Iterator<Item = &Resource<'t>> {
        let mut found: Vec<_> = self.resources.values().filter(|one| one.kind == kind && one.exists()).collect();
        found.sort_by_key(|resource| resource.place);
        found.into_iter()
    }

    pub(crate) fn with_resources(mut self, resources: Vec<Resource<'t>>) -> Self {
        self.resources = resources.into_iter().map(|one| (one.id, one)).collect::<BTreeMap<_, _>>();
        self
    }
}
