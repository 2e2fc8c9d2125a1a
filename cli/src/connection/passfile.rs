//! Passwords that are kept in a file of one's own, `~/.pgpass`: `host:port:database:user:password` a line, where `*` is
//! anything and a backslash takes what is behind it as it is.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Whose password is looked for.
pub struct Login<'a> {
    pub host: &'a str,
    pub port: &'a str,
    pub database: &'a str,
    pub user: &'a str,
}

/// The password of the first line that fits. A file that others may read is passed over, as libpq does, and it is said.
pub fn password(path: &Path, login: &Login<'_>) -> Option<String> {
    let about = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
    if about.permissions().mode() & 0o077 != 0 {
        anstream::eprintln!(
            "timedb: {} is passed over, as others may read it: chmod 0600",
            path.display()
        );
        return None;
    }
    let text = fs::read_to_string(path).ok()?;
    text.lines().find_map(|line| of_line(line, login))
}

fn of_line(line: &str, login: &Login<'_>) -> Option<String> {
    if line.starts_with('#') {
        return None;
    }
    let host = if login.host == "/var/run/postgresql" {
        "localhost"
    } else {
        login.host
    };
    let mut rest = line;
    for expected in [host, login.port, login.database, login.user] {
        let (field, after) = field(rest)?;
        if field != "*" && unescaped(field) != expected {
            return None;
        }
        rest = after;
    }
    // The password ends with the line, or before a colon that is not escaped.
    let password = field(rest).map_or(rest, |(field, _)| field);
    (!password.is_empty()).then(|| unescaped(password))
}

/// What stands before the next colon that is not escaped, and what follows it.
fn field(text: &str) -> Option<(&str, &str)> {
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' => drop(letters.next()),
            ':' => return Some((&text[..at], &text[at + 1..])),
            _ => {}
        }
    }
    None
}

fn unescaped(text: &str) -> String {
    let mut plain = String::new();
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        plain.extend(if letter == '\\' { letters.next() } else { Some(letter) });
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOGIN: Login<'_> = Login {
        host: "h",
        port: "5432",
        database: "d",
        user: "u:1",
    };

    #[test]
    fn a_line_fits_by_all_of_its_fields() {
        for (line, expected) in [
            ("h:5432:d:u\\:1:secret", Some("secret")),
            ("*:*:*:*:a\\:b\\\\c", Some("a:b\\c")),
            ("*:*:*:*:secret:more", Some("secret")),
            ("#*:*:*:*:secret", None),
            ("h:5433:d:*:secret", None),
            ("h:5432:d:u:1:secret", None),
            ("h:5432:d:*:", None),
            ("h:5432", None),
            ("", None),
        ] {
            assert_eq!(of_line(line, &LOGIN).as_deref(), expected, "{line}");
        }
        let local = Login {
            host: "/var/run/postgresql",
            ..LOGIN
        };
        assert_eq!(of_line("localhost:*:*:*:secret", &local).as_deref(), Some("secret"));
    }
}
