//! The text of a pack: a JSON array that a person reads, and that holds every version and every point bit for bit.
//!
//! ```text
//! [{"run_id":"…","known_time":"2025-01-01T00:00:00Z","change_time":"2025-01-01T00:00:00Z","changed_by":"a@b.c",
//!   "annotation":"…","tags":["…"],"points":{"start":"2025-01-01T01:00:00Z","step":"PT1H","values":[20.0,null]}}]
//! ```
//!
//! A version without an annotation or without tags lacks them. `points` is the text of points.

use std::borrow::Cow;
use std::rc::Rc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Pack, pack_versions};
use crate::points::text::{self, Moment, Object};
use crate::points::{Corrupt, Opened, Points, TextError, pack};
use crate::version::{Remark, Version};

/// A version as the text has it; `P` is what stands for its points.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct VersionText<'a, P> {
    run_id: Cow<'a, str>,
    known_time: Moment,
    change_time: Moment,
    changed_by: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    annotation: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<Cow<'a, [String]>>,
    points: P,
}

/// The readable and complete text of a pack. Whatever is not part of a JSON value (a line for each version) is ours.
pub fn to_text(pack: &Pack) -> Result<String, Corrupt> {
    let mut values = Vec::new();
    pack.decode_values(&mut values)?;
    let versions = pack.versions().iter().enumerate();
    let texts: Vec<String> = versions
        .map(|(number, of)| text::json(&version_text(&of.version, pack.open(number, &values))))
        .collect();
    Ok(format!("[{}]", texts.join(",\n ")))
}

fn version_text<'a>(version: &'a Version, points: Opened<'a>) -> VersionText<'a, Opened<'a>> {
    let remark = &version.remark;
    VersionText {
        run_id: version.run.to_string().into(),
        known_time: Moment(version.known),
        change_time: Moment(version.change),
        changed_by: remark.by.as_str().into(),
        annotation: remark.annotation.as_deref().map(Cow::from),
        tags: remark.tags.as_deref().map(Cow::from),
        points,
    }
}

/// The pack that a text holds, its versions in the order of the text. Whatever does not fit together is refused.
pub fn from_text(text: &str) -> Result<Vec<u8>, TextError> {
    let versions: Vec<Object<VersionText<Object<text::Text>>>> = serde_json::from_str(text).map_err(TextError::new)?;
    let packed: Vec<Vec<u8>> = versions
        .iter()
        .map(|version| pack(&version.0.points.0.points()?).map_err(TextError::new))
        .collect::<Result<_, _>>()?;
    let versions: Vec<(Version, Points)> = versions
        .into_iter()
        .zip(&packed)
        .map(|(text, packed)| {
            let points = Points::read(packed).map_err(TextError::new)?;
            Ok((version_of(text.0)?, points))
        })
        .collect::<Result<_, TextError>>()?;
    pack_versions(&versions).map_err(TextError::new)
}

fn version_of<P>(text: VersionText<P>) -> Result<Version, TextError> {
    let run = Uuid::try_parse(&text.run_id);
    let remark = Remark {
        by: text.changed_by.into_owned(),
        annotation: text.annotation.map(Cow::into_owned),
        tags: text.tags.map(Cow::into_owned),
    };
    let texts = remark.tags.iter().flatten().chain(&remark.annotation);
    // JSON can say it, but no text of Postgres can hold it.
    if texts.chain([&remark.by]).any(|text| text.contains('\0')) {
        return Err(TextError::new("a text has a zero byte"));
    }
    Ok(Version {
        run: run.map_err(|_| TextError::new("\"run_id\" is not a UUID"))?,
        known: text.known_time.0,
        change: text.change_time.0,
        remark: Rc::new(remark),
    })
}
