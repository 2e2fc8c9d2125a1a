//! The JSON rows of an update: a change of one value, its annotation, its tags, each in the form in which it is stored.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use uuid::Uuid;

use crate::rows::fields::{Given, check_end, needed, not_null};
use crate::rows::remark::{annotation, tags};
use crate::rows::walk::{Rows, walk};
use crate::rows::{Field, Refusal, RowError};
use crate::time::Time;

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

/// Reads the JSON rows of an update, at most `most_rows` of them. They may say whose the values are: `tenant`'s; any other
/// tenant is told like one that does not exist.
///
/// `tick` is called every few thousand rows, for the caller to answer a cancel; it may unwind.
pub fn read_json(json: &str, tenant: Uuid, most_rows: usize, tick: &mut dyn FnMut()) -> Result<Updates, RowError> {
    let mut rows = UpdateRows {
        tenant,
        ..UpdateRows::default()
    };
    walk(json, &mut rows, most_rows, tick)?;
    Ok(Updates {
        of_values: rows.of_values,
        rows: rows.places,
    })
}

#[derive(Default)]
struct UpdateRows {
    tenant: Uuid,
    of_values: Vec<ValueUpdate>,
    /// The place of each row's value, and that of each value.
    places: Vec<usize>,
    place_of: HashMap<(Uuid, Uuid, Time, Option<Time>), usize>,
    row: PartialUpdate,
}

/// The row under way.
#[derive(Default)]
struct PartialUpdate {
    run_id: Option<Uuid>,
    series_id: Option<Uuid>,
    start: Option<Time>,
    end: Option<Time>,
    value: Change<f64>,
    annotation: Change<String>,
    tags: Change<Vec<String>>,
}

impl UpdateRows {
    /// Old clients name their tenant in every row.
    fn check_tenant(&self, named: Option<Uuid>) -> Result<(), Refusal> {
        match named {
            Some(other) if other != self.tenant => Err(Refusal::absent("tenant", other)),
            _ => Ok(()),
        }
    }
}

impl<'de> Rows<'de> for UpdateRows {
    const ARGUMENT: &'static str = "updates";
    const FIELDS: &'static [Field] = &[
        Field::RunId,
        Field::TenantId,
        Field::SeriesId,
        Field::ValidTime,
        Field::ValidTimeEnd,
        Field::Value,
        Field::Annotation,
        Field::Tags,
    ];
    const HAS: &'static str =
        "An update has run_id, series_id, valid_time, valid_time_end, value, annotation and tags: select those.";

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
            Field::RunId => row.run_id = Some(not_null(field.uuid(given)?)?),
            Field::SeriesId => row.series_id = Some(not_null(field.uuid(given)?)?),
            Field::ValidTime => row.start = Some(not_null(field.time(given)?)?),
            Field::ValidTimeEnd => row.end = field.time(given)?,
            Field::Value => row.value = Change::to(field.number(given)?),
            Field::Annotation => row.annotation = Change::to(annotation(field.text(given)?)?),
            Field::Tags => row.tags = Change::to(tags(field.list(given)?)?),
            // Not among FIELDS.
            Field::ValueKey | Field::Labels | Field::KnownTime | Field::WorkflowId => {}
        }
        Ok(())
    }

    fn end_row(&mut self, _: usize) -> Result<(), Refusal> {
        let row = std::mem::take(&mut self.row);
        let update = ValueUpdate {
            run_id: needed(Field::RunId, row.run_id)?,
            series_id: needed(Field::SeriesId, row.series_id)?,
            start: needed(Field::ValidTime, row.start)?,
            end: row.end,
            value: row.value,
            annotation: row.annotation,
            tags: row.tags,
        };
        check_end(update.start, update.end)?;
        self.add(update);
        Ok(())
    }
}

impl UpdateRows {
    /// All of a call has one change time, so only one version of a value can come of it: the one that its rows make, one
    /// after the other.
    fn add(&mut self, update: ValueUpdate) {
        let named = (update.run_id, update.series_id, update.start, update.end);
        let place = match self.place_of.entry(named) {
            Entry::Occupied(place) => {
                self.of_values[*place.get()].then(update);
                *place.get()
            }
            Entry::Vacant(place) => {
                self.of_values.push(update);
                *place.insert(self.of_values.len() - 1)
            }
        };
        self.places.push(place);
    }
}

impl ValueUpdate {
    /// What a later row changes, field by field.
    fn then(&mut self, later: ValueUpdate) {
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
