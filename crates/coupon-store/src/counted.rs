//! A store that counts how its attempts end, for metrics. The decorator sees single attempts, since the retry loop is
//! around it: what was repeated until it succeeded is counted all the same.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use coupon::{Chunk, CouponId, Head, IssuedCoupon, UserId};

use crate::{Commit, Consistency, Creation, Page, Snapshot, Store, StoreError, Token};

/// How attempts ended, apart from those that simply succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Endings {
    /// Commits whose head had moved.
    pub stale: u64,
    /// Commits that met somebody who holds the coupon.
    pub held: u64,
    /// The store had no capacity.
    pub throttled: u64,
    /// Another transaction held an item, or the same one was still under way.
    pub conflicts: u64,
    /// No answer.
    pub unanswered: u64,
}

/// The counts of one environment, taken after each invocation.
#[derive(Debug, Default)]
pub struct Counts {
    stale: AtomicU64,
    held: AtomicU64,
    throttled: AtomicU64,
    conflicts: AtomicU64,
    unanswered: AtomicU64,
}

impl Counts {
    /// What was counted since the last call.
    pub fn take(&self) -> Endings {
        let take = |count: &AtomicU64| count.swap(0, Ordering::Relaxed);
        Endings {
            stale: take(&self.stale),
            held: take(&self.held),
            throttled: take(&self.throttled),
            conflicts: take(&self.conflicts),
            unanswered: take(&self.unanswered),
        }
    }

    fn error(&self, error: &StoreError) {
        let count = match error {
            StoreError::Throttled(_) => &self.throttled,
            StoreError::Conflict(_) | StoreError::InProgress(_) => &self.conflicts,
            StoreError::Unknown(_) => &self.unanswered,
            StoreError::Refused(_) | StoreError::Corrupt(_) => return,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }
}

/// A store, counting.
#[derive(Debug, Clone)]
pub struct Counted<S> {
    inner: S,
    counts: Arc<Counts>,
}

impl<S> Counted<S> {
    /// Counts what `inner` answers.
    #[must_use]
    pub fn new(inner: S) -> Self {
        Self { inner, counts: Arc::default() }
    }

    /// The counts, for whoever takes them.
    #[must_use]
    pub fn counts(&self) -> Arc<Counts> {
        Arc::clone(&self.counts)
    }

    async fn seen<T>(&self, attempt: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        let answer = attempt.await;
        if let Err(error) = &answer {
            self.counts.error(error);
        }
        answer
    }
}

#[deny(clippy::missing_trait_methods)]
impl<S: Store> Store for Counted<S> {
    async fn create(&self, head: &Head) -> Result<Creation, StoreError> {
        self.seen(self.inner.create(head)).await
    }

    async fn head(&self, coupon_id: &CouponId, consistency: Consistency) -> Result<Option<Head>, StoreError> {
        self.seen(self.inner.head(coupon_id, consistency)).await
    }

    async fn issued(
        &self,
        user_id: &UserId,
        coupon_id: &CouponId,
        consistency: Consistency,
    ) -> Result<Option<IssuedCoupon>, StoreError> {
        self.seen(self.inner.issued(user_id, coupon_id, consistency)).await
    }

    async fn issued_among(&self, coupon_id: &CouponId, user_ids: &[UserId]) -> Result<Vec<IssuedCoupon>, StoreError> {
        self.seen(self.inner.issued_among(coupon_id, user_ids)).await
    }

    async fn snapshot(&self, coupon_id: &CouponId, user_ids: &[UserId]) -> Result<Option<Snapshot>, StoreError> {
        self.seen(self.inner.snapshot(coupon_id, user_ids)).await
    }

    async fn coupons_of(&self, user_id: &UserId, after: Option<&CouponId>, limit: usize) -> Result<Page, StoreError> {
        self.seen(self.inner.coupons_of(user_id, after, limit)).await
    }

    async fn commit(&self, chunk: &Chunk, token: &Token) -> Result<Commit, StoreError> {
        let commit = self.seen(self.inner.commit(chunk, token)).await?;
        let count = match &commit {
            Commit::Written => return Ok(commit),
            Commit::Stale => &self.counts.stale,
            Commit::Held(_) => &self.counts.held,
        };
        count.fetch_add(1, Ordering::Relaxed);
        Ok(commit)
    }
}
