//! A head and people's items of one moment, by one `TransactGetItems`: it is isolated from transactions, which plain reads
//! are not one with another, however consistent each is
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html>, "Isolation levels").
//!
//! It takes no right of its own: `dynamodb:GetItem` on both tables covers it
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html>).

use std::collections::BTreeSet;

use aws_sdk_dynamodb::{
    error::BuildError,
    operation::transact_get_items::TransactGetItemsError,
    types::{Get, ItemResponse, TransactGetItem},
};
use coupon::{CouponId, UserId};
use coupon_store::{SNAPSHOT_USERS_MAX, Snapshot, StoreError};

use crate::{DynamoStore, attribute::Item, fault, head, issued};

/// Items that one `TransactGetItems` takes
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactGetItems.html>).
const GETS_MAX: usize = 100;

const _: () = assert!(SNAPSHOT_USERS_MAX + 1 == GETS_MAX);

impl DynamoStore {
    pub(crate) async fn transact_get(
        &self,
        coupon: &CouponId,
        users: &[UserId],
    ) -> Result<Option<Snapshot>, StoreError> {
        // DynamoDB refuses a call that names a key twice.
        let users: BTreeSet<&UserId> = users.iter().collect();
        let asked = users.len();
        if asked > SNAPSHOT_USERS_MAX {
            let limit = format!("a snapshot is of at most {SNAPSHOT_USERS_MAX} people, not {asked}: take several");
            return Err(StoreError::Refused(limit));
        }
        let tables = format!("{} and {}", self.tables.coupons, self.tables.user_coupons);
        let gets = self.gets(coupon, users).map_err(|error| StoreError::Refused(format!("{tables}: {error}")))?;
        let transaction = self
            .client
            .transact_get_items()
            .set_transact_items(Some(gets))
            .set_return_consumed_capacity(self.reported());
        let got = match transaction.send().await {
            Ok(got) => got,
            Err(error) => {
                return Err(match error.as_service_error() {
                    Some(TransactGetItemsError::TransactionCanceledException(cancelled)) => {
                        self.count(|meter| meter.cancelled_read(asked.saturating_add(1)));
                        fault::cancelled_read(&tables, cancelled.cancellation_reasons())
                    }
                    _ => fault::of(&tables, error),
                });
            }
        };
        self.count(|meter| meter.read(got.consumed_capacity()));
        self.snapshot_of(got.responses(), asked, &tables)
    }

    /// The head first, then the people.
    fn gets(&self, coupon: &CouponId, users: BTreeSet<&UserId>) -> Result<Vec<TransactGetItem>, BuildError> {
        let get = |table: &str, key: Item| {
            let get = Get::builder().table_name(table).set_key(Some(key)).build()?;
            Ok(TransactGetItem::builder().get(get).build())
        };
        let items = users.into_iter().map(|user| get(&self.tables.user_coupons, issued::key(user, coupon)));
        std::iter::once(get(&self.tables.coupons, head::key(coupon))).chain(items).collect()
    }

    /// The answers are in the order of the gets, one for each; what was not found is empty.
    fn snapshot_of(
        &self,
        answers: &[ItemResponse],
        asked: usize,
        tables: &str,
    ) -> Result<Option<Snapshot>, StoreError> {
        let Some((head, items)) = answers.split_first().filter(|(_, items)| items.len() == asked) else {
            let text = format!("{tables}: {} answers to {} gets", answers.len(), asked.saturating_add(1));
            return Err(StoreError::Unknown(text));
        };
        let Some(head) = head.item() else { return Ok(None) };
        let items = items.iter().filter_map(ItemResponse::item);
        Ok(Some(Snapshot {
            head: head::from_item(&self.tables.coupons, head)?,
            items: items.map(|item| issued::from_item(&self.tables.user_coupons, item)).collect::<Result<_, _>>()?,
        }))
    }
}
