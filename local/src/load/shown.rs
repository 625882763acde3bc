//! A run's figures as a page for people, and its progress: a bar on a terminal, a line now and then elsewhere. Plain
//! text without colours or cursor codes wherever stderr is not a terminal.

use std::fmt::Write;
use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::figures::{Figures, Latencies};
use super::rush::Rush;

/// How often the bar moves.
const BAR_EVERY: Duration = Duration::from_millis(100);
/// How often a line says how far it is, where there is no bar.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// The page.
#[must_use]
pub fn page(figures: &Figures) -> String {
    let mut page = String::new();
    let mut line = |name: &str, value: String| {
        // Writing into a string does not fail.
        writeln!(page, "{name:<18} {value}").ok();
    };
    let asked = figures.users;
    let rate = f64::from(u32::try_from(asked).unwrap_or(u32::MAX)) / figures.seconds.max(0.001);
    line("asked", format!("{asked} in {:.1} s ({rate:.0}/s to the last outcome)", figures.seconds));
    line("accepted", figures.accepted.to_string());
    line("issued", figures.issued.to_string());
    for (reason, count) in &figures.rejected {
        line("rejected", format!("{count} {reason}"));
    }
    for (code, count) in &figures.refused {
        line("refused", format!("{count} {code}"));
    }
    line("repeated", figures.repeated.to_string());
    line("errors", figures.failed().to_string());
    for (what, count) in &figures.errors {
        line("", format!("{count} {what}"));
    }
    for (name, latencies) in [
        ("accept", &figures.accept_ms),
        ("refuse", &figures.refuse_ms),
        ("time to decision", &figures.decision_ms),
        ("time to be told", &figures.told_ms),
    ] {
        if latencies.count() > 0 {
            line(name, percentiles(latencies));
        }
    }
    page
}

/// `p50 1.2 ms, …`.
#[must_use]
pub fn percentiles(latencies: &Latencies) -> String {
    let each: Vec<String> = latencies.named_ms().iter().map(|(name, ms)| format!("{name} {ms:.1} ms")).collect();
    each.join(", ")
}

/// Shows a rush's progress on stderr until the future is done.
pub async fn with_progress<T>(rush: &Rush, done: impl Future<Output = T>) -> T {
    let total = u64::try_from(rush.users()).unwrap_or(u64::MAX);
    tokio::pin!(done);
    if !std::io::stderr().is_terminal() {
        loop {
            tokio::select! {
                value = &mut done => return value,
                () = tokio::time::sleep(LINE_EVERY) => {
                    let (asked, ended) = rush.progress();
                    eprintln!("{asked} of {total} asked, {ended} know");
                }
            }
        }
    }
    let bar = ProgressBar::new(total);
    if let Ok(style) = ProgressStyle::with_template("{msg:<24} [{bar:40}] {pos}/{len} know, {elapsed}") {
        bar.set_style(style.progress_chars("=> "));
    }
    let value = loop {
        tokio::select! {
            value = &mut done => break value,
            () = tokio::time::sleep(BAR_EVERY) => {
                let (asked, ended) = rush.progress();
                bar.set_message(format!("{asked} asked"));
                bar.set_position(ended);
            }
        }
    };
    bar.finish_and_clear();
    value
}
