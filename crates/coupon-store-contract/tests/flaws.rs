//! The suite itself: it passes a right store and catches each of these wrong ones. A suite that lets one pass is none.

#[cfg(test)]
mod flawed;

#[cfg(test)]
mod tests {
    use std::panic::AssertUnwindSafe;

    use coupon_store_contract::{Abilities, hold};
    use futures_util::FutureExt;
    use simulation::MemoryStore;

    use crate::flawed::{Flaw, Flawed};

    const ABILITIES: Abilities = Abilities { replays_without_winners: true };

    async fn passes(flaw: Flaw) -> bool {
        let store = Flawed::new(MemoryStore::new(), flaw);
        AssertUnwindSafe(hold(&store, ABILITIES, "run")).catch_unwind().await.is_ok()
    }

    #[tokio::test]
    async fn a_decorator_that_does_nothing_passes() {
        assert!(passes(Flaw::None).await);
    }

    #[tokio::test]
    async fn every_flaw_is_caught() {
        let mut passing = Vec::new();
        for flaw in Flaw::ALL {
            if passes(flaw).await {
                passing.push(flaw);
            }
        }
        assert_eq!(passing, [], "these stores break the contract and pass");
    }

    #[tokio::test]
    async fn a_missing_ability_must_be_owned_up_to() {
        let none = Abilities { replays_without_winners: false };
        let store = MemoryStore::new();
        let denied = hold(&store, none, "run");
        assert!(AssertUnwindSafe(denied).catch_unwind().await.is_err(), "it does replay, and is said not to");
    }
}
