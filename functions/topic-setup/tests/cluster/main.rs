//! The function's flow against a cluster that is no part of this repository: Apache Kafka or Redpanda at
//! `TOPIC_SETUP_BOOTSTRAP_SERVERS`, on as many brokers as `TOPIC_SETUP_BROKERS` says (1).
//!
//!     local/real/kafka &    # says where it listens
//!     TOPIC_SETUP_BOOTSTRAP_SERVERS=127.0.0.1:… cargo test --test cluster -- --ignored
#![allow(clippy::disallowed_methods, reason = "these tests run listeners beside them")]

#[cfg(test)]
mod on_cluster;
#[cfg(test)]
#[path = "../support/mod.rs"]
mod support;
