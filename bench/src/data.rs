//! The values that are stored, the same at every run of the bench: runs an hour apart, each with
//! hourly values of its series from its own moment on.

use jiff::{SignedDuration, Timestamp};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// 2025-01-01T00:00Z, when run 0 became known.
const BASE: i64 = 1_735_689_600;
const HOUR: i64 = 3_600;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// What a meter shows: two decimals, each value near the one before.
    Meter,
    /// All 53 bits random: nothing to pack.
    Noise,
}

#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub series: usize,
    pub runs: usize,
    pub hours: usize,
    pub form: Form,
}

impl Shape {
    /// 960,000 values; most workloads use it.
    pub const fn standard(form: Form) -> Self {
        Self {
            series: 20,
            runs: 1000,
            hours: 48,
            form,
        }
    }

    pub const fn one_series(runs: usize, hours: usize) -> Self {
        Self {
            series: 1,
            runs,
            hours,
            form: Form::Meter,
        }
    }

    pub fn values(&self) -> usize {
        self.series * self.runs * self.hours
    }

    pub fn all_runs(self) -> impl Iterator<Item = Run> {
        (0..self.runs).map(move |number| self.run(number))
    }

    /// Run `number`, which may lie beyond `runs`.
    pub fn run(&self, number: usize) -> Run {
        let mut run = Run {
            number,
            known_time: hour(number),
            series: Vec::new(),
            valid_times: Vec::new(),
            values: Vec::new(),
        };
        for series in 0..self.series {
            let mut source = Source::of(self.form, series, number);
            for step in 0..self.hours {
                run.series.push(series);
                run.valid_times.push(hour(number + step));
                run.values.push(source.next());
            }
        }
        run
    }
}

/// One upload: parallel arrays, an element a value.
#[derive(Clone, Debug)]
pub struct Run {
    pub number: usize,
    pub known_time: Timestamp,
    pub series: Vec<usize>,
    pub valid_times: Vec<Timestamp>,
    pub values: Vec<f64>,
}

impl Run {
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// The same run for other series: its series 0 becomes `first`, and so on.
    pub fn of_series_from(mut self, first: usize) -> Self {
        self.series.iter_mut().for_each(|series| *series += first);
        self
    }

    /// The values of another run of the same moment beside these.
    pub fn and(mut self, other: Self) -> Self {
        self.series.extend(other.series);
        self.valid_times.extend(other.valid_times);
        self.values.extend(other.values);
        self
    }
}

pub fn hour(number: usize) -> Timestamp {
    let seconds = i64::try_from(number).expect("hours are few") * HOUR;
    Timestamp::from_second(BASE).expect("2025 is in range") + SignedDuration::from_secs(seconds)
}

pub fn series_key(series: usize) -> String {
    format!("series_{series:02}")
}

/// The values of one run of one series.
struct Source {
    form: Form,
    random: StdRng,
    hundredths: i64,
}

impl Source {
    fn of(form: Form, series: usize, run: usize) -> Self {
        let seed = (series as u64) << 32 | run as u64;
        let mut random = StdRng::seed_from_u64(seed);
        // Each run starts near a level of the series that itself wanders over the days.
        let wave = (run as f64 / 24.0 + series as f64).sin() * 2_000.0;
        let level = 10_000 + 500 * i64::try_from(series).expect("series are few") + wave as i64;
        let hundredths = level + random.random_range(-100..=100);
        Self {
            form,
            random,
            hundredths,
        }
    }

    fn next(&mut self) -> f64 {
        match self.form {
            Form::Noise => self.random.random::<f64>(),
            Form::Meter => {
                self.hundredths += self.random.random_range(-100..=100);
                self.hundredths as f64 / 100.0
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Form, Shape, hour};

    #[test]
    fn the_same_run_has_the_same_values_every_time() {
        let shape = Shape::standard(Form::Meter);
        let (first, second) = (shape.run(7), shape.run(7));
        assert_eq!(first.values, second.values);
        assert_ne!(first.values, shape.run(8).values);
        assert_eq!(first.len(), 960);
        assert_eq!(first.known_time, hour(7));
        assert_eq!(first.valid_times[47], hour(54));
    }

    #[test]
    fn a_meter_shows_two_decimals() {
        let run = Shape::standard(Form::Meter).run(3);
        assert!(run.values.iter().all(|value| (value * 100.0).round() / 100.0 == *value));
    }
}
