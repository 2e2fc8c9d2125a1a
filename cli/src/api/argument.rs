//! The arguments of a call: what a client has sent, checked by name against the catalog, as texts for Postgres to read.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::de::Error as _;
use serde_json::value::RawValue;

use super::catalog::{Argument, Function};
use super::failure::Failure;
use super::transaction::Parameter;

/// As many as Postgres has. Each is a call on the stack: a client decides how many there are, and may have shown no key yet.
const DIMENSIONS: usize = 6;

/// What was given for the arguments of a function, by their places.
#[derive(Default)]
pub struct Given(BTreeMap<usize, Parameter>);

impl Given {
    /// From the query of a URL.
    pub fn of_query(function: &Function, query: Option<&str>) -> Result<Self, Failure> {
        let mut given = Self::default();
        for (name, value) in pairs(query) {
            let at = place(function, &name)?;
            let value = match function.arguments[at].is_time() {
                true => with_offset(value),
                false => value,
            };
            given.take(function, at, Parameter::Text(Some(value)))?;
        }
        Ok(given)
    }

    /// From a JSON object. As it stands there, a value of JSON may be as large as the body: it is not taken apart here.
    pub fn of_json(function: &Function, body: &[u8]) -> Result<Self, Failure> {
        let mut given = Self::default();
        if body.iter().all(u8::is_ascii_whitespace) {
            return Ok(given);
        }
        let fields: BTreeMap<String, &RawValue> = serde_json::from_slice(body)
            .map_err(|error| Failure::bad(format!("the body is no JSON object: {error}")))?;
        for (name, value) in fields {
            let at = place(function, &name)?;
            let text =
                text(&function.arguments[at], value.get()).map_err(|error| Failure::bad(format!("{name}: {error}")))?;
            given.take(function, at, Parameter::Text(text))?;
        }
        Ok(given)
    }

    /// A stream of Arrow is the one argument of bytes.
    pub fn with_stream(mut self, function: &Function, body: Bytes) -> Result<Self, Failure> {
        let at = function.arguments.iter().position(Argument::is_bytes);
        let at = at.ok_or_else(|| Failure::bad(format!("{} takes no Arrow: send JSON", function.name)))?;
        self.take(function, at, Parameter::Bytes(body))?;
        Ok(self)
    }

    pub fn has(&self, function: &Function, name: &str) -> bool {
        self.0.keys().any(|at| function.arguments[*at].name == name)
    }

    fn take(&mut self, function: &Function, at: usize, parameter: Parameter) -> Result<(), Failure> {
        match self.0.insert(at, parameter) {
            None => Ok(()),
            Some(_) => {
                let name = &function.arguments[at].name;
                Err(Failure::bad(format!("{name} is given twice")))
            }
        }
    }

    /// The call, of the catalog's own names, and its parameters.
    pub fn call(self, function: &Function) -> Result<(String, Vec<Parameter>), Failure> {
        let missing = |(at, argument): &(usize, &Argument)| argument.is_required && !self.0.contains_key(at);
        if let Some((_, argument)) = function.arguments.iter().enumerate().find(missing) {
            return Err(Failure::bad(format!("{} needs {}", function.name, argument.name)));
        }
        let mut words = Vec::new();
        let mut parameters = Vec::new();
        for (at, parameter) in self.0 {
            let Argument { name, kind, .. } = &function.arguments[at];
            parameters.push(parameter);
            let sent_as = match parameters.last() {
                Some(Parameter::Bytes(_)) => "pg_catalog.bytea",
                _ => "pg_catalog.text",
            };
            words.push(format!("{} => ${}::{sent_as}::{kind}", quoted(name), parameters.len()));
        }
        Ok((
            format!("timedb.{}({})", quoted(&function.name), words.join(", ")),
            parameters,
        ))
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn place(function: &Function, name: &str) -> Result<usize, Failure> {
    let at = function.arguments.iter().position(|argument| argument.name == name);
    at.ok_or_else(|| {
        let names: Vec<&str> = function
            .arguments
            .iter()
            .map(|argument| argument.name.as_str())
            .collect();
        let known = match names.is_empty() {
            true => "none".to_owned(),
            false => names.join(", "),
        };
        // A name may be anything, a key that should have been in the header, too: it is repeated where it looks like one.
        let asked = match name.len() <= 40 && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') {
            true => format!("no argument \"{name}\""),
            false => "no such argument".to_owned(),
        };
        Failure::bad(format!("{} has {asked}; it has {known}", function.name))
    })
}

pub fn pairs(query: Option<&str>) -> impl Iterator<Item = (String, String)> {
    let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    pairs.map(|(name, value)| (name.into_owned(), value.into_owned()))
}

/// Of a time with an offset, which must be written `%2B00:00` in a URL, a browser or curl makes a blank where it was not:
/// nothing else in a time with a T can be one.
fn with_offset(time: String) -> String {
    match time.contains('T') && time.matches(' ').count() == 1 {
        true => time.replace(' ', "+"),
        false => time,
    }
}

/// A value of JSON as Postgres reads one of the argument's type: as `json_to_record` does it, by which PostgREST has it.
fn text(argument: &Argument, json: &str) -> Result<Option<String>, serde_json::Error> {
    if json == "null" {
        return Ok(None);
    }
    if argument.is_json() {
        return Ok(Some(json.to_owned()));
    }
    if argument.is_array && json.starts_with('[') {
        let elements: Vec<&RawValue> = serde_json::from_str(json)?;
        return array(&elements, DIMENSIONS).map(Some);
    }
    if json.starts_with('"') {
        return serde_json::from_str(json).map(Some);
    }
    Ok(Some(json.to_owned()))
}

fn array(elements: &[&RawValue], dimensions: usize) -> Result<String, serde_json::Error> {
    if dimensions == 0 {
        let words = format!("an array has at most {DIMENSIONS} dimensions");
        return Err(serde_json::Error::custom(words));
    }
    let mut words = Vec::with_capacity(elements.len());
    for element in elements {
        let json = element.get();
        words.push(match json.as_bytes() {
            b"null" => "NULL".to_owned(),
            [b'[', ..] => array(&serde_json::from_str::<Vec<&RawValue>>(json)?, dimensions - 1)?,
            [b'"', ..] => element_of(&serde_json::from_str::<String>(json)?),
            // Numbers, and objects of JSON.
            _ => element_of(json),
        });
    }
    Ok(format!("{{{}}}", words.join(",")))
}

fn element_of(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn argument(kind: &str) -> Argument {
        Argument {
            name: "it".into(),
            kind: kind.into(),
            is_required: false,
            is_array: kind.ends_with("[]"),
        }
    }

    #[test]
    fn values_of_json_become_the_texts_that_postgres_reads() {
        let cases = [
            ("text", "null", None),
            ("text", r#""a\"b""#, Some("a\"b")),
            ("integer", "5", Some("5")),
            ("boolean", "true", Some("true")),
            ("jsonb", r#"{"a": [1]}"#, Some(r#"{"a": [1]}"#)),
            ("json", r#""text""#, Some(r#""text""#)),
            (
                "text[]",
                r#"["a,b", "q\"\\", null, "NULL", ""]"#,
                Some(r#"{"a,b","q\"\\",NULL,"NULL",""}"#),
            ),
            ("text[]", r#""{a,b}""#, Some("{a,b}")),
            ("double precision[]", r#"[1, "NaN", null]"#, Some(r#"{"1","NaN",NULL}"#)),
            ("jsonb[]", r#"[{"a": "b"}, null]"#, Some(r#"{"{\"a\": \"b\"}",NULL}"#)),
            ("integer[]", "[[1,2],[3,4]]", Some(r#"{{"1","2"},{"3","4"}}"#)),
        ];
        for (kind, json, expected) in cases {
            let read = text(&argument(kind), json).expect("JSON");
            assert_eq!(read.as_deref(), expected, "{kind} {json}");
        }
    }

    #[test]
    fn a_plus_that_became_a_blank_is_a_plus_and_other_blanks_stay() {
        let kept = |time: &str| with_offset(time.to_owned());
        assert_eq!(kept("2025-01-01T00:00:00 02:00"), "2025-01-01T00:00:00+02:00");
        assert_eq!(kept("2025-01-01 00:00:00"), "2025-01-01 00:00:00");
        assert_eq!(kept("2025-01-01T00:00:00Z"), "2025-01-01T00:00:00Z");
    }
}
