//! The server counts the rows of what it is sent, and calls their columns by its own names: what it refuses is told as rows
//! and columns of the file.

use anyhow::Error;

use crate::columns::{Ready, Values};

const ROW: &str = "stream[";

pub fn in_file(error: postgres::Error, file: &str, ready: &Ready) -> Error {
    let Some(told) = error.as_db_error().filter(|told| told.message().contains(ROW)) else {
        return error.into();
    };
    let mut words = format!("nothing is stored\n{}", translated(told.message(), file, ready));
    for (label, text) in [("DETAIL", told.detail()), ("HINT", told.hint())] {
        if let Some(text) = text {
            words.push_str(&format!("\n{label}:  {}", translated(text, file, ready)));
        }
    }
    Error::msg(words)
}

/// With `FILE:LINE: column "NAME"` for each `stream[ROW].FIELD`.
fn translated(text: &str, file: &str, ready: &Ready) -> String {
    let mut parts = text.split(ROW);
    let mut words = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let Some((row, rest)) = part
            .split_once(']')
            .and_then(|(row, rest)| Some((row.parse().ok()?, rest)))
        else {
            words.push_str(ROW);
            words.push_str(part);
            continue;
        };
        words.push_str(&format!("{file}:{}", ready.lines.of(row)));
        let rest = match rest.strip_prefix('.') {
            None => rest,
            Some(rest) => {
                let end = rest
                    .find(|c: char| !c.is_ascii_lowercase() && c != '_')
                    .unwrap_or(rest.len());
                words.push_str(&format!(": column \"{}\"", column(&rest[..end], row, ready)));
                &rest[end..]
            }
        };
        words.push_str(rest);
    }
    words
}

fn column(field: &str, row: u64, ready: &Ready) -> String {
    let meaning = &ready.meaning;
    let place = match (field, &meaning.values) {
        ("valid_time", _) => Some(meaning.valid_time),
        ("valid_time_end", _) => meaning.valid_time_end,
        ("known_time", _) => meaning.known_time,
        ("unit", _) => meaning.unit,
        ("labels", _) => meaning.labels,
        ("annotation", _) => meaning.annotation,
        ("tags", _) => meaning.tags,
        ("value", Values::Long { value, .. }) => Some(*value),
        (_, Values::Long { series, .. }) => Some(*series),
        (_, Values::Wide(columns)) => columns
            .get((row % columns.len() as u64) as usize)
            .map(|(place, _)| *place),
    };
    place.map_or(field.to_owned(), |place| ready.names.field(place).name().clone())
}
