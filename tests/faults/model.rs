//! Versions, and what a read shows of some, as plainly as the README says it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{Timestamp, ToSpan};
use postgres::{Client, Error, Row};
use uuid::Uuid;

/// Which value: a series, its valid time, and perhaps its end.
pub type Place = (String, Timestamp, Option<Timestamp>);

/// What a version says; values by their bits.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fields {
    pub value: Option<u64>,
    pub annotation: Option<String>,
    pub tags: Option<Vec<String>>,
}

/// What begins before this is kept no longer, where a tenant has said so.
pub fn is_old((_, start, _): &Place) -> bool {
    *start < hour(-1_000)
}

/// Has an admin say so; the cutoff goes on with the clock.
#[track_caller]
pub fn keep_what_is_not_old(admin: &mut Client) {
    let sql = "SELECT timedb.set_retention(clock_timestamp() - $1::timestamptz)";
    admin.execute(sql, &[&hour(-1_000)]).expect("it is set");
}

/// Since when a run was withdrawn, and until when.
#[derive(Clone, Copy, Debug)]
pub struct Withdrawal {
    pub run: Uuid,
    pub from: Timestamp,
    pub until: Option<Timestamp>,
}

impl Withdrawal {
    /// All that a client may see.
    pub fn all(client: &mut Client) -> Result<Vec<Withdrawal>, Error> {
        let rows = client.query("SELECT run_id, withdrawn_at, restored_at FROM timedb.withdrawals", &[])?;
        let withdrawal = |row: &Row| Withdrawal {
            run: row.get(0),
            from: row.get(1),
            until: row.get(2),
        };
        Ok(rows.iter().map(withdrawal).collect())
    }

    /// Whether it was in effect at a moment, or is.
    pub fn lasts(&self, as_of: Option<Timestamp>) -> bool {
        match as_of {
            None => self.until.is_none(),
            Some(at) => self.from <= at && self.until.is_none_or(|until| at < until),
        }
    }
}

/// In the order of a read, where no two series have one key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    pub place: Place,
    pub known: Timestamp,
    pub change: Timestamp,
    pub run: Uuid,
    pub fields: Fields,
}

impl Version {
    /// From the columns that [`COLUMNS`] names.
    pub fn of(row: &Row) -> Version {
        let value: Option<f64> = row.get(6);
        Version {
            place: (row.get(0), row.get(1), row.get(2)),
            known: row.get(3),
            change: row.get(4),
            run: row.get(5),
            fields: Fields {
                value: value.map(f64::to_bits),
                annotation: row.get(7),
                tags: row.get(8),
            },
        }
    }
}

pub const COLUMNS: &str =
    "series_key, valid_time, valid_time_end, known_time, change_time, run_id, value, annotation, tags";

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mode {
    Flat,
    Overlapping,
}

#[derive(Clone, Copy, Debug)]
pub struct Question {
    pub mode: Mode,
    pub all_versions: bool,
    pub as_of: Option<Timestamp>,
}

impl Question {
    pub const EVERYTHING: Question = Question {
        mode: Mode::Overlapping,
        all_versions: true,
        as_of: None,
    };

    pub fn flat() -> Question {
        Question {
            mode: Mode::Flat,
            all_versions: false,
            as_of: None,
        }
    }

    /// What the server answers, of these series or of all.
    pub fn ask(&self, client: &mut Client, series: Option<&[String]>) -> Result<Vec<Version>, Error> {
        let sql = format!(
            "SELECT {COLUMNS} FROM timedb.read(mode => $1, all_versions => $2, as_of => $3, series_keys => $4)"
        );
        let mode = match self.mode {
            Mode::Flat => "flat",
            Mode::Overlapping => "overlapping",
        };
        let rows = client.query(&sql, &[&mode, &self.all_versions, &self.as_of, &series])?;
        Ok(rows.iter().map(Version::of).collect())
    }

    /// What it has to answer where these are all versions there are, and some runs were withdrawn.
    pub fn answer_without<'a>(
        &self,
        versions: impl Iterator<Item = &'a Version>,
        withdrawals: &[Withdrawal],
    ) -> Vec<&'a Version> {
        let lasting = withdrawals.iter().filter(|withdrawal| withdrawal.lasts(self.as_of));
        let hidden: BTreeSet<Uuid> = lasting.map(|withdrawal| withdrawal.run).collect();
        self.answer(versions.filter(|version| !hidden.contains(&version.run)))
    }

    /// What it has to answer where these are all versions there are.
    pub fn answer<'a>(&self, versions: impl Iterator<Item = &'a Version>) -> Vec<&'a Version> {
        let is_held = |version: &&Version| self.as_of.is_none_or(|at| version.change <= at && version.known <= at);
        let mut runs: BTreeMap<&Place, BTreeMap<(Timestamp, Uuid), Vec<&Version>>> = BTreeMap::new();
        for version in versions.filter(is_held) {
            let of_place = runs.entry(&version.place).or_default();
            of_place.entry((version.known, version.run)).or_default().push(version);
        }
        let mut answer = Vec::new();
        for of_place in runs.into_values() {
            let skipped = match self.mode {
                Mode::Flat => of_place.len() - 1,
                Mode::Overlapping => 0,
            };
            for mut of_run in of_place.into_values().skip(skipped) {
                of_run.sort_by_key(|version| version.change);
                let earlier = if self.all_versions { 0 } else { of_run.len() - 1 };
                answer.extend_from_slice(&of_run[earlier..]);
            }
        }
        answer.sort();
        answer
    }
}

/// Midnight of 2025-01-01 and so many hours.
pub fn hour(hours: i64) -> Timestamp {
    let midnight: Timestamp = "2025-01-01T00:00:00Z".parse().expect("a timestamp");
    midnight + hours.hours()
}
