//! The people of a rush, with their tokens signed ahead: an RSA signature takes about as long as a request, so signing
//! during the rush would be part of what is measured.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, bail};
use hyper::header::HeaderValue;
use jsonwebtoken::dangerous::insecure_decode_claims;
use serde::Deserialize;

use super::api::bearer;
use super::rush::Person;
use crate::keys::{Claims, Keys};

/// The scope of whoever creates coupons.
const ADMIN_SCOPE: &str = "coupons:write";
/// A long run must not outlive its tokens.
const TOKEN_SECONDS: i64 = 24 * 60 * 60;

/// `user-1` to `user-<count>`, each with a token.
///
/// # Errors
/// The development keys can be neither read nor made.
pub async fn people(count: usize) -> anyhow::Result<Vec<Person>> {
    tokio::task::spawn_blocking(move || {
        let users: Vec<String> = (1..=count).map(|number| format!("user-{number}")).collect();
        let claims = Claims { expires_in_seconds: TOKEN_SECONDS, ..Claims::default() };
        let tokens = Keys::of_checkout()?.sign_all(&users, &claims)?;
        let people = users.into_iter().zip(tokens);
        people.map(|(user_id, token)| Ok(Person { user_id, token: bearer(&token)? })).collect()
    })
    .await?
}

/// People whose tokens somebody else has signed, such as the issuer of an API that is deployed: a JWT a line.
///
/// # Errors
/// The file cannot be read; a line is no JWT with a `sub`, or that of somebody who has a line already.
pub fn read_people(path: &Path) -> anyhow::Result<Vec<Person>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("--tokens {}", path.display()))?;
    let (mut people, mut seen) = (Vec::new(), BTreeSet::new());
    for (number, token) in (1..).zip(text.lines().map(str::trim)).filter(|(_number, line)| !line.is_empty()) {
        let place = || format!("--tokens {}, line {number}", path.display());
        // Whether it holds is the API's to tell.
        let decoded = insecure_decode_claims::<Subject>(token);
        let user_id = decoded.with_context(|| format!("{}: expected a JWT with a `sub`", place()))?.sub;
        if !seen.insert(user_id.clone()) {
            bail!("{}: {user_id} has a line already, and everybody asks once", place());
        }
        people.push(Person { user_id, token: bearer(token)? });
    }
    Ok(people)
}

/// Whose a token is.
#[derive(Deserialize)]
struct Subject {
    sub: String,
}

/// The header of somebody who may create coupons.
///
/// # Errors
/// The development keys can be neither read nor made.
pub fn admin() -> anyhow::Result<HeaderValue> {
    let claims = Claims { scope: ADMIN_SCOPE.into(), expires_in_seconds: TOKEN_SECONDS, ..Claims::default() };
    bearer(&Keys::of_checkout()?.sign("admin", &claims)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_whom_their_tokens_name_and_each_once() {
        // Nobody's key has signed these.
        let token = |claims: &str| {
            use base64::Engine;
            use base64::engine::general_purpose::URL_SAFE_NO_PAD;
            format!("{}.{}.eA", URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256"}"#), URL_SAFE_NO_PAD.encode(claims))
        };
        let read = |lines: &[&str]| {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), lines.join("\n")).unwrap();
            read_people(file.path()).map_err(|error| format!("{error:#}"))
        };
        let (ann, bob) = (token(r#"{"sub":"ann","exp":1}"#), token(r#"{"sub":"bob"}"#));
        let people = read(&[&ann, "", &bob, ""]).unwrap();
        assert_eq!(people.iter().map(|person| person.user_id.as_str()).collect::<Vec<_>>(), ["ann", "bob"]);
        assert_eq!(people[0].token, format!("Bearer {ann}"));
        let twice = read(&[&ann, &bob, &ann]).unwrap_err();
        assert!(twice.ends_with("line 3: ann has a line already, and everybody asks once"), "{twice}");
        for wrong in ["no-token", &token(r#"{"scope":"x"}"#)] {
            let said = read(&[wrong]).unwrap_err();
            assert!(said.contains("line 1: expected a JWT with a `sub`"), "{said}");
        }
    }
}
