//! The labels of a series as they come in a row: the text of a JSON object. What is equal is for Postgres to say; here is
//! looked at what Postgres would refuse without telling in which row it stands.

use std::rc::Rc;

use serde_json::Value;

use super::shared::{Bytes, Shared};
use super::{Field, Kind, Refusal};
use crate::limits::LONGEST_LABELS_TEXT;

/// The texts of labels that rows have, each kept once.
#[derive(Debug, Default)]
pub(crate) struct LabelTexts(Shared<str>);

impl LabelTexts {
    /// The number of a text, if it stands for any labels.
    pub(crate) fn number(&mut self, text: &str, bytes: &mut Bytes) -> Result<Option<u32>, Refusal> {
        if let Some(number) = self.0.find(text) {
            return Ok(Some(number));
        }
        if are_none(text) {
            return Ok(None);
        }
        check(text)?;
        bytes.add(text.len())?;
        Ok(Some(self.0.keep(text)))
    }

    /// By their numbers.
    pub(crate) fn finish(self) -> Vec<Rc<str>> {
        self.0.finish()
    }
}

/// As low an exponent as a number in labels may have.
const MOST_PLACES: u32 = 1000;

/// Whether the text stands for no labels at all.
fn are_none(text: &str) -> bool {
    let text = text.trim();
    let within = text.strip_prefix('{').and_then(|text| text.strip_suffix('}'));
    text == "null" || within.is_some_and(|within| within.trim().is_empty())
}

/// Whether a text can be the labels of a series.
fn check(text: &str) -> Result<(), Refusal> {
    refusal(text).map_or(Ok(()), |refusal| Err(refusal.of(Field::Labels)))
}

fn refusal(text: &str) -> Option<Refusal> {
    if text.len() > LONGEST_LABELS_TEXT {
        let reason = format!("is longer than {LONGEST_LABELS_TEXT} bytes");
        return Some(Refusal::new(Kind::TooLong, reason));
    }
    let labels = match serde_json::from_str::<Value>(text) {
        Ok(labels @ Value::Object(_)) => labels,
        Ok(_) => return Some(must_be()),
        Err(error) => return Some(unreadable(&error)),
    };
    if has_zero_character(&labels) {
        return Some(Refusal::new(Kind::BadCharacter, r"contains \u0000"));
    }
    has_small_number(text).then(|| Refusal::new(Kind::NumberOutOfRange, "has a number that is too small"))
}

fn must_be() -> Refusal {
    Refusal::new(Kind::BadValue, format!("must be {}", Field::Labels.takes()))
}

fn unreadable(error: &serde_json::Error) -> Refusal {
    let text = error.to_string();
    if text.starts_with("number out of range") {
        Refusal::new(Kind::NumberOutOfRange, "has a number that is too large")
    } else if text.starts_with("recursion limit exceeded") {
        Refusal::new(Kind::TooLong, "is nested too deeply")
    } else if text.contains("surrogate") || text.starts_with("unexpected end of hex escape") {
        Refusal::new(Kind::BadCharacter, "contains half of a surrogate pair")
    } else {
        must_be()
    }
}

fn has_zero_character(json: &Value) -> bool {
    match json {
        Value::String(text) => text.contains('\0'),
        Value::Array(elements) => elements.iter().any(has_zero_character),
        Value::Object(fields) => fields
            .iter()
            .any(|(name, value)| name.contains('\0') || has_zero_character(value)),
        _ => false,
    }
}

/// Whether a number has so low an exponent that Postgres, whose numbers end after 16,383 digits behind the point, may not have
/// it. The text is JSON.
fn has_small_number(text: &str) -> bool {
    let (mut is_in_string, mut is_escaped, mut before) = (false, false, b' ');
    for (place, byte) in text.bytes().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => is_in_string = !is_in_string,
            b'e' | b'E' if !is_in_string && before.is_ascii_digit() => {
                let exponent = text[place + 1..].strip_prefix('-').unwrap_or_default();
                let digits = exponent.bytes().take_while(u8::is_ascii_digit).count();
                if exponent[..digits].parse().unwrap_or(0) > MOST_PLACES || digits > 9 {
                    return true;
                }
            }
            _ => {}
        }
        before = byte;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_labels_are_an_empty_object_or_null() {
        for text in ["{}", " { \n} ", "null", " null"] {
            assert!(are_none(text), "{text}");
        }
        for text in [r#"{"a":1}"#, "[]", "", "{", "nul", "{}}"] {
            assert!(!are_none(text), "{text}");
        }
    }

    #[test]
    fn what_postgres_would_refuse_is_refused_before() {
        let deep = format!(r#"{{"a":{}{}}}"#, "[".repeat(200), "]".repeat(200));
        let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(LONGEST_LABELS_TEXT));
        for (text, kind, reason) in [
            ("[]", Kind::BadValue, "must be a JSON object"),
            ("7", Kind::BadValue, "must be a JSON object"),
            (r#"{"a":"#, Kind::BadValue, "must be a JSON object"),
            (r#"{"a":"\u0000"}"#, Kind::BadCharacter, r"contains \u0000"),
            (r#"{"a":["\u0000"]}"#, Kind::BadCharacter, r"contains \u0000"),
            (r#"{"\u0000":1}"#, Kind::BadCharacter, r"contains \u0000"),
            (
                r#"{"a":"\ud800"}"#,
                Kind::BadCharacter,
                "contains half of a surrogate pair",
            ),
            (
                r#"{"a":1e400}"#,
                Kind::NumberOutOfRange,
                "has a number that is too large",
            ),
            (
                r#"{"a":1e-99999999999}"#,
                Kind::NumberOutOfRange,
                "has a number that is too small",
            ),
            (
                r#"{"a":1e-20000}"#,
                Kind::NumberOutOfRange,
                "has a number that is too small",
            ),
            (&deep, Kind::TooLong, "is nested too deeply"),
            (&long, Kind::TooLong, "is longer than 16384 bytes"),
        ] {
            let refusal = check(text).expect_err(text);
            assert_eq!((refusal.kind, refusal.reason.as_str()), (kind, reason), "{text}");
            assert_eq!(refusal.field, Some(Field::Labels));
        }
        for text in [
            r#"{"a":1}"#,
            r#"{"a":0.0,"mode":"1e-20000","x\"1e-20000":1e-300}"#,
            r#"{"a":{"b":[1,null,true,false,"\ud83d\ude00"]}}"#,
        ] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
    }
}
