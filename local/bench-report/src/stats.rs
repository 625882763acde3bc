//! Medians with their spread, and ratios of them. A figure without a spread looks surer than it is.

use serde::Serialize;

/// The median of some rounds, with the lowest and the highest.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// The middle one; of an even number, the mean of the middle two.
    pub median: f64,
    /// The lowest.
    pub min: f64,
    /// The highest.
    pub max: f64,
    /// Of how many.
    pub rounds: usize,
}

impl Spread {
    /// Of these values, in any order; none of none, and what is no number does not count. What has no end is more than any.
    #[must_use]
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().filter(|value| !value.is_nan()).collect();
        values.sort_by(f64::total_cmp);
        let upper = values.get(values.len() / 2).copied()?;
        let lower = values.get(values.len().saturating_sub(1) / 2).copied()?;
        Some(Self {
            median: lower.midpoint(upper),
            min: values.first().copied()?,
            max: values.last().copied()?,
            rounds: values.len(),
        })
    }

    /// This median by another's; none where the other is nothing.
    #[must_use]
    pub fn ratio_to(&self, other: &Self) -> Option<f64> {
        (other.median > 0.0).then(|| self.median / other.median)
    }
}

/// A count as a number to divide by; exact to 2^53, which no benchmark reaches.
pub(crate) fn number(count: u64) -> f64 {
    let (high, low) = (count >> 32, count & u64::from(u32::MAX));
    let part = |bits: u64| f64::from(u32::try_from(bits).unwrap_or(u32::MAX));
    part(high) * 4_294_967_296.0 + part(low)
}

/// So much for each; none of none.
pub(crate) fn each(sum: f64, count: u64) -> Option<f64> {
    (count > 0).then(|| sum / number(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_one_and_the_spread_is_the_ends() {
        let spread = Spread::of([9.0, 1.0, 4.0]).unwrap();
        assert_eq!((spread.median, spread.min, spread.max, spread.rounds), (4.0, 1.0, 9.0, 3));
        assert_eq!(Spread::of([1.0, 2.0]).unwrap().median, 1.5);
        assert_eq!(Spread::of([]), None);
        assert_eq!(Spread::of([f64::NAN]), None, "what is no number is no round");
    }

    #[test]
    fn a_ratio_to_nothing_is_none() {
        let (one, nothing) = (Spread::of([4.0]).unwrap(), Spread::of([0.0]).unwrap());
        assert_eq!(one.ratio_to(&nothing), None);
        assert_eq!(one.ratio_to(&Spread::of([2.0]).unwrap()), Some(2.0));
    }

    #[test]
    fn counts_become_numbers_exactly() {
        assert_eq!(number(9_701), 9_701.0);
        assert_eq!(number((1 << 40) + 3), 1_099_511_627_779.0);
        assert_eq!(each(4.0, 0), None);
    }
}
