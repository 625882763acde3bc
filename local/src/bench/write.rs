//! Writes the report: JSON for programs, one HTML page for people, Markdown for a page in the repository.

use std::fs;

use anyhow::Context;
use bench_report::{Benchmark, Summary, html, markdown, refreshed, targets};

use super::BenchOptions;

/// Writes all of it, and prints the targets on stdout.
///
/// # Errors
/// A file cannot be written, or a chart not drawn.
pub(super) fn all(options: &BenchOptions, benchmark: &Benchmark) -> anyhow::Result<()> {
    let out = &options.out;
    fs::create_dir_all(out).with_context(|| format!("{} cannot be made", out.display()))?;
    let section = markdown(benchmark)?;
    for (name, text) in [
        ("bench.json", serde_json::to_string_pretty(benchmark)?),
        ("bench.html", html(benchmark)?),
        ("bench.md", section.clone()),
    ] {
        let path = out.join(name);
        fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    if let Some(path) = &options.page {
        let page = fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
        let page = refreshed(&page, &section).with_context(|| path.display().to_string())?;
        fs::write(path, page).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    for target in targets(&Summary::new(benchmark)?) {
        println!(
            "{:<12} {}: {} ({}; {})",
            target.status.shown(),
            target.name,
            target.reached,
            target.bound,
            target.says
        );
    }
    println!("{}", out.join("bench.html").display());
    Ok(())
}
