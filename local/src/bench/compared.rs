//! The systems that are compared: what each is called, what it is started with, and what it stores where.

use std::fmt;
use std::str::FromStr;

use baseline::System;
use bench_report::systems;

/// One of the four.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compared {
    /// One of those that `cargo local baseline` runs.
    Baseline(System),
    /// Our functions behind the emulated gateway, Lambda host and mapping: `cargo local up`.
    Emulated,
}

impl Compared {
    /// Its id in data and on the command line.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Baseline(System::Redis) => systems::REDIS,
            Self::Baseline(System::Hybrid) => systems::HYBRID,
            Self::Baseline(System::Ours) => systems::OURS,
            Self::Emulated => systems::EMULATED,
        }
    }

    /// How it is shown.
    pub(super) fn shown(self) -> bench_report::System {
        let (name, says) = match self {
            Self::Baseline(System::Redis) => {
                ("A, Redis queue", "ranks in a sorted set, answers at once, takes the stock by an outbox every 10 s.")
            }
            Self::Baseline(System::Hybrid) => {
                ("B, Redis and Kafka", "asks Redis for duplicates, queues in Kafka, takes the stock coupon by coupon.")
            }
            Self::Baseline(System::Ours) => {
                ("firstcome", "our handlers behind the same HTTP server and consumer loop as A and B.")
            }
            Self::Emulated => (
                "firstcome, emulated",
                "the same as deployed: processes behind an emulated gateway, Lambda and mapping.",
            ),
        };
        bench_report::System { id: self.id().into(), name: name.into(), says: says.into() }
    }

    /// The arguments of the `local` binary that start it on free ports.
    pub(super) fn arguments(self, release: bool) -> Vec<&'static str> {
        match self {
            Self::Baseline(system) => vec!["baseline", system.name(), "--port", "0"],
            Self::Emulated if release => vec!["up", "--port", "0", "--release"],
            Self::Emulated => vec!["up", "--port", "0"],
        }
    }

    /// Whose tables and topics it has.
    pub(super) const fn stores_as(self) -> System {
        match self {
            Self::Baseline(system) => system,
            Self::Emulated => System::Ours,
        }
    }

    /// Whether it has a Redis of its own.
    pub(super) fn wants_redis(self) -> bool {
        matches!(self, Self::Baseline(System::Redis | System::Hybrid))
    }

    /// Whether an accepted request is decided with its answer.
    pub(super) fn decides_at_once(self) -> bool {
        self == Self::Baseline(System::Redis)
    }

    /// Whether decisions are in a log of results, and the audit can replay it.
    pub(super) fn has_results(self) -> bool {
        self.stores_as() == System::Ours
    }
}

impl fmt::Display for Compared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

impl FromStr for Compared {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == systems::EMULATED {
            return Ok(Self::Emulated);
        }
        System::from_str(text).map(Self::Baseline).map_err(|_error| {
            format!("{text:?} is no system: expected redis, hybrid, ours or emulated, with commas between them")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_is_found_by_the_name_that_it_has_in_data() {
        for id in ["redis", "hybrid", "ours", "emulated"] {
            assert_eq!(id.parse::<Compared>().unwrap().id(), id);
        }
        assert!("postgres".parse::<Compared>().unwrap_err().contains("emulated"));
    }
}
