//! One coupon's part of a batch: load the head, fold, commit chunk by chunk, fold again where the store knows better,
//! and derive what was decided earlier. Tells every outcome as soon as it is committed, and ends when every record has
//! one, or with the reason why not.

use std::collections::{BTreeMap, BTreeSet};

use coupon::{
    Chunk, CouponId, DeadLetterReason, Decision, Entry, Head, IssuedCoupon, Offset, Outcome, Ticket, UserId, Verdict,
    decide, needs_item, outcome,
};
use coupon_store::{Commit, Consistency, Retrying, SNAPSHOT_USERS_MAX, Store, StoreError};

use crate::{
    batch::{CouponBatch, Request},
    holders::Holders,
};

/// What is known of a request for good: it is in the store, or can be derived from it at any time.
pub(crate) struct Decided<'b> {
    pub(crate) coupon_id: &'b CouponId,
    pub(crate) request: &'b Request,
    pub(crate) ticket: Ticket,
    pub(crate) outcome: Outcome,
    /// Whether an earlier invocation decided it.
    pub(crate) is_redelivered: bool,
}

/// What is no request after all, and why.
pub(crate) type Dead<'b> = Vec<(&'b Request, DeadLetterReason)>;

/// Why one coupon's part could not be finished.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unsettled {
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store says what cannot be: a coupon that existed a moment ago is gone, or a decided record has no outcome.
    #[error("the store contradicts itself: {0}")]
    Contradiction(String),
}

impl Unsettled {
    /// Whether the tables say what cannot be. A head whose issued and remaining coupons are not its total is refused by
    /// the store as unreadable, so that an oversold coupon is one of these.
    pub(crate) const fn is_contradiction(&self) -> bool {
        matches!(self, Self::Contradiction(_) | Self::Store(StoreError::Corrupt(_)))
    }
}

/// Settles one coupon's part of a batch: `tell` is given every request that is where its coupon lives, once, in log
/// order but for those that were decided earlier, which come last. What was told before an error stands.
pub(crate) async fn settle<'b, S: Store>(
    store: &Retrying<'_, S>,
    holders: &Holders,
    batch: &'b CouponBatch,
    tell: impl Fn(Decided<'b>) + Send + Sync,
) -> Result<Dead<'b>, Unsettled> {
    let Some(head) = store.head(&batch.coupon_id, Consistency::Strong).await? else {
        return Ok(batch.requests.iter().map(|request| (request, DeadLetterReason::UnknownCoupon)).collect());
    };
    let (requests, dead) = split_misplaced(&head, batch);
    if requests.is_empty() {
        return Ok(dead);
    }
    let entries: Vec<Entry> = requests.iter().map(|request| request.entry()).collect();
    let by_offset: BTreeMap<Offset, &Request> = requests.iter().map(|one| (one.place.offset, *one)).collect();
    let partition = head.partition;
    let tell = |offset, outcome, is_redelivered| {
        if let Some(request) = by_offset.get(&offset) {
            let ticket = Ticket { partition, offset };
            tell(Decided { coupon_id: &batch.coupon_id, request, ticket, outcome, is_redelivered });
        }
    };
    let mut fold = Fold {
        store,
        holders,
        tell: &tell,
        head,
        decided: BTreeSet::new(),
        found: BTreeSet::new(),
        absent: BTreeSet::new(),
        look_up: false,
    };
    fold.decide_all(&entries).await?;
    fold.derive_redelivered(&entries).await?;
    match entries.iter().find(|entry| !fold.decided.contains(&entry.offset)) {
        Some(entry) => Err(Unsettled::Contradiction(format!("offset {} has no outcome", entry.offset))),
        None => Ok(dead),
    }
}

/// Separates the requests that lie where their coupon lives from the rest.
fn split_misplaced<'b>(
    head: &Head,
    batch: &'b CouponBatch,
) -> (Vec<&'b Request>, Vec<(&'b Request, DeadLetterReason)>) {
    let mut requests = Vec::with_capacity(batch.requests.len());
    let mut dead = Vec::new();
    for request in &batch.requests {
        if request.source.topic != head.log {
            dead.push((request, DeadLetterReason::WrongLog));
        } else if request.place.partition != head.partition {
            dead.push((request, DeadLetterReason::WrongPartition));
        } else {
            requests.push(request);
        }
    }
    (requests, dead)
}

/// The rounds of folding and committing, with what was learnt between them.
struct Fold<'a, 's, S> {
    store: &'a Retrying<'s, S>,
    holders: &'a Holders,
    /// Takes every outcome, once, and whether it was decided earlier.
    tell: &'a (dyn Fn(Offset, Outcome, bool) + Send + Sync),
    head: Head,
    /// What was told.
    decided: BTreeSet<Offset>,
    /// Holders found in this invocation. The environment's memory may forget; a round must not, or it would repeat.
    found: BTreeSet<UserId>,
    /// People looked up in this invocation who held nothing then.
    absent: BTreeSet<UserId>,
    /// Whether winners are looked up before they are committed.
    look_up: bool,
}

/// What a round of commits ended with.
enum Round {
    /// Every chunk is committed.
    Done,
    /// Fold again: the head moved, or a holder was found.
    Again,
}

impl<S: Store> Fold<'_, '_, S> {
    /// Folds and commits until every entry is decided; tells the outcomes of those that were decided here. Each round
    /// commits, learns a holder, or loads a head that somebody else moved: the deadline bounds the rest.
    async fn decide_all(&mut self, entries: &[Entry]) -> Result<(), Unsettled> {
        self.look_up = self.holders.should_look_up(&self.head.coupon_id, self.head.issued);
        loop {
            let knows = |user: &UserId| self.found.contains(user) || self.holders.knows(&self.head.coupon_id, user);
            let decision = decide(&self.head, entries, knows);
            if let Round::Done = self.commit_all(&decision).await? {
                return Ok(());
            }
        }
    }

    async fn commit_all(&mut self, decision: &Decision) -> Result<Round, Unsettled> {
        let mut undecided = decision.decided.iter().peekable();
        for chunk in &decision.chunks {
            if self.look_up && self.finds_a_holder_among(chunk).await? {
                return Ok(Round::Again);
            }
            match self.store.commit(chunk).await? {
                Commit::Written => {}
                Commit::Held(users) => return self.learn(users),
                Commit::Stale => return self.reload().await,
            }
            self.holders.remember(&chunk.head.coupon_id, chunk.winners.iter().map(|winner| &winner.user_id));
            while let Some(one) = undecided.next_if(|one| chunk.head.has_applied(one.entry.offset)) {
                if let Verdict::New(outcome) = one.verdict {
                    self.outcome(one.entry.offset, outcome, false);
                }
            }
            self.head = chunk.head.clone();
        }
        Ok(Round::Done)
    }

    /// One round trip for all the winners of a chunk that were not looked up yet: reads are a tenth of the price of the
    /// cancelled transaction that they save. A holder whose item is not to be seen yet is found by the transaction.
    async fn finds_a_holder_among(&mut self, chunk: &Chunk) -> Result<bool, Unsettled> {
        let unknown = |user: &UserId| !self.absent.contains(user);
        let users: Vec<UserId> = chunk.winners.iter().map(|winner| winner.user_id.clone()).filter(unknown).collect();
        if users.is_empty() {
            return Ok(false);
        }
        let held = self.store.issued_among(&chunk.head.coupon_id, &users).await?;
        self.absent.extend(users);
        let found = !held.is_empty();
        self.know(held.into_iter().map(|item| item.user_id).collect());
        Ok(found)
    }

    fn learn(&mut self, users: Vec<UserId>) -> Result<Round, Unsettled> {
        if users.iter().all(|user| self.found.contains(user)) {
            let held = format!("{users:?} were folded as holders and still hold a place in the commit");
            return Err(Unsettled::Contradiction(held));
        }
        self.know(users);
        self.holders.note_cancellation(&self.head.coupon_id);
        self.look_up = true;
        Ok(Round::Again)
    }

    fn know(&mut self, users: Vec<UserId>) {
        self.holders.remember(&self.head.coupon_id, &users);
        self.found.extend(users);
    }

    /// Somebody else moved the head, or an earlier attempt of this very commit did and its answer was lost.
    async fn reload(&mut self) -> Result<Round, Unsettled> {
        let head = self.store.head(self.coupon_id(), Consistency::Strong).await?;
        self.head = head.ok_or_else(|| self.gone())?;
        // A winner of another invocation may be somebody who held nothing when we looked.
        self.absent.clear();
        Ok(Round::Again)
    }

    fn outcome(&mut self, offset: Offset, outcome: Outcome, is_redelivered: bool) {
        if self.decided.insert(offset) {
            (self.tell)(offset, outcome, is_redelivered);
        }
    }

    /// What earlier invocations decided, from the head and, for records of `OPEN` epochs, the people's items.
    async fn derive_redelivered(&mut self, entries: &[Entry]) -> Result<(), Unsettled> {
        let earlier: Vec<&Entry> = entries.iter().filter(|entry| !self.decided.contains(&entry.offset)).collect();
        let asked: BTreeSet<UserId> = earlier
            .iter()
            .filter(|entry| needs_item(&self.head, entry.offset))
            .map(|entry| entry.user_id.clone())
            .collect();
        let items: BTreeMap<UserId, IssuedCoupon> = if asked.is_empty() {
            BTreeMap::new()
        } else {
            let users: Vec<UserId> = asked.into_iter().collect();
            let found = self.store.issued_among(self.coupon_id(), &users).await?;
            found.into_iter().map(|item| (item.user_id.clone(), item)).collect()
        };
        let (head, mut unseen) = (self.head.clone(), Vec::new());
        for entry in earlier {
            match items.get(&entry.user_id) {
                None if needs_item(&self.head, entry.offset) => unseen.push(entry),
                item => self.derive(&head, item, entry),
            }
        }
        self.derive_unseen(&unseen).await
    }

    /// The same for people whose item was not found although they asked in an `OPEN` epoch, where everybody won or held
    /// a coupon already: the transaction that moved the head may be under way, beside us or left behind by a worker that
    /// is gone, and its items not to be seen yet. A snapshot sees all of it, or none. More people take several snapshots,
    /// of as many moments: each outcome is told by the head of its own, so that no order between them matters.
    ///
    /// Who is in none has no item for good: their request reached the log before its coupon. Waiting would never end.
    async fn derive_unseen(&mut self, unseen: &[&Entry]) -> Result<(), Unsettled> {
        let users: BTreeSet<UserId> = unseen.iter().map(|entry| entry.user_id.clone()).collect();
        let users: Vec<UserId> = users.into_iter().collect();
        for group in users.chunks(SNAPSHOT_USERS_MAX) {
            let snapshot = self.store.snapshot(self.coupon_id(), group).await?.ok_or_else(|| self.gone())?;
            let items: BTreeMap<&UserId, &IssuedCoupon> =
                snapshot.items.iter().map(|item| (&item.user_id, item)).collect();
            for entry in unseen.iter().filter(|entry| group.binary_search(&entry.user_id).is_ok()) {
                self.derive(&snapshot.head, items.get(&entry.user_id).copied(), entry);
            }
        }
        Ok(())
    }

    fn derive(&mut self, head: &Head, item: Option<&IssuedCoupon>, entry: &Entry) {
        let ticket = Ticket { partition: head.partition, offset: entry.offset };
        if let Some(outcome) = outcome(head, item, ticket) {
            self.outcome(entry.offset, outcome, true);
        }
    }

    fn gone(&self) -> Unsettled {
        Unsettled::Contradiction(format!("coupon {} was deleted while it was decided", self.coupon_id()))
    }

    fn coupon_id(&self) -> &CouponId {
        &self.head.coupon_id
    }
}
