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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_token_has_32_hexadecimal_digits_and_comes_once() {
        let tokens = Tokens::new();
        let given: BTreeSet<String> = (0..1000).map(|_| tokens.next().as_str().to_owned()).collect();
        assert_eq!(given.len(), 1000);
        assert!(given.iter().all(|token| token.len() == 32 && token.bytes().all(|byte| byte.is_ascii_hexdigit())));
    }

    #[test]
    fn a_seed_repeats_itself_and_two_environments_do_not() {
        let three = |tokens: &Tokens| [tokens.next(), tokens.next(), tokens.next()];
        assert_eq!(three(&Tokens::with_seed(7)), three(&Tokens::with_seed(7)));
        assert_ne!(three(&Tokens::with_seed(7)), three(&Tokens::with_seed(8)));
        assert_ne!(three(&Tokens::new()), three(&Tokens::default()));
    }

    #[test]
    fn a_fraction_lies_between_0_and_1() {
        let tokens = Tokens::with_seed(7);
        assert!((0..1000).map(|_| tokens.fraction()).all(|fraction| (0.0..1.0).contains(&fraction)));
    }
}
