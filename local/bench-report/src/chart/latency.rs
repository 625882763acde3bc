//! Accept p99 over the offered rate, all systems: where a line goes up, the system gives way.

use plotters::prelude::*;

use super::{GRID, MUTED, Size, colour, failed, label, log_range, tick};
use crate::ReportError;
use crate::data::ProfileInfo;
use crate::profiles;
use crate::summary::{Cell, Summary};

const CHART: &str = "latency over rate";

/// One system's line.
struct Line {
    system: String,
    points: Vec<(f64, f64)>,
    /// Those of them whose outcome was wrong.
    wrong: Vec<(f64, f64)>,
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
    draw(&lines, rush.gives_way_ms.map(f64::from), size, &mut svg).map_err(failed(CHART))?;
    Ok(Some(svg))
}

fn lines(summary: &Summary<'_>, rush: &ProfileInfo) -> Vec<Line> {
    let cells = summary.cells(rush);
    let point = |cell: &Cell<'_>| {
        let rate = cell.offered.or_else(|| cell.first()?.offered)?;
        Some((rate, cell.timed(|run| Some(run.accept_ms?.p99))?.median))
    };
    let of = |system: &crate::data::System| {
        let cells = || cells.iter().filter(|cell| cell.system.id == system.id);
        Line {
            system: system.id.clone(),
            points: cells().filter_map(point).collect(),
            wrong: cells().filter(|cell| !cell.is_correct()).filter_map(point).collect(),
        }
    };
    summary.benchmark.systems.iter().map(of).collect()
}

/// `gives_way_ms`: where a system has given way; the steps ended there.
fn draw(
    lines: &[Line],
    gives_way_ms: Option<f64>,
    size: Size,
    svg: &mut String,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let all = || lines.iter().flat_map(|line| line.points.iter().copied());
    let (rates, times) = (
        0.0..all().map(|(rate, _)| rate).fold(1.0, f64::max) * 1.05,
        log_range(all().map(|(_, ms)| ms).chain(gives_way_ms), (1.0, 1000.0)),
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
    if let Some(ms) = gives_way_ms {
        chart.draw_series(DashedLineSeries::new([(low_rate, ms), (high_rate, ms)], 4, 4, MUTED.stroke_width(1)))?;
        chart.draw_series([Text::new("gives way", (high_rate * 0.01, ms * 0.95), label(MUTED))])?;
    }
    for line in lines {
        let colour = colour(&line.system);
        chart.draw_series(LineSeries::new(line.points.iter().copied(), colour.stroke_width(3)))?;
        chart.draw_series(line.points.iter().map(|point| match gives_way_ms.is_none_or(|bound| point.1 < bound) {
            true => Circle::new(*point, 4, colour.filled()),
            false => Circle::new(*point, 5, colour.stroke_width(2)),
        }))?;
        chart.draw_series(line.wrong.iter().map(|point| Cross::new(*point, 8, colour.stroke_width(2))))?;
    }
    root.present()?;
    drop(chart);
    Ok(())
}
