//! How long things took, to three digits. Latencies start at the moment a request was due, not when the generator got
//! round to sending it: a stall then shows in every request that it delayed.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

/// Latencies, to three digits.
#[derive(Debug, Clone)]
pub struct Latencies(Histogram<u64>);

/// The longest latency that is told apart, in µs: an hour.
const LATENCY_US_MAX: u64 = 3_600_000_000;

impl Latencies {
    /// None yet.
    ///
    /// # Errors
    /// The histogram's bounds are refused, which they are not.
    pub fn new() -> anyhow::Result<Self> {
        Ok(Self(Histogram::new_with_bounds(1, LATENCY_US_MAX, 3)?))
    }

    /// One more.
    pub fn record(&mut self, latency: Duration) {
        self.0.saturating_record(u64::try_from(latency.as_micros()).unwrap_or(LATENCY_US_MAX));
    }

    /// How many.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// The latency that this share of all did not exceed, in ms.
    #[must_use]
    pub fn percentile_ms(&self, percent: f64) -> f64 {
        Duration::from_micros(self.0.value_at_percentile(percent)).as_secs_f64() * 1000.0
    }

    /// The mean, in ms.
    #[must_use]
    pub fn mean_ms(&self) -> f64 {
        self.0.mean() / 1000.0
    }

    /// The longest, in ms.
    #[must_use]
    pub fn max_ms(&self) -> f64 {
        Duration::from_micros(self.0.max()).as_secs_f64() * 1000.0
    }

    /// What is reported of them, by name, in ms.
    #[must_use]
    pub fn named_ms(&self) -> [(&'static str, f64); 5] {
        let of = |percent| self.percentile_ms(percent);
        [("p50", of(50.0)), ("p95", of(95.0)), ("p99", of(99.0)), ("p99.9", of(99.9)), ("max", self.max_ms())]
    }
}

impl Serialize for Latencies {
    /// `null` without any: a percentile of nothing is no number.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.count() == 0 {
            return serializer.serialize_none();
        }
        let mut map = serializer.serialize_map(Some(7))?;
        map.serialize_entry("count", &self.count())?;
        map.serialize_entry("mean", &((self.mean_ms() * 1000.0).round() / 1000.0))?;
        for (name, ms) in self.named_ms() {
            map.serialize_entry(name, &((ms * 1000.0).round() / 1000.0))?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_what_was_recorded() {
        let mut latencies = Latencies::new().unwrap();
        (1..=1000).for_each(|ms| latencies.record(Duration::from_millis(ms)));
        for (name, ms) in latencies.named_ms() {
            let expected = match name {
                "p50" => 500.0,
                "p95" => 950.0,
                "p99" => 990.0,
                "p99.9" => 999.0,
                _ => 1000.0,
            };
            assert!((ms - expected).abs() <= expected / 500.0, "{name} {ms}");
        }
    }

    #[test]
    fn no_latency_at_all_is_null() {
        assert_eq!(serde_json::to_value(Latencies::new().unwrap()).unwrap(), serde_json::Value::Null);
    }
}
