//! The page's tables: costs, verdicts, every profile's figures, prices, and how it was measured.

use std::fmt::Write;

use crate::ReportError;
use crate::columns::{COLUMNS, COUNTED, Column, DETAILS};
use crate::cost::Cost;
use crate::data::{Benchmark, ProfileInfo};
use crate::profiles::{BOTS, SUSTAINED};
use crate::summary::{Cell, Ratio, Summary};
use crate::systems::REDIS;
use crate::text::{COUNTED_BY_ITSELF, COUNTED_TOGETHER, dollars, escaped, figure, spread};

/// What a million coupons and a million refusals cost, as bars of their parts.
pub(super) fn costs(summary: &Summary<'_>) -> Result<String, ReportError> {
    let mut html = String::from(
        "<section><h2>What does it cost?</h2><p>By use, at list prices; what runs idle comes on top. × is the ratio to A's.</p>",
    );
    let issued = |cell: &Cell<'_>| cell.cost_of_a_million_issued(&summary.prices);
    let refused = |cell: &Cell<'_>| cell.cost_of_a_million_refused(&summary.prices);
    html.push_str("<h3>A million coupons, as fast as it goes</h3>");
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
    let of_a = bars.iter().find(|(system, ..)| system.id == REDIS).map(|(_, correct, cost)| (cost.total(), *correct));
    let most = bars.iter().map(|(_, _, cost)| cost.total()).fold(0.0, f64::max);
    if most <= 0.0 {
        return Ok("<p class=\"none\">not measured</p>".into());
    }
    let shown: Vec<&str> = bars.iter().map(|(system, ..)| system.id.as_str()).collect();
    let mut html = String::from("<div class=\"bars\">");
    for (system, correct, cost) in bars {
        let class = if correct { "" } else { " wrong" };
        let ratio = of_a.filter(|_| system.id != REDIS).and_then(|a| Ratio::of(cost.total(), a));
        write!(
            html,
            "<div class=\"bar {}{class}\"><span>{}</span><b>{}{}</b><div>",
            escaped(&system.id),
            escaped(&system.name),
            dollars(cost.total()),
            beside(ratio)
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
    html.push_str(&super::missing(summary, |system| shown.contains(&system.id.as_str())));
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

/// A table for each profile.
pub(super) fn profiles(summary: &Summary<'_>) -> String {
    let mut html = String::from(
        "<section><h2>All figures</h2><p>Medians, with the lowest and the highest round in brackets, and of how many rounds a figure is where others have none; × is the ratio to A's.</p>",
    );
    for profile in &summary.benchmark.profiles {
        html.push_str(&profile_table(summary, profile));
    }
    html.push_str("</section>\n");
    html
}

fn profile_table(summary: &Summary<'_>, profile: &ProfileInfo) -> String {
    let cells = summary.cells(profile);
    let mut html = format!("<h3>{}</h3><p>{}", escaped(&profile.name), escaped(&profile.says));
    if let Some(counted) = &profile.counted {
        write!(html, " {COUNTED_BY_ITSELF} {}", escaped(counted)).ok();
    }
    html.push_str("</p>");
    if cells.is_empty() {
        return html + "<p class=\"none\">not measured</p>";
    }
    if cells.iter().any(|cell| cell.offered.is_some()) {
        html.push_str(&table(summary, &cells, COLUMNS));
        let counted = table(summary, &summary.whole_cells(profile), COUNTED);
        if !counted.is_empty() {
            write!(html, "<p>{COUNTED_TOGETHER}</p>{counted}").ok();
        }
    } else {
        html.push_str(&table(summary, &cells, COLUMNS.into_iter().chain(COUNTED)));
    }
    html.push_str("<details><summary>More of it</summary>");
    html.push_str(&table(summary, &cells, DETAILS));
    html.push_str(&processes(&cells));
    html.push_str("</details>");
    html
}

/// A row for each cell; a column in which nobody has a figure says nothing, and is left out.
fn table(summary: &Summary<'_>, cells: &[Cell<'_>], columns: impl IntoIterator<Item = Column>) -> String {
    let columns: Vec<Column> = columns.into_iter().filter(|column| column.is_shown(cells)).collect();
    if columns.is_empty() {
        return String::new();
    }
    let mut html = String::from("<div class=\"scroll\"><table><tr><th>system</th>");
    let stepped = cells.iter().any(|cell| cell.offered.is_some());
    if stepped {
        html.push_str("<th>offered/s</th>");
    }
    for column in &columns {
        write!(html, "<th>{}</th>", column.name).ok();
    }
    html.push_str("</tr>");
    for cell in cells {
        html.push_str(&row(cell));
        if stepped {
            write!(html, "<td>{}</td>", cell.offered.map_or_else(|| "–".into(), figure)).ok();
        }
        for column in &columns {
            let ratio = beside(column.ratio(summary, cell));
            write!(html, "<td class=\"figure\">{}{ratio}</td>", column.shown(cell)).ok();
        }
        html.push_str("</tr>");
    }
    html.push_str("</table></div>");
    html
}

/// The begin of a cell's row.
fn row(cell: &Cell<'_>) -> String {
    let class = if cell.is_correct() { "" } else { " wrong" };
    let system = cell.system;
    format!("<tr class=\"{}{class}\"><td><i></i>{}</td>", escaped(&system.id), escaped(&system.name))
}

/// A ratio as it stands beside its figure, struck through where A's outcome was wrong.
fn beside(ratio: Option<Ratio>) -> String {
    match ratio {
        None => String::new(),
        Some(ratio) if ratio.sound => format!(" <small>{}</small>", ratio.shown()),
        Some(ratio) => format!(" <small><s>{}</s></small>", ratio.shown()),
    }
}

/// What each kind of process took; the median of the rounds.
fn processes(cells: &[Cell<'_>]) -> String {
    let mut rows = String::new();
    for cell in cells {
        for (name, cpu_ms, pss_mb) in cell.processes() {
            rows.push_str(&row(cell));
            write!(
                rows,
                "<td>{}</td><td class=\"figure\">{}</td><td class=\"figure\">{}</td></tr>",
                escaped(name),
                spread(cpu_ms, cell.rounds()),
                spread(pss_mb, cell.rounds())
            )
            .ok();
        }
    }
    if rows.is_empty() {
        return rows;
    }
    format!(
        "<div class=\"scroll\"><table><tr><th>system</th><th>process</th><th>CPU ms</th><th>memory MB</th></tr>{rows}</table></div>"
    )
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
