//! Attributes of an item, written and read.

use std::collections::HashMap;
use std::fmt::Display;
use std::str::FromStr;

use anyhow::{anyhow, bail};
use aws_sdk_dynamodb::types::AttributeValue;

/// An item.
pub(crate) type Item = HashMap<String, AttributeValue>;

pub(crate) fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

pub(crate) fn number(value: impl Display) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

pub(crate) fn read_text<'a>(item: &'a Item, name: &str) -> anyhow::Result<&'a str> {
    match item.get(name) {
        Some(AttributeValue::S(value)) => Ok(value),
        other => bail!("{name} is {other:?}, not text"),
    }
}

pub(crate) fn read_number<N: FromStr<Err: Display>>(item: &Item, name: &str) -> anyhow::Result<N> {
    match item.get(name) {
        Some(AttributeValue::N(value)) => value.parse().map_err(|error| anyhow!("{name} is {value}: {error}")),
        other => bail!("{name} is {other:?}, not a number"),
    }
}
