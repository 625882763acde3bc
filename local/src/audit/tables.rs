//! Reads whole tables, strongly consistent, in the form they are stored in. How the functions read an item is the
//! store's business, and one of the things that are judged here.

use std::collections::HashMap;
use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::types::AttributeValue;
use coupon::Timestamp;

use super::{Attribute, StoredHead, StoredItem};
use crate::dynamodb;

/// A page of a scan is up to 1 MB.
const ATTEMPT_MAX: Duration = Duration::from_secs(15);

type Item = HashMap<String, AttributeValue>;

/// The DynamoDB at a URL, with the patience of a tool instead of a function's.
pub(super) async fn client(url: &str) -> Client {
    let timeouts = TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT_MAX).read_timeout(ATTEMPT_MAX).build();
    let as_functions_have_it = dynamodb::client(url).await;
    let config = as_functions_have_it.config().to_builder();
    Client::from_conf(config.retry_config(RetryConfig::standard()).timeout_config(timeouts).build())
}

/// Every head, ascending by id.
pub(super) async fn heads(client: &Client, table: &str) -> anyhow::Result<Vec<StoredHead>> {
    let items = scan(client, table).await?;
    let mut heads = items.iter().map(|item| head(table, item)).collect::<Result<Vec<_>, _>>()?;
    heads.sort_by(|one, other| one.coupon_id.cmp(&other.coupon_id));
    Ok(heads)
}

/// Every issued coupon, ascending by user and coupon.
pub(super) async fn issued(client: &Client, table: &str) -> anyhow::Result<Vec<StoredItem>> {
    let items = scan(client, table).await?;
    let mut issued = items.iter().map(|item| stored_item(table, item)).collect::<Result<Vec<_>, _>>()?;
    issued.sort();
    Ok(issued)
}

async fn scan(client: &Client, table: &str) -> anyhow::Result<Vec<Item>> {
    let mut items = Vec::new();
    let mut pages = client.scan().table_name(table).consistent_read(true).into_paginator().items().send();
    while let Some(item) = pages.next().await {
        items.push(item.with_context(|| format!("table {table} cannot be read"))?);
    }
    Ok(items)
}

fn head(table: &str, item: &Item) -> anyhow::Result<StoredHead> {
    let coupon_id = text(item, "couponId").with_context(|| format!("a head in {table}"))?;
    let head = || -> anyhow::Result<StoredHead> {
        Ok(StoredHead {
            coupon_id: coupon_id.to_owned(),
            total: number(item, "total")?,
            remaining: number(item, "remaining")?,
            issued: number(item, "issued")?,
            opens_at: moment(item, "opensAt")?,
            closes_at: moment(item, "closesAt")?,
            log: text(item, "log")?.to_owned(),
            partition: number(item, "partition")?,
            version: number(item, "version")?,
            applied: number(item, "applied")?,
            epochs: epochs(item)?,
            clock: number(item, "clock")?,
        })
    };
    head().with_context(|| format!("the head {table} {coupon_id} cannot be read"))
}

fn stored_item(table: &str, item: &Item) -> anyhow::Result<StoredItem> {
    let key = |name| text(item, name).with_context(|| format!("an item in {table}")).map(ToOwned::to_owned);
    let (user_id, coupon_id) = (key("userId")?, key("couponId")?);
    let others = item.iter().filter(|(name, _)| !matches!(name.as_str(), "userId" | "couponId"));
    let attributes = others.map(|(name, value)| (name.clone(), attribute(value))).collect();
    Ok(StoredItem { user_id, coupon_id, attributes })
}

fn attribute(value: &AttributeValue) -> Attribute {
    let text = value.as_s().ok().map(|text| Attribute::Text(text.clone()));
    let number = || value.as_n().ok().map(|number| Attribute::Number(number.clone()));
    text.or_else(number).unwrap_or_else(|| Attribute::Other(format!("{value:?}")))
}

fn epochs(item: &Item) -> anyhow::Result<Vec<(i64, String)>> {
    let list = match item.get("epochs") {
        Some(AttributeValue::L(list)) => list,
        other => bail!("epochs is {}, not a list", shown(other)),
    };
    list.iter()
        .map(|epoch| {
            let map = epoch.as_m().map_err(|other| anyhow!("an epoch is {other:?}, not a map"))?;
            Ok((number(map, "offset")?, text(map, "phase")?.to_owned()))
        })
        .collect()
}

fn text<'a>(item: &'a Item, name: &str) -> anyhow::Result<&'a str> {
    match item.get(name) {
        Some(AttributeValue::S(text)) => Ok(text),
        other => bail!("{name} is {}, not text", shown(other)),
    }
}

fn number<N: FromStr<Err: Display>>(item: &Item, name: &str) -> anyhow::Result<N> {
    match item.get(name) {
        Some(AttributeValue::N(number)) => number.parse().map_err(|error| anyhow!("{name} is {number}: {error}")),
        other => bail!("{name} is {}, not a number", shown(other)),
    }
}

fn moment(item: &Item, name: &str) -> anyhow::Result<Option<Timestamp>> {
    if !item.contains_key(name) {
        return Ok(None);
    }
    Ok(Some(Timestamp::parse(text(item, name)?).with_context(|| name.to_owned())?))
}

fn shown(value: Option<&AttributeValue>) -> String {
    value.map_or("absent".into(), |value| format!("{value:?}"))
}
