//! The tables of systems A and B, in the place of the seeds' relational database: coupons with their stock, issued
//! coupons, and A's outbox (`outbox.rs`). The system decides; here an item is spelled, read and written.
//!
//! Strongly consistent throughout, as a relational database would be. Ours has a store of its own, `coupon-dynamodb`.

mod issue;
mod item;
mod outbox;

use std::collections::HashMap;

use anyhow::Context;
use aws_sdk_dynamodb::Client;
use coupon::{CouponId, Timestamp, UserId};
use serde_json::{Value, json};

pub(crate) use self::issue::{Saved, Taken};
pub(crate) use self::item::{Item, number, read_number, read_text, text};
pub(crate) use self::outbox::{Event, EventState};
use crate::system::TableNames;

/// A coupon and its stock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Coupon {
    pub(crate) id: CouponId,
    pub(crate) name: String,
    pub(crate) total: u64,
    pub(crate) remaining: u64,
}

/// What somebody holds of a coupon: the seeds' `UserCoupon`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Issued {
    pub(crate) coupon: CouponId,
    pub(crate) user: UserId,
    pub(crate) request_id: String,
    pub(crate) rank: u64,
    pub(crate) at: Timestamp,
}

/// The tables of one system.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    client: Client,
    tables: TableNames,
}

impl Store {
    pub(crate) fn new(client: Client, tables: TableNames) -> Self {
        Self { client, tables }
    }

    /// Writes a new coupon; `false` when the id is taken.
    pub(crate) async fn create(&self, coupon: &Coupon) -> anyhow::Result<bool> {
        let put = self
            .client
            .put_item()
            .table_name(self.tables.coupons)
            .set_item(Some(coupon.to_item()))
            .condition_expression("attribute_not_exists(couponId)");
        match put.send().await {
            Ok(_) => Ok(true),
            Err(error) if error.as_service_error().is_some_and(|e| e.is_conditional_check_failed_exception()) => {
                Ok(false)
            }
            Err(error) => Err(error).context("coupon not created"),
        }
    }

    /// A coupon as it stands now.
    pub(crate) async fn coupon(&self, id: &CouponId) -> anyhow::Result<Option<Coupon>> {
        let key = ("couponId", text(id.as_str()));
        let got = self.client.get_item().table_name(self.tables.coupons).key(key.0, key.1).consistent_read(true);
        let got = got.send().await.with_context(|| format!("coupon {id} not read"))?;
        got.item().map(Coupon::from_item).transpose()
    }

    /// What one person holds of a coupon.
    pub(crate) async fn issued(&self, user: &UserId, coupon: &CouponId) -> anyhow::Result<Option<Issued>> {
        let get = self.client.get_item().table_name(self.tables.user_coupons).set_key(Some(Issued::key(user, coupon)));
        let got = get.consistent_read(true).send().await;
        let got = got.with_context(|| format!("coupon {coupon} of {user} not read"))?;
        got.item().map(Issued::from_item).transpose()
    }

    /// All that is issued, in no order. Reads the whole table, as the next does: for a verdict, not for a call.
    pub(crate) async fn all_issued(&self) -> anyhow::Result<Vec<Issued>> {
        self.scan(self.tables.user_coupons).await?.iter().map(Issued::from_item).collect()
    }

    /// All coupons, in no order.
    pub(crate) async fn all_coupons(&self) -> anyhow::Result<Vec<Coupon>> {
        self.scan(self.tables.coupons).await?.iter().map(Coupon::from_item).collect()
    }

    async fn scan(&self, table: &str) -> anyhow::Result<Vec<Item>> {
        let mut items = Vec::new();
        let mut pages = self.client.scan().table_name(table).consistent_read(true).into_paginator().items().send();
        while let Some(item) = pages.next().await {
            items.push(item.with_context(|| format!("table {table} not read"))?);
        }
        Ok(items)
    }
}

impl Coupon {
    fn to_item(&self) -> Item {
        HashMap::from([
            ("couponId".to_owned(), text(self.id.as_str())),
            ("name".to_owned(), text(&self.name)),
            ("total".to_owned(), number(self.total)),
            ("remaining".to_owned(), number(self.remaining)),
        ])
    }

    fn from_item(item: &Item) -> anyhow::Result<Self> {
        Ok(Self {
            id: CouponId::parse(read_text(item, "couponId")?)?,
            name: read_text(item, "name")?.to_owned(),
            total: read_number(item, "total")?,
            remaining: read_number(item, "remaining")?,
        })
    }
}

impl Issued {
    fn key(user: &UserId, coupon: &CouponId) -> Item {
        HashMap::from([("userId".to_owned(), text(user.as_str())), ("couponId".to_owned(), text(coupon.as_str()))])
    }

    fn to_item(&self) -> Item {
        let mut item = Self::key(&self.user, &self.coupon);
        item.extend([
            ("requestId".to_owned(), text(&self.request_id)),
            ("rank".to_owned(), number(self.rank)),
            ("issuedAt".to_owned(), text(&self.at.to_string())),
        ]);
        item
    }

    fn from_item(item: &Item) -> anyhow::Result<Self> {
        Ok(Self {
            coupon: CouponId::parse(read_text(item, "couponId")?)?,
            user: UserId::parse(read_text(item, "userId")?)?,
            request_id: read_text(item, "requestId")?.to_owned(),
            rank: read_number(item, "rank")?,
            at: Timestamp::parse(read_text(item, "issuedAt")?)?,
        })
    }

    /// As a refusal tells its holder.
    pub(crate) fn shown(&self) -> Value {
        json!({"requestId": self.request_id, "rank": self.rank, "issuedAt": self.at})
    }

    /// As the answer about its request.
    pub(crate) fn outcome(&self) -> Value {
        json!({
            "requestId": self.request_id,
            "couponId": self.coupon,
            "status": "ISSUED",
            "rank": self.rank,
            "issuedAt": self.at,
        })
    }
}
