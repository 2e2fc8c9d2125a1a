//! Connection strings, as libpq reads them: `key=value …` and `postgresql://…`. The driver's own parser refuses some of
//! libpq's words. No error says a value, which may be a password, nor a word that may be a part of one.

use anyhow::Result;

use crate::failure::Usage;

/// The words of a connection string, in their order.
pub fn words(dsn: &str) -> Result<Vec<(String, String)>> {
    let url = ["postgres://", "postgresql://"]
        .into_iter()
        .find_map(|prefix| dsn.strip_prefix(prefix));
    match url {
        Some(rest) => of_url(rest),
        None => of_pairs(dsn),
    }
}

fn unreadable<T>(why: &str) -> Result<T> {
    Err(Usage(format!("the DSN cannot be read: {why}")).into())
}

fn of_pairs(text: &str) -> Result<Vec<(String, String)>> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let Some((word, after)) = rest.split_once('=') else {
            return unreadable("it is neither postgresql://… nor words such as host=… user=…");
        };
        let word = word.trim_end();
        if word.is_empty() || word.contains(char::is_whitespace) {
            return unreadable("a word is without = (a value with blanks belongs in quotes)");
        }
        let (value, after) = value(after.trim_start())?;
        words.push((word.to_owned(), value));
        rest = after.trim_start();
    }
    Ok(words)
}

/// A value, in quotes or up to a blank, and what follows it. A backslash takes what is behind it as it is.
fn value(text: &str) -> Result<(String, &str)> {
    let inside = text.strip_prefix('\'');
    let (text, is_quoted) = (inside.unwrap_or(text), inside.is_some());
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' => value.extend(letters.next().map(|(_, escaped)| escaped)),
            '\'' if is_quoted => return Ok((value, &text[at + 1..])),
            blank if !is_quoted && blank.is_whitespace() => return Ok((value, &text[at..])),
            other => value.push(other),
        }
    }
    if is_quoted {
        return unreadable("a quote is not closed");
    }
    Ok((value, ""))
}

fn of_url(rest: &str) -> Result<Vec<(String, String)>> {
    let mut words = Vec::new();
    let mut add = |word: &str, encoded: &str| -> Result<()> {
        if !encoded.is_empty() {
            words.push((word.to_owned(), decoded(encoded)?));
        }
        Ok(())
    };
    let (place, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, database) = place.split_once('/').unwrap_or((place, ""));
    let (who, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (user, password) = who.split_once(':').unwrap_or((who, ""));
    add("user", user)?;
    add("password", password)?;
    let places: Vec<(&str, &str)> = hosts.split(',').map(host_and_port).collect::<Result<_>>()?;
    let joined = |pick: fn(&(&str, &str)) -> String| places.iter().map(pick).collect::<Vec<_>>().join(",");
    add("host", &joined(|(host, _)| (*host).to_owned()))?;
    if places.iter().any(|(_, port)| !port.is_empty()) {
        add("port", &joined(|(_, port)| (*port).to_owned()))?;
    }
    add("dbname", database)?;
    for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
        match parameter.split_once('=') {
            Some(("ssl", "true")) => add("sslmode", "require")?,
            Some((word, value)) => add(&decoded(word)?, value)?,
            None => return unreadable("a parameter is without ="),
        }
    }
    Ok(words)
}

/// An address of IPv6 stands in brackets.
fn host_and_port(text: &str) -> Result<(&str, &str)> {
    let Some(inside) = text.strip_prefix('[') else {
        return Ok(text.split_once(':').unwrap_or((text, "")));
    };
    match inside.split_once(']') {
        Some((host, "")) => Ok((host, "")),
        Some((host, after)) if after.starts_with(':') => Ok((host, &after[1..])),
        _ => unreadable("a bracket is not closed"),
    }
}

fn decoded(text: &str) -> Result<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = [rest.next(), rest.next()].map(|digit| digit.and_then(|digit| char::from(digit).to_digit(16)));
        match digits {
            [Some(high), Some(low)] if high + low > 0 => bytes.extend(u8::try_from(high * 16 + low)),
            _ => return unreadable("a % is not followed by two hexadecimal digits"),
        }
    }
    String::from_utf8(bytes).or_else(|_| unreadable("what stands behind % is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_words(dsn: &str, expected: &[(&str, &str)]) {
        let words = words(dsn).expect(dsn);
        let words: Vec<_> = words
            .iter()
            .map(|(word, value)| (word.as_str(), value.as_str()))
            .collect();
        assert_eq!(words, expected, "{dsn}");
    }

    #[test]
    fn both_forms_are_read_as_libpq_reads_them() {
        assert_words("", &[]);
        assert_words(
            "host=a port = 5433  password='it'",
            &[("host", "a"), ("port", "5433"), ("password", "it")],
        );
        assert_words(
            r"password='it\'s \\ mine' user=a\ b",
            &[("password", r"it's \ mine"), ("user", "a b")],
        );
        assert_words("postgres://", &[]);
        assert_words(
            "postgresql://al%69ce:p%40ss:w@h/db?sslmode=verify-full&options=-c%20x%3d1",
            &[
                ("user", "alice"),
                ("password", "p@ss:w"),
                ("host", "h"),
                ("dbname", "db"),
                ("sslmode", "verify-full"),
                ("options", "-c x=1"),
            ],
        );
        assert_words(
            "postgresql://a:1,[::1]:2,c/d",
            &[("host", "a,::1,c"), ("port", "1,2,"), ("dbname", "d")],
        );
        assert_words(
            "postgresql:///db?host=/tmp/x&ssl=true",
            &[("dbname", "db"), ("host", "/tmp/x"), ("sslmode", "require")],
        );
        assert_words("postgresql://%2Ftmp%2Fx/db", &[("host", "/tmp/x"), ("dbname", "db")]);
    }

    #[test]
    fn what_cannot_be_read_is_said_without_what_it_was() {
        for dsn in [
            "hunter2",
            "password=my hunter2",
            "password='hunter2",
            "password=my hunter2 host=a",
            "postgresql://a:hunter2%@h",
            "postgresql://a:hunter2%zz@h",
            "postgresql://a:hunter2@[::1/db",
            "postgresql://a@h?hunter2",
            "postgresql://a:hunter2%00@h",
        ] {
            let error = words(dsn).expect_err(dsn).to_string();
            assert!(error.starts_with("the DSN cannot be read: "), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
