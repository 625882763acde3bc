//! The summary for a page in the repository: targets, one table a profile, and the prices, in Markdown.

use std::fmt::Write;

use crate::ReportError;
use crate::data::{Benchmark, ProfileInfo};
use crate::page::{COLUMNS, COUNTED};
use crate::profiles::{BOTS, SUSTAINED};
use crate::summary::{Cell, Summary};
use crate::target::targets;
use crate::text::{dollars, figure, spread};

/// The summary of a benchmark.
///
/// # Errors
/// The price table is not what it has to be.
pub fn markdown(benchmark: &Benchmark) -> Result<String, ReportError> {
    let summary = Summary::new(benchmark)?;
    let machine = &benchmark.machine;
    let mut page = format!(
        "`{}`, {}, {:.0} minutes, {} cores ({}), binaries built as {}, load before: {}.\n",
        benchmark.command,
        benchmark.taken_at.get(..10).unwrap_or(&benchmark.taken_at),
        benchmark.seconds / 60.0,
        machine.cores,
        machine.cpu,
        benchmark.build,
        machine.load_before,
    );
    if benchmark.interrupted {
        page.push_str("\n**Ended before it was through.**\n");
    }
    page.push_str("\n| what | reached | has to be | |\n| --- | --- | --- | --- |\n");
    for target in targets(&summary) {
        // Writing into a string does not fail.
        writeln!(
            page,
            "| {} ({}) | {} | {} | {} |",
            target.name,
            target.says,
            target.reached,
            target.bound,
            target.status.shown()
        )
        .ok();
    }
    for profile in &benchmark.profiles {
        page.push_str(&table(&summary, profile));
    }
    page.push_str(&costs(&summary)?);
    page.push_str(&wrong(&summary));
    for remark in &benchmark.remarks {
        writeln!(page, "\n{remark}").ok();
    }
    Ok(page)
}

/// A table with the systems side by side, so that a page shows it without scrolling.
fn table(summary: &Summary<'_>, profile: &ProfileInfo) -> String {
    let cells = summary.cells(profile);
    if cells.is_empty() {
        return String::new();
    }
    let mut page = format!("\n### {}\n\n{}\n\n| |", profile.name, profile.says);
    for cell in &cells {
        let rate = cell.offered.map_or_else(String::new, |rate| format!(" at {}/s", figure(rate)));
        write!(page, " {}{rate} |", cell.system.name).ok();
    }
    page.push_str("\n| --- |");
    page.push_str(&" --- |".repeat(cells.len()));
    page.push('\n');
    let mut group = "";
    for (name, of) in COLUMNS.into_iter().chain(COUNTED) {
        // `p95` by itself belongs to the figure before it.
        let full = if name.starts_with('p') || name == "max" { format!("{group} {name}") } else { name.to_owned() };
        if let Some((before, _)) = name.split_once(" p50") {
            group = before;
        }
        if cells.iter().any(|cell| of(cell).is_some()) {
            write!(page, "| {full} |").ok();
            for cell in &cells {
                write!(page, " {} |", struck(cell, &spread(of(cell)))).ok();
            }
            page.push('\n');
        }
    }
    page
}

fn struck(cell: &Cell<'_>, text: &str) -> String {
    if cell.is_correct() || text == "–" { text.to_owned() } else { format!("~~{text}~~") }
}

fn costs(summary: &Summary<'_>) -> Result<String, ReportError> {
    let mut page = String::from(
        "\n### What a million costs by use\n\n| | coupons, in a rush | refusals, sold out |\n| --- | --- | --- |\n",
    );
    for system in &summary.benchmark.systems {
        let issued = summary.cell(&system.id, SUSTAINED).map(|cell| cell.cost_of_a_million_issued(&summary.prices));
        let refused = summary.cell(&system.id, BOTS).map(|cell| cell.cost_of_a_million_refused(&summary.prices));
        let shown = |cost: Option<crate::Cost>| cost.map_or_else(|| "–".into(), |cost| dollars(cost.total()));
        let (issued, refused) = (issued.transpose()?.flatten(), refused.transpose()?.flatten());
        writeln!(page, "| {} | {} | {} |", system.name, shown(issued), shown(refused)).ok();
    }
    Ok(page)
}

fn wrong(summary: &Summary<'_>) -> String {
    let (mut page, mut beside) = (String::new(), String::new());
    for system in &summary.benchmark.systems {
        for profile in &summary.benchmark.profiles {
            let Some(cell) = summary.cell(&system.id, &profile.id) else { continue };
            for check in cell.broken() {
                writeln!(page, "- {}, {}: not “{}”: {}", system.name, profile.name, check.name, check.found).ok();
            }
            for flaw in cell.flaws() {
                writeln!(beside, "- {}, {}: {flaw}", system.name, profile.name).ok();
            }
        }
    }
    let mut page = match page.as_str() {
        "" => "\nEvery run's outcome was right.\n".to_owned(),
        wrong => format!("\n### Whose outcome was wrong\n\n{wrong}"),
    };
    if !beside.is_empty() {
        write!(page, "\nBeside the verdict, for it costs nobody a coupon:\n\n{beside}").ok();
    }
    page
}
