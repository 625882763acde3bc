//! A store in memory: two maps, and transactions that write all or nothing, once for each token.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use coupon::{Chunk, CouponId, Head, IssuedCoupon, UserId, WINNERS_MAX};
use coupon_store::{Commit, Consistency, Creation, Page, SNAPSHOT_USERS_MAX, Snapshot, Store, StoreError, Token};

/// A store that keeps everything in this process. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    heads: BTreeMap<CouponId, Head>,
    items: BTreeMap<(UserId, CouponId), IssuedCoupon>,
    /// What was written under a token: a second commit with it is answered, not written.
    written: BTreeMap<String, Chunk>,
}

impl State {
    fn held(&self, coupon_id: &CouponId, users: &BTreeSet<&UserId>) -> Vec<IssuedCoupon> {
        let item = |user: &&UserId| self.items.get(&((*user).clone(), coupon_id.clone())).cloned();
        users.iter().filter_map(item).collect()
    }
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Every head, for whoever checks a world.
    #[must_use]
    pub fn heads(&self) -> Vec<Head> {
        self.state().heads.values().cloned().collect()
    }

    /// Every issued coupon, ascending by person and coupon.
    #[must_use]
    pub fn items(&self) -> Vec<IssuedCoupon> {
        self.state().items.values().cloned().collect()
    }

    /// Puts a head as it is, as an operator or a restored backup would.
    pub fn put_head(&self, head: Head) {
        self.state().heads.insert(head.coupon_id.clone(), head);
    }

    /// Puts an issued coupon as it is, whatever was there.
    pub fn put_item(&self, item: IssuedCoupon) {
        self.state().items.insert((item.user_id.clone(), item.coupon_id.clone()), item);
    }

    /// Takes an issued coupon away, as nobody should.
    pub fn remove_item(&self, user_id: &UserId, coupon_id: &CouponId) {
        self.state().items.remove(&(user_id.clone(), coupon_id.clone()));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change below is one step, so a panic elsewhere leaves the state whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    async fn create(&self, head: &Head) -> Result<Creation, StoreError> {
        let mut state = self.state();
        if state.heads.contains_key(&head.coupon_id) {
            return Ok(Creation::Exists);
        }
        state.heads.insert(head.coupon_id.clone(), head.clone());
        Ok(Creation::Created)
    }

    async fn head(&self, coupon_id: &CouponId, _consistency: Consistency) -> Result<Option<Head>, StoreError> {
        Ok(self.state().heads.get(coupon_id).cloned())
    }

    async fn issued(
        &self,
        user_id: &UserId,
        coupon_id: &CouponId,
        _consistency: Consistency,
    ) -> Result<Option<IssuedCoupon>, StoreError> {
        Ok(self.state().items.get(&(user_id.clone(), coupon_id.clone())).cloned())
    }

    async fn issued_among(&self, coupon_id: &CouponId, user_ids: &[UserId]) -> Result<Vec<IssuedCoupon>, StoreError> {
        Ok(self.state().held(coupon_id, &user_ids.iter().collect()))
    }

    async fn snapshot(&self, coupon_id: &CouponId, user_ids: &[UserId]) -> Result<Option<Snapshot>, StoreError> {
        let users: BTreeSet<&UserId> = user_ids.iter().collect();
        if users.len() > SNAPSHOT_USERS_MAX {
            let detail = format!("{} people in a snapshot, at most {SNAPSHOT_USERS_MAX}", users.len());
            return Err(StoreError::Refused(detail));
        }
        let state = self.state();
        let head = state.heads.get(coupon_id).cloned();
        Ok(head.map(|head| Snapshot { head, items: state.held(coupon_id, &users) }))
    }

    async fn coupons_of(&self, user_id: &UserId, after: Option<&CouponId>, limit: usize) -> Result<Page, StoreError> {
        let state = self.state();
        let mut found = state
            .items
            .values()
            .filter(|item| item.user_id == *user_id && after.is_none_or(|after| item.coupon_id > *after))
            .cloned();
        let items: Vec<IssuedCoupon> = found.by_ref().take(limit.max(1)).collect();
        let next = found.next().and_then(|_more| items.last()).map(|item| item.coupon_id.clone());
        Ok(Page { items, next })
    }

    async fn commit(&self, chunk: &Chunk, token: &Token) -> Result<Commit, StoreError> {
        if chunk.winners.len() > WINNERS_MAX {
            let detail = format!("{} winners in a chunk, at most {WINNERS_MAX}", chunk.winners.len());
            return Err(StoreError::Refused(detail));
        }
        let mut state = self.state();
        match state.written.get(token.as_str()) {
            Some(written) if written == chunk => return Ok(Commit::Written),
            Some(_other) => return Err(StoreError::Refused("the token was used for another commit".into())),
            None => {}
        }
        let stored = state.heads.get(&chunk.head.coupon_id);
        if stored.is_none_or(|stored| stored.version.next() != chunk.head.version) {
            return Ok(Commit::Stale);
        }
        let key = |winner: &IssuedCoupon| (winner.user_id.clone(), winner.coupon_id.clone());
        let holds = |winner: &&IssuedCoupon| state.items.contains_key(&key(winner));
        let held: Vec<UserId> = chunk.winners.iter().filter(holds).map(|winner| winner.user_id.clone()).collect();
        if !held.is_empty() {
            return Ok(Commit::Held(held));
        }
        state.heads.insert(chunk.head.coupon_id.clone(), chunk.head.clone());
        state.items.extend(chunk.winners.iter().map(|winner| (key(winner), winner.clone())));
        state.written.insert(token.as_str().to_owned(), chunk.clone());
        Ok(Commit::Written)
    }
}
