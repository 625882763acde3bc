//! A right store made wrong in one way at a time.
#![expect(clippy::wildcard_enum_match_arm, reason = "a flaw shows in one place, everywhere else the store is right")]

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Mutex,
};

use coupon::{Chunk, CouponId, Head, IssuedCoupon, UserId, WINNERS_MAX};
use coupon_store::{
    Commit, Consistency, Creation, Page, SNAPSHOT_USERS_MAX, Snapshot, Store, StoreError, Token, Tokens,
};
use simulation::MemoryStore;

/// One way of being wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// None at all.
    None,
    /// A creation replaces what was there.
    CreationReplaces,
    /// A creation is answered and not carried out.
    CreationForgotten,
    /// A head is read without its epochs.
    EpochsForgotten,
    /// A head is read without its window.
    WindowForgotten,
    /// Every other read of a head gives the one before.
    OldHeads,
    /// A commit is written whatever the version.
    VersionIgnored,
    /// Between looking at the version and writing, others write.
    NotAtomic,
    /// A commit is answered and not carried out.
    CommitForgotten,
    /// A commit without winners is answered and not carried out.
    MoveForgotten,
    /// Holders are left out and the rest is written.
    HoldersIgnored,
    /// Holders are named, and the rest is written all the same.
    RestWritten,
    /// Only the first holder is named.
    OneHolderNamed,
    /// Everybody in the chunk is named as soon as one holds.
    EverybodyNamed,
    /// Holders are named even where the version is lost.
    HoldersFirst,
    /// No token is kept.
    TokensForgotten,
    /// A token is kept even if nothing was written by it.
    RefusedTokensKept,
    /// What is written already is answered `Written` whatever the token.
    AnyTokenReplays,
    /// Too many winners: the first ones are written.
    TooManyCut,
    /// A lookup gives an item for each time that it was asked for.
    LookupRepeats,
    /// A lookup looks at the first hundred only.
    LookupCut,
    /// A lookup finds other coupons, too.
    LookupOfAny,
    /// A snapshot's items are of a later moment than its head.
    SnapshotHeadFirst,
    /// A snapshot's head is of a later moment than its items.
    SnapshotItemsFirst,
    /// Every other snapshot is of the moment of the one before.
    SnapshotOld,
    /// A snapshot is of the first hundred less one, whoever else was asked for.
    SnapshotCut,
    /// A snapshot is refused where the same people are repeated.
    SnapshotCountsRepeats,
    /// A snapshot has an item for each time that it was asked for.
    SnapshotRepeats,
    /// A snapshot has items of other coupons, too.
    SnapshotOfAny,
    /// A coupon that does not exist has the snapshot of another.
    SnapshotOfNothing,
    /// A page says that there is more when there is not.
    NeverLastPage,
    /// A page has one more than asked for.
    LongPages,
    /// The next page starts with the last item of this one.
    PagesOverlap,
    /// Everybody's coupons are in the list.
    Everybodys,
}

impl Flaw {
    /// All but `None`.
    pub(crate) const ALL: [Self; 33] = [
        Self::CreationReplaces,
        Self::CreationForgotten,
        Self::EpochsForgotten,
        Self::WindowForgotten,
        Self::OldHeads,
        Self::VersionIgnored,
        Self::NotAtomic,
        Self::CommitForgotten,
        Self::MoveForgotten,
        Self::HoldersIgnored,
        Self::RestWritten,
        Self::OneHolderNamed,
        Self::EverybodyNamed,
        Self::HoldersFirst,
        Self::TokensForgotten,
        Self::RefusedTokensKept,
        Self::AnyTokenReplays,
        Self::TooManyCut,
        Self::LookupRepeats,
        Self::LookupCut,
        Self::LookupOfAny,
        Self::SnapshotHeadFirst,
        Self::SnapshotItemsFirst,
        Self::SnapshotOld,
        Self::SnapshotCut,
        Self::SnapshotCountsRepeats,
        Self::SnapshotRepeats,
        Self::SnapshotOfAny,
        Self::SnapshotOfNothing,
        Self::NeverLastPage,
        Self::LongPages,
        Self::PagesOverlap,
        Self::Everybodys,
    ];
}

/// A store with a flaw.
#[derive(Debug)]
pub(crate) struct Flawed {
    inner: MemoryStore,
    flaw: Flaw,
    tokens: Tokens,
    old_heads: Mutex<BTreeMap<CouponId, Head>>,
    refused_tokens: Mutex<BTreeSet<String>>,
    old_snapshots: Mutex<BTreeMap<(CouponId, Vec<UserId>), Snapshot>>,
}

impl Flawed {
    pub(crate) fn new(inner: MemoryStore, flaw: Flaw) -> Self {
        let tokens = Tokens::with_seed(7);
        let (old_heads, refused_tokens, old_snapshots) = (Mutex::default(), Mutex::default(), Mutex::default());
        Self { inner, flaw, tokens, old_heads, refused_tokens, old_snapshots }
    }

    /// What is stored, past every flaw.
    async fn stored(&self, chunk: &Chunk) -> Option<Head> {
        self.inner.head(&chunk.head.coupon_id, Consistency::Strong).await.unwrap()
    }

    /// The same chunk as if it had been decided from what is stored now.
    async fn rebased(&self, chunk: &Chunk) -> Chunk {
        let mut chunk = chunk.clone();
        if let Some(stored) = self.stored(&chunk).await {
            chunk.head.version = stored.version.next();
        }
        chunk
    }

    /// Two reads that are none of one moment.
    async fn torn_snapshot(&self, id: &CouponId, users: &[UserId]) -> Result<Option<Snapshot>, StoreError> {
        let is_head_first = self.flaw == Flaw::SnapshotHeadFirst;
        let early = self.inner.snapshot(id, users).await?;
        tokio::task::yield_now().await;
        let late = self.inner.snapshot(id, users).await?;
        let (head, items) = if is_head_first { (early, late) } else { (late, early) };
        Ok(head.zip(items).map(|(head, items)| Snapshot { head: head.head, items: items.items }))
    }

    async fn commit_rest(&self, chunk: &Chunk, held: &[UserId]) {
        let mut rest = chunk.clone();
        rest.winners.retain(|winner| !held.contains(&winner.user_id));
        self.inner.commit(&rest, &self.tokens.next()).await.unwrap();
    }

    async fn holders(&self, chunk: &Chunk) -> Vec<UserId> {
        let users: Vec<UserId> = chunk.winners.iter().map(|winner| winner.user_id.clone()).collect();
        let held = self.inner.issued_among(&chunk.head.coupon_id, &users).await.unwrap();
        held.into_iter().map(|item| item.user_id).collect()
    }

    /// The flaws that show before the right store is asked.
    async fn flawed_commit(&self, chunk: &Chunk, token: &Token) -> Option<Result<Commit, StoreError>> {
        match self.flaw {
            Flaw::CommitForgotten => Some(Ok(Commit::Written)),
            Flaw::MoveForgotten if chunk.winners.is_empty() => Some(Ok(Commit::Written)),
            Flaw::VersionIgnored => Some(self.inner.commit(&self.rebased(chunk).await, &self.tokens.next()).await),
            Flaw::NotAtomic => {
                let version = self.stored(chunk).await?.version;
                if version.next() != chunk.head.version {
                    return None;
                }
                tokio::task::yield_now().await;
                Some(self.inner.commit(&self.rebased(chunk).await, token).await)
            }
            Flaw::TokensForgotten => Some(self.inner.commit(chunk, &self.tokens.next()).await),
            Flaw::RefusedTokensKept if self.refused_tokens.lock().unwrap().contains(token.as_str()) => {
                Some(Ok(Commit::Written))
            }
            Flaw::TooManyCut if chunk.winners.len() > WINNERS_MAX => {
                let mut cut = chunk.clone();
                cut.winners.truncate(WINNERS_MAX);
                Some(self.inner.commit(&cut, token).await)
            }
            _ => None,
        }
    }

    /// The flaws that show in what the right store answers.
    async fn flawed_answer(&self, chunk: &Chunk, token: &Token, answer: Commit) -> Commit {
        match (self.flaw, answer) {
            (Flaw::HoldersIgnored, Commit::Held(users)) => {
                self.commit_rest(chunk, &users).await;
                Commit::Written
            }
            (Flaw::RestWritten, Commit::Held(users)) => {
                self.commit_rest(chunk, &users).await;
                Commit::Held(users)
            }
            (Flaw::OneHolderNamed, Commit::Held(users)) => Commit::Held(users.into_iter().take(1).collect()),
            (Flaw::EverybodyNamed, Commit::Held(_)) => {
                Commit::Held(chunk.winners.iter().map(|winner| winner.user_id.clone()).collect())
            }
            (Flaw::HoldersFirst, Commit::Stale) => match self.holders(chunk).await {
                holders if holders.is_empty() => Commit::Stale,
                holders => Commit::Held(holders),
            },
            (Flaw::RefusedTokensKept, Commit::Held(users)) => {
                self.refused_tokens.lock().unwrap().insert(token.as_str().to_owned());
                Commit::Held(users)
            }
            (Flaw::AnyTokenReplays, Commit::Stale) if self.stored(chunk).await.as_ref() == Some(&chunk.head) => {
                Commit::Written
            }
            (_, answer) => answer,
        }
    }
}

#[deny(clippy::missing_trait_methods)]
impl Store for Flawed {
    async fn create(&self, head: &Head) -> Result<Creation, StoreError> {
        match self.flaw {
            Flaw::CreationReplaces => self.inner.put_head(head.clone()),
            Flaw::CreationForgotten => return Ok(Creation::Created),
            _ => {}
        }
        self.inner.create(head).await
    }

    async fn head(&self, coupon_id: &CouponId, consistency: Consistency) -> Result<Option<Head>, StoreError> {
        let Some(mut head) = self.inner.head(coupon_id, consistency).await? else { return Ok(None) };
        match self.flaw {
            Flaw::EpochsForgotten => head.epochs.clear(),
            Flaw::WindowForgotten => head.window = coupon::Window::default(),
            Flaw::OldHeads => {
                let mut old = self.old_heads.lock().unwrap();
                if let Some(before) = old.remove(coupon_id) {
                    return Ok(Some(before));
                }
                old.insert(coupon_id.clone(), head.clone());
            }
            _ => {}
        }
        Ok(Some(head))
    }

    async fn issued(
        &self,
        user_id: &UserId,
        coupon_id: &CouponId,
        consistency: Consistency,
    ) -> Result<Option<IssuedCoupon>, StoreError> {
        self.inner.issued(user_id, coupon_id, consistency).await
    }

    async fn issued_among(&self, coupon_id: &CouponId, user_ids: &[UserId]) -> Result<Vec<IssuedCoupon>, StoreError> {
        match self.flaw {
            Flaw::LookupRepeats => {
                let mut found = Vec::new();
                for user in user_ids {
                    found.extend(self.inner.issued(user, coupon_id, Consistency::Strong).await?);
                }
                Ok(found)
            }
            Flaw::LookupCut => self.inner.issued_among(coupon_id, &user_ids[..user_ids.len().min(100)]).await,
            Flaw::LookupOfAny => {
                Ok(self.inner.items().into_iter().filter(|item| user_ids.contains(&item.user_id)).collect())
            }
            _ => self.inner.issued_among(coupon_id, user_ids).await,
        }
    }

    async fn snapshot(&self, coupon_id: &CouponId, user_ids: &[UserId]) -> Result<Option<Snapshot>, StoreError> {
        match self.flaw {
            Flaw::SnapshotHeadFirst | Flaw::SnapshotItemsFirst => return self.torn_snapshot(coupon_id, user_ids).await,
            Flaw::SnapshotCut => {
                let cut = &user_ids[..user_ids.len().min(SNAPSHOT_USERS_MAX)];
                return self.inner.snapshot(coupon_id, cut).await;
            }
            Flaw::SnapshotCountsRepeats if user_ids.len() > SNAPSHOT_USERS_MAX => {
                return Err(StoreError::Refused("more than 99".into()));
            }
            _ => {}
        }
        let Some(mut snapshot) = self.inner.snapshot(coupon_id, user_ids).await? else {
            let other = self.inner.heads().pop().filter(|_| self.flaw == Flaw::SnapshotOfNothing);
            return Ok(other.map(|head| Snapshot { head, items: Vec::new() }));
        };
        match self.flaw {
            Flaw::SnapshotOld => {
                let key = (coupon_id.clone(), user_ids.to_vec());
                let mut old = self.old_snapshots.lock().unwrap();
                if let Some(before) = old.remove(&key) {
                    return Ok(Some(before));
                }
                old.insert(key, snapshot.clone());
            }
            Flaw::SnapshotRepeats => {
                let asked = |item: &IssuedCoupon| user_ids.iter().filter(|user| **user == item.user_id).count();
                snapshot.items = snapshot.items.into_iter().flat_map(|item| vec![item.clone(); asked(&item)]).collect();
            }
            Flaw::SnapshotOfAny => {
                snapshot.items = self.inner.items();
                snapshot.items.retain(|item| user_ids.contains(&item.user_id));
            }
            _ => {}
        }
        Ok(Some(snapshot))
    }

    async fn coupons_of(&self, user_id: &UserId, after: Option<&CouponId>, limit: usize) -> Result<Page, StoreError> {
        let asked = if self.flaw == Flaw::LongPages { limit + 1 } else { limit };
        let mut page = self.inner.coupons_of(user_id, after, asked).await?;
        match self.flaw {
            Flaw::NeverLastPage => page.next = page.items.last().map(|item| item.coupon_id.clone()),
            Flaw::PagesOverlap if page.next.is_some() && page.items.len() > 1 => {
                page.next = page.items.iter().rev().nth(1).map(|item| item.coupon_id.clone());
            }
            Flaw::Everybodys => {
                page.items = self.inner.items();
                page.items.truncate(limit);
            }
            _ => {}
        }
        Ok(page)
    }

    async fn commit(&self, chunk: &Chunk, token: &Token) -> Result<Commit, StoreError> {
        if let Some(answer) = self.flawed_commit(chunk, token).await {
            return answer;
        }
        let answer = self.inner.commit(chunk, token).await?;
        Ok(self.flawed_answer(chunk, token, answer).await)
    }
}
