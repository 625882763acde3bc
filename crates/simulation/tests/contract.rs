//! The store in memory keeps the contract of every store, and so do the decorators: the one of production, which counts,
//! and those of tests, whose rule passes everything. The log in memory is held to its contract where that is written,
//! beside logs that break it.

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use coupon_store::{Consistency, Counted, Page, Store, StoreError};
    use coupon_store_contract::{Abilities, Fixture, hold};
    use record_log::{Log, LogError, Record};
    use record_log_contract::Topics;
    use simulation::{
        LogCall, LogRule, MemoryLog, MemoryStore, PiecewiseStore, RECORD_BYTES_MAX, RuledLog, RuledStore, StoreCall,
        StoreRule, Verdict,
    };

    const ABILITIES: Abilities = Abilities { replays_without_winners: true };

    struct Pass;

    impl StoreRule for Pass {
        async fn judge(&self, _call: StoreCall<'_>) -> Verdict<StoreError> {
            Verdict::Pass
        }
    }

    impl LogRule for Pass {
        async fn judge(&self, _call: LogCall<'_>) -> Verdict<LogError> {
            Verdict::Pass
        }
    }

    struct Memory(MemoryLog);

    impl Topics for Memory {
        async fn make_topic(&self, name: &str, partitions: i32) {
            self.0.create_topic(name, usize::try_from(partitions).unwrap());
        }

        async fn read_back(&self, topic: &str, partition: i32) -> Vec<(i64, Record)> {
            let records = self.0.read(topic, partition, 0).into_iter();
            records.map(|logged| (logged.offset, logged.record)).collect()
        }
    }

    #[tokio::test]
    async fn the_store_in_memory_keeps_the_contract() {
        hold(&MemoryStore::new(), ABILITIES, "memory").await;
    }

    #[tokio::test]
    async fn a_store_whose_rule_passes_everything_keeps_the_contract() {
        hold(&RuledStore { inner: MemoryStore::new(), rule: Pass }, ABILITIES, "ruled").await;
    }

    #[tokio::test]
    async fn a_store_that_counts_keeps_the_contract_and_has_counted() {
        let store = Counted::new(MemoryStore::new());
        hold(&store, ABILITIES, "counted").await;
        let endings = store.counts().take();
        // The contract has lost versions and holders, and a store in memory is never busy.
        assert!(endings.stale > 0 && endings.held > 0, "{endings:?}");
        assert_eq!((endings.throttled, endings.conflicts, endings.unanswered), (0, 0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_is_seen_in_pieces_keeps_the_contract() {
        for gap in [Duration::ZERO, Duration::from_millis(7)] {
            let store = PiecewiseStore::new(MemoryStore::new(), move || gap);
            hold(&store, ABILITIES, "pieces").await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_transaction_under_way_is_seen_by_its_head_first_and_never_torn_in_a_snapshot() {
        let gap = Duration::from_millis(7);
        let store = PiecewiseStore::new(MemoryStore::new(), move || gap);
        let case = Fixture::new(&store, "gap");
        let (id, ann) = (case.coupon_id(), case.user(1));
        let before = case.created(10).await;
        let issuing = case.issue(&before, [ann.clone()]);
        let looking = async {
            assert_eq!(case.head().await.issued, 1);
            assert_eq!(store.issued(&ann, &id, Consistency::Strong).await, Ok(None));
            assert_eq!(store.issued_among(&id, std::slice::from_ref(&ann)).await, Ok(Vec::new()));
            assert_eq!(store.coupons_of(&ann, None, 10).await, Ok(Page::default()));
            let torn = store.snapshot(&id, std::slice::from_ref(&ann)).await;
            assert!(matches!(torn, Err(StoreError::Conflict(_))), "{torn:?}");
            let whole = case.retrying().snapshot(&id, std::slice::from_ref(&ann)).await.unwrap().unwrap();
            assert_eq!((whole.head.issued, whole.items.len()), (1, 1));
        };
        let (head, ()) = tokio::join!(issuing, looking);
        assert_eq!(case.head().await, head);
        assert!(case.holds(&ann, &id).await.is_some());
    }

    #[tokio::test]
    async fn a_log_whose_rule_passes_everything_keeps_the_contract() {
        let abilities = record_log_contract::Abilities {
            too_large_bytes: Some(RECORD_BYTES_MAX + 1),
            refuses_unknown_topics: true,
        };
        let log = RuledLog { inner: MemoryLog::new(), rule: Pass };
        record_log_contract::hold(&log, &Memory(log.inner.clone()), abilities, "ruled").await;
    }

    #[tokio::test]
    async fn a_topic_that_gets_more_partitions_keeps_what_it_has() {
        let log = MemoryLog::new();
        log.create_topic("topic", 2);
        let record = Record { topic: "topic".into(), partition: Some(1), ..Record::default() };
        log.produce(record).await.unwrap();
        log.create_topic("topic", 5);
        log.create_topic("topic", 3);
        assert_eq!((log.partitions("topic").await, log.end("topic", 1)), (Ok(5), 1));
    }
}
