//! The suite itself: it passes the log in memory and catches each of these wrong ones. A suite that lets one pass is none.

#[cfg(test)]
mod misbehaving;

#[cfg(test)]
mod tests {
    use std::panic::AssertUnwindSafe;

    use futures_util::FutureExt;
    use record_log_contract::{Abilities, hold};
    use simulation::{MemoryLog, RECORD_BYTES_MAX};

    use crate::misbehaving::{Fault, Memory, Misbehaving};

    const ABILITIES: Abilities =
        Abilities { too_large_bytes: Some(RECORD_BYTES_MAX + 1), refuses_unknown_topics: true };

    async fn passes(fault: Fault, abilities: Abilities) -> bool {
        let log = Misbehaving::new(fault);
        AssertUnwindSafe(hold(&log, &Memory(log.inner.clone()), abilities, "run")).catch_unwind().await.is_ok()
    }

    #[tokio::test]
    async fn the_log_in_memory_keeps_the_contract() {
        let log = MemoryLog::new();
        hold(&log, &Memory(log.clone()), ABILITIES, "run").await;
    }

    #[tokio::test]
    async fn every_fault_is_caught() {
        let mut passing = Vec::new();
        for fault in Fault::ALL {
            if passes(fault, ABILITIES).await {
                passing.push(fault);
            }
        }
        assert_eq!(passing, [], "these logs break the contract and pass");
    }

    #[tokio::test]
    async fn a_limit_must_be_owned_up_to() {
        assert!(passes(Fault::None, ABILITIES).await);
        assert!(!passes(Fault::None, Abilities { too_large_bytes: None, ..ABILITIES }).await);
        assert!(!passes(Fault::None, Abilities { too_large_bytes: Some(1_000), ..ABILITIES }).await);
    }
}
