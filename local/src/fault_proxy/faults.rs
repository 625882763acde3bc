//! Which faults are set, and what a call meets: plain data and seeded dice behind one lock.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// No capacity: a throttling error, or the same as a transaction's cancellation reason. Nothing is done.
    Throttle,
    /// A write is refused because another transaction holds an item, or because this one is still running. Nothing is
    /// done. Reads do not meet it.
    Conflict,
    /// The call is carried out, and the connection ends without an answer.
    LostAnswer,
    /// The call waits before it is handed on.
    Latency,
}

/// A fault to be met from now on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fault {
    /// What happens.
    pub kind: Kind,
    /// The share of calls that meet it; what is outside 0 to 1 is moved to the nearest end.
    pub rate: f64,
    /// How long a call waits, in milliseconds; only for [`Kind::Latency`].
    pub ms: u64,
}

impl Fault {
    /// A fault of this kind for this share of the calls; the latency of one is set by its field.
    #[must_use]
    pub const fn new(kind: Kind, rate: f64) -> Self {
        Self { kind, rate, ms: 0 }
    }
}

/// How a call is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// An error by this name.
    Error(&'static str),
    /// A transaction cancelled, one of its actions with this code.
    Cancelled(&'static str),
    /// A lookup answered without having looked anything up.
    Unprocessed,
}

/// What a call meets, after its delay if any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meets {
    Nothing {
        delay: Option<Duration>,
    },
    /// `dice` chooses among what has no order: which action of a transaction is refused.
    Refusal {
        delay: Option<Duration>,
        refusal: Refusal,
        dice: usize,
    },
    LostAnswer {
        delay: Option<Duration>,
    },
}

impl Meets {
    pub(super) const fn delay(self) -> Option<Duration> {
        match self {
            Self::Nothing { delay } | Self::Refusal { delay, .. } | Self::LostAnswer { delay } => delay,
        }
    }
}

/// The faults that are set.
#[derive(Debug)]
pub(super) struct Faults(Mutex<State>);

#[derive(Debug)]
struct State {
    set: BTreeMap<Kind, Fault>,
    met: BTreeMap<Kind, u64>,
    dice: fastrand::Rng,
}

impl Faults {
    pub(super) fn new(seed: u64) -> Self {
        let dice = fastrand::Rng::with_seed(seed);
        Self(Mutex::new(State { set: BTreeMap::new(), met: BTreeMap::new(), dice }))
    }

    pub(super) fn set(&self, fault: Fault) {
        self.with(|state| state.set.insert(fault.kind, fault));
    }

    pub(super) fn clear(&self, kind: Kind) {
        self.with(|state| state.set.remove(&kind));
    }

    pub(super) fn met(&self, kind: Kind) -> u64 {
        self.with(|state| state.met.get(&kind).copied().unwrap_or(0))
    }

    /// What a call of this operation meets.
    pub(super) fn meets(&self, operation: &str) -> Meets {
        self.with(|state| state.meets(operation))
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        // The state is whole at any moment: a panic elsewhere does not spoil it.
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    /// Latency goes with any of the others; of those, the first that is met holds.
    fn meets(&mut self, operation: &str) -> Meets {
        let delay = self.draw(Kind::Latency).map(|fault| Duration::from_millis(fault.ms));
        for (kind, refusals) in [(Kind::Throttle, throttled(operation)), (Kind::Conflict, conflicting(operation))] {
            if !refusals.is_empty() && self.draw(kind).is_some() {
                let refusal = self.dice.choice(refusals).copied().unwrap_or(THROTTLING);
                return Meets::Refusal { delay, refusal, dice: self.dice.usize(..) };
            }
        }
        if is_of_items(operation) && self.draw(Kind::LostAnswer).is_some() {
            return Meets::LostAnswer { delay };
        }
        Meets::Nothing { delay }
    }

    fn draw(&mut self, kind: Kind) -> Option<Fault> {
        let fault = *self.set.get(&kind)?;
        if self.dice.f64() < fault.rate {
            *self.met.entry(kind).or_default() += 1;
            Some(fault)
        } else {
            None
        }
    }
}

/// Whether an operation reads or writes items; those on tables meet latency only, so that a sandbox can start.
fn is_of_items(operation: &str) -> bool {
    !throttled(operation).is_empty()
}

const THROTTLING: Refusal = Refusal::Error("ThrottlingException");
const THROUGHPUT: Refusal = Refusal::Error("ProvisionedThroughputExceededException");
const LIMIT: Refusal = Refusal::Error("RequestLimitExceeded");
const CONFLICT: Refusal = Refusal::Cancelled("TransactionConflict");

/// How DynamoDB throttles an operation.
const fn throttled(operation: &str) -> &'static [Refusal] {
    match operation.as_bytes() {
        b"TransactWriteItems" | b"TransactGetItems" => &[
            THROTTLING,
            THROUGHPUT,
            LIMIT,
            Refusal::Cancelled("ThrottlingError"),
            Refusal::Cancelled("ProvisionedThroughputExceeded"),
        ],
        b"BatchGetItem" => &[THROTTLING, THROUGHPUT, LIMIT, Refusal::Unprocessed],
        b"GetItem" | b"PutItem" | b"UpdateItem" | b"DeleteItem" | b"Query" | b"Scan" | b"BatchWriteItem" => {
            &[THROTTLING, THROUGHPUT, LIMIT]
        }
        _ => &[],
    }
}

/// How DynamoDB refuses an operation while a transaction holds its item; mostly by a reason, seldom because the
/// transaction itself is still running.
const fn conflicting(operation: &str) -> &'static [Refusal] {
    match operation.as_bytes() {
        b"TransactWriteItems" => &[CONFLICT, CONFLICT, CONFLICT, Refusal::Error("TransactionInProgressException")],
        b"TransactGetItems" => &[CONFLICT],
        b"PutItem" | b"UpdateItem" | b"DeleteItem" => &[Refusal::Error("TransactionConflictException")],
        _ => &[],
    }
}
