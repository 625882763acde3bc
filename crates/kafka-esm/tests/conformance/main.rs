//! The conformance list of the event source mapping, case by case, between a broker and real HTTP functions: nothing
//! between the emulator and the two is replaced. `CONFORMANCE.md` says what each case is and where it is tested; cases
//! that need no broker are unit tests beside the code they hold.
//!
//!     cargo test --test conformance                                              # the embedded broker
//!     ESM_BOOTSTRAP_SERVERS=127.0.0.1:9092 cargo test --test conformance         # any other
//!
//! Topics and groups have names of their own and are deleted at the end, so the broker may be somebody's. The embedded
//! broker cannot show C08, for it keeps the producer's time whatever the topic says, which is asserted there; nor what
//! retention takes and a topic that is made anew (C48), for it answers a fetch of what it does not have with nothing; nor
//! added partitions (C49), which it does not add. The last three return at once there.
//!
//! Slow for a reason: joining a group takes its time with every broker, and a session at least six seconds.

#[cfg(test)]
mod answers;
#[cfg(test)]
mod batching;
#[cfg(test)]
mod commits;
#[cfg(test)]
mod events;
#[cfg(test)]
mod failures;
#[cfg(test)]
mod groups;
#[cfg(test)]
mod listed;
#[cfg(test)]
mod support;
