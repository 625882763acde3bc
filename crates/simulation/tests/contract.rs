//! The store in memory keeps the contract of every store.

#[cfg(test)]
mod tests {
    use coupon_store_contract::{Abilities, hold};
    use simulation::MemoryStore;

    #[tokio::test]
    async fn the_store_in_memory_keeps_the_contract() {
        hold(&MemoryStore::new(), Abilities { replays_without_winners: true }, "memory").await;
    }
}
