//! How long until the coupon is somebody's, or not: for each system a bar from the median to p99, on one logarithmic axis.

use plotters::prelude::*;

use super::{GRID, INK, MUTED, Size, colour, failed, label, log_range, tick};
use crate::ReportError;
use crate::data::{Percentiles, System};
use crate::profiles;
use crate::summary::Summary;

const CHART: &str = "time to decision";

/// One row.
struct Row {
    system: String,
    name: String,
    p50: f64,
    p99: f64,
    correct: bool,
}

/// Whether a system has a figure to show.
pub(crate) fn has_row(summary: &Summary<'_>, system: &System) -> bool {
    row(summary, system).is_some()
}

fn row(summary: &Summary<'_>, system: &System) -> Option<Row> {
    let cell = summary.cell(&system.id, profiles::SEEDS)?;
    let of = |figure: fn(&Percentiles) -> f64| {
        cell.timed(|run| run.decision_ms.as_ref().map(figure)).map(|spread| spread.median)
    };
    Some(Row {
        system: system.id.clone(),
        name: system.name.clone(),
        p50: of(|ms| ms.p50)?,
        p99: of(|ms| ms.p99)?,
        correct: cell.is_correct(),
    })
}

/// The chart at the seeds' load; none without a figure.
pub(crate) fn decision(summary: &Summary<'_>, size: Size) -> Result<Option<String>, ReportError> {
    let rows: Vec<Row> = summary.benchmark.systems.iter().filter_map(|system| row(summary, system)).collect();
    if rows.is_empty() {
        return Ok(None);
    }
    let mut svg = String::new();
    draw(&rows, size, &mut svg).map_err(failed(CHART))?;
    Ok(Some(svg))
}

fn draw(rows: &[Row], size: Size, svg: &mut String) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let times = log_range(rows.iter().flat_map(|row| [row.p50, row.p99]), (1.0, 1000.0));
    let low = times.start;
    let height = f64::from(u32::try_from(rows.len())?);
    let root = SVGBackend::with_string(svg, size).into_drawing_area();
    let mut chart = ChartBuilder::on(&root)
        .margin(10)
        .margin_right(24)
        .x_label_area_size(40)
        .build_cartesian_2d(times.log_scale(), 0.0..height)?;
    chart
        .configure_mesh()
        .x_desc("ms, from the median to p99")
        .axis_desc_style(label(MUTED))
        .label_style(label(MUTED))
        .axis_style(GRID)
        .bold_line_style(GRID)
        .light_line_style(TRANSPARENT)
        .disable_y_mesh()
        .y_labels(0)
        .x_labels(6)
        .x_label_formatter(&|ms| tick(*ms))
        .draw()?;
    for (row, line) in rows.iter().rev().zip(0_u32..) {
        let (y, colour) = (f64::from(line) + 0.35, colour(&row.system));
        let wrong = if row.correct { "" } else { ", outcome wrong" };
        let shown =
            format!("{}: {} to {} ms{wrong}", row.name, crate::text::figure(row.p50), crate::text::figure(row.p99));
        chart.draw_series([Text::new(shown, (low * 1.02, y + 0.55), label(INK))])?;
        let (width, end) = if row.correct { (8, colour.filled()) } else { (2, colour.stroke_width(2)) };
        chart.draw_series(LineSeries::new([(row.p50, y), (row.p99, y)], colour.stroke_width(width)))?;
        chart.draw_series([row.p50, row.p99].map(|ms| Circle::new((ms, y), 5, end)))?;
    }
    root.present()?;
    drop(chart);
    Ok(())
}
