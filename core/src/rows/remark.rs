//! What is said of a value beside it, in the form in which it is stored.

use std::borrow::Cow;

use super::Refusal;
use super::fields::not_longer;
use crate::limits::{LONGEST_ANNOTATION, LONGEST_TAG};

/// An annotation as it is stored: trimmed; a blank one is none.
pub(crate) fn annotation(text: Option<Cow<str>>) -> Result<Option<String>, Refusal> {
    let Some(text) = text else { return Ok(None) };
    let text = text.trim();
    not_longer(text, LONGEST_ANNOTATION)?;
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

/// Tags as they are stored: trimmed, lower-case, sorted, none of them blank or twice; an empty list is none.
pub(crate) fn tags(list: Option<Vec<String>>) -> Result<Option<Vec<String>>, Refusal> {
    let mut tags: Vec<String> = list
        .unwrap_or_default()
        .iter()
        .map(|tag| tag.trim().to_lowercase())
        .filter(|tag| !tag.is_empty())
        .collect();
    tags.sort_unstable();
    tags.dedup();
    tags.iter().try_for_each(|tag| not_longer(tag, LONGEST_TAG))?;
    Ok((!tags.is_empty()).then_some(tags))
}
