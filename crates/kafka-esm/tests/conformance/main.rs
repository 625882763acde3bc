//! ESM.md's conformance list, by number, against the embedded broker and real HTTP functions: nothing between the
//! emulator and the two is replaced. Cases that need no broker are unit tests beside the code they hold.
//!
//! Slow for a reason: joining a group takes its time with every broker. The broker is built and started once for all.

#[cfg(test)]
mod batching;
#[cfg(test)]
mod events;
#[cfg(test)]
mod failures;
#[cfg(test)]
mod groups;
#[cfg(test)]
mod support;
