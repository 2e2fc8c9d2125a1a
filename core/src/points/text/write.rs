//! From points to their text.

use std::fmt::{self, Display, Formatter};

use super::value::{Duration, Value};
use crate::points::bytes::{Corrupt, Ends, Opened, Points, Spacing};

/// The readable and complete text of points.
pub fn to_text(points: &Points) -> Result<String, Corrupt> {
    Ok(points.open()?.to_string())
}

impl Display for Opened<'_> {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        f.write_str("{")?;
        write_times(self, f)?;
        write_ends(self, f)?;
        f.write_str("\"values\":")?;
        write_list(f, self.iter().map(|point| Value(point.value)))?;
        f.write_str("}")
    }
}

fn write_times(points: &Opened, f: &mut Formatter) -> fmt::Result {
    let Some(start) = points.shape().first() else {
        return Ok(());
    };
    match points.shape().form().spacing {
        Spacing::Regular(0) => write!(f, "\"start\":\"{start}\","),
        Spacing::Regular(step) => {
            write!(f, "\"start\":\"{start}\",\"step\":\"{}\",", Duration(step))
        }
        Spacing::Irregular(_) => {
            f.write_str("\"times\":")?;
            write_list(f, points.shape().keys().map(|(start, _)| Quoted(start)))?;
            f.write_str(",")
        }
    }
}

fn write_ends(points: &Opened, f: &mut Formatter) -> fmt::Result {
    match points.shape().form().ends {
        Ends::None => Ok(()),
        Ends::Constant(length) => write!(f, "\"length\":\"{}\",", Duration(length)),
        Ends::Listed(_) => {
            f.write_str("\"ends\":")?;
            write_list(
                f,
                points
                    .shape()
                    .keys()
                    .map(|(_, end)| OrNull(end.map(Quoted))),
            )?;
            f.write_str(",")
        }
    }
}

fn write_list(f: &mut Formatter, items: impl Iterator<Item = impl Display>) -> fmt::Result {
    let mut separator = "[";
    for item in items {
        write!(f, "{separator}{item}")?;
        separator = ",";
    }
    f.write_str(if separator == "[" { "[]" } else { "]" })
}

struct Quoted<T>(T);

impl<T: Display> Display for Quoted<T> {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        write!(f, "\"{}\"", self.0)
    }
}

struct OrNull<T>(Option<T>);

impl<T: Display> Display for OrNull<T> {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        match &self.0 {
            Some(value) => value.fmt(f),
            None => f.write_str("null"),
        }
    }
}
