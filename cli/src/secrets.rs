//! What is never printed: keys and passwords, which errors may repeat from what was typed.

use timedb_core::key::IMPORTED_LENGTH;

const HIDDEN: &str = "…";
/// What a colour begins with.
const ESCAPE: char = '\u{1b}';

/// A text without the keys, and the passwords of connection strings, that stand in it.
pub fn hidden(text: &str) -> String {
    let text = without(text, "tdb_", is_of_keys);
    let text = without_imported_keys(&text);
    let text = without(&text, "password=", |letter| !letter.is_whitespace() && letter != '&');
    without_url_passwords(&text)
}

fn is_of_keys(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_')
}

/// A key of the original service has no mark: it is a word of its length and letters. One in billions has no capital or no small
/// letter; names that are so long, of files or of columns, mostly lack one of the two.
fn without_imported_keys(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(|letter| letter == ESCAPE || is_of_keys(letter)) {
        let (before, word) = rest.split_at(start);
        // A colour ends with a letter, which is none of the word behind it.
        let end = match word.starts_with(ESCAPE) {
            true => word.find('m').map(|end| end + 1),
            false => word.find(|letter| !is_of_keys(letter)),
        };
        let (word, after) = word.split_at(end.unwrap_or(word.len()));
        let has = |kind: fn(&u8) -> bool| word.as_bytes().iter().any(kind);
        let is_key = word.len() == IMPORTED_LENGTH && has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase);
        kept.push_str(before);
        kept.push_str(if is_key { HIDDEN } else { word });
        rest = after;
    }
    kept + rest
}

/// What stands behind a mark, as long as letters belong to it.
fn without(text: &str, mark: &str, belongs: impl Fn(char) -> bool) -> String {
    let mut parts = text.split(mark);
    let mut kept = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(&belongs);
        kept.push_str(mark);
        kept.push_str(if rest.len() < part.len() { HIDDEN } else { "" });
        kept.push_str(rest);
    }
    kept
}

/// `://user:password@` without the password.
fn without_url_passwords(text: &str) -> String {
    let mut parts = text.split("://");
    let mut kept = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        kept.push_str("://");
        let end = part.find(char::is_whitespace).unwrap_or(part.len());
        let (url, rest) = part.split_at(end);
        match url.rsplit_once('@') {
            Some((who, place)) if who.contains(':') => {
                let user = who.split(':').next().unwrap_or_default();
                kept.push_str(&format!("{user}:{HIDDEN}@{place}"));
            }
            _ => kept.push_str(url),
        }
        kept.push_str(rest);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::hidden;

    #[test]
    fn keys_and_passwords_are_not_repeated() {
        for (text, expected) in [
            ("unexpected 'tdb_Zm9-v_x' found", "unexpected 'tdb_…' found"),
            ("tdb_a tdb_b", "tdb_… tdb_…"),
            ("'postgresql://a:s@e/c:ret@h/db' found", "'postgresql://a:…@h/db' found"),
            ("postgres://a@h/db", "postgres://a@h/db"),
            ("host=h password=secret user=a", "host=h password=… user=a"),
            (
                "postgres:///db?password=secret&user=a",
                "postgres:///db?password=…&user=a",
            ),
            ("see https://a.b/c", "see https://a.b/c"),
        ] {
            assert_eq!(hidden(text), expected);
        }
    }

    #[test]
    fn a_key_of_the_original_is_not_repeated_wherever_it_stands() {
        for key in [
            "Zm9vYmFyLWJhei1xdXV4_0123456789abcdefghIJKA",
            "-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaZA",
            // Mistyped, but for one letter somebody's.
            "Zm9vYmFyLWJhei1xdXV4_0123456789abcdefghIJK_",
        ] {
            for (before, after) in [
                ("", ""),
                ("unexpected argument '", "' found"),
                ("https://h/", "?x=1"),
                ("ä", "…"),
                ("'\u{1b}[33m", "\u{1b}[0m'"),
            ] {
                let text = format!("{before}{key}{after}");
                assert_eq!(hidden(&text), format!("{before}…{after}"), "{key}");
            }
            assert_eq!(hidden(&format!("{key} {key}")), "… …");
        }
    }

    #[test]
    fn other_long_words_stay() {
        let words = [
            // Of 43 letters, like a key of the original.
            "a_column_of_the_table_whose_name_is_very_lo",
            "THE_NAME_OF_A_VARIABLE_OF_THE_ENVIRONMENT_1",
            "import-2025-01-01-until-2025-12-31-of-north",
            // Shorter and longer ones.
            "Zm9vYmFyLWJhei1xdXV4_0123456789abcdefghIJA",
            "Zm9vYmFyLWJhei1xdXV4_0123456789abcdefghIJKLA",
            "019a0c2e-7d1b-7c4e-9a55-0e3f1c0b8d12",
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "Donaudampfschifffahrtselektrizitätenhauptbetriebswerk",
        ];
        for word in words {
            let text = format!("the file \"{word}\" exists");
            assert_eq!(hidden(&text), text);
        }
    }
}
