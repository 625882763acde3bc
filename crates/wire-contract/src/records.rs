//! The records as `events/asyncapi.yaml` promises them: their keys, their headers, their values.

use std::sync::OnceLock;

use jsonschema::Validator;
use record_log::Header;
use serde_json::{Map, Value};

use crate::{
    schema::{closed, judge, resolved, validator},
    yaml,
};

const ASYNCAPI: &str = "events/asyncapi.yaml";

/// The topic that a record is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Somebody asks.
    Request,
    /// What became of it.
    Result,
    /// What is no request.
    DeadLetter,
}

/// The document, ready to judge records.
#[derive(Debug)]
pub struct Records {
    request: Promise,
    result: Promise,
    dead_letter: Promise,
}

#[derive(Debug)]
struct Promise {
    /// None where the record's own are kept, whatever they are.
    key_and_value: Option<(Validator, Validator)>,
    headers: Validator,
}

impl Records {
    /// The document in the workspace, read once.
    ///
    /// # Panics
    /// It cannot be read.
    #[must_use]
    pub fn promised() -> &'static Self {
        static RECORDS: OnceLock<Records> = OnceLock::new();
        RECORDS.get_or_init(|| {
            let document = yaml::load(ASYNCAPI);
            let of = |name: &str| Promise::of(&document, &document["components"]["messages"][name]);
            Self { request: of("issueRequest"), result: of("issueResult"), dead_letter: of("deadLetter") }
        })
    }

    /// Holds a record to the document.
    ///
    /// # Errors
    /// The key, the value or the headers are not what it says.
    pub fn check(
        &self,
        kind: Kind,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header],
    ) -> Result<(), String> {
        let promise = match kind {
            Kind::Request => &self.request,
            Kind::Result => &self.result,
            Kind::DeadLetter => &self.dead_letter,
        };
        promise.check(key, value, headers).map_err(|fault| format!("{ASYNCAPI}, {kind:?}: {fault}"))
    }
}

impl Promise {
    fn of(document: &Value, message: &Value) -> Self {
        let headers = resolved(document, &message["headers"]).clone();
        let file = message.pointer("/payload/schema/$ref").and_then(Value::as_str);
        let key_and_value = file.map(|file| {
            let path = file.replacen("./", "events/", 1);
            let value: Value =
                serde_json::from_str(&yaml::text(&path)).unwrap_or_else(|error| panic!("{path}: {error}"));
            (closed(document, &message["bindings"]["kafka"]["key"]), validator(&value))
        });
        let judges = match key_and_value {
            // What is ours entirely has no header that nobody was told of.
            Some(_) => closed(document, &headers),
            None => validator(&headers),
        };
        Self { key_and_value, headers: judges }
    }

    fn check(&self, key: Option<&[u8]>, value: Option<&[u8]>, headers: &[Header]) -> Result<(), String> {
        let text = |bytes: Option<&[u8]>| bytes.map(|bytes| Value::from(String::from_utf8_lossy(bytes).into_owned()));
        // The last of a name counts.
        let headers = headers.iter().map(|one| (one.name.clone(), text(one.value.as_deref()).unwrap_or_default()));
        judge(&self.headers, &headers.collect::<Map<_, _>>().into())?;
        let Some((keys, values)) = &self.key_and_value else { return Ok(()) };
        let key = text(key).unwrap_or_default();
        judge(keys, &key)?;
        let value: Value = serde_json::from_slice(value.unwrap_or_default()).map_err(|error| error.to_string())?;
        judge(values, &value)?;
        if value["couponId"] == key { Ok(()) } else { Err(format!("{value} has the key {key}")) }
    }
}
