//! The page: one self-contained HTML file, light and dark, for a phone and for a desk. The first screen answers what was
//! asked (is the stock right, how fast, how much, for what price); tables and method come behind it.
//!
//! Only the telling is here; figures come from `summary.rs`, judgements from `target.rs`, pictures from `chart/`.

mod tables;
#[cfg(test)]
mod tests;

use std::fmt::Write;

use crate::chart::{Size, decision, drawn, has_row, latency, stock};
use crate::data::{Benchmark, Percentiles, Run, System};
use crate::rush::limits;
use crate::summary::{Cell, Summary};
use crate::target::{Status, Target, targets};
use crate::text::{escaped, figure, of_rounds};
use crate::{ReportError, chart, profiles, systems};

const WIDE: Size = (840, 380);
const NARROW: Size = (340, 300);
const WIDE_SMALL: Size = (410, 240);
const NARROW_SMALL: Size = (340, 220);

/// The page of a benchmark.
///
/// # Errors
/// A chart cannot be drawn, or the price table is not what it has to be.
pub fn html(benchmark: &Benchmark) -> Result<String, ReportError> {
    let summary = Summary::new(benchmark)?;
    let mut page = head(benchmark);
    page.push_str(&tiles(&targets(&summary)));
    page.push_str(&legend(&summary));
    page.push_str(&charts(&summary)?);
    page.push_str(&tables::costs(&summary)?);
    page.push_str(&tables::verdicts(&summary));
    page.push_str(&tables::profiles(&summary));
    page.push_str(&tables::prices(&summary));
    page.push_str(&tables::method(benchmark));
    page.push_str("</main></body></html>\n");
    Ok(page)
}

fn head(benchmark: &Benchmark) -> String {
    let colours: String = benchmark
        .systems
        .iter()
        .map(|system| {
            let (id, hex) = (escaped(&system.id), chart::hex(chart::colour(&system.id)));
            format!("svg [fill=\"{hex}\"]{{fill:var(--{id})}}svg [stroke=\"{hex}\"]{{stroke:var(--{id})}}.{id}{{--c:var(--{id})}}\n")
        })
        .collect();
    let systems = match benchmark.systems.len() {
        1 => "One system".to_owned(),
        some => format!("{some} systems"),
    };
    let style = include_str!("style.css");
    let interrupted = if benchmark.interrupted {
        "<p class=\"warn\">Ended before it was through: what had been measured until then.</p>"
    } else {
        ""
    };
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\"><title>firstcome: benchmark</title>\n\
         <style>{style}{colours}</style></head>\n<body><main>\n\
         <h1>Who gets the coupon, how fast, and is the stock right?</h1>\n\
         <p class=\"sub\">{systems}, one machine ({} cores), {} · <code>{}</code></p>{interrupted}\n",
        benchmark.machine.cores,
        escaped(benchmark.taken_at.get(..10).unwrap_or(&benchmark.taken_at)),
        escaped(&benchmark.command),
    )
}

fn tiles(targets: &[Target]) -> String {
    let mut html = String::from("<section class=\"tiles\" aria-label=\"What had to be reached\">");
    for target in targets {
        let class = match target.status {
            Status::Met => "met",
            Status::Missed => "missed",
            Status::NotMeasured => "unknown",
        };
        // Writing into a string does not fail.
        let tag = if target.struck { "s" } else { "b" };
        write!(
            html,
            "<div class=\"tile {class}\"><{tag}>{}</{tag}><span>{}</span><small>{}: {} · {}</small></div>",
            escaped(&target.reached),
            escaped(&target.name),
            target.status.shown(),
            escaped(&target.bound),
            escaped(&target.says),
        )
        .ok();
    }
    html.push_str("</section>\n");
    html
}

/// Each system with its colour, what it is, and whether its outcome was right.
fn legend(summary: &Summary<'_>) -> String {
    let mut html = String::from("<ul class=\"legend\">");
    for system in &summary.benchmark.systems {
        let runs = || summary.benchmark.runs.iter().filter(|run| run.system == system.id);
        let (all, wrong) = (runs().count(), runs().filter(|run| !run.verdict.is_correct()).count());
        let verdict = match (all, wrong) {
            (0, _) => "<em>not measured</em>".to_owned(),
            (_, 0) => "<em class=\"good\">outcome right</em>".to_owned(),
            _ => format!("<em class=\"bad\">outcome wrong in {wrong} of {all} runs</em>"),
        };
        write!(
            html,
            "<li class=\"{}\"><i></i><b>{}</b> {verdict} {}</li>",
            escaped(&system.id),
            escaped(&system.name),
            escaped(&system.says)
        )
        .ok();
    }
    html.push_str("</ul>\n");
    html
}

/// The same picture for a desk and for a phone; the style sheet shows one of them.
fn picture(wide: Option<String>, narrow: Option<String>, about: &str) -> String {
    match (wide, narrow) {
        (Some(wide), Some(narrow)) => format!(
            "<div class=\"wide\" role=\"img\" aria-label=\"{0}\">{wide}</div><div class=\"narrow\" role=\"img\" aria-label=\"{0}\">{narrow}</div>",
            escaped(about)
        ),
        _ => "<p class=\"none\">not measured</p>".into(),
    }
}

/// Who has nothing to show where others have: left out in silence, they would not be missed.
fn missing(summary: &Summary<'_>, is_shown: impl Fn(&System) -> bool) -> String {
    let (shown, missing): (Vec<_>, Vec<_>) = summary.benchmark.systems.iter().partition(|system| is_shown(system));
    if shown.is_empty() || missing.is_empty() {
        return String::new();
    }
    let names: Vec<String> = missing.into_iter().map(|system| escaped(&system.name)).collect();
    format!("<p class=\"none\">no figure: {}</p>", names.join("; "))
}

fn charts(summary: &Summary<'_>) -> Result<String, ReportError> {
    let mut html = String::new();
    html.push_str("<section><h2>Is the stock in the store right?</h2><p>Grey: coupons that people were promised. Colour: coupons that the store has taken from its stock. Filled: wrong meanwhile.</p><div class=\"grid\">");
    html.push_str(&stocks(summary)?);
    html.push_str(
        "</div></section>\n<section><h2>How long until the coupon is yours, or not?</h2><p>At the seeds' load.",
    );
    let is_there = |id: &str| summary.benchmark.systems.iter().any(|system| system.id == id);
    if [systems::REDIS, systems::HYBRID, systems::OURS].into_iter().all(is_there) {
        html.push_str(" A decides while one waits for the answer; B and ours answer first.");
    }
    html.push_str(" Thin and hollow: the outcome was wrong.</p>");
    html.push_str(&picture(
        decision(summary, WIDE_ROWS)?,
        decision(summary, NARROW_ROWS)?,
        "time to decision by system",
    ));
    html.push_str(&missing(summary, |system| has_row(summary, system)));
    html.push_str("</section>\n<section><h2>How many at a time?</h2><p>Requests come by schedule, whether answers keep up or not; latency counts from when each was due. Hollow: it gave way in some round. A cross: the outcome was wrong.</p>");
    html.push_str(&picture(
        latency(summary, WIDE)?,
        latency(summary, NARROW)?,
        "accept p99 over offered rate by system",
    ));
    html.push_str("<ul>");
    for (system, limit) in limits(summary) {
        write!(html, "<li><b>{}</b> {}.</li>", escaped(system), escaped(&limit.to_string())).ok();
    }
    html.push_str("</ul></section>\n");
    Ok(html)
}

/// What stands beside a figure that is struck through.
const WRONG: &str = "<em class=\"bad\">outcome wrong</em>";
const WIDE_ROWS: Size = (840, 260);
const NARROW_ROWS: Size = (340, 280);

/// A picture for each system, all with one axis of time: of the first run that has one, for a round may have been lost.
fn stocks(summary: &Summary<'_>) -> Result<String, ReportError> {
    let of = |system: &System| {
        let cell = summary.cell(&system.id, profiles::SEEDS)?;
        let run = cell.timed_runs().iter().copied().find(|run| drawn(run).is_some())?;
        Some((cell, run))
    };
    let shown: Vec<_> = summary.benchmark.systems.iter().filter_map(of).collect();
    let end = |run: &Run| Some(drawn(run)?.series.last()?.at_ms / 1000.0);
    let seconds = shown.iter().filter_map(|(_cell, run)| end(run)).fold(1.0, f64::max);
    if shown.is_empty() {
        return Ok("<p class=\"none\">not measured</p>".into());
    }
    let mut html = String::new();
    for (cell, run) in shown {
        let pictures = picture(
            stock(run, seconds, WIDE_SMALL)?,
            stock(run, seconds, NARROW_SMALL)?,
            &format!("stock of {}", cell.system.name),
        );
        write!(
            html,
            "<figure class=\"{}\"><figcaption><i></i><b>{}</b> {}</figcaption>{pictures}</figure>",
            escaped(&cell.system.id),
            escaped(&cell.system.name),
            caption(&cell, run)
        )
        .ok();
    }
    html.push_str(&missing(summary, |system| of(system).is_some()));
    Ok(html)
}

/// The figures are of all rounds, as in the tile; the picture can be of one alone, and says so.
fn caption(cell: &Cell<'_>, run: &Run) -> String {
    let behind = |of: fn(&Percentiles) -> f64| cell.timed(|run| run.stock.as_ref()?.behind_ms.as_ref().map(of));
    let says = match behind(|ms| ms.p50).zip(behind(|ms| ms.max)) {
        None => "no figure of how long it was wrong".to_owned(),
        Some((median, most)) => {
            let rounds = of_rounds(median, cell.rounds()).map_or_else(String::new, |rounds| format!(" ({rounds})"));
            format!("wrong for {} ms at the median, {} at most{rounds}", figure(median.median), figure(most.max))
        }
    };
    let says = if cell.is_correct() { says } else { format!("<s>{says}</s> {WRONG}") };
    if cell.rounds() > 1 { format!("{says}; the picture is of round {}", run.round) } else { says }
}
