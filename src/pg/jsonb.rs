//! What a `jsonb` argument is, asked of Postgres itself.

use super::statement::statements;
use super::varlena::Jsonb;
use crate::error::{Error, Result};
use std::collections::HashMap;

statements! {
    INSPECT(Jsonb) -> (String, i64, i64) =
        c"SELECT jsonb_typeof($1), octet_length($1::text)::int8, pg_column_size($1)::int8";
    TEXTS_BY_KEY(Jsonb) -> (String, Option<String>) =
        c"SELECT t.key, CASE jsonb_typeof(t.value) WHEN 'string' THEN t.value #>> '{}' END
          FROM jsonb_each($1) t
          WHERE jsonb_typeof(t.value) <> 'null'";
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
