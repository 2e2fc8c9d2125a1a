//! The versions of one series, wherever they are stored, ready to be merged; and their values, which are decoded only
//! once something of a version is shown.

use super::scan::{Stored, Windows};
use crate::error::{Error, Result};
use crate::pg::cancel::answer_cancel;
use std::ops::Range;
use timedb_core::held::Held;
use timedb_core::merge::{Mode, Pick, Window, merge};
use timedb_core::pack::Pack;
use timedb_core::points::{Corrupt, Point, Points, Values};
use timedb_core::version::{Shaped, Version};

pub struct Opened<'a> {
    versions: Vec<Shaped<'a>>,
    sources: Vec<Origin<'a>>,
    packs: &'a [Pack<'a>],
    /// Which of the versions are of each pack.
    of_packs: Vec<Range<usize>>,
    /// Values that have been decoded, one for each point, those of nulls without a meaning.
    dense: Vec<f64>,
    /// Where those of each version start, once they have been decoded.
    starts: Vec<Option<usize>>,
}

/// Where a version's values are.
enum Origin<'a> {
    Row(Values<'a>),
    /// In a pack, as one of its versions.
    Pack {
        number: usize,
        version: usize,
    },
}

impl Stored {
    /// Opens what is stored: of rows all, as the statement that fetched them has looked at their times; of packs, what is in
    /// the windows. `look` gets it, because what is opened borrows the bytes that it was opened from.
    pub fn open<T>(self, windows: &Windows, look: impl FnOnce(Opened) -> Result<T>) -> Result<T> {
        let packs = self.packs.iter().map(|bytes| Pack::read(bytes));
        let packs: Result<Vec<Pack>, Corrupt> = packs.collect();
        let packs = packs.map_err(Error::PackStored)?;
        let mut opened = Opened::with_room(self.rows.len(), &packs);
        for (version, place) in self.rows {
            opened.add_row(version, &self.points[place])?;
        }
        for number in 0..packs.len() {
            answer_cancel();
            opened.add_pack(number, windows);
        }
        opened.starts = vec![None; opened.versions.len()];
        opened.check_size()?;
        look(opened)
    }
}

impl<'a> Opened<'a> {
    fn with_room(rows: usize, packs: &'a [Pack<'a>]) -> Opened<'a> {
        let packed: usize = packs.iter().map(|pack| pack.versions().len()).sum();
        Opened {
            versions: Vec::with_capacity(rows + packed),
            sources: Vec::with_capacity(rows + packed),
            packs,
            of_packs: Vec::with_capacity(packs.len()),
            dense: Vec::new(),
            starts: Vec::new(),
        }
    }

    fn add_row(&mut self, version: Version, points: &'a [u8]) -> Result<()> {
        let points = Points::read(points).map_err(Error::PointsStored)?;
        self.versions.push(Shaped {
            version,
            shape: points.shape(),
        });
        self.sources.push(Origin::Row(points.values()));
        Ok(())
    }

    fn add_pack(&mut self, number: usize, windows: &Windows) {
        let from = self.versions.len();
        for (version, of) in self.packs[number].versions().iter().enumerate() {
            if windows.hold(of) {
                self.versions.push(of.clone());
                self.sources.push(Origin::Pack { number, version });
            }
        }
        self.of_packs.push(from..self.versions.len());
    }

    /// Before anything is merged or decoded: what is in the windows of rows and of all packs, once more together.
    fn check_size(&self) -> Result<()> {
        let mut held = Held::default();
        let mut versions = self.versions.iter();
        versions
            .try_for_each(|of| held.add_version(of))
            .map_err(Error::WindowTooWide)
    }

    fn points(&self) -> usize {
        self.versions.iter().map(|of| of.shape.len()).sum()
    }

    pub fn merge(&self, mode: Mode, all_versions: bool, window: Window) -> Vec<Pick> {
        merge(&self.versions, mode, all_versions, window)
    }

    /// How many versions there are.
    pub fn len(&self) -> usize {
        self.versions.len()
    }

    pub fn version(&self, pick: &Pick) -> &Version {
        &self.versions[pick.version as usize].version
    }

    /// What a pick shows.
    pub fn point(&mut self, pick: &Pick) -> Result<Point> {
        Ok(Point {
            start: pick.start,
            end: pick.end,
            value: self.value(pick)?,
        })
    }

    fn value(&mut self, pick: &Pick) -> Result<Option<f64>> {
        let version = pick.version as usize;
        let index = pick.index as usize;
        if self.starts[version].is_none() {
            self.decode(version)?;
        }
        let start = self.starts[version].ok_or_else(|| Error::Broken("values that were not decoded".into()))?;
        let is_null = self.versions[version].shape.is_null(index);
        Ok((!is_null).then(|| self.dense[start + index]))
    }

    /// Decodes the values of a version, and with it those of all others in its pack.
    fn decode(&mut self, version: usize) -> Result<()> {
        if self.dense.is_empty() {
            // Mostly something of each is shown. A vector that grows by doubling leaves so much behind it that the allocator
            // gives memory back to the system, and every read takes it anew: half of what a read costs.
            let _grows_if_refused = self.dense.try_reserve_exact(self.points());
        }
        let shape = self.versions[version].shape;
        let start = self.dense.len();
        match self.sources[version] {
            Origin::Row(values) if !shape.has_nulls() => values.decode_into(&mut self.dense),
            Origin::Row(values) => {
                let mut present = Vec::new();
                let decoded = values.decode_into(&mut present);
                decoded.map(|()| shape.spread_into(&present, &mut self.dense))
            }
            Origin::Pack { number, .. } => return self.decode_pack(number),
        }
        .map_err(Error::PointsStored)?;
        self.starts[version] = Some(start);
        Ok(())
    }

    fn decode_pack(&mut self, number: usize) -> Result<()> {
        let pack = &self.packs[number];
        let mut present = Vec::new();
        let decoded = pack.decode_values(&mut present);
        decoded.map_err(Error::PackStored)?;
        for place in self.of_packs[number].clone() {
            if let Origin::Pack { version, .. } = self.sources[place] {
                let shape = self.versions[place].shape;
                self.starts[place] = Some(self.dense.len());
                shape.spread_into(&present[pack.values_of(version)], &mut self.dense);
            }
        }
        Ok(())
    }
}
