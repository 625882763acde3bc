//! Accept p99 over the offered rate, all systems: where a line goes up, the system gives way.

use plotters::prelude::*;

use super::{GRID, MUTED, Size, colour, failed, label, log_range, tick};
use crate::ReportError;
use crate::data::ProfileInfo;
use crate::profiles;
use crate::rush::{Limit, gives_way_ms};
use crate::summary::{Cell, Summary};

const CHART: &str = "latency over rate";

/// One system's line.
struct Line {
    system: String,
    points: Vec<(f64, f64)>,
    /// Those of them whose outcome was wrong.
    wrong: Vec<(f64, f64)>,
    /// From here on points are hollow: it gave way in some round, and only the others went on.
    gave_way: Option<f64>,
}

/// The chart; none without a step that was accepted.
pub(crate) fn latency(summary: &Summary<'_>, size: Size) -> Result<Option<String>, ReportError> {
    let Some(rush) = summary.profile(profiles::RUSH) else {
        return Ok(None);
    };
    let lines = lines(summary, rush);
    if lines.iter().all(|line| line.points.is_empty()) {
        return Ok(None);
    }
    let mut svg = String::new();
    draw(&lines, gives_way_ms(rush), size, &mut svg).map_err(failed(CHART))?;
    Ok(Some(svg))
}

fn lines(summary: &Summary<'_>, rush: &ProfileInfo) -> Vec<Line> {
    let cells = summary.cells(rush);
    let point = |cell: &Cell<'_>| Some((cell.rate()?, cell.timed(|run| Some(run.accept_ms?.p99))?.median));
    let of = |system: &crate::data::System| {
        let cells = || cells.iter().filter(|cell| cell.system.id == system.id);
        Line {
            system: system.id.clone(),
            points: cells().filter_map(point).collect(),
            wrong: cells().filter(|cell| !cell.is_correct()).filter_map(point).collect(),
            gave_way: Limit::of(summary, &system.id).and_then(|limit| limit.gave_way),
        }
    };
    summary.benchmark.systems.iter().map(of).collect()
}

/// `bound`: the ms beyond which a step has given way; a round ended there.
fn draw(
    lines: &[Line],
    bound: f64,
    size: Size,
    svg: &mut String,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let all = || lines.iter().flat_map(|line| line.points.iter().copied());
    let (rates, times) = (
        0.0..all().map(|(rate, _)| rate).fold(1.0, f64::max) * 1.05,
        log_range(all().map(|(_, ms)| ms).chain([bound]), (1.0, 1000.0)),
    );
    let (low_rate, high_rate) = (rates.start, rates.end);
    let root = SVGBackend::with_string(svg, size).into_drawing_area();
    let mut chart = ChartBuilder::on(&root)
        .margin(10)
        .x_label_area_size(40)
        .y_label_area_size(48)
        .build_cartesian_2d(rates, times.log_scale())?;
    chart
        .configure_mesh()
        .x_desc("requests a second, by schedule")
        .y_desc("accept p99, ms")
        .axis_desc_style(label(MUTED))
        .label_style(label(MUTED))
        .axis_style(GRID)
        .bold_line_style(GRID)
        .light_line_style(TRANSPARENT)
        .x_labels(6)
        .y_labels(6)
        .x_label_formatter(&|rate| tick(*rate))
        .y_label_formatter(&|ms| tick(*ms))
        .draw()?;
    chart.draw_series(DashedLineSeries::new([(low_rate, bound), (high_rate, bound)], 4, 4, MUTED.stroke_width(1)))?;
    chart.draw_series([Text::new("gives way", (high_rate * 0.01, bound * 0.95), label(MUTED))])?;
    for line in lines {
        let colour = colour(&line.system);
        chart.draw_series(LineSeries::new(line.points.iter().copied(), colour.stroke_width(3)))?;
        chart.draw_series(line.points.iter().map(|point| match line.gave_way.is_some_and(|at| point.0 >= at) {
            true => Circle::new(*point, 5, colour.stroke_width(2)),
            false => Circle::new(*point, 4, colour.filled()),
        }))?;
        chart.draw_series(line.wrong.iter().map(|point| Cross::new(*point, 8, colour.stroke_width(2))))?;
    }
    root.present()?;
    drop(chart);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Percentiles, Run};
    use crate::summary::tests::{benchmark, run};

    #[test]
    fn points_are_hollow_from_the_step_on_at_which_a_single_round_gave_way() {
        let step = |round, rate, ms| {
            let accept_ms = Percentiles { count: 9, mean: ms, p50: ms, p95: ms, p99: ms, p999: ms, max: ms };
            Run { offered: Some(rate), accept_ms: Some(accept_ms), ..run("ours", "rush", round) }
        };
        let mut runs = vec![step(1, 100.0, 5.0), step(1, 200.0, 600.0), step(2, 100.0, 5.0), step(3, 100.0, 5.0)];
        runs.extend([step(2, 200.0, 5.0), step(3, 200.0, 5.0), step(2, 400.0, 5.0), step(3, 400.0, 5.0)]);
        let benchmark = benchmark(runs);
        let svg = latency(&Summary::new(&benchmark).unwrap(), (400, 300)).unwrap().unwrap();
        assert_eq!((svg.matches("r=\"4\"").count(), svg.matches("r=\"5\"").count()), (1, 2), "{svg}");
        assert!(svg.contains("gives way"), "the bound is drawn");
    }
}
