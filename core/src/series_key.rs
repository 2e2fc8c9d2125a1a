//! The key of a series: which texts can be one, and in which of Unicode's spellings a new one is stored.
//!
//! A key is looked for as it was sent, and then in Unicode's normal form C: what one client writes as one character and
//! another as a letter with a mark is one name. Only a key that would make a new series is held to more than that, so that
//! whatever is stored can still be named.

use std::borrow::Cow;

use unicode_normalization::{UnicodeNormalization, is_nfc};

use crate::limits::LONGEST_SERIES_KEY;
use crate::rows::{Kind, Refusal};

/// The most bytes that normal form C makes one of.
const MOST_BYTES_FOR_ONE: usize = 3;

/// The key in normal form C, if it is not in it.
pub fn in_normal_form(key: &str) -> Option<String> {
    if key.is_ascii() || key.len() > MOST_BYTES_FOR_ONE * LONGEST_SERIES_KEY || is_nfc(key) {
        return None;
    }
    Some(key.nfc().collect())
}

/// Whether a series may be named so.
pub fn check(key: &str) -> Result<(), Refusal> {
    if key.trim().is_empty() {
        Err(Refusal::new(Kind::BadValue, "must not be blank"))
    } else if key.len() > LONGEST_SERIES_KEY {
        Err(too_long())
    } else if key.contains('\0') {
        Err(Refusal::new(Kind::BadCharacter, r"contains \u0000"))
    } else {
        Ok(())
    }
}

/// The key as a new series gets it.
pub fn new(key: &str) -> Result<Cow<'_, str>, Refusal> {
    check(key)?;
    if let Some(control) = key.chars().find(|char| char.is_control()) {
        let reason = format!("contains the control character U+{:04X}", u32::from(control));
        return Err(Refusal::new(Kind::BadValue, reason)
            .hint("No series has this key yet, and a new one may have no such character."));
    }
    let ends = [key.chars().next(), key.chars().next_back()];
    if let Some(unseen) = ends.into_iter().flatten().find(|&char| has_no_width(char)) {
        let reason = format!("begins or ends with U+{:04X}, which has no width", u32::from(unseen));
        return Err(Refusal::new(Kind::BadValue, reason)
            .hint("No series has this key yet, and a new one may have no such character there."));
    }
    if key.starts_with(char::is_whitespace) || key.ends_with(char::is_whitespace) {
        let reason = "begins or ends with a blank";
        return Err(Refusal::new(Kind::BadValue, reason).hint("No series has this key yet: trim it."));
    }
    let Some(normal) = in_normal_form(key) else {
        return Ok(Cow::Borrowed(key));
    };
    if normal.len() > LONGEST_SERIES_KEY {
        return Err(too_long());
    }
    Ok(Cow::Owned(normal))
}

fn too_long() -> Refusal {
    Refusal::new(Kind::TooLong, format!("is longer than {LONGEST_SERIES_KEY} bytes"))
}

/// Whether two texts that are not the same may show as the same: they differ in nothing but blanks and characters beyond
/// ASCII, as Unicode's two `µ`.
pub fn look_alike(one: &str, other: &str) -> bool {
    let plain = |text: &str| -> String { text.nfkd().filter(char::is_ascii_graphic).collect() };
    let strange = |text: &str| !text.chars().all(|char| char.is_ascii_graphic());
    one != other && (strange(one) || strange(other)) && plain(one) == plain(other)
}

/// The characters of a text by their numbers.
pub fn code_points(text: &str) -> String {
    let numbers: Vec<String> = text.chars().map(|char| format!("U+{:04X}", u32::from(char))).collect();
    numbers.join(" ")
}

/// What shows as nothing at the end of a key, and is no blank that a client trims.
fn has_no_width(char: char) -> bool {
    matches!(char, '\u{200b}' | '\u{2060}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_key_is_stored_in_normal_form_and_no_other_is_changed() {
        assert_eq!(new("Su\u{308}d").unwrap(), "Süd");
        assert_eq!(in_normal_form("Su\u{308}d").as_deref(), Some("Süd"));
        for key in ["wind", "Süd", "µg/m3", "wind 1", "風"] {
            assert_eq!(in_normal_form(key), None);
            assert!(matches!(new(key), Ok(Cow::Borrowed(same)) if same == key));
        }
        assert_eq!(
            in_normal_form(&"u\u{308}".repeat(1000)),
            None,
            "nothing stored is as long"
        );
    }

    #[test]
    fn a_new_key_has_no_control_characters_and_no_blanks_at_its_ends() {
        for (key, reason) in [
            ("wi\nnd", "contains the control character U+000A"),
            ("wind\t", "contains the control character U+0009"),
            ("wi\u{85}nd", "contains the control character U+0085"),
            (" wind", "begins or ends with a blank"),
            ("wind ", "begins or ends with a blank"),
            ("wind\u{a0}", "begins or ends with a blank"),
            ("wind\u{200b}", "begins or ends with U+200B, which has no width"),
            ("\u{feff} wind", "begins or ends with U+FEFF, which has no width"),
        ] {
            let refusal = new(key).unwrap_err();
            assert_eq!(
                (refusal.kind, refusal.reason.as_str()),
                (Kind::BadValue, reason),
                "{key:?}"
            );
            assert_eq!(check(key), Ok(()), "an old one may be {key:?}");
        }
    }

    #[test]
    fn texts_that_look_alike_are_told_apart_by_their_code_points() {
        for (one, other) in [("\u{b5}g/m3", "\u{3bc}g/m3"), ("kW", "kW "), ("\u{e5}", "a\u{30a}")] {
            assert!(look_alike(one, other), "{one} {other}");
        }
        assert!(!look_alike("kW", "MW") && !look_alike("kW", "kW"));
        assert_eq!(code_points("\u{b5}g"), "U+00B5 U+0067");
    }

    #[test]
    fn no_key_is_blank_or_too_long_or_what_postgres_cannot_hold() {
        for (key, kind) in [
            ("", Kind::BadValue),
            (" \t", Kind::BadValue),
            (&*"a".repeat(501), Kind::TooLong),
            ("a\0", Kind::BadCharacter),
        ] {
            assert_eq!(check(key).unwrap_err().kind, kind);
            assert_eq!(new(key).unwrap_err().kind, kind);
        }
        // U+0958 is in normal form C two characters.
        assert_eq!(check(&"\u{958}".repeat(166)), Ok(()));
        assert_eq!(new(&"\u{958}".repeat(166)).unwrap_err().kind, Kind::TooLong);
    }
}
