//! A function: the binary that cargo builds for it, its variables and its limits.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use crate::error::{Fault, Place};
use crate::reader::{At, literal};
use crate::resources::{Kind, Resource};
use crate::scope::Scope;

/// What a function is on one machine without: rights, logs, traces, the network, the processor.
const UNREAD: [&str; 9] =
    ["Architectures", "CodeUri", "Description", "LoggingConfig", "Policies", "Role", "Tags", "Tracing", "VpcConfig"];

/// Lambda's own limits. <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
const TIMEOUT_SECONDS_MAX: u32 = 900;
const MEMORY_MB: std::ops::RangeInclusive<u32> = 128..=10_240;
/// What a function has that says nothing. <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-function.html>
const TIMEOUT_SECONDS_DEFAULT: u32 = 3;
const MEMORY_MB_DEFAULT: u32 = 128;

/// A Lambda function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// Where it stands.
    pub place: Place,
    /// Its name in AWS.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// What cargo builds for it.
    pub binary: String,
    /// Its variables.
    pub variables: BTreeMap<String, String>,
    /// How long one invocation may take.
    pub timeout: Duration,
    /// Its memory in MB.
    pub memory_mb: u32,
    /// How many environments there may be; none where the account's limit is the only one.
    pub concurrency: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Properties {
    #[serde(rename = "FunctionName")]
    _function_name: Option<String>,
    runtime: Option<At<String>>,
    handler: Option<At<String>>,
    timeout: Option<At<u32>>,
    memory_size: Option<At<u32>>,
    reserved_concurrent_executions: Option<u32>,
    #[serde(default)]
    environment: Environment,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Environment {
    #[serde(default)]
    variables: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Metadata {
    build_method: At<String>,
    build_properties: Option<BuildProperties>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct BuildProperties {
    binary: Option<String>,
}

/// All functions, in the template's order.
pub(crate) fn read(scope: &Scope<'_>) -> Result<Vec<Function>, Fault> {
    scope.of_kind(Kind::Function).map(|resource| one(scope, resource)).collect()
}

fn one(scope: &Scope<'_>, resource: &Resource<'_>) -> Result<Function, Fault> {
    let properties: Properties = resource.read(scope, &UNREAD)?;
    let named = |fault: Fault| resource.named(fault.below("Properties"));
    for (name, property, expected) in
        [("Runtime", &properties.runtime, "provided.al2023"), ("Handler", &properties.handler, "bootstrap")]
    {
        let (place, value) = property.as_ref().map_or((resource.place, "nothing"), |at| (at.place, at.value.as_str()));
        if value != expected {
            let message = format!("expected {expected}, which is how a Rust binary runs, found {value}");
            return Err(named(Fault::new(place, message).below(name)));
        }
    }
    let timeout = within(properties.timeout, TIMEOUT_SECONDS_DEFAULT, 1..=TIMEOUT_SECONDS_MAX);
    let memory_mb = within(properties.memory_size, MEMORY_MB_DEFAULT, MEMORY_MB);
    Ok(Function {
        place: resource.place,
        name: resource.name(scope, "FunctionName").map_err(named)?,
        arn: resource.function_arn(scope).map_err(named)?,
        binary: binary(scope, resource).map_err(|fault| resource.named(fault))?,
        variables: properties.environment.variables,
        timeout: Duration::from_secs(timeout.map_err(|fault| named(fault.below("Timeout")))?.into()),
        memory_mb: memory_mb.map_err(|fault| named(fault.below("MemorySize")))?,
        concurrency: properties.reserved_concurrent_executions,
    })
}

fn within(given: Option<At<u32>>, default: u32, allowed: std::ops::RangeInclusive<u32>) -> Result<u32, Fault> {
    let Some(At { place, value }) = given else { return Ok(default) };
    if allowed.contains(&value) {
        return Ok(value);
    }
    Err(Fault::new(place, format!("{value} is not in {} to {}", allowed.start(), allowed.end())))
}

/// What `sam build` would have cargo-lambda build: the binary that is named, or that of the package in `CodeUri`.
fn binary(scope: &Scope<'_>, resource: &Resource<'_>) -> Result<String, Fault> {
    let missing = || Fault::new(resource.place, "no Metadata with BuildMethod: rust-cargolambda");
    let Metadata { build_method, build_properties } = literal(resource.metadata.ok_or_else(missing)?, &[])?;
    if build_method.value != "rust-cargolambda" {
        let message = format!("BuildMethod: {} is not known here, only rust-cargolambda", build_method.value);
        return Err(Fault::new(build_method.place, message));
    }
    if let Some(binary) = build_properties.and_then(|properties| properties.binary) {
        return Ok(binary);
    }
    let uri = resource.properties.get("CodeUri").map(|node| scope.text(node)).transpose()?.unwrap_or_default();
    match uri.trim_end_matches('/').rsplit('/').next().filter(|name| !name.is_empty() && *name != "." && *name != "..")
    {
        Some(package) => Ok(package.to_owned()),
        None => Err(Fault::new(resource.place, "no Binary in BuildProperties, and no package's folder as CodeUri")),
    }
}

/// The function that a name or an ARN means.
pub(crate) fn named<'f>(functions: &'f [Function], given: &At<String>) -> Result<&'f Function, Fault> {
    let found = functions.iter().find(|function| {
        let path = format!(":lambda:path/2015-03-31/functions/{}/invocations", function.arn);
        [&function.name, &function.arn].contains(&&given.value) || given.value.ends_with(&path)
    });
    found.ok_or_else(|| Fault::new(given.place, format!("{} is no function of the template", given.value)))
}
