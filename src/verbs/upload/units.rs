//! The units that rows of an upload are in: their values are turned into the unit of the series, and a series that the upload
//! makes has the first that is said of it.

use super::resolve::Made;
use crate::error::{Error, Result};
use crate::verbs::labelled::Address;
use crate::verbs::series::{self, NO_UNIT, another_unit};
use std::collections::HashMap;
use std::rc::Rc;
use timedb_core::rows::{BadRows, Kind, Refusal, RowError};
use timedb_core::unit::{Conversion, NotConvertible, conversion};
use timedb_core::upload::SeriesRows;
use uuid::Uuid;

/// What is said of series that may have to be made, by what names them: of each the first.
pub struct Units<'a> {
    pub by_key: HashMap<&'a str, &'a str>,
    pub by_labels: Vec<(Address<'a>, &'a str)>,
}

impl<'a> Units<'a> {
    pub fn of(rows: &'a [SeriesRows], units: &'a [Rc<str>]) -> Units<'a> {
        let mut said = Units {
            by_key: HashMap::new(),
            by_labels: Vec::new(),
        };
        for series in rows.iter().map(|rows| &*rows.series) {
            let (Some(key), Some(unit), None) = (series.key.as_deref(), series.unit, series.id) else {
                continue;
            };
            let unit = &*units[unit as usize];
            match series.labels {
                Some(labels) => said.by_labels.push(((key, labels, None), unit)),
                None => drop(said.by_key.entry(key).or_insert(unit)),
            }
        }
        said
    }
}

/// Turns the values of all rows that say a unit into that of their series.
pub fn in_their_units(
    tenant: Uuid,
    rows: &mut [SeriesRows],
    made: &Made,
    units: &[Rc<str>],
    argument: &str,
) -> Result<()> {
    if units.is_empty() {
        return Ok(());
    }
    let of_rows = |rows: &SeriesRows| made.named(&rows.series).map(|(id, _)| id);
    let with_unit = rows.iter().filter(|rows| rows.series.unit.is_some());
    let mut ids: Vec<Uuid> = with_unit.map(of_rows).collect::<Result<_>>()?;
    ids.sort_unstable();
    ids.dedup();
    let known = series::units(tenant, &ids)?;
    let mut bad = BadRows::default();
    for rows in rows {
        let Some(unit) = rows.series.unit else {
            continue;
        };
        let unit = &*units[unit as usize];
        let (key, has) = known
            .get(&of_rows(rows)?)
            .ok_or_else(|| Error::Broken("a row's series is not there".into()))?;
        match conversion(unit, has) {
            Ok(conversion) if conversion.is_none() => {}
            Ok(conversion) => convert(rows, conversion, has, argument, &mut bad),
            Err(why) => {
                let refusal = Refusal::new(Kind::BadValue, another_unit(unit, key, has)).hint(hint(has, why));
                let more = rows.rows.len() - 1;
                let error = refusal.at(format!("{argument}[{}].unit", rows.first_row));
                bad.add(RowError { more, ..error });
            }
        }
    }
    bad.finish().map_err(Error::Row)
}

/// No value becomes another than it is: what no double precision is in the other unit is refused.
fn convert(rows: &mut SeriesRows, conversion: Conversion, unit: &str, argument: &str, bad: &mut BadRows) {
    for (row, point) in rows.rows.iter().zip(&mut rows.points) {
        let Some(value) = &mut point.value else { continue };
        let converted = conversion.of(*value);
        if value.is_finite() && !converted.is_finite() {
            let refusal = Refusal::new(Kind::BadValue, format!("is out of range in \"{unit}\""));
            bad.add(refusal.at(format!("{argument}[{row}].value")));
        }
        *value = converted;
    }
}

fn hint(has: &str, why: NotConvertible) -> &'static str {
    match why {
        _ if has == NO_UNIT => "Say the unit of what is stored by timedb.update_series(series_id, unit => …) first.",
        NotConvertible::UnknownFrom | NotConvertible::UnknownTo => {
            "A unit that is not UCUM's turns into no other: convert the values, and leave out \"unit\"."
        }
        NotConvertible::OtherDimension => {
            "The two measure different things; name another series for values in another unit."
        }
    }
}
