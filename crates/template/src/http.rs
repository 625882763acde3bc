//! An HTTP API: its routes and the function each leads to, its authorizer, CORS and throttling. The parts are resources
//! of their own, which name each other.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::error::{Fault, Place};
use crate::function::{self, Function};
use crate::reader::At;
use crate::resources::{Kind, Resource};
use crate::scope::Scope;

/// An HTTP API.
#[derive(Debug, Clone, PartialEq)]
pub struct Api {
    /// Where it stands.
    pub place: Place,
    /// What it answers to.
    pub routes: Vec<Route>,
    /// Who is let through where a route asks for it; none where no route does.
    pub authorizer: Option<Authorizer>,
    /// What pages of other origins may do.
    pub cors: Option<Cors>,
    /// Requests a second, in the long run; none where the account's limit is the only one.
    pub rate: Option<f64>,
    /// Requests at once, likewise.
    pub burst: Option<u32>,
}

/// One route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Where its key stands.
    pub place: Place,
    /// `GET /coupons/{couponId}`, or `$default`.
    pub key: String,
    /// The function it leads to, by its name in AWS.
    pub function: String,
    /// Whether nobody gets through without a valid token.
    pub authorized: bool,
}

/// Whose JWT is good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorizer {
    /// `iss`.
    pub issuer: String,
    /// Of which `aud` has to name one.
    pub audiences: Vec<String>,
}

/// Cross-origin resource sharing, as the gateway answers for it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default, deny_unknown_fields)]
pub struct Cors {
    /// Whose pages may call; `*` is anybody's.
    pub allow_origins: Vec<String>,
    /// By which methods.
    pub allow_methods: Vec<String>,
    /// With which headers.
    pub allow_headers: Vec<String>,
    /// Which headers of an answer they may read.
    pub expose_headers: Vec<String>,
    /// How long a browser may remember this, in seconds.
    pub max_age: Option<u32>,
    /// Whether with cookies.
    pub allow_credentials: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct ApiProperties {
    protocol_type: At<String>,
    cors_configuration: Option<Cors>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct StageProperties {
    api_id: At<String>,
    stage_name: At<String>,
    auto_deploy: At<bool>,
    #[serde(default)]
    default_route_settings: RouteSettings,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct RouteSettings {
    throttling_rate_limit: Option<f64>,
    throttling_burst_limit: Option<u32>,
    #[serde(rename = "DetailedMetricsEnabled")]
    _detailed_metrics_enabled: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct AuthorizerProperties {
    api_id: At<String>,
    authorizer_type: At<String>,
    identity_source: At<Vec<String>>,
    jwt_configuration: JwtConfiguration,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct JwtConfiguration {
    issuer: String,
    audience: At<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct IntegrationProperties {
    api_id: At<String>,
    integration_type: At<String>,
    integration_uri: At<String>,
    payload_format_version: At<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct RouteProperties {
    api_id: At<String>,
    route_key: At<String>,
    authorization_type: Option<At<String>>,
    authorizer_id: Option<At<String>>,
    target: At<String>,
}

/// The API, if the template has one.
pub(crate) fn read(scope: &Scope<'_>, functions: &[Function]) -> Result<Option<Api>, Fault> {
    let mut apis = scope.of_kind(Kind::Api);
    let Some(resource) = apis.next() else { return Ok(None) };
    if let Some(second) = apis.next() {
        return Err(second.named(Fault::new(second.place, "a second API; a sandbox has one gateway")));
    }
    let properties: ApiProperties = resource.read(scope, &["Description", "Name", "Tags"])?;
    is(&properties.protocol_type, "HTTP").map_err(|fault| below(resource, fault.below("ProtocolType")))?;
    let parts = Parts { scope, api: resource.id, functions };
    let RouteSettings { throttling_rate_limit, throttling_burst_limit, .. } = parts.stage(resource)?;
    let (routes, authorizer) = parts.routes()?;
    Ok(Some(Api {
        place: resource.place,
        routes,
        authorizer,
        cors: properties.cors_configuration,
        rate: throttling_rate_limit,
        burst: throttling_burst_limit,
    }))
}

/// The resources around an API.
struct Parts<'a, 't> {
    scope: &'a Scope<'t>,
    api: &'a str,
    functions: &'a [Function],
}

impl Parts<'_, '_> {
    fn stage(&self, api: &Resource<'_>) -> Result<RouteSettings, Fault> {
        let mut settings = None;
        for resource in self.scope.of_kind(Kind::Stage) {
            let stage: StageProperties = resource.read(self.scope, &["AccessLogSettings", "Description", "Tags"])?;
            self.is_ours(&stage.api_id)
                .and(is(&stage.stage_name, "$default").map_err(|fault| fault.below("StageName")))
                .and(is(&stage.auto_deploy, &true).map_err(|fault| fault.below("AutoDeploy")))
                .map_err(|fault| below(resource, fault))?;
            settings = Some(stage.default_route_settings);
        }
        settings
            .ok_or_else(|| api.named(Fault::new(api.place, "no AWS::ApiGatewayV2::Stage, so that nobody reaches it")))
    }

    fn routes(&self) -> Result<(Vec<Route>, Option<Authorizer>), Fault> {
        let (authorizers, integrations) = (self.authorizers()?, self.integrations()?);
        let (mut routes, mut used) = (Vec::new(), None::<String>);
        for resource in self.scope.of_kind(Kind::Route) {
            let declared: RouteProperties = resource.read(self.scope, &["OperationName"])?;
            let (route, authorizer) =
                self.route(&declared, &authorizers, &integrations).map_err(|fault| below(resource, fault))?;
            if let Some(At { place, value }) = authorizer {
                if used.as_ref().is_some_and(|used| *used != value) {
                    let fault = Fault::new(place, "a second authorizer; a sandbox's gateway has one");
                    return Err(below(resource, fault.below("AuthorizerId")));
                }
                used = Some(value);
            }
            routes.push(route);
        }
        Ok((routes, used.and_then(|used| authorizers.get(&used).cloned())))
    }

    fn route(
        &self,
        declared: &RouteProperties,
        authorizers: &BTreeMap<String, Authorizer>,
        integrations: &BTreeMap<String, String>,
    ) -> Result<(Route, Option<At<String>>), Fault> {
        self.is_ours(&declared.api_id)?;
        let At { place, value: key } = declared.route_key.clone();
        let none = || At { place, value: "NONE".to_owned() };
        let kind = declared.authorization_type.clone().unwrap_or_else(none);
        let authorizer = match (kind.value.as_str(), &declared.authorizer_id) {
            ("NONE", None) => None,
            ("JWT", Some(id)) if authorizers.contains_key(&id.value) => Some(id.clone()),
            ("JWT", Some(id)) => {
                let message = format!("AuthorizerId: {} is no authorizer of the template", id.value);
                return Err(Fault::new(id.place, message));
            }
            _ => {
                let message = "AuthorizationType: expected NONE, or JWT with an AuthorizerId";
                return Err(Fault::new(kind.place, format!("{message}, found {}", kind.value)));
            }
        };
        let target = declared.target.value.strip_prefix("integrations/").and_then(|id| integrations.get(id));
        let Some(function) = target.cloned() else {
            let message =
                format!("Target: expected integrations/ and one of the template, found {}", declared.target.value);
            return Err(Fault::new(declared.target.place, message));
        };
        Ok((Route { place, key, function, authorized: authorizer.is_some() }, authorizer))
    }

    fn authorizers(&self) -> Result<BTreeMap<String, Authorizer>, Fault> {
        let mut authorizers = BTreeMap::new();
        for resource in self.scope.of_kind(Kind::Authorizer) {
            let AuthorizerProperties { api_id, authorizer_type, identity_source, jwt_configuration } =
                resource.read(self.scope, &["Name"])?;
            let JwtConfiguration { issuer, audience } = jwt_configuration;
            self.is_ours(&api_id)
                .and(is(&authorizer_type, "JWT").map_err(|fault| fault.below("AuthorizerType")))
                .map_err(|fault| below(resource, fault))?;
            if identity_source.value != ["$request.header.Authorization"] {
                let message =
                    format!("IdentitySource: only $request.header.Authorization, not {:?}", identity_source.value);
                return Err(below(resource, Fault::new(identity_source.place, message)));
            }
            if audience.value.iter().all(String::is_empty) {
                let fault = Fault::new(audience.place, "Audience: nobody's token would be good");
                return Err(below(resource, fault.below("JwtConfiguration")));
            }
            authorizers.insert(resource.id.to_owned(), Authorizer { issuer, audiences: audience.value });
        }
        Ok(authorizers)
    }

    /// The function that each integration leads to.
    fn integrations(&self) -> Result<BTreeMap<String, String>, Fault> {
        let mut integrations = BTreeMap::new();
        for resource in self.scope.of_kind(Kind::Integration) {
            let integration: IntegrationProperties =
                resource.read(self.scope, &["Description", "IntegrationMethod"])?;
            let function = self
                .is_ours(&integration.api_id)
                .and(is(&integration.integration_type, "AWS_PROXY").map_err(|fault| fault.below("IntegrationType")))
                .and(
                    is(&integration.payload_format_version, "2.0").map_err(|fault| fault.below("PayloadFormatVersion")),
                )
                .and(function::named(self.functions, &integration.integration_uri))
                .map_err(|fault| below(resource, fault))?;
            integrations.insert(resource.id.to_owned(), function.name.clone());
        }
        Ok(integrations)
    }

    fn is_ours(&self, api_id: &At<String>) -> Result<(), Fault> {
        if api_id.value == self.api {
            return Ok(());
        }
        Err(Fault::new(api_id.place, format!("ApiId: expected {}, found {}", self.api, api_id.value)))
    }
}

fn below(resource: &Resource<'_>, fault: Fault) -> Fault {
    resource.named(fault.below("Properties"))
}

/// Whether a property has the one value that is understood.
fn is<T: PartialEq<E> + std::fmt::Display, E: ?Sized + std::fmt::Display>(
    at: &At<T>,
    expected: &E,
) -> Result<(), Fault> {
    if at.value == *expected {
        return Ok(());
    }
    Err(Fault::new(at.place, format!("expected {expected}, found {}", at.value)))
}
