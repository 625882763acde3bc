//! A's outbox: an event for each issued coupon whose stock is still to be taken. An event is deleted together with the
//! stock's decrement, so that what is in the table is what is left to do, and a scan of it reads nothing else.

use std::collections::HashMap;

use anyhow::{Context, bail};
use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::{Delete, Put, TransactWriteItem, Update};
use coupon::{CouponId, Timestamp, UserId};

use super::issue::{cancelled, is_refused};
use super::{Item, Store, number, read_number, read_text, text};

/// Where an event stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum EventState {
    /// Not tried yet.
    Pending,
    /// Tried in vain, and tried again so many times since.
    Failed { retries: u32 },
}

/// That a coupon was issued and its stock is to be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    /// The request's id.
    pub(crate) id: String,
    pub(crate) coupon: CouponId,
    pub(crate) user: UserId,
    pub(crate) state: EventState,
    pub(crate) created_at: Timestamp,
}

impl Store {
    /// Every event that is left, oldest first.
    pub(crate) async fn events(&self) -> anyhow::Result<Vec<Event>> {
        let items = self.scan(self.outbox()?).await?;
        let mut events = items.iter().map(Event::from_item).collect::<anyhow::Result<Vec<_>>>()?;
        events.sort_by(|one, other| (one.created_at, &one.id).cmp(&(other.created_at, &other.id)));
        Ok(events)
    }

    /// Takes the stock of these events of one coupon and deletes them, all or nothing; `false` when the stock is not
    /// that much any more, or one of them is done already.
    pub(crate) async fn settle(&self, coupon: &CouponId, events: &[Event]) -> anyhow::Result<bool> {
        let stock = TransactWriteItem::builder().update(self.take_stock(coupon, events.len())?).build();
        let mut actions = vec![stock];
        for event in events {
            actions.push(TransactWriteItem::builder().delete(self.delete_event(event)?).build());
        }
        match self.transact(actions).await? {
            None => Ok(true),
            Some(reasons) if reasons.iter().any(|reason| is_refused(Some(reason))) => Ok(false),
            Some(reasons) => Err(cancelled(&reasons)),
        }
    }

    /// Notes that an event was tried in vain. One that was settled meanwhile is left alone.
    pub(crate) async fn mark_failed(&self, event: &Event, retries: u32) -> anyhow::Result<()> {
        let failed = Event { state: EventState::Failed { retries }, ..event.clone() };
        let put = self.client.put_item().table_name(self.outbox()?).set_item(Some(failed.to_item()));
        match put.condition_expression("attribute_exists(eventId)").send().await {
            Ok(_) => Ok(()),
            Err(error) if error.as_service_error().is_some_and(|e| e.is_conditional_check_failed_exception()) => Ok(()),
            Err(error) => Err(error).with_context(|| format!("event {} not marked", event.id)),
        }
    }

    pub(super) fn put_event(&self, event: &Event) -> anyhow::Result<TransactWriteItem> {
        let put = Put::builder().table_name(self.outbox()?).set_item(Some(event.to_item())).build()?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    fn take_stock(&self, coupon: &CouponId, count: usize) -> Result<Update, BuildError> {
        Update::builder()
            .table_name(self.tables.coupons)
            .key("couponId", text(coupon.as_str()))
            .update_expression("SET remaining = remaining - :n")
            .condition_expression("remaining >= :n")
            .expression_attribute_values(":n", number(count))
            .build()
    }

    fn delete_event(&self, event: &Event) -> anyhow::Result<Delete> {
        let delete = Delete::builder()
            .table_name(self.outbox()?)
            .key("eventId", text(&event.id))
            .condition_expression("attribute_exists(eventId)");
        Ok(delete.build()?)
    }

    fn outbox(&self) -> anyhow::Result<&'static str> {
        self.tables.outbox.context("this system has no outbox")
    }
}

impl Event {
    fn to_item(&self) -> Item {
        let (state, retries) = match self.state {
            EventState::Pending => ("PENDING", 0),
            EventState::Failed { retries } => ("FAILED", retries),
        };
        HashMap::from([
            ("eventId".to_owned(), text(&self.id)),
            ("couponId".to_owned(), text(self.coupon.as_str())),
            ("userId".to_owned(), text(self.user.as_str())),
            ("state".to_owned(), text(state)),
            ("retries".to_owned(), number(retries)),
            ("createdAt".to_owned(), text(&self.created_at.to_string())),
        ])
    }

    fn from_item(item: &Item) -> anyhow::Result<Self> {
        let state = match read_text(item, "state")? {
            "PENDING" => EventState::Pending,
            "FAILED" => EventState::Failed { retries: read_number(item, "retries")? },
            other => bail!("state is {other}, expected PENDING or FAILED"),
        };
        Ok(Self {
            id: read_text(item, "eventId")?.to_owned(),
            coupon: CouponId::parse(read_text(item, "couponId")?)?,
            user: UserId::parse(read_text(item, "userId")?)?,
            state,
            created_at: Timestamp::parse(read_text(item, "createdAt")?)?,
        })
    }
}
