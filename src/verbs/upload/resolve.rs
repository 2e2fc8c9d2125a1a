//! The series that the rows of an upload are of: found, or made.

use super::units::{Units, in_their_units};
use crate::error::{Error, Result};
use crate::pg::cancel::answer_cancel;
use crate::verbs::labelled::{self, Labels};
use crate::verbs::resolved::Resolved;
use crate::verbs::series;
use std::collections::HashMap;
use timedb_core::rows::{BadRows, Kind, Refusal, RowError};
use timedb_core::series_key::in_normal_form;
use timedb_core::upload::{SeriesRef, SeriesRows, Upload};
use uuid::Uuid;

/// What has been found of all that rows refer to.
struct References<'a> {
    by_id: HashMap<Uuid, series::Known>,
    by_key: series::Sought<'a>,
    by_labels: labelled::Sought<'a>,
}

/// The ids of what rows refer to, once it is made.
pub struct Made {
    by_id: HashMap<Uuid, series::Known>,
    by_key: HashMap<String, Uuid>,
    by_labels: labelled::Ids,
}

/// Finds or makes the series that the rows refer to, and joins the rows of those that are one.
pub fn resolve(tenant: Uuid, upload: Upload, argument: &str) -> Result<Vec<Resolved>> {
    let mut rows = upload.series;
    let labels = Labels::of(&upload.labels).map_err(|(number, refusal)| of_labels(&rows, number, refusal, argument))?;
    let found = References::find(tenant, &rows, &labels)?;
    found.check(&rows, argument)?;
    let units = Units::of(&rows, &upload.units);
    let made = Made {
        by_key: found.by_key.or_make(tenant, &units.by_key)?,
        by_labels: found.by_labels.or_make(tenant, &labels, &units.by_labels)?,
        by_id: found.by_id,
    };
    in_their_units(tenant, &mut rows, &made, &upload.units, argument)?;
    let mut resolved: Vec<Resolved> = Vec::with_capacity(rows.len());
    let mut places: HashMap<(u32, Uuid), usize> = HashMap::new();
    for rows in rows {
        let (id, name) = made.named(&rows.series)?;
        match places.get(&(rows.run, id)) {
            Some(&place) => resolved[place].absorb(name, rows),
            None => {
                places.insert((rows.run, id), resolved.len());
                resolved.push(Resolved::of(id, name, rows));
            }
        }
    }
    Ok(resolved)
}

/// Brings the points of each series into their order; what is given twice is refused.
pub fn sort(resolved: &mut [Resolved], argument: &str) -> Result<()> {
    let mut repeated = Vec::new();
    for series in resolved {
        answer_cancel();
        if let Err(again) = series.rows.sort() {
            repeated.push((again, &*series));
        }
    }
    repeated.sort_unstable_by_key(|(again, _)| again.row);
    let mut bad = BadRows::default();
    repeated
        .iter()
        .for_each(|(again, series)| bad.add(series.again(again, argument)));
    bad.finish().map_err(Error::Row)
}

/// The refusal of labels, of the first row that has them.
fn of_labels(rows: &[SeriesRows], number: usize, refusal: Refusal, argument: &str) -> Error {
    let with_them = |rows: &&SeriesRows| rows.series.labels.is_some_and(|labels| labels as usize == number);
    let row = rows.iter().find(with_them).map_or(0, |rows| rows.first_row);
    Error::Row(refusal.at(match argument {
        "valid_times" => format!("labels[{row}]"),
        _ => format!("{argument}[{row}].labels"),
    }))
}

impl<'a> References<'a> {
    fn find(tenant: Uuid, rows: &'a [SeriesRows], labels: &Labels) -> Result<References<'a>> {
        let references = || rows.iter().map(|rows| &*rows.series);
        let mut ids: Vec<Uuid> = references().filter_map(|series| series.id).collect();
        let plain = references().filter(|series| series.id.is_none() && series.labels.is_none());
        let mut keys: Vec<&str> = plain.filter_map(|series| series.key.as_deref()).collect();
        // Those of many runs are asked for once.
        if rows.iter().any(|rows| rows.run > 0) {
            ids.sort_unstable();
            ids.dedup();
            keys.sort_unstable();
            keys.dedup();
        }
        let labelled = references().filter_map(|series| Some((series.key.as_deref()?, series.labels?, series.id)));
        Ok(References {
            by_id: series::by_id(tenant, &ids)?,
            by_key: series::by_key(tenant, &keys)?,
            by_labels: labelled::find(tenant, labelled, labels)?,
        })
    }

    /// Every row whose series is not there, and cannot be made, is bad.
    fn check(&self, rows: &[SeriesRows], argument: &str) -> Result<()> {
        let mut bad = BadRows::default();
        for rows in rows {
            let row = rows.first_row;
            let array = match argument {
                "valid_times" => "series_keys",
                argument => argument,
            };
            let error = match &*rows.series {
                series @ SeriesRef { id: Some(id), .. } => self
                    .disagreement(*id, series)
                    .map(|refusal| refusal.at(format!("{argument}[{row}].series_id"))),
                SeriesRef {
                    key: Some(key), labels, ..
                } => self
                    .refused(key, *labels)
                    .map(|refusal| bad_key(key, refusal).at(format!("{array}[{row}]"))),
                _ => None,
            };
            // The rows of one reference are bad for one reason.
            let more = rows.rows.len() - 1;
            error.into_iter().for_each(|error| bad.add(RowError { more, ..error }));
        }
        bad.finish().map_err(Error::Row)
    }

    /// Why a key cannot be that of a new series.
    fn refused(&self, key: &str, labels: Option<u32>) -> Option<&Refusal> {
        match labels {
            None => self.by_key.refused.get(key),
            Some(_) => self.by_labels.refused.get(key),
        }
    }

    /// Why rows that give an id cannot be taken: there is no such series, or what they also give is not its own.
    fn disagreement(&self, id: Uuid, named: &SeriesRef) -> Option<Refusal> {
        let Some(series) = self.by_id.get(&id) else {
            return Some(Refusal::absent("series", id));
        };
        let key = named.key.as_deref()?;
        let agrees = key == series.key || in_normal_form(key).is_some_and(|normal| normal == series.key);
        if !agrees {
            return Some(Refusal::new(
                Kind::BadValue,
                "is not the series that \"value_key\" names",
            ));
        }
        let labels = named.labels?;
        (self.by_labels.id(key, labels) != Some(id)).then(|| {
            Refusal::new(
                Kind::BadValue,
                "is not the series that \"value_key\" and \"labels\" name",
            )
        })
    }
}

/// Why a key that no series has yet cannot be that of a new one.
fn bad_key(key: &str, refusal: &Refusal) -> Refusal {
    let reason = format!("series key {key:?} {}", refusal.reason);
    Refusal {
        reason,
        ..refusal.clone()
    }
}

impl Made {
    /// The id of a series, and what it is called in the answer: its key, or its id where the key does not name it.
    pub fn named(&self, series: &SeriesRef) -> Result<(Uuid, String)> {
        let named = match series {
            SeriesRef { id: Some(id), .. } => self.by_id.get(id).map(|series| match series.is_plain {
                true => (*id, series.key.clone()),
                false => (*id, id.to_string()),
            }),
            SeriesRef {
                key: Some(key),
                labels: Some(labels),
                ..
            } => self.by_labels.id(key, *labels).map(|id| (id, id.to_string())),
            SeriesRef { key: Some(key), .. } => self.by_key.get(key).map(|&id| (id, key.clone())),
            _ => None,
        };
        named.ok_or_else(|| Error::Broken("a row's series is not there".into()))
    }
}
