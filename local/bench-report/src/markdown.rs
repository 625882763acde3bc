//! The summary for a page in the repository: targets, one table a profile, and the prices, in Markdown.

use std::fmt::Write;

use crate::ReportError;
use crate::columns::{COLUMNS, COUNTED, Column};
use crate::cost::Cost;
use crate::data::{Benchmark, ProfileInfo};
use crate::profiles::{BOTS, RUSH, SEEDS, SUSTAINED};
use crate::rush::limits;
use crate::seeds::beside_ours;
use crate::summary::{Cell, Ratio, Summary};
use crate::systems::REDIS;
use crate::target::targets;
use crate::text::{COUNTED_BY_ITSELF, COUNTED_TOGETHER, crossed, dollars, figure};

/// The summary of a benchmark.
///
/// # Errors
/// The price table is not what it has to be.
pub fn markdown(benchmark: &Benchmark) -> Result<String, ReportError> {
    let summary = Summary::new(benchmark)?;
    let machine = &benchmark.machine;
    let mut page = format!(
        "`{}`, {}, {:.0} minutes, {} cores ({}), {} MB, {}, binaries built as {}, load before: {}.\n",
        benchmark.command,
        benchmark.taken_at.get(..10).unwrap_or(&benchmark.taken_at),
        benchmark.seconds / 60.0,
        machine.cores,
        machine.cpu,
        machine.memory_mb,
        machine.kernel,
        benchmark.build,
        machine.load_before,
    );
    if !benchmark.versions.is_empty() {
        let versions: Vec<String> =
            benchmark.versions.iter().map(|(name, version)| format!("{name}: {version}")).collect();
        // Writing into a string does not fail.
        writeln!(page, "{}.", versions.join("; ")).ok();
    }
    if benchmark.interrupted {
        page.push_str("\n**Ended before it was through.**\n");
    }
    page.push_str("\n| what | reached | has to be | |\n| --- | --- | --- | --- |\n");
    for target in targets(&summary) {
        writeln!(
            page,
            "| {} ({}) | {} | {} | {} |",
            target.name,
            target.says,
            if target.struck { crossed(&target.reached) } else { target.reached.clone() },
            target.bound,
            target.status.shown()
        )
        .ok();
    }
    page.push_str("\n× is the ratio to A's; figures of a wrong outcome, and ratios to them, are struck through.\n");
    for profile in &benchmark.profiles {
        page.push_str(&section(&summary, profile));
    }
    page.push_str(&costs(&summary)?);
    page.push_str(&wrong(&summary));
    for remark in &benchmark.remarks {
        writeln!(page, "\n{remark}").ok();
    }
    Ok(page)
}

fn section(summary: &Summary<'_>, profile: &ProfileInfo) -> String {
    let cells = summary.cells(profile);
    if cells.is_empty() {
        return String::new();
    }
    let counted = profile.counted.as_ref().map_or_else(String::new, |says| format!(" {COUNTED_BY_ITSELF} {says}"));
    let table = match cells.iter().any(|cell| cell.offered.is_some()) {
        true => steps(summary, &cells) + &counted_together(summary, profile),
        false => side_by_side(summary, &cells, COLUMNS.into_iter().chain(COUNTED)),
    };
    let mut page = format!("\n### {}\n\n{}{counted}\n\n{table}", profile.name, profile.says);
    match profile.id.as_str() {
        SEEDS => page.push_str(&beside_ours(summary)),
        RUSH => {
            page.push('\n');
            for (system, limit) in limits(summary) {
                writeln!(page, "- {system} {limit}.").ok();
            }
        }
        _ => {}
    }
    page
}

/// A line for each step, with what is compared alone: systems times steps are too many to stand side by side.
fn steps(summary: &Summary<'_>, cells: &[Cell<'_>]) -> String {
    let shown = |column: &Column| (column.is_compared() || column.name == "errors") && column.is_shown(cells);
    let columns: Vec<Column> = COLUMNS.into_iter().filter(shown).collect();
    let mut page = String::from("| | offered/s |");
    for name in full_names(&columns) {
        write!(page, " {name} |").ok();
    }
    page.push_str("\n| --- | --- |");
    page.push_str(&" --- |".repeat(columns.len()));
    page.push('\n');
    for cell in cells {
        write!(page, "| {} | {} |", cell.system.name, cell.offered.map_or_else(|| "–".into(), figure)).ok();
        for column in &columns {
            write!(page, " {} |", shown_in(summary, cell, column)).ok();
        }
        page.push('\n');
    }
    page
}

/// What is counted of a profile with steps; nothing where nothing is.
fn counted_together(summary: &Summary<'_>, profile: &ProfileInfo) -> String {
    let cells = summary.whole_cells(profile);
    if !COUNTED.iter().any(|column| column.is_shown(&cells)) {
        return String::new();
    }
    format!("\n{COUNTED_TOGETHER}\n\n{}", side_by_side(summary, &cells, COUNTED))
}

/// A column for each system, so that a page shows it without scrolling.
fn side_by_side(summary: &Summary<'_>, cells: &[Cell<'_>], columns: impl IntoIterator<Item = Column>) -> String {
    let mut page = String::from("| |");
    for cell in cells {
        write!(page, " {} |", cell.system.name).ok();
    }
    page.push_str("\n| --- |");
    page.push_str(&" --- |".repeat(cells.len()));
    page.push('\n');
    let columns: Vec<Column> = columns.into_iter().collect();
    for (name, column) in full_names(&columns).into_iter().zip(&columns) {
        if column.is_shown(cells) {
            write!(page, "| {name} |").ok();
            for cell in cells {
                write!(page, " {} |", shown_in(summary, cell, column)).ok();
            }
            page.push('\n');
        }
    }
    page
}

/// Headings that stand by themselves: a `p99` belongs to the figure before it.
fn full_names(columns: &[Column]) -> Vec<String> {
    let mut group = "";
    let full = |column: &Column| {
        let name = column.name;
        if let Some((before, _)) = name.split_once(" p50") {
            group = before;
        }
        if name.starts_with('p') || matches!(name, "max" | "mean") {
            format!("{group} {name}")
        } else {
            name.to_owned()
        }
    };
    columns.iter().map(full).collect()
}

fn shown_in(summary: &Summary<'_>, cell: &Cell<'_>, column: &Column) -> String {
    struck(cell, column.shown(cell), column.ratio(summary, cell))
}

/// A figure with its ratio to A's, each struck through where an outcome that it is made of was wrong.
fn struck(cell: &Cell<'_>, text: String, ratio: Option<Ratio>) -> String {
    let text = if cell.is_correct() || text == "–" { text } else { crossed(&text) };
    match ratio {
        None => text,
        Some(ratio) if ratio.sound && cell.is_correct() => format!("{text} {}", ratio.shown()),
        Some(ratio) => format!("{text} {}", crossed(&ratio.shown())),
    }
}

fn costs(summary: &Summary<'_>) -> Result<String, ReportError> {
    let mut page = String::from(
        "\n### What a million costs by use\n\n| | coupons, as fast as it goes | refusals, sold out |\n| --- | --- | --- |\n",
    );
    for system in &summary.benchmark.systems {
        let issued = cost(summary, &system.id, SUSTAINED, |cell| cell.cost_of_a_million_issued(&summary.prices))?;
        let refused = cost(summary, &system.id, BOTS, |cell| cell.cost_of_a_million_refused(&summary.prices))?;
        writeln!(page, "| {} | {issued} | {refused} |", system.name).ok();
    }
    Ok(page)
}

/// What a system's cell costs, with its ratio to A's.
fn cost<'a>(
    summary: &Summary<'a>,
    system: &str,
    profile: &str,
    of: impl Fn(&Cell<'a>) -> Result<Option<Cost>, ReportError>,
) -> Result<String, ReportError> {
    let total = |system: &str| -> Result<Option<(f64, Cell<'a>)>, ReportError> {
        let Some(cell) = summary.cell(system, profile) else { return Ok(None) };
        Ok(of(&cell)?.map(|cost| (cost.total(), cell)))
    };
    let Some((dollars_all, cell)) = total(system)? else { return Ok("–".into()) };
    let of_a = if system == REDIS { None } else { total(REDIS)? };
    let ratio = of_a.and_then(|(a, of_a)| Ratio::of(dollars_all, (a, of_a.is_correct())));
    Ok(struck(&cell, dollars(dollars_all), ratio))
}

fn wrong(summary: &Summary<'_>) -> String {
    let (mut page, mut beside) = (String::new(), String::new());
    for system in &summary.benchmark.systems {
        for profile in &summary.benchmark.profiles {
            let Some(cell) = summary.cell(&system.id, &profile.id) else { continue };
            for check in cell.broken() {
                writeln!(page, "- {}, {}: not “{}”: {}", system.name, profile.name, check.name, check.found).ok();
            }
            if !cell.is_correct() && cell.broken().is_empty() {
                writeln!(page, "- {}, {}: nobody judged it", system.name, profile.name).ok();
            }
            for flaw in cell.flaws() {
                writeln!(beside, "- {}, {}: {flaw}", system.name, profile.name).ok();
            }
        }
    }
    let mut page = match page.as_str() {
        "" if summary.benchmark.runs.is_empty() => "\nNothing was measured.\n".to_owned(),
        "" => "\nEvery run's outcome was right.\n".to_owned(),
        wrong => format!("\n### Whose outcome was wrong\n\n{wrong}"),
    };
    if !beside.is_empty() {
        write!(page, "\nBeside the verdict, for it costs nobody a coupon:\n\n{beside}").ok();
    }
    page
}
