//! How figures are written: as many digits as they are worth, and the same in HTML and Markdown.

use crate::GAVE_UP_SECONDS;
use crate::stats::Spread;

/// What comes before the profile of the run in which units are counted.
pub(crate) const COUNTED_BY_ITSELF: &str = "Units, records and bytes are counted in a run of their own:";

/// What comes before the figures of steps that were counted, whose rates are not those of the others.
pub(crate) const COUNTED_TOGETHER: &str = "Counted, by the median of the steps:";

/// Three digits or so: `0.42`, `9.87`, `98.7`, `987`, `12,345`. Without an end there is only how long people ask.
pub(crate) fn figure(value: f64) -> String {
    match value.abs() {
        size if size.is_infinite() => format!("more than {GAVE_UP_SECONDS} s"),
        size if size < 9.995 => format!("{value:.2}"),
        size if size < 99.95 => format!("{value:.1}"),
        _ => thousands(&format!("{value:.0}")),
    }
}

/// Units and records: exact where they are whole.
pub(crate) fn units(value: f64) -> String {
    if value.fract() == 0.0 { figure_whole(value) } else { format!("{value:.2}") }
}

fn figure_whole(value: f64) -> String {
    thousands(&format!("{value:.0}"))
}

/// Dollars and cents; tenths of a cent where a cent says too little.
pub(crate) fn dollars(value: f64) -> String {
    if value < 0.1 { format!("${value:.3}") } else { format!("${value:.2}") }
}

/// `median (lowest–highest)`; the median alone of one round; a dash of none. Beside them of how many rounds it is, where
/// `all` are more.
pub(crate) fn spread(spread: Option<Spread>, all: usize) -> String {
    let Some(one) = spread else { return "–".into() };
    let ends = (one.rounds > 1).then(|| format!("{}–{}", figure(one.min), figure(one.max)));
    let beside: Vec<String> = ends.into_iter().chain(of_rounds(one, all)).collect();
    if beside.is_empty() { figure(one.median) } else { format!("{} ({})", figure(one.median), beside.join(", ")) }
}

/// `2 of 3 rounds`: those that have a figure; nothing where all have.
pub(crate) fn of_rounds(spread: Spread, all: usize) -> Option<String> {
    (spread.rounds < all).then(|| format!("{} of {all} rounds", spread.rounds))
}

fn thousands(digits: &str) -> String {
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |rest| ("-", rest));
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{sign}{grouped}")
}

/// Struck through, in Markdown.
pub(crate) fn crossed(text: &str) -> String {
    format!("~~{text}~~")
}

/// Text for HTML, in content and in attributes.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_as_many_digits_as_they_are_worth() {
        let shown: Vec<String> = [0.424, 9.87, 98.71, 987.2, 12_345.6].map(figure).to_vec();
        assert_eq!(shown, ["0.42", "9.87", "98.7", "987", "12,346"]);
        assert_eq!(figure(-1234.0), "-1,234");
        assert_eq!(figure(f64::INFINITY), "more than 30 s");
    }

    #[test]
    fn a_spread_is_shown_where_there_is_one() {
        assert_eq!(spread(None, 3), "–");
        assert_eq!(spread(Spread::of([2.0]), 1), "2.00");
        assert_eq!(spread(Spread::of([1.0, 2.0, 30.0]), 3), "2.00 (1.00–30.0)");
        let endless = Spread::of([f64::INFINITY, 2.0, f64::INFINITY]);
        assert_eq!(spread(endless, 3), "more than 30 s (2.00–more than 30 s)");
    }

    #[test]
    fn a_figure_of_some_rounds_says_of_how_many() {
        assert_eq!(spread(Spread::of([2.0]), 3), "2.00 (1 of 3 rounds)");
        assert_eq!(spread(Spread::of([1.0, 3.0]), 3), "2.00 (1.00–3.00, 2 of 3 rounds)");
    }

    #[test]
    fn markup_in_a_text_stays_text() {
        assert_eq!(escaped("a<b> & \"c\""), "a&lt;b&gt; &amp; &quot;c&quot;");
    }
}
