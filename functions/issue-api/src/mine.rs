//! `GET /me/coupons`: what the caller holds, page by page. The cursor is the last coupon's id in base64, so that nobody
//! takes it for something to build by hand; it reveals nothing but that id.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use coupon::{CouponId, IssuedCoupon};
use coupon_store::Store;
use kafka::Log;
use serde::Serialize;

use crate::{
    answer::Answer,
    app::App,
    call::Call,
    problem::{FieldError, Problem},
    show::HeldCoupon,
};

const LIMIT_DEFAULT: usize = 20;
const LIMIT_MAX: usize = 100;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Mine {
    items: Vec<Item>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    coupon_id: CouponId,
    #[serde(flatten)]
    held: HeldCoupon,
}

impl From<&IssuedCoupon> for Item {
    fn from(item: &IssuedCoupon) -> Self {
        Self { coupon_id: item.coupon_id.clone(), held: HeldCoupon::from(item) }
    }
}

impl<S: Store, L: Log> App<S, L> {
    /// Lists the caller's coupons.
    pub(crate) async fn mine(&self, call: &Call) -> Result<Answer, Problem> {
        let user_id = call.user()?;
        let (limit, after) = page(call)?;
        // Items alone, beside no head: what one strong read has seen, as that of a status, every later one sees.
        let page = self.retrying().coupons_of(&user_id, after.as_ref(), limit).await?;
        let body = Mine {
            items: page.items.iter().map(Item::from).collect(),
            next_cursor: page.next.map(|last| URL_SAFE_NO_PAD.encode(last.as_str())),
        };
        Ok(Answer::json(200, &body).with("cache-control", "no-store"))
    }
}

/// How many, and behind which coupon.
fn page(call: &Call) -> Result<(usize, Option<CouponId>), Problem> {
    let mut errors = Vec::new();
    let mut refuse = |field: &str, detail: String| errors.push(FieldError { field: field.into(), detail });
    let limit = call.query("limit").map_or(Some(LIMIT_DEFAULT), |text| limit(&text));
    if limit.is_none() {
        refuse("limit", format!("1 to {LIMIT_MAX}, without a sign"));
    }
    let cursor = call.query("cursor").filter(|text| !text.is_empty());
    let after = cursor.as_deref().map(coupon_id_of);
    if let Some(None) = after {
        refuse("cursor", "not a nextCursor of an earlier answer".into());
    }
    match limit {
        Some(limit) if errors.is_empty() => Ok((limit, after.flatten())),
        _ => Err(Problem::invalid_fields(errors)),
    }
}

fn limit(text: &str) -> Option<usize> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let limit = if digits { text.parse().ok()? } else { return None };
    (1..=LIMIT_MAX).contains(&limit).then_some(limit)
}

fn coupon_id_of(cursor: &str) -> Option<CouponId> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    CouponId::parse(std::str::from_utf8(&bytes).ok()?).ok()
}
