//! The store port: what the functions need of a database, one attempt at a time, and the one retry loop around it.
//!
//! The preconditions of a write are types: [`Commit`] says what came of it, and an ordinary refusal is no error. Knows
//! no DynamoDB; `coupon-dynamodb` implements [`Store`], a simulation does too. Start with [`Store::commit`].

mod clock;
mod counted;
mod error;
mod retry;
mod token;

use std::future::Future;

use coupon::{Chunk, CouponId, Head, IssuedCoupon, UserId};

pub use clock::Deadline;
pub use counted::{Counted, Counts, Endings};
pub use error::StoreError;
pub use retry::{LOOKUP_USERS_MAX, Retry, Retrying};
pub use token::{Token, Tokens};

/// How fresh a read has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consistency {
    /// Sees every write that was answered before.
    Strong,
    /// May lag; half the price.
    Eventual,
}

/// What came of a creation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Creation {
    /// The head is written.
    Created,
    /// A coupon of this id exists; nothing was written.
    Exists,
}

/// What came of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Commit {
    /// The head still had the version before `chunk.head.version`; it and every winner's item are written.
    Written,
    /// The head had another version: somebody else decided further, or this very commit was written earlier and its
    /// answer lost. Nothing was written now; load again. Says so even when items were refused as well.
    Stale,
    /// The head's condition held, but these people hold the coupon already. Nothing was written; fold again knowing
    /// them.
    Held(Vec<UserId>),
}

/// Some of a person's coupons.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// Ascending by coupon id.
    pub items: Vec<IssuedCoupon>,
    /// Where the next page starts after; `None` when this is the last one.
    pub next: Option<CouponId>,
}

/// The people of one [`Store::snapshot`]. With the head they are the 100 items that one transaction of DynamoDB reads
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactGetItems.html>).
pub const SNAPSHOT_USERS_MAX: usize = 99;

/// A coupon and what some people hold of it, all as it stood at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The head.
    pub head: Head,
    /// One for each person who holds the coupon, in no order.
    pub items: Vec<IssuedCoupon>,
}

/// A store to load from and commit to. Every method is one attempt; [`Retrying`] is the loop.
///
/// Two reads may see a commit in pieces, however consistent each is: for a moment the one may find the head as the commit
/// leaves it, and the other, a moment later, no winner's item yet. Once the commit is answered, or a read has found an
/// item, every later strong read finds it. Only [`Store::snapshot`] reads more than one thing at one moment.
pub trait Store: Send + Sync {
    /// Writes a new coupon's head unless the id is taken.
    ///
    /// # Errors
    /// [`StoreError`]; after [`StoreError::Unknown`] it may have been written.
    fn create(&self, head: &Head) -> impl Future<Output = Result<Creation, StoreError>> + Send;

    /// A coupon's head.
    ///
    /// # Errors
    /// [`StoreError`], [`StoreError::Corrupt`] included.
    fn head(
        &self,
        coupon_id: &CouponId,
        consistency: Consistency,
    ) -> impl Future<Output = Result<Option<Head>, StoreError>> + Send;

    /// What one person holds of one coupon.
    ///
    /// # Errors
    /// [`StoreError`].
    fn issued(
        &self,
        user_id: &UserId,
        coupon_id: &CouponId,
        consistency: Consistency,
    ) -> impl Future<Output = Result<Option<IssuedCoupon>, StoreError>> + Send;

    /// What these people hold of one coupon, strongly consistent, in no order; who holds none is missing. Any number
    /// of people, repeated or not. One attempt: what the store leaves unprocessed is an error, not a gap.
    ///
    /// # Errors
    /// [`StoreError`].
    fn issued_among(
        &self,
        coupon_id: &CouponId,
        user_ids: &[UserId],
    ) -> impl Future<Output = Result<Vec<IssuedCoupon>, StoreError>> + Send;

    /// A coupon's head and what these people hold of it, strongly consistent and of one moment: no commit is seen in
    /// part. `None` where there is no such coupon. Who holds nothing is missing; people may be repeated, but at most
    /// [`SNAPSHOT_USERS_MAX`] may be different, since two calls would be two moments.
    ///
    /// Costs twice what plain reads of the same items cost: 2 read units for each item, found or not, and each further
    /// 4 KB of it. For what plain reads cannot tell.
    ///
    /// # Errors
    /// [`StoreError`]; [`StoreError::Conflict`] while one of the items is being written, [`StoreError::Refused`] for too
    /// many people.
    fn snapshot(
        &self,
        coupon_id: &CouponId,
        user_ids: &[UserId],
    ) -> impl Future<Output = Result<Option<Snapshot>, StoreError>> + Send;

    /// A person's coupons, ascending by id, starting behind `after`; `limit` is at least 1.
    ///
    /// # Errors
    /// [`StoreError`].
    fn coupons_of(
        &self,
        user_id: &UserId,
        after: Option<&CouponId>,
        limit: usize,
    ) -> impl Future<Output = Result<Page, StoreError>> + Send;

    /// Commits one chunk, whole or not at all, on the condition that the stored version is one less than
    /// `chunk.head.version` and that no winner holds the coupon. The same token within ten minutes writes once
    /// however often it is sent, and is answered `Written` again.
    ///
    /// # Errors
    /// [`StoreError`]; after [`StoreError::Unknown`] it may have been written, and only the same token tells.
    fn commit(&self, chunk: &Chunk, token: &Token) -> impl Future<Output = Result<Commit, StoreError>> + Send;
}
