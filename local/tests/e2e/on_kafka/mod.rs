//! What can be shown on Apache Kafka alone: several brokers, Kafka's own tools, a login. `local/real/check` runs these;
//! a plain `cargo test` lists them as ignored, for they want Java.

mod cluster;
mod login;
mod tools;
