//! A table: its name, and its key as it has to be made.

use serde::Deserialize;

use crate::error::{Fault, Place};
use crate::reader::At;
use crate::resources::{Kind, Resource};
use crate::scope::Scope;

/// What keeps a table safe or fast, and changes nothing of what it answers.
const UNREAD: [&str; 8] = [
    "ContributorInsightsSpecification",
    "DeletionProtectionEnabled",
    "OnDemandThroughput",
    "PointInTimeRecoverySpecification",
    "SSESpecification",
    "TableClass",
    "Tags",
    "WarmThroughput",
];

/// A DynamoDB table, on demand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Where it stands.
    pub place: Place,
    /// Its name in AWS.
    pub name: String,
    /// The attributes of its key, the partition key first.
    pub key: Vec<KeyAttribute>,
}

/// One attribute of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyAttribute {
    /// Its name.
    pub name: String,
    /// `S`, `N` or `B`.
    pub kind: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Properties {
    #[serde(rename = "TableName")]
    _table_name: Option<String>,
    billing_mode: Option<At<String>>,
    attribute_definitions: Vec<AttributeDefinition>,
    key_schema: At<Vec<KeyElement>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct AttributeDefinition {
    attribute_name: String,
    attribute_type: At<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct KeyElement {
    attribute_name: At<String>,
    key_type: String,
}

/// All tables, in the template's order.
pub(crate) fn read(scope: &Scope<'_>) -> Result<Vec<Table>, Fault> {
    scope.of_kind(Kind::Table).map(|resource| one(scope, resource)).collect()
}

fn one(scope: &Scope<'_>, resource: &Resource<'_>) -> Result<Table, Fault> {
    let properties: Properties = resource.read(scope, &UNREAD)?;
    let named = |fault: Fault| resource.named(fault.below("Properties"));
    if let Some(mode) = properties.billing_mode.as_ref().filter(|mode| mode.value != "PAY_PER_REQUEST") {
        let message = format!("BillingMode: expected PAY_PER_REQUEST, found {}", mode.value);
        return Err(named(Fault::new(mode.place, message)));
    }
    let kinds: Vec<&str> = properties.key_schema.value.iter().map(|element| element.key_type.as_str()).collect();
    if kinds != ["HASH"] && kinds != ["HASH", "RANGE"] {
        let message = format!("KeySchema: expected HASH, or HASH and RANGE, found {}", kinds.join(", "));
        return Err(named(Fault::new(properties.key_schema.place, message)));
    }
    let key = properties.key_schema.value.iter().map(|element| attribute(element, &properties.attribute_definitions));
    Ok(Table {
        place: resource.place,
        name: resource.name(scope, "TableName").map_err(named)?,
        key: key.collect::<Result<_, _>>().map_err(named)?,
    })
}

fn attribute(element: &KeyElement, definitions: &[AttributeDefinition]) -> Result<KeyAttribute, Fault> {
    let name = &element.attribute_name;
    let Some(definition) = definitions.iter().find(|definition| definition.attribute_name == name.value) else {
        let message = format!("KeySchema: AttributeDefinitions has no {}", name.value);
        return Err(Fault::new(name.place, message));
    };
    let At { place, value: kind } = &definition.attribute_type;
    if !["S", "N", "B"].contains(&kind.as_str()) {
        return Err(Fault::new(*place, format!("AttributeDefinitions: expected S, N or B, found {kind}")));
    }
    Ok(KeyAttribute { name: name.value.clone(), kind: kind.clone() })
}
