//! The people of a rush, with their tokens signed ahead: an RSA signature takes about as long as a request, so signing
//! during the rush would be part of what is measured.

use hyper::header::HeaderValue;

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

/// The header of somebody who may create coupons.
///
/// # Errors
/// The development keys can be neither read nor made.
pub fn admin() -> anyhow::Result<HeaderValue> {
    let claims = Claims { scope: ADMIN_SCOPE.into(), expires_in_seconds: TOKEN_SECONDS, ..Claims::default() };
    bearer(&Keys::of_checkout()?.sign("admin", &claims)?)
}
