//! What is stored of one series in some windows: rows, and packs with versions in them, looked at while they come. What is
//! shown of it is decided by `timedb_core::merge`.

use super::version::{Row, version};
use crate::error::{Error, Result};
use crate::identity::limits::limits;
use crate::pg::cancel::answer_cancel;
use std::collections::HashSet;
use std::ops::Range;
use timedb_core::held::Held;
use timedb_core::merge::Window;
use timedb_core::pack::Pack;
use timedb_core::points::peek;
use timedb_core::time::Time;
use timedb_core::version::{Remarks, Shaped, Version};
use uuid::Uuid;

/// What was to be known of which time, and when; and of which runs, where not of all.
#[derive(Clone, Default)]
pub struct Windows {
    pub valid: Window,
    pub known: Window,
    pub as_of: Option<Time>,
    pub runs: Option<HashSet<Uuid>>,
}

/// A pack of which less than one part in so many is in the windows is not held for it.
const SPARSE: usize = 4;

/// What is stored of a series in the windows, none of it opened yet.
///
/// What is held at most is bounded by what is in the windows, as if nothing had ever been packed. A pack comes whole: the
/// bytes of those that nobody has looked into yet are bounded by how many values they hold, and of those that somebody has
/// by [`SPARSE`] times the values that are in the windows.
pub struct Stored {
    pub rows: Vec<(Version, Range<usize>)>,
    /// The points of all rows, one after the other: each row says where its own are.
    pub points: Vec<u8>,
    pub packs: Vec<Vec<u8>>,
    /// How many of the packs have been looked into, and how many values the others hold.
    sieved: usize,
    unsieved_values: usize,
    held: Held,
    remarks: Remarks,
}

impl Windows {
    /// Whether a version of a pack is in the windows; of rows the statement that fetches them asks, but for their runs.
    pub fn hold(&self, of: &Shaped) -> bool {
        self.know(&of.version) && self.valid.reaches(&of.shape) && self.are_of(&of.version.run)
    }

    pub fn are_of(&self, run: &Uuid) -> bool {
        self.runs.as_ref().is_none_or(|runs| runs.contains(run))
    }

    fn know(&self, version: &Version) -> bool {
        let known = &self.known;
        known.start.is_none_or(|start| start <= version.known)
            && known.end.is_none_or(|end| version.known < end)
            && self
                .as_of
                .is_none_or(|as_of| version.known <= as_of && version.change <= as_of)
    }
}

impl Stored {
    pub(super) fn nothing_yet() -> Stored {
        Stored {
            rows: Vec::new(),
            points: Vec::new(),
            packs: Vec::new(),
            sieved: 0,
            unsieved_values: 0,
            held: Held::within(&limits()),
            remarks: Remarks::default(),
        }
    }

    /// How many values it holds, and how many bytes of memory.
    pub(super) fn size(&self) -> (usize, usize) {
        let packs: usize = self.packs.iter().map(Vec::len).sum();
        let bytes = self.points.len() + size_of_val(&self.rows[..]) + packs;
        (self.held.values() + self.unsieved_values, bytes)
    }

    /// Looked at while it comes, so that what is held at most is bounded.
    pub(super) fn add_pack(&mut self, pack: &[u8], points: i64, windows: &Windows) -> Result<()> {
        let values = usize::try_from(points).unwrap_or(usize::MAX);
        if self.unsieved_values.saturating_add(values) > self.held.most_values() {
            self.sieve(windows)?;
        }
        self.unsieved_values = self.unsieved_values.saturating_add(values);
        self.packs.push(pack.to_vec());
        Ok(())
    }

    /// Looks into the packs that nobody has looked into yet, and keeps of them what is in the windows.
    fn sieve(&mut self, windows: &Windows) -> Result<()> {
        for bytes in self.packs.split_off(self.sieved) {
            answer_cancel();
            let pack = Pack::read(&bytes).map_err(Error::PackStored)?;
            let (mut values, mut within) = (0, 0);
            for of in pack.versions() {
                values += of.shape.len();
                if windows.hold(of) {
                    within += of.shape.len();
                    self.held.add_version(of).map_err(Error::WindowTooWide)?;
                }
            }
            if within * SPARSE >= values {
                self.packs.push(bytes);
            } else if within > 0 {
                self.take_out(&pack, windows)?;
            }
        }
        self.sieved = self.packs.len();
        self.unsieved_values = 0;
        Ok(())
    }

    /// Holds the versions of a pack that are in the windows as the rows that they were packed from.
    fn take_out(&mut self, pack: &Pack, windows: &Windows) -> Result<()> {
        let mut values = Vec::new();
        pack.decode_values(&mut values).map_err(Error::PackStored)?;
        for (number, of) in pack.versions().iter().enumerate() {
            if windows.hold(of) {
                let remark = &of.version.remark;
                let tags = remark.tags.as_ref().map(|tags| tags.iter().map(String::as_str));
                let version = Version {
                    remark: self.remarks.keep(&remark.by, remark.annotation.as_deref(), tags),
                    ..of.version.clone()
                };
                self.add(version, &pack.points(number, &values))?;
            }
        }
        Ok(())
    }

    pub(super) fn add_row(&mut self, row: Row<'_>, windows: &Windows) -> Result<()> {
        if !windows.are_of(&row.0) {
            return Ok(());
        }
        let (version, points) = version(row, &mut self.remarks);
        let (values, first) = peek(&points).map_err(Error::PointsStored)?;
        let counted = self.held.add_values(values, version.known, first);
        counted.map_err(Error::WindowTooWide)?;
        self.add(version, &points)
    }

    fn add(&mut self, version: Version, points: &[u8]) -> Result<()> {
        self.held.add_row().map_err(Error::WindowTooWide)?;
        let from = self.points.len();
        self.points.extend_from_slice(points);
        self.rows.push((version, from..self.points.len()));
        Ok(())
    }
}
