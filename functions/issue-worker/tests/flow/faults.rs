//! Faults as rules for the decorators of `simulation`. Nothing happens until a fault is set.

use std::{
    collections::{BTreeMap, VecDeque},
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use coupon::CouponId;
use coupon_store::StoreError;
use kafka::LogError;
use kafka_event::KafkaRecord;
use simulation::{
    LogCall, LogRule, MemoryLog, MemoryStore, PiecewiseStore, RuledLog, RuledStore, StoreCall, StoreRule, Verdict,
};
use wire_contract::{Kind, Records};

/// What happens to one call.
#[derive(Clone)]
pub(crate) enum Fault {
    /// It fails, nothing is done.
    Fail(StoreError),
    /// It is done, and the caller never learns.
    LoseAnswer,
    /// Another worker decides these records first.
    OvertakenBy(Vec<KafkaRecord>),
}

type Overtake = dyn Fn(Vec<KafkaRecord>) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync;

/// How long a commit is seen in pieces.
pub(crate) type Gap = fn() -> Duration;

pub(crate) type FaultyStore = RuledStore<PiecewiseStore<MemoryStore, Gap>, Faults>;
pub(crate) type FaultyLog = RuledLog<MemoryLog, Broken>;

/// Faults of a store by the name of the call that meets them, and a count of its calls.
#[derive(Clone)]
pub(crate) struct Faults {
    faults: Arc<Mutex<BTreeMap<&'static str, VecDeque<Fault>>>>,
    broken: Arc<Mutex<Option<(CouponId, StoreError)>>>,
    calls: Arc<Mutex<BTreeMap<&'static str, usize>>>,
    overtake: Arc<Overtake>,
}

impl Faults {
    pub(crate) fn new(overtake: Arc<Overtake>) -> Self {
        Self { faults: Arc::default(), broken: Arc::default(), calls: Arc::default(), overtake }
    }

    pub(crate) fn fault(&self, call: &'static str, fault: Fault) {
        self.faults.lock().unwrap().entry(call).or_default().push_back(fault);
    }

    /// Every commit of this coupon fails until further notice.
    pub(crate) fn break_coupon(&self, broken: Option<(CouponId, StoreError)>) {
        *self.broken.lock().unwrap() = broken;
    }

    pub(crate) fn calls(&self, call: &str) -> usize {
        self.calls.lock().unwrap().get(call).copied().unwrap_or_default()
    }
}

impl StoreRule for Faults {
    async fn judge(&self, call: StoreCall<'_>) -> Verdict<StoreError> {
        if let (StoreCall::Commit(chunk, _token), Some((id, error))) = (call, self.broken.lock().unwrap().as_ref())
            && *id == chunk.head.coupon_id
        {
            return Verdict::Fail(error.clone());
        }
        let name = match call {
            StoreCall::Create(_) => "create",
            StoreCall::Head(_) => "head",
            StoreCall::Issued(..) => "issued",
            StoreCall::IssuedAmong(..) => "issued_among",
            StoreCall::Snapshot(..) => "snapshot",
            StoreCall::CouponsOf(_) => "coupons_of",
            StoreCall::Commit(..) => "commit",
        };
        *self.calls.lock().unwrap().entry(name).or_default() += 1;
        let fault = self.faults.lock().unwrap().get_mut(name).and_then(VecDeque::pop_front);
        match fault {
            None => Verdict::Pass,
            Some(Fault::Fail(error)) => Verdict::Fail(error),
            Some(Fault::LoseAnswer) => Verdict::LoseAnswer(StoreError::Unknown("the answer was lost".into())),
            Some(Fault::OvertakenBy(records)) => {
                (self.overtake)(records).await;
                Verdict::Pass
            }
        }
    }
}

/// What is wrong with a log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Nothing.
    #[default]
    None,
    /// It refuses every record.
    Refuses,
    /// It answers nothing, ever.
    Hangs,
}

/// The trouble that a log has.
#[derive(Clone, Default)]
pub(crate) struct Broken(Arc<Mutex<Trouble>>);

impl Broken {
    pub(crate) fn set(&self, trouble: Trouble) {
        *self.0.lock().unwrap() = trouble;
    }
}

impl LogRule for Broken {
    /// Sees every record that the worker writes, so it holds them to the documents in `events/` as well.
    async fn judge(&self, call: LogCall<'_>) -> Verdict<LogError> {
        if let LogCall::Produce(record) = call {
            let kind = if record.topic == "dead" { Kind::DeadLetter } else { Kind::Result };
            let (key, value) = (record.key.as_deref(), record.value.as_deref());
            Records::promised().check(kind, key, value, &record.headers).unwrap_or_else(|fault| panic!("{fault}"));
        }
        let trouble = *self.0.lock().unwrap();
        match trouble {
            Trouble::None => Verdict::Pass,
            Trouble::Refuses => Verdict::Fail(LogError::Unavailable("broken on purpose".into())),
            Trouble::Hangs => std::future::pending().await,
        }
    }
}
