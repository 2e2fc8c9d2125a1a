//! Taking out what goes: rows and packs that lose everything are deleted, those that lose a part are deleted and written
//! again without it.

use super::found::{Looked, Of, Place, Row, StoredPack, said};
use crate::error::{Error, Result};
use crate::store::take::{KeysOfRows, take_packs, take_rows};
use crate::store::write::{NewPacks, NewRows};
use std::collections::BTreeMap;
use timedb_core::pack::Pack;
use timedb_core::points::{Opened, Point, Points, pack};
use timedb_core::retain::Going;
use timedb_core::time::Time;
use timedb_core::version::Version;
use uuid::Uuid;

/// What of rows and packs goes, in the order of the versions that were looked at.
pub fn take_out(of: Of, rows: &[Row], stored: &[StoredPack], looked: &Looked, going: &[Going]) -> Result<()> {
    take_out_of_rows(of, rows, looked, going)?;
    for (number, stored) in stored.iter().enumerate() {
        let of_pack: Vec<&Going> = looked
            .places
            .iter()
            .zip(going)
            .filter(|(place, _)| matches!(place, Place::Pack(of, _) if *of == number))
            .map(|(_, going)| going)
            .collect();
        if of_pack.iter().any(|going| **going != Going::Nothing) {
            take_out_of_pack(of, stored, &looked.packs[number], &of_pack)?;
        }
    }
    Ok(())
}

/// What is said of each may be tens of kilobytes.
const WRITTEN_AT_ONCE: usize = 500;

/// A column each: of the rows of one class.
#[derive(Default)]
struct Taken {
    runs: Vec<Uuid>,
    changes: Vec<Time>,
    parts: Vec<i16>,
    valid_from: Vec<Time>,
}

pub fn take_out_of_rows(of: Of, rows: &[Row], looked: &Looked, going: &[Going]) -> Result<()> {
    let mut taken: BTreeMap<i16, Taken> = BTreeMap::new();
    // Those that are written again without what goes.
    let mut left: BTreeMap<i16, Vec<(&Row, &Going)>> = BTreeMap::new();
    for (place, going) in looked.places.iter().zip(going) {
        let Place::Row(number) = *place else { continue };
        let row = &rows[number];
        match going {
            Going::Nothing => {}
            Going::Everything => taken.entry(row.span).or_default().add(row),
            Going::Some(_) => left.entry(row.span).or_default().push((row, going)),
        }
    }
    for (span, taken) in taken {
        taken.take(of, span)?;
    }
    for (span, left) in left {
        for some in left.chunks(WRITTEN_AT_ONCE) {
            write_left(of, span, some)?;
        }
    }
    Ok(())
}

impl Taken {
    fn add(&mut self, row: &Row) {
        self.runs.push(row.version.run);
        self.changes.push(row.version.change);
        self.parts.push(row.part);
        self.valid_from.push(row.valid_from);
    }

    fn take(&self, of: Of, span: i16) -> Result<()> {
        let keys = KeysOfRows {
            runs: &self.runs,
            changes: &self.changes,
            parts: &self.parts,
            valid_from: &self.valid_from,
        };
        check(take_rows(of.tenant, of.series, span, keys)?, self.runs.len())
    }
}

/// Takes out rows of one class, and writes what is left of them, with what is said of it.
fn write_left(of: Of, span: i16, rows: &[(&Row, &Going)]) -> Result<()> {
    let mut taken = Taken::default();
    let mut left = NewRows::default();
    let named: Vec<&Row> = rows.iter().map(|(row, _)| *row).collect();
    for ((row, going), remark) in rows.iter().zip(said(of, span, &named)?) {
        taken.add(row);
        let opened = Points::read(&row.points).and_then(|points| points.open());
        let points = left_of(&opened.map_err(Error::PointsStored)?, going);
        let version = Version {
            remark,
            ..row.version.clone()
        };
        left.add(&version, of.series, indexed(row.part), &points)?;
    }
    taken.take(of, span)?;
    left.insert_in_place_of_others(of.tenant)
}

/// The list of a run names its rows by where they begin: what is left of one is found by the index of changes instead, which has
/// the parts that are not negative.
fn indexed(part: i16) -> i16 {
    if part < 0 { -1 - part } else { part }
}

fn left_of(opened: &Opened, going: &Going) -> Vec<Point> {
    let points = opened.iter().enumerate();
    points
        .filter(|(index, _)| !going.goes(*index))
        .map(|(_, point)| point)
        .collect()
}

pub fn take_out_of_pack(of: Of, stored: &StoredPack, pack_of: &Pack, going: &[&Going]) -> Result<()> {
    check(take_packs(of.tenant, of.series, &[stored.id])?, 1)?;
    if going.iter().all(|going| **going == Going::Everything) {
        return Ok(());
    }
    let mut values = Vec::new();
    pack_of.decode_values(&mut values).map_err(Error::PackStored)?;
    let mut left: Vec<(Version, Vec<u8>)> = Vec::new();
    for (version, going) in going.iter().enumerate() {
        let bytes = match going {
            Going::Everything => continue,
            Going::Nothing => pack_of.points(version, &values),
            Going::Some(_) => {
                let points = left_of(&pack_of.open(version, &values), going);
                pack(&points).map_err(|error| Error::Broken(format!("points out of order: {error:?}")))?
            }
        };
        left.push((pack_of.versions()[version].version.clone(), bytes));
    }
    let mut versions = Vec::with_capacity(left.len());
    for (version, bytes) in &left {
        versions.push((version.clone(), Points::read(bytes).map_err(Error::PointsStored)?));
    }
    NewPacks::of(versions)?.insert(of.tenant, of.series)?;
    Ok(())
}

/// Where somebody else has deleted of it since it was looked at, nothing may be made of it.
fn check(taken: usize, looked_at: usize) -> Result<()> {
    match taken == looked_at {
        true => Ok(()),
        false => Err(Error::DeletedMeanwhile),
    }
}
