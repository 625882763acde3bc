//! Where lines go: stdout, or nowhere where no namespace is given.

use std::{
    io::Write as _,
    sync::atomic::{AtomicBool, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

use crate::{Metric, Sheet, line::lines};

/// One environment's way to CloudWatch.
#[derive(Debug)]
pub struct Metrics {
    namespace: Option<String>,
    function: &'static str,
    is_cold: AtomicBool,
}

impl Metrics {
    /// Metrics of a function under a namespace; without one nothing is written.
    #[must_use]
    pub const fn new(namespace: Option<String>, function: &'static str) -> Self {
        Self { namespace, function, is_cold: AtomicBool::new(true) }
    }

    /// Whether anything is written at all: what is only there for metrics need not be done otherwise.
    #[must_use]
    pub const fn are_on(&self) -> bool {
        self.namespace.is_some()
    }

    /// Writes one invocation's sheet, and on the first one `cold_start` too. A log that takes no line costs its metrics,
    /// never the invocation.
    pub fn write(&self, mut sheet: Sheet, cold_start: Metric) {
        let Some(namespace) = &self.namespace else { return };
        if self.is_cold.swap(false, Ordering::Relaxed) {
            sheet.count(cold_start, 1);
        }
        let text = lines(&sheet, namespace, self.function, now_ms());
        drop(std::io::stdout().lock().write_all(text.as_bytes()));
    }
}

#[expect(clippy::disallowed_methods, reason = "what happens now is timed by the machine's clock")]
fn now_ms() -> u64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX)
}
