//! What one invocation counted and timed.

use std::collections::BTreeMap;

/// What a value is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unit {
    /// A number of things.
    Count,
    /// A length of time.
    Milliseconds,
}

impl Unit {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Count => "Count",
            Self::Milliseconds => "Milliseconds",
        }
    }
}

/// A metric: its name, its unit, and the dimension that it is told apart by besides the function's name, if any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Metric {
    pub(crate) name: &'static str,
    pub(crate) unit: Unit,
    pub(crate) by: Option<&'static str>,
}

impl Metric {
    /// A metric that counts.
    #[must_use]
    pub const fn count(name: &'static str) -> Self {
        Self { name, unit: Unit::Count, by: None }
    }

    /// A metric that counts, told apart by a dimension. Each of its values is a metric of its own, and has its price: only
    /// for a handful, never for what a caller chooses.
    #[must_use]
    pub const fn count_by(name: &'static str, dimension: &'static str) -> Self {
        Self { name, unit: Unit::Count, by: Some(dimension) }
    }

    /// A metric that times.
    #[must_use]
    pub const fn milliseconds(name: &'static str) -> Self {
        Self { name, unit: Unit::Milliseconds, by: None }
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

/// A dimension's name and value; none for the metrics that have no dimension of their own.
pub(crate) type Group = Option<(&'static str, &'static str)>;

/// The values of one invocation.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sheet {
    pub(crate) groups: BTreeMap<Group, BTreeMap<Metric, Vec<f64>>>,
}

impl Sheet {
    /// A sheet with nothing on it.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a count down, zero included: a metric that must be zero is seen to be.
    pub fn count(&mut self, metric: Metric, count: u64) {
        self.put(None, metric, as_value(count));
    }

    /// Puts a count down unless it is zero.
    pub fn count_some(&mut self, metric: Metric, count: u64) {
        if count > 0 {
            self.count(metric, count);
        }
    }

    /// Puts a count down under a value of the metric's dimension, unless it is zero.
    pub fn count_by(&mut self, metric: Metric, value: &'static str, count: u64) {
        if count > 0 {
            self.put(metric.by.map(|dimension| (dimension, value)), metric, as_value(count));
        }
    }

    /// Puts a length of time down; a metric may have any number of them.
    pub fn time(&mut self, metric: Metric, ms: f64) {
        self.put(None, metric, ms);
    }

    /// Whether nothing is on it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// The values of a metric, of all values of its dimension.
    #[must_use]
    pub fn values(&self, metric: Metric) -> Vec<f64> {
        self.groups.values().filter_map(|group| group.get(&metric)).flatten().copied().collect()
    }

    fn put(&mut self, group: Group, metric: Metric, value: f64) {
        self.groups.entry(group).or_default().entry(metric).or_default().push(value);
    }
}

/// A count beyond 2³² would not be one invocation's.
fn as_value(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
