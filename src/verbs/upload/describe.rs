//! Descriptions that an upload gives to its series.

use crate::error::{Error, Result};
use crate::verbs::resolved::{ONE_KEY, Resolved};
use crate::verbs::series;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use timedb_core::blank::unless_blank;
use timedb_core::series_key::in_normal_form;
use uuid::Uuid;

/// Those by the names that the upload has for its series; a name that it does not have is refused.
pub fn describe(tenant: Uuid, descriptions: &HashMap<String, String>, resolved: &[Resolved]) -> Result<()> {
    if descriptions.is_empty() {
        return Ok(());
    }
    // As it was sent a name counts before what it is in normal form.
    let named = || {
        resolved
            .iter()
            .flat_map(|series| series.names().map(|name| (name, series.id)))
    };
    let in_normal_form = named().map(|(name, id)| (normal(name), id));
    let as_sent = named().map(|(name, id)| (Cow::from(name), id));
    let by_name: HashMap<Cow<str>, Uuid> = in_normal_form.chain(as_sent).collect();
    let mut described = BTreeMap::new();
    for (name, description) in descriptions.iter().collect::<BTreeMap<_, _>>() {
        let found = by_name.get(name.as_str()).or_else(|| by_name.get(&*normal(name)));
        let Some(&id) = found else {
            let reason = format!("describes \"{name}\", which is no series of this upload");
            return Err(Error::bad("series_descriptions", reason));
        };
        if let Some(description) = unless_blank(Some(description)) {
            match described.insert(id, (name, description)) {
                Some((other, another)) if another != description => return Err(two_descriptions(other, name)),
                _ => {}
            }
        }
    }
    let described: Vec<_> = described
        .into_iter()
        .map(|(id, (_, text))| (id, text.to_owned()))
        .collect();
    series::describe(tenant, &described)
}

/// The names are shown so that they can be told apart.
fn two_descriptions(one: &str, other: &str) -> Error {
    Error::BadArgument {
        argument: "series_descriptions",
        reason: format!("has two texts for one series, by {one:?} and {other:?}"),
        hint: Some(ONE_KEY),
    }
}

fn normal(key: &str) -> Cow<'_, str> {
    in_normal_form(key).map_or(Cow::Borrowed(key), Cow::Owned)
}
