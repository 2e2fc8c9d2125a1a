//! Many measurements as three figures.

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    pub median: f64,
    pub min: f64,
    pub max: f64,
    pub repetitions: usize,
}

impl Spread {
    /// Of at least one measurement.
    pub fn of(samples: &[f64]) -> Self {
        let mut sorted = samples.to_vec();
        sorted.sort_by(f64::total_cmp);
        let last = sorted.len() - 1;
        Self {
            median: f64::midpoint(sorted[last / 2], sorted[last.div_ceil(2)]),
            min: sorted[0],
            max: sorted[last],
            repetitions: sorted.len(),
        }
    }

    /// The same in another unit.
    pub fn times(self, factor: f64) -> Self {
        Self {
            median: self.median * factor,
            min: self.min * factor,
            max: self.max * factor,
            ..self
        }
    }

    /// What has no spread, such as a size.
    pub fn exactly(figure: f64) -> Self {
        Self::of(&[figure])
    }
}

#[cfg(test)]
mod tests {
    use super::Spread;

    #[test]
    fn the_median_is_the_middle_or_between_the_two_middle_ones() {
        assert_eq!(Spread::of(&[3.0, 1.0, 9.0]).median, 3.0);
        assert_eq!(Spread::of(&[4.0, 1.0, 9.0, 2.0]).median, 3.0);
        let spread = Spread::of(&[4.0, 1.0, 9.0, 2.0]);
        assert_eq!((spread.min, spread.max, spread.repetitions), (1.0, 9.0, 4));
    }
}
