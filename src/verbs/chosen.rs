//! Which series a call is about: those of its arguments `series_keys`, `series_ids` and `labels`.

use super::read::{Request, Which};
use crate::error::Result;
use crate::pg::varlena::{Jsonb, TextArray, UuidArray};

/// All series where none of them says anything; a union of keys and ids, and of them those that have the labels.
pub fn chosen(keys: Option<TextArray>, ids: Option<UuidArray>, labels: Option<Jsonb>) -> Result<Which> {
    let request = Request::of_some(keys, ids, (labels, None, None, None))?;
    Ok(request.which)
}
