//! The systems to compare with, each as a process of its own over parts that a test can kill: one test for each claim of
//! the seeds' tables that can be tested, and one for each hole, whose consequence the verdict shows. `docs/baselines.md`
//! lists them side by side.
//!
//! They want a redis-server; without one they fail and say how to get it.

mod alike;
mod gate;
mod redis_queue;
mod with_a_log;
pub(crate) mod world;
