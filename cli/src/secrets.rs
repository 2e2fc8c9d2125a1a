//! What is never printed: keys and passwords, which errors may repeat from what was typed.

const HIDDEN: &str = "…";

/// A text without the keys, and the passwords of connection strings, that stand in it.
pub fn hidden(text: &str) -> String {
    let text = without(text, "tdb_", |letter| {
        letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_')
    });
    let text = without(&text, "password=", |letter| !letter.is_whitespace() && letter != '&');
    without_url_passwords(&text)
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
}
