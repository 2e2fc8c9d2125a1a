//! Numbers that are to be double precision: which of them one can be, and which only look as if.
//!
//! Of integers beyond 2^53 a double precision is every second, fourth, … one. Such an integer is taken where it is the double
//! exactly, or its shortest text with zeros behind, as JavaScript writes it; else it is refused, not rounded without a word.
//! Nor is a number taken that is too large or too small for one: it would be infinite, or zero.

use super::{Kind, Refusal};
use crate::excerpt::beginning;

/// Up to here a double precision holds every integer.
const LARGEST_EXACT: u128 = 1 << f64::MANTISSA_DIGITS;
/// Fewer than a number that is too small has, with an exponent of two digits or none.
const MANY_ZEROS: usize = 200;
/// The powers of ten that are double precision exactly.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];

/// An integer.
pub(crate) fn integer(number: i128) -> Result<f64, Refusal> {
    if number.unsigned_abs() <= LARGEST_EXACT {
        return Ok(number as f64);
    }
    integer_of_text(&number.to_string())
}

/// An integer as text: digits, perhaps with a sign.
pub(crate) fn integer_of_text(text: &str) -> Result<f64, Refusal> {
    match text.parse::<f64>() {
        Ok(double) if !double.is_finite() => Err(out_of_range()),
        Ok(double) if format!("{double}") == text || format!("{double:.0}") == text => Ok(double),
        _ => Err(inexact(text)),
    }
}

/// A number as JSON writes it.
pub(crate) fn of_text(text: &str) -> Result<f64, Refusal> {
    if text.bytes().all(|byte| byte == b'-' || byte.is_ascii_digit()) {
        return integer_of_text(text);
    }
    let mantissa = text.split(['e', 'E']).next().unwrap_or_default();
    let is_zero = !mantissa.bytes().any(|byte| matches!(byte, b'1'..=b'9'));
    match text.parse::<f64>() {
        Ok(double) if double.is_finite() && (double != 0.0 || is_zero) => Ok(double),
        _ => Err(out_of_range()),
    }
}

/// Whether some number in a JSON may be too small for a double precision, which readers of JSON take for zero: it has an
/// exponent of three digits, or very many zeros. What else looks so costs a second look at the rows.
pub(crate) fn may_be_too_small(json: &str) -> bool {
    let bytes = json.as_bytes();
    let is_large = |exponent: &[u8]| {
        let digits = exponent.iter().take_while(|byte| byte.is_ascii_digit()).count();
        // An id has such, too, but goes on.
        digits >= 3 && !matches!(exponent.get(digits), Some(b'-' | b'"' | b'a'..=b'z' | b'A'..=b'Z'))
    };
    // There are fewer signs than letters, and one is looked for eight bytes at a time.
    json.match_indices('-')
        .any(|(at, _)| matches!(bytes[..at], [.., b'e' | b'E']) && is_large(&bytes[at + 1..]))
        || json.contains(&"0".repeat(MANY_ZEROS))
}

/// So many of the unit that `scale` digits after the point make: the double precision that is nearest.
pub(crate) fn decimal(number: i128, scale: i8) -> Result<f64, Refusal> {
    if scale == 0 {
        return integer(number);
    }
    let power = usize::try_from(scale).ok().and_then(|scale| POWERS.get(scale));
    if let Some(power) = power
        && number.unsigned_abs() <= LARGEST_EXACT
    {
        // Both are exact, so the quotient is what a reader of the text would make of it.
        return Ok(number as f64 / power);
    }
    decimal_of_text(&number.to_string(), scale)
}

/// As [`decimal`], of digits that no integer of ours holds.
pub(crate) fn decimal_of_text(digits: &str, scale: i8) -> Result<f64, Refusal> {
    if scale == 0 {
        return integer_of_text(digits);
    }
    match format!("{digits}e{}", -i32::from(scale)).parse::<f64>() {
        Ok(double) if double.is_finite() => Ok(double),
        _ => Err(out_of_range()),
    }
}

/// The number of a float of 16 bits.
pub(crate) fn half(bits: u16) -> f64 {
    let (exponent, fraction) = (bits >> 10 & 0x1f, f64::from(bits & 0x3ff));
    let magnitude = match exponent {
        0 => fraction * 2f64.powi(-24),
        0x1f if fraction == 0.0 => f64::INFINITY,
        0x1f => f64::NAN,
        _ => (1.0 + fraction / 1024.0) * 2f64.powi(i32::from(exponent) - 15),
    };
    if bits >> 15 == 0 { magnitude } else { -magnitude }
}

pub(crate) fn out_of_range() -> Refusal {
    Refusal::new(Kind::NumberOutOfRange, "is out of range for type double precision")
}

fn inexact(number: &str) -> Refusal {
    let number = beginning(number);
    let reason = format!("{number} is beyond 2^53, where double precision is not exact");
    Refusal::new(Kind::NumberOutOfRange, reason).hint("Round it yourself to a number that double precision holds.")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMIT: i128 = 1 << 53;

    #[test]
    fn an_integer_is_taken_where_double_precision_is_it_or_its_shortest_text() {
        for exact in [
            0,
            -1,
            LIMIT,
            -LIMIT,
            LIMIT + 2,
            1 << 60,
            1 << 100,
            -(1 << 63),
            i128::from(u64::MAX) + 1,
        ] {
            assert_eq!(integer(exact).unwrap() as i128, exact);
            assert_eq!(integer_of_text(&exact.to_string()).unwrap() as i128, exact);
        }
        // What JavaScript writes of 2^60 and of 2^64.
        assert_eq!(integer(1_152_921_504_606_847_000).unwrap(), 2f64.powi(60));
        assert_eq!(integer_of_text("18446744073709552000").unwrap(), 2f64.powi(64));
        for other in [
            LIMIT + 1,
            -LIMIT - 1,
            i128::from(i64::MAX),
            i128::from(u64::MAX),
            i128::MAX,
            10_i128.pow(24) + 1,
        ] {
            let refusal = integer(other).unwrap_err();
            assert_eq!(refusal.kind, Kind::NumberOutOfRange);
            assert_eq!(
                refusal.reason,
                format!("{other} is beyond 2^53, where double precision is not exact")
            );
        }
        let refusal = integer_of_text(&"9".repeat(400)).unwrap_err();
        assert_eq!(refusal.reason, "is out of range for type double precision");
    }

    #[test]
    fn a_number_that_is_not_zero_and_would_be_is_refused() {
        let zeros = "0".repeat(330);
        for (text, double) in [
            ("0.0", 0.0),
            ("-0.0", -0.0),
            ("0e-400", 0.0),
            ("0.000e5", 0.0),
            ("5e-324", f64::from_bits(1)),
            ("1E-310", 1e-310),
            ("-2.5e-3", -0.0025),
            ("9007199254740993.0", 9_007_199_254_740_992.0),
        ] {
            assert_eq!(of_text(text).unwrap().to_bits(), f64::to_bits(double), "{text}");
        }
        for text in [
            "1e-400",
            "-1E-400",
            "0.1e-99999999999",
            "2e-324",
            &format!("0.{zeros}1"),
            "1e400",
        ] {
            let refusal = of_text(text).unwrap_err();
            assert_eq!(refusal.kind, Kind::NumberOutOfRange, "{text}");
            assert_eq!(refusal.reason, "is out of range for type double precision");
            if text != "1e400" {
                assert!(may_be_too_small(&format!("[{text}]")), "{text}");
                assert!(may_be_too_small(&format!(r#"{{"value": {text}}}"#)), "{text}");
            }
        }
        assert_eq!(of_text("9007199254740993").unwrap_err(), inexact("9007199254740993"));
        for json in [
            "[0.0,1e-99,1e100,0e5]",
            r#"["018f3a2b-1c4e-7e5e-8a6e-9c0d1e2f3a4b","4e-1234-a","e-123456789012"]"#,
        ] {
            assert!(!may_be_too_small(json), "{json}");
        }
    }

    #[test]
    fn a_decimal_is_the_nearest_double_precision() {
        for (number, scale, double) in [
            (45, 1, 4.5),
            (1, 1, 0.1),
            (-123_456, 3, -123.456),
            (1, 22, 1e-22),
            (1, 30, 1e-30),
            (3, -2, 300.0),
            (12_345_678_901_234_567_890_123, 10, 1_234_567_890_123.456_7),
            (LIMIT, 0, 9_007_199_254_740_992.0),
        ] {
            assert_eq!(decimal(number, scale).unwrap(), double, "{number}e-{scale}");
        }
        assert!(decimal(LIMIT + 1, 0).is_err());
        assert_eq!(decimal_of_text(&"9".repeat(76), 76).unwrap(), 1.0);
        assert!(decimal_of_text(&"9".repeat(76), i8::MIN).is_ok());
    }

    #[test]
    fn a_float_of_16_bits_is_widened() {
        for (bits, number) in [
            (0x0000, 0.0),
            (0x8000, -0.0),
            (0x0001, 2f64.powi(-24)),
            (0x03ff, 1023.0 * 2f64.powi(-24)),
            (0x0400, 2f64.powi(-14)),
            (0x3c00, 1.0),
            (0x3e00, 1.5),
            (0xc000, -2.0),
            (0x7bff, 65504.0),
            (0x7c00, f64::INFINITY),
            (0xfc00, f64::NEG_INFINITY),
        ] {
            assert_eq!(half(bits).to_bits(), f64::to_bits(number), "{bits:x}");
        }
        assert!(half(0x7e00).is_nan());
    }

    proptest! {
        #[test]
        fn every_double_precision_that_is_an_integer_comes_back_from_its_texts(double in any::<f64>()) {
            let double = double.trunc() + 0.0;
            if double.is_finite() {
                prop_assert_eq!(integer_of_text(&format!("{double}")).unwrap(), double);
                prop_assert_eq!(integer_of_text(&format!("{double:.0}")).unwrap(), double);
            }
        }

        #[test]
        fn every_double_precision_comes_back_from_its_text(double in any::<f64>()) {
            if double.is_finite() {
                prop_assert_eq!(of_text(&format!("{double:e}")).unwrap().to_bits(), double.to_bits());
            }
        }

        #[test]
        fn a_decimal_is_what_its_text_is(number in any::<i64>(), scale in 1..40i8) {
            let text = format!("{number}e-{scale}");
            prop_assert_eq!(decimal(number.into(), scale).unwrap(), text.parse::<f64>().unwrap());
        }
    }
}
