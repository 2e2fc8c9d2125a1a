//! The fields a row may have: their names, and what a value must be to fill one. It knows neither rows nor their order.

use std::borrow::Cow;

use uuid::Uuid;

use super::{Kind, Refusal, number};
use crate::excerpt::printable;
use crate::time::{FROM_EPOCH, Time};

/// A field of a row, of an upload or of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    ValidTime,
    ValidTimeEnd,
    Value,
    ValueKey,
    SeriesId,
    RunId,
    TenantId,
    Labels,
    Unit,
    KnownTime,
    WorkflowId,
    Annotation,
    Tags,
}

/// A value as it stands in the JSON.
pub(crate) enum Given<'de> {
    Null,
    Number(f64),
    Integer(i128),
    Text(Cow<'de, str>),
    List(Vec<String>),
    /// An object, as its text.
    Object(&'de str),
}

impl Field {
    pub fn name(self) -> &'static str {
        match self {
            Field::ValidTime => "valid_time",
            Field::ValidTimeEnd => "valid_time_end",
            Field::Value => "value",
            Field::ValueKey => "value_key",
            Field::SeriesId => "series_id",
            Field::RunId => "run_id",
            Field::TenantId => "tenant_id",
            Field::Labels => "labels",
            Field::Unit => "unit",
            Field::KnownTime => "known_time",
            Field::WorkflowId => "workflow_id",
            Field::Annotation => "annotation",
            Field::Tags => "tags",
        }
    }

    /// The field that a name stands for, and the name.
    pub(crate) fn named(name: &str) -> Option<(Field, &'static str)> {
        let field = match name {
            "valid_time" => Field::ValidTime,
            "valid_time_end" => Field::ValidTimeEnd,
            "value" => Field::Value,
            "value_key" => Field::ValueKey,
            // What a read calls the key.
            "series_key" => return Some((Field::ValueKey, "series_key")),
            "series_id" => Field::SeriesId,
            "run_id" => Field::RunId,
            "tenant_id" => Field::TenantId,
            "labels" => Field::Labels,
            "unit" => Field::Unit,
            "known_time" => Field::KnownTime,
            "workflow_id" => Field::WorkflowId,
            "annotation" => Field::Annotation,
            "tags" => Field::Tags,
            _ => return None,
        };
        Some((field, field.name()))
    }

    /// What the field takes, in words that follow "must be".
    pub(crate) fn takes(self) -> &'static str {
        match self {
            Field::ValidTime | Field::ValidTimeEnd | Field::KnownTime => "a timestamp in a string",
            Field::Value => r#"a number, null, "NaN", "Infinity" or "-Infinity""#,
            Field::ValueKey | Field::Unit | Field::Annotation | Field::WorkflowId => "a string",
            Field::SeriesId | Field::RunId | Field::TenantId => "a uuid in a string",
            Field::Labels => "a JSON object",
            Field::Tags => "an array of strings",
        }
    }

    pub(crate) fn text<'de>(self, given: Given<'de>) -> Result<Option<Cow<'de, str>>, Refusal> {
        match given {
            Given::Null => Ok(None),
            Given::Text(text) => Ok(Some(text)),
            Given::Number(_) | Given::Integer(_) | Given::List(_) | Given::Object(_) => Err(self.mismatch()),
        }
    }

    pub(crate) fn time(self, given: Given<'_>) -> Result<Option<Time>, Refusal> {
        if let Given::Number(_) | Given::Integer(_) = given {
            return Err(self.mismatch().hint(FROM_EPOCH));
        }
        self.text(given)?.map(|text| time(&text)).transpose()
    }

    pub(crate) fn uuid(self, given: Given<'_>) -> Result<Option<Uuid>, Refusal> {
        self.text(given)?.map(|text| uuid(&text)).transpose()
    }

    /// A value of a point. JSON has no word for what is not finite, so three strings stand for it.
    pub(crate) fn number(self, given: Given<'_>) -> Result<Option<f64>, Refusal> {
        match given {
            Given::Null => Ok(None),
            Given::Number(number) => Ok(Some(number)),
            Given::Integer(integer) => number::integer(integer).map(Some),
            Given::Text(text) => match text.as_ref() {
                "NaN" => Ok(Some(f64::NAN)),
                "Infinity" => Ok(Some(f64::INFINITY)),
                "-Infinity" => Ok(Some(f64::NEG_INFINITY)),
                other => Err(Refusal::new(
                    Kind::BadValue,
                    format!("{} is not {}", quoted(other), self.takes()),
                )),
            },
            Given::List(_) | Given::Object(_) => Err(self.mismatch()),
        }
    }

    pub(crate) fn list(self, given: Given<'_>) -> Result<Option<Vec<String>>, Refusal> {
        match given {
            Given::Null => Ok(None),
            Given::List(list) => Ok(Some(list)),
            Given::Number(_) | Given::Integer(_) | Given::Text(_) | Given::Object(_) => Err(self.mismatch()),
        }
    }

    /// The text of an object.
    pub(crate) fn object<'de>(self, given: Given<'de>) -> Result<Option<&'de str>, Refusal> {
        match given {
            Given::Null => Ok(None),
            Given::Object(text) => Ok(Some(text)),
            Given::Number(_) | Given::Integer(_) | Given::Text(_) | Given::List(_) => Err(self.mismatch()),
        }
    }

    pub(crate) fn mismatch(self) -> Refusal {
        Refusal::new(Kind::BadValue, format!("must be {}", self.takes()))
    }
}

/// What to do with a field that belongs to the run, and not to one of its values.
pub(crate) fn of_the_run(name: &str) -> Option<&'static str> {
    match name {
        "known_time" => Some(
            "A run has one known_time, an argument of the call: upload_runs and upload_runs_arrow take rows that were known at \
             several moments.",
        ),
        "workflow_id" | "run_start_time" | "run_finish_time" | "run_params" => {
            Some("It is of the whole run: an argument of the call.")
        }
        _ => None,
    }
}

/// A field that a row cannot go without; the refusal names it where the row as a whole is looked at.
pub(crate) fn needed<T>(field: Field, given: Option<T>) -> Result<T, Refusal> {
    given.ok_or_else(|| Refusal::new(Kind::BadValue, format!("needs \"{}\"", field.name())))
}

pub(crate) fn not_null<T>(given: Option<T>) -> Result<T, Refusal> {
    given.ok_or_else(|| Refusal::new(Kind::NullNotAllowed, "must not be null"))
}

/// A text no longer than what is stored of its kind.
pub(crate) fn not_longer(text: &str, most_bytes: usize) -> Result<(), Refusal> {
    if text.len() > most_bytes {
        return Err(Refusal::new(
            Kind::TooLong,
            format!("is longer than {most_bytes} bytes"),
        ));
    }
    Ok(())
}

/// An interval ends after it starts.
pub(crate) fn check_end(start: Time, end: Option<Time>) -> Result<(), Refusal> {
    if end.is_some_and(|end| end <= start) {
        return Err(Refusal::new(Kind::BadValue, r#"is not after "valid_time""#).of(Field::ValidTimeEnd));
    }
    Ok(())
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", printable(text))
}

fn time(text: &str) -> Result<Time, Refusal> {
    Time::parse(text).map_err(|error| {
        let kind = if error.is_out_of_range() {
            Kind::TimeOutOfRange
        } else {
            Kind::BadTime
        };
        Refusal::new(kind, error.to_string()).hint(error.hint())
    })
}

pub(crate) fn uuid(text: &str) -> Result<Uuid, Refusal> {
    Uuid::try_parse(text).map_err(|_| Refusal::new(Kind::BadUuid, format!("{} is not a uuid", quoted(text))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_found_by_its_name() {
        use Field::*;
        for field in [
            ValidTime,
            ValidTimeEnd,
            Value,
            ValueKey,
            SeriesId,
            RunId,
            TenantId,
            Labels,
            Unit,
            KnownTime,
            WorkflowId,
            Annotation,
            Tags,
        ] {
            assert_eq!(Field::named(field.name()), Some((field, field.name())));
        }
        assert_eq!(Field::named("series_key"), Some((ValueKey, "series_key")));
        assert_eq!(Field::named("VALUE"), None);
    }
}
