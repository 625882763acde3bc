//! What came back, request by request, and the figures that follow from it. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::latencies::Latencies;
use crate::plan::{Pace, Plan};
use crate::profile::{GIVES_WAY_FAILURES, GIVES_WAY_MS};

/// One request and its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// Index of the person.
    pub person: usize,
    /// Index of the coupon.
    pub coupon: usize,
    /// When it was due, since the run began.
    pub due: Duration,
    /// When it was sent: later than due where the generator or its bound of connections held it up.
    pub sent: Duration,
    /// When the answer was complete.
    pub answered: Duration,
    /// What it was.
    pub answer: Answered,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answered {
    /// 201: the coupon is theirs.
    Issued {
        /// The order among the issued, as they were told.
        rank: Option<u64>,
    },
    /// 202: the request is taken, with this ticket.
    Accepted {
        /// To ask with.
        ticket: String,
    },
    /// A refusal by this code.
    Refused {
        /// Such as `SOLD_OUT`.
        code: String,
    },
    /// Anything else, or nothing.
    Failed {
        /// What came instead.
        what: String,
    },
}

/// What a person learned who asked until they knew; how often they ask is told in `drive.rs`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Index of the person.
    pub person: usize,
    /// Index of the coupon.
    pub coupon: usize,
    /// What they asked with.
    pub ticket: String,
    /// Since the request was due: until they knew, or gave up.
    pub after: Duration,
    /// What they were told; none to whoever gave up.
    pub outcome: Option<Outcome>,
}

/// What a request came to, as its status tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// `ISSUED`.
    Issued,
    /// `REJECTED`.
    Rejected,
}

impl Outcome {
    /// By the status of a ticket; none of one that is pending.
    #[must_use]
    pub fn parse(status: &str) -> Option<Self> {
        match status {
            "ISSUED" => Some(Self::Issued),
            "REJECTED" => Some(Self::Rejected),
            _ => None,
        }
    }
}

impl Sample {
    /// From due to answered.
    #[must_use]
    pub fn latency(&self) -> Duration {
        self.answered.saturating_sub(self.due)
    }

    /// Whether it was answered 201 or 202.
    #[must_use]
    pub fn is_accepted(&self) -> bool {
        matches!(self.answer, Answered::Issued { .. } | Answered::Accepted { .. })
    }

    /// Whether it was refused.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        matches!(self.answer, Answered::Refused { .. })
    }
}

impl Latencies {
    /// Of those samples for which it holds.
    ///
    /// # Errors
    /// As [`Latencies::new`].
    pub fn of<'a>(
        samples: impl IntoIterator<Item = &'a Sample>,
        holds: impl Fn(&Sample) -> bool,
    ) -> anyhow::Result<Self> {
        let mut latencies = Self::new()?;
        samples.into_iter().filter(|sample| holds(sample)).for_each(|sample| latencies.record(sample.latency()));
        Ok(latencies)
    }
}

/// Whether a step of a rush is the last: p99 of what was accepted is beyond its bound, or too many failed. Where people
/// ask when they are ready, nothing gives way: they wait.
///
/// # Errors
/// As [`Latencies::new`].
pub fn gives_way(plan: &Plan, samples: &[Sample]) -> anyhow::Result<bool> {
    if !matches!(plan.pace, Pace::Rate { .. }) {
        return Ok(false);
    }
    let accepted = Latencies::of(samples, Sample::is_accepted)?;
    let late = accepted.count() > 0 && accepted.percentile_ms(99.0) > f64::from(GIVES_WAY_MS);
    let count = |samples: usize| f64::from(u32::try_from(samples).unwrap_or(u32::MAX));
    let failed = samples.iter().filter(|sample| matches!(sample.answer, Answered::Failed { .. })).count();
    Ok(late || count(failed) > GIVES_WAY_FAILURES * count(samples.len()))
}

/// Refusals and failures by what they were.
#[must_use]
pub fn counts(samples: &[Sample]) -> (BTreeMap<String, u64>, BTreeMap<String, u64>) {
    let (mut refused, mut failed) = (BTreeMap::new(), BTreeMap::new());
    for sample in samples {
        match &sample.answer {
            Answered::Refused { code } => *refused.entry(code.clone()).or_default() += 1,
            Answered::Failed { what } => *failed.entry(what.clone()).or_default() += 1,
            Answered::Issued { .. } | Answered::Accepted { .. } => {}
        }
    }
    (refused, failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(due_ms: u64, answered_ms: u64, answer: Answered) -> Sample {
        let (due, answered) = (Duration::from_millis(due_ms), Duration::from_millis(answered_ms));
        Sample { person: 0, coupon: 0, due, sent: due, answered, answer }
    }

    #[test]
    fn latency_counts_from_when_a_request_was_due() {
        let mut late = sample(10, 50, Answered::Issued { rank: Some(1) });
        late.sent = Duration::from_millis(40);
        let latencies = Latencies::of(&[late], Sample::is_accepted).unwrap();
        assert!((latencies.max_ms() - 40.0).abs() < 0.1, "{}", latencies.max_ms());
    }

    #[test]
    fn a_schedule_gives_way_by_lateness_or_by_failures_and_people_who_wait_never_do() {
        let asking = crate::plan::Asking::Fresh;
        let plan = |pace| Plan { asking, pace, stock: 1, cold_stock: 0, follow_every: None };
        let rush = plan(Pace::Rate { per_second: 1.0, seconds: 1.0 });
        let taken = |answered_ms| sample(0, answered_ms, Answered::Accepted { ticket: "0-0".into() });
        let failed = sample(0, 1, Answered::Failed { what: "503".into() });
        let with = |one: Sample, others: usize| {
            let mut samples = vec![taken(1); others];
            samples.push(one);
            samples
        };
        assert!(!gives_way(&rush, &with(taken(490), 9)).unwrap());
        assert!(gives_way(&rush, &with(taken(510), 9)).unwrap(), "one of ten is beyond 99 of 100");
        assert!(!gives_way(&rush, &with(failed.clone(), 99)).unwrap(), "one of a hundred may fail");
        assert!(gives_way(&rush, &with(failed, 98)).unwrap());
        let patient = plan(Pace::Clients { clients: 1, requests: 1, seconds: 1.0 });
        assert!(!gives_way(&patient, &[taken(10_000)]).unwrap());
    }

    #[test]
    fn refusals_and_failures_are_told_apart() {
        let refused = sample(0, 1, Answered::Refused { code: "SOLD_OUT".into() });
        let failed = sample(0, 1, Answered::Failed { what: "503".into() });
        let accepted = sample(0, 1, Answered::Accepted { ticket: "3-1".into() });
        let (refusals, failures) = counts(&[refused.clone(), refused, failed, accepted]);
        assert_eq!((refusals["SOLD_OUT"], failures["503"]), (2, 1));
    }
}
