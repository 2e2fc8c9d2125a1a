//! From text to a pack. Whatever does not fit together is refused.

use serde::Deserialize;
use uuid::Uuid;

use crate::pack::{NewVersion, pack_versions};
use crate::points::text::{Moment, Object, Text};
use crate::points::{Points, TextError, pack};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Version {
    run_id: String,
    known_time: Moment,
    change_time: Moment,
    changed_by: String,
    annotation: Option<String>,
    tags: Option<Vec<String>>,
    points: Object<Text>,
}

/// The pack that a text holds, its versions in the order of the text.
pub fn from_text(text: &str) -> Result<Vec<u8>, TextError> {
    let versions: Vec<Object<Version>> = serde_json::from_str(text).map_err(TextError::new)?;
    let packed: Vec<Vec<u8>> = versions
        .iter()
        .map(|version| packed_points(&version.0))
        .collect::<Result<_, _>>()?;
    let versions: Vec<NewVersion> = versions
        .iter()
        .zip(&packed)
        .map(|(version, packed)| new_version(&version.0, packed))
        .collect::<Result<_, _>>()?;
    pack_versions(&versions).map_err(TextError::new)
}

fn packed_points(version: &Version) -> Result<Vec<u8>, TextError> {
    pack(&version.points.0.points()?).map_err(TextError::new)
}

fn new_version<'a>(version: &'a Version, packed: &'a [u8]) -> Result<NewVersion<'a>, TextError> {
    let run = Uuid::try_parse(&version.run_id);
    let tags = version.tags.as_deref();
    let texts = tags.unwrap_or_default().iter();
    // JSON can say it, but no text of Postgres can hold it.
    if texts
        .chain([&version.changed_by])
        .chain(&version.annotation)
        .any(|text| text.contains('\0'))
    {
        return Err(TextError::new("a text has a zero byte"));
    }
    Ok(NewVersion {
        run: run.map_err(|_| TextError::new("\"run_id\" is not a UUID"))?,
        known: version.known_time.0,
        change: version.change_time.0,
        changed_by: &version.changed_by,
        annotation: version.annotation.as_deref(),
        tags: tags.map(|tags| tags.iter().map(String::as_str).collect()),
        points: Points::read(packed).map_err(TextError::new)?,
    })
}
