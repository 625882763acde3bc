//! The holders that this environment remembers: people it saw win or found holding. It may forget; it never invents.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use coupon::{CouponId, UserId};

/// How many holders and coupons are remembered in all: at some 100 bytes each, 10 to 20 MB at the most.
const HOLDERS_MAX: usize = 100_000;

/// What is known of one coupon.
#[derive(Debug, Default)]
struct Known {
    users: HashSet<UserId>,
    /// Whether a commit was ever cancelled because somebody held the coupon.
    met_unknown_holder: bool,
}

#[derive(Debug, Default)]
struct State {
    coupons: HashMap<CouponId, Known>,
    /// Coupons in the order in which they were first met: the first to be forgotten stands first.
    order: VecDeque<CouponId>,
    count: usize,
}

/// The memory of one environment; lives as long as it.
#[derive(Debug, Default)]
pub(crate) struct Holders(Mutex<State>);

impl Holders {
    /// Whether this person is known to hold this coupon.
    pub(crate) fn knows(&self, coupon_id: &CouponId, user_id: &UserId) -> bool {
        self.state().coupons.get(coupon_id).is_some_and(|known| known.users.contains(user_id))
    }

    /// Whether a commit for this coupon is likely to meet a holder that is not known here: it did before, and there are
    /// more issued than known. Looking the winners up first then costs less than a cancelled transaction.
    pub(crate) fn should_look_up(&self, coupon_id: &CouponId, issued: u64) -> bool {
        self.state().coupons.get(coupon_id).is_some_and(|known| {
            known.met_unknown_holder && u64::try_from(known.users.len()).is_ok_and(|count| count < issued)
        })
    }

    /// Remembers people who hold this coupon.
    pub(crate) fn remember<'a>(&self, coupon_id: &CouponId, users: impl IntoIterator<Item = &'a UserId>) {
        let mut users = users.into_iter().peekable();
        if users.peek().is_none() {
            return;
        }
        let mut state = self.state();
        let state = &mut *state;
        if !state.coupons.contains_key(coupon_id) {
            state.order.push_back(coupon_id.clone());
            state.count = state.count.saturating_add(1);
        }
        let known = state.coupons.entry(coupon_id.clone()).or_default();
        let before = known.users.len();
        known.users.extend(users.cloned());
        state.count = state.count.saturating_add(known.users.len().saturating_sub(before));
        state.forget_oldest();
    }

    /// Notes that a commit was cancelled by a holder who was not known.
    pub(crate) fn note_cancellation(&self, coupon_id: &CouponId) {
        if let Some(known) = self.state().coupons.get_mut(coupon_id) {
            known.met_unknown_holder = true;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Forgetting is allowed, so what a panic left half done is still right.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Forgets whole coupons, the oldest first, down to the bound; a coupon that alone passes it starts afresh.
    fn forget_oldest(&mut self) {
        while self.count > HOLDERS_MAX {
            let Some(oldest) = self.order.pop_front() else { return };
            let forgotten = self.coupons.remove(&oldest).map_or(0, |known| known.users.len().saturating_add(1));
            self.count = self.count.saturating_sub(forgotten);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn coupon(number: usize) -> CouponId {
        CouponId::parse(&format!("coupon-{number}")).unwrap()
    }

    fn user(number: usize) -> UserId {
        UserId::parse(&format!("user-{number}")).unwrap()
    }

    #[test]
    fn memory_is_bounded_and_the_oldest_coupon_goes_first() {
        let holders = Holders::default();
        let users: Vec<UserId> = (0..HOLDERS_MAX).map(user).collect();
        let half = HOLDERS_MAX / 2 - 1;
        holders.remember(&coupon(1), &users[..half]);
        holders.remember(&coupon(2), &users[..half]);
        assert!(holders.knows(&coupon(1), &user(0)) && holders.knows(&coupon(2), &user(0)));
        holders.remember(&coupon(3), &users[..1]);
        assert!(!holders.knows(&coupon(1), &user(0)));
        assert!(holders.knows(&coupon(2), &user(0)) && holders.knows(&coupon(3), &user(0)));
        assert_eq!(holders.state().count, half + 1 + 2, "with the coupons themselves");
        holders.remember(&coupon(4), &[]);
        assert_eq!(holders.state().order.len(), 2, "nobody is nothing to remember");
    }

    #[test]
    fn winners_are_looked_up_only_where_a_stranger_was_met_and_others_are_left() {
        let holders = Holders::default();
        holders.remember(&coupon(1), &[user(1)]);
        assert!(!holders.should_look_up(&coupon(1), 2));
        holders.note_cancellation(&coupon(1));
        assert!(holders.should_look_up(&coupon(1), 2));
        assert!(!holders.should_look_up(&coupon(1), 1));
    }
}
