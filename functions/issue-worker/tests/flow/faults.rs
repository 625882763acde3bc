//! Faults as decorators of the two ports. Nothing happens until a fault is set.

use std::{
    collections::{BTreeMap, VecDeque},
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use coupon::{Chunk, CouponId, Head, IssuedCoupon, UserId};
use coupon_store::{Commit, Consistency, Creation, Page, Store, StoreError, Token};
use kafka::{Delivery, Log, LogError, Record};
use kafka_event::KafkaRecord;
use simulation::{MemoryLog, MemoryStore};

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

/// A store with faults, and a count of its calls.
#[derive(Clone)]
pub(crate) struct FaultyStore {
    inner: MemoryStore,
    faults: Arc<Mutex<BTreeMap<&'static str, VecDeque<Fault>>>>,
    broken: Arc<Mutex<Option<(CouponId, StoreError)>>>,
    calls: Arc<Mutex<BTreeMap<&'static str, usize>>>,
    overtake: Arc<Overtake>,
}

impl FaultyStore {
    pub(crate) fn new(inner: MemoryStore, overtake: Arc<Overtake>) -> Self {
        Self { inner, faults: Arc::default(), broken: Arc::default(), calls: Arc::default(), overtake }
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

    async fn meet<T>(
        &self,
        call: &'static str,
        done: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        *self.calls.lock().unwrap().entry(call).or_default() += 1;
        let fault = self.faults.lock().unwrap().get_mut(call).and_then(VecDeque::pop_front);
        match fault {
            None => done.await,
            Some(Fault::Fail(error)) => Err(error),
            Some(Fault::LoseAnswer) => {
                done.await?;
                Err(StoreError::Unknown("the answer was lost".into()))
            }
            Some(Fault::OvertakenBy(records)) => {
                (self.overtake)(records).await;
                done.await
            }
        }
    }
}

#[deny(clippy::missing_trait_methods)]
impl Store for FaultyStore {
    async fn create(&self, head: &Head) -> Result<Creation, StoreError> {
        self.meet("create", self.inner.create(head)).await
    }

    async fn head(&self, id: &CouponId, consistency: Consistency) -> Result<Option<Head>, StoreError> {
        self.meet("head", self.inner.head(id, consistency)).await
    }

    async fn issued(
        &self,
        user: &UserId,
        id: &CouponId,
        consistency: Consistency,
    ) -> Result<Option<IssuedCoupon>, StoreError> {
        self.meet("issued", self.inner.issued(user, id, consistency)).await
    }

    async fn issued_among(&self, id: &CouponId, users: &[UserId]) -> Result<Vec<IssuedCoupon>, StoreError> {
        self.meet("issued_among", self.inner.issued_among(id, users)).await
    }

    async fn coupons_of(&self, user: &UserId, after: Option<&CouponId>, limit: usize) -> Result<Page, StoreError> {
        self.meet("coupons_of", self.inner.coupons_of(user, after, limit)).await
    }

    async fn commit(&self, chunk: &Chunk, token: &Token) -> Result<Commit, StoreError> {
        if let Some((id, error)) = self.broken.lock().unwrap().as_ref()
            && *id == chunk.head.coupon_id
        {
            return Err(error.clone());
        }
        self.meet("commit", self.inner.commit(chunk, token)).await
    }
}

/// A log that can be broken.
#[derive(Clone)]
pub(crate) struct FaultyLog {
    pub(crate) inner: MemoryLog,
    pub(crate) broken: Arc<AtomicBool>,
}

#[deny(clippy::missing_trait_methods)]
impl Log for FaultyLog {
    async fn produce(&self, record: Record) -> Result<Delivery, LogError> {
        if self.broken.load(Ordering::Relaxed) {
            return Err(LogError::Unavailable("broken on purpose".into()));
        }
        self.inner.produce(record).await
    }

    async fn partitions(&self, topic: &str) -> Result<i32, LogError> {
        self.inner.partitions(topic).await
    }
}
