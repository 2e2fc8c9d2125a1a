//! From points to their text.

use std::io;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::ser::Formatter;

use super::value::{Duration, Moment, Value};
use crate::points::bytes::{Corrupt, Ends, Opened, Points, Spacing};

/// The readable and complete text of points.
pub fn to_text(points: &Points) -> Result<String, Corrupt> {
    Ok(json(&points.open()?))
}

/// The JSON of what has points in it, with numbers as Rust writes them.
pub(crate) fn json(value: &impl Serialize) -> String {
    let mut bytes = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, Numbers);
    let written = value.serialize(&mut serializer);
    debug_assert!(written.is_ok(), "a vector takes every byte");
    String::from_utf8(bytes).unwrap_or_default()
}

/// The form in which the text of points has had its numbers since its first version: the shortest that is read back bit for
/// bit, but with an exponent earlier than serde_json's own.
struct Numbers;

impl Formatter for Numbers {
    fn write_f64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        write!(writer, "{value:?}")
    }
}

impl Serialize for Opened<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(None)?;
        let form = self.shape().form();
        let keys = || self.shape().keys();
        match (self.shape().first(), form.spacing) {
            (None, _) => {}
            (Some(start), Spacing::Regular(step)) => {
                object.serialize_entry("start", &Moment(start))?;
                if step != 0 {
                    object.serialize_entry("step", &Duration(step))?;
                }
            }
            (Some(_), Spacing::Irregular(_)) => {
                let times = keys().map(|(start, _)| Moment(start));
                object.serialize_entry("times", &List(times))?;
            }
        }
        match form.ends {
            Ends::None => {}
            Ends::Constant(length) => object.serialize_entry("length", &Duration(length))?,
            Ends::Listed(_) => {
                let ends = keys().map(|(_, end)| end.map(Moment));
                object.serialize_entry("ends", &List(ends))?;
            }
        }
        let values = self.iter().map(|point| Value(point.value));
        object.serialize_entry("values", &List(values))?;
        object.end()
    }
}

/// What an iterator brings, as a JSON array, without a list of it in between.
struct List<I>(I);

impl<I: Iterator<Item: Serialize> + Clone> Serialize for List<I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.clone())
    }
}
