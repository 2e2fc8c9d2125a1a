//! The unit that a read is asked for: what turns the values of each series into it, and why those of some turn into none such.
//! What a unit is says `timedb_core::unit`.

use crate::error::{Error, Result};
use crate::verbs::series::another_unit;
use timedb_core::answer::Series;
use timedb_core::blank::unless_blank;
use timedb_core::limits::LONGEST_UNIT;
use timedb_core::unit::{Conversion, NotConvertible, conversion};

pub struct Asked {
    unit: String,
    /// What turned the series before into it, and from which unit: mostly the next one has the same.
    last: Option<(String, Conversion)>,
}

impl Asked {
    /// None where it is left out.
    pub fn of(unit: Option<String>) -> Result<Option<Asked>> {
        let unit = unit.filter(|unit| unless_blank(Some(unit)).is_some());
        let asked = unit.map(|unit| Asked { unit, last: None });
        if let Some(asked) = &asked {
            Error::if_longer("unit", &asked.unit, LONGEST_UNIT)?;
        }
        Ok(asked)
    }

    /// The series has the unit asked for from now on; what turns its values into it is answered, where anything need.
    pub fn of_series(&mut self, series: &mut Series) -> Result<Option<Conversion>> {
        if series.unit == self.unit {
            return Ok(None);
        }
        let conversion = match &self.last {
            Some((from, conversion)) if *from == series.unit => *conversion,
            _ => {
                let found = conversion(&series.unit, &self.unit).map_err(|why| self.refusal(series, why))?;
                self.last.insert((series.unit.clone(), found)).1
            }
        };
        series.unit.clone_from(&self.unit);
        Ok((!conversion.is_none()).then_some(conversion))
    }

    fn refusal(&self, series: &Series, why: NotConvertible) -> Error {
        let (reason, hint) = match why {
            NotConvertible::UnknownTo => (
                format!("is \"{}\", which is no unit that is known", self.unit),
                "Units are those of UCUM: \"MW\", \"kW.h\", \"m/s\", \"Cel\".",
            ),
            NotConvertible::UnknownFrom => (
                another_unit(&self.unit, &series.key, &series.unit),
                "The unit of the series is not known, and turns into no other: read the series without \"unit\".",
            ),
            NotConvertible::OtherDimension => (
                another_unit(&self.unit, &series.key, &series.unit),
                "The two measure different things: read by series_keys, series_ids or labels what \"unit\" is for.",
            ),
        };
        Error::BadArgument {
            argument: "unit",
            reason,
            hint: Some(hint),
        }
    }
}
