//! What is told of each call to whoever watches: CloudWatch, by the lines that `emf` makes. The names are the dashboard's
//! and the alarms' as well; `infra/check` compares them. A call that is neither accepted nor refused is no line.

use std::{sync::Arc, time::Duration};

use coupon_store::{Counts, Endings};
use emf::{Metric, Metrics, Sheet};

use crate::Answer;

const ACCEPTED: Metric = Metric::count("Accepted");
/// From the event to the ticket, within the function.
const ACCEPT_LATENCY: Metric = Metric::milliseconds("AcceptLatency");
const REFUSED: Metric = Metric::count_by("Refused", "Code");
const STORE_THROTTLED: Metric = Metric::count("StoreThrottled");
const STORE_CONFLICTS: Metric = Metric::count("StoreConflicts");
const STORE_UNANSWERED: Metric = Metric::count("StoreUnanswered");
const COLD_STARTS: Metric = Metric::count("ColdStarts");

/// The status of a request that was taken; no other call has it.
const ACCEPTED_STATUS: u16 = 202;

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
        Self { metrics: Metrics::new(namespace, "issue-api"), store }
    }

    /// Tells of one call, which took so long.
    pub fn tell(&self, answer: &Answer, took: Duration) {
        if self.metrics.are_on() {
            self.metrics.write(sheet(answer, took, self.store.take()), COLD_STARTS);
        }
    }
}

fn sheet(answer: &Answer, took: Duration, endings: Endings) -> Sheet {
    let mut sheet = Sheet::new();
    if answer.status() == ACCEPTED_STATUS {
        sheet.count(ACCEPTED, 1);
        sheet.time(ACCEPT_LATENCY, took.as_secs_f64() * 1_000.0);
    }
    if let Some(code) = answer.code() {
        sheet.count_by(REFUSED, code, 1);
    }
    sheet.count_some(STORE_THROTTLED, endings.throttled);
    sheet.count_some(STORE_CONFLICTS, endings.conflicts);
    sheet.count_some(STORE_UNANSWERED, endings.unanswered);
    sheet
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::problem::{Code, Problem};

    const CALM: Endings = Endings { stale: 0, held: 0, throttled: 0, conflicts: 0, unanswered: 0 };

    #[test]
    fn a_ticket_is_an_acceptance_with_its_time() {
        let sheet = sheet(&Answer::json(202, &json!({})), Duration::from_micros(12_500), CALM);
        assert_eq!((sheet.values(ACCEPTED), sheet.values(ACCEPT_LATENCY)), (vec![1.0], vec![12.5]));
    }

    #[test]
    fn a_refusal_has_its_code_and_a_read_is_no_line() {
        let refused = Problem::new(Code::SoldOut, "").answer();
        assert_eq!(sheet(&refused, Duration::ZERO, CALM).values(REFUSED), [1.0]);
        assert!(sheet(&Answer::json(200, &json!({})), Duration::from_secs(1), CALM).is_empty());
    }

    #[test]
    fn what_the_store_lacked_is_told_of_whatever_call() {
        let endings = Endings { throttled: 2, conflicts: 3, unanswered: 4, ..CALM };
        let sheet = sheet(&Answer::json(200, &json!({})), Duration::ZERO, endings);
        let of = |metric| sheet.values(metric);
        assert_eq!([of(STORE_THROTTLED), of(STORE_CONFLICTS), of(STORE_UNANSWERED)], [[2.0], [3.0], [4.0]]);
    }
}
