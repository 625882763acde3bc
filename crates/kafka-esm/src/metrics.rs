//! The managed mapping's metrics under their own names, as counters that are always there, zeros included.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

/// Counts while the mapping runs.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) polled: AtomicU64,
    pub(crate) filtered_out: AtomicU64,
    pub(crate) invoked: AtomicU64,
    pub(crate) failed_invoke: AtomicU64,
    pub(crate) dropped: AtomicU64,
    pub(crate) delivered: AtomicU64,
    pub(crate) committed: AtomicU64,
    pub(crate) polling_error: AtomicU64,
    pub(crate) invoke_error: AtomicU64,
    pub(crate) commit_error: AtomicU64,
    pub(crate) delivery_error: AtomicU64,
    pub(crate) polled_bytes: AtomicU64,
}

/// Adds to a counter; a count beyond the counter's width would be a bug elsewhere.
pub(crate) fn add(counter: &AtomicU64, count: usize) {
    counter.fetch_add(u64::try_from(count).unwrap_or(u64::MAX), Ordering::Relaxed);
}

/// The counters at one moment, serialised under the managed mapping's names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Metrics {
    /// Records read.
    pub polled_event_count: u64,
    /// Records that no filter wanted.
    pub filtered_out_event_count: u64,
    /// Records sent, again with every retry.
    pub invoked_event_count: u64,
    /// Records whose invocation failed, wholly or in part.
    pub failed_invoke_event_count: u64,
    /// Records given up without reaching a destination.
    pub dropped_event_count: u64,
    /// Records that a destination has taken.
    pub on_failure_destination_delivered_event_count: u64,
    /// The sum over partitions of the new less the old committed offset.
    pub committed_event_count: u64,
    /// Errors of the Kafka consumer.
    pub polling_error_count: u64,
    /// Failed invocations.
    pub invoke_error_count: u64,
    /// Commits that the broker refused.
    pub commit_error_count: u64,
    /// Messages that a destination did not take.
    pub on_failure_destination_delivery_error_count: u64,
    /// Always 0: no schema registry is read.
    pub schema_registry_error_count: u64,
    /// The most that a partition's end is ahead of its commit.
    pub max_offset_lag: u64,
    /// The same over all partitions.
    pub sum_offset_lag: u64,
    /// Pollers, at most one a partition.
    pub provisioned_pollers: u64,
    /// Ten pollers make one.
    pub event_poller_unit: u64,
    /// Bytes of polled keys and values.
    pub event_poller_throughput_in_bytes: u64,
    /// Messages that a destination did not take, as the function's metric.
    pub destination_delivery_failures: u64,
}

impl Counters {
    /// The counters as they stand; lag and pollers are not theirs to know.
    pub(crate) fn snapshot(&self) -> Metrics {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Metrics {
            polled_event_count: read(&self.polled),
            filtered_out_event_count: read(&self.filtered_out),
            invoked_event_count: read(&self.invoked),
            failed_invoke_event_count: read(&self.failed_invoke),
            dropped_event_count: read(&self.dropped),
            on_failure_destination_delivered_event_count: read(&self.delivered),
            committed_event_count: read(&self.committed),
            polling_error_count: read(&self.polling_error),
            invoke_error_count: read(&self.invoke_error),
            commit_error_count: read(&self.commit_error),
            on_failure_destination_delivery_error_count: read(&self.delivery_error),
            event_poller_throughput_in_bytes: read(&self.polled_bytes),
            destination_delivery_failures: read(&self.delivery_error),
            ..Metrics::default()
        }
    }
}

/// What goes up and down; everything else is a counter.
const GAUGES: [&str; 4] = ["MaxOffsetLag", "SumOffsetLag", "ProvisionedPollers", "EventPollerUnit"];

impl Metrics {
    /// Every number by the managed mapping's name for it.
    #[must_use]
    pub fn by_name(&self) -> BTreeMap<String, u64> {
        serde_json::to_value(self).and_then(serde_json::from_value).unwrap_or_default()
    }

    /// The numbers in Prometheus' text format 0.0.4, each with these labels.
    #[must_use]
    pub fn exposition(&self, labels: &[(&str, &str)]) -> String {
        let escaped = |value: &str| value.replace('\\', r"\\").replace('"', r#"\""#).replace('\n', r"\n");
        let label = |(name, value): &(&str, &str)| format!("{name}=\"{}\"", escaped(value));
        let labels = labels.iter().map(label).collect::<Vec<_>>().join(",");
        let mut text = String::new();
        for (name, number) in self.by_name() {
            let kind = if GAUGES.contains(&name.as_str()) { "gauge" } else { "counter" };
            // Writing into a string cannot fail.
            write!(text, "# TYPE {name} {kind}\n{name}{{{labels}}} {number}\n").unwrap_or_default();
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_the_managed_mappings_and_zeros_are_there() {
        let names: Vec<String> = Metrics::default().by_name().into_keys().collect();
        let expected = [
            "CommitErrorCount",
            "CommittedEventCount",
            "DestinationDeliveryFailures",
            "DroppedEventCount",
            "EventPollerThroughputInBytes",
            "EventPollerUnit",
            "FailedInvokeEventCount",
            "FilteredOutEventCount",
            "InvokeErrorCount",
            "InvokedEventCount",
            "MaxOffsetLag",
            "OnFailureDestinationDeliveredEventCount",
            "OnFailureDestinationDeliveryErrorCount",
            "PolledEventCount",
            "PollingErrorCount",
            "ProvisionedPollers",
            "SchemaRegistryErrorCount",
            "SumOffsetLag",
        ];
        assert_eq!(names, expected);
    }

    #[test]
    fn the_text_has_a_type_and_a_line_for_each_and_its_labels_are_escaped() {
        let metrics = Metrics { polled_event_count: 7, max_offset_lag: 3, ..Metrics::default() };
        let text = metrics.exposition(&[("topic", "t"), ("group", "a\"b\\c\nd")]);
        let labels = r#"{topic="t",group="a\"b\\c\nd"}"#;
        assert!(text.contains(&format!("# TYPE PolledEventCount counter\nPolledEventCount{labels} 7\n")), "{text}");
        assert!(text.contains(&format!("# TYPE MaxOffsetLag gauge\nMaxOffsetLag{labels} 3\n")), "{text}");
        assert_eq!(text.lines().count(), 2 * Metrics::default().by_name().len());
    }
}
