//! What API Gateway hands over, payload format 2.0, reduced to what the calls need.
//! Source: <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>
//!
//! Our own types, not `lambda_http`'s: those build an `http::Request`, which fails on a header or a path that only HTTP
//! itself is too strict for, and a caller could thereby cause a 500. Nothing here fails: what is missing is empty.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use coupon::UserId;
use serde::Deserialize;
use serde_json::Value;

use crate::problem::Problem;

/// One HTTP call.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Call {
    raw_path: String,
    raw_query_string: String,
    headers: BTreeMap<String, Value>,
    request_context: RequestContext,
    body: Option<String>,
    is_base64_encoded: bool,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct RequestContext {
    http: Http,
    authorizer: Option<Authorizer>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Http {
    method: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Authorizer {
    jwt: Option<Jwt>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Jwt {
    claims: BTreeMap<String, Value>,
}

impl Call {
    /// The method, as sent.
    pub(crate) fn method(&self) -> &str {
        &self.request_context.http.method
    }

    /// Whether a browser asks what a page of another origin may do.
    pub(crate) fn is_preflight(&self) -> bool {
        self.method() == "OPTIONS" && self.header("access-control-request-method").is_some()
    }

    /// The path's segments: `/coupons/a` is `["coupons", "a"]`, and `//coupons` is another path than `/coupons`.
    pub(crate) fn segments(&self) -> Vec<&str> {
        self.raw_path.strip_prefix('/').unwrap_or(&self.raw_path).split('/').collect()
    }

    /// The first value of a query parameter, decoded.
    pub(crate) fn query(&self, name: &str) -> Option<String> {
        let mut pairs = form_urlencoded::parse(self.raw_query_string.as_bytes());
        pairs.find(|(key, _value)| key == name).map(|(_key, value)| value.into_owned())
    }

    /// A header by its lower-case name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.as_str()
    }

    /// The body's bytes; `None` when it says that it is base64 and is not.
    pub(crate) fn body(&self) -> Option<Vec<u8>> {
        let body = self.body.as_deref().unwrap_or_default();
        if self.is_base64_encoded { STANDARD.decode(body).ok() } else { Some(body.as_bytes().to_vec()) }
    }

    /// Who calls: the token's `sub`.
    pub(crate) fn user(&self) -> Result<UserId, Problem> {
        let sub = self.claim("sub").unwrap_or_default();
        UserId::parse(sub).map_err(|limit| Problem::invalid("sub", limit.to_string()))
    }

    /// Whether the token's `scope` names this one.
    pub(crate) fn has_scope(&self, scope: &str) -> bool {
        self.claim("scope").is_some_and(|scopes| scopes.split(' ').any(|one| one == scope))
    }

    fn claim(&self, name: &str) -> Option<&str> {
        self.request_context.authorizer.as_ref()?.jwt.as_ref()?.claims.get(name)?.as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_caller_sends_becomes_a_call() {
        for text in [
            "{}",
            r#"{"rawPath":"/coupons/%ff\u0000<>","headers":{"x":"é\u0001","host":"a b"},"rawQueryString":"%%%=&&&"}"#,
            r#"{"body":"***","isBase64Encoded":true,"requestContext":{"http":{"method":"B R E W"}}}"#,
            r#"{"requestContext":{"authorizer":{"jwt":{"claims":{"sub":17,"scope":["a"]}}}}}"#,
        ] {
            let call: Call = serde_json::from_str(text).unwrap();
            assert!(call.user().is_err());
            assert!(!call.has_scope("coupons:write"));
            let _ = (call.segments(), call.query("limit"), call.body(), call.header("host"));
        }
    }

    #[test]
    fn a_scope_is_a_whole_word() {
        let claims = |scope: &str| {
            let text = format!(r#"{{"requestContext":{{"authorizer":{{"jwt":{{"claims":{{"scope":"{scope}"}}}}}}}}}}"#);
            serde_json::from_str::<Call>(&text).unwrap()
        };
        assert!(claims("openid coupons:write").has_scope("coupons:write"));
        assert!(!claims("coupons:writer").has_scope("coupons:write"));
    }
}
