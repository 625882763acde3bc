//! Items that are not what they should be. Only a store that keeps bytes or attributes can meet them; an adapter says
//! with [`Spoil`] how they are made, and must then refuse to read them.

use coupon::CouponId;
use coupon_store::{Consistency, Store, StoreError};

use crate::Fixture;

/// What is done to a stored item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// The attribute is gone.
    Missing(&'static str),
    /// The attribute is a text that no type takes: not a phase, not a ticket, not a timestamp.
    Text(&'static str),
    /// The attribute is this number.
    Number(&'static str, i64),
    /// `epochs` has these offsets, each with this phase.
    Epochs(&'static [(i64, &'static str)]),
}

impl Damage {
    /// The attribute that an error about it names.
    #[must_use]
    pub const fn attribute(self) -> &'static str {
        match self {
            Self::Missing(name) | Self::Text(name) | Self::Number(name, _) => name,
            Self::Epochs(_) => "epochs",
        }
    }
}

/// Damages what a store keeps, past the port.
pub trait Spoil: Sync {
    /// Damages a coupon's head.
    fn head(&self, coupon_id: &CouponId, damage: Damage) -> impl Future<Output = ()> + Send;

    /// Damages one person's item.
    fn issued(&self, user_id: &coupon::UserId, coupon_id: &CouponId, damage: Damage)
    -> impl Future<Output = ()> + Send;
}

const HEADS: [Damage; 24] = [
    Damage::Missing("name"),
    Damage::Missing("total"),
    Damage::Missing("remaining"),
    Damage::Missing("issued"),
    Damage::Missing("log"),
    Damage::Missing("partition"),
    Damage::Missing("version"),
    Damage::Missing("applied"),
    Damage::Missing("epochs"),
    Damage::Missing("clock"),
    Damage::Text("total"),
    Damage::Text("applied"),
    Damage::Text("opensAt"),
    Damage::Text("epochs"),
    Damage::Number("name", 1),
    Damage::Number("closesAt", 1),
    Damage::Number("total", 0),
    // remaining 9, issued 1, total 10: one off breaks I6.
    Damage::Number("remaining", 10),
    Damage::Number("partition", -1),
    Damage::Number("applied", -2),
    Damage::Number("clock", -1),
    Damage::Epochs(&[(0, "HALF_OPEN")]),
    Damage::Epochs(&[(0, "CLOSED"), (0, "OPEN")]),
    // The one decided request is at offset 0.
    Damage::Epochs(&[(1, "SOLD_OUT")]),
];

const ITEMS: [Damage; 8] = [
    Damage::Missing("requestId"),
    Damage::Missing("rank"),
    Damage::Missing("issuedAt"),
    Damage::Text("requestId"),
    Damage::Text("rank"),
    Damage::Text("issuedAt"),
    Damage::Number("rank", 0),
    Damage::Number("requestId", 7),
];

/// Holds `store` to reading strictly: a damaged item is [`StoreError::Corrupt`] naming coupon and attribute, however it
/// is read, and never a guess.
///
/// # Panics
/// The store reads what it should refuse.
pub async fn refuses_damaged_items<S: Store>(store: &S, spoil: &impl Spoil, run: &str) {
    for (number, damage) in HEADS.into_iter().enumerate() {
        let case = Fixture::new(store, &format!("{run}-damaged-head-{number}"));
        let head = case.created(10).await;
        case.issue(&head, [case.user(1)]).await;
        spoil.head(&case.coupon_id(), damage).await;
        names(store.head(&case.coupon_id(), Consistency::Strong).await, &case.case, damage);
        names(store.snapshot(&case.coupon_id(), &[]).await, &case.case, damage);
    }
    for (number, damage) in ITEMS.into_iter().enumerate() {
        let case = Fixture::new(store, &format!("{run}-damaged-item-{number}"));
        let head = case.created(10).await;
        let (user, id) = (case.user(1), case.coupon_id());
        case.issue(&head, [user.clone()]).await;
        spoil.issued(&user, &id, damage).await;
        names(store.issued(&user, &id, Consistency::Strong).await, &case.case, damage);
        names(store.issued_among(&id, std::slice::from_ref(&user)).await, &case.case, damage);
        names(store.snapshot(&id, std::slice::from_ref(&user)).await, &case.case, damage);
        names(store.coupons_of(&user, None, 10).await, &case.case, damage);
    }
}

fn names<T: std::fmt::Debug>(answer: Result<T, StoreError>, coupon_id: &str, damage: Damage) {
    let named = matches!(&answer, Err(StoreError::Corrupt(text))
        if text.contains(coupon_id) && text.contains(damage.attribute()));
    assert!(named, "{damage:?} must be refused by name: {answer:?}");
}
