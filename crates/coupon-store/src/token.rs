//! The idempotency token of a commit: the same one for as long as the outcome is unknown, a fresh one after.

use std::sync::{Mutex, PoisonError};

/// A client request token: 32 hexadecimal digits, of the 36 characters that DynamoDB allows
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html>).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Token(String);

impl Token {
    /// The text itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Where tokens and the jitter of back-off come from: one generator, seeded once.
#[derive(Debug)]
pub struct Tokens(Mutex<fastrand::Rng>);

impl Tokens {
    /// A generator with a seed of the process's own: no two environments give the same tokens, but by a chance of 2⁻⁶⁴.
    #[must_use]
    pub fn new() -> Self {
        Self(Mutex::new(fastrand::Rng::new()))
    }

    /// A generator that repeats itself, for tests and the simulation.
    #[must_use]
    pub fn with_seed(seed: u64) -> Self {
        Self(Mutex::new(fastrand::Rng::with_seed(seed)))
    }

    /// A token not given before.
    #[must_use]
    pub fn next(&self) -> Token {
        Token(format!("{:032x}", self.with(|rng| rng.u128(..))))
    }

    /// A number from 0 to 1, 1 excluded.
    #[must_use]
    pub fn fraction(&self) -> f64 {
        self.with(fastrand::Rng::f64)
    }

    fn with<T>(&self, draw: impl FnOnce(&mut fastrand::Rng) -> T) -> T {
        // The generator is whole at any moment: a panic elsewhere does not spoil it.
        draw(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Default for Tokens {
    fn default() -> Self {
        Self::new()
    }
}
