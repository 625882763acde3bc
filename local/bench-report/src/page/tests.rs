//! The page and the section, from made-up runs: what a reader must find, and what must not be there.

use super::html;
use crate::data::{Benchmark, Log, Percentiles, ProcessCost, Run, Stock, StockPoint, Units};
use crate::markdown;
use crate::summary::tests::{benchmark, check, run};

fn percentiles(ms: f64) -> Percentiles {
    Percentiles { count: 9, mean: ms * 2.0, p50: ms, p95: ms * 2.0, p99: ms * 3.0, p999: ms * 4.0, max: ms * 5.0 }
}

/// What A is wrong in: whatever a chart, a bar or a target is made of.
const WRONG: [&str; 5] = ["seeds", "rush", "sustained", "bots", "sellout"];

/// Every system under every profile; A is wrong in some.
fn whole() -> Benchmark {
    let mut benchmark = right();
    for wrong in benchmark.runs.iter_mut().filter(|run| run.system == "redis" && WRONG.contains(&run.profile.as_str()))
    {
        wrong.verdict.checks = vec![check(false)];
    }
    benchmark
}

fn right() -> Benchmark {
    let mut runs = Vec::new();
    for (system, factor) in [("redis", 1.0), ("hybrid", 2.0), ("ours", 1.2), ("emulated", 3.0)] {
        for profile in ["seeds", "sustained", "hot", "duplicates", "bots", "sellout"] {
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
    // Four profiles and two steps of the rush, each in its table and in its details.
    assert_eq!(page.matches("<tr class=\"redis wrong\">").count(), 12);
    assert_eq!(page.matches("<tr class=\"ours wrong\">").count(), 0);
    assert!(page.contains("user-7 has 2") && page.contains("outcome wrong in 10 of 14 runs"));
    let section = markdown(&benchmark).unwrap();
    assert!(section.contains("~~500~~") && section.contains("not “nobody has two”: user-7 has 2"), "{section}");
}

#[test]
fn pictures_captions_bars_and_targets_say_what_was_wrong_too() {
    let (wrong, right) = (html(&whole()).unwrap(), html(&right()).unwrap());
    let more = |what: &str| wrong.matches(what).count() - right.matches(what).count();
    assert_eq!(more("<s>wrong for"), 1, "the stock of A");
    assert_eq!(more("ms, outcome wrong"), 2, "A's time to decision, for a desk and for a phone");
    assert_eq!(more("<line "), 8, "two crosses over A's rates, for a desk and for a phone");
    assert_eq!(more("<div class=\"bar redis wrong\">"), 2, "A's costs");
    assert_eq!(more("<div class=\"tile met\"><s>"), 1, "accepting is compared with a wrong one");
    assert_eq!(right.matches("<s>").count(), 0);
}

#[test]
fn costs_and_targets_of_a_wrong_outcome_are_struck_through_in_the_section_too() {
    let section = markdown(&whole()).unwrap();
    let line = |start: &str| section.lines().find(|line| line.starts_with(start)).unwrap().to_owned();
    assert!(line("| the stock is right sooner").contains("| ~~0.83×~~ |"), "{section}");
    let costs = section.split_once("What a million").unwrap().1;
    let costs: Vec<&str> = costs.lines().filter(|line| line.contains("'s name |")).collect();
    assert!(costs[0].contains("~~$") && !costs[0].contains('×'), "{costs:?}");
    assert!(costs[2].contains("~~1.00×~~") && !costs[2].contains("~~$"), "{costs:?}");
}

#[test]
fn a_stock_is_drawn_of_the_first_run_that_has_one_and_its_figures_are_of_all_rounds() {
    let mut benchmark = right();
    assert!(!html(&benchmark).unwrap().contains("the picture is of"), "there is but one");
    let at = benchmark.runs.iter().position(|run| run.system == "ours" && run.profile == "seeds").unwrap();
    // The first round was lost, the second was worse than the third.
    let lost = Run { stock: None, ..benchmark.runs[at].clone() };
    let [second, third] = [(2, 5.0), (3, 1.0)].map(|(round, factor)| one(run("ours", "seeds", round), factor));
    benchmark.runs[at] = lost;
    benchmark.runs.extend([second, third]);
    let page = html(&benchmark).unwrap();
    let says = "wrong for 300 ms at the median, 2,500 at most (2 of 3 rounds); the picture is of round 2</figcaption>";
    assert!(page.contains(says), "{page}");
    assert_eq!(page.matches("role=\"img\" aria-label=\"stock of ours's name\"").count(), 2);
}

#[test]
fn whoever_has_no_picture_no_bar_and_no_row_is_named() {
    assert!(!html(&right()).unwrap().contains("no figure"));
    let mut benchmark = right();
    for run in benchmark.runs.iter_mut().filter(|run| run.system == "hybrid") {
        (run.stock, run.decision_ms, run.units) = (None, None, None);
    }
    let page = html(&benchmark).unwrap();
    // The stock, the time to decision, and the costs of coupons and of refusals.
    assert_eq!(page.matches("<p class=\"none\">no figure: hybrid's name</p>").count(), 4);
    for run in benchmark.runs.iter_mut().filter(|run| run.system == "ours") {
        run.stock.as_mut().unwrap().behind_ms = None;
    }
    assert!(html(&benchmark).unwrap().contains("</b> no figure of how long it was wrong</figcaption>"));
}

#[test]
fn the_page_speaks_of_the_systems_that_there_are() {
    let (four, mut alone) = (html(&right()).unwrap(), right());
    assert!(four.contains(">4 systems, one machine (") && four.contains("A decides while one waits"));
    alone.systems.retain(|system| system.id == "ours");
    alone.runs.retain(|run| run.system == "ours");
    let alone = html(&alone).unwrap();
    assert!(alone.contains(">One system, one machine (") && !alone.contains("A decides while one waits"));
}

#[test]
fn a_figure_has_its_ratio_to_as_beside_it() {
    let (page, section) = (html(&right()).unwrap(), markdown(&right()).unwrap());
    assert!(page.contains("<td class=\"figure\">2.00 <small>2.00×</small></td>"), "B's median under every profile");
    let line = section.lines().find(|line| line.starts_with("| accept p50 ms")).unwrap();
    assert_eq!(line, "| accept p50 ms | 1.00 | 2.00 2.00× | 1.20 1.20× | 3.00 3.00× |");
}

#[test]
fn where_some_accepted_are_rejected_only_what_is_issued_is_compared() {
    let mut benchmark = right();
    for run in benchmark.runs.iter_mut().filter(|run| run.profile == "duplicates") {
        // A refuses the second request of everybody at its door, the others accept and reject it.
        (run.accepted, run.issued) = (if run.system == "redis" { 500 } else { 1000 }, 500);
    }
    let (page, section) = (html(&benchmark).unwrap(), markdown(&benchmark).unwrap());
    let duplicates = section.split_once("### the duplicates").unwrap().1;
    let line = |start: &str| duplicates.lines().find(|line| line.starts_with(start)).unwrap();
    assert_eq!(line("| accepted/s |"), "| accepted/s | 250 | 500 | 500 | 500 |");
    assert_eq!(line("| decided/s |"), "| decided/s | 125 | 250 | 250 | 250 |");
    assert_eq!(line("| issued/s |"), "| issued/s | 125 | 125 1.00× | 125 1.00× | 125 1.00× |");
    // Everywhere else all that is accepted is issued, and `decided/s` says so.
    assert_eq!(section.matches("| issued/s |").count(), 1, "{section}");
    assert_eq!(section.matches("| decided/s | 250 | 250 1.00× |").count(), 4, "{section}");
    assert_eq!(page.matches("<th>issued/s</th>").count(), 1);
    let rates = "<td class=\"figure\">500</td><td class=\"figure\">250</td>\
                 <td class=\"figure\">125 <small>1.00×</small></td>";
    assert_eq!(page.matches(rates).count(), 3, "all but A");
}

#[test]
fn a_rush_is_a_line_for_each_step() {
    let section = markdown(&right()).unwrap();
    assert!(section.contains("| redis's name | 200 | 500 | 250 | 0.00 | 2.00 | 6.00 | "), "{section}");
    assert!(section.contains("| hybrid's name | 800 | 500 1.00× |"), "{section}");
}

#[test]
fn a_rush_says_how_far_each_came_and_whose_limit_it_did_not_reach() {
    let mut benchmark = right();
    for run in benchmark.runs.iter_mut().filter(|run| run.offered == Some(800.0) && run.system == "redis") {
        run.accept_ms = Some(percentiles(200.0));
    }
    let (page, section) = (html(&benchmark).unwrap(), markdown(&benchmark).unwrap());
    let given_way = "accepted and decided up to 200 a second as fast as they came; gave way at 800.";
    let not_reached = "did not give way: the limit of what it accepts, above 800, was not reached.";
    assert!(section.contains(&format!("- redis's name {given_way}")), "{section}");
    assert!(page.contains(given_way) && page.contains(not_reached) && section.contains(not_reached));
}

#[test]
fn a_figure_that_a_round_lacks_says_of_how_many_rounds_it_is() {
    let mut benchmark = right();
    let errors = [("503".to_owned(), 1000)].into();
    let failed = Run { accepted: 0, issued: 0, decided_seconds: None, errors, ..run("ours", "sustained", 2) };
    benchmark.runs.extend([failed, Run { offered: Some(200.0), ..one(run("ours", "rush", 2), 2.4) }]);
    let (page, section) = (html(&benchmark).unwrap(), markdown(&benchmark).unwrap());
    let line = section.lines().find(|line| line.starts_with("| accept p50 ms") && line.contains("rounds")).unwrap();
    assert_eq!(line, "| accept p50 ms | 1.00 | 2.00 2.00× | 1.20 (1 of 2 rounds) 1.20× | 3.00 3.00× |");
    assert!(section.contains("| accepted/s | 500 | 500 1.00× | 250 (0.00–500) 0.50× | 500 1.00× |"), "{section}");
    let step = section.lines().find(|line| line.starts_with("| ours's name | 800 |")).unwrap();
    assert!(step.starts_with("| ours's name | 800 | 500 (1 of 2 rounds) 1.00× |"), "only one came so far: {step}");
    assert!(page.contains("<td class=\"figure\">1.20 (1 of 2 rounds) <small>1.20×</small></td>"));
    let sustained = section.split_once("### the sustained").unwrap().1;
    let units = sustained.lines().find(|line| line.starts_with("| write units a coupon |")).unwrap();
    assert_eq!(units, "| write units a coupon | 2.02 | 2.02 | 2.02 | 2.02 |", "there is one run that counts");
}

#[test]
fn errors_of_a_counted_run_stand_beside_what_it_counted() {
    let mut benchmark = right();
    assert!(!markdown(&benchmark).unwrap().contains("while counted"));
    for run in benchmark.runs.iter_mut().filter(|run| run.metered && run.system == "ours" && run.profile == "bots") {
        run.errors = [("503".to_owned(), 1900)].into();
    }
    let (page, section) = (html(&benchmark).unwrap(), markdown(&benchmark).unwrap());
    assert!(page.contains("<th>errors while counted</th>"));
    assert!(section.contains("| errors while counted | – | – | 1,900 | – |"), "{section}");
}

#[test]
fn what_is_counted_of_steps_stands_by_itself_and_beside_no_rate() {
    let mut benchmark = right();
    assert!(!markdown(&benchmark).unwrap().contains("by the median of the steps"));
    for (rate, write) in [(300.0, 2700.0), (900.0, 2200.0), (2000.0, 2100.0)] {
        let units = Some(Units { read: 500.0, write });
        let step = run("ours", "rush", 1);
        benchmark.runs.push(Run { metered: true, offered: Some(rate), units, ..step });
    }
    let (page, section) = (html(&benchmark).unwrap(), markdown(&benchmark).unwrap());
    let rush = section.split_once("### the rush").unwrap().1.split_once("###").unwrap().0;
    assert!(rush.contains("| write units a coupon | – | – | 2.20 (2.10–2.70) | – |"), "{rush}");
    assert!(!rush.contains("| 900 |"), "a counted step has no times: {rush}");
    assert_eq!(page.matches("by the median of the steps").count(), 1);
    assert!(
        !page.contains("<th>CPU ms an answer</th><th>memory MB</th><th>write units a coupon</th><th>read"),
        "{page}"
    );
}

#[test]
fn the_seeds_table_stands_beside_ours() {
    let section = markdown(&whole()).unwrap();
    let line = |start: &str| section.lines().find(|line| line.starts_with(start)).unwrap().to_owned();
    assert_eq!(line("| mean |"), "| mean | 1.63 ms | 1.64 ms | ~~2.00 ms~~ | 4.00 ms | 2.40 ms |");
    assert_eq!(line("| requests a second |"), "| requests a second | 119.46 | 120.19 | ~~500~~ | 500 | 500 |");
    assert_eq!(line("| accept mean |"), "| accept mean | ~~2.00~~ | 4.00 | 2.40 | 6.00 |");
}

#[test]
fn who_was_not_told_in_time_is_no_figure() {
    let mut benchmark = right();
    for run in benchmark.runs.iter_mut().filter(|run| run.system == "hybrid" && run.profile == "sustained") {
        (run.told_ms, run.gave_up) = (Some(percentiles(30_000.0)), Some(5));
    }
    for shown in [html(&benchmark).unwrap(), markdown(&benchmark).unwrap()] {
        assert!(shown.contains("more than 30 s") && !shown.contains("30,000"), "{shown}");
    }
}

#[test]
fn who_gave_up_is_read_as_a_number_and_without_it_nobody_says_when_people_knew() {
    let mut benchmark = right();
    for run in &mut benchmark.runs {
        (run.told_ms, run.gave_up) = (Some(percentiles(50.0)), Some(2));
    }
    let mut written = serde_json::to_value(&benchmark).unwrap();
    assert_eq!(written["runs"][0]["gave_up"], 2);
    let drawn = |written: &serde_json::Value| {
        let read: Benchmark = serde_json::from_value(written.clone()).unwrap();
        html(&read).unwrap() + &markdown(&read).unwrap()
    };
    assert!(drawn(&written).contains("told p50 ms"));
    for run in written["runs"].as_array_mut().unwrap() {
        run.as_object_mut().unwrap().remove("gave_up");
    }
    let older = drawn(&written);
    assert!(!older.contains("told p") && !older.contains("gave up asking"), "of those alone who did not give up");
}

#[test]
fn machine_and_versions_are_in_the_section_as_on_the_page() {
    let mut benchmark = right();
    benchmark.machine.memory_mb = 24_000;
    benchmark.machine.kernel = "Linux 6.1".into();
    benchmark.versions =
        [("firstcome".to_owned(), "b3f10c2".to_owned()), ("redis".to_owned(), "7.0".to_owned())].into();
    let section = markdown(&benchmark).unwrap();
    assert!(section.contains("24000 MB, Linux 6.1,"), "{section}");
    assert!(section.contains("firstcome: b3f10c2; redis: 7.0."), "{section}");
}

#[test]
fn processes_and_what_is_read_once_are_in_the_details() {
    let mut benchmark = right();
    for run in &mut benchmark.runs {
        run.processes = vec![ProcessCost { name: "issue-<api>".into(), cpu_ms: 1234.0, pss_mb: 14.0 }];
        (run.gave_up, run.cold_accept_ms, run.told_ms) = (Some(3), run.accept_ms, run.accept_ms);
    }
    let page = html(&benchmark).unwrap();
    assert!(page.contains("issue-&lt;api&gt;</td><td class=\"figure\">1,234</td><td class=\"figure\">14.0</td>"));
    for heading in ["decision p95 ms", "gave up asking", "cold accept p50 ms"] {
        assert!(page.contains(&format!("<th>{heading}</th>")), "{heading}");
    }
}

#[test]
fn a_benchmark_with_nothing_in_it_is_a_page_all_the_same() {
    let mut nothing = benchmark(Vec::new());
    nothing.interrupted = true;
    let page = html(&nothing).unwrap();
    assert!(page.contains("Ended before it was through") && page.contains("not measured"));
    let section = markdown(&nothing).unwrap();
    assert!(section.contains("Ended before it was through") && section.contains("Nothing was measured."), "{section}");
    assert!(!section.contains("outcome was right") && !page.contains("outcome right</em>"), "of no run");
}

#[test]
fn a_run_that_nobody_judged_was_not_right() {
    let mut benchmark = right();
    assert!(markdown(&benchmark).unwrap().contains("Every run's outcome was right."));
    benchmark.runs[0].verdict.checks.clear();
    let section = markdown(&benchmark).unwrap();
    assert!(section.contains("- redis's name, the seeds: nobody judged it") && !section.contains("outcome was right"));
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
        "| write units a coupon, the sustained",
        "| accept p50 ms |",
        "| accept p99 |",
        "| decision p99 |",
        "### What a million",
    ] {
        assert!(section.contains(row), "{row} in {section}");
    }
}

#[test]
fn a_refusal_has_its_units_records_and_bytes_where_nobody_is_accepted() {
    let (page, section) = (html(&right()).unwrap(), markdown(&right()).unwrap());
    for (name, figure) in [("write units", "2.02"), ("read units", "0.50"), ("records", "2.00"), ("bytes", "400")] {
        assert!(page.contains(&format!("<th>{name} a refusal</th>")), "{name}");
        let row = format!("| {name} a refusal | {figure} | {figure} | {figure} | {figure} |");
        assert_eq!(section.matches(&row).count(), 1, "{row} in {section}");
        assert_eq!(section.matches(&format!("| {name} a refusal")).count(), 1, "for bots alone");
    }
}

#[test]
fn json_comes_back_as_it_was() {
    let benchmark = whole();
    let text = serde_json::to_string(&benchmark).unwrap();
    assert_eq!(serde_json::from_str::<Benchmark>(&text).unwrap(), benchmark);
}
