//! What is loaded for reading: a database for each, filled by whichever peers a workload asks for.

use crate::data::{Form, Run, Shape};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dataset {
    Meter,
    Noise,
    /// One long history a series; see [`DEEP`].
    Deep,
}

/// The histories in [`Dataset::Deep`]: series 0 is the first, and so on.
const DEEP: [Shape; 7] = [
    Shape::one_series(8_760, 48),
    Shape::one_series(876, 48),
    Shape::one_series(8_760, 240),
    Shape::one_series(876, 240),
    Shape::one_series(100, 48),
    Shape::one_series(1_000, 48),
    Shape::one_series(10_000, 48),
];

impl Dataset {
    /// Of its database, and of ClickHouse's table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Meter => "meter",
            Self::Noise => "noise",
            Self::Deep => "deep",
        }
    }

    pub fn series(self) -> usize {
        match self {
            Self::Meter | Self::Noise => 20,
            Self::Deep => DEEP.len(),
        }
    }

    pub fn values(self) -> usize {
        match self {
            Self::Meter | Self::Noise => Shape::standard(Form::Meter).values(),
            Self::Deep => DEEP.iter().map(Shape::values).sum(),
        }
    }

    pub fn runs(self) -> Box<dyn Iterator<Item = Run>> {
        match self {
            Self::Meter => Box::new(Shape::standard(Form::Meter).all_runs()),
            Self::Noise => Box::new(Shape::standard(Form::Noise).all_runs()),
            Self::Deep => Box::new((0..).map_while(deep_run)),
        }
    }
}

/// The series of [`Dataset::Deep`] that has so many runs of so many hours.
pub fn deep_series(runs: usize, hours: usize) -> usize {
    DEEP.iter()
        .position(|shape| (shape.runs, shape.hours) == (runs, hours))
        .expect("only histories that are there are asked for")
}

fn deep_run(number: usize) -> Option<Run> {
    DEEP.iter()
        .enumerate()
        .filter(|(_, shape)| number < shape.runs)
        .map(|(series, shape)| shape.run(number).of_series_from(series))
        .reduce(Run::and)
}

#[cfg(test)]
mod tests {
    use super::{Dataset, deep_series};

    #[test]
    fn a_deep_run_has_the_series_that_are_still_being_written() {
        let lengths: Vec<usize> = Dataset::Deep.runs().map(|run| run.len()).collect();
        assert_eq!(lengths.len(), 10_000);
        assert_eq!(lengths[0], 5 * 48 + 2 * 240);
        assert_eq!(lengths[9_999], 48);
        assert_eq!(lengths.iter().sum::<usize>(), Dataset::Deep.values());
        assert_eq!(deep_series(10_000, 48), 6);
    }
}
