//! The JWT authorizer: lets a request through with the claims of its token, or says why not in the words of API Gateway.
//!
//! It looks at nothing but the Authorization header; scopes are the function's to check.
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-jwt-authorizer.html>

use std::collections::{BTreeMap, HashSet};

use hyper::header::{AUTHORIZATION, HeaderMap};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::{Map, Value};

/// Whose tokens are good for what.
#[derive(Debug, Clone)]
pub struct Authorizer {
    issuer: String,
    audiences: Vec<String>,
    /// Keys by their `kid`.
    keys: BTreeMap<String, DecodingKey>,
    validation: Validation,
}

/// Why a request is not let through; the text is for the `www-authenticate` header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// There is no token to speak of.
    Missing,
    /// There is one, and this is wrong with it.
    Invalid(&'static str),
}

/// A token's claims, each of them text, as the event carries them.
pub(super) type Claims = BTreeMap<String, String>;

impl Authorizer {
    /// Accepts the tokens of one issuer for any of these audiences, signed with any of these keys.
    pub fn new(
        issuer: impl Into<String>,
        audiences: impl IntoIterator<Item = String>,
        keys: impl IntoIterator<Item = (String, DecodingKey)>,
    ) -> Self {
        // The library checks the signature alone: its idea of `aud`, and of a token in its last second, is not Amazon's.
        let mut validation = Validation::new(Algorithm::RS256);
        validation.required_spec_claims = HashSet::new();
        validation.validate_exp = false;
        validation.validate_aud = false;
        Self {
            issuer: issuer.into(),
            audiences: audiences.into_iter().collect(),
            keys: keys.into_iter().collect(),
            validation,
        }
    }

    /// The claims of a request's token, at this second since 1970.
    pub(super) fn authorize(&self, headers: &HeaderMap, now: i64) -> Result<Claims, Refusal> {
        let claims = self.verify(token(headers)?)?;
        self.check(&claims, now)?;
        Ok(claims.into_iter().map(|(name, value)| (name, claim_text(&value))).collect())
    }

    fn verify(&self, token: &str) -> Result<Map<String, Value>, Refusal> {
        let header = decode_header(token).map_err(refusal)?;
        let key =
            header.kid.and_then(|kid| self.keys.get(&kid)).ok_or(Refusal::Invalid("the token has an unknown key"))?;
        Ok(decode::<Map<String, Value>>(token, key, &self.validation).map_err(refusal)?.claims)
    }

    fn check(&self, claims: &Map<String, Value>, now: i64) -> Result<(), Refusal> {
        if claims.get("iss").and_then(Value::as_str) != Some(&self.issuer) {
            return Err(Refusal::Invalid("the token does not have a valid issuer"));
        }
        // `client_id`, as some issuers have it, counts only where there is no `aud`.
        if !claims.get("aud").or_else(|| claims.get("client_id")).is_some_and(|audience| self.is_meant(audience)) {
            return Err(Refusal::Invalid("the token does not have a valid audience"));
        }
        match time(claims, "exp")? {
            None => return Err(Refusal::Invalid("the token does not have an expiration time")),
            Some(expires) if expires <= now => return Err(Refusal::Invalid("the token has expired")),
            Some(_) => {}
        }
        if time(claims, "nbf")?.is_some_and(|begins| begins > now) {
            return Err(Refusal::Invalid("the token is not valid yet"));
        }
        if time(claims, "iat")?.is_some_and(|issued| issued > now) {
            return Err(Refusal::Invalid("the token was issued in the future"));
        }
        Ok(())
    }

    fn is_meant(&self, audience: &Value) -> bool {
        match audience {
            Value::String(one) => self.audiences.contains(one),
            Value::Array(several) => several.iter().any(|one| self.is_meant(one)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => false,
        }
    }
}

/// A time in seconds; fractions are allowed and dropped.
fn time(claims: &Map<String, Value>, name: &str) -> Result<Option<i64>, Refusal> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    let seconds = value.as_i64().or_else(|| {
        let text = value.as_f64()?.trunc().to_string();
        text.parse().ok()
    });
    seconds.map(Some).ok_or(Refusal::Invalid("the token has a time that is no number"))
}

/// The token of the Authorization header, with or without the word Bearer, of which API Gateway takes either.
fn token(headers: &HeaderMap) -> Result<&str, Refusal> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return Err(Refusal::Missing) };
    let value = value.to_str().map_err(|_not_ascii| Refusal::Invalid("the token is malformed"))?.trim();
    let token = match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
        _ => value,
    };
    if token.is_empty() || token.eq_ignore_ascii_case("bearer") { Err(Refusal::Missing) } else { Ok(token) }
}

fn refusal(error: jsonwebtoken::errors::Error) -> Refusal {
    Refusal::Invalid(match error.kind() {
        ErrorKind::InvalidSignature => "signature verification failed",
        ErrorKind::InvalidAlgorithm | ErrorKind::InvalidAlgorithmName => "the token is not signed with RS256",
        _ => "the token is malformed",
    })
}

/// A claim as text. Lists come out as API Gateway writes them, `[admin staff]`.
fn claim_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(several) => format!("[{}]", several.iter().map(claim_text).collect::<Vec<_>>().join(" ")),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}

impl Refusal {
    /// The `www-authenticate` header.
    /// <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-troubleshooting-jwt.html>
    pub(super) fn challenge(self) -> String {
        match self {
            Self::Missing => "Bearer".to_owned(),
            Self::Invalid(text) => format!(r#"Bearer scope="" error="invalid_token" error_description="{text}""#),
        }
    }
}
