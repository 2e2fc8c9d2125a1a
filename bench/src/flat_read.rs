//! The question that most workloads ask of every peer: of one series, per valid time the value
//! known latest. And its answer, in a form in which all peers' can be compared bit for bit.

use anyhow::{Result, bail};
use jiff::Timestamp;
use postgres::Row;
use postgres::types::ToSql;

#[derive(Clone, Copy, Debug)]
pub struct FlatRead {
    pub series: usize,
    pub valid: Option<(Timestamp, Timestamp)>,
    pub known_before: Option<Timestamp>,
}

impl FlatRead {
    pub fn whole(series: usize) -> Self {
        Self {
            series,
            valid: None,
            known_before: None,
        }
    }

    pub fn within(self, start: Timestamp, end: Timestamp) -> Self {
        Self {
            valid: Some((start, end)),
            ..self
        }
    }

    pub fn known_before(self, moment: Timestamp) -> Self {
        Self {
            known_before: Some(moment),
            ..self
        }
    }

    /// The windows as further conditions, numbered from `$first` on, and their parameters.
    pub fn conditions(&self, valid_time: &str, known_time: &str, first: usize) -> (String, Vec<&(dyn ToSql + Sync)>) {
        let mut sql = String::new();
        let mut params: Vec<&(dyn ToSql + Sync)> = Vec::new();
        if let Some((start, end)) = &self.valid {
            let (from, to) = (first, first + 1);
            sql += &format!(" AND {valid_time} >= ${from} AND {valid_time} < ${to}");
            params.extend([start as &(dyn ToSql + Sync), end]);
        }
        if let Some(moment) = &self.known_before {
            sql += &format!(" AND {known_time} < ${}", first + params.len());
            params.push(moment);
        }
        (sql, params)
    }
}

/// (valid time in microseconds, bits of the value), in the order of valid time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer(Vec<(i64, u64)>);

impl Answer {
    pub fn of(pairs: impl IntoIterator<Item = (i64, f64)>) -> Self {
        let mut answer: Vec<(i64, u64)> = pairs.into_iter().map(|(time, value)| (time, value.to_bits())).collect();
        answer.sort_unstable();
        Self(answer)
    }

    /// Of rows of (valid_time, value).
    pub fn of_rows(rows: &[Row]) -> Result<Self> {
        let mut pairs = Vec::with_capacity(rows.len());
        for row in rows {
            let valid_time: Timestamp = row.try_get(0)?;
            pairs.push((valid_time.as_microsecond(), row.try_get(1)?));
        }
        Ok(Self::of(pairs))
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Fails unless a peer's answer is this one.
    pub fn must_be_that_of(&self, peer: &str, other: &Self) -> Result<()> {
        if self == other {
            return Ok(());
        }
        let differing = self.0.iter().zip(&other.0).position(|(ours, theirs)| ours != theirs);
        bail!(
            "timedb answers {} values and {peer} {}; the first that differs is number {:?}",
            self.len(),
            other.len(),
            differing
        )
    }
}

#[cfg(test)]
mod tests {
    use super::{Answer, FlatRead};
    use crate::data::hour;

    #[test]
    fn conditions_are_numbered_on() {
        let read = FlatRead::whole(1).within(hour(1), hour(2)).known_before(hour(3));
        let (sql, params) = read.conditions("v", "k", 2);
        assert_eq!(sql, " AND v >= $2 AND v < $3 AND k < $4");
        assert_eq!(params.len(), 3);
    }

    #[test]
    fn answers_that_differ_in_one_bit_are_not_the_same() {
        let answer = Answer::of([(1, 0.5), (2, 0.0)]);
        assert!(
            answer
                .must_be_that_of("lean", &Answer::of([(2, 0.0), (1, 0.5)]))
                .is_ok()
        );
        assert!(
            answer
                .must_be_that_of("lean", &Answer::of([(1, 0.5), (2, -0.0)]))
                .is_err()
        );
        assert!(answer.must_be_that_of("lean", &Answer::of([(1, 0.5)])).is_err());
    }
}
