//! The seeds' own table beside ours under their load: the same rows, so that a reader compares like with like.

use std::fmt::Write;

use crate::data::{Percentiles, Run};
use crate::profiles::SEEDS;
use crate::stats::{Spread, each, number};
use crate::summary::{Cell, Summary};
use crate::systems::{HYBRID, OURS, REDIS};
use crate::text::{crossed, figure};

/// A row of their table: what it is, what they have for A and for B, and what ours is.
struct Row {
    name: &'static str,
    theirs: [&'static str; 2],
    of: fn(&Cell<'_>) -> Option<Spread>,
    unit: &'static str,
}

/// A figure of the answers that took a request.
fn accept(cell: &Cell<'_>, figure: fn(&Percentiles) -> f64) -> Option<Spread> {
    cell.timed(|run| run.accept_ms.as_ref().map(figure))
}

fn failed_percent(run: &Run) -> Option<f64> {
    each(number(run.failures()) * 100.0, run.asked)
}

const ROWS: [Row; 6] = [
    Row {
        name: "requests",
        theirs: ["9,701", "9,670"],
        of: |cell| cell.timed(|run| Some(number(run.asked)).filter(|asked| *asked > 0.0)),
        unit: "",
    },
    Row { name: "failed", theirs: ["0 %", "0 %"], of: |cell| cell.timed(failed_percent), unit: " %" },
    Row { name: "mean", theirs: ["1.63 ms", "1.64 ms"], of: |cell| accept(cell, |ms| ms.mean), unit: " ms" },
    Row { name: "p95", theirs: ["3.08 ms", "3.77 ms"], of: |cell| accept(cell, |ms| ms.p95), unit: " ms" },
    Row { name: "p99", theirs: ["6.48 ms", "9.25 ms"], of: |cell| accept(cell, |ms| ms.p99), unit: " ms" },
    Row {
        name: "requests a second",
        theirs: ["119.46", "120.19"],
        of: |cell| cell.timed(|run| Some(number(run.asked) / run.seconds.max(0.001)).filter(|_| run.asked > 0)),
        unit: "",
    },
];

/// The table in Markdown; nothing where their load was not run.
pub(crate) fn beside_ours(summary: &Summary<'_>) -> String {
    let cells: Vec<Cell<'_>> = [REDIS, HYBRID, OURS].into_iter().filter_map(|id| summary.cell(id, SEEDS)).collect();
    if cells.is_empty() {
        return String::new();
    }
    let mut page =
        String::from("\nThe seeds' own table, by k6 on their machine, beside this one; medians of the rounds:\n\n");
    page.push_str("| | their A, Redis | their B, Redis and Kafka |");
    for cell in &cells {
        // Writing into a string does not fail.
        write!(page, " {} |", cell.system.name).ok();
    }
    page.push_str("\n| --- | --- | --- |");
    page.push_str(&" --- |".repeat(cells.len()));
    page.push('\n');
    for row in ROWS {
        let [a, b] = row.theirs;
        write!(page, "| {} | {a} | {b} |", row.name).ok();
        for cell in &cells {
            let shown = (row.of)(cell).map(|spread| format!("{}{}", figure(spread.median), row.unit));
            let shown = match shown {
                Some(shown) if cell.is_correct() => shown,
                Some(shown) => crossed(&shown),
                None => "–".into(),
            };
            write!(page, " {shown} |").ok();
        }
        page.push('\n');
    }
    page
}
