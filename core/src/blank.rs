//! Texts that may be left out.

/// A text that may be left out: a blank one is none.
pub fn unless_blank(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::unless_blank;

    #[test]
    fn blanks_of_any_kind_are_no_text() {
        for blank in [None, Some(""), Some(" \t\n"), Some("\u{a0}\u{3000}")] {
            assert_eq!(unless_blank(blank), None);
        }
        assert_eq!(unless_blank(Some(" a ")), Some(" a "));
    }
}
