//! Reading many issued coupons: of many people for one coupon, and of one person page by page.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::KeysAndAttributes;
use coupon::{CouponId, IssuedCoupon, UserId};
use coupon_store::{Page, StoreError};

use crate::{DynamoStore, attribute::text, fault, issued};

/// Keys that one `BatchGetItem` takes
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html>).
const KEYS_MAX: usize = 100;

impl DynamoStore {
    /// Group after group. Keys left unprocessed are the store's way to throttle: the attempt ends there, and the one
    /// retry loop waits before it asks again, as the documentation wants. That loop asks by groups of this size, so
    /// that no answered group is asked for twice.
    pub(crate) async fn batch_get_issued(
        &self,
        coupon: &CouponId,
        users: &[UserId],
    ) -> Result<Vec<IssuedCoupon>, StoreError> {
        // DynamoDB refuses a call that names a key twice.
        let users: Vec<&UserId> = users.iter().collect::<BTreeSet<_>>().into_iter().collect();
        let mut found = Vec::new();
        for group in users.chunks(KEYS_MAX) {
            found.extend(self.get_group(coupon, group).await?);
        }
        Ok(found)
    }

    async fn get_group(&self, coupon: &CouponId, users: &[&UserId]) -> Result<Vec<IssuedCoupon>, StoreError> {
        let table = &self.tables.user_coupons;
        let keys = users.iter().map(|user| issued::key(user, coupon)).collect();
        let keys = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(true).build();
        let keys = keys.map_err(|error| StoreError::Refused(format!("{table}: {error}")))?;
        let get = self.client.batch_get_item().request_items(table, keys).set_return_consumed_capacity(self.reported());
        let got = get.send().await.map_err(|error| fault::of(table, error))?;
        self.count(|meter| meter.read(got.consumed_capacity()));
        let unprocessed = got.unprocessed_keys().and_then(|keys| keys.get(table)).map_or(0, |keys| keys.keys().len());
        if unprocessed > 0 {
            let asked = users.len();
            return Err(StoreError::Throttled(format!("{table}: {unprocessed} of {asked} keys left unprocessed")));
        }
        let items = got.responses().and_then(|tables| tables.get(table)).map(Vec::as_slice).unwrap_or_default();
        items.iter().map(|item| issued::from_item(table, item)).collect()
    }

    /// Strongly consistent: who was told `ISSUED` a moment ago finds the coupon in the list. One more than a page is
    /// asked for, so that the last page says that it is.
    pub(crate) async fn query_issued(
        &self,
        user: &UserId,
        after: Option<&CouponId>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let table = &self.tables.user_coupons;
        let query = self
            .client
            .query()
            .table_name(table)
            .key_condition_expression("userId = :user")
            .expression_attribute_values(":user", text(user))
            .set_exclusive_start_key(after.map(|coupon| issued::key(user, coupon)))
            .consistent_read(true)
            .limit(i32::try_from(limit.saturating_add(1)).unwrap_or(i32::MAX))
            .set_return_consumed_capacity(self.reported());
        let got = query.send().await.map_err(|error| fault::of(table, error))?;
        self.count(|meter| meter.read(got.consumed_capacity()));
        let items = got.items().iter().take(limit).map(|item| issued::from_item(table, item));
        let items = items.collect::<Result<Vec<_>, _>>()?;
        // An answer is cut at 1 MB as well; then the page is short, and says that there is more.
        let more = got.items().len() > limit || (got.items().len() < limit && got.last_evaluated_key().is_some());
        let next = if more { items.last().map(|last| last.coupon_id.clone()) } else { None };
        Ok(Page { items, next })
    }
}
