//! The page's tables: costs, verdicts, every profile's figures, prices, and how it was measured.

use std::fmt::Write;

use crate::ReportError;
use crate::cost::Cost;
use crate::data::{Benchmark, ProfileInfo};
use crate::profiles::{BOTS, SUSTAINED};
use crate::stats::{Spread, each, number};
use crate::summary::{Cell, Summary};
use crate::text::{dollars, escaped, figure, spread};

/// What a million coupons and a million refusals cost, as bars of their parts.
pub(super) fn costs(summary: &Summary<'_>) -> Result<String, ReportError> {
    let mut html =
        String::from("<section><h2>What does it cost?</h2><p>By use, at list prices; what runs idle comes on top.</p>");
    let issued = |cell: &Cell<'_>| cell.cost_of_a_million_issued(&summary.prices);
    let refused = |cell: &Cell<'_>| cell.cost_of_a_million_refused(&summary.prices);
    html.push_str("<h3>A million coupons, in a rush</h3>");
    html.push_str(&bars(summary, SUSTAINED, issued)?);
    html.push_str("<h3>A million refusals, sold out</h3>");
    html.push_str(&bars(summary, BOTS, refused)?);
    html.push_str("</section>\n");
    Ok(html)
}

fn bars(
    summary: &Summary<'_>,
    profile: &str,
    cost: impl Fn(&Cell<'_>) -> Result<Option<Cost>, ReportError>,
) -> Result<String, ReportError> {
    let mut bars = Vec::new();
    for system in &summary.benchmark.systems {
        let Some(cell) = summary.cell(&system.id, profile) else { continue };
        if let Some(cost) = cost(&cell)? {
            bars.push((system, cell.is_correct(), cost));
        }
    }
    let most = bars.iter().map(|(_, _, cost)| cost.total()).fold(0.0, f64::max);
    if most <= 0.0 {
        return Ok("<p class=\"none\">not measured</p>".into());
    }
    let mut html = String::from("<div class=\"bars\">");
    for (system, correct, cost) in bars {
        let class = if correct { "" } else { " wrong" };
        write!(
            html,
            "<div class=\"bar {}{class}\"><span>{}</span><b>{}</b><div>",
            escaped(&system.id),
            escaped(&system.name),
            dollars(cost.total())
        )
        .ok();
        let parts: Vec<_> = cost.parts.iter().filter(|(_name, part)| *part > 0.0).collect();
        for ((_name, part), step) in parts.iter().zip(0_u32..) {
            let (width, fade) = (100.0 * part / most, 1.0 - 0.18 * f64::from(step));
            write!(html, "<span class=\"part\" style=\"width:{width:.2}%;opacity:{fade:.2}\"></span>").ok();
        }
        let told: Vec<String> = parts.iter().map(|(name, part)| format!("{name} {}", dollars(*part))).collect();
        write!(html, "</div><small>{}</small></div>", told.join(" · ")).ok();
    }
    html.push_str("</div>");
    Ok(html)
}

/// Whether the outcome was right, by system and profile.
pub(super) fn verdicts(summary: &Summary<'_>) -> String {
    let mut html = String::from(
        "<section><h2>Was the outcome right?</h2><p>Judged from the store, the log and what people were told, when all is quiet. Figures of a run that was not right are struck through below.</p><div class=\"scroll\"><table><tr><th>system</th>",
    );
    for profile in &summary.benchmark.profiles {
        write!(html, "<th>{}</th>", escaped(&profile.name)).ok();
    }
    html.push_str("</tr>");
    let (mut wrong, mut beside) = (String::new(), String::new());
    for system in &summary.benchmark.systems {
        write!(html, "<tr class=\"{}\"><td><i></i>{}</td>", escaped(&system.id), escaped(&system.name)).ok();
        for profile in &summary.benchmark.profiles {
            let Some(cell) = summary.cell(&system.id, &profile.id) else {
                html.push_str("<td>–</td>");
                continue;
            };
            let (right, all) = cell.correct_runs();
            let class = if cell.is_correct() { "good" } else { "bad" };
            write!(html, "<td class=\"{class}\">{right} of {all}</td>").ok();
            for check in cell.broken() {
                write!(
                    wrong,
                    "<li><b>{}</b>, {}: not “{}”: {}</li>",
                    escaped(&system.name),
                    escaped(&profile.name),
                    escaped(&check.name),
                    escaped(&check.found)
                )
                .ok();
            }
            for flaw in cell.flaws() {
                let (system, profile) = (escaped(&system.name), escaped(&profile.name));
                write!(beside, "<li><b>{system}</b>, {profile}: {}</li>", escaped(flaw)).ok();
            }
        }
        html.push_str("</tr>");
    }
    html.push_str("</table></div>");
    if !wrong.is_empty() {
        write!(html, "<details open><summary>What was wrong</summary><ul>{wrong}</ul></details>").ok();
    }
    if !beside.is_empty() {
        let summary = "Beside the verdict, for it costs nobody a coupon";
        write!(html, "<details open><summary>{summary}</summary><ul>{beside}</ul></details>").ok();
    }
    html.push_str("</section>\n");
    html
}

/// A column: its heading, and what stands in it.
type Column = (&'static str, fn(&Cell<'_>) -> Option<Spread>);

/// Every figure of a profile's table, in the order in which they are shown.
pub(crate) const COLUMNS: [Column; 16] = [
    ("accepted/s", |cell| cell.accepted_per_second()),
    ("decided/s", |cell| cell.decided_per_second()),
    ("refused/s", |cell| cell.refused_per_second()),
    ("errors", |cell| cell.timed(|run| Some(number(run.failures())))),
    ("accept p50 ms", |cell| cell.timed(|run| Some(run.accept_ms?.p50))),
    ("p95", |cell| cell.timed(|run| Some(run.accept_ms?.p95))),
    ("p99", |cell| cell.timed(|run| Some(run.accept_ms?.p99))),
    ("p99.9", |cell| cell.timed(|run| Some(run.accept_ms?.p999))),
    ("max", |cell| cell.timed(|run| Some(run.accept_ms?.max))),
    ("refuse p99 ms", |cell| cell.timed(|run| Some(run.refuse_ms?.p99))),
    ("decision p50 ms", |cell| cell.timed(|run| Some(run.decision_ms?.p50))),
    ("p99", |cell| cell.timed(|run| Some(run.decision_ms?.p99))),
    ("told p50 ms", |cell| cell.timed(|run| Some(run.told_ms?.p50))),
    ("stock wrong p50 ms", |cell| cell.timed(|run| Some(run.stock.as_ref()?.behind_ms?.p50))),
    ("CPU ms an answer", |cell| cell.cpu_ms_per_answer()),
    ("memory MB", |cell| cell.memory_mb()),
];

/// What a metered run counts, by coupon issued and by refusal.
pub(crate) const COUNTED: [Column; 7] = [
    ("write units a coupon", |cell| cell.write_units_per_coupon()),
    ("read units a coupon", |cell| cell.read_units_per_coupon()),
    ("records a coupon", |cell| cell.counted(|run| each(number(run.log?.records), run.issued))),
    ("bytes a coupon", |cell| cell.counted(|run| each(number(run.log?.bytes), run.issued))),
    ("write units a refusal", |cell| {
        cell.counted(|run| each(run.units?.write, run.refusals()).filter(|_| run.accepted == 0))
    }),
    ("read units a refusal", |cell| {
        cell.counted(|run| each(run.units?.read, run.refusals()).filter(|_| run.accepted == 0))
    }),
    ("records a refusal", |cell| {
        cell.counted(|run| each(number(run.log?.records), run.refusals()).filter(|_| run.accepted == 0))
    }),
];

/// A table for each profile.
pub(super) fn profiles(summary: &Summary<'_>) -> String {
    let mut html =
        String::from("<section><h2>All figures</h2><p>Medians, with the lowest and the highest round in brackets.</p>");
    for profile in &summary.benchmark.profiles {
        html.push_str(&profile_table(summary, profile));
    }
    html.push_str("</section>\n");
    html
}

fn profile_table(summary: &Summary<'_>, profile: &ProfileInfo) -> String {
    let cells = summary.cells(profile);
    let mut html = format!("<h3>{}</h3><p>{}</p>", escaped(&profile.name), escaped(&profile.says));
    if cells.is_empty() {
        return html + "<p class=\"none\">not measured</p>";
    }
    // A column in which nobody has a figure says nothing.
    let columns: Vec<Column> =
        COLUMNS.into_iter().chain(COUNTED).filter(|(_, of)| cells.iter().any(|cell| of(cell).is_some())).collect();
    html.push_str("<div class=\"scroll\"><table><tr><th>system</th>");
    let stepped = cells.iter().any(|cell| cell.offered.is_some());
    if stepped {
        html.push_str("<th>offered/s</th>");
    }
    for (name, _) in &columns {
        write!(html, "<th>{name}</th>").ok();
    }
    html.push_str("</tr>");
    for cell in &cells {
        let class = if cell.is_correct() { "" } else { " wrong" };
        write!(
            html,
            "<tr class=\"{}{class}\"><td><i></i>{}</td>",
            escaped(&cell.system.id),
            escaped(&cell.system.name)
        )
        .ok();
        if stepped {
            write!(html, "<td>{}</td>", cell.offered.map_or_else(|| "–".into(), figure)).ok();
        }
        for (_, of) in &columns {
            write!(html, "<td class=\"figure\">{}</td>", spread(of(cell))).ok();
        }
        html.push_str("</tr>");
    }
    html.push_str("</table></div>");
    html
}

/// The price table.
pub(super) fn prices(summary: &Summary<'_>) -> String {
    let prices = &summary.prices;
    let mut html = format!(
        "<section><h2>Prices</h2><p>{}. {}</p><div class=\"scroll\"><table><tr><th class=\"text\">what</th><th>dollars</th><th>for</th><th>read in</th><th class=\"text\">source</th></tr>",
        escaped(&prices.region),
        escaped(&prices.note)
    );
    for price in &prices.prices {
        write!(
            html,
            "<tr><td class=\"text\">{}</td><td>{}</td><td>{}</td><td>{}</td><td class=\"text\">{}</td></tr>",
            escaped(&price.what),
            price.dollars,
            figure(price.per),
            escaped(&price.as_of),
            escaped(&price.source)
        )
        .ok();
    }
    html.push_str("</table></div></section>\n");
    html
}

/// Machine, versions, commands.
pub(super) fn method(benchmark: &Benchmark) -> String {
    let machine = &benchmark.machine;
    let mut html = String::from("<section><h2>How it was measured</h2><dl>");
    let mut line = |name: &str, value: &str| write!(html, "<dt>{}</dt><dd>{}</dd>", escaped(name), escaped(value)).ok();
    line("command", &benchmark.command);
    line(
        "taken",
        &format!("{}, {:.0} s, binaries built as {}", benchmark.taken_at, benchmark.seconds, benchmark.build),
    );
    line("machine", &format!("{}, {} cores, {} MB, {}", machine.cpu, machine.cores, machine.memory_mb, machine.kernel));
    line("load before", &machine.load_before);
    for (name, version) in &benchmark.versions {
        line(name, version);
    }
    for remark in &benchmark.remarks {
        line("remark", remark);
    }
    html.push_str("</dl></section>\n");
    html
}
