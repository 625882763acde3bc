//! Counts the capacity that calls consume, as DynamoDB itself reports it. For tests and benchmarks.

use std::sync::{Mutex, PoisonError};

use aws_sdk_dynamodb::types::ConsumedCapacity;

/// Units that each action of a transaction costs, writes for an item of up to 1 KB and reads for one of up to 4 KB
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html>, "Capacity management").
const TRANSACTION_UNITS: f64 = 2.0;

/// Capacity units; an eventually consistent read is half a one.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Units {
    /// Read capacity units.
    pub read: f64,
    /// Write capacity units.
    pub write: f64,
}

/// A running sum of consumed units, shared between a store and whoever asks.
#[derive(Debug, Default)]
pub struct Meter(Mutex<Units>);

impl Meter {
    /// What was consumed since the meter was made.
    #[must_use]
    pub fn units(&self) -> Units {
        // A sum is whole at any moment: a panic elsewhere does not spoil it.
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn read<'a>(&self, reported: impl IntoIterator<Item = &'a ConsumedCapacity>) {
        self.add(Units { read: sum(reported), write: 0.0 });
    }

    pub(crate) fn wrote<'a>(&self, reported: impl IntoIterator<Item = &'a ConsumedCapacity>) {
        self.add(Units { read: 0.0, write: sum(reported) });
    }

    /// A cancelled transaction consumes what a committed one would have, but its answer reports nothing.
    pub(crate) fn cancelled(&self, actions: usize) {
        let actions = u32::try_from(actions).unwrap_or(u32::MAX);
        self.add(Units { read: 0.0, write: TRANSACTION_UNITS * f64::from(actions) });
    }

    /// The same of a read. Whether DynamoDB charges for it is not written down; this is the most that it could.
    pub(crate) fn cancelled_read(&self, items: usize) {
        let items = u32::try_from(items).unwrap_or(u32::MAX);
        self.add(Units { read: TRANSACTION_UNITS * f64::from(items), write: 0.0 });
    }

    /// A write whose condition was refused consumes its units all the same; the answer reports nothing.
    pub(crate) fn refused(&self) {
        self.add(Units { read: 0.0, write: 1.0 });
    }

    fn add(&self, units: Units) {
        let mut sum = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sum.read += units.read;
        sum.write += units.write;
    }
}

fn sum<'a>(reported: impl IntoIterator<Item = &'a ConsumedCapacity>) -> f64 {
    reported.into_iter().filter_map(ConsumedCapacity::capacity_units).sum()
}
