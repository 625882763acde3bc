//! One invocation: what the caller handed in, where the answer goes, and the words in which Lambda reports a failure.
//!
//! No process and no HTTP here. `pool.rs` brings invocations and environments together.

use std::process::ExitStatus;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use serde_json::json;
use tokio::sync::oneshot;

/// What a caller wants a function to do.
#[derive(Debug)]
pub(super) struct Invocation {
    /// Lambda's request id, a UUID.
    pub(super) request_id: String,
    /// The event, passed through unread.
    pub(super) payload: Bytes,
    /// `X-Amzn-Trace-Id`: the caller's or a new one.
    pub(super) trace_id: String,
    /// `X-Amz-Client-Context`, decoded, for callers that send one.
    pub(super) client_context: Option<String>,
    /// Where the answer goes.
    pub(super) reply: oneshot::Sender<Reply>,
}

/// How an invocation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reply {
    /// The function's answer.
    Answered(Bytes),
    /// The function reported an error, or its environment did not survive: the error's JSON.
    Failed(Bytes),
}

/// Why an environment ended, in Lambda's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// The process ended.
    Exited(ExitStatus),
    /// It took longer than this.
    TimedOut(Duration),
    /// It reported an error of its own during init, as JSON.
    Reported(Bytes),
    /// It could not even be started.
    NotStarted(String),
    /// The host is shutting down.
    Stopped,
}

impl Failure {
    /// The error's JSON for a caller.
    pub(super) fn payload(&self, request_id: &str) -> Bytes {
        let (kind, text) = match self {
            Self::Reported(payload) => return payload.clone(),
            Self::Exited(status) => ("Runtime.ExitError", exit_text(*status)),
            Self::TimedOut(limit) => {
                ("Sandbox.Timedout", format!("Task timed out after {:.2} seconds", limit.as_secs_f64()))
            }
            Self::NotStarted(cause) => ("Runtime.InvalidEntrypoint", cause.clone()),
            Self::Stopped => ("Sandbox.Stopped", "The Lambda host is shutting down".to_owned()),
        };
        error_payload(kind, &format!("RequestId: {request_id} Error: {text}"))
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Reported(payload) => write!(f, "{}", String::from_utf8_lossy(payload)),
            Self::Exited(status) => f.write_str(&exit_text(*status)),
            Self::TimedOut(limit) => write!(f, "timed out after {:.2} seconds", limit.as_secs_f64()),
            Self::NotStarted(cause) => f.write_str(cause),
            Self::Stopped => f.write_str("stopped with the host"),
        }
    }
}

/// An error as Lambda words it.
pub(super) fn error_payload(kind: &str, message: &str) -> Bytes {
    json!({ "errorType": kind, "errorMessage": message }).to_string().into()
}

fn exit_text(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    match (status.code(), status.signal()) {
        // The process is not meant to end at all, so that even a zero is an error.
        (Some(0), _) => "Runtime exited without providing a reason".to_owned(),
        (Some(code), _) => format!("Runtime exited with error: exit status {code}"),
        (None, Some(signal)) => format!("Runtime exited with error: signal: {}", signal_name(signal)),
        (None, None) => "Runtime exited with error".to_owned(),
    }
}

fn signal_name(signal: i32) -> String {
    use nix::sys::signal::Signal;
    match Signal::try_from(signal) {
        Ok(Signal::SIGKILL) => "killed".to_owned(),
        Ok(Signal::SIGTERM) => "terminated".to_owned(),
        Ok(Signal::SIGSEGV) => "segmentation fault".to_owned(),
        Ok(Signal::SIGABRT) => "aborted".to_owned(),
        Ok(other) => other.as_str().to_owned(),
        Err(_) => signal.to_string(),
    }
}

/// A random UUID, version 4. Unpredictability is not needed, distinctness is.
pub(super) fn uuid() -> String {
    let random = fastrand::u128(..);
    let versioned = (random & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
    let hex = format!("{versioned:032x}");
    let cut = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    format!("{}-{}-{}-{}-{}", cut(0, 8), cut(8, 12), cut(12, 16), cut(16, 20), cut(20, 32))
}

/// A new, unsampled X-Ray trace header.
pub(super) fn trace_id() -> String {
    let seconds = since_epoch().as_secs();
    let unique = fastrand::u128(..) >> 32;
    format!("Root=1-{seconds:08x}-{unique:024x};Parent={:016x};Sampled=0", fastrand::u64(..))
}

/// The wall clock.
pub(super) fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;

    use super::*;

    #[test]
    fn a_request_id_is_a_uuid_of_version_4() {
        let id = uuid();
        assert_eq!(id.len(), 36, "{id}");
        assert_eq!(id.as_bytes()[14], b'4', "{id}");
        assert!(matches!(id.as_bytes()[19], b'8' | b'9' | b'a' | b'b'), "{id}");
        assert_ne!(id, uuid());
    }

    #[test]
    fn failures_are_reported_in_lambdas_words() {
        let text = |failure: Failure| String::from_utf8(failure.payload("7").to_vec()).unwrap();
        assert_eq!(
            text(Failure::Exited(ExitStatus::from_raw(1 << 8))),
            r#"{"errorMessage":"RequestId: 7 Error: Runtime exited with error: exit status 1","errorType":"Runtime.ExitError"}"#
        );
        assert!(text(Failure::Exited(ExitStatus::from_raw(9))).contains("exited with error: signal: killed"));
        assert!(text(Failure::TimedOut(Duration::from_secs(3))).contains("Task timed out after 3.00 seconds"));
    }
}
