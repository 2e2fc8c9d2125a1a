//! The columns of an answer as rows of Postgres.

use crate::error::{Error, Result};
use crate::pg::datum::{Bind, NullableDatum, borrowed_id};
use crate::pg::result::{Returned, Tuplestore};
use crate::pg::template::Template;
use crate::pg::varlena::Jsonb;
use pgrx::{PgMemoryContexts, pg_sys};
use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::rc::Rc;
use timedb_core::answer::columns::Type;
use timedb_core::answer::{Column, Content, Series, Source};
use timedb_core::points::Point;
use timedb_core::time::Time;
use timedb_core::version::{Remark, Version};

/// The rows of an answer with these columns, of series after series.
pub struct AnswerRows {
    store: Tuplestore,
    columns: &'static [Column],
    /// Of the columns of a fixed length the places: those of a version, and those of a point.
    of_version: Vec<(usize, OfVersion)>,
    of_point: Vec<(usize, Source)>,
    /// What is made for one row, and copied into it.
    scratch: PgMemoryContexts,
}

/// What a version has in a column.
type OfVersion = fn(&Version) -> Option<Content<'_>>;

/// A row that others are made of: within a series, those with the same nulls and the same remark.
struct Cut {
    template: Template,
    /// The version whose times and ids it has now.
    of: *const Version,
}

/// What two rows must have in common to be of one template, within a series: which columns are null, and every text.
#[derive(Clone)]
struct Kind {
    has_end: bool,
    has_value: bool,
    remark: Rc<Remark>,
}

/// The rows of one series, on their way into the answer.
pub struct RowsOfSeries<'a> {
    rows: &'a mut AnswerRows,
    series: &'a Series,
    last: Option<(Kind, Cut)>,
    /// Rows with remarks and rows without mostly take turns.
    others: HashMap<Kind, Cut>,
}

/// As many templates as are kept of one series.
const MOST_KEPT: usize = 64;

impl AnswerRows {
    /// These columns, or the first of them, where an earlier release declares the function without the others.
    pub fn open(fcinfo: pg_sys::FunctionCallInfo, columns: &'static [Column], fewest: usize) -> Result<AnswerRows> {
        let store = Tuplestore::open(fcinfo);
        let columns = &columns[..store.types().len().clamp(fewest, columns.len())];
        check(&store.types(), columns)?;
        let mut of_version = Vec::new();
        let mut of_point = Vec::new();
        for (place, column) in columns.iter().enumerate() {
            match column.source {
                Source::Version(content) if is_fixed(column.of) => of_version.push((place, content)),
                Source::Start | Source::End | Source::Value => of_point.push((place, column.source)),
                // The same for a whole kind of rows.
                Source::Version(_) | Source::Series(_) => {}
            }
        }
        Ok(AnswerRows {
            store,
            columns,
            of_version,
            of_point,
            scratch: PgMemoryContexts::new("timedb answer row"),
        })
    }

    pub fn of_series<'a>(&'a mut self, series: &'a Series) -> RowsOfSeries<'a> {
        RowsOfSeries {
            rows: self,
            series,
            last: None,
            others: HashMap::new(),
        }
    }

    pub fn close(self) -> Returned {
        self.store.close()
    }

    fn cut(&mut self, series: &Series, version: &Version, point: &Point) -> Cut {
        let content = |column: &Column| match column.source {
            Source::Series(of) => of(series),
            Source::Version(of) => of(version),
            Source::Start => Some(Content::Time(point.start)),
            Source::End => point.end.map(Content::Time),
            Source::Value => point.value.map(Content::Number),
        };
        let columns = self.columns.iter().map(content);
        // SAFETY: what is made in the scratch memory is copied into the template before that is emptied; the types were
        // compared when the answer was opened.
        unsafe {
            let datums: Vec<NullableDatum> = self
                .scratch
                .switch_to(|_| columns.map(|content| content.and_then(datum)).collect());
            let template = self.store.template(datums);
            self.scratch.reset();
            Cut { template, of: version }
        }
    }
}

impl RowsOfSeries<'_> {
    pub fn put(&mut self, version: &Version, point: &Point) {
        if !self.last.as_ref().is_some_and(|(kind, _)| kind.is_of(version, point)) {
            self.change_kind(version, point);
        }
        let Some((_, cut)) = &mut self.last else {
            return;
        };
        if !std::ptr::eq(cut.of, version) {
            cut.fill_version(&self.rows.of_version, version);
        }
        cut.fill_point(&self.rows.of_point, point);
        self.rows.store.put_template(&cut.template);
    }

    fn change_kind(&mut self, version: &Version, point: &Point) {
        let kind = Kind::of(version, point);
        let cut = match self.others.remove(&kind) {
            Some(cut) => cut,
            None => self.rows.cut(self.series, version, point),
        };
        if let Some((former, cut)) = self.last.replace((kind, cut)) {
            if self.others.len() == MOST_KEPT {
                self.others.clear();
            }
            self.others.insert(former, cut);
        }
    }
}

impl Cut {
    fn fill_version(&mut self, columns: &[(usize, OfVersion)], version: &Version) {
        for (place, content) in columns {
            match content(version) {
                Some(Content::Time(time)) => self.template.set(*place, time.micros()),
                Some(Content::Id(id)) => self.template.set(*place, id.into_bytes()),
                Some(Content::Number(number)) => self.template.set(*place, number),
                Some(Content::Text(_) | Content::Texts(_) | Content::Json(_)) | None => {}
            }
        }
        self.of = version;
    }

    fn fill_point(&mut self, columns: &[(usize, Source)], point: &Point) {
        for (place, source) in columns {
            match source {
                Source::Start => self.template.set(*place, point.start.micros()),
                Source::End => self.template.set(*place, point.end.map_or(0, Time::micros)),
                Source::Value => self.template.set(*place, point.value.unwrap_or(0.0)),
                Source::Series(_) | Source::Version(_) => {}
            }
        }
    }
}

impl Kind {
    fn of(version: &Version, point: &Point) -> Kind {
        Kind {
            has_end: point.end.is_some(),
            has_value: point.value.is_some(),
            remark: version.remark.clone(),
        }
    }

    fn is_of(&self, version: &Version, point: &Point) -> bool {
        self.has_end == point.end.is_some()
            && self.has_value == point.value.is_some()
            && is_same(&self.remark, &version.remark)
    }
}

impl PartialEq for Kind {
    fn eq(&self, other: &Kind) -> bool {
        self.has_end == other.has_end && self.has_value == other.has_value && Rc::ptr_eq(&self.remark, &other.remark)
    }
}

/// Those of a series' rows are each kept once, and those of each of its packs.
fn is_same(one: &Rc<Remark>, other: &Rc<Remark>) -> bool {
    Rc::ptr_eq(one, other) || one == other
}

impl Eq for Kind {}

impl Hash for Kind {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.has_end, self.has_value, &self.remark).hash(state);
    }
}

/// That what a function declares are these columns.
pub fn check(declared: &[pg_sys::Oid], columns: &[Column]) -> Result<()> {
    if oids(columns) == declared {
        return Ok(());
    }
    let what = "a function is declared with other columns than its answer has";
    Err(Error::Broken(what.into()))
}

/// The types of columns.
pub fn oids(columns: &[Column]) -> Vec<pg_sys::Oid> {
    columns.iter().map(|column| oid(column.of)).collect()
}

fn is_fixed(of: Type) -> bool {
    matches!(of, Type::Time | Type::Number | Type::Id)
}

fn oid(of: Type) -> pg_sys::Oid {
    match of {
        Type::Time => Time::OID,
        Type::Number => f64::OID,
        Type::Id => uuid::Uuid::OID,
        Type::Text => <&str>::OID,
        Type::Texts => <&[&str]>::OID,
        Type::Json => Jsonb::OID,
    }
}

/// A column's content as a datum, of the column's type. An id is borrowed: it must outlive the row it is put into.
pub fn datum(content: Content<'_>) -> NullableDatum {
    match content {
        Content::Time(time) => Time::bind(time),
        Content::Number(number) => f64::bind(number),
        Content::Id(id) => borrowed_id(id),
        Content::Text(text) => <&str>::bind(text),
        Content::Json(text) => Jsonb::of(text).and_then(Jsonb::bind),
        Content::Texts(texts) => {
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            <&[&str]>::bind(&texts)
        }
    }
}
