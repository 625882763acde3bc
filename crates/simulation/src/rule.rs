//! Faults as decorators of the two ports: a rule sees each call and says what becomes of it. Whatever a rule does before
//! it answers (wait, let another go first, write down what it saw) happens before the call, and so on.
//!
//! The decorators hold no fault of their own; a rule that passes everything changes nothing.

use std::future::Future;

use coupon::{Chunk, CouponId, Head, IssuedCoupon, UserId};
use coupon_store::{Commit, Consistency, Creation, Page, Snapshot, Store, StoreError, Token};
use record_log::{Delivery, Log, LogError, Record};

/// What becomes of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict<E> {
    /// It is done and answered.
    Pass,
    /// It fails with this; nothing is done.
    Fail(E),
    /// It is done, and its answer is lost: the caller sees this instead.
    LoseAnswer(E),
}

/// A call of the store.
#[derive(Debug, Clone, Copy)]
pub enum StoreCall<'a> {
    /// [`Store::create`].
    Create(&'a Head),
    /// [`Store::head`].
    Head(&'a CouponId),
    /// [`Store::issued`].
    Issued(&'a UserId, &'a CouponId),
    /// [`Store::issued_among`].
    IssuedAmong(&'a CouponId, &'a [UserId]),
    /// [`Store::snapshot`].
    Snapshot(&'a CouponId, &'a [UserId]),
    /// [`Store::coupons_of`].
    CouponsOf(&'a UserId),
    /// [`Store::commit`].
    Commit(&'a Chunk, &'a Token),
}

/// What becomes of a store's calls.
pub trait StoreRule: Send + Sync {
    /// Asked before each call.
    fn judge(&self, call: StoreCall<'_>) -> impl Future<Output = Verdict<StoreError>> + Send;

    /// Told behind each call that was done, before its answer goes back.
    fn done(&self, _call: StoreCall<'_>) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }
}

/// A store under a rule.
#[derive(Debug, Clone)]
pub struct RuledStore<S, R> {
    /// The store itself.
    pub inner: S,
    /// What becomes of its calls.
    pub rule: R,
}

impl<S: Store, R: StoreRule> RuledStore<S, R> {
    async fn meet<T>(
        &self,
        call: StoreCall<'_>,
        answer: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let verdict = self.rule.judge(call).await;
        if let Verdict::Fail(error) = verdict {
            return Err(error);
        }
        let answer = answer.await;
        self.rule.done(call).await;
        match (verdict, answer) {
            (Verdict::LoseAnswer(error), Ok(_lost)) => Err(error),
            (Verdict::Pass | Verdict::Fail(_) | Verdict::LoseAnswer(_), answer) => answer,
        }
    }
}

#[deny(clippy::missing_trait_methods)]
impl<S: Store, R: StoreRule> Store for RuledStore<S, R> {
    async fn create(&self, head: &Head) -> Result<Creation, StoreError> {
        self.meet(StoreCall::Create(head), self.inner.create(head)).await
    }

    async fn head(&self, id: &CouponId, consistency: Consistency) -> Result<Option<Head>, StoreError> {
        self.meet(StoreCall::Head(id), self.inner.head(id, consistency)).await
    }

    async fn issued(
        &self,
        user: &UserId,
        id: &CouponId,
        consistency: Consistency,
    ) -> Result<Option<IssuedCoupon>, StoreError> {
        self.meet(StoreCall::Issued(user, id), self.inner.issued(user, id, consistency)).await
    }

    async fn issued_among(&self, id: &CouponId, users: &[UserId]) -> Result<Vec<IssuedCoupon>, StoreError> {
        self.meet(StoreCall::IssuedAmong(id, users), self.inner.issued_among(id, users)).await
    }

    async fn snapshot(&self, id: &CouponId, users: &[UserId]) -> Result<Option<Snapshot>, StoreError> {
        self.meet(StoreCall::Snapshot(id, users), self.inner.snapshot(id, users)).await
    }

    async fn coupons_of(&self, user: &UserId, after: Option<&CouponId>, limit: usize) -> Result<Page, StoreError> {
        self.meet(StoreCall::CouponsOf(user), self.inner.coupons_of(user, after, limit)).await
    }

    async fn commit(&self, chunk: &Chunk, token: &Token) -> Result<Commit, StoreError> {
        self.meet(StoreCall::Commit(chunk, token), self.inner.commit(chunk, token)).await
    }
}

/// A call of the log.
#[derive(Debug, Clone, Copy)]
pub enum LogCall<'a> {
    /// [`Log::produce`].
    Produce(&'a Record),
    /// [`Log::partitions`].
    Partitions(&'a str),
}

/// What becomes of a log's calls.
pub trait LogRule: Send + Sync {
    /// Asked before each call.
    fn judge(&self, call: LogCall<'_>) -> impl Future<Output = Verdict<LogError>> + Send;

    /// Told behind each call that was done, before its answer goes back; `place` is what a produce was answered.
    fn done(&self, _place: Option<Delivery>) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }
}

/// A log under a rule.
#[derive(Debug, Clone)]
pub struct RuledLog<L, R> {
    /// The log itself.
    pub inner: L,
    /// What becomes of its calls.
    pub rule: R,
}

#[deny(clippy::missing_trait_methods)]
impl<L: Log, R: LogRule> Log for RuledLog<L, R> {
    async fn produce(&self, record: Record) -> Result<Delivery, LogError> {
        let verdict = self.rule.judge(LogCall::Produce(&record)).await;
        if let Verdict::Fail(error) = verdict {
            return Err(error);
        }
        let answer = self.inner.produce(record).await;
        self.rule.done(answer.as_ref().ok().copied()).await;
        match (verdict, answer) {
            (Verdict::LoseAnswer(error), Ok(_lost)) => Err(error),
            (Verdict::Pass | Verdict::Fail(_) | Verdict::LoseAnswer(_), answer) => answer,
        }
    }

    async fn partitions(&self, topic: &str) -> Result<i32, LogError> {
        match self.rule.judge(LogCall::Partitions(topic)).await {
            Verdict::Fail(error) | Verdict::LoseAnswer(error) => Err(error),
            Verdict::Pass => {
                let answer = self.inner.partitions(topic).await;
                self.rule.done(None).await;
                answer
            }
        }
    }
}
