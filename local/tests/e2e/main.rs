//! End to end: real processes on loopback, one test binary for all of it. A module for each part that is tested, with a
//! verb for each thing that can be asked of it.

#[cfg(test)]
mod asking;
#[cfg(test)]
mod authority;
#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod baselines;
#[cfg(test)]
mod benched;
#[cfg(test)]
mod by_hand;
#[cfg(test)]
mod callers;
#[cfg(test)]
mod cargo_lambda;
#[cfg(test)]
mod creating;
#[cfg(test)]
mod crowds;
#[cfg(test)]
mod deployed;
#[cfg(test)]
mod esm;
#[cfg(test)]
mod garbage;
#[cfg(test)]
mod gateway;
#[cfg(test)]
mod home;
#[cfg(test)]
mod hosted;
#[cfg(test)]
mod interrupted;
#[cfg(test)]
mod judged;
#[cfg(test)]
mod lambda_host;
#[cfg(test)]
mod lives;
#[cfg(test)]
mod log;
#[cfg(test)]
mod on_kafka;
#[cfg(test)]
mod over_tls;
#[cfg(test)]
mod part;
#[cfg(test)]
mod sandbox;
#[cfg(test)]
mod store;
#[cfg(test)]
mod topic_setup;
