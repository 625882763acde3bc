//! Variables of the environment through a lookup that the caller brings: the function's `config.rs` is the one place
//! that reads the environment, and a test brings a map.

use std::{fmt, str::FromStr};

/// A variable that is missing or cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VariableError {
    /// It is not set, or empty.
    #[error("{name} is not set: it takes {expected}")]
    Missing {
        /// The variable.
        name: &'static str,
        /// What it takes.
        expected: &'static str,
    },
    /// Its value is not what it takes.
    #[error("{name} is {value:?}: it takes {expected}")]
    Unreadable {
        /// The variable.
        name: &'static str,
        /// What it is.
        value: String,
        /// What it takes.
        expected: &'static str,
    },
}

/// A lookup of variables; an empty one counts as absent, as deployment templates write it.
pub struct Variables<'a>(&'a dyn Fn(&str) -> Option<String>);

impl fmt::Debug for Variables<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Variables").finish()
    }
}

impl<'a> Variables<'a> {
    /// Reads through `lookup`.
    pub fn new(lookup: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self(lookup)
    }

    /// A variable that has to be there.
    ///
    /// # Errors
    /// It is not.
    pub fn required(&self, name: &'static str, expected: &'static str) -> Result<String, VariableError> {
        self.optional(name).ok_or(VariableError::Missing { name, expected })
    }

    /// A number within bounds, or `default` where the variable is absent.
    ///
    /// # Errors
    /// It is no such number.
    pub fn number<N: FromStr + PartialOrd>(
        &self,
        name: &'static str,
        (min, default, max): (N, N, N),
        expected: &'static str,
    ) -> Result<N, VariableError> {
        let Some(value) = self.optional(name) else { return Ok(default) };
        match value.parse::<N>() {
            Ok(number) if number >= min && number <= max => Ok(number),
            Ok(_) | Err(_) => Err(VariableError::Unreadable { name, value, expected }),
        }
    }

    /// A variable that may be absent; an empty one is.
    #[must_use]
    pub fn optional(&self, name: &str) -> Option<String> {
        (self.0)(name).filter(|value| !value.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_the_variable_its_value_and_what_it_takes() {
        let lookup = |name: &str| match name {
            "HEAD_CACHE_MS" => Some("soon".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        let variables = Variables::new(&lookup);
        let error = variables.number("HEAD_CACHE_MS", (0, 250, 1000), "0 to 1000").unwrap_err();
        assert_eq!(error.to_string(), r#"HEAD_CACHE_MS is "soon": it takes 0 to 1000"#);
        let error = variables.required("EMPTY", "a topic's name").unwrap_err();
        assert_eq!(error.to_string(), "EMPTY is not set: it takes a topic's name");
        assert_eq!(variables.number("ABSENT", (0, 250, 1000), ""), Ok(250));
    }
}
