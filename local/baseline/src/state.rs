//! What a system leaves behind, read from its tables: the stock, everything issued, and the outbox. The same for all
//! three, so that one judge (`verdict.rs`) judges them alike.
//!
//! A harness asks for [`stock`] while it waits, a read of one item, and for [`read`] at the end, which reads tables whole.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::Client;
use coupon::CouponId;

use crate::store::{EventState, Store};
use crate::system::System;

/// A coupon's stock as the store has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stock {
    /// How many there were.
    pub total: u64,
    /// How many are left.
    pub remaining: u64,
}

/// One issued coupon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedCoupon {
    /// Who holds it.
    pub user_id: String,
    /// By which request.
    pub request_id: String,
    /// The how manieth it was, by the system's own account.
    pub rank: u64,
    /// When, by the system's clock; milliseconds since 1970.
    pub issued_at_ms: i64,
}

/// How much stock is still to be taken for coupons that are issued; always nothing for a system without an outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Outbox {
    /// Events that were not tried yet.
    pub pending: usize,
    /// Events that were tried in vain.
    pub failed: usize,
}

/// What a system has of one coupon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FinalState {
    /// The stock.
    pub stock: Stock,
    /// Everything issued, ascending by rank, then by user.
    pub issued: Vec<IssuedCoupon>,
    /// What is left to do.
    pub outbox: Outbox,
}

impl FinalState {
    /// Whether the stock says what is issued, and nothing is left to do.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        let issued = u64::try_from(self.issued.len()).ok();
        self.outbox == Outbox::default() && self.stock.total.checked_sub(self.stock.remaining) == issued
    }
}

/// A coupon's stock; `None` where there is no such coupon.
///
/// # Errors
/// The id is none, or DynamoDB does not answer.
pub async fn stock(dynamodb: &Client, system: System, coupon_id: &str) -> anyhow::Result<Option<Stock>> {
    let coupon = store(dynamodb, system).coupon(&CouponId::parse(coupon_id)?).await?;
    Ok(coupon.map(|coupon| Stock { total: coupon.total, remaining: coupon.remaining }))
}

/// Everything there is of one coupon.
///
/// # Errors
/// There is no such coupon, an item is none, or DynamoDB does not answer.
pub async fn read(dynamodb: &Client, system: System, coupon_id: &str) -> anyhow::Result<FinalState> {
    let state = read_all(dynamodb, system).await?.remove(coupon_id);
    state.ok_or_else(|| anyhow::anyhow!("{system} has no coupon {coupon_id}"))
}

/// Everything there is, by coupon.
///
/// # Errors
/// An item is none, or DynamoDB does not answer.
pub async fn read_all(dynamodb: &Client, system: System) -> anyhow::Result<BTreeMap<String, FinalState>> {
    let store = store(dynamodb, system);
    // The outbox first: an event that is done in between is then still counted, and the stock behind it is the later one.
    let events = if system.table_names().outbox.is_some() { store.events().await? } else { Vec::new() };
    let issued = store.all_issued().await?;
    let mut states = BTreeMap::new();
    for coupon in store.all_coupons().await? {
        let stock = Stock { total: coupon.total, remaining: coupon.remaining };
        let state = FinalState { stock, issued: Vec::new(), outbox: Outbox::default() };
        states.insert(coupon.id.to_string(), state);
    }
    for event in events {
        let Some(FinalState { outbox, .. }) = states.get_mut(event.coupon.as_str()) else { continue };
        match event.state {
            EventState::Pending => outbox.pending = outbox.pending.saturating_add(1),
            EventState::Failed { .. } => outbox.failed = outbox.failed.saturating_add(1),
        }
    }
    for one in issued {
        let Some(state) = states.get_mut(one.coupon.as_str()) else { continue };
        state.issued.push(IssuedCoupon {
            user_id: one.user.to_string(),
            request_id: one.request_id,
            rank: one.rank,
            issued_at_ms: one.at.millis(),
        });
    }
    for state in states.values_mut() {
        state.issued.sort_by(|one, other| (one.rank, &one.user_id).cmp(&(other.rank, &other.user_id)));
    }
    Ok(states)
}

fn store(dynamodb: &Client, system: System) -> Store {
    Store::new(dynamodb.clone(), system.table_names())
}
