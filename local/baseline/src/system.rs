//! Which systems there are, and what each needs: tables, topics, Redis. Data only; how they start is `running.rs`.

use std::fmt;
use std::str::FromStr;

/// One of the three systems.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum System {
    /// The seeds' system A: a Redis queue with an outbox.
    Redis,
    /// The seeds' system B: duplicate check in Redis, a Kafka topic, one consumer group.
    Hybrid,
    /// Our own functions' libraries behind the same HTTP server and a consumer loop.
    Ours,
}

/// A table that a system needs; all keys are strings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableSpec {
    /// Its name.
    pub name: &'static str,
    /// The partition key and, if any, the sort key.
    pub keys: &'static [&'static str],
}

/// A topic that a system needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopicSpec {
    /// Its name.
    pub name: &'static str,
    /// How many partitions it has.
    pub partitions: i32,
}

/// The names of one system's tables. The systems share no table, since they store a coupon differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TableNames {
    pub(crate) coupons: &'static str,
    pub(crate) user_coupons: &'static str,
    /// Only where there is an outbox.
    pub(crate) outbox: Option<&'static str>,
}

/// Our topics, as `infra/template.yaml` has them.
pub(crate) const OUR_REQUESTS: TopicSpec = TopicSpec { name: "coupon-issue-request", partitions: 10 };
pub(crate) const OUR_RESULTS: TopicSpec = TopicSpec { name: "coupon-issue-result", partitions: 10 };
pub(crate) const OUR_DEAD_LETTERS: TopicSpec = TopicSpec { name: "coupon-issue-dlq", partitions: 1 };
/// The hybrid's one topic.
pub(crate) const HYBRID_REQUESTS: TopicSpec = TopicSpec { name: "coupon_issue", partitions: 3 };

/// The hybrid's one group.
pub(crate) const HYBRID_GROUP: &str = "coupon-issue";
/// The worker's group, as the mapping has it.
pub(crate) const OUR_GROUP: &str = "issue-worker";

impl System {
    /// All of them, in the order of the seeds.
    pub const ALL: [Self; 3] = [Self::Redis, Self::Hybrid, Self::Ours];

    /// Its name on the command line and in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Redis => "redis",
            Self::Hybrid => "hybrid",
            Self::Ours => "ours",
        }
    }

    /// Whether it needs a Redis.
    #[must_use]
    pub const fn needs_redis(self) -> bool {
        matches!(self, Self::Redis | Self::Hybrid)
    }

    /// Its topics; a system without any needs no broker.
    #[must_use]
    pub const fn topics(self) -> &'static [TopicSpec] {
        match self {
            Self::Redis => &[],
            Self::Hybrid => &[HYBRID_REQUESTS],
            Self::Ours => &[OUR_REQUESTS, OUR_RESULTS, OUR_DEAD_LETTERS],
        }
    }

    /// The group of its consumers, and the topic whose records they decide; nothing for a system without.
    #[must_use]
    pub const fn consumers(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Redis => None,
            Self::Hybrid => Some((HYBRID_GROUP, HYBRID_REQUESTS.name)),
            Self::Ours => Some((OUR_GROUP, OUR_REQUESTS.name)),
        }
    }

    /// Its tables.
    #[must_use]
    pub fn tables(self) -> Vec<TableSpec> {
        let names = self.table_names();
        let mut tables = vec![
            TableSpec { name: names.coupons, keys: &["couponId"] },
            TableSpec { name: names.user_coupons, keys: &["userId", "couponId"] },
        ];
        tables.extend(names.outbox.map(|name| TableSpec { name, keys: &["eventId"] }));
        tables
    }

    pub(crate) const fn table_names(self) -> TableNames {
        match self {
            Self::Redis => TableNames {
                coupons: "redis-coupons",
                user_coupons: "redis-user-coupons",
                outbox: Some("redis-coupon-outbox"),
            },
            Self::Hybrid => TableNames { coupons: "hybrid-coupons", user_coupons: "hybrid-user-coupons", outbox: None },
            Self::Ours => TableNames { coupons: "coupons", user_coupons: "user-coupons", outbox: None },
        }
    }
}

impl fmt::Display for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for System {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|system| system.name() == text)
            .ok_or_else(|| format!("{text:?} is no system: expected redis, hybrid or ours"))
    }
}
