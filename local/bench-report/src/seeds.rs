//! The seeds' own table beside ours under their load: the same rows, so that a reader compares like with like.

use std::fmt::Write;

use crate::data::{Percentiles, Run};
use crate::profiles::SEEDS;
use crate::stats::{each, number};
use crate::summary::{Cell, Summary};
use crate::systems::{HYBRID, OURS, REDIS};
use crate::text::{crossed, figure};

/// A row of their table: what it is, what they have for A and for B, and what ours is.
struct Row {
    name: &'static str,
    theirs: [&'static str; 2],
    of: fn(&Cell<'_>) -> Option<f64>,
    unit: &'static str,
}

fn median(cell: &Cell<'_>, figure: impl Fn(&Run) -> Option<f64>) -> Option<f64> {
    cell.timed(figure).map(|spread| spread.median)
}

/// A figure of the answers that took a request.
fn accept(cell: &Cell<'_>, figure: fn(&Percentiles) -> f64) -> Option<f64> {
    median(cell, |run| run.accept_ms.as_ref().map(figure))
}

/// Of all rounds together: on the median, a round that failed altogether would not show.
fn failed_percent(cell: &Cell<'_>) -> Option<f64> {
    let (failures, asked) = cell.failures();
    each(number(failures) * 100.0, asked)
}

const ROWS: [Row; 6] = [
    Row {
        name: "requests",
        theirs: ["9,701", "9,670"],
        of: |cell| median(cell, |run| Some(number(run.asked)).filter(|asked| *asked > 0.0)),
        unit: "",
    },
    Row { name: "failed", theirs: ["0 %", "0 %"], of: failed_percent, unit: " %" },
    Row { name: "mean", theirs: ["1.63 ms", "1.64 ms"], of: |cell| accept(cell, |ms| ms.mean), unit: " ms" },
    Row { name: "p95", theirs: ["3.08 ms", "3.77 ms"], of: |cell| accept(cell, |ms| ms.p95), unit: " ms" },
    Row { name: "p99", theirs: ["6.48 ms", "9.25 ms"], of: |cell| accept(cell, |ms| ms.p99), unit: " ms" },
    Row {
        name: "requests a second",
        theirs: ["119.46", "120.19"],
        of: |cell| median(cell, |run| Some(number(run.asked) / run.seconds.max(0.001)).filter(|_| run.asked > 0)),
        unit: "",
    },
];

/// The table in Markdown; nothing where their load was not run.
pub(crate) fn beside_ours(summary: &Summary<'_>) -> String {
    let cells: Vec<Cell<'_>> = [REDIS, HYBRID, OURS].into_iter().filter_map(|id| summary.cell(id, SEEDS)).collect();
    if cells.is_empty() {
        return String::new();
    }
    let mut page = String::from(
        "\nThe seeds' own table, by k6 on their machine, beside this one; medians of the rounds, and what failed of them all:\n\n",
    );
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
            let shown = (row.of)(cell).map(|value| format!("{}{}", figure(value), row.unit));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::tests::{benchmark, run};

    #[test]
    fn what_failed_is_of_all_rounds_together() {
        let failed = Run { errors: [("503".to_owned(), 1000)].into(), ..run("ours", "seeds", 3) };
        let benchmark = benchmark(vec![run("ours", "seeds", 1), run("ours", "seeds", 2), failed]);
        let table = beside_ours(&Summary::new(&benchmark).unwrap());
        assert!(table.contains("| failed | 0 % | 0 % | 33.3 % |"), "{table}");
    }
}
