//! Counts, offsets and ranks as types of their own, so that `applied + 1` and `issued + 1` cannot be swapped.

use alloc::format;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::Invalid;

/// Where a record lies in its partition, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Offset(i64);

impl Offset {
    /// # Errors
    /// A negative number is no offset.
    pub fn new(offset: i64) -> Result<Self, Invalid> {
        if offset < 0 { Err(Invalid::new(format!("an offset is at least 0, not {offset}"))) } else { Ok(Self(offset)) }
    }

    /// The number itself, at least 0.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }
}

impl TryFrom<i64> for Offset {
    type Error = Invalid;
    fn try_from(offset: i64) -> Result<Self, Invalid> {
        Self::new(offset)
    }
}

impl From<Offset> for i64 {
    fn from(offset: Offset) -> Self {
        offset.0
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A partition of the log, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i32", into = "i32")]
pub struct Partition(i32);

impl Partition {
    /// # Errors
    /// A negative number is no partition.
    pub fn new(partition: i32) -> Result<Self, Invalid> {
        if partition < 0 {
            Err(Invalid::new(format!("a partition is at least 0, not {partition}")))
        } else {
            Ok(Self(partition))
        }
    }

    /// The number itself, at least 0.
    #[must_use]
    pub const fn get(self) -> i32 {
        self.0
    }
}

impl TryFrom<i32> for Partition {
    type Error = Invalid;
    fn try_from(partition: i32) -> Result<Self, Invalid> {
        Self::new(partition)
    }
}

impl From<Partition> for i32 {
    fn from(partition: Partition) -> Self {
        partition.0
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How many coupons there are, 1 to [`Total::MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Total(u64);

impl Total {
    /// The largest total, 1,000,000,000.
    pub const MAX: u64 = 1_000_000_000;

    /// # Errors
    /// The total lies outside 1 to [`Total::MAX`].
    pub fn new(total: u64) -> Result<Self, Invalid> {
        if (1..=Self::MAX).contains(&total) {
            Ok(Self(total))
        } else {
            Err(Invalid::new(format!("total is 1 to {}, not {total}", Self::MAX)))
        }
    }

    /// The number itself.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl TryFrom<u64> for Total {
    type Error = Invalid;
    fn try_from(total: u64) -> Result<Self, Invalid> {
        Self::new(total)
    }
}

impl From<Total> for u64 {
    fn from(total: Total) -> Self {
        total.0
    }
}

/// The order among the issued, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Rank(u64);

impl Rank {
    /// # Errors
    /// Ranks start at 1.
    pub fn new(rank: u64) -> Result<Self, Invalid> {
        if rank == 0 { Err(Invalid::new("a rank is at least 1, not 0".into())) } else { Ok(Self(rank)) }
    }

    /// The number itself, at least 1.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl TryFrom<u64> for Rank {
    type Error = Invalid;
    fn try_from(rank: u64) -> Result<Self, Invalid> {
        Self::new(rank)
    }
}

impl From<Rank> for u64 {
    fn from(rank: Rank) -> Self {
        rank.0
    }
}

/// How often a head was written, from 0. A commit succeeds only on the version it was decided from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Version(u64);

impl Version {
    /// Any number is a version.
    #[must_use]
    pub const fn new(version: u64) -> Self {
        Self(version)
    }

    /// The number itself.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The version after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}
