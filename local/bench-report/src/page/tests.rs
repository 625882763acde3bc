//! The page and the section, from made-up runs: what a reader must find, and what must not be there.

use super::html;
use crate::data::{Benchmark, Log, Percentiles, Run, Stock, StockPoint, Units};
use crate::markdown;
use crate::summary::tests::{benchmark, check, run};

fn percentiles(ms: f64) -> Percentiles {
    Percentiles { count: 9, p50: ms, p95: ms * 2.0, p99: ms * 3.0, p999: ms * 4.0, max: ms * 5.0 }
}

/// Every system under every profile; A is wrong in its rush.
fn whole() -> Benchmark {
    let mut runs = Vec::new();
    for (system, factor) in [("redis", 1.0), ("hybrid", 2.0), ("ours", 1.2), ("emulated", 3.0)] {
        for profile in ["seeds", "sustained", "hot", "duplicates", "bots"] {
            runs.push(one(run(system, profile, 1), factor));
            let mut metered = one(run(system, profile, 1), factor);
            metered.metered = true;
            metered.units = Some(Units { read: 500.0, write: 2020.0 });
            metered.log = Some(Log { records: 2000, bytes: 400_000 });
            runs.push(metered);
        }
        for rate in [200.0, 800.0] {
            runs.push(Run { offered: Some(rate), ..one(run(system, "rush", 1), factor * rate / 100.0) });
        }
    }
    for wrong in runs.iter_mut().filter(|run| run.system == "redis" && run.profile == "rush") {
        wrong.verdict.checks = vec![check(false)];
    }
    benchmark(runs)
}

fn one(mut run: Run, factor: f64) -> Run {
    if run.profile == "bots" {
        run.refused = [("SOLD_OUT".to_owned(), 1000)].into();
        (run.accepted, run.issued, run.decided_seconds) = (0, 0, None);
    }
    let point = |at_ms, promised, stored| StockPoint { at_ms, promised, stored };
    run.accept_ms = Some(percentiles(factor));
    run.decision_ms = Some(percentiles(factor * 10.0));
    run.stock = Some(Stock {
        behind_ms: Some(percentiles(factor * 100.0)),
        settled_ms: Some(factor),
        total: 1000,
        series: vec![point(0.0, 1000, 1000), point(1000.0, 500, 900), point(2000.0, 500, 500)],
    });
    run
}

#[test]
fn the_page_stands_by_itself() {
    let page = html(&whole()).unwrap();
    for outside in ["<script", "src=", "<link", "@import", "url(", "href="] {
        assert!(!page.contains(outside), "{outside} leads out of the page");
    }
    for inside in ["prefers-color-scheme:dark", "width=device-width", "max-width:600px", "<svg"] {
        assert!(page.contains(inside), "{inside}");
    }
}

#[test]
fn every_chart_is_drawn_for_a_desk_and_for_a_phone() {
    let page = html(&whole()).unwrap();
    // Four stocks, one chart of decisions, one of rates; each twice.
    assert_eq!(page.matches("<svg").count(), 12);
    assert_eq!(page.matches("class=\"narrow\"").count(), page.matches("class=\"wide\"").count());
    assert!(!page.contains("not measured"), "everything was");
}

#[test]
fn figures_of_a_wrong_outcome_are_struck_through_and_the_reason_is_told() {
    let (benchmark, page) = (whole(), html(&whole()).unwrap());
    assert_eq!(page.matches("<tr class=\"redis wrong\">").count(), 2, "both steps of the rush");
    assert_eq!(page.matches("<tr class=\"ours wrong\">").count(), 0);
    assert!(page.contains("user-7 has 2") && page.contains("outcome wrong in 2 of 12 runs"));
    let section = markdown(&benchmark).unwrap();
    assert!(section.contains("~~500~~") && section.contains("not “nobody has two”: user-7 has 2"), "{section}");
}

#[test]
fn a_benchmark_with_nothing_in_it_is_a_page_all_the_same() {
    let mut nothing = benchmark(Vec::new());
    nothing.interrupted = true;
    let page = html(&nothing).unwrap();
    assert!(page.contains("Ended before it was through") && page.contains("not measured"));
    assert!(markdown(&nothing).unwrap().contains("Ended before it was through"));
}

#[test]
fn what_is_said_of_a_run_cannot_become_markup() {
    let mut benchmark = whole();
    benchmark.remarks.push("<b>boo</b>".into());
    let page = html(&benchmark).unwrap();
    assert!(page.contains("&lt;b&gt;boo&lt;/b&gt;") && !page.contains("<b>boo"));
}

#[test]
fn a_flaw_stands_beside_the_verdict_and_strikes_nothing_through() {
    let mut flawed = whole();
    assert!(!html(&flawed).unwrap().contains("Beside the verdict"));
    flawed.runs[0].verdict.flaws = vec!["3 ranks <twice>".into()];
    let (page, section) = (html(&flawed).unwrap(), markdown(&flawed).unwrap());
    assert!(page.contains("Beside the verdict") && page.contains("3 ranks &lt;twice&gt;"));
    assert!(section.contains("Beside the verdict") && section.contains(": 3 ranks <twice>"));
    assert_eq!(section.matches("~~").count(), markdown(&whole()).unwrap().matches("~~").count());
}

#[test]
fn the_section_has_the_targets_and_a_row_for_each_figure() {
    let section = markdown(&whole()).unwrap();
    for row in [
        "| write units a coupon, in a rush",
        "| accept p50 ms |",
        "| accept p99 |",
        "| decision p99 |",
        "### What a million",
    ] {
        assert!(section.contains(row), "{row} in {section}");
    }
}

#[test]
fn json_comes_back_as_it_was() {
    let benchmark = whole();
    let text = serde_json::to_string(&benchmark).unwrap();
    assert_eq!(serde_json::from_str::<Benchmark>(&text).unwrap(), benchmark);
}
