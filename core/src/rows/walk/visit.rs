//! serde's visitors: what each place of an array of rows may hold, from the whole array down to one tag.
//!
//! A visitor takes only what fits its place; what serde says to the rest is worded by [`Walk::explain`].

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::{Rows, Walk};
use crate::limits::MOST_TAGS;
use crate::rows::fields::Given;
use crate::rows::{Field, Kind, Refusal};

/// Where serde_json has no integers any more, at one of their ends or at both.
const BEYOND_INTEGERS: f64 = (1u64 << 63) as f64;

/// The whole argument.
pub(super) struct Array<'a, 'w, R>(pub &'a mut Walk<'w, R>);

impl<'de, R: Rows<'de>> DeserializeSeed<'de> for Array<'_, '_, R> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, R: Rows<'de>> Visitor<'de> for Array<'_, '_, R> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.takes())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<(), A::Error> {
        let walk = self.0;
        for row in 0.. {
            walk.row = Some(row);
            if rows.next_element_seed(Row(walk))?.is_none() {
                break;
            }
            walk.step();
        }
        walk.row = None;
        Ok(())
    }
}

/// One row.
pub(super) struct Row<'a, 'w, R>(pub &'a mut Walk<'w, R>);

impl<'de, R: Rows<'de>> DeserializeSeed<'de> for Row<'_, '_, R> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let walk = self.0;
        if walk.row.is_some_and(|row| row >= walk.most_rows) {
            walk.row = None;
            let reason = format!("has more than {} rows", walk.most_rows);
            return Err(walk.refuse(Refusal::new(Kind::TooMany, reason).hint(R::FEWER)));
        }
        deserializer.deserialize_any(Row(walk))
    }
}

impl<'de, R: Rows<'de>> Visitor<'de> for Row<'_, '_, R> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.takes())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        let walk = self.0;
        walk.key_name = Field::ValueKey.name();
        // A bit for each field.
        const { assert!((Field::Tags as u32) < u16::BITS, "the last field") };
        let mut seen: u16 = 0;
        while let Some((field, name)) = fields.next_key_seed(Name(walk))? {
            let bit = 1_u16 << field as u16;
            if seen & bit != 0 {
                let refusal = again(walk.name(field), name);
                return Err(walk.refuse_name(name, refusal));
            }
            seen |= bit;
            if field == Field::ValueKey {
                walk.key_name = name;
            }
            walk.field = Some(field);
            let given = match field {
                // Not walked through: what its text says is looked at once, however many rows say the same.
                Field::Labels => object(fields.next_value::<&'de RawValue>()?.get()),
                _ => fields.next_value_seed(Value(walk))?,
            };
            walk.rows.set(field, given).map_err(|refusal| walk.refuse(refusal))?;
            walk.field = None;
        }
        let row = walk.row.unwrap_or_default();
        walk.rows.end_row(row).map_err(|refusal| walk.refuse(refusal))
    }
}

/// What came in the place of an object.
fn object(text: &str) -> Given<'_> {
    match text {
        "null" => Given::Null,
        object if object.starts_with('{') => Given::Object(object),
        _ => Given::List(Vec::new()),
    }
}

fn again(earlier: &str, name: &str) -> Refusal {
    let reason = if earlier == name {
        "repeated field".to_owned()
    } else {
        format!("means the same as \"{earlier}\"")
    };
    Refusal::new(Kind::BadValue, reason)
}

/// The name of a field, and the field. One we do not know is refused: a misspelt field, silently ignored, would lose data.
struct Name<'a, 'w, R>(&'a mut Walk<'w, R>);

impl<'de, R: Rows<'de>> DeserializeSeed<'de> for Name<'_, '_, R> {
    type Value = (Field, &'static str);

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl<'de, R: Rows<'de>> Visitor<'de> for Name<'_, '_, R> {
    type Value = (Field, &'static str);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Self::Value, E> {
        match Field::named(name).filter(|(field, _)| R::FIELDS.contains(field)) {
            Some(named) => Ok(named),
            None => {
                let refusal = Refusal::new(Kind::BadValue, "unknown field");
                Err(self.0.refuse_name(name, refusal.hint(R::instead_of(name))))
            }
        }
    }
}

/// The value of a field: of any shape that some field takes.
struct Value<'a, 'w, R>(&'a mut Walk<'w, R>);

impl<'de, R: Rows<'de>> DeserializeSeed<'de> for Value<'_, '_, R> {
    type Value = Given<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Given<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, R: Rows<'de>> Visitor<'de> for Value<'_, '_, R> {
    type Value = Given<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.takes())
    }

    fn visit_unit<E>(self) -> Result<Given<'de>, E> {
        Ok(Given::Null)
    }

    fn visit_i64<E>(self, number: i64) -> Result<Given<'de>, E> {
        Ok(Given::Integer(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Given<'de>, E> {
        Ok(Given::Integer(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Given<'de>, E> {
        let is_value = self.0.field == Some(Field::Value);
        self.0.is_doubtful |= is_value && number.abs() >= BEYOND_INTEGERS;
        self.0.has_zeros |= is_value && number == 0.0;
        Ok(Given::Number(number))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Given<'de>, E> {
        Ok(Given::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Given<'de>, E> {
        self.0.unescaped(text).map(|text| Given::Text(Cow::Owned(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut tags: A) -> Result<Given<'de>, A::Error> {
        let walk = self.0;
        if walk.field != Some(Field::Tags) {
            return Err(de::Error::invalid_type(de::Unexpected::Seq, &walk.takes()));
        }
        let mut list = Vec::new();
        for tag in 0.. {
            walk.tag = Some(tag);
            if tag > MOST_TAGS {
                walk.tag = None;
                let reason = format!("has more than {MOST_TAGS} elements");
                // Not too many rows: a further call would not help.
                return Err(walk.refuse(Refusal::new(Kind::TooLong, reason)));
            }
            match tags.next_element_seed(Tag(walk))? {
                Some(tag) => list.push(tag),
                None => break,
            }
            walk.step();
        }
        walk.tag = None;
        Ok(Given::List(list))
    }
}

/// One of the tags.
struct Tag<'a, 'w, R>(&'a mut Walk<'w, R>);

impl<'de, R: Rows<'de>> DeserializeSeed<'de> for Tag<'_, '_, R> {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, R: Rows<'de>> Visitor<'de> for Tag<'_, '_, R> {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.takes())
    }

    fn visit_unit<E: de::Error>(self) -> Result<String, E> {
        Err(self.0.refuse(Refusal::new(Kind::NullNotAllowed, "must not be null")))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<String, E> {
        self.0.unescaped(text)
    }
}
