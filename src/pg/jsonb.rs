//! What a `jsonb` argument is, asked of Postgres itself.

use super::statement::statements;
use super::varlena::{Jsonb, JsonbArray, Text};
use crate::error::{Error, Result};
use std::collections::HashMap;
use std::rc::Rc;

statements! {
    INSPECT(Jsonb) -> (String, i64, i64) =
        c"SELECT jsonb_typeof($1), octet_length($1::text)::int8, pg_column_size($1)::int8";
    /// The order of places makes the first of those that are equal the one.
    DISTINCT(&[&str]) -> (i32, i64, i64) =
        c"SELECT min(l.place) OVER (PARTITION BY l.labels), octet_length(l.labels::text)::int8,
                 pg_column_size(l.labels)::int8
          FROM (SELECT unnest($1)::jsonb AS labels, generate_subscripts($1, 1) AS place) AS l
          ORDER BY l.place";
    TEXTS(JsonbArray) -> (Option<Text<'static>>,) = c"SELECT unnest($1)::text";
    TEXTS_BY_KEY(Jsonb) -> (String, Option<String>) =
        c"SELECT t.key, CASE jsonb_typeof(t.value) WHEN 'string' THEN t.value #>> '{}' END
          FROM jsonb_each($1) t
          WHERE jsonb_typeof(t.value) <> 'null'";
}

/// One of some JSON texts.
pub struct Distinct {
    /// The place, from 0, of the first of them that is equal to it.
    pub first: usize,
    /// Of its text, and as it is stored, in bytes.
    pub text_size: i64,
    pub stored_size: i64,
}

/// Which of some JSON texts are equal, as values of `jsonb` are.
pub fn distinct(texts: &[Rc<str>]) -> Result<Vec<Distinct>> {
    let texts: Vec<&str> = texts.iter().map(|text| &**text).collect();
    let found = DISTINCT.read((&texts,))?;
    let of = |(place, text_size, stored_size)| {
        usize::try_from(place)
            .ok()
            .and_then(|place: usize| place.checked_sub(1))
            .map(|first| Distinct {
                first,
                text_size,
                stored_size,
            })
    };
    let all: Option<Vec<Distinct>> = found.into_iter().map(of).collect();
    let all = all.filter(|all| all.len() == texts.len());
    all.ok_or_else(|| Error::Broken("JSON texts of no place".into()))
}

impl JsonbArray {
    /// Shows the text of each of its elements.
    pub fn each_text(self, mut each: impl FnMut(Option<&str>) -> Result<()>) -> Result<()> {
        TEXTS.stream((self,), |(text,)| each(text.as_deref()))
    }
}

/// What a JSON argument is.
pub struct Inspected {
    /// As `jsonb_typeof` names it.
    pub kind: String,
    /// Of its text, and as it is stored, in bytes.
    pub text_size: i64,
    pub stored_size: i64,
}

impl Jsonb {
    pub fn inspect(self) -> Result<Inspected> {
        let found = INSPECT.read((self,))?.pop();
        let (kind, text_size, stored_size) = found.ok_or_else(|| Error::Broken("a JSON value of no kind".into()))?;
        Ok(Inspected {
            kind,
            text_size,
            stored_size,
        })
    }

    /// A JSON object of texts, by key, without those that are null; none if it is anything else.
    pub fn texts_by_key(self) -> Result<Option<HashMap<String, String>>> {
        match self.inspect()?.kind.as_str() {
            "object" => {}
            "null" => return Ok(Some(HashMap::new())),
            _ => return Ok(None),
        }
        let found = TEXTS_BY_KEY.read((self,))?;
        Ok(found
            .into_iter()
            .map(|(key, text)| text.map(|text| (key, text)))
            .collect())
    }
}
