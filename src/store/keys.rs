//! The current versions of single values, wherever they are stored: what an update changes.

use super::spans;
use super::version::{Columns, Row, version, version_columns};
use crate::error::{Error, Result};
use crate::pg::cancel::answer_cancel;
use crate::pg::statement::{sql, statements};
use crate::pg::timestamp::Timestamptz;
use crate::pg::tuple::Then;
use crate::pg::varlena::PackBytes;
use std::collections::BTreeMap;
use std::rc::Rc;
use timedb_core::pack::Pack;
use timedb_core::points::{Corrupt, Key, Point, Points};
use timedb_core::time::Time;
use timedb_core::version::{Remark, Remarks, Version};
use uuid::Uuid;

statements! {
    /// By the class of how long they reach, as a read does.
    STORED_ROWS(Uuid, &[Uuid], &[Uuid], &[i16], &[Timestamptz], &[Time], &[Time]) -> Then<(Uuid,), Columns<'static>> =
        sql!("SELECT w.series_id, ", version_columns!(), "
          FROM (SELECT unnest($2) AS run_id, unnest($3) AS series_id, unnest($4) AS span, unnest($5) AS earliest,
                       unnest($6) AS first_valid, unnest($7) AS last_valid) AS w
          CROSS JOIN LATERAL (
            SELECT ", version_columns!(), "
            FROM timedb.values v
            WHERE v.tenant_id = $1 AND v.series_id = w.series_id AND v.span = w.span AND v.valid_from >= w.earliest
              AND v.valid_from <= w.last_valid AND v.run_id = w.run_id AND v.valid_to >= w.first_valid
            OFFSET 0) AS v");
    STORED_PACKS(Uuid, &[Uuid], &[i16], &[Timestamptz], &[Time], &[Time]) -> (Uuid, PackBytes) =
        c"SELECT w.series_id, p.versions
          FROM (SELECT unnest($2) AS series_id, unnest($3) AS span, unnest($4) AS earliest,
                       unnest($5) AS first_valid, unnest($6) AS last_valid) AS w
          CROSS JOIN LATERAL (
            SELECT p.versions
            FROM timedb.packs p
            WHERE p.tenant_id = $1 AND p.series_id = w.series_id AND p.span = w.span AND p.valid_from >= w.earliest
              AND p.valid_from <= w.last_valid AND p.valid_to >= w.first_valid
            OFFSET 0) AS p";
}

/// A run and a series.
pub type Target = (Uuid, Uuid);

/// What a value is now, and when it was written.
pub struct Current {
    pub change: Time,
    pub value: Option<f64>,
    pub remark: Rc<Remark>,
}

/// Keys of values to look for, sorted within each target, each with its place in the order in which they were asked for.
pub struct Wanted {
    keys: BTreeMap<Target, Vec<(Key, usize)>>,
    count: usize,
}

impl Wanted {
    pub fn of(keys: impl Iterator<Item = (Target, Key)>) -> Wanted {
        let mut wanted = Wanted {
            keys: BTreeMap::new(),
            count: 0,
        };
        for (target, key) in keys {
            let of_target = wanted.keys.entry(target).or_default();
            of_target.push((key, wanted.count));
            wanted.count += 1;
        }
        for of_target in wanted.keys.values_mut() {
            of_target.sort_unstable();
        }
        wanted
    }

    /// The current version of each value, in the order in which they were asked for; none of those that are not there.
    pub fn current(&self, tenant: Uuid) -> Result<Vec<Option<Current>>> {
        let mut found = Found {
            wanted: self,
            current: (0..self.count).map(|_| None).collect(),
            remarks: Remarks::default(),
        };
        // Rows first: of what compact moves in between, the packs then have it, too.
        let of_targets = Scans::of_targets(self);
        STORED_ROWS.stream_fresh(of_targets.rows(tenant), |Then((series,), row)| {
            found.add_row(series, row)
        })?;
        let of_series = Scans::of_series(self);
        STORED_PACKS.stream_fresh(of_series.packs(tenant), |(series, pack)| found.add_pack(series, &pack))?;
        Ok(found.current)
    }
}

struct Found<'w> {
    wanted: &'w Wanted,
    current: Vec<Option<Current>>,
    remarks: Remarks,
}

impl Found<'_> {
    fn add_row(&mut self, series: Uuid, row: Row<'_>) -> Result<()> {
        answer_cancel();
        let (version, points) = version(row, &mut self.remarks);
        let opened = Points::read(&points).and_then(|points| points.open());
        let opened = opened.map_err(Error::PointsStored)?;
        self.keep_latest(series, &version, opened.iter());
        Ok(())
    }

    /// A pack holds versions of many runs; its values are decoded once one of them is wanted.
    fn add_pack(&mut self, series: Uuid, bytes: &[u8]) -> Result<()> {
        answer_cancel();
        self.open_pack(series, bytes).map_err(Error::PackStored)
    }

    fn open_pack(&mut self, series: Uuid, bytes: &[u8]) -> Result<(), Corrupt> {
        let pack = Pack::read(bytes)?;
        let mut values = Vec::new();
        for (number, of) in pack.versions().iter().enumerate() {
            if !self.wanted.keys.contains_key(&(of.version.run, series)) {
                continue;
            }
            if values.is_empty() {
                pack.decode_values(&mut values)?;
            }
            let points = pack.open(number, &values);
            self.keep_latest(series, &of.version, points.iter());
        }
        Ok(())
    }

    fn keep_latest(&mut self, series: Uuid, version: &Version, points: impl Iterator<Item = Point>) {
        let Some(keys) = self.wanted.keys.get(&(version.run, series)) else {
            return;
        };
        for point in points {
            let Ok(found) = keys.binary_search_by_key(&point.key(), |(key, _)| *key) else {
                continue;
            };
            let latest = &mut self.current[keys[found].1];
            if latest.as_ref().is_none_or(|latest| latest.change < version.change) {
                *latest = Some(Current {
                    change: version.change,
                    value: point.value,
                    remark: version.remark.clone(),
                });
            }
        }
    }
}

/// Index scans, a column for each of their bounds: one for each class of spans of what is wanted.
#[derive(Default)]
struct Scans {
    runs: Vec<Uuid>,
    series: Vec<Uuid>,
    spans: Vec<i16>,
    earliest: Vec<Timestamptz>,
    first_valid: Vec<Time>,
    last_valid: Vec<Time>,
}

type OfRows<'a> = (
    Uuid,
    &'a [Uuid],
    &'a [Uuid],
    &'a [i16],
    &'a [Timestamptz],
    &'a [Time],
    &'a [Time],
);

type OfPacks<'a> = (Uuid, &'a [Uuid], &'a [i16], &'a [Timestamptz], &'a [Time], &'a [Time]);

impl Scans {
    fn of_targets(wanted: &Wanted) -> Scans {
        let mut scans = Scans::default();
        for ((run, series), keys) in &wanted.keys {
            if let [((first, _), _), ..] = keys[..]
                && let [.., ((last, _), _)] = keys[..]
            {
                scans.add(*run, *series, first, last);
            }
        }
        scans
    }

    /// Of each series once, because a pack holds many runs.
    fn of_series(wanted: &Wanted) -> Scans {
        let mut windows: BTreeMap<Uuid, (Time, Time)> = BTreeMap::new();
        for ((_, series), keys) in &wanted.keys {
            for ((start, _), _) in keys {
                let (first, last) = windows.entry(*series).or_insert((*start, *start));
                (*first, *last) = ((*first).min(*start), (*last).max(*start));
            }
        }
        let mut scans = Scans::default();
        for (series, (first, last)) in windows {
            scans.add(Uuid::nil(), series, first, last);
        }
        scans
    }

    fn add(&mut self, run: Uuid, series: Uuid, first: Time, last: Time) {
        for (class, earliest) in spans::scans(Some(first)) {
            self.runs.push(run);
            self.series.push(series);
            self.spans.push(class);
            self.earliest.push(earliest);
            self.first_valid.push(first);
            self.last_valid.push(last);
        }
    }

    fn rows(&self, tenant: Uuid) -> OfRows<'_> {
        let (tenant, series, spans, earliest, first_valid, last_valid) = self.packs(tenant);
        (tenant, &self.runs, series, spans, earliest, first_valid, last_valid)
    }

    fn packs(&self, tenant: Uuid) -> OfPacks<'_> {
        (
            tenant,
            &self.series,
            &self.spans,
            &self.earliest,
            &self.first_valid,
            &self.last_valid,
        )
    }
}
