//! What a message repeats of a client's own text: its beginning.

use crate::limits::LONGEST_EXCERPT;

/// The beginning of a text, as it is.
pub fn beginning(text: &str) -> String {
    match text.char_indices().nth(LONGEST_EXCERPT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// The beginning of a text, fit for a message: a control character is escaped (no message can hold U+0000).
pub fn printable(text: &str) -> String {
    let mut printable = String::new();
    for char in beginning(text).chars() {
        if char.is_control() {
            printable.extend(char.escape_debug());
        } else {
            printable.push(char);
        }
    }
    printable
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_repeats_at_most_64_characters_and_no_control_character() {
        assert_eq!(printable(&"ä".repeat(64)), "ä".repeat(64));
        assert_eq!(printable(&"ä".repeat(65)), format!("{}…", "ä".repeat(64)));
        assert_eq!(printable("a\0b\nc"), r"a\0b\nc");
    }
}
