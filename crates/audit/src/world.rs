//! Everything the audit judges, as plain data: what the tables hold, what the topics hold, and what people were told.
//! Where it comes from is not known here: `local` reads a real one, a simulation fills in its own.
//!
//! Stored values keep the form they are stored in: an audit that parsed `2026-11-20T03:00:00.12Z` into a number could
//! not tell it from the `.120Z` that the contract asks for. Read `replay.rs` next.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use coupon::{Head, IssuedCoupon, Phase, Timestamp};

use crate::tickets::TicketLine;

/// Where a record lies: its partition and its offset there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
}

impl fmt::Display for Place {
    /// `3-1042`: for a request, its ticket.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.partition, self.offset)
    }
}

/// One record of a topic, bytes as they lie there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRecord {
    /// Where it lies.
    pub place: Place,
    /// Milliseconds since 1970, as the broker gives them.
    pub timestamp: i64,
    /// Any bytes, or null.
    pub key: Option<Bytes>,
    /// Any bytes, or null.
    pub value: Option<Bytes>,
    /// In their order; names may repeat, values may be null.
    pub headers: Vec<(String, Option<Bytes>)>,
}

/// An item of `coupons`. Numbers are whatever is stored, so that a broken head can be judged instead of refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredHead {
    /// The item's key.
    pub coupon_id: String,
    /// How many coupons there are.
    pub total: i64,
    /// How many are left.
    pub remaining: i64,
    /// How many were issued.
    pub issued: i64,
    /// The first moment of the window.
    pub opens_at: Option<Timestamp>,
    /// The first moment behind the window.
    pub closes_at: Option<Timestamp>,
    /// The topic this coupon's requests are in.
    pub log: String,
    /// Their partition.
    pub partition: i32,
    /// How often the head was written.
    pub version: i64,
    /// The offset of the last decided request, −1 at first.
    pub applied: i64,
    /// Offset and phase, in the order stored.
    pub epochs: Vec<(i64, String)>,
    /// The highest record timestamp seen, in ms.
    pub clock: i64,
}

impl From<&Head> for StoredHead {
    fn from(head: &Head) -> Self {
        let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        Self {
            coupon_id: head.coupon_id.to_string(),
            total: number(head.total.get()),
            remaining: number(head.remaining),
            issued: number(head.issued),
            opens_at: head.window.opens_at(),
            closes_at: head.window.closes_at(),
            log: head.log.clone(),
            partition: head.partition.get(),
            version: number(head.version.get()),
            applied: head.applied.map_or(-1, coupon::Offset::get),
            epochs: head.epochs.iter().map(|epoch| (epoch.offset.get(), phase_text(epoch.phase).to_owned())).collect(),
            clock: head.clock.millis(),
        }
    }
}

/// How a phase is spelled in an item.
pub(crate) const fn phase_text(phase: Phase) -> &'static str {
    match phase {
        Phase::NotOpen => "NOT_OPEN",
        Phase::Open => "OPEN",
        Phase::SoldOut => "SOLD_OUT",
        Phase::Closed => "CLOSED",
    }
}

/// An item of `user-coupons`, every attribute as the text that is stored.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct StoredItem {
    /// The item's key.
    pub user_id: String,
    /// Its sort key.
    pub coupon_id: String,
    /// The other attributes by name, numbers in DynamoDB's text form; a type that none of ours has is shown as such.
    pub attributes: BTreeMap<String, Attribute>,
}

/// An attribute's value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Attribute {
    /// Text.
    Text(String),
    /// A number, as text.
    Number(String),
    /// Any other type, in a form to be read by people.
    Other(String),
}

impl fmt::Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Number(number) => f.write_str(number),
            Self::Other(shown) => f.write_str(shown),
        }
    }
}

impl StoredItem {
    /// The text of an attribute; `None` when it is missing or no text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.attributes.get(name)? {
            Attribute::Text(text) => Some(text),
            Attribute::Number(_) | Attribute::Other(_) => None,
        }
    }

    /// The number of an attribute; `None` when it is missing or no whole number.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<u64> {
        match self.attributes.get(name)? {
            Attribute::Number(number) => number.parse().ok(),
            Attribute::Text(_) | Attribute::Other(_) => None,
        }
    }
}

impl From<&IssuedCoupon> for StoredItem {
    fn from(issued: &IssuedCoupon) -> Self {
        let attributes = [
            ("requestId", Attribute::Text(issued.ticket.to_string())),
            ("rank", Attribute::Number(issued.rank.get().to_string())),
            ("issuedAt", Attribute::Text(issued.issued_at.to_string())),
        ];
        Self {
            user_id: issued.user_id.to_string(),
            coupon_id: issued.coupon_id.to_string(),
            attributes: attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        }
    }
}

/// What the parts are called, for judging `log` and `dlq-topic` and for naming what offends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// The request topic.
    pub requests: String,
    /// The result topic.
    pub results: String,
    /// The dead-letter topic.
    pub dead_letters: String,
    /// The table of heads.
    pub coupons: String,
    /// The table of issued coupons.
    pub user_coupons: String,
}

impl Default for Names {
    fn default() -> Self {
        Self {
            requests: "coupon-issue-request".into(),
            results: "coupon-issue-result".into(),
            dead_letters: "coupon-issue-dlq".into(),
            coupons: "coupons".into(),
            user_coupons: "user-coupons".into(),
        }
    }
}

/// The end of a partition, before and after the rest was read: what was decided in between is known to exist, and is
/// not judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ends {
    /// The offset behind the last record that is judged.
    pub judged: i64,
    /// The offset behind the last record that there was when everything else had been read.
    pub latest: i64,
}

/// All that is judged. To be sound while requests still come in, it is read in the order of the fields: the ends first,
/// the heads once every request below the ends is decided, and the heads not before the items.
#[derive(Debug, Clone, Default)]
pub struct World {
    /// What the parts are called.
    pub names: Names,
    /// What people were told; `None` when nobody wrote it down.
    pub tickets: Option<Vec<TicketLine>>,
    /// For each partition of the request topic, where it ended.
    pub ends: BTreeMap<i32, Ends>,
    /// The request topic from its start to the ends.
    pub requests: Vec<LogRecord>,
    /// All of `user-coupons`.
    pub items: Vec<StoredItem>,
    /// All of `coupons`.
    pub heads: Vec<StoredHead>,
    /// The result topic.
    pub results: Vec<LogRecord>,
    /// How many partitions the result topic has.
    pub result_partitions: i32,
    /// The dead-letter topic.
    pub dead_letters: Vec<LogRecord>,
}
