//! The extensions of one environment, as the Extensions API knows them: who registered, for what, and what waits for
//! them. They all run inside the function's process, so they are *internal* ones in Lambda's terms.
//!
//! What registering changes is the end: an environment with an extension gets a SIGTERM and 500 ms, one without is
//! killed at once. No HTTP here, see `runtime_api.rs`.
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html>

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use serde::Deserialize;
use tokio::sync::{Mutex, mpsc};

use super::invocation::uuid;

/// Lambda allows ten.
const EXTENSIONS_MAX: usize = 10;
/// Events that wait for an extension that does not ask for them; older environments of one that never asks keep no more.
const EVENTS_MAX: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Extensions {
    registered: BTreeMap<String, Extension>,
}

/// The events of one extension. Locked by the call that waits for the next one; the next call waits behind it.
pub(super) type Waiting = Arc<Mutex<mpsc::Receiver<Bytes>>>;

#[derive(Debug)]
struct Extension {
    name: String,
    invokes: bool,
    events: mpsc::Sender<Bytes>,
    waiting: Waiting,
}

#[derive(Debug, Deserialize)]
struct Registration {
    #[serde(default)]
    events: Vec<String>,
}

/// Why an extension is refused: type and message of the answer.
pub(super) type Refusal = (&'static str, String);

impl Extensions {
    /// Whether any has registered.
    pub(super) fn any(&self) -> bool {
        !self.registered.is_empty()
    }

    /// Registers an extension for the events of the body; its identifier.
    pub(super) fn register(&mut self, name: &str, body: &[u8]) -> Result<String, Refusal> {
        let registration: Registration = if body.is_empty() {
            Registration { events: Vec::new() }
        } else {
            serde_json::from_slice(body).map_err(|error| ("Extension.InvalidRequestFormat", error.to_string()))?
        };
        if self.registered.values().any(|extension| extension.name == name) {
            return Err(("Extension.AlreadyRegistered", format!("an extension named {name} is registered already")));
        }
        if self.registered.len() >= EXTENSIONS_MAX {
            return Err(("Extension.TooManyExtensions", format!("at most {EXTENSIONS_MAX} extensions can register")));
        }
        let mut invokes = false;
        for event in &registration.events {
            match event.as_str() {
                "INVOKE" => invokes = true,
                "SHUTDOWN" => {
                    let message = "internal extensions get no SHUTDOWN event, their process gets a SIGTERM".to_owned();
                    return Err(("ShutdownEventNotSupportedForInternalExtension", message));
                }
                other => return Err(("Extension.InvalidEventType", format!("there is no event {other}"))),
            }
        }
        let identifier = uuid();
        let (events, waiting) = mpsc::channel(EVENTS_MAX);
        let extension = Extension { name: name.to_owned(), invokes, events, waiting: Arc::new(Mutex::new(waiting)) };
        self.registered.insert(identifier.clone(), extension);
        Ok(identifier)
    }

    /// The events of an extension; `None` for an unknown identifier.
    pub(super) fn events(&self, identifier: &str) -> Option<Waiting> {
        Some(Arc::clone(&self.registered.get(identifier)?.waiting))
    }

    /// Tells those who asked for it of an invocation. An extension that lags behind misses events; the invocation does
    /// not wait for it, as Lambda's would.
    pub(super) fn invoked(&self, event: impl FnOnce() -> Bytes) {
        let mut event = Some(event);
        let mut made = None;
        for extension in self.registered.values().filter(|extension| extension.invokes) {
            if let Some(event) = event.take() {
                made = Some(event());
            }
            if let Some(event) = &made
                && extension.events.try_send(event.clone()).is_err()
            {
                tracing::debug!(extension = extension.name, "misses an INVOKE event");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extension_that_asks_for_no_event_counts_as_registered() {
        let mut extensions = Extensions::default();
        assert!(!extensions.any());
        let identifier = extensions.register("flush", br#"{"events":[]}"#).unwrap();
        assert!(extensions.any());
        extensions.invoked(|| Bytes::from_static(b"{}"));
        let events = extensions.events(&identifier).unwrap();
        assert!(events.try_lock().unwrap().try_recv().is_err());
    }

    #[test]
    fn an_invoke_reaches_those_who_asked_for_it() {
        let mut extensions = Extensions::default();
        let identifier = extensions.register("metrics", br#"{"events":["INVOKE"]}"#).unwrap();
        extensions.invoked(|| Bytes::from_static(b"{}"));
        let events = extensions.events(&identifier).unwrap();
        assert_eq!(events.try_lock().unwrap().try_recv().unwrap(), "{}");
        assert!(extensions.events("somebody else").is_none());
    }

    #[test]
    fn what_lambda_refuses_is_refused() {
        let mut extensions = Extensions::default();
        extensions.register("one", b"").unwrap();
        for (name, body, kind) in [
            ("one", "{}", "Extension.AlreadyRegistered"),
            ("two", "{", "Extension.InvalidRequestFormat"),
            ("two", r#"{"events":["SHUTDOWN"]}"#, "ShutdownEventNotSupportedForInternalExtension"),
            ("two", r#"{"events":["NOON"]}"#, "Extension.InvalidEventType"),
        ] {
            assert_eq!(extensions.register(name, body.as_bytes()).unwrap_err().0, kind, "{body}");
        }
    }
}
