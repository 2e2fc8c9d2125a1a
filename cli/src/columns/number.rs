//! Numbers as texts have them. Nothing is rounded unseen, and no comma guessed.

/// What one may write, but not here.
const PLAIN: &str = "write numbers as 1234.5";

/// None of an empty text.
pub fn parse(text: &str) -> Result<Option<f64>, String> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    if text.len() < 16
        && let Ok(number) = text.parse::<f64>()
        && number.is_finite()
    {
        return Ok(Some(number));
    }
    match text.parse::<f64>() {
        Ok(number) if number.is_infinite() && text.contains(|c: char| c.is_ascii_digit()) => {
            Err(format!("{text:?} is beyond double precision"))
        }
        Ok(number) => match text.parse::<i128>() {
            Ok(integer) => integer_of(integer).map(Some),
            Err(_) => Ok(Some(number)),
        },
        Err(_) if has_commas(text) => Err(format!("{text:?} has thousands separators or a decimal comma: {PLAIN}")),
        Err(_) => Err(format!("{text:?} is not a number")),
    }
}

/// An integer that double precision holds.
pub fn integer_of(integer: i128) -> Result<f64, String> {
    let number = integer as f64;
    if number as i128 == integer {
        return Ok(number);
    }
    Err(format!("{integer} has more digits than double precision holds"))
}

/// Whether it is a number, or what somebody would write for one.
pub fn looks_like_one(text: &str) -> bool {
    text.trim().parse::<f64>().is_ok() || has_commas(text.trim())
}

fn has_commas(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let separates = |c: char| matches!(c, ',' | '.' | '\'' | ' ' | '\u{a0}' | '\u{202f}' | '\u{2019}');
    digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.contains(separates)
        && digits.chars().all(|c| c.is_ascii_digit() || separates(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_taken_as_it_is_and_nothing_that_is_nearly_one() {
        for (text, number) in [
            ("1.5", 1.5),
            (" -3 ", -3.0),
            ("1e300", 1e300),
            ("9007199254740992", 9_007_199_254_740_992.0),
        ] {
            assert_eq!(parse(text), Ok(Some(number)), "{text}");
        }
        assert_eq!(parse(" "), Ok(None));
        assert!(matches!(parse("NaN"), Ok(Some(number)) if number.is_nan()));
        assert_eq!(parse("-Infinity"), Ok(Some(f64::NEG_INFINITY)));
        for comma in [
            "1,234",
            "1,234.5",
            "3,14",
            "1.234,5",
            "1'234",
            "1 234",
            "-1,5",
            "1.234.567",
        ] {
            assert!(parse(comma).is_err_and(|reason| reason.contains(PLAIN)), "{comma}");
            assert!(looks_like_one(comma), "{comma}");
        }
        for none in ["abc", "1_000", "0x10", "--", "1,5 MW"] {
            assert!(
                parse(none).is_err_and(|reason| reason.contains("is not a number")),
                "{none}"
            );
        }
        assert!(parse("9007199254740993").is_err());
        assert!(parse("1e999").is_err());
    }
}
