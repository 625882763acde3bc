//! The HTTP calls of systems A and B, with the paths and the JSON of ours as far as they have them. What a call does is
//! the system's; who calls is the authorizer's, which is the gateway's own.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use coupon::{CouponId, CouponName, Total, UserId};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::problem::Problem;
use crate::store::Coupon;

/// As ours: the largest body of `POST /coupons`.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// As ours: the scope that creating a coupon takes.
const SCOPE: &str = "coupons:write";

/// A token's claims, each of them text.
pub type Claims = BTreeMap<String, String>;

/// Lets a request in with the claims of its token.
pub trait Authorize: Send + Sync + 'static {
    /// The claims.
    ///
    /// # Errors
    /// Why not, as the `www-authenticate` header says it.
    fn authorize(&self, headers: &HeaderMap) -> Result<Claims, String>;
}

/// What a system answers when nothing is wrong.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) body: Value,
    /// The path of what was made, if anything was.
    pub(crate) location: Option<String>,
}

impl Reply {
    pub(crate) fn ok(body: Value) -> Self {
        Self { status: StatusCode::OK, body, location: None }
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let pending = self.body.get("status").is_some_and(|status| status == "PENDING");
        let mut response = (self.status, Json(self.body)).into_response();
        if let Some(location) = self.location.and_then(|path| HeaderValue::from_str(&path).ok()) {
            response.headers_mut().insert(header::LOCATION, location);
        }
        if pending {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

/// A coupon that somebody wants to create.
#[derive(Debug)]
pub(crate) struct NewCoupon {
    pub(crate) id: CouponId,
    pub(crate) name: CouponName,
    pub(crate) total: Total,
}

/// What systems A and B answer for; a method each call.
pub(crate) trait Coupons: Send + Sync + 'static {
    /// Creates a coupon; `Exists` is an error.
    fn create(&self, new: NewCoupon) -> impl Future<Output = Result<Coupon, Problem>> + Send;
    /// A coupon as the store has it.
    fn show(&self, id: &CouponId) -> impl Future<Output = Result<Coupon, Problem>> + Send;
    /// Takes a person's request.
    fn issue(&self, id: &CouponId, user: &UserId) -> impl Future<Output = Result<Reply, Problem>> + Send;
    /// What became of a request.
    fn status(
        &self,
        id: &CouponId,
        user: &UserId,
        request_id: &str,
    ) -> impl Future<Output = Result<Reply, Problem>> + Send;
    /// Where the caller stands right now.
    fn rank(&self, id: &CouponId, user: &UserId) -> impl Future<Output = Result<Reply, Problem>> + Send;
}

struct Shared<S> {
    system: S,
    authorizer: Arc<dyn Authorize>,
}

type App<S> = State<Arc<Shared<S>>>;

/// The routes of a system.
pub(crate) fn router<S: Coupons>(system: S, authorizer: Arc<dyn Authorize>) -> Router {
    Router::new()
        .route("/coupons", post(create::<S>))
        .route("/coupons/{id}", get(show::<S>))
        .route("/coupons/{id}/issues", post(issue::<S>))
        .route("/coupons/{id}/issues/{request}", get(status::<S>))
        .route("/coupons/{id}/rank", get(rank::<S>))
        .fallback(async || Problem::NotFound)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(Arc::new(Shared { system, authorizer }))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Body {
    coupon_id: String,
    name: String,
    total: u64,
}

async fn create<S: Coupons>(State(app): App<S>, headers: HeaderMap, body: Bytes) -> Result<Response, Problem> {
    let claims = app.authorizer.authorize(&headers).map_err(Problem::Unauthorized)?;
    if !claims.get("scope").is_some_and(|scopes| scopes.split(' ').any(|scope| scope == SCOPE)) {
        return Err(Problem::Forbidden);
    }
    let Body { coupon_id, name, total } =
        serde_json::from_slice(&body).map_err(|error| Problem::Invalid(format!("body: {error}")))?;
    let new = NewCoupon {
        id: coupon_id_of(&coupon_id)?,
        name: CouponName::parse(&name).map_err(|limit| Problem::Invalid(format!("name: {limit}")))?,
        total: Total::new(total).map_err(|limit| Problem::Invalid(format!("total: {limit}")))?,
    };
    let created = app.system.create(new).await?;
    let location = Some(format!("/coupons/{}", created.id));
    Ok(Reply { status: StatusCode::CREATED, body: shown(&created), location }.into_response())
}

async fn show<S: Coupons>(State(app): App<S>, Path(id): Path<String>) -> Result<Reply, Problem> {
    Ok(Reply::ok(shown(&app.system.show(&coupon_id_of(&id)?).await?)))
}

async fn issue<S: Coupons>(State(app): App<S>, Path(id): Path<String>, headers: HeaderMap) -> Result<Reply, Problem> {
    let user = app.user(&headers)?;
    app.system.issue(&coupon_id_of(&id)?, &user).await
}

async fn status<S: Coupons>(
    State(app): App<S>,
    Path((id, request)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Reply, Problem> {
    let user = app.user(&headers)?;
    app.system.status(&coupon_id_of(&id)?, &user, &request).await
}

async fn rank<S: Coupons>(State(app): App<S>, Path(id): Path<String>, headers: HeaderMap) -> Result<Reply, Problem> {
    let user = app.user(&headers)?;
    app.system.rank(&coupon_id_of(&id)?, &user).await
}

impl<S> Shared<S> {
    fn user(&self, headers: &HeaderMap) -> Result<UserId, Problem> {
        let claims = self.authorizer.authorize(headers).map_err(Problem::Unauthorized)?;
        let sub = claims.get("sub").map(String::as_str).unwrap_or_default();
        UserId::parse(sub).map_err(|limit| Problem::Invalid(format!("sub: {limit}")))
    }
}

fn coupon_id_of(text: &str) -> Result<CouponId, Problem> {
    CouponId::parse(text).map_err(|limit| Problem::Invalid(format!("couponId: {limit}")))
}

/// A coupon as ours shows it; neither seed knows a window.
fn shown(coupon: &Coupon) -> Value {
    json!({
        "couponId": coupon.id,
        "name": coupon.name,
        "total": coupon.total,
        "remaining": coupon.remaining,
        "issued": coupon.total.saturating_sub(coupon.remaining),
        "state": if coupon.remaining == 0 { "SOLD_OUT" } else { "OPEN" },
        "opensAt": null,
        "closesAt": null,
    })
}
