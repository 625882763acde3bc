//! The page: one self-contained HTML file, light and dark, for a phone and for a desk. The first screen answers what was
//! asked (is the stock right, how fast, how much, for what price); tables and method come behind it.
//!
//! Only the telling is here; figures come from `summary.rs`, judgements from `target.rs`, pictures from `chart/`.

mod tables;
#[cfg(test)]
mod tests;

use std::fmt::Write;

use crate::chart::{Size, decision, latency, stock};
use crate::data::Benchmark;
use crate::rush::limits;
use crate::summary::Summary;
use crate::target::{Status, Target, targets};
use crate::text::escaped;
use crate::{ReportError, chart, profiles};

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
         <p class=\"sub\">Four systems, one machine ({} cores), {} · <code>{}</code></p>{interrupted}\n",
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

fn charts(summary: &Summary<'_>) -> Result<String, ReportError> {
    let mut html = String::new();
    html.push_str("<section><h2>Is the stock in the store right?</h2><p>Grey: coupons that people were promised. Colour: coupons that the store has taken from its stock. Filled: wrong meanwhile.</p><div class=\"grid\">");
    html.push_str(&stocks(summary)?);
    html.push_str("</div></section>\n<section><h2>How long until the coupon is yours, or not?</h2><p>At the seeds' load. A decides while one waits for the answer; B and ours answer first. Thin and hollow: the outcome was wrong.</p>");
    html.push_str(&picture(
        decision(summary, WIDE_ROWS)?,
        decision(summary, NARROW_ROWS)?,
        "time to decision by system",
    ));
    html.push_str("</section>\n<section><h2>How many at a time?</h2><p>Requests come by schedule, whether answers keep up or not; latency counts from when each was due. A cross: the outcome was wrong.</p>");
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

/// A picture for each system, all with one axis of time.
fn stocks(summary: &Summary<'_>) -> Result<String, ReportError> {
    let systems = &summary.benchmark.systems;
    let runs: Vec<_> = systems
        .iter()
        .filter_map(|system| {
            let cell = summary.cell(&system.id, profiles::SEEDS)?;
            Some((system, cell.first()?, cell.is_correct()))
        })
        .filter(|(_system, run, _correct)| run.stock.is_some())
        .collect();
    let end = |run: &crate::data::Run| Some(run.stock.as_ref()?.series.last()?.at_ms / 1000.0);
    let seconds = runs.iter().filter_map(|(_system, run, _correct)| end(run)).fold(1.0, f64::max);
    if runs.is_empty() {
        return Ok("<p class=\"none\">not measured</p>".into());
    }
    let mut html = String::new();
    for (system, run, correct) in runs {
        let (name, behind) = (escaped(&system.name), run.stock.as_ref().and_then(|stock| stock.behind_ms));
        let says = behind.map_or_else(String::new, |ms| {
            format!(
                "wrong for {} ms at the median, {} at most",
                crate::text::figure(ms.p50),
                crate::text::figure(ms.max)
            )
        });
        let says = if correct { says } else { format!("<s>{says}</s> {WRONG}") };
        let pictures = picture(
            stock(run, seconds, WIDE_SMALL)?,
            stock(run, seconds, NARROW_SMALL)?,
            &format!("stock of {}", system.name),
        );
        write!(
            html,
            "<figure class=\"{}\"><figcaption><i></i><b>{name}</b> {says}</figcaption>{pictures}</figure>",
            escaped(&system.id)
        )
        .ok();
    }
    Ok(html)
}
