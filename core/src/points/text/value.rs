//! The atoms of the text: a value, a moment, a duration, each as JSON has it.

use std::fmt;

use jiff::SignedDuration;
use jiff::fmt::temporal::SpanParser;
use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};
use serde::ser::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::rows::number;
use crate::time::Time;

const NAN: u64 = 0x7ff8_0000_0000_0000;
const NAN_PREFIX: &str = "NaN:";
const NAN_DIGITS: usize = 16;
const TAKEN: &str = "a number, null, \"NaN\", \"Infinity\" or \"-Infinity\"";

/// A value or null. JSON has no number for NaN and the infinities: they are strings.
pub struct Value(pub Option<f64>);

pub struct Moment(pub Time);

/// A length of time above zero, in microseconds.
pub struct Duration(pub i64);

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            None => serializer.serialize_none(),
            Some(value) if value.is_finite() => serializer.serialize_f64(value),
            Some(f64::INFINITY) => serializer.serialize_str("Infinity"),
            Some(f64::NEG_INFINITY) => serializer.serialize_str("-Infinity"),
            Some(value) => match value.to_bits() {
                NAN => serializer.serialize_str("NaN"),
                bits => serializer.collect_str(&format_args!("{NAN_PREFIX}{bits:016x}")),
            },
        }
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&SignedDuration::from_micros(self.0))
    }
}

/// By its text, as a reader of JSON would round an integer, and take for zero what is too small.
impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
        let text = <&RawValue>::deserialize(deserializer)?.get();
        let other = match text.as_bytes().first() {
            Some(b'n') => return Ok(Value(None)),
            Some(b'"') => {
                let name: String = serde_json::from_str(text).map_err(D::Error::custom)?;
                let value = named(&name).ok_or_else(|| D::Error::custom("a string is not a value"))?;
                return Ok(Value(Some(value)));
            }
            Some(b'[') => Unexpected::Seq,
            Some(b'{') => Unexpected::Map,
            Some(b't' | b'f') => Unexpected::Bool(text == "true"),
            _ => {
                let number = number::of_text(text);
                let number = number.map_err(|refusal| D::Error::custom(format_args!("a value {}", refusal.reason)))?;
                return Ok(Value(Some(number)));
            }
        };
        Err(D::Error::invalid_type(other, &TAKEN))
    }
}

/// JSON has no number for these.
fn named(name: &str) -> Option<f64> {
    match name {
        "NaN" => Some(f64::from_bits(NAN)),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ => name.strip_prefix(NAN_PREFIX).and_then(nan),
    }
}

fn nan(digits: &str) -> Option<f64> {
    if digits.len() != NAN_DIGITS || digits.starts_with('+') {
        return None;
    }
    let bits = u64::from_str_radix(digits, 16).ok()?;
    Some(f64::from_bits(bits)).filter(|value| value.is_nan())
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Moment, D::Error> {
        deserializer.deserialize_str(MomentVisitor)
    }
}

struct MomentVisitor;

impl Visitor<'_> for MomentVisitor {
    type Value = Moment;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a timestamp")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Moment, E> {
        Time::parse(text).map(Moment).map_err(E::custom)
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        deserializer.deserialize_str(DurationVisitor)
    }
}

struct DurationVisitor;

impl Visitor<'_> for DurationVisitor {
    type Value = Duration;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an ISO 8601 duration")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Duration, E> {
        let duration = SpanParser::new()
            .parse_duration(text)
            .map_err(|_| E::custom("a duration is not of the form \"PT1H30M\""))?;
        if duration.subsec_nanos() % 1000 != 0 {
            return Err(E::custom("a duration has digits below a microsecond"));
        }
        let micros = i64::try_from(duration.as_micros()).map_err(|_| E::custom("a duration is out of range"))?;
        if micros <= 0 {
            return Err(E::custom("a duration is not above zero"));
        }
        Ok(Duration(micros))
    }
}
