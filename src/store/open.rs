//! The versions of one series, wherever they are stored, merged; and their values, which are decoded only once something of
//! a version is shown, and of a pack forgotten once nothing more of it will be.

use super::runs::Counting;
use super::scan::{Stored, Windows};
use super::withdrawn::Withdrawn;
use crate::error::{Error, Result};
use crate::identity::limits::limits;
use crate::pg::cancel::answer_cancel;
use self_cell::self_cell;
use std::ops::Range;
use timedb_core::held::Held;
use timedb_core::merge::{Counts, Cutoff, Mode, Pick, Window, merge_counted};
use timedb_core::pack::Pack;
use timedb_core::points::{Corrupt, Point, Points, Values};
use timedb_core::time::Time;
use timedb_core::unit::Conversion;
use timedb_core::version::{Shaped, Version};
use uuid::Uuid;

/// Which of the versions in the windows are to be shown.
pub struct Shown<'a> {
    pub mode: Mode,
    pub all_versions: bool,
    /// Whose versions are left out, as if they were not stored.
    pub withdrawn: Option<&'a mut Withdrawn>,
    /// Of the tenant's versions; without it each counts since it was known.
    pub counting: Option<(Uuid, &'a mut Counting)>,
    /// Until when what is shown of a start counted: see [`Counts`].
    pub cutoff: Option<Cutoff<'a>>,
    /// Of the values, where they are to be shown in another unit than they are stored in.
    pub conversion: Option<Conversion>,
}

/// What is shown of one series, in the order of an answer: as it is stored, and what is looked at of it where it stands.
pub struct Opened(Cell);

self_cell!(
    struct Cell {
        owner: Bytes,
        #[covariant]
        dependent: Versions,
    }
);

/// The points of all rows, one after the other, and the packs.
struct Bytes {
    points: Vec<u8>,
    packs: Vec<Vec<u8>>,
}

struct Versions<'a> {
    versions: Vec<Shaped<'a>>,
    sources: Vec<Origin<'a>>,
    packs: Vec<OpenedPack<'a>>,
    /// Values of rows that have been decoded, one for each point, those of nulls without a meaning.
    dense: Vec<f64>,
    /// Where those of each version start, once they have been decoded: in these, or among those of its pack.
    starts: Vec<Option<usize>>,
    picks: Vec<Pick>,
    /// How many of the picks have been shown.
    shown: usize,
    conversion: Option<Conversion>,
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

struct OpenedPack<'a> {
    pack: Pack<'a>,
    /// Which of the versions are of it.
    versions: Range<usize>,
    /// Its values, once something of it has been shown and until the last of it has.
    dense: Vec<f64>,
    last_pick: usize,
}

impl Stored {
    /// As [`Stored::open_counted`], where all of it counts since it was known; what is withdrawn too, unless that is told.
    pub fn open(
        self,
        windows: &Windows,
        mode: Mode,
        all_versions: bool,
        withdrawn: Option<&mut Withdrawn>,
    ) -> Result<Opened> {
        let shown = Shown {
            mode,
            all_versions,
            withdrawn,
            counting: None,
            cutoff: None,
            conversion: None,
        };
        self.open_counted(windows, shown)
    }

    /// Opens what is stored, and merges it: of rows all, as the statement that fetched them has looked at their times; of
    /// packs, what is in the windows.
    pub fn open_counted(self, windows: &Windows, mut shown: Shown<'_>) -> Result<Opened> {
        let bytes = Bytes {
            points: self.points,
            packs: self.packs,
        };
        let rows = self.rows;
        let cell = Cell::try_new(bytes, |bytes| {
            let mut opened = Versions::of(bytes, rows, windows, shown.withdrawn.take())?;
            opened.merge(windows.valid, shown)?;
            Ok::<_, Error>(opened)
        });
        Ok(Opened(cell?))
    }
}

impl Opened {
    /// What is shown next: the number of its version, and the point.
    #[inline]
    pub fn next(&mut self) -> Result<Option<(usize, Point)>> {
        self.0.with_dependent_mut(|_, versions| versions.next())
    }

    /// What is shown last, and nothing of what comes before it.
    pub fn last(&mut self) -> Result<Option<(usize, Point)>> {
        self.0.with_dependent_mut(|_, versions| {
            versions.shown = versions.picks.len().saturating_sub(1);
            versions.next()
        })
    }

    pub fn version(&self, number: usize) -> &Version {
        &self.0.borrow_dependent().versions[number].version
    }

    /// The version of each point that is to be shown.
    pub fn shown_versions(&self) -> impl Iterator<Item = &Version> {
        let versions = self.0.borrow_dependent();
        let picks = versions.picks.iter();
        picks.map(|pick| &versions.versions[pick.version as usize].version)
    }

    /// The first and the last start of what is to be shown.
    pub fn span(&self) -> Option<(Time, Time)> {
        let picks = &self.0.borrow_dependent().picks;
        Some((picks.first()?.start, picks.last()?.start))
    }

    /// Every version in the windows, whether or not anything of it is to be shown.
    pub fn every_version(&self) -> impl Iterator<Item = &Version> {
        self.0.borrow_dependent().versions.iter().map(|of| &of.version)
    }

    /// How many versions there are.
    pub fn versions(&self) -> usize {
        self.0.borrow_dependent().versions.len()
    }

    /// How many points are still to be shown.
    pub fn left(&self) -> usize {
        let versions = self.0.borrow_dependent();
        versions.picks.len() - versions.shown
    }
}

/// What is withdrawn, once that is known of all runs that have come.
fn known<'w>(
    withdrawn: &'w mut Withdrawn,
    rows: &[(Version, Range<usize>)],
    packs: &[Pack],
    windows: &Windows,
) -> Result<&'w Withdrawn> {
    let of_rows = rows.iter().map(|(version, _)| version.run);
    let packed = packs.iter().flat_map(|pack| pack.versions());
    let of_packs = packed.filter(|of| windows.hold(of)).map(|of| of.version.run);
    withdrawn.look_up(of_rows.chain(of_packs))?;
    Ok(withdrawn)
}

impl<'a> Versions<'a> {
    fn of(
        bytes: &'a Bytes,
        rows: Vec<(Version, Range<usize>)>,
        windows: &Windows,
        withdrawn: Option<&mut Withdrawn>,
    ) -> Result<Versions<'a>> {
        let packs = bytes.packs.iter().map(|bytes| Pack::read(bytes));
        let packs: Result<Vec<Pack>, Corrupt> = packs.collect();
        let packs = packs.map_err(Error::PackStored)?;
        let withdrawn = withdrawn.filter(|withdrawn| !withdrawn.is_none());
        let withdrawn = withdrawn.map(|withdrawn| known(withdrawn, &rows, &packs, windows));
        let withdrawn = withdrawn.transpose()?;
        let is_left = |run: &Uuid| withdrawn.is_none_or(|withdrawn| !withdrawn.holds(run));
        let mut opened = Versions::with_room(rows.len(), &packs);
        for (version, place) in rows {
            if is_left(&version.run) {
                opened.add_row(version, &bytes.points[place])?;
            }
        }
        for pack in packs {
            answer_cancel();
            opened.add_pack(pack, |of| windows.hold(of) && is_left(&of.version.run));
        }
        opened.starts = vec![None; opened.versions.len()];
        opened.check_size()?;
        Ok(opened)
    }

    fn with_room(rows: usize, packs: &[Pack]) -> Versions<'a> {
        let packed: usize = packs.iter().map(|pack| pack.versions().len()).sum();
        Versions {
            versions: Vec::with_capacity(rows + packed),
            sources: Vec::with_capacity(rows + packed),
            packs: Vec::with_capacity(packs.len()),
            dense: Vec::new(),
            starts: Vec::new(),
            picks: Vec::new(),
            shown: 0,
            conversion: None,
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

    fn add_pack(&mut self, pack: Pack<'a>, is_wanted: impl Fn(&Shaped) -> bool) {
        let from = self.versions.len();
        let number = self.packs.len();
        for (version, of) in pack.versions().iter().enumerate() {
            if is_wanted(of) {
                self.versions.push(of.clone());
                self.sources.push(Origin::Pack { number, version });
            }
        }
        self.packs.push(OpenedPack {
            pack,
            versions: from..self.versions.len(),
            dense: Vec::new(),
            last_pick: 0,
        });
    }

    /// Before anything is merged or decoded: what is in the windows of rows and of all packs, once more together.
    fn check_size(&self) -> Result<()> {
        let mut held = Held::within(&limits());
        let mut versions = self.versions.iter();
        versions
            .try_for_each(|of| held.add_version(of))
            .map_err(Error::WindowTooWide)
    }

    fn merge(&mut self, window: Window, shown: Shown<'_>) -> Result<()> {
        let since = match shown.counting {
            Some((tenant, counting)) => counting.of(tenant, &self.versions)?,
            None => None,
        };
        self.conversion = shown.conversion;
        let (mode, all_versions) = (shown.mode, shown.all_versions);
        let counts = Counts {
            since: since.as_deref(),
            cutoff: shown.cutoff,
        };
        self.picks = merge_counted(&self.versions, mode, all_versions, window, counts);
        if self.packs.is_empty() {
            return Ok(());
        }
        for (place, pick) in self.picks.iter().enumerate() {
            if let Origin::Pack { number, .. } = self.sources[pick.version as usize] {
                self.packs[number].last_pick = place;
            }
        }
        Ok(())
    }

    fn next(&mut self) -> Result<Option<(usize, Point)>> {
        let Some(&pick) = self.picks.get(self.shown) else {
            return Ok(None);
        };
        let value = self.value(&pick)?;
        self.shown += 1;
        let point = Point {
            start: pick.start,
            end: pick.end,
            value,
        };
        Ok(Some((pick.version as usize, point)))
    }

    fn value(&mut self, pick: &Pick) -> Result<Option<f64>> {
        let version = pick.version as usize;
        let index = pick.index as usize;
        if self.starts[version].is_none() {
            self.decode(version)?;
        }
        let start = self.starts[version].ok_or_else(|| Error::Broken("values that were not decoded".into()))?;
        let is_null = self.versions[version].shape.is_null(index);
        let dense = match self.sources[version] {
            Origin::Row(_) => &self.dense,
            Origin::Pack { number, .. } => &self.packs[number].dense,
        };
        let mut value = (!is_null).then(|| dense[start + index]);
        if let Origin::Pack { number, .. } = self.sources[version] {
            self.forget(number);
        }
        if let (Some(conversion), Some(value)) = (&self.conversion, &mut value) {
            *value = conversion.of(*value);
        }
        Ok(value)
    }

    /// Lets go of a pack's values once the last of them is shown.
    fn forget(&mut self, number: usize) {
        let pack = &mut self.packs[number];
        if pack.last_pick == self.shown {
            pack.dense = Vec::new();
        }
    }

    /// Decodes the values of a version, and with it those of all others in its pack.
    fn decode(&mut self, version: usize) -> Result<()> {
        let shape = self.versions[version].shape;
        let values = match self.sources[version] {
            Origin::Row(values) => values,
            Origin::Pack { number, .. } => return self.decode_pack(number),
        };
        if self.dense.is_empty() {
            // Mostly something of each is shown. A vector that grows by doubling leaves so much behind it that the allocator
            // gives memory back to the system, and every read takes it anew: half of what a read costs.
            let _grows_if_refused = self.dense.try_reserve_exact(self.points_of_rows());
        }
        let start = self.dense.len();
        if shape.has_nulls() {
            let mut present = Vec::new();
            let decoded = values.decode_into(&mut present);
            decoded.map(|()| shape.spread_into(&present, &mut self.dense))
        } else {
            values.decode_into(&mut self.dense)
        }
        .map_err(Error::PointsStored)?;
        self.starts[version] = Some(start);
        Ok(())
    }

    fn points_of_rows(&self) -> usize {
        let of_rows = self
            .packs
            .first()
            .map_or(self.versions.len(), |pack| pack.versions.start);
        self.versions[..of_rows].iter().map(|of| of.shape.len()).sum()
    }

    fn decode_pack(&mut self, number: usize) -> Result<()> {
        let OpenedPack {
            pack, versions, dense, ..
        } = &mut self.packs[number];
        let mut present = Vec::new();
        let decoded = pack.decode_values(&mut present);
        decoded.map_err(Error::PackStored)?;
        dense.reserve_exact(self.versions[versions.clone()].iter().map(|of| of.shape.len()).sum());
        for place in versions.clone() {
            if let Origin::Pack { version, .. } = self.sources[place] {
                let shape = self.versions[place].shape;
                self.starts[place] = Some(dense.len());
                shape.spread_into(&present[pack.values_of(version)], dense);
            }
        }
        Ok(())
    }
}
