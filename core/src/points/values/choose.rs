//! Which encoding values get: the one in the fewest bytes, if it is worth what it costs to read.

use super::Encoding;
use super::decimal::Decimals;
use super::integers::Plan;
use super::long;

/// From how many values on pco is tried: below, what a file of it costs in itself eats what it saves, and opening one takes
/// longer than reading all the values.
const LONG: usize = 512;

/// Appends the values in the encoding that is returned. The same values are the same bytes.
pub fn encode(values: &[f64], bytes: &mut Vec<u8>) -> Encoding {
    let decimals = Decimals::of(values);
    let short = Short::of(values, decimals.as_ref());
    if values.len() >= LONG
        && let Some(pco) = compress(values, decimals.as_ref())
        && is_clearly_smaller(pco.len(), short.size())
    {
        bytes.extend(pco);
        return Encoding::Pco;
    }
    short.push(bytes)
}

/// As [`encode`], but in an encoding that a client may send.
pub fn encode_for_client(values: &[f64], bytes: &mut Vec<u8>) -> Encoding {
    let decimals = Decimals::of(values);
    Short::of(values, decimals.as_ref()).push(bytes)
}

/// By a tenth: pco takes several times as long to read.
fn is_clearly_smaller(pco: usize, short: usize) -> bool {
    pco < short - short / 10
}

pub fn compress(values: &[f64], decimals: Option<&Decimals>) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(decimals) = decimals {
        decimals.push_head(&mut bytes);
        bytes.extend(long::compress_integers(&decimals.integers)?);
    } else {
        bytes.push(long::FLOATS);
        bytes.extend(long::compress_floats(values)?);
    }
    Some(bytes)
}

/// The smaller of the encodings that take nanoseconds to read.
enum Short<'a> {
    Plain(&'a [f64]),
    Decimal(&'a Decimals, Plan),
}

impl<'a> Short<'a> {
    fn of(values: &'a [f64], decimals: Option<&'a Decimals>) -> Short<'a> {
        if let Some(decimals) = decimals {
            let plan = Plan::of(&decimals.integers);
            let short = Short::Decimal(decimals, plan);
            if short.size() < size_of_val(values) {
                return short;
            }
        }
        Short::Plain(values)
    }

    fn size(&self) -> usize {
        match self {
            Short::Plain(values) => size_of_val(*values),
            Short::Decimal(decimals, plan) => decimals.head_size() + plan.size(),
        }
    }

    fn push(&self, bytes: &mut Vec<u8>) -> Encoding {
        match self {
            Short::Plain(values) => {
                bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
                Encoding::Plain
            }
            Short::Decimal(decimals, plan) => {
                decimals.push_head(bytes);
                plan.push(&decimals.integers, bytes);
                Encoding::Decimal
            }
        }
    }
}
