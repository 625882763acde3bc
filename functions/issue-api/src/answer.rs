//! What goes back to API Gateway, payload format 2.0.

use std::collections::BTreeMap;

use serde::Serialize;

/// One HTTP answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    status_code: u16,
    headers: BTreeMap<&'static str, String>,
    body: String,
    /// A refusal's, for metrics.
    #[serde(skip)]
    code: Option<&'static str>,
}

impl Answer {
    /// An answer with a JSON body.
    pub(crate) fn json(status: u16, body: &impl Serialize) -> Self {
        // Our own bodies are plain structs of text and numbers, which have a JSON form always.
        let body = serde_json::to_string(body).unwrap_or_default();
        Self { status_code: status, headers: BTreeMap::new(), body, code: None }
            .with("content-type", "application/json")
    }

    /// An answer without a body.
    pub(crate) const fn empty(status: u16) -> Self {
        Self { status_code: status, headers: BTreeMap::new(), body: String::new(), code: None }
    }

    /// The same with a header, which replaces one of the same name.
    #[must_use]
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.insert(name, value.into());
        self
    }

    /// The status.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status_code
    }

    /// The same as a refusal of this code.
    #[must_use]
    pub(crate) const fn of_code(mut self, code: &'static str) -> Self {
        self.code = Some(code);
        self
    }

    /// The code of a refusal, one of `problem.rs`.
    #[must_use]
    pub const fn code(&self) -> Option<&'static str> {
        self.code
    }

    /// A header's value by its lower-case name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// The body, JSON.
    #[must_use]
    pub fn body(&self) -> &str {
        &self.body
    }

    /// Every header, by its lower-case name.
    pub fn headers(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.headers.iter().map(|(name, value)| (*name, value.as_str()))
    }
}
