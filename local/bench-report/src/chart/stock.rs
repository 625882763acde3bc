//! One system's stock over time: how many coupons people were promised, and how many the store has taken from its stock.
//! What lies between is wrong, and is filled.

use plotters::prelude::*;

use super::{GRID, MUTED, Size, colour, failed, label, tick};
use crate::ReportError;
use crate::data::{Run, Stock, StockPoint};

const CHART: &str = "stock over time";

/// What there is to draw of a run: one look at a stock is no picture.
pub(crate) fn drawn(run: &Run) -> Option<&Stock> {
    run.stock.as_ref().filter(|stock| stock.series.len() > 1)
}

/// The chart of one run, up to `seconds`; none without a series.
pub(crate) fn stock(run: &Run, seconds: f64, size: Size) -> Result<Option<String>, ReportError> {
    let Some(stock) = drawn(run) else { return Ok(None) };
    let taken = |left: i64| i64::try_from(stock.total).unwrap_or(i64::MAX).saturating_sub(left);
    let promised = steps(&stock.series, |point| taken(point.promised));
    let stored = steps(&stock.series, |point| taken(point.stored));
    let mut svg = String::new();
    draw(&run.system, [&promised, &stored], seconds, size, &mut svg).map_err(failed(CHART))?;
    Ok(Some(svg))
}

/// A count stays until it changes: a corner for each change, in seconds.
fn steps(series: &[StockPoint], count: impl Fn(&StockPoint) -> i64) -> Vec<(f64, f64)> {
    let mut points: Vec<(f64, f64)> = Vec::new();
    for point in series {
        let value = i32::try_from(count(point)).map_or(f64::NAN, f64::from);
        let at = point.at_ms / 1000.0;
        if let Some((_, before)) = points.last().copied() {
            points.push((at, before));
        }
        points.push((at, value));
    }
    points
}

fn draw(
    system: &str,
    [promised, stored]: [&Vec<(f64, f64)>; 2],
    seconds: f64,
    size: Size,
    svg: &mut String,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let values = || promised.iter().chain(stored).map(|(_, value)| *value);
    let (low, high) = (values().fold(f64::INFINITY, f64::min), values().fold(0.0, f64::max));
    let room = ((high - low) * 0.05).max(1.0);
    let colour = colour(system);
    let root = SVGBackend::with_string(svg, size).into_drawing_area();
    let mut chart = ChartBuilder::on(&root)
        .margin(8)
        .x_label_area_size(36)
        .y_label_area_size(46)
        .build_cartesian_2d(0.0..seconds.max(1.0), (low - room).min(low)..high + room)?;
    chart
        .configure_mesh()
        .x_desc("seconds")
        .axis_desc_style(label(MUTED))
        .label_style(label(MUTED))
        .axis_style(GRID)
        .bold_line_style(GRID)
        .light_line_style(TRANSPARENT)
        .x_labels(6)
        .y_labels(4)
        .x_label_formatter(&|at| tick(*at))
        .y_label_formatter(&|count| tick(*count))
        .draw()?;
    let between: Vec<(f64, f64)> = promised.iter().copied().chain(stored.iter().rev().copied()).collect();
    chart.draw_series([Polygon::new(between, colour.mix(0.25).filled())])?;
    chart.draw_series(LineSeries::new(promised.iter().copied(), MUTED.stroke_width(2)))?;
    chart.draw_series(LineSeries::new(stored.iter().copied(), colour.stroke_width(3)))?;
    root.present()?;
    drop(chart);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_stays_until_it_changes() {
        let at = |at_ms, stored| StockPoint { at_ms, promised: 0, stored };
        let corners = steps(&[at(0.0, 10), at(1000.0, 10), at(2000.0, 7)], |point| point.stored);
        assert_eq!(corners, [(0.0, 10.0), (1.0, 10.0), (1.0, 10.0), (2.0, 10.0), (2.0, 7.0)]);
    }
}
