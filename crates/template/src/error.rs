//! What is wrong with a template, and where. The only error of this crate; `Fault` is the same before the file's name is
//! known.

use std::fmt;

/// A place in a file, counted from 1 as editors do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// Why a template cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// There is no such file, or it cannot be read; give another.
    #[error("{file}: {reason}")]
    Unreadable {
        /// Which.
        file: String,
        /// The system's word for it.
        reason: String,
    },
    /// Something in it is wrong, or not known here and needed; change it there.
    #[error("{file}:{place}: {message}")]
    Refused {
        /// The file's name, as it was given.
        file: String,
        /// Where.
        place: Place,
        /// What, and what is expected.
        message: String,
    },
    /// A parameter was given that the template cannot take, or one is missing; give another.
    #[error("{file}: parameter {name}: {reason}")]
    Parameter {
        /// The file's name.
        file: String,
        /// The parameter's.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// A fault inside a file: where, below which keys, and what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    place: Option<Place>,
    /// From the inside out.
    path: Vec<String>,
    message: String,
}

impl Fault {
    pub(crate) fn new(place: Place, message: impl Into<String>) -> Self {
        Self { place: Some(place), path: Vec::new(), message: message.into() }
    }

    /// At this place, unless a closer one is known.
    pub(crate) fn at(mut self, place: Place) -> Self {
        self.place.get_or_insert(place);
        self
    }

    /// Found below this key.
    pub(crate) fn below(mut self, key: &str) -> Self {
        self.path.push(key.to_owned());
        self
    }

    pub(crate) fn in_file(self, file: &str) -> TemplateError {
        let Self { place, path, message } = self;
        let path = path.iter().rev().map(String::as_str).collect::<Vec<_>>().join(".");
        let message = if path.is_empty() { message } else { format!("{path}: {message}") };
        TemplateError::Refused { file: file.to_owned(), place: place.unwrap_or_default(), message }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}

impl serde::de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self { place: None, path: Vec::new(), message: message.to_string() }
    }
}
