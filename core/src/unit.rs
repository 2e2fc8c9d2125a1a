//! Units of measure, and what turns a value in one into a value in another. What a unit is, is UCUM's to say, by the crate that
//! knows it; here is how it is asked, and how some people spell what UCUM spells otherwise.
//!
//! A unit that nobody knows is a text like any other: it is what it is called, and is turned into no other.

use octofhir_ucum::{CanonicalUnit, Number, find_prefix, find_unit, get_canonical_units};

use crate::limits::LONGEST_UNIT;

/// What turns values in one unit into values in another: `value * factor + offset`, or a division where that is the exact one.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Conversion {
    factor: f64,
    divides: bool,
    offset: f64,
}

/// Why a value in one unit is none in another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NotConvertible {
    /// The first unit, or the second, is a name that is not known.
    UnknownFrom,
    UnknownTo,
    /// They measure different things, or on scales that no factor leads between.
    OtherDimension,
}

impl Conversion {
    const NONE: Conversion = Conversion {
        factor: 1.0,
        divides: false,
        offset: 0.0,
    };

    pub fn is_none(&self) -> bool {
        *self == Conversion::NONE
    }

    #[inline]
    pub fn of(&self, value: f64) -> f64 {
        let scaled = if self.divides {
            value / self.factor
        } else {
            value * self.factor
        };
        // Adding no offset would lose the sign of a zero.
        if self.offset == 0.0 {
            scaled
        } else {
            scaled + self.offset
        }
    }
}

/// What turns values in the one unit into values in the other.
pub fn conversion(from: &str, to: &str) -> Result<Conversion, NotConvertible> {
    if from == to {
        return Ok(Conversion::NONE);
    }
    let from = Known::of(from).ok_or(NotConvertible::UnknownFrom)?;
    let to = Known::of(to).ok_or(NotConvertible::UnknownTo)?;
    if from.unit.unit != to.unit.unit || from.currency != to.currency {
        return Err(NotConvertible::OtherDimension);
    }
    between(&from.unit, &to.unit).ok_or(NotConvertible::OtherDimension)
}

/// In decimals, which the factors of most units are: only the last step is one of binary fractions.
fn between(from: &CanonicalUnit, to: &CanonicalUnit) -> Option<Conversion> {
    let larger = from.factor.checked_div(to.factor)?;
    let smaller = to.factor.checked_div(from.factor)?;
    let offset = from.offset.checked_sub(to.offset)?.checked_div(to.factor)?;
    let divides = larger < Number::from_i64(1);
    let conversion = Conversion {
        factor: if divides { smaller } else { larger }.to_f64(),
        divides,
        offset: offset.to_f64(),
    };
    let is_sound = conversion.factor.is_normal() && conversion.factor > 0.0 && conversion.offset.is_finite();
    is_sound.then_some(conversion)
}

/// A unit that is known, and which currency is in it.
struct Known {
    unit: CanonicalUnit,
    currency: Option<String>,
}

/// UCUM has no money: a currency stands as a unit of its own kind, which is turned into no other.
const OF_ITS_OWN_KIND: &str = "[arb'U]";

/// What is spelled otherwise than UCUM does, wherever it stands.
const CHARACTERS: [(&str, &str); 6] = [
    ("\u{b5}", "u"),
    ("\u{3bc}", "u"),
    ("\u{b2}", "2"),
    ("\u{b3}", "3"),
    ("\u{b7}", "."),
    ("\u{20ac}", "EUR"),
];
/// And names of units, some of them with a prefix before them.
const NAMES: [(&str, &str); 8] = [
    ("Wh", "W.h"),
    ("Ah", "A.h"),
    ("VA", "V.A"),
    ("var", "V.A"),
    ("°C", "Cel"),
    ("degC", "Cel"),
    ("°F", "[degF]"),
    ("degF", "[degF]"),
];

impl Known {
    fn of(text: &str) -> Option<Known> {
        if text.len() > LONGEST_UNIT || text.contains(OF_ITS_OWN_KIND) {
            return None;
        }
        let mut currency = None;
        let unit = get_canonical_units(&in_ucum(text, &mut currency)?).ok()?;
        (unit.factor > Number::from_i64(0)).then_some(Known { unit, currency })
    }
}

/// The text as UCUM spells it; none where it has two currencies.
fn in_ucum(text: &str, currency: &mut Option<String>) -> Option<String> {
    let mut text = text.to_owned();
    for (other, own) in CHARACTERS {
        text = text.replace(other, own);
    }
    let mut spelled = String::new();
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let name = rest.find(['.', '/', '(', ')', '[', '{']).unwrap_or(rest.len());
        spelled.push_str(&name_in_ucum(&rest[..name], currency)?);
        // What stands in brackets or braces is as it is.
        let after = match rest[name..].chars().next() {
            Some('[') => rest[name..].find(']').map(|end| end + 1),
            Some('{') => rest[name..].find('}').map(|end| end + 1),
            Some(_) => Some(1),
            None => Some(0),
        };
        let after = name + after.unwrap_or(rest.len() - name);
        spelled.push_str(&rest[name..after]);
        rest = &rest[after..];
    }
    Some(spelled)
}

fn name_in_ucum(text: &str, currency: &mut Option<String>) -> Option<String> {
    let name = text.trim_end_matches(|c: char| c.is_ascii_digit());
    let name = name.trim_end_matches(['+', '-']);
    let exponent = &text[name.len()..];
    if name.is_empty() || is_of_ucum(name) {
        return Some(text.to_owned());
    }
    for (other, own) in NAMES {
        if let Some(prefix) = name.strip_suffix(other)
            && (prefix.is_empty() || find_prefix(prefix).is_some() && own.starts_with(|c: char| c.is_ascii_uppercase()))
        {
            // A temperature takes part in no product: it stands without parentheses.
            let is_product = own.contains('.');
            return Some(match is_product {
                true => format!("({prefix}{own}){exponent}"),
                false => format!("{prefix}{own}{exponent}"),
            });
        }
    }
    if name.len() == 3 && name.bytes().all(|letter| letter.is_ascii_uppercase()) {
        return match currency.replace(name.to_owned()) {
            Some(other) if other != name => None,
            _ => Some(format!("{OF_ITS_OWN_KIND}{exponent}")),
        };
    }
    Some(text.to_owned())
}

fn is_of_ucum(name: &str) -> bool {
    let with_prefix = || {
        (1..=2).any(|length| {
            name.split_at_checked(length)
                .is_some_and(|(prefix, unit)| find_prefix(prefix).is_some() && find_unit(unit).is_some())
        })
    };
    find_unit(name).is_some() || with_prefix()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn converted(value: f64, from: &str, to: &str) -> f64 {
        let conversion = conversion(from, to);
        conversion
            .unwrap_or_else(|error| panic!("{from} → {to}: {error:?}"))
            .of(value)
    }

    #[test]
    fn values_are_what_people_expect_to_the_last_bit() {
        for (value, from, to, expected) in [
            (1.5, "MW", "kW", 1500.0),
            (1500.0, "kW", "MW", 1.5),
            (0.1, "kW", "W", 100.0),
            (1.0, "kWh", "kW.h", 1.0),
            (1.0, "MWh", "kWh", 1000.0),
            (1.0, "GWh", "MW.h", 1000.0),
            (1.0, "kWh", "J", 3_600_000.0),
            (1.0, "kWh", "MJ", 3.6),
            (3.6, "MJ", "kWh", 1.0),
            (0.0, "°C", "K", 273.15),
            (273.15, "K", "Cel", 0.0),
            (20.0, "degC", "degF", 68.0),
            (68.0, "°F", "°C", 20.0),
            (-40.0, "[degF]", "Cel", -40.0),
            (36.0, "km/h", "m/s", 10.0),
            (10.0, "m/s", "km/h", 36.0),
            (50.0, "%", "1", 0.5),
            (0.5, "1", "%", 50.0),
            (3600.0, "1/h", "1/s", 1.0),
            (1.0, "Hz", "1/s", 1.0),
            (1.0, "W/m²", "kW/m2", 0.001),
            (1013.0, "hPa", "bar", 1.013),
            (7.0, "d", "h", 168.0),
            (1.0, "m³/h", "l/s", 1.0 / 3.6),
            (25.0, "µg/m3", "mg/m3", 0.025),
            (2.0, "MVA", "kV.A", 2000.0),
            (1.0, "kWh/(m².d)", "J/(m2.s)", 3_600_000.0 / 86_400.0),
            (80.0, "EUR/MWh", "EUR/kWh", 0.08),
            (80.0, "€/MWh", "EUR/kWh", 0.08),
            (0.08, "EUR/kWh", "EUR/MWh", 80.0),
        ] {
            assert_eq!(converted(value, from, to), expected, "{value} {from} → {to}");
        }
    }

    #[test]
    fn equal_texts_need_no_conversion_whether_they_are_known_or_not() {
        for unit in ["MW", "EUR/MWh", "dimensionless", "", "\u{1f600}", "(("] {
            assert!(conversion(unit, unit).unwrap().is_none(), "{unit}");
        }
        assert!(Conversion::NONE.of(-0.0).is_sign_negative());
    }

    #[test]
    fn what_measures_something_else_or_is_unknown_is_told_apart() {
        use NotConvertible::{OtherDimension, UnknownFrom, UnknownTo};
        for (from, to, why) in [
            ("MW", "MWh", OtherDimension),
            ("MW", "K", OtherDimension),
            ("K", "1", OtherDimension),
            ("EUR/MWh", "USD/MWh", OtherDimension),
            ("EUR/MWh", "1/MWh", OtherDimension),
            ("EUR/cd", "cd/EUR", OtherDimension),
            ("EUR", "[arb'U]", UnknownTo),
            ("EUR/USD", "1", UnknownFrom),
            ("dimensionless", "1", UnknownFrom),
            ("MW", "dimensionless", UnknownTo),
            ("MW", "megawatts", UnknownTo),
            ("MW", "", UnknownTo),
            ("Mw", "MW", UnknownFrom),
            ("B", "1", UnknownFrom),
            ("Cel/h", "K/h", UnknownFrom),
            ("m/s; DROP", "m/s", UnknownFrom),
        ] {
            assert_eq!(conversion(from, to), Err(why), "{from} → {to}");
        }
    }

    #[test]
    fn hostile_texts_are_unknown_and_take_no_time() {
        for text in [
            "(".repeat(100),
            "m".repeat(100),
            "m9".repeat(50),
            "10*99999".into(),
            "10*-99999".into(),
            "m99999999999".into(),
            "1/0".into(),
            "0".into(),
            "[".into(),
            "{".into(),
            "{}".into(),
            "[degF".into(),
            "m".repeat(101),
            "Ym99.Ym99".into(),
            "\u{b5}".repeat(50),
            "\0".into(),
        ] {
            let _ = conversion(&text, "m");
            let _ = conversion("m", &text);
        }
        assert!(conversion(&"m".repeat(101), "m").is_err());
    }

    const PARTS: [&str; 30] = [
        "m", "s", "kg", "W", "h", "k", "M", "Wh", "°C", "Cel", "EUR", "%", "1", "10", "*", "^", ".", "/", "(", ")",
        "[", "]", "{", "}", "-", "+", "2", "9", "[degF]", "\u{b2}",
    ];

    proptest! {
        #[test]
        fn no_text_brings_it_down_and_back_is_where_it_began(
            from in prop::collection::vec(prop::sample::select(&PARTS[..]), 0..12),
            to in prop::collection::vec(prop::sample::select(&PARTS[..]), 0..12),
            other in any::<String>(), value in -1e6..1e6f64,
        ) {
            let (from, to) = (from.concat(), to.concat());
            let _ = conversion(&other, &to);
            let _ = conversion(&from, &other);
            if let (Ok(there), Ok(back)) = (conversion(&from, &to), conversion(&to, &from)) {
                let again = back.of(there.of(value));
                let error = (again - value).abs() / (value.abs() + there.offset.abs() + back.offset.abs() + 1.0);
                prop_assert!(error < 1e-9, "{} {} → {}: {}", value, from, to, again);
            }
        }
    }
}
