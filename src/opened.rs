//! The versions of one series, wherever they are stored, ready to be merged; and their values, which are decoded only
//! once something of a version is shown.

use crate::cancel::answer_cancel;
use crate::cell;
use crate::error::{Error, Result};
use crate::fetch::{Remark, StoredRow, Texts, Windows};
use std::ops::Range;
use timedb_core::merge::{Mode, Pick, Version, Window, merge};
use timedb_core::pack::{Pack, PackedVersion};
use timedb_core::points::{Corrupt, Points, Values};

/// The versions of a series are merged in memory; beyond this, one client could take all of it.
const MOST_POINTS_OF_A_SERIES: usize = 20_000_000;

pub struct Opened<'a> {
    versions: Vec<Version<'a>>,
    /// What is stored beside the points of each of them.
    remarks: Vec<Remark>,
    sources: Vec<Source<'a>>,
    packs: &'a [Pack<'a>],
    /// Which of the versions are of each pack.
    of_packs: Vec<Range<usize>>,
    /// Values that have been decoded, one for each point, those of nulls without a meaning.
    dense: Vec<f64>,
    /// Where those of each version start, once they have been decoded.
    starts: Vec<Option<usize>>,
}

/// Where a version's values are.
enum Source<'a> {
    Row(Values<'a>),
    /// In a pack, from this place among its values on.
    Pack {
        number: usize,
        first: usize,
    },
}

/// Reads the packs of a series: they must outlive what is opened of them.
pub fn packs(stored: &[Vec<u8>]) -> Result<Vec<Pack<'_>>> {
    let packs: Result<Vec<Pack>, Corrupt> = stored.iter().map(|bytes| Pack::read(bytes)).collect();
    Ok(packs.map_err(Error::PackStored)?)
}

impl<'a> Opened<'a> {
    /// Of rows all, as the statement that fetched them has looked at their times; of packs, what is in the windows.
    pub fn of(
        rows: &[StoredRow],
        points: &'a [u8],
        packs: &'a [Pack<'a>],
        windows: &Windows,
        texts: &mut Texts,
    ) -> Result<Opened<'a>> {
        let most = rows.len()
            + packs
                .iter()
                .map(|pack| pack.versions().len())
                .sum::<usize>();
        let mut opened = Opened {
            versions: Vec::with_capacity(most),
            remarks: Vec::with_capacity(most),
            sources: Vec::with_capacity(most),
            packs,
            of_packs: Vec::with_capacity(packs.len()),
            dense: Vec::new(),
            starts: Vec::new(),
        };
        for row in rows {
            opened.add_row(row, points)?;
        }
        for (number, pack) in packs.iter().enumerate() {
            answer_cancel();
            let from = opened.versions.len();
            for version in pack.versions() {
                if is_within(version, windows) {
                    opened.add_packed(number, version, texts)?;
                }
            }
            opened.of_packs.push(from..opened.versions.len());
        }
        opened.starts = vec![None; opened.versions.len()];
        opened.check_size()?;
        Ok(opened)
    }

    fn add_row(&mut self, row: &StoredRow, points: &'a [u8]) -> Result<(), Error> {
        let points = Points::read(&points[row.points.clone()]).map_err(Error::PointsStored)?;
        self.versions.push(Version {
            known: row.known,
            change: row.change,
            run: row.run,
            shape: points.shape(),
        });
        self.remarks.push(row.remark);
        self.sources.push(Source::Row(points.values()));
        Ok(())
    }

    fn add_packed(
        &mut self,
        number: usize,
        packed: &PackedVersion<'a>,
        texts: &mut Texts,
    ) -> Result<(), Error> {
        let changed_by = texts.number_of_text(packed.changed_by);
        self.versions.push(Version {
            known: packed.known,
            change: packed.change,
            run: packed.run,
            shape: packed.shape,
        });
        self.remarks.push(Remark {
            changed_by: changed_by.ok_or_else(|| Error::Broken("a version by nobody".into()))?,
            annotation: packed
                .annotation
                .and_then(|text| texts.number_of_text(text)),
            tags: packed.tags.and_then(|tags| {
                let tags: Vec<&str> = tags.iter().collect();
                texts.number_of(cell::texts(&tags))
            }),
        });
        let first = packed.values.start;
        self.sources.push(Source::Pack { number, first });
        Ok(())
    }

    fn check_size(&self) -> Result<(), Error> {
        let points: usize = self
            .versions
            .iter()
            .map(|version| version.shape.len())
            .sum();
        if points > MOST_POINTS_OF_A_SERIES {
            return Err(Error::WindowTooWide(MOST_POINTS_OF_A_SERIES));
        }
        Ok(())
    }

    pub fn merge(&self, mode: Mode, all_versions: bool, window: Window) -> Vec<Pick> {
        merge(&self.versions, mode, all_versions, window)
    }

    pub fn versions(&self) -> &[Version<'a>] {
        &self.versions
    }

    pub fn version(&self, pick: &Pick) -> &Version<'a> {
        &self.versions[pick.version as usize]
    }

    pub fn remark(&self, pick: &Pick) -> Remark {
        self.remarks[pick.version as usize]
    }

    pub fn value(&mut self, pick: &Pick) -> Result<Option<f64>, Error> {
        let version = pick.version as usize;
        let index = pick.index as usize;
        if self.starts[version].is_none() {
            self.decode(version)?;
        }
        let start = self.starts[version]
            .ok_or_else(|| Error::Broken("values that were not decoded".into()))?;
        let is_null = self.versions[version].shape.is_null(index);
        Ok((!is_null).then(|| self.dense[start + index]))
    }

    /// Decodes the values of a version, and with it those of all others in its pack.
    fn decode(&mut self, version: usize) -> Result<(), Error> {
        let shape = self.versions[version].shape;
        let start = self.dense.len();
        match self.sources[version] {
            Source::Row(values) if !shape.has_nulls() => values.decode_into(&mut self.dense),
            Source::Row(values) => {
                let mut present = Vec::new();
                let decoded = values.decode_into(&mut present);
                decoded.map(|()| shape.spread_into(&present, &mut self.dense))
            }
            Source::Pack { number, .. } => return self.decode_pack(number),
        }
        .map_err(Error::PointsStored)?;
        self.starts[version] = Some(start);
        Ok(())
    }

    fn decode_pack(&mut self, number: usize) -> Result<(), Error> {
        let mut present = Vec::new();
        let decoded = self.packs[number].decode_values(&mut present);
        decoded.map_err(Error::PackStored)?;
        for version in self.of_packs[number].clone() {
            if let Source::Pack { first, .. } = self.sources[version] {
                let shape = self.versions[version].shape;
                self.starts[version] = Some(self.dense.len());
                shape.spread_into(&present[first..first + shape.present()], &mut self.dense);
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
