//! From text to points. Whatever does not fit together is refused, so that no typing error becomes data.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{self, Deserializer, SeqAccess, Visitor};

use super::value::{Duration, Moment, Value};
use crate::limits::MOST_POINTS;
use crate::points::Point;
use crate::time::Time;

const MESSAGE_CHARS: usize = 200;

/// Why a text is not the text of points.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TextError(String);

/// The text of points, not yet fitted together.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Text {
    start: Option<Moment>,
    step: Option<Duration>,
    times: Option<Bounded<Moment>>,
    length: Option<Duration>,
    ends: Option<Bounded<Option<Moment>>>,
    values: Bounded<Value>,
}

/// A list that is refused at the element after [`MOST_POINTS`], before memory is spent on the rest.
struct Bounded<T>(Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Bounded<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Bounded<T>, D::Error> {
        struct Elements<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Elements<T> {
            type Value = Bounded<T>;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                write!(f, "an array of at most {MOST_POINTS} elements")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Bounded<T>, A::Error> {
                let mut list = Vec::new();
                while let Some(element) = elements.next_element()? {
                    if list.len() == MOST_POINTS {
                        return Err(de::Error::invalid_length(MOST_POINTS + 1, &self));
                    }
                    list.push(element);
                }
                Ok(Bounded(list))
            }
        }
        deserializer.deserialize_seq(Elements(PhantomData))
    }
}

/// The points a text holds, in its order: packing them checks that this is ascending.
pub fn from_text(text: &str) -> Result<Vec<Point>, TextError> {
    // serde would also take an array of the fields in the order they are declared.
    if !text.trim_ascii_start().starts_with('{') {
        return Err(TextError::new("points are not a JSON object"));
    }
    let text: Text = serde_json::from_str(text).map_err(TextError::new)?;
    text.points()
}

impl Text {
    /// In the order of the text.
    pub fn points(&self) -> Result<Vec<Point>, TextError> {
        let starts = starts(self)?;
        let ends = ends(self, &starts)?;
        let points = starts.into_iter().zip(ends).zip(&self.values.0);
        Ok(points
            .map(|((start, end), value)| Point {
                start,
                end,
                value: value.0,
            })
            .collect())
    }
}

fn starts(text: &Text) -> Result<Vec<Time>, TextError> {
    let count = text.values.0.len();
    match (&text.start, &text.step, &text.times) {
        (None, None, Some(times)) => {
            same_length("times", times.0.len(), count)?;
            Ok(times.0.iter().map(|time| time.0).collect())
        }
        (Some(start), step, None) => grid(start.0, step.as_ref(), count),
        (None, None, None) if count == 0 => Ok(Vec::new()),
        (None, None, None) => Err(TextError::new("\"values\" need \"start\" or \"times\"")),
        (None, Some(_), None) => Err(TextError::new("\"step\" needs \"start\"")),
        (Some(_), _, Some(_)) => Err(TextError::new("\"start\" and \"times\" exclude each other")),
        (None, Some(_), Some(_)) => Err(TextError::new("\"step\" and \"times\" exclude each other")),
    }
}

fn grid(start: Time, step: Option<&Duration>, count: usize) -> Result<Vec<Time>, TextError> {
    let step = match step {
        Some(step) => step.0,
        None if count < 2 => 0,
        None => {
            return Err(TextError::new("\"start\" of two values or more needs \"step\""));
        }
    };
    let later = std::iter::successors(Some(Ok(start)), |time| time.as_ref().ok().map(|&time| plus(time, step)));
    later.take(count).collect()
}

fn ends(text: &Text, starts: &[Time]) -> Result<Vec<Option<Time>>, TextError> {
    match (&text.length, &text.ends) {
        (None, None) => Ok(vec![None; starts.len()]),
        (Some(length), None) => starts.iter().map(|&start| plus(start, length.0).map(Some)).collect(),
        (None, Some(ends)) => {
            same_length("ends", ends.0.len(), starts.len())?;
            Ok(ends.0.iter().map(|end| end.as_ref().map(|end| end.0)).collect())
        }
        (Some(_), Some(_)) => Err(TextError::new("\"length\" and \"ends\" exclude each other")),
    }
}

fn same_length(name: &str, length: usize, values: usize) -> Result<(), TextError> {
    if length == values {
        return Ok(());
    }
    Err(TextError::new(format_args!(
        "\"{name}\" has {length} elements, \"values\" has {values}"
    )))
}

fn plus(time: Time, micros: i64) -> Result<Time, TextError> {
    let sum = time.micros().checked_add(micros).and_then(Time::from_micros);
    sum.ok_or_else(|| TextError::new("a time is out of range"))
}

impl TextError {
    /// serde's messages hold what it did not understand, which may be very long.
    pub(crate) fn new(message: impl fmt::Display) -> TextError {
        TextError(message.to_string().chars().take(MESSAGE_CHARS).collect())
    }
}

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for TextError {}
