//! How long the store's stock lags behind what people were promised: pure arithmetic on two series of moments.
//!
//! ```text
//! promised at   10   20   30          total 100
//! stored says   100 at 15, 98 at 40, 97 at 95
//! behind         30   20   65         the first two are counted at 40, the third at 95
//! ```

use crate::data::{Percentiles, Stock, StockPoint};

/// What the store's stock said at one moment, in ms since the run began.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Seen {
    /// When it was read.
    pub at_ms: f64,
    /// What it said.
    pub remaining: u64,
}

/// How long a picture goes on after nothing changes any more.
const AFTER_MS: f64 = 1000.0;
/// Points that a picture has room for.
const POINTS_MAX: usize = 400;

impl Stock {
    /// From when each coupon was promised (in any order) and what was seen of the stock (ascending); `percentiles` makes
    /// a histogram of the lags.
    #[must_use]
    pub fn of(
        total: u64,
        mut promised_ms: Vec<f64>,
        seen: &[Seen],
        percentiles: impl FnOnce(&[f64]) -> Option<Percentiles>,
    ) -> Self {
        promised_ms.sort_by(f64::total_cmp);
        promised_ms.truncate(usize::try_from(total).unwrap_or(usize::MAX));
        let behind: Vec<f64> = lags(total, &promised_ms, seen);
        let whole = behind.len() == promised_ms.len() && !promised_ms.is_empty();
        Self {
            behind_ms: percentiles(&behind).filter(|_| whole),
            settled_ms: settled(total, &promised_ms, seen),
            total,
            series: series(total, &promised_ms, seen),
        }
    }
}

/// For each promise, how long until the stock had counted it; promises that it never counted are left out.
fn lags(total: u64, promised_ms: &[f64], seen: &[Seen]) -> Vec<f64> {
    let mut lags = Vec::with_capacity(promised_ms.len());
    let mut seen = seen.iter().peekable();
    for (at, count) in promised_ms.iter().zip(1_u64..) {
        while seen.next_if(|one| total.saturating_sub(one.remaining) < count).is_some() {}
        let Some(counted) = seen.peek() else { break };
        lags.push((counted.at_ms - at).max(0.0));
    }
    lags
}

/// From the last promise until the stock said what is left, and went on saying it.
fn settled(total: u64, promised_ms: &[f64], seen: &[Seen]) -> Option<f64> {
    let left = total.checked_sub(u64::try_from(promised_ms.len()).ok()?)?;
    let right = seen.iter().rev().take_while(|one| one.remaining == left).last()?;
    Some((right.at_ms - promised_ms.last()?).max(0.0))
}

/// How much of a series there is to see: a little more than until the last promise and the last change.
fn interesting(promised_ms: &[f64], seen: &[Seen]) -> usize {
    let last = seen.last().map(|one| one.remaining);
    let changed = seen.iter().rev().find(|one| Some(one.remaining) != last).map_or(0.0, |one| one.at_ms);
    let end = promised_ms.last().copied().unwrap_or(0.0).max(changed) + AFTER_MS;
    seen.partition_point(|one| one.at_ms <= end)
}

fn series(total: u64, promised_ms: &[f64], seen: &[Seen]) -> Vec<StockPoint> {
    let signed = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let point = |one: &Seen| {
        let promised = promised_ms.partition_point(|at| *at <= one.at_ms);
        let left = total.saturating_sub(u64::try_from(promised).unwrap_or(u64::MAX));
        StockPoint { at_ms: one.at_ms, promised: signed(left), stored: signed(one.remaining) }
    };
    let seen = seen.get(..interesting(promised_ms, seen)).unwrap_or(seen);
    let step = seen.len().div_ceil(POINTS_MAX).max(1);
    let mut series: Vec<StockPoint> = seen.iter().step_by(step).map(point).collect();
    series.extend(seen.last().map(point));
    series
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(points: &[(f64, u64)]) -> Vec<Seen> {
        points.iter().map(|(at_ms, remaining)| Seen { at_ms: *at_ms, remaining: *remaining }).collect()
    }

    #[test]
    fn a_promise_is_behind_until_the_stock_has_counted_it() {
        let seen = seen(&[(15.0, 100), (40.0, 98), (95.0, 97), (100.0, 97)]);
        assert_eq!(lags(100, &[10.0, 20.0, 30.0], &seen), [30.0, 20.0, 65.0]);
        assert_eq!(settled(100, &[10.0, 20.0, 30.0], &seen), Some(65.0));
    }

    #[test]
    fn a_stock_that_was_counted_before_the_answer_came_is_not_behind() {
        assert_eq!(lags(5, &[10.0], &seen(&[(5.0, 4)])), [0.0]);
    }

    #[test]
    fn a_stock_that_never_gets_right_has_no_moment_at_which_it_did() {
        let seen = seen(&[(15.0, 10), (40.0, 9)]);
        assert_eq!(settled(10, &[1.0, 2.0], &seen), None);
        let stock = Stock::of(10, vec![1.0, 2.0], &seen, |_| {
            Some(Percentiles { count: 1, mean: 1.0, p50: 1.0, p95: 1.0, p99: 1.0, p999: 1.0, max: 1.0 })
        });
        assert_eq!(stock.behind_ms, None, "half a figure would flatter");
    }

    #[test]
    fn nobody_is_promised_more_than_there_is() {
        let stock = Stock::of(2, vec![3.0, 1.0, 2.0], &seen(&[(0.0, 2), (9.0, 0)]), |_| None);
        let points: Vec<(i64, i64)> = stock.series.iter().map(|point| (point.promised, point.stored)).collect();
        assert_eq!(points, [(2, 2), (0, 0), (0, 0)]);
    }

    #[test]
    fn a_picture_has_no_more_points_than_it_has_room_for() {
        let many: Vec<Seen> =
            (0..10_000_u32).map(|at| Seen { at_ms: f64::from(at), remaining: u64::from(at < 5000) }).collect();
        let series = series(1, &[], &many);
        assert!(series.len() <= POINTS_MAX + 1);
        assert_eq!(series.last().unwrap().at_ms, 5999.0, "a second after the last change");
    }
}
