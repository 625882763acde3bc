//! Attributes written, and read strictly: what is not exactly what this project writes is
//! [`StoreError::Corrupt`], naming table, item and attribute. Which attributes an item has is `head.rs` and `issued.rs`.

use std::{collections::HashMap, fmt, str::FromStr};

use aws_sdk_dynamodb::types::AttributeValue;
use coupon::Invalid;
use coupon_store::StoreError;

/// An item as the SDK has it.
pub(crate) type Item = HashMap<String, AttributeValue>;

/// A text attribute.
pub(crate) fn text(text: impl fmt::Display) -> AttributeValue {
    AttributeValue::S(text.to_string())
}

/// A number attribute; DynamoDB carries numbers as text.
pub(crate) fn number(number: impl fmt::Display) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

/// An item, or a map inside one, that is being read, with what it takes to say where something is wrong.
#[derive(Debug, Clone)]
pub(crate) struct Stored<'a> {
    table: &'a str,
    /// The whole item, whose key names it.
    whole: &'a Item,
    /// What is being read: the item, or a map inside it.
    item: &'a Item,
    /// The path of that map, such as `epochs[0].`; empty for the item itself.
    path: String,
}

impl<'a> Stored<'a> {
    pub(crate) fn new(table: &'a str, item: &'a Item) -> Self {
        Self { table, whole: item, item, path: String::new() }
    }

    /// An error about one attribute of this item.
    pub(crate) fn corrupt(&self, attribute: &str, detail: impl fmt::Display) -> StoreError {
        let Self { table, whole, path, .. } = self;
        // Between them the two tables' keys are these; DynamoDB sees to their type.
        let key = ["userId", "couponId"].map(|name| whole.get(name).and_then(|value| value.as_s().ok()));
        let key = key.into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join(" ");
        StoreError::Corrupt(format!("table {table}, item {key}, attribute {path}{attribute}: {detail}"))
    }

    pub(crate) fn text(&self, name: &str) -> Result<&'a str, StoreError> {
        let value = self.required(name)?;
        value.as_s().map(String::as_str).map_err(|other| self.mistyped(name, "text (S)", other))
    }

    /// A text attribute behind its `parse` door.
    pub(crate) fn parsed<T>(
        &self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, Invalid>,
    ) -> Result<T, StoreError> {
        parse(self.text(name)?).map_err(|error| self.corrupt(name, error))
    }

    /// The same, where the attribute may be absent. A stored NULL is not absent.
    pub(crate) fn parsed_if_present<T>(
        &self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, Invalid>,
    ) -> Result<Option<T>, StoreError> {
        if self.item.contains_key(name) { self.parsed(name, parse).map(Some) } else { Ok(None) }
    }

    /// A whole number; what does not fit is an error, never cut.
    pub(crate) fn number<N: FromStr<Err: fmt::Display>>(&self, name: &str) -> Result<N, StoreError> {
        let value = self.required(name)?;
        let digits = value.as_n().map_err(|other| self.mistyped(name, "a number (N)", other))?;
        digits.parse().map_err(|error| self.corrupt(name, format_args!("{digits}: {error}")))
    }

    /// A number behind its `new` door.
    pub(crate) fn numbered<N: FromStr<Err: fmt::Display>, T>(
        &self,
        name: &str,
        new: impl FnOnce(N) -> Result<T, Invalid>,
    ) -> Result<T, StoreError> {
        new(self.number(name)?).map_err(|error| self.corrupt(name, error))
    }

    /// A list of maps, each to be read as an item is.
    pub(crate) fn maps(&self, name: &str) -> Result<Vec<Stored<'a>>, StoreError> {
        let value = self.required(name)?;
        let list = value.as_l().map_err(|other| self.mistyped(name, "a list (L)", other))?;
        let entry = |(index, value): (usize, &'a AttributeValue)| {
            let item = value.as_m().map_err(|other| self.mistyped(&format!("{name}[{index}]"), "a map (M)", other))?;
            Ok(Stored { table: self.table, whole: self.whole, item, path: format!("{}{name}[{index}].", self.path) })
        };
        list.iter().enumerate().map(entry).collect()
    }

    fn required(&self, name: &str) -> Result<&'a AttributeValue, StoreError> {
        self.item.get(name).ok_or_else(|| self.corrupt(name, "is missing"))
    }

    fn mistyped(&self, name: &str, expected: &str, found: &AttributeValue) -> StoreError {
        self.corrupt(name, format_args!("expected {expected}, found {}", kind(found)))
    }
}

/// The name of an attribute's type, without its value: an error must not carry megabytes.
#[expect(clippy::wildcard_enum_match_arm, reason = "the SDK's enums grow")]
fn kind(value: &AttributeValue) -> &'static str {
    match value {
        AttributeValue::S(_) => "text (S)",
        AttributeValue::N(_) => "a number (N)",
        AttributeValue::Bool(_) => "a boolean (BOOL)",
        AttributeValue::Null(_) => "NULL",
        AttributeValue::B(_) => "bytes (B)",
        AttributeValue::L(_) => "a list (L)",
        AttributeValue::M(_) => "a map (M)",
        _ => "a set, or a type that is not known here",
    }
}
