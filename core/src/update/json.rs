//! The JSON rows of an update: a change of one value, its annotation, its tags, each in the form in which it is stored.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::rc::Rc;

use uuid::Uuid;

use crate::limits::{FEWER_UPDATES, Limits};
use crate::rows::fields::{Given, check_end, needed, not_null};
use crate::rows::labels::LabelTexts;
use crate::rows::remark::{annotation, tags};
use crate::rows::shared::Bytes;
use crate::rows::walk::{Rows, walk};
use crate::rows::{Field, Kind, Refusal, RowError};
use crate::series_key;
use crate::time::Time;
use crate::upload::SeriesRef;

/// The rows of a call, as they name their values.
#[derive(Debug)]
pub struct GivenUpdates {
    pub rows: Vec<GivenUpdate>,
    /// Texts of JSON objects, by their numbers; two of them may be equal all the same.
    pub labels: Vec<Rc<str>>,
}

/// One row.
#[derive(Clone, Debug, PartialEq)]
pub struct GivenUpdate {
    /// None for the run whose value is shown.
    pub run: Option<Uuid>,
    pub series: SeriesRef,
    pub start: Time,
    pub end: Option<Time>,
    pub changes: Changes,
}

/// What a call asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct Updates {
    /// Of each value that is named one, in the order in which they are first named.
    pub of_values: Vec<ValueUpdate>,
    /// For each row, the place among them of the one that it went into.
    pub rows: Vec<usize>,
}

/// The update of the value that a run has for a series at a time: what all rows that name it come to, one after the other.
#[derive(Clone, Debug, PartialEq)]
pub struct ValueUpdate {
    pub run_id: Uuid,
    pub series_id: Uuid,
    pub start: Time,
    pub end: Option<Time>,
    pub changes: Changes,
}

/// What an update does to a value and to what is said of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    pub value: Change<f64>,
    /// Trimmed, and not blank.
    pub annotation: Change<String>,
    /// Trimmed, lower-case, sorted, none of them blank or twice, and at least one.
    pub tags: Change<Vec<String>>,
}

/// What an update does to one thing: an absent field keeps it, a null clears it, a value sets it.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Change<T> {
    #[default]
    Keep,
    Clear,
    Set(T),
}

/// Reads the JSON rows of an update, as many as one may have. They may say whose the values are: `tenant`'s; any other
/// tenant is told like one that does not exist.
///
/// `tick` is called every few thousand rows, for the caller to answer a cancel; it may unwind.
pub fn read_json(json: &str, tenant: Uuid, limits: &Limits, tick: &mut dyn FnMut()) -> Result<GivenUpdates, RowError> {
    let mut rows = UpdateRows {
        tenant,
        ..UpdateRows::default()
    };
    walk(json, &mut rows, limits.updates, tick)?;
    Ok(GivenUpdates {
        rows: rows.given,
        labels: rows.labels.finish(),
    })
}

#[derive(Default)]
struct UpdateRows<'de> {
    tenant: Uuid,
    given: Vec<GivenUpdate>,
    labels: LabelTexts,
    bytes: Bytes,
    row: PartialUpdate<'de>,
}

/// The row under way.
#[derive(Default)]
struct PartialUpdate<'de> {
    run: Option<Uuid>,
    id: Option<Uuid>,
    key: Option<Cow<'de, str>>,
    labels: Option<u32>,
    start: Option<Time>,
    end: Option<Time>,
    changes: Changes,
}

impl UpdateRows<'_> {
    /// Old clients name their tenant in every row.
    fn check_tenant(&self, named: Option<Uuid>) -> Result<(), Refusal> {
        match named {
            Some(other) if other != self.tenant => Err(Refusal::absent("tenant", other)),
            _ => Ok(()),
        }
    }
}

impl<'de> Rows<'de> for UpdateRows<'de> {
    const ARGUMENT: &'static str = "updates";
    const FEWER: &'static str = FEWER_UPDATES;
    const FIELDS: &'static [Field] = &[
        Field::RunId,
        Field::TenantId,
        Field::SeriesId,
        Field::ValueKey,
        Field::Labels,
        Field::ValidTime,
        Field::ValidTimeEnd,
        Field::Value,
        Field::Annotation,
        Field::Tags,
    ];
    const HAS: &'static str = "An update has run_id, series_id or value_key (or series_key) and labels, valid_time, \
                               valid_time_end, value, annotation and tags: select those.";

    fn none(&self) -> Self {
        Self {
            tenant: self.tenant,
            ..Self::default()
        }
    }

    fn set(&mut self, field: Field, given: Given<'de>) -> Result<(), Refusal> {
        let row = &mut self.row;
        match field {
            Field::TenantId => self.check_tenant(field.uuid(given)?)?,
            Field::RunId => row.run = Some(not_null(field.uuid(given)?)?),
            Field::SeriesId => row.id = Some(not_null(field.uuid(given)?)?),
            Field::ValueKey => row.key = field.text(given)?,
            Field::Labels => {
                let text = field.object(given)?.unwrap_or("null");
                row.labels = self.labels.number(text, &mut self.bytes)?;
            }
            Field::ValidTime => row.start = Some(not_null(field.time(given)?)?),
            Field::ValidTimeEnd => row.end = field.time(given)?,
            Field::Value => row.changes.value = Change::to(field.number(given)?),
            Field::Annotation => row.changes.annotation = Change::to(annotation(field.text(given)?)?),
            Field::Tags => row.changes.tags = Change::to(tags(field.list(given)?)?),
            // Not among FIELDS.
            Field::Unit | Field::KnownTime | Field::WorkflowId => {}
        }
        Ok(())
    }

    fn end_row(&mut self, _: usize) -> Result<(), Refusal> {
        let row = std::mem::take(&mut self.row);
        let start = needed(Field::ValidTime, row.start);
        let series = SeriesRef {
            key: row.key.map(Cow::into_owned),
            labels: row.labels,
            id: row.id,
            unit: None,
        };
        check_series(&series)?;
        let update = GivenUpdate {
            run: row.run,
            series,
            start: start?,
            end: row.end,
            changes: row.changes,
        };
        check_end(update.start, update.end)?;
        self.given.push(update);
        Ok(())
    }
}

/// A row names its series, by what one can be called.
fn check_series(series: &SeriesRef) -> Result<(), Refusal> {
    match series {
        SeriesRef { key: Some(key), .. } => series_key::check(key).map_err(|refusal| refusal.of(Field::ValueKey)),
        SeriesRef { labels: Some(_), .. } => {
            Err(Refusal::new(Kind::BadValue, r#"needs "value_key" beside it"#).of(Field::Labels))
        }
        SeriesRef { id: Some(_), .. } => Ok(()),
        _ => Err(Refusal::new(Kind::BadValue, r#"needs "series_id" or "value_key""#)),
    }
}

impl Updates {
    /// All of a call has one change time, so only one version of a value can come of it: the one that its rows make, one
    /// after the other.
    pub fn of(rows: impl Iterator<Item = ValueUpdate>) -> Updates {
        let mut updates = Updates {
            of_values: Vec::new(),
            rows: Vec::new(),
        };
        let mut place_of: HashMap<(Uuid, Uuid, Time, Option<Time>), usize> = HashMap::new();
        for update in rows {
            let named = (update.run_id, update.series_id, update.start, update.end);
            let place = match place_of.entry(named) {
                Entry::Occupied(place) => {
                    updates.of_values[*place.get()].changes.then(update.changes);
                    *place.get()
                }
                Entry::Vacant(place) => {
                    updates.of_values.push(update);
                    *place.insert(updates.of_values.len() - 1)
                }
            };
            updates.rows.push(place);
        }
        updates
    }
}

impl Changes {
    /// What a later row changes, field by field.
    fn then(&mut self, later: Changes) {
        self.value.then(later.value);
        self.annotation.then(later.annotation);
        self.tags.then(later.tags);
    }
}

impl<T> Change<T> {
    fn then(&mut self, later: Change<T>) {
        if !matches!(later, Change::Keep) {
            *self = later;
        }
    }

    /// The change that a field asks for by being there.
    fn to(given: Option<T>) -> Change<T> {
        given.map_or(Change::Clear, Change::Set)
    }
}
