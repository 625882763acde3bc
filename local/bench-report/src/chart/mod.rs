//! The charts, as SVG, each drawn twice: for a phone and for a desk, since text in a scaled picture is not to be read.
//! Colours are stand-ins that the page's style sheet replaces, so that one picture serves light and dark.
//!
//! A file for each chart; the page that shows them is `page/`.

mod decision;
mod latency;
mod stock;

use plotters::prelude::*;
use plotters::style::RGBColor;

use crate::ReportError;
use crate::systems;

pub(crate) use decision::{decision, has_row};
pub(crate) use latency::latency;
pub(crate) use stock::{drawn, stock};

/// Width and height in pixels.
pub(crate) type Size = (u32, u32);

/// The stand-ins; `page/style.css` has the same ones.
pub(crate) const INK: RGBColor = RGBColor(0x10, 0x10, 0x10);
const GRID: RGBColor = RGBColor(0xC0, 0xC0, 0xC0);
pub(crate) const MUTED: RGBColor = RGBColor(0x80, 0x80, 0x80);
const LABEL_PX: f64 = 14.0;

/// A system's colour: distinct for people who see colours differently, too (Okabe and Ito).
pub(crate) fn colour(system: &str) -> RGBColor {
    match system {
        systems::REDIS => RGBColor(0xD5, 0x5E, 0x00),
        systems::HYBRID => RGBColor(0x00, 0x72, 0xB2),
        systems::OURS => RGBColor(0x00, 0x9E, 0x73),
        _ => RGBColor(0x8A, 0x63, 0xD2),
    }
}

/// The stand-in as the SVG has it.
pub(crate) fn hex(RGBColor(red, green, blue): RGBColor) -> String {
    format!("#{red:02X}{green:02X}{blue:02X}")
}

fn label(colour: RGBColor) -> TextStyle<'static> {
    ("sans-serif", LABEL_PX).into_font().color(&colour)
}

fn failed(chart: &'static str) -> impl Fn(Box<dyn std::error::Error + Send + Sync>) -> ReportError {
    move |why| ReportError::Chart { chart, why: why.to_string() }
}

/// A number on an axis: `200`, `1k`, `0.5`.
fn tick(value: f64) -> String {
    match value {
        value if value >= 1000.0 => format!("{}k", shortest(value / 1000.0)),
        value => shortest(value),
    }
}

fn shortest(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The range of a logarithmic axis around these values: whole decades, since only those are labelled.
fn log_range(values: impl Iterator<Item = f64>, fallback: (f64, f64)) -> std::ops::Range<f64> {
    let (mut low, mut high) = (f64::INFINITY, 0.0_f64);
    for value in values.filter(|value| value.is_finite() && *value > 0.0) {
        low = low.min(value);
        high = high.max(value);
    }
    let decade = |value: f64, round: fn(f64) -> f64| 10.0_f64.powf(round(value.log10()));
    if high <= 0.0 { fallback.0..fallback.1 } else { decade(low * 0.999, f64::floor)..decade(high * 1.001, f64::ceil) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_short() {
        assert_eq!([0.5, 20.0, 1000.0, 2500.0].map(tick), ["0.5", "20", "1k", "2.5k"]);
    }

    #[test]
    fn an_axis_has_room_around_what_it_shows_and_never_reaches_zero() {
        let range = log_range([0.0, 10.0, 100.0, f64::NAN].into_iter(), (1.0, 2.0));
        assert_eq!(range, 1.0..1000.0);
        assert_eq!(log_range(std::iter::empty(), (1.0, 2.0)), 1.0..2.0);
    }
}
