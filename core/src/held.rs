//! How much of one series a read holds, counted while it comes: past a limit of it, one client could take the memory of all.

use crate::limits::Limits;
use crate::time::Time;
use crate::version::Shaped;

/// What has come so far: of the windows of a read alone.
#[derive(Default, Debug)]
pub struct Held {
    limits: Limits,
    rows: usize,
    values: usize,
    known: Extent,
    valid: Extent,
    /// Whether any version has several values.
    some_are_many: bool,
}

/// More than a read holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TooMuch {
    pub what: What,
    /// How many of them are held at most.
    pub most: usize,
    /// Whether what has come is of several known times: a narrower window of them then holds less.
    pub is_of_known_times: bool,
    /// The same of valid times.
    pub is_of_valid_times: bool,
}

/// What there is too much of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum What {
    Rows,
    Values,
}

/// From the first of some times to the last.
#[derive(Default, Debug)]
struct Extent(Option<(Time, Time)>);

impl Held {
    pub fn within(limits: &Limits) -> Held {
        Held {
            limits: *limits,
            ..Held::default()
        }
    }

    /// A row, or a version that takes as much room as one.
    pub fn add_row(&mut self) -> Result<(), TooMuch> {
        self.rows += 1;
        self.check(What::Rows, self.rows, self.limits.read_rows)
    }

    /// The values of a version.
    pub fn add_version(&mut self, of: &Shaped) -> Result<(), TooMuch> {
        self.add_values(of.shape.len(), of.version.known, of.shape.first())
    }

    /// So many values of one version, the first of which is of a valid time; a second one is of another.
    pub fn add_values(&mut self, count: usize, known: Time, first: Option<Time>) -> Result<(), TooMuch> {
        self.known.reach(known);
        if let Some(first) = first {
            self.valid.reach(first);
        }
        self.some_are_many |= count > 1;
        self.values += count;
        self.check(What::Values, self.values, self.limits.read_values)
    }

    /// How many values have come.
    pub fn values(&self) -> usize {
        self.values
    }

    /// How many values are held at most.
    pub fn most_values(&self) -> usize {
        self.limits.read_values
    }

    fn check(&self, what: What, count: usize, most: usize) -> Result<(), TooMuch> {
        if count <= most {
            return Ok(());
        }
        Err(TooMuch {
            what,
            most,
            is_of_known_times: self.known.is_long(),
            is_of_valid_times: self.some_are_many || self.valid.is_long(),
        })
    }
}

impl What {
    pub fn name(self) -> &'static str {
        match self {
            What::Rows => "rows",
            What::Values => "values",
        }
    }
}

impl Extent {
    fn reach(&mut self, time: Time) {
        let (first, last) = self.0.get_or_insert((time, time));
        (*first, *last) = ((*first).min(time), (*last).max(time));
    }

    fn is_long(&self) -> bool {
        self.0.is_some_and(|(first, last)| first < last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hour(hour: i64) -> Time {
        Time::from_micros(hour * 3_600_000_000).unwrap()
    }

    #[test]
    fn rows_are_held_up_to_their_limit_and_values_up_to_theirs() {
        let limits = Limits {
            read_rows: 3,
            read_values: 7,
            ..Limits::DEFAULT
        };
        let mut held = Held::within(&limits);
        for _ in 0..3 {
            held.add_row().unwrap();
        }
        let too_much = held.add_row().unwrap_err();
        assert_eq!((too_much.what, too_much.most), (What::Rows, 3));
        let mut held = Held::within(&limits);
        held.add_values(7, hour(0), None).unwrap();
        let too_much = held.add_values(1, hour(0), None).unwrap_err();
        assert_eq!((too_much.what, too_much.most), (What::Values, 7));
    }

    #[test]
    fn what_a_narrower_window_would_hold_less_of_is_told() {
        let told = |each: usize, versions: &[(i64, i64)]| {
            let mut held = Held::default();
            let versions = versions.iter().cycle();
            let mut added = versions.map(|(known, valid)| held.add_values(each, hour(*known), Some(hour(*valid))));
            let too_much = added.find_map(Result::err).unwrap();
            (too_much.is_of_known_times, too_much.is_of_valid_times)
        };
        assert_eq!(told(1, &[(1, 1)]), (false, false));
        assert_eq!(told(1, &[(1, 1), (1, 2)]), (false, true));
        assert_eq!(told(Limits::DEFAULT.read_values, &[(1, 1)]), (false, true));
        assert_eq!(told(1, &[(1, 1), (2, 1)]), (true, false));
        assert_eq!(told(1, &[(2, 1), (1, 3)]), (true, true));
    }
}
