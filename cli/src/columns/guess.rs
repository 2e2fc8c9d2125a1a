//! Which column is what: said by whoever uploads, or guessed by its name, and then told.

use anyhow::Result;
use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, Schema};
use clap::Args;

use super::number;
use crate::failure::Usage;

/// Which columns are which, as far as somebody says it.
#[derive(Args, Clone, Default)]
pub struct Choice {
    /// The column with the times that the values are about
    #[arg(long, value_name = "COLUMN")]
    valid_time: Option<String>,
    /// The column with the ends of intervals
    #[arg(long, value_name = "COLUMN")]
    valid_time_end: Option<String>,
    /// A column with values; several times where each column is a series, which has the column's name
    #[arg(long, value_name = "COLUMN")]
    value: Vec<String>,
    /// The column that says of which series a row is
    #[arg(long, value_name = "COLUMN", conflicts_with = "series_name")]
    series: Option<String>,
    /// The series that all rows are of
    #[arg(long, value_name = "NAME")]
    pub series_name: Option<String>,
    /// The column that says when each row was known: there is a run for each moment
    #[arg(long, value_name = "COLUMN")]
    known_time_column: Option<String>,
}

/// What each column of a file is: its place.
pub struct Meaning {
    pub valid_time: usize,
    pub valid_time_end: Option<usize>,
    pub known_time: Option<usize>,
    pub unit: Option<usize>,
    pub labels: Option<usize>,
    pub annotation: Option<usize>,
    pub tags: Option<usize>,
    pub values: Values,
    /// The names of columns that are left out.
    pub left_out: Vec<String>,
}

pub enum Values {
    /// A column says the series of each row, by its key or by its id.
    Long { value: usize, series: usize, by_id: bool },
    /// A series for each column, with its name.
    Wide(Vec<(usize, String)>),
}

/// What a column may be called, the best name first.
const VALID_TIME: &[&str] = &[
    "valid_time",
    "time",
    "timestamp",
    "datetime",
    "date_time",
    "date",
    "valid_from",
    "valid_time_start",
    "start_time",
    "start",
    "ts",
    "utc",
];
const VALID_TIME_END: &[&str] = &["valid_time_end", "valid_to", "valid_until", "end_time", "end"];
const KNOWN_TIME: &[&str] = &[
    "known_time",
    "knowledge_time",
    "known_at",
    "issue_time",
    "issued_at",
    "reference_time",
];
const VALUE: &[&str] = &["value", "values", "val"];
const SERIES: &[&str] = &[
    "value_key",
    "series_key",
    "series",
    "series_name",
    "key",
    "name",
    "variable",
    "metric",
];
const SERIES_ID: &[&str] = &["series_id"];
const UNIT: &[&str] = &["unit", "units", "series_unit"];
const LABELS: &[&str] = &["labels"];
const ANNOTATION: &[&str] = &["annotation", "annotations", "comment", "remark"];
const TAGS: &[&str] = &["tags"];

struct Columns<'a> {
    names: Vec<&'a str>,
    taken: Vec<usize>,
}

impl Choice {
    /// What the columns are, by their names and by the first rows.
    pub fn decide(&self, schema: &Schema, first: &RecordBatch) -> Result<Meaning> {
        let names = schema.fields().iter().map(|field| field.name().as_str()).collect();
        let mut columns = Columns {
            names,
            taken: Vec::new(),
        };
        for value in &self.value {
            let place = columns.named(value)?;
            columns.taken.push(place);
        }
        let valid_time = columns.find("the valid time", "--valid-time", self.valid_time.as_deref(), VALID_TIME)?;
        let valid_time = valid_time.ok_or_else(|| {
            let names = columns.listed(0..columns.names.len());
            Usage(format!(
                "no column is called as a valid time is: say which of {names} by --valid-time"
            ))
        })?;
        let end = self.valid_time_end.as_deref();
        let valid_time_end = columns.find("the end of the valid time", "--valid-time-end", end, VALID_TIME_END)?;
        let known = self.known_time_column.as_deref();
        let known_time = columns.find("the known time", "--known-time-column", known, KNOWN_TIME)?;
        let [unit, labels, annotation, tags] = [
            ("unit", UNIT),
            ("labels", LABELS),
            ("annotation", ANNOTATION),
            ("tags", TAGS),
        ]
        .map(|(what, names)| columns.find(what, "another name", None, names));
        let (unit, labels, annotation, tags) = (unit?, labels?, annotation?, tags?);
        let values = self.values(&mut columns, schema, first)?;
        let left_out = (0..columns.names.len()).filter(|place| !columns.taken.contains(place));
        Ok(Meaning {
            valid_time,
            valid_time_end,
            known_time,
            unit,
            labels,
            annotation,
            tags,
            left_out: left_out.map(|place| columns.names[place].to_owned()).collect(),
            values,
        })
    }

    fn values(&self, columns: &mut Columns<'_>, schema: &Schema, first: &RecordBatch) -> Result<Values> {
        let series = match self.series_name {
            Some(_) => None,
            None => columns.find("the series", "--series", self.series.as_deref(), SERIES)?,
        };
        let by_id = series.is_none() && self.series_name.is_none() && self.value.is_empty();
        let id = if by_id {
            columns.find("the series", "--series", None, SERIES_ID)?
        } else {
            None
        };
        if let Some(series) = series.or(id) {
            let value = match &self.value[..] {
                [] => columns.only_value(schema, first)?,
                [value] => columns.named(value)?,
                _ => {
                    return Err(Usage(
                        "a column that says the series, and several with values: say --series-name or one --value"
                            .to_owned(),
                    )
                    .into());
                }
            };
            columns.taken.push(value);
            let by_id = id.is_some();
            return Ok(Values::Long { value, series, by_id });
        }
        if let Some(name) = &self.series_name {
            let value = match &self.value[..] {
                [] => columns.only_value(schema, first)?,
                [value] => columns.named(value)?,
                _ => return Err(Usage("one --series-name is of one --value".to_owned()).into()),
            };
            columns.taken.push(value);
            return Ok(Values::Wide(vec![(value, name.clone())]));
        }
        let places = match &self.value[..] {
            [] => columns.numeric(schema, first),
            given => given.iter().map(|value| columns.named(value)).collect::<Result<_>>()?,
        };
        columns.taken.extend(&places);
        let wide: Vec<(usize, String)> = places
            .iter()
            .map(|&place| (place, columns.names[place].to_owned()))
            .collect();
        match &wide[..] {
            [] => Err(Usage("no column has numbers: say which by --value".to_owned()).into()),
            // A series that is called "value" is rarely meant.
            [(_, name)] if self.value.is_empty() && VALUE.contains(&normal(name).as_str()) => {
                Err(Usage("no column says the series: --series-name NAME does".to_owned()).into())
            }
            _ => Ok(Values::Wide(wide)),
        }
    }
}

impl Columns<'_> {
    fn named(&self, name: &str) -> Result<usize> {
        let place = self.names.iter().position(|known| *known == name);
        place.ok_or_else(|| {
            let names = self.listed(0..self.names.len());
            Usage(format!("there is no column \"{name}\": there are {names}")).into()
        })
    }

    /// The column that is said, or else the one with the best name; of two that are as good neither is taken.
    fn find(&mut self, what: &str, option: &str, said: Option<&str>, names: &[&str]) -> Result<Option<usize>> {
        let place = match said {
            Some(name) => Some(self.named(name)?),
            None => {
                let fits =
                    |place: &usize| !self.taken.contains(place) && names.contains(&normal(self.names[*place]).as_str());
                let fitting: Vec<usize> = (0..self.names.len()).filter(fits).collect();
                let best = fitting.iter().find(|&&place| normal(self.names[place]) == names[0]);
                match (best, &fitting[..]) {
                    (Some(&best), _) => Some(best),
                    (None, []) => None,
                    (None, [only]) => Some(*only),
                    (None, several) => {
                        let several = self.listed(several.iter().copied());
                        return Err(Usage(format!("{several} may each be {what}: say which by {option}")).into());
                    }
                }
            }
        };
        self.taken.extend(place);
        Ok(place)
    }

    fn only_value(&self, schema: &Schema, first: &RecordBatch) -> Result<usize> {
        let is_value =
            |place: &usize| VALUE.contains(&normal(self.names[*place]).as_str()) && !self.taken.contains(place);
        let named: Vec<usize> = (0..self.names.len()).filter(is_value).collect();
        let fitting = if named.is_empty() {
            self.numeric(schema, first)
        } else {
            named
        };
        match &fitting[..] {
            [only] => Ok(*only),
            [] => Err(Usage("no column has numbers: say which by --value".to_owned()).into()),
            several => {
                let several = self.listed(several.iter().copied());
                Err(Usage(format!("{several} may each be the value: say which by --value")).into())
            }
        }
    }

    /// The columns of numbers that are not taken.
    fn numeric(&self, schema: &Schema, first: &RecordBatch) -> Vec<usize> {
        let is_left = |place: &usize| {
            let name = normal(self.names[*place]);
            // What a read says beside the values.
            !self.taken.contains(place)
                && !matches!(
                    name.as_str(),
                    "" | "run_id" | "series_id" | "change_time" | "changed_by"
                )
        };
        let is_numeric = |place: &usize| match schema.field(*place).data_type() {
            DataType::Utf8 => looks_numeric(first.column(*place)),
            of => of.is_numeric(),
        };
        (0..self.names.len()).filter(is_left).filter(is_numeric).collect()
    }

    fn listed(&self, places: impl IntoIterator<Item = usize>) -> String {
        let names: Vec<String> = places
            .into_iter()
            .map(|place| format!("\"{}\"", self.names[place]))
            .collect();
        names.join(", ")
    }
}

/// Whether texts are mostly numbers: one that is none is then told by its row.
fn looks_numeric(column: &dyn Array) -> bool {
    let texts: Vec<&str> = column.as_string::<i32>().iter().flatten().collect();
    let numbers = texts.iter().filter(|text| number::looks_like_one(text)).count();
    numbers > 0 && numbers * 2 > texts.len()
}

/// Names go without their case, and whatever stands between two words.
fn normal(name: &str) -> String {
    let name = name.trim().to_lowercase();
    name.replace([' ', '-', '.'], "_")
}

impl Meaning {
    /// For a run that is known at a moment that somebody says.
    pub fn leave_out_known_time(&mut self, schema: &Schema) {
        if let Some(place) = self.known_time.take() {
            self.left_out.push(schema.field(place).name().clone());
        }
    }
}
