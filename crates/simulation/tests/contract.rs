//! The store in memory keeps the contract of every store, and so do the decorators whose rule passes everything. The log
//! in memory is held to its contract where that is written, beside logs that break it.

#[cfg(test)]
mod tests {
    use coupon_store::StoreError;
    use coupon_store_contract::{Abilities, hold};
    use record_log::{Log, LogError, Record};
    use record_log_contract::Topics;
    use simulation::{
        LogCall, LogRule, MemoryLog, MemoryStore, RECORD_BYTES_MAX, RuledLog, RuledStore, StoreCall, StoreRule, Verdict,
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
