//! A store with a defect planted in it; without one it does nothing.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use coupon::{Chunk, CouponId, Head, IssueResult, IssuedCoupon, Offset, Outcome, UserId, WINNERS_MAX};
use coupon_store::{Commit, Consistency, Creation, Page, Snapshot, Store, StoreError, Token, Tokens};
use record_log::{Log, Topic};
use simulation::MemoryLog;

use super::Defect;
use crate::{dice::Dice, lag::LaggingStore, trace::Trace};

/// How often a defect that happens at random does, in a thousand.
pub(crate) const OFTEN: u64 = 50;

/// How long a transaction may be seen in pieces, ms.
const PIECES_MS: u64 = 20;

/// What the parts of a planted defect share.
#[derive(Debug, Clone)]
pub(crate) struct Planted {
    pub(crate) defect: Option<Defect>,
    pub(crate) dice: Dice,
    /// The last offset of the batch that each partition was handed last.
    pub(crate) batch_ends: Arc<Mutex<BTreeMap<i32, i64>>>,
}

impl Planted {
    pub(crate) fn is(&self, defect: Defect) -> bool {
        self.defect == Some(defect)
    }

    /// Whether this defect is planted and happens now.
    pub(crate) fn happens(&self, defect: Defect) -> bool {
        self.is(defect) && self.dice.chance(OFTEN)
    }

    pub(crate) fn note_batch_end(&self, partition: i32, offset: i64) {
        self.batch_ends.lock().unwrap_or_else(PoisonError::into_inner).insert(partition, offset);
    }

    fn batch_end(&self, partition: i32) -> Option<Offset> {
        let ends = self.batch_ends.lock().unwrap_or_else(PoisonError::into_inner);
        ends.get(&partition).and_then(|offset| Offset::new(*offset).ok())
    }
}

/// The store with the defect.
#[derive(Debug, Clone)]
pub(crate) struct PlantedStore {
    pub(crate) inner: LaggingStore,
    pub(crate) planted: Planted,
    pub(crate) log: MemoryLog,
    pub(crate) results: String,
    /// The items as they were before the last read of a head, for the defect that reads them too early.
    pub(crate) early: Arc<Mutex<Vec<IssuedCoupon>>>,
    pub(crate) trace: Trace,
    /// When each head came to have applied what.
    pub(crate) applied: Arc<Mutex<Applied>>,
}

/// For each coupon, in the order of the commits: what was applied, and when, ms from the start.
pub(crate) type Applied = BTreeMap<CouponId, Vec<(Offset, i64)>>;

impl PlantedStore {
    fn strong(&self, defect: Defect, consistency: Consistency) -> Consistency {
        if self.planted.is(defect) { Consistency::Eventual } else { consistency }
    }

    /// Whether a snapshot is no better than its reads, and mends nothing.
    fn reads_snapshots_by_one(&self) -> bool {
        self.planted.is(Defect::StaleItems) || self.planted.is(Defect::SnapshotInPieces)
    }

    /// Writes a chunk as it is, whatever is stored.
    fn force(&self, chunk: &Chunk, winners: usize) -> Commit {
        self.inner.inner.put_head(chunk.head.clone());
        for winner in chunk.winners.iter().take(winners) {
            self.inner.inner.put_item(winner.clone());
        }
        Commit::Written
    }

    /// The chunk as the defect makes it.
    async fn changed(&self, chunk: &Chunk) -> Result<Chunk, StoreError> {
        let mut chunk = chunk.clone();
        let stored = self.inner.inner.head(&chunk.head.coupon_id, Consistency::Strong).await?;
        if self.planted.is(Defect::VersionIgnored)
            && let Some(stored) = &stored
        {
            chunk.head.version = stored.version.next();
        }
        if self.planted.is(Defect::HeadOfBatchEnd) {
            chunk.head.applied = chunk.head.applied.max(self.planted.batch_end(chunk.head.partition.get()));
        }
        if self.planted.is(Defect::EpochForgotten)
            && let Some(stored) = &stored
        {
            chunk.head.epochs.clone_from(&stored.epochs);
        }
        Ok(chunk)
    }

    fn note(&self, chunk: &Chunk, commit: &Commit) {
        let what = match commit {
            Commit::Written if chunk.winners.len() == WINNERS_MAX => "commit written full",
            Commit::Written if chunk.winners.is_empty() => "commit written bare",
            Commit::Written => "commit written",
            Commit::Stale => "commit stale",
            Commit::Held(_) => "commit held",
        };
        self.trace.note(what, chunk.head.coupon_id.as_str(), chunk.head.applied.map_or(-1, Offset::get));
        if let (Commit::Written, Some(applied)) = (commit, chunk.head.applied) {
            let mut all = self.applied.lock().unwrap_or_else(PoisonError::into_inner);
            let now = self.inner.timeline.elapsed_ms();
            all.entry(chunk.head.coupon_id.clone()).or_default().push((applied, now));
        }
    }

    async fn publish(&self, chunk: &Chunk) {
        let topic = Topic::<str, IssueResult>::new(self.results.as_str());
        for winner in &chunk.winners {
            let result = IssueResult {
                request_id: winner.ticket,
                coupon_id: winner.coupon_id.clone(),
                user_id: winner.user_id.clone(),
                status: Outcome::Issued { rank: winner.rank, issued_at: winner.issued_at }.into(),
            };
            if let Ok(record) = topic.record(winner.coupon_id.as_str(), &result) {
                drop(self.log.produce(record).await);
            }
        }
    }
}

#[deny(clippy::missing_trait_methods)]
impl Store for PlantedStore {
    async fn create(&self, head: &Head) -> Result<Creation, StoreError> {
        self.inner.create(head).await
    }

    async fn head(&self, id: &CouponId, consistency: Consistency) -> Result<Option<Head>, StoreError> {
        if self.planted.is(Defect::ItemBeforeHead) {
            *self.early.lock().unwrap_or_else(PoisonError::into_inner) = self.inner.inner.items();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.inner.head(id, self.strong(Defect::StaleHeads, consistency)).await
    }

    async fn issued(
        &self,
        user: &UserId,
        id: &CouponId,
        consistency: Consistency,
    ) -> Result<Option<IssuedCoupon>, StoreError> {
        if self.planted.is(Defect::ItemBeforeHead) {
            let early = self.early.lock().unwrap_or_else(PoisonError::into_inner);
            return Ok(early.iter().find(|item| item.user_id == *user && item.coupon_id == *id).cloned());
        }
        if self.planted.is(Defect::SeenInPieces) || self.planted.is(Defect::SnapshotInPieces) {
            let pieces_ms = i64::try_from(self.planted.dice.below(PIECES_MS)).unwrap_or(0);
            if self.inner.is_younger(user, id, pieces_ms) {
                return Ok(None);
            }
        }
        self.inner.issued(user, id, self.strong(Defect::StaleItems, consistency)).await
    }

    async fn issued_among(&self, id: &CouponId, users: &[UserId]) -> Result<Vec<IssuedCoupon>, StoreError> {
        let by_one = [Defect::StaleItems, Defect::ItemBeforeHead, Defect::SeenInPieces, Defect::SnapshotInPieces];
        if !by_one.into_iter().any(|defect| self.planted.is(defect)) {
            return self.inner.issued_among(id, users).await;
        }
        let mut found = Vec::new();
        for user in users {
            found.extend(self.issued(user, id, Consistency::Strong).await?);
        }
        Ok(found)
    }

    async fn snapshot(&self, id: &CouponId, users: &[UserId]) -> Result<Option<Snapshot>, StoreError> {
        if !self.reads_snapshots_by_one() {
            return self.inner.snapshot(id, users).await;
        }
        let Some(head) = self.head(id, Consistency::Strong).await? else { return Ok(None) };
        Ok(Some(Snapshot { head, items: self.issued_among(id, users).await? }))
    }

    async fn coupons_of(&self, user: &UserId, after: Option<&CouponId>, limit: usize) -> Result<Page, StoreError> {
        self.inner.coupons_of(user, after, limit).await
    }

    async fn commit(&self, chunk: &Chunk, token: &Token) -> Result<Commit, StoreError> {
        if self.planted.happens(Defect::WriteLost)
            || (self.planted.is(Defect::NoWinnerNoWrite) && chunk.winners.is_empty())
        {
            return Ok(Commit::Written);
        }
        if self.planted.is(Defect::ResultsFirst) {
            self.publish(chunk).await;
        }
        let chunk = self.changed(chunk).await?;
        let fresh = Tokens::with_seed(self.planted.dice.below(u64::MAX)).next();
        let token = if self.planted.is(Defect::TokenIgnored) { &fresh } else { token };
        let commit = self.inner.commit(&chunk, token).await?;
        self.note(&chunk, &commit);
        match commit {
            Commit::Held(_users) if self.planted.is(Defect::HolderIgnored) => Ok(self.force(&chunk, usize::MAX)),
            Commit::Written if self.planted.happens(Defect::TransactionTorn) => {
                for winner in chunk.winners.iter().skip(1) {
                    self.inner.inner.remove_item(&winner.user_id, &winner.coupon_id);
                }
                Ok(Commit::Written)
            }
            commit @ (Commit::Written | Commit::Stale | Commit::Held(_)) => Ok(commit),
        }
    }
}
