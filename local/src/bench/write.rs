//! Writes the report: JSON for programs, one HTML page for people, Markdown for a page in the repository. The JSON first and
//! after each session, for it is what was measured; the rest can be drawn of it again.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use bench_report::{Benchmark, Summary, html, markdown, refreshed, targets};

use super::BenchOptions;

/// Where it goes.
pub(super) struct Out<'o> {
    directory: PathBuf,
    page: Option<&'o Path>,
}

impl<'o> Out<'o> {
    /// Makes the directory and looks at the page, so that nobody measures for half an hour for nothing.
    ///
    /// # Errors
    /// The directory cannot be made; the page cannot be read, or lacks its marks.
    pub(super) fn of(options: &'o BenchOptions) -> anyhow::Result<Self> {
        let (directory, page) = (options.out(), options.page.as_deref());
        fs::create_dir_all(&directory).with_context(|| format!("{} cannot be made", directory.display()))?;
        if let Some(path) = page {
            with_section(path, "")?;
        }
        Ok(Self { directory, page })
    }

    /// Writes what was measured so far, whole or not at all.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn data(&self, benchmark: &Benchmark) -> anyhow::Result<()> {
        let (path, unfinished) = (self.directory.join("bench.json"), self.directory.join("bench.json.new"));
        let written = fs::write(&unfinished, serde_json::to_string_pretty(benchmark)?);
        written.and_then(|()| fs::rename(&unfinished, &path)).with_context(|| cannot_be_written(&path))
    }

    /// Draws it, and prints the targets on stdout. A page in the repository is for what was measured to its end.
    ///
    /// # Errors
    /// A file cannot be written, or a chart not drawn.
    pub(super) fn drawn(&self, benchmark: &Benchmark) -> anyhow::Result<()> {
        let section = markdown(benchmark)?;
        for (name, text) in [("bench.html", html(benchmark)?), ("bench.md", section.clone())] {
            let path = self.directory.join(name);
            fs::write(&path, text).with_context(|| cannot_be_written(&path))?;
        }
        match self.page {
            Some(path) if benchmark.interrupted => eprintln!("{} stays as it was", path.display()),
            Some(path) => fs::write(path, with_section(path, &section)?).with_context(|| cannot_be_written(path))?,
            None => {}
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
        println!("{}", self.directory.join("bench.html").display());
        Ok(())
    }
}

/// A page with its section made anew.
fn with_section(path: &Path, section: &str) -> anyhow::Result<String> {
    let page = fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    refreshed(&page, section).with_context(|| path.display().to_string())
}

fn cannot_be_written(path: &Path) -> String {
    format!("{} cannot be written", path.display())
}
