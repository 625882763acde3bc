//! The commit of a chunk: one transaction of the head and its winners, or one conditional update where nobody won.
//! What a refusal means is `fault.rs`.

use aws_sdk_dynamodb::{
    error::BuildError,
    operation::transact_write_items::TransactWriteItemsError,
    types::{AttributeValue, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update},
};
use coupon::{Chunk, Head, IssuedCoupon, WINNERS_MAX};
use coupon_store::{Commit, StoreError, Token};

use crate::{
    DynamoStore,
    attribute::{number, text},
    fault, head, issued,
};

// The head of a chunk with winners. `issued` moves with `remaining`, so that I6 needs no condition of its own.
const UPDATE_WITH_WINNERS: &str = "SET remaining = remaining - :n, issued = issued + :n, \
     applied = :applied, epochs = :epochs, clock = :clock, version = :version";
const CONDITION_WITH_WINNERS: &str = "remaining >= :n AND version = :expected";

// The head of a chunk that issues nothing.
const UPDATE: &str = "SET applied = :applied, epochs = :epochs, clock = :clock, version = :version";
const CONDITION: &str = "version = :expected";

/// Refuses a chunk that `decide` does not make: it would be a programmer's error, and DynamoDB's own words for it do
/// not say which.
pub(crate) fn check(chunk: &Chunk) -> Result<(), StoreError> {
    let winners = chunk.winners.len();
    if winners > WINNERS_MAX {
        return Err(StoreError::Refused(format!("a chunk has at most {WINNERS_MAX} winners, not {winners}: cut it")));
    }
    if chunk.head.version.get() == 0 {
        return Err(StoreError::Refused("a chunk's head has version 1 at least: version 0 is its creation's".into()));
    }
    Ok(())
}

impl DynamoStore {
    pub(crate) async fn transact(&self, chunk: &Chunk, token: &Token) -> Result<Commit, StoreError> {
        let tables = format!("{} and {}", self.tables.coupons, self.tables.user_coupons);
        let actions = self.actions(chunk).map_err(|error| StoreError::Refused(format!("{tables}: {error}")))?;
        let transaction = self
            .client
            .transact_write_items()
            .set_transact_items(Some(actions))
            .client_request_token(token.as_str())
            .set_return_consumed_capacity(self.reported());
        let error = match transaction.send().await {
            Ok(done) => {
                self.count(|meter| meter.wrote(done.consumed_capacity()));
                return Ok(Commit::Written);
            }
            Err(error) => error,
        };
        match error.as_service_error() {
            Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                self.count(|meter| meter.cancelled(chunk.winners.len().saturating_add(1)));
                fault::cancelled(&tables, chunk, cancelled.cancellation_reasons())
            }
            _ => Err(fault::of(&tables, error)),
        }
    }

    /// The head first, so that the first cancellation reason is its own.
    fn actions(&self, chunk: &Chunk) -> Result<Vec<TransactWriteItem>, BuildError> {
        let head = TransactWriteItem::builder().update(self.move_head(chunk)?).build();
        let puts = chunk.winners.iter().map(|winner| Ok(TransactWriteItem::builder().put(self.put(winner)?).build()));
        std::iter::once(Ok(head)).chain(puts).collect()
    }

    fn move_head(&self, chunk: &Chunk) -> Result<Update, BuildError> {
        let update = Update::builder()
            .table_name(&self.tables.coupons)
            .key("couponId", text(&chunk.head.coupon_id))
            .update_expression(UPDATE_WITH_WINNERS)
            .condition_expression(CONDITION_WITH_WINNERS)
            .expression_attribute_values(":n", number(chunk.winners.len()));
        values(&chunk.head)
            .into_iter()
            .fold(update, |update, (name, value)| update.expression_attribute_values(name, value))
            .build()
    }

    fn put(&self, winner: &IssuedCoupon) -> Result<Put, BuildError> {
        Put::builder()
            .table_name(&self.tables.user_coupons)
            .set_item(Some(issued::to_item(winner)))
            .condition_expression("attribute_not_exists(userId)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
    }

    /// A plain update takes no token: repeated after a lost answer, its condition is refused, and the caller finds on
    /// loading that everything is decided.
    pub(crate) async fn update_head(&self, chunk: &Chunk) -> Result<Commit, StoreError> {
        let update = self
            .client
            .update_item()
            .table_name(&self.tables.coupons)
            .key("couponId", text(&chunk.head.coupon_id))
            .update_expression(UPDATE)
            .condition_expression(CONDITION)
            .set_return_consumed_capacity(self.reported());
        let update = values(&chunk.head)
            .into_iter()
            .fold(update, |update, (name, value)| update.expression_attribute_values(name, value));
        match update.send().await {
            Ok(done) => {
                self.count(|meter| meter.wrote(done.consumed_capacity()));
                Ok(Commit::Written)
            }
            Err(error)
                if error.as_service_error().is_some_and(|error| error.is_conditional_check_failed_exception()) =>
            {
                self.count(crate::Meter::refused);
                Ok(Commit::Stale)
            }
            Err(error) => Err(fault::of(&self.tables.coupons, error)),
        }
    }
}

/// The values of both expressions: the head as it stands after the chunk, and the version it must have before.
fn values(head: &Head) -> [(&'static str, AttributeValue); 5] {
    let expected = head.version.get().saturating_sub(1);
    [
        (":applied", head::applied(head)),
        (":epochs", head::epochs(head)),
        (":clock", head::clock(head)),
        (":version", number(head.version.get())),
        (":expected", number(expected)),
    ]
}
