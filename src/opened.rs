//! The versions of one series, wherever they are stored, ready to be merged; and their values, which are decoded only
//! once something of a version is shown.

use crate::cell;
use crate::error::{Error, Result};
use crate::fetch::{StoredRow, TextNumber, Texts, Windows};
use timedb_core::merge::{self, Mode, Pick};
use timedb_core::pack::{Pack, PackedVersion};
use timedb_core::points::{Corrupt, Points, Shape, Values};
use timedb_core::time::Time;
use uuid::Uuid;

/// The versions of a series are merged in memory; beyond this, one client could take all of it.
const MOST_POINTS_OF_A_SERIES: usize = 20_000_000;

/// A version, and what is stored beside its points.
pub struct Version<'a> {
    pub run: Uuid,
    pub known: Time,
    pub change: Time,
    pub changed_by: TextNumber,
    pub annotation: Option<TextNumber>,
    pub tags: Option<TextNumber>,
    shape: Shape<'a>,
    source: Source<'a>,
}

/// Where a version's values are.
enum Source<'a> {
    Row(Values<'a>),
    /// Number of the pack, and the place of the first value among those of the pack.
    Pack(usize, usize),
}

pub struct Opened<'a> {
    versions: Vec<Version<'a>>,
    packs: &'a [Pack<'a>],
    /// Values that have been decoded, one for each point, those of nulls without a meaning.
    dense: Vec<f64>,
    /// Where those of each version start, once they have been decoded.
    starts: Vec<Option<usize>>,
}

/// Reads the packs of a series: they must outlive what is opened of them.
pub fn packs(stored: &[Vec<u8>]) -> Result<Vec<Pack<'_>>> {
    let packs: Result<Vec<Pack>, Corrupt> = stored.iter().map(|bytes| Pack::read(bytes)).collect();
    Ok(packs.map_err(Error::PointsStored)?)
}

impl<'a> Opened<'a> {
    /// Of rows all, as the statement that fetched them has looked at their times; of packs, what is in the windows.
    pub fn of(
        rows: &'a [StoredRow],
        points: &'a [u8],
        packs: &'a [Pack<'a>],
        windows: &Windows,
        texts: &mut Texts,
    ) -> Result<Opened<'a>> {
        let mut versions = Vec::with_capacity(rows.len());
        for row in rows {
            versions.push(Version::of_row(row, points)?);
        }
        for (number, pack) in packs.iter().enumerate() {
            for packed in pack
                .versions()
                .iter()
                .filter(|packed| is_within(packed, windows))
            {
                versions.push(Version::of_pack(number, packed, texts)?);
            }
        }
        let total: usize = versions.iter().map(|version| version.shape.len()).sum();
        if total > MOST_POINTS_OF_A_SERIES {
            return Err(Error::WindowTooWide(MOST_POINTS_OF_A_SERIES).into());
        }
        Ok(Opened {
            starts: vec![None; versions.len()],
            dense: Vec::new(),
            packs,
            versions,
        })
    }

    pub fn merge(&self, mode: Mode, all_versions: bool, window: merge::Window) -> Vec<Pick> {
        let keys = |version: &Version<'a>| merge::Version {
            known: version.known,
            change: version.change,
            run: version.run,
            shape: version.shape,
        };
        let versions: Vec<merge::Version> = self.versions.iter().map(keys).collect();
        merge::merge(&versions, mode, all_versions, window)
    }

    pub fn version(&self, number: u32) -> &Version<'a> {
        &self.versions[number as usize]
    }

    pub fn versions(&self) -> &[Version<'a>] {
        &self.versions
    }

    pub fn value(&mut self, pick: &Pick) -> Result<Option<f64>, Error> {
        let version = pick.version as usize;
        let index = pick.index as usize;
        if self.starts[version].is_none() {
            self.decode(version).map_err(Error::PointsStored)?;
        }
        let start = self.starts[version]
            .ok_or_else(|| Error::Broken("values that were not decoded".into()))?;
        let is_null = self.versions[version].shape.is_null(index);
        Ok((!is_null).then(|| self.dense[start + index]))
    }

    /// Decodes the values of a version, and with it those of all others in its pack.
    fn decode(&mut self, version: usize) -> Result<(), Corrupt> {
        let start = self.dense.len();
        match &self.versions[version].source {
            Source::Row(values) if !self.versions[version].shape.has_nulls() => {
                values.decode_into(&mut self.dense)?;
            }
            Source::Row(values) => {
                let mut present = Vec::new();
                values.decode_into(&mut present)?;
                self.versions[version]
                    .shape
                    .spread_into(&present, &mut self.dense);
            }
            Source::Pack(pack, _) => return self.decode_pack(*pack),
        }
        self.starts[version] = Some(start);
        Ok(())
    }

    fn decode_pack(&mut self, pack: usize) -> Result<(), Corrupt> {
        let mut present = Vec::new();
        self.packs[pack].decode_values(&mut present)?;
        for (version, start) in self.versions.iter().zip(&mut self.starts) {
            if let Source::Pack(of, first) = version.source
                && of == pack
            {
                *start = Some(self.dense.len());
                let own = &present[first..first + version.shape.present()];
                version.shape.spread_into(own, &mut self.dense);
            }
        }
        Ok(())
    }
}

fn is_within(packed: &PackedVersion, windows: &Windows) -> bool {
    let known = &windows.known;
    known.start.is_none_or(|start| start <= packed.known)
        && known.end.is_none_or(|end| packed.known < end)
        && windows
            .as_of
            .is_none_or(|as_of| packed.known <= as_of && packed.change <= as_of)
}

impl<'a> Version<'a> {
    fn of_row(row: &StoredRow, points: &'a [u8]) -> Result<Version<'a>, Error> {
        let points = Points::read(&points[row.points.clone()]).map_err(Error::PointsStored)?;
        Ok(Version {
            run: row.run,
            known: row.known,
            change: row.change,
            changed_by: row.changed_by,
            annotation: row.annotation,
            tags: row.tags,
            shape: points.shape(),
            source: Source::Row(points.values()),
        })
    }

    fn of_pack(
        pack: usize,
        packed: &PackedVersion<'a>,
        texts: &mut Texts,
    ) -> Result<Version<'a>, Error> {
        let changed_by = texts.number_of_text(packed.changed_by);
        Ok(Version {
            run: packed.run,
            known: packed.known,
            change: packed.change,
            changed_by: changed_by.ok_or_else(|| Error::Broken("a version by nobody".into()))?,
            annotation: packed
                .annotation
                .and_then(|text| texts.number_of_text(text)),
            tags: packed.tags.and_then(|tags| {
                let tags: Vec<&str> = tags.iter().collect();
                texts.number_of(cell::texts(&tags))
            }),
            shape: packed.shape,
            source: Source::Pack(pack, packed.values.start),
        })
    }
}
