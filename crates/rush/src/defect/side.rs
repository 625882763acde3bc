//! Defects on a function's side of the weather, where a mistake in its own flow would be: what it believes of an answer,
//! what it remembers, what it publishes. Decorators around the ports as the function is handed them; the function itself
//! has no switch. Without a defect they do nothing.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use audit::Names;
use coupon::{Chunk, CouponId, Epoch, Head, IssueResult, IssuedCoupon, Reason, ResultStatus, UserId};
use coupon_store::{Commit, Consistency, Creation, Page, Snapshot, Store, StoreError, Token};
use record_log::{Delivery, Log, LogError, Record};
use simulation::MemoryStore;

use super::{Defect, Planted};

/// Whose side it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Api,
    Worker,
}

/// A store as a function is handed it. Clones share what they remember.
#[derive(Debug, Clone)]
pub(crate) struct SideStore<S> {
    pub(crate) inner: S,
    pub(crate) planted: Planted,
    pub(crate) side: Side,
    /// The epochs of each coupon's last fold that a holder cancelled.
    pub(crate) cancelled: Arc<Mutex<BTreeMap<CouponId, Vec<Epoch>>>>,
}

impl<S> SideStore<S> {
    fn is_broken_by(&self, defect: Defect) -> bool {
        self.side == Side::Worker && self.planted.is(defect)
    }

    fn is_struck_by(&self, defect: Defect) -> bool {
        self.side == Side::Worker && self.planted.happens(defect)
    }

    /// The chunk with the epochs of the fold before, which somebody's coupon cancelled.
    fn with_epochs_kept(&self, chunk: &Chunk) -> Chunk {
        let mut chunk = chunk.clone();
        let mut cancelled = self.cancelled.lock().unwrap_or_else(PoisonError::into_inner);
        chunk.head.epochs.extend(cancelled.remove(&chunk.head.coupon_id).unwrap_or_default());
        chunk.head.epochs.sort_by_key(|epoch| epoch.offset);
        chunk.head.epochs.dedup_by_key(|epoch| epoch.offset);
        chunk
    }

    /// What the worker takes an answer for.
    fn believed(&self, chunk: &Chunk, answer: Result<Commit, StoreError>) -> Result<Commit, StoreError> {
        match answer {
            Err(error) if error.is_outcome_unknown() && self.is_broken_by(Defect::UnknownTakenForWritten) => {
                Ok(Commit::Written)
            }
            Ok(Commit::Stale) if self.is_broken_by(Defect::RememberedEarly) && !chunk.winners.is_empty() => {
                Ok(Commit::Held(chunk.winners.iter().map(|winner| winner.user_id.clone()).collect()))
            }
            Ok(Commit::Held(users)) if self.is_broken_by(Defect::EpochKept) => {
                let mut cancelled = self.cancelled.lock().unwrap_or_else(PoisonError::into_inner);
                cancelled.insert(chunk.head.coupon_id.clone(), chunk.head.epochs.clone());
                Ok(Commit::Held(users))
            }
            answer => answer,
        }
    }
}

#[deny(clippy::missing_trait_methods)]
impl<S: Store> Store for SideStore<S> {
    async fn create(&self, head: &Head) -> Result<Creation, StoreError> {
        self.inner.create(head).await
    }

    async fn head(&self, id: &CouponId, consistency: Consistency) -> Result<Option<Head>, StoreError> {
        let is_old = self.is_broken_by(Defect::WorkersStaleHead);
        let mut head = self.inner.head(id, if is_old { Consistency::Eventual } else { consistency }).await?;
        if let Some(head) = &mut head
            && self.is_struck_by(Defect::DecidedAgain)
        {
            head.applied = None;
        }
        Ok(head)
    }

    async fn issued(
        &self,
        user: &UserId,
        id: &CouponId,
        consistency: Consistency,
    ) -> Result<Option<IssuedCoupon>, StoreError> {
        self.inner.issued(user, id, consistency).await
    }

    async fn issued_among(&self, id: &CouponId, users: &[UserId]) -> Result<Vec<IssuedCoupon>, StoreError> {
        self.inner.issued_among(id, users).await
    }

    async fn snapshot(&self, id: &CouponId, users: &[UserId]) -> Result<Option<Snapshot>, StoreError> {
        self.inner.snapshot(id, users).await
    }

    async fn coupons_of(&self, user: &UserId, after: Option<&CouponId>, limit: usize) -> Result<Page, StoreError> {
        self.inner.coupons_of(user, after, limit).await
    }

    async fn commit(&self, chunk: &Chunk, token: &Token) -> Result<Commit, StoreError> {
        if self.is_broken_by(Defect::EpochKept) {
            let kept = self.with_epochs_kept(chunk);
            let answer = self.inner.commit(&kept, token).await;
            return self.believed(&kept, answer);
        }
        let answer = self.inner.commit(chunk, token).await;
        self.believed(chunk, answer)
    }
}

/// A log as a function is handed it.
#[derive(Debug, Clone)]
pub(crate) struct SideLog<L> {
    pub(crate) inner: L,
    pub(crate) planted: Planted,
    pub(crate) names: Arc<Names>,
    /// What a reason is taken from that is taken from the wrong place.
    pub(crate) tables: MemoryStore,
}

impl<L> SideLog<L> {
    /// The result with its reason by what the person holds, not by the phase.
    fn by_items(&self, record: Record) -> Record {
        let result = record.value.as_deref().and_then(|value| serde_json::from_slice::<IssueResult>(value).ok());
        let Some(mut result) = result.filter(|one| matches!(one.status, ResultStatus::Rejected { .. })) else {
            return record;
        };
        let holds = |item: &IssuedCoupon| item.user_id == result.user_id && item.coupon_id == result.coupon_id;
        let is_held = self.tables.items().iter().any(holds);
        result.status =
            ResultStatus::Rejected { reason: if is_held { Reason::AlreadyIssued } else { Reason::SoldOut } };
        Record { value: serde_json::to_vec(&result).ok().map(Into::into), ..record }
    }
}

#[deny(clippy::missing_trait_methods)]
impl<L: Log> Log for SideLog<L> {
    async fn produce(&self, mut record: Record) -> Result<Delivery, LogError> {
        if self.planted.is(Defect::LetterBlocks) && record.topic == self.names.dead_letters {
            return Err(LogError::Forbidden("planted".into()));
        }
        let is_result = record.topic == self.names.results;
        if is_result && self.planted.is(Defect::ReasonFromItems) {
            record = self.by_items(record);
        }
        let answer = self.inner.produce(record).await;
        match answer {
            Err(_nobody_looks) if is_result && self.planted.is(Defect::ResultsNotAwaited) => {
                Ok(Delivery { partition: 0, offset: Some(0) })
            }
            answer => answer,
        }
    }

    async fn partitions(&self, topic: &str) -> Result<i32, LogError> {
        self.inner.partitions(topic).await
    }
}
