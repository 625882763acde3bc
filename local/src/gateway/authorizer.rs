//! The JWT authorizer: lets a request through with the claims of its token, or says why not in the words of API Gateway.
//!
//! It looks at nothing but the Authorization header; scopes are the function's to check.
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-jwt-authorizer.html>

use std::collections::{BTreeMap, HashSet};
use std::time::{SystemTime, UNIX_EPOCH};

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
    let kind = error.kind();
    Refusal::Invalid(if matches!(kind, ErrorKind::InvalidSignature) {
        "signature verification failed"
    } else if matches!(kind, ErrorKind::InvalidAlgorithm | ErrorKind::InvalidAlgorithmName) {
        "the token is not signed with RS256"
    } else {
        "the token is malformed"
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

/// The baselines let in whom the gateway lets in.
impl baseline::Authorize for Authorizer {
    fn authorize(&self, headers: &HeaderMap) -> Result<Claims, String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        self.authorize(headers, now).map_err(Refusal::challenge)
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

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;
    use serde_json::json;

    use super::*;
    use crate::keys::{AUDIENCE, ISSUER, Keys};

    const NOW: i64 = 1_795_143_600;

    struct Fixture {
        authorizer: Authorizer,
        signing: jsonwebtoken::EncodingKey,
        kid: String,
        _directory: tempfile::TempDir,
    }

    impl Fixture {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let keys = Keys::load_or_make(directory.path()).unwrap();
            let pem = std::fs::read(directory.path().join("development-key.pem")).unwrap();
            let kid = keys.kid().to_owned();
            let authorizer = Authorizer::new(ISSUER, [AUDIENCE.to_owned()], [(kid.clone(), keys.public())]);
            let signing = jsonwebtoken::EncodingKey::from_rsa_pem(&pem).unwrap();
            Self { authorizer, signing, kid, _directory: directory }
        }

        /// A token with the usual claims, but for these; null takes one away.
        fn token(&self, other: Value) -> String {
            let mut claims = json!({ "iss": ISSUER, "aud": AUDIENCE, "sub": "ann", "iat": NOW, "exp": NOW + 60 });
            for (name, value) in other.as_object().unwrap() {
                claims[name] = value.clone();
                if value.is_null() {
                    claims.as_object_mut().unwrap().remove(name);
                }
            }
            let header =
                jsonwebtoken::Header { kid: Some(self.kid.clone()), ..jsonwebtoken::Header::new(Algorithm::RS256) };
            jsonwebtoken::encode(&header, &claims, &self.signing).unwrap()
        }

        fn authorize(&self, header: &str) -> Result<Claims, Refusal> {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, HeaderValue::from_str(header).unwrap());
            self.authorizer.authorize(&headers, NOW)
        }
    }

    #[test]
    fn a_good_token_passes_with_or_without_the_word_bearer() {
        let fixture = Fixture::new();
        let token = fixture.token(json!({}));
        for header in [token.clone(), format!("Bearer {token}"), format!("bearer  {token} ")] {
            assert_eq!(fixture.authorize(&header).unwrap()["sub"], "ann", "{header}");
        }
    }

    #[test]
    fn every_claim_is_handed_on_as_text() {
        let fixture = Fixture::new();
        let token =
            fixture.token(json!({ "groups": ["a", "b"], "admin": true, "level": 3, "scope": "x y", "deep": {"a": 1} }));
        let claims = fixture.authorize(&token).unwrap();
        let pairs: Vec<_> = claims.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(
            pairs.join("; "),
            format!(
                r#"admin=true; aud={AUDIENCE}; deep={{"a":1}}; exp={}; groups=[a b]; iat={NOW}; iss={ISSUER}; level=3; scope=x y; sub=ann"#,
                NOW + 60
            )
        );
    }

    #[test]
    fn a_token_that_breaks_one_rule_is_refused_for_that() {
        let fixture = Fixture::new();
        for (claims, why) in [
            (json!({ "iss": "https://elsewhere" }), "the token does not have a valid issuer"),
            (json!({ "iss": null }), "the token does not have a valid issuer"),
            (json!({ "iss": [ISSUER] }), "the token does not have a valid issuer"),
            (json!({ "aud": "elsewhere" }), "the token does not have a valid audience"),
            (json!({ "aud": null }), "the token does not have a valid audience"),
            (json!({ "aud": "elsewhere", "client_id": AUDIENCE }), "the token does not have a valid audience"),
            (json!({ "aud": 7 }), "the token does not have a valid audience"),
            (json!({ "exp": null }), "the token does not have an expiration time"),
            (json!({ "exp": NOW }), "the token has expired"),
            (json!({ "exp": "soon" }), "the token has a time that is no number"),
            (json!({ "nbf": NOW + 1 }), "the token is not valid yet"),
            (json!({ "iat": NOW + 1 }), "the token was issued in the future"),
        ] {
            assert_eq!(fixture.authorize(&fixture.token(claims.clone())), Err(Refusal::Invalid(why)), "{claims}");
        }
    }

    #[test]
    fn what_the_rules_allow_passes() {
        let fixture = Fixture::new();
        for claims in [
            json!({ "aud": ["elsewhere", AUDIENCE] }),
            json!({ "aud": null, "client_id": AUDIENCE }),
            json!({ "exp": NOW + 1 }),
            json!({ "exp": 1_795_143_601.9 }),
            json!({ "nbf": NOW, "iat": NOW }),
            json!({ "iat": null, "sub": null }),
        ] {
            assert!(fixture.authorize(&fixture.token(claims.clone())).is_ok(), "{claims}");
        }
    }

    #[test]
    fn only_a_signature_of_a_known_key_counts() {
        let fixture = Fixture::new();
        let claims = json!({ "iss": ISSUER, "aud": AUDIENCE, "sub": "ann", "exp": NOW + 60 });
        let rs256 = jsonwebtoken::Header::new(Algorithm::RS256);
        let with_kid = |kid: Option<&str>| jsonwebtoken::Header { kid: kid.map(str::to_owned), ..rs256.clone() };
        let unknown = Refusal::Invalid("the token has an unknown key");
        for kid in [None, Some("other"), Some("")] {
            let token = jsonwebtoken::encode(&with_kid(kid), &claims, &fixture.signing).unwrap();
            assert_eq!(fixture.authorize(&token), Err(unknown), "{kid:?}");
        }
        // The public key as a secret of HS256, the classic.
        let hs256 =
            jsonwebtoken::Header { kid: Some(fixture.kid.clone()), ..jsonwebtoken::Header::new(Algorithm::HS256) };
        let forged = jsonwebtoken::encode(&hs256, &claims, &jsonwebtoken::EncodingKey::from_secret(b"public")).unwrap();
        assert_eq!(fixture.authorize(&forged), Err(Refusal::Invalid("the token is not signed with RS256")));
        let rs512 =
            jsonwebtoken::Header { kid: Some(fixture.kid.clone()), ..jsonwebtoken::Header::new(Algorithm::RS512) };
        let other = jsonwebtoken::encode(&rs512, &claims, &fixture.signing).unwrap();
        assert_eq!(fixture.authorize(&other), Err(Refusal::Invalid("the token is not signed with RS256")));
        let token = fixture.token(json!({}));
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let swapped: String = signature.chars().rev().collect();
        assert!(matches!(fixture.authorize(&format!("{signed}.{swapped}")), Err(Refusal::Invalid(_))));
        let (_, others_signature) = fixture.authorizer_token_parts();
        assert_eq!(
            fixture.authorize(&format!("{signed}.{others_signature}")),
            Err(Refusal::Invalid("signature verification failed"))
        );
    }

    impl Fixture {
        fn authorizer_token_parts(&self) -> (String, String) {
            let token = self.token(json!({ "sub": "bob" }));
            let (signed, signature) = token.rsplit_once('.').unwrap();
            (signed.to_owned(), signature.to_owned())
        }
    }

    #[test]
    fn what_is_no_token_is_refused_as_such() {
        let fixture = Fixture::new();
        let malformed = Err(Refusal::Invalid("the token is malformed"));
        for header in ["x", "a.b.c", "..", "Bearer a.b", "Basic dXNlcjpwYXNz", "eyJhbGciOiJub25lIn0.e30."] {
            assert!(matches!(fixture.authorize(header), Err(Refusal::Invalid(_))), "{header}");
        }
        assert_eq!(fixture.authorize("a.b.c"), malformed);
        for header in ["", "Bearer", "bearer  "] {
            assert_eq!(fixture.authorize(header), Err(Refusal::Missing), "{header:?}");
        }
        assert_eq!(fixture.authorizer.authorize(&HeaderMap::new(), NOW), Err(Refusal::Missing));
        let mut twice = HeaderMap::new();
        for _ in 0..2 {
            twice.append(AUTHORIZATION, HeaderValue::from_str(&fixture.token(json!({}))).unwrap());
        }
        assert_eq!(fixture.authorizer.authorize(&twice, NOW), Err(Refusal::Missing), "which of them would count?");
        let mut binary = HeaderMap::new();
        binary.insert(AUTHORIZATION, HeaderValue::from_bytes(b"Bearer \xff").unwrap());
        assert_eq!(fixture.authorizer.authorize(&binary, NOW), malformed);
    }
}
