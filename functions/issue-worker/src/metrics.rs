//! What is told of each invocation to whoever watches: CloudWatch, by the lines that `emf` makes. The names are the
//! dashboard's and the alarms' as well; `infra/check` compares them.

use std::sync::Arc;

use coupon_store::{Counts, Endings};
use emf::{Metric, Metrics, Sheet};
use kafka_event::KafkaEvent;

use crate::{Tallied, clock::now_ms};

const ISSUED: Metric = Metric::count("Issued");
const REJECTED: Metric = Metric::count_by("Rejected", "Reason");
const REDELIVERED: Metric = Metric::count("Redelivered");
const DEAD_LETTERS: Metric = Metric::count("DeadLetters");
/// Must be zero: more issued than there are, among other things that cannot be.
const CONTRADICTIONS: Metric = Metric::count("Contradictions");
/// From a record's timestamp to the moment at which all results of its batch are in the log.
const TIME_TO_DECISION: Metric = Metric::milliseconds("TimeToDecision");
const COMMITS_STALE: Metric = Metric::count("CommitsStale");
const COMMITS_HELD: Metric = Metric::count("CommitsHeld");
const STORE_THROTTLED: Metric = Metric::count("StoreThrottled");
const STORE_CONFLICTS: Metric = Metric::count("StoreConflicts");
const STORE_UNANSWERED: Metric = Metric::count("StoreUnanswered");
const COLD_STARTS: Metric = Metric::count("ColdStarts");

/// The metrics of one environment.
#[derive(Debug)]
pub struct Watch {
    metrics: Metrics,
    store: Arc<Counts>,
}

impl Watch {
    /// Writes under `namespace`, or not at all; `store` has counted what the store answered.
    #[must_use]
    pub const fn new(namespace: Option<String>, store: Arc<Counts>) -> Self {
        Self { metrics: Metrics::new(namespace, "issue-worker"), store }
    }

    /// When the records of a batch were written, as far as somebody wants to know.
    #[must_use]
    pub fn written_at(&self, event: &KafkaEvent) -> Vec<i64> {
        if !self.metrics.are_on() {
            return Vec::new();
        }
        let records = event.partitions.iter().flat_map(|partition| &partition.records);
        records.flatten().map(|record| record.timestamp).collect()
    }

    /// Tells of one invocation; `published` has the timestamps of the records whose results are all in the log now.
    pub fn tell(&self, tallied: Tallied, published: &[i64]) {
        if self.metrics.are_on() {
            self.metrics.write(sheet(tallied, self.store.take(), published, now_ms()), COLD_STARTS);
        }
    }
}

fn sheet(tallied: Tallied, endings: Endings, published: &[i64], now_ms: i64) -> Sheet {
    let mut sheet = Sheet::new();
    sheet.count(ISSUED, tallied.issued);
    sheet.count_by(REJECTED, "NOT_OPEN", tallied.not_open);
    sheet.count_by(REJECTED, "CLOSED", tallied.closed);
    sheet.count_by(REJECTED, "SOLD_OUT", tallied.sold_out);
    sheet.count_by(REJECTED, "ALREADY_ISSUED", tallied.already_issued);
    sheet.count_some(REDELIVERED, tallied.redelivered);
    sheet.count(DEAD_LETTERS, tallied.dead_letters);
    sheet.count(CONTRADICTIONS, tallied.contradictions);
    sheet.count_some(COMMITS_STALE, endings.stale);
    sheet.count_some(COMMITS_HELD, endings.held);
    sheet.count_some(STORE_THROTTLED, endings.throttled);
    sheet.count_some(STORE_CONFLICTS, endings.conflicts);
    sheet.count_some(STORE_UNANSWERED, endings.unanswered);
    for written in published {
        // A broker's clock may be ahead of ours.
        let waited = u32::try_from(now_ms.saturating_sub(*written).max(0)).unwrap_or(u32::MAX);
        sheet.time(TIME_TO_DECISION, f64::from(waited));
    }
    sheet
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_must_be_zero_is_told_even_so() {
        let sheet = sheet(Tallied::default(), Endings::default(), &[], 0);
        for metric in [ISSUED, DEAD_LETTERS, CONTRADICTIONS] {
            assert_eq!(sheet.values(metric), [0.0], "{metric:?}");
        }
        assert!(sheet.values(REJECTED).is_empty() && sheet.values(TIME_TO_DECISION).is_empty());
    }

    #[test]
    fn every_count_is_told_under_its_own_name() {
        let tallied = Tallied {
            not_open: 1,
            closed: 2,
            sold_out: 3,
            already_issued: 4,
            issued: 5,
            redelivered: 6,
            dead_letters: 7,
            contradictions: 8,
        };
        let endings = Endings { stale: 9, held: 10, throttled: 11, conflicts: 12, unanswered: 13 };
        let sheet = sheet(tallied, endings, &[1_000, 990, 2_000], 1_040);
        for (metric, values) in [
            (ISSUED, vec![5.0]),
            (REJECTED, vec![4.0, 2.0, 1.0, 3.0]),
            (REDELIVERED, vec![6.0]),
            (DEAD_LETTERS, vec![7.0]),
            (CONTRADICTIONS, vec![8.0]),
            (COMMITS_STALE, vec![9.0]),
            (COMMITS_HELD, vec![10.0]),
            (STORE_THROTTLED, vec![11.0]),
            (STORE_CONFLICTS, vec![12.0]),
            (STORE_UNANSWERED, vec![13.0]),
            (TIME_TO_DECISION, vec![40.0, 50.0, 0.0]),
        ] {
            assert_eq!(sheet.values(metric), values, "{metric:?}");
        }
    }
}
