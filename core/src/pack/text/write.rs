//! From a pack to its text.

use crate::pack::{Pack, PackedVersion};
use crate::points::Corrupt;

/// The readable and complete text of a pack.
pub fn to_text(pack: &Pack) -> Result<String, Corrupt> {
    let mut values = Vec::new();
    pack.decode_values(&mut values)?;
    let versions = pack.versions().iter();
    let texts: Vec<String> = versions
        .map(|version| version_text(version, &values))
        .collect();
    Ok(format!("[{}]", texts.join(",\n ")))
}

fn version_text(version: &PackedVersion, values_of_pack: &[f64]) -> String {
    let PackedVersion {
        run,
        known,
        change,
        changed_by,
        ..
    } = version;
    let mut text = format!(
        r#"{{"run_id":"{run}","known_time":"{known}","change_time":"{change}","changed_by":{}"#,
        quoted(changed_by)
    );
    if let Some(annotation) = version.annotation {
        text += &format!(r#","annotation":{}"#, quoted(annotation));
    }
    if let Some(tags) = version.tags {
        let tags: Vec<String> = tags.iter().map(quoted).collect();
        text += &format!(r#","tags":[{}]"#, tags.join(","));
    }
    text + &format!(r#","points":{}}}"#, version.open(values_of_pack))
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
