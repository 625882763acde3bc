//! A coupon of its own for each case, and the steps that cases share. No assertion about the store's behaviour.

use std::time::Duration;

use coupon::{
    Chunk, CouponId, CouponName, Entry, Head, IssuedCoupon, NewCoupon, Offset, Partition, Timestamp, Total, UserId,
    Window, decide,
};
use coupon_store::{Commit, Consistency, Creation, Deadline, Retrying, Store, Token, Tokens};

/// 2026-11-20T03:00:00.000Z, where every case's clock starts.
const START_MS: i64 = 1_795_143_600_000;

/// How long a case may take for one step, repetitions included. Generous: it only ends what would hang.
const STEP: Duration = Duration::from_secs(30);

/// A person of a case.
#[must_use]
pub fn user(case: &str, number: usize) -> UserId {
    UserId::parse(&format!("{case}-user-{number}")).unwrap()
}

/// A store, and a coupon that belongs to one case.
#[derive(Debug)]
pub struct Fixture<'a, S> {
    /// The store that is held to its contract.
    pub store: &'a S,
    /// Where its tokens come from.
    pub tokens: Tokens,
    /// The case's name, in front of its people's.
    pub case: String,
}

impl<'a, S: Store> Fixture<'a, S> {
    /// A case on a coupon called as the case is.
    #[must_use]
    pub fn new(store: &'a S, case: &str) -> Self {
        Self { store, tokens: Tokens::new(), case: case.to_owned() }
    }

    /// The case's coupon.
    #[must_use]
    pub fn coupon_id(&self) -> CouponId {
        CouponId::parse(&self.case).unwrap()
    }

    /// Another coupon of this case.
    #[must_use]
    pub fn other_id(&self, suffix: usize) -> CouponId {
        CouponId::parse(&format!("{}-{suffix}", self.case)).unwrap()
    }

    /// A person of this case.
    #[must_use]
    pub fn user(&self, number: usize) -> UserId {
        user(&self.case, number)
    }

    /// A token not used before.
    #[must_use]
    pub fn token(&self) -> Token {
        self.tokens.next()
    }

    /// The store with its retry loop, for steps that are not what the case is about: a real store may throttle them.
    #[must_use]
    pub fn retrying(&self) -> Retrying<'_, S> {
        Retrying::new(self.store, &self.tokens, Deadline::after(STEP))
    }

    /// The head of a coupon of `total`, not yet written.
    #[must_use]
    pub fn fresh(&self, coupon_id: CouponId, total: u64) -> Head {
        let name = CouponName::parse("봄 sale").unwrap();
        let coupon = NewCoupon { coupon_id, name, total: Total::new(total).unwrap(), window: Window::default() };
        Head::new(coupon, "coupon-issue-request".into(), Partition::new(3).unwrap())
    }

    /// Creates the case's coupon.
    pub async fn created(&self, total: u64) -> Head {
        self.created_as(self.coupon_id(), total).await
    }

    /// Creates another coupon.
    pub async fn created_as(&self, coupon_id: CouponId, total: u64) -> Head {
        let head = self.fresh(coupon_id, total);
        assert_eq!(self.retrying().create(&head).await, Ok(Creation::Created), "coupon {}", head.coupon_id);
        head
    }

    /// The head as it is stored now.
    pub async fn head(&self) -> Head {
        self.retrying().head(&self.coupon_id(), Consistency::Strong).await.unwrap().unwrap()
    }

    /// What one person holds of a coupon.
    pub async fn holds(&self, user: &UserId, coupon_id: &CouponId) -> Option<IssuedCoupon> {
        self.retrying().issued(user, coupon_id, Consistency::Strong).await.unwrap()
    }

    /// Asserts that the case's head is `head` and that none of these people holds the case's coupon.
    pub async fn is_unchanged(&self, head: &Head, without: &[UserId]) {
        assert_eq!(&self.head().await, head, "a refused write must not move the head");
        let held = self.retrying().issued_among(&self.coupon_id(), without).await.unwrap();
        assert_eq!(held, [], "a refused write must not leave an item");
    }

    /// Commits every chunk that these people's requests come to, right behind the last decided one.
    pub async fn issue(&self, head: &Head, users: impl IntoIterator<Item = UserId>) -> Head {
        let mut head = head.clone();
        for chunk in decide(&head.clone(), &requests(&head, users), |_| false).chunks {
            assert_eq!(self.retrying().commit(&chunk).await, Ok(Commit::Written));
            head = chunk.head;
        }
        head
    }
}

/// A request of each of these people, one behind the other, from the first undecided offset on.
pub(crate) fn requests(head: &Head, users: impl IntoIterator<Item = UserId>) -> Vec<Entry> {
    let first = head.applied.map_or(0, |applied| applied.get() + 1);
    (first..)
        .zip(users)
        .map(|(offset, user_id)| Entry {
            offset: Offset::new(offset).unwrap(),
            timestamp: Timestamp::from_millis_clamped(START_MS + offset),
            user_id,
        })
        .collect()
}

/// The only chunk that these people's requests come to.
pub(crate) fn chunk(head: &Head, users: impl IntoIterator<Item = UserId>) -> Chunk {
    let mut chunks = decide(head, &requests(head, users), |_| false).chunks;
    let chunk = chunks.pop().unwrap();
    assert!(chunks.is_empty(), "the case's requests make one chunk");
    chunk
}
