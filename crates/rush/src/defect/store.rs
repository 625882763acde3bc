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

/// What each coupon's commits came to, in their order.
pub(crate) type Applied = BTreeMap<CouponId, Vec<Moved>>;

/// The head behind a commit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moved {
    pub(crate) applied: Offset,
    pub(crate) remaining: u64,
    pub(crate) issued: u64,
    /// When it was written, ms from the start.
    pub(crate) at_ms: i64,
}

impl PlantedStore {
    fn strong(&self, defect: Defect, consistency: Consistency) -> Consistency {
        if self.planted.is(defect) { Consistency::Eventual } else { consistency }
    }

    /// Whether a snapshot is no better than its reads, and mends nothing.
    fn reads_snapshots_by_one(&self) -> bool {
        [Defect::StaleItems, Defect::SnapshotInPieces, Defect::SnapshotItemBeforeHead]
            .into_iter()
            .any(|defect| self.planted.is(defect))
    }

    /// Whether items are those of before the last read of a head.
    fn reads_items_early(&self) -> bool {
        self.planted.is(Defect::ItemBeforeHead) || self.planted.is(Defect::SnapshotItemBeforeHead)
    }

    /// Writes a chunk as it is, whatever is stored.
    fn force(&self, chunk: &Chunk) -> Commit {
        self.inner.inner.put_head(chunk.head.clone());
        for winner in &chunk.winners {
            self.inner.inner.put_item(winner.clone());
        }
        Commit::Written
    }

    /// The chunk as the defect makes it.
    async fn changed(&self, mut chunk: Chunk) -> Result<Chunk, StoreError> {
        let Some(stored) = self.inner.inner.head(&chunk.head.coupon_id, Consistency::Strong).await? else {
            return Ok(chunk);
        };
        let won = u64::try_from(chunk.winners.len()).unwrap_or(u64::MAX);
        match self.planted.defect {
            // The store counts by itself: what remains and what was issued follow from what is stored.
            Some(Defect::VersionIgnored) if stored.remaining >= won => {
                chunk.head.version = stored.version.next();
                chunk.head.remaining = stored.remaining.saturating_sub(won);
                chunk.head.issued = stored.issued.saturating_add(won);
            }
            Some(Defect::HeadIgnored) => chunk.head.version = stored.version.next(),
            Some(Defect::HeadOfBatchEnd) => {
                chunk.head.applied = chunk.head.applied.max(self.planted.batch_end(chunk.head.partition.get()));
            }
            Some(Defect::EpochForgotten) => chunk.head.epochs.clone_from(&stored.epochs),
            Some(Defect::ClockForgotten) => chunk.head.clock = stored.clock,
            Some(_) | None => {}
        }
        Ok(chunk)
    }

    /// Two writes where there should be one transaction; between them the writer may be gone.
    async fn in_two_writes(&self, chunk: &Chunk, token: &Token) -> Result<Commit, StoreError> {
        let users: Vec<UserId> = chunk.winners.iter().map(|winner| winner.user_id.clone()).collect();
        let held = self.inner.inner.issued_among(&chunk.head.coupon_id, &users).await?;
        if !held.is_empty() {
            return Ok(Commit::Held(held.into_iter().map(|item| item.user_id).collect()));
        }
        for winner in &chunk.winners {
            self.inner.inner.put_item(winner.clone());
        }
        if self.planted.happens(Defect::ItemsThenHead) {
            return Err(StoreError::Unknown("planted".into()));
        }
        let head_alone = Chunk { head: chunk.head.clone(), winners: Vec::new() };
        self.inner.commit(&head_alone, token).await
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
            let (remaining, issued) = (chunk.head.remaining, chunk.head.issued);
            let moved = Moved { applied, remaining, issued, at_ms: self.inner.timeline.elapsed_ms() };
            let moves = all.entry(chunk.head.coupon_id.clone()).or_default();
            // A token that was used is answered Written once more, and nothing moves.
            if moves.last().is_none_or(|last| last.applied < applied) {
                moves.push(moved);
            }
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
        if self.reads_items_early() {
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
        if self.reads_items_early() {
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
        let is_seen_late = self.planted.is(Defect::SeenInPieces) || self.planted.is(Defect::SnapshotInPieces);
        if !self.planted.is(Defect::StaleItems) && !self.reads_items_early() && !is_seen_late {
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
        // Not `self.head`, which would look at the items once more before it.
        let head = self.inner.head(id, self.strong(Defect::StaleHeads, Consistency::Strong)).await?;
        let Some(head) = head else { return Ok(None) };
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
        // Drawn whether or not it is used: with a defect or without, a seed is the same rush up to where it shows.
        let fresh_seed = self.planted.dice.below(u64::MAX);
        let fresh = self.planted.is(Defect::TokenIgnored).then(|| Tokens::with_seed(fresh_seed).next());
        let token = fresh.as_ref().unwrap_or(token);
        let changed = match self.planted.defect {
            Some(_) => Some(self.changed(chunk.clone()).await?),
            None => None,
        };
        let chunk = changed.as_ref().unwrap_or(chunk);
        let commit = match self.planted.is(Defect::ItemsThenHead) && !chunk.winners.is_empty() {
            true => self.in_two_writes(chunk, token).await?,
            false => self.inner.commit(chunk, token).await?,
        };
        self.note(chunk, &commit);
        match commit {
            Commit::Held(_users) if self.planted.is(Defect::HolderIgnored) => Ok(self.force(chunk)),
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
