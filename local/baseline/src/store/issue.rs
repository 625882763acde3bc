//! The two ways in which a coupon is issued: A writes what somebody holds together with an outbox event and leaves the
//! stock for later; B takes the stock and writes what somebody holds in one transaction.

use anyhow::{Context, anyhow};
use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError as Failed;
use aws_sdk_dynamodb::types::{
    CancellationReason, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
};
use coupon::CouponId;

use super::{Event, Issued, Store, number, text};

/// DynamoDB's word for a condition that does not hold.
const REFUSED: &str = "ConditionalCheckFailed";

/// What came of saving an issued coupon.
#[derive(Debug)]
pub(crate) enum Saved {
    Written,
    /// The person holds one already; nothing was written.
    Held(Box<Issued>),
}

/// What came of taking one from the stock for somebody.
#[derive(Debug)]
pub(crate) enum Taken {
    Written,
    /// The person holds one already; nothing was written.
    Held,
    /// The stock is another than was read; nothing was written.
    StockMoved,
}

impl Store {
    /// A: saves an issued coupon and the event that the stock is still to be taken for it, both or neither.
    pub(crate) async fn save(&self, issued: &Issued, event: &Event) -> anyhow::Result<Saved> {
        let actions = [TransactWriteItem::builder().put(self.put(issued)?).build(), self.put_event(event)?];
        match self.transact(actions.into()).await? {
            None => Ok(Saved::Written),
            Some(reasons) => match held(reasons.first()) {
                Some(held) => Ok(Saved::Held(Box::new(held?))),
                None => Err(cancelled(&reasons)),
            },
        }
    }

    /// B: takes one from a stock that stands at `remaining`, and saves what somebody holds of it, both or neither.
    pub(crate) async fn take(&self, issued: &Issued, remaining: u64) -> anyhow::Result<Taken> {
        let stock = self.move_stock(&issued.coupon, remaining)?;
        let actions = vec![
            TransactWriteItem::builder().update(stock).build(),
            TransactWriteItem::builder().put(self.put(issued)?).build(),
        ];
        let Some(reasons) = self.transact(actions).await? else { return Ok(Taken::Written) };
        if is_refused(reasons.get(1)) {
            return Ok(Taken::Held);
        }
        if is_refused(reasons.first()) { Ok(Taken::StockMoved) } else { Err(cancelled(&reasons)) }
    }

    /// One less, if the stock is still what was read: whoever else took one in between must not be counted twice.
    fn move_stock(&self, coupon: &CouponId, remaining: u64) -> Result<Update, BuildError> {
        Update::builder()
            .table_name(self.tables.coupons)
            .key("couponId", text(coupon.as_str()))
            .update_expression("SET remaining = remaining - :one")
            .condition_expression("remaining = :seen AND remaining >= :one")
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":seen", number(remaining))
            .build()
    }

    fn put(&self, issued: &Issued) -> Result<Put, BuildError> {
        Put::builder()
            .table_name(self.tables.user_coupons)
            .set_item(Some(issued.to_item()))
            .condition_expression("attribute_not_exists(userId)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
    }

    /// Writes all or nothing; the reasons when it was nothing.
    pub(super) async fn transact(
        &self,
        actions: Vec<TransactWriteItem>,
    ) -> anyhow::Result<Option<Vec<CancellationReason>>> {
        let error = match self.client.transact_write_items().set_transact_items(Some(actions)).send().await {
            Ok(_) => return Ok(None),
            Err(error) => error,
        };
        match error.as_service_error() {
            Some(Failed::TransactionCanceledException(cancelled)) => {
                Ok(Some(cancelled.cancellation_reasons().to_vec()))
            }
            _ => Err(error).context("transaction not written"),
        }
    }
}

pub(super) fn is_refused(reason: Option<&CancellationReason>) -> bool {
    reason.and_then(CancellationReason::code) == Some(REFUSED)
}

pub(super) fn cancelled(reasons: &[CancellationReason]) -> anyhow::Error {
    let codes: Vec<&str> = reasons.iter().filter_map(CancellationReason::code).collect();
    anyhow!("transaction cancelled: {}", codes.join(", "))
}

/// What the person holds for whom a put was refused.
fn held(reason: Option<&CancellationReason>) -> Option<anyhow::Result<Issued>> {
    let item = reason.filter(|reason| is_refused(Some(reason)))?.item()?;
    Some(Issued::from_item(item))
}
