//! A store whose eventually consistent reads lag, as DynamoDB's may: for a second behind a write they may not see it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use coupon::{Chunk, CouponId, Head, IssuedCoupon, UserId};
use coupon_store::{Commit, Consistency, Creation, Page, Snapshot, Store, StoreError, Token};
use simulation::MemoryStore;

use crate::{dice::Dice, timeline::Timeline};

/// How long a write may stay unseen, ms.
const LAG_MS: i64 = 1_000;

/// How often a read within that time misses it, in a thousand.
const MISSES: u64 = 500;

/// The lagging store. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct LaggingStore {
    pub(crate) inner: MemoryStore,
    pub(crate) dice: Dice,
    pub(crate) timeline: Timeline,
    written: Arc<Mutex<Written>>,
}

#[derive(Debug, Default)]
struct Written {
    /// When an item was written.
    items: BTreeMap<(UserId, CouponId), i64>,
    /// The head before the last, and when the last was written.
    heads: BTreeMap<CouponId, (Option<Head>, i64)>,
}

impl LaggingStore {
    pub(crate) fn new(inner: MemoryStore, dice: Dice, timeline: Timeline) -> Self {
        Self { inner, dice, timeline, written: Arc::default() }
    }

    /// Whether an item was written so many milliseconds ago, or less.
    pub(crate) fn is_younger(&self, user: &UserId, id: &CouponId, age_ms: i64) -> bool {
        let at = self.with(|written| written.items.get(&(user.clone(), id.clone())).copied());
        at.is_some_and(|at| self.timeline.elapsed_ms().saturating_sub(at) <= age_ms)
    }

    fn misses(&self, written_ms: Option<i64>) -> bool {
        let age_ms = written_ms.map(|at| self.timeline.elapsed_ms().saturating_sub(at));
        age_ms.is_some_and(|age_ms| age_ms < LAG_MS) && self.dice.chance(MISSES)
    }

    fn with<T>(&self, look: impl FnOnce(&mut Written) -> T) -> T {
        look(&mut self.written.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[deny(clippy::missing_trait_methods)]
impl Store for LaggingStore {
    async fn create(&self, head: &Head) -> Result<Creation, StoreError> {
        let creation = self.inner.create(head).await?;
        if creation == Creation::Created {
            let now = self.timeline.elapsed_ms();
            self.with(|written| written.heads.insert(head.coupon_id.clone(), (None, now)));
        }
        Ok(creation)
    }

    async fn head(&self, id: &CouponId, consistency: Consistency) -> Result<Option<Head>, StoreError> {
        if consistency == Consistency::Eventual
            && let Some((before, at)) = self.with(|written| written.heads.get(id).cloned())
            && self.misses(Some(at))
        {
            return Ok(before);
        }
        self.inner.head(id, consistency).await
    }

    async fn issued(
        &self,
        user: &UserId,
        id: &CouponId,
        consistency: Consistency,
    ) -> Result<Option<IssuedCoupon>, StoreError> {
        if consistency == Consistency::Eventual {
            let at = self.with(|written| written.items.get(&(user.clone(), id.clone())).copied());
            if self.misses(at) {
                return Ok(None);
            }
        }
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
        let id = &chunk.head.coupon_id;
        let before = self.inner.head(id, Consistency::Strong).await?;
        let commit = self.inner.commit(chunk, token).await?;
        if commit == Commit::Written {
            let now = self.timeline.elapsed_ms();
            self.with(|written| {
                written.heads.insert(id.clone(), (before, now));
                let keys = chunk.winners.iter().map(|winner| (winner.user_id.clone(), winner.coupon_id.clone()));
                written.items.extend(keys.map(|key| (key, now)));
            });
        }
        Ok(commit)
    }
}
