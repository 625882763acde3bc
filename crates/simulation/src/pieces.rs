//! A store whose commits are seen in pieces, as DynamoDB's may be: a transaction under way is seen by a strongly consistent
//! read of the head before it is seen by those of the items. The writer is answered behind it.
//!
//! Serializable, each read by itself, and not strictly so: `docs/correctness.md` has the sources and what follows.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use coupon::{Chunk, CouponId, Head, IssuedCoupon, UserId};
use coupon_store::{Commit, Consistency, Creation, Deadline, Page, Snapshot, Store, StoreError, Token};

/// A store in pieces. Clones share what is under way.
#[derive(Debug, Clone)]
pub struct PiecewiseStore<S, G> {
    /// The store itself, which sees every transaction whole.
    pub inner: S,
    gap: G,
    under_way: Arc<Mutex<BTreeMap<CouponId, UnderWay>>>,
}

/// The last transaction of a coupon that wrote winners.
#[derive(Debug)]
struct UnderWay {
    chunk: Chunk,
    token: Token,
    /// When its items can be read.
    seen: Deadline,
}

impl UnderWay {
    fn is_over(&self) -> bool {
        self.seen.left().is_zero()
    }
}

impl<S: Store, G: Fn() -> Duration + Send + Sync> PiecewiseStore<S, G> {
    /// `inner`, with the items of each commit as much later than its head as `gap` says then. Until they can be read, the
    /// commit is not answered, and whatever else commits to the coupon or takes a snapshot meets it and is refused.
    pub fn new(inner: S, gap: G) -> Self {
        Self { inner, gap, under_way: Arc::default() }
    }

    fn with<T>(&self, look: impl FnOnce(&mut BTreeMap<CouponId, UnderWay>) -> T) -> T {
        look(&mut self.under_way.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn is_seen(&self, item: &IssuedCoupon) -> bool {
        self.with(|all| all.get(&item.coupon_id).is_none_or(|one| one.is_over() || !one.chunk.winners.contains(item)))
    }

    /// The error that a call meets which a transaction under way does not let pass.
    fn meets(&self, coupon_id: &CouponId, token: Option<&Token>) -> Result<(), StoreError> {
        self.with(|all| match all.get(coupon_id).filter(|one| !one.is_over()) {
            None => Ok(()),
            Some(one) if Some(&one.token) == token => Err(StoreError::InProgress(format!("coupon {coupon_id}"))),
            Some(_other) => Err(StoreError::Conflict(format!("coupon {coupon_id}"))),
        })
    }

    /// Begins a transaction that was just written; gives the moment when all of it can be seen. `None` for what is one
    /// item only, and for what was written earlier and came again with its token.
    fn begin(&self, chunk: &Chunk, token: &Token) -> Option<Deadline> {
        self.with(|all| {
            let last = all.get(&chunk.head.coupon_id).map(|last| last.chunk.head.version);
            if chunk.winners.is_empty() || last >= Some(chunk.head.version) {
                return None;
            }
            let seen = Deadline::after((self.gap)());
            let one = UnderWay { chunk: chunk.clone(), token: token.clone(), seen };
            all.insert(chunk.head.coupon_id.clone(), one);
            (!seen.left().is_zero()).then_some(seen)
        })
    }
}

#[deny(clippy::missing_trait_methods)]
impl<S: Store, G: Fn() -> Duration + Send + Sync> Store for PiecewiseStore<S, G> {
    async fn create(&self, head: &Head) -> Result<Creation, StoreError> {
        self.inner.create(head).await
    }

    async fn head(&self, id: &CouponId, consistency: Consistency) -> Result<Option<Head>, StoreError> {
        self.inner.head(id, consistency).await
    }

    async fn issued(
        &self,
        user: &UserId,
        id: &CouponId,
        consistency: Consistency,
    ) -> Result<Option<IssuedCoupon>, StoreError> {
        Ok(self.inner.issued(user, id, consistency).await?.filter(|item| self.is_seen(item)))
    }

    async fn issued_among(&self, id: &CouponId, users: &[UserId]) -> Result<Vec<IssuedCoupon>, StoreError> {
        let mut found = self.inner.issued_among(id, users).await?;
        found.retain(|item| self.is_seen(item));
        Ok(found)
    }

    async fn snapshot(&self, id: &CouponId, users: &[UserId]) -> Result<Option<Snapshot>, StoreError> {
        self.meets(id, None)?;
        self.inner.snapshot(id, users).await
    }

    async fn coupons_of(&self, user: &UserId, after: Option<&CouponId>, limit: usize) -> Result<Page, StoreError> {
        let mut page = self.inner.coupons_of(user, after, limit).await?;
        page.items.retain(|item| self.is_seen(item));
        Ok(page)
    }

    async fn commit(&self, chunk: &Chunk, token: &Token) -> Result<Commit, StoreError> {
        self.meets(&chunk.head.coupon_id, Some(token))?;
        let commit = self.inner.commit(chunk, token).await?;
        if commit == Commit::Written
            && let Some(seen) = self.begin(chunk, token)
        {
            tokio::time::sleep_until(seen.instant()).await;
        }
        Ok(commit)
    }
}
