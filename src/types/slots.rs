//! The columns of an answer in the executor's slot, row by row: of each row only what differs from the one before.

use super::answer::datum;
use crate::pg::datum::{Bind, NullableDatum};
use crate::pg::node::SlotRow;
use crate::pg::owned::Owned;
use std::collections::HashMap;
use std::rc::Rc;
use timedb_core::answer::columns::Type;
use timedb_core::answer::{Column, Content, Series, Source};
use timedb_core::points::Point;
use timedb_core::time::Time;
use timedb_core::version::{Remark, Version};

/// A column of the row that is made: its place there, its type, and where its content comes from.
type Part<T> = (usize, Type, fn(&T) -> Option<Content<'_>>);

pub struct Slots {
    of_series: Vec<Part<Series>>,
    of_version: Vec<Part<Version>>,
    of_point: Vec<(usize, Source)>,
    /// What the row has of its series, and of its version.
    series: Vec<(usize, Owned)>,
    version: Option<*const Version>,
    /// The texts of each remark of the series, by the columns of a version.
    remarks: HashMap<*const Remark, (Rc<Remark>, Vec<Owned>)>,
    is_new_series: bool,
}

impl Slots {
    /// For these of the columns, by their numbers from 1.
    pub fn of(columns: &'static [Column], asked: &[i16]) -> Slots {
        let mut slots = Slots {
            of_series: Vec::new(),
            of_version: Vec::new(),
            of_point: Vec::new(),
            series: Vec::new(),
            version: None,
            remarks: HashMap::new(),
            is_new_series: false,
        };
        for (place, number) in asked.iter().enumerate() {
            let column = &columns[*number as usize - 1];
            match column.source {
                Source::Series(content) => slots.of_series.push((place, column.of, content)),
                Source::Version(content) => slots.of_version.push((place, column.of, content)),
                Source::Start | Source::End | Source::Value => slots.of_point.push((place, column.source)),
            }
        }
        slots
    }

    /// The rows that follow are of this series, and of no version that has been before.
    pub fn begin(&mut self, series: &Series) {
        // SAFETY: texts, arrays of texts and JSON are varlenas; an id becomes a copy of its own.
        let owned = |of: Type, content| unsafe { kept(of, content) };
        self.series = self
            .of_series
            .iter()
            .map(|(place, of, content)| (*place, owned(*of, content(series))))
            .collect();
        self.version = None;
        self.remarks.clear();
        self.is_new_series = true;
    }

    /// # Safety
    /// The row is of the columns asked for. The version stays where it is, with its series, until the next row is put.
    pub unsafe fn put(&mut self, row: &mut SlotRow, version: &Version, point: &Point) {
        // SAFETY: each datum is of its column's type, and stays as told.
        unsafe {
            if self.is_new_series {
                self.series
                    .iter()
                    .for_each(|(place, owned)| row.put(*place, owned.datum()));
                self.is_new_series = false;
            }
            if !self.of_version.is_empty() && self.version != Some(version) {
                self.put_version(row, version);
            }
            for (place, source) in &self.of_point {
                row.put(*place, of_point(*source, point));
            }
        }
    }

    /// # Safety
    /// As [`Slots::put`].
    unsafe fn put_version(&mut self, row: &mut SlotRow, version: &Version) {
        let columns = &self.of_version;
        let (_, texts) = self.remarks.entry(Rc::as_ptr(&version.remark)).or_insert_with(|| {
            let texts = columns.iter().map(|(_, of, content)| match of {
                // SAFETY: these are varlenas.
                Type::Text | Type::Texts | Type::Json => unsafe { kept(*of, content(version)) },
                Type::Time | Type::Number | Type::Id => Owned::none(),
            });
            (version.remark.clone(), texts.collect())
        });
        for ((place, of, content), text) in columns.iter().zip(texts) {
            let datum = match of {
                Type::Text | Type::Texts | Type::Json => text.datum(),
                Type::Time | Type::Number | Type::Id => content(version).and_then(datum),
            };
            // SAFETY: as the caller's.
            unsafe { row.put(*place, datum) };
        }
        self.version = Some(version);
    }
}

/// # Safety
/// The content is of the type.
unsafe fn kept(of: Type, content: Option<Content<'_>>) -> Owned {
    match (of, content) {
        (Type::Id, Some(Content::Id(id))) => Owned::bytes(id.as_bytes()),
        // SAFETY: palloc'd by who makes it.
        _ => unsafe { Owned::of(|| content.and_then(datum)) },
    }
}

fn of_point(source: Source, point: &Point) -> NullableDatum {
    match source {
        Source::Start => Time::bind(point.start),
        Source::End => point.end.and_then(Time::bind),
        Source::Value => point.value.and_then(f64::bind),
        Source::Series(_) | Source::Version(_) => None,
    }
}
