//! Changes to bytes: small ones, that leave most of what was valid, so that a reader gets far before it finds them.

use std::fmt;
use std::ops::Range;

use proptest::collection::vec;
use proptest::prelude::*;

/// One change. Places are counted from the front and taken modulo the length, so that each fits any bytes.
#[derive(Clone)]
pub enum Mutation {
    Flip(usize, u8),
    /// So much more than the byte is, or less.
    Add(usize, i8),
    Set(usize, Vec<u8>),
    Insert(usize, Vec<u8>),
    Remove(usize, usize),
    /// So many bytes from a place, so many times more.
    Repeat(usize, usize, usize),
    /// So many bytes from a place, over those at another.
    Copy(usize, usize, usize),
    /// Other bytes for a token of a text.
    Token(usize, Vec<u8>),
    /// One token of a text in the place of another.
    SameToken(usize, usize),
    /// Another digit for a digit of a text.
    Digit(usize, u8),
    Cut(usize),
}

/// Up to eight changes, mostly one or two; `words` are what the kind of bytes is made of.
///
/// Drawn as numbers that say which change it is: strategies for each of its parts take ten times as long as what is tried.
pub fn mutations(words: &'static [&'static [u8]]) -> impl Strategy<Value = Vec<Mutation>> {
    const COUNTS: [usize; 8] = [1, 1, 1, 1, 2, 2, 3, 8];
    let drawn = (any::<usize>(), vec(any::<[usize; 4]>(), 1..=8));
    drawn.prop_map(move |(count, drawn)| {
        let count = COUNTS[count % COUNTS.len()];
        let drawn = drawn.into_iter().take(count);
        drawn.map(|numbers| Mutation::of(numbers, words)).collect()
    })
}

/// Mostly near the front, where all formats say what follows.
fn place(drawn: usize) -> usize {
    match drawn % 3 {
        0 => drawn / 3 % 16,
        1 => drawn / 3 % 200,
        _ => drawn / 3 % 100_000,
    }
}

fn piece(kind: usize, drawn: usize, words: &[&[u8]]) -> Vec<u8> {
    match kind % 6 {
        0..=2 => word(drawn, words),
        3..=4 => number(kind / 6, drawn),
        _ => drawn.to_le_bytes()[..1 + kind / 6 % 5].to_vec(),
    }
}

fn word(drawn: usize, words: &[&[u8]]) -> Vec<u8> {
    nth(words, drawn).map_or(vec![], |word| word.to_vec())
}

/// A number as some format writes it: a varint, or of a fixed width; mostly one at which something ends.
fn number(kind: usize, drawn: usize) -> Vec<u8> {
    const CLAIMS: [u64; 12] = [
        0,
        1,
        2,
        64,
        127,
        128,
        5_000_000,
        5_000_001,
        1 << 31,
        1 << 40,
        i64::MAX as u64,
        u64::MAX,
    ];
    let number = match kind % 3 {
        0 => CLAIMS[drawn % CLAIMS.len()],
        1 => drawn as u64,
        _ => drawn as u64 % 1000,
    };
    match kind / 3 % 8 {
        width @ 0..=3 => number.to_le_bytes()[..1 << width].to_vec(),
        _ => varint(number),
    }
}

pub fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number > 0x7f {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
    bytes
}

impl Mutation {
    fn of([kind, a, b, c]: [usize; 4], words: &[&[u8]]) -> Mutation {
        const TIMES: [usize; 5] = [1, 2, 7, 120, 700];
        const TOKENS: usize = 60;
        match kind % 32 {
            0..=3 => Mutation::Flip(place(a), (b % 8) as u8),
            4..=7 => Mutation::Add(place(a), (b % 9) as i8 - 4),
            8..=10 => Mutation::Set(place(a), piece(b, c, words)),
            11..=13 => Mutation::Insert(place(a), piece(b, c, words)),
            14..=15 => Mutation::Remove(place(a), 1 + b % 12),
            16..=17 => Mutation::Repeat(place(a), 1 + b % 20, TIMES[c % TIMES.len()]),
            18 => Mutation::Copy(place(a), place(b), 1 + c % 20),
            19..=24 => Mutation::Token(a % TOKENS, word(b, words)),
            25..=26 => Mutation::SameToken(a % TOKENS, b % TOKENS),
            27..=30 => Mutation::Digit(place(a), b'0' + (b % 10) as u8),
            _ => Mutation::Cut(place(a)),
        }
    }

    pub fn apply_all(changes: &[Mutation], bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        for change in changes {
            change.apply(&mut bytes);
        }
        bytes
    }

    fn apply(&self, bytes: &mut Vec<u8>) {
        let length = bytes.len();
        let place = |at: usize| at % (length + 1);
        let end = |at: usize, count: usize| (place(at) + count).min(length);
        match self {
            Mutation::Flip(at, bit) => {
                if let Some(byte) = bytes.get_mut(place(*at)) {
                    *byte ^= 1 << bit;
                }
            }
            Mutation::Add(at, more) => {
                if let Some(byte) = bytes.get_mut(place(*at)) {
                    *byte = byte.wrapping_add_signed(*more);
                }
            }
            Mutation::Set(at, piece) => {
                bytes.splice(place(*at)..end(*at, piece.len()), piece.iter().copied());
            }
            Mutation::Insert(at, piece) => {
                bytes.splice(place(*at)..place(*at), piece.iter().copied());
            }
            Mutation::Remove(at, count) => {
                bytes.drain(place(*at)..end(*at, *count));
            }
            Mutation::Repeat(at, count, times) => {
                let piece = bytes[place(*at)..end(*at, *count)].repeat(*times);
                bytes.splice(place(*at)..place(*at), piece);
            }
            Mutation::Copy(from, to, count) => {
                let piece = bytes[place(*from)..end(*from, *count)].to_vec();
                bytes.splice(place(*to)..end(*to, piece.len()), piece);
            }
            Mutation::Token(at, piece) => {
                if let Some(token) = nth(&tokens(bytes), *at) {
                    bytes.splice(token.clone(), piece.iter().copied());
                }
            }
            Mutation::SameToken(from, to) => {
                let tokens = tokens(bytes);
                if let (Some(from), Some(to)) = (nth(&tokens, *from), nth(&tokens, *to)) {
                    let piece = bytes[from.clone()].to_vec();
                    bytes.splice(to.clone(), piece);
                }
            }
            Mutation::Digit(at, digit) => {
                let digits = (0..length).filter(|place| bytes[*place].is_ascii_digit());
                if let Some(place) = nth(&digits.collect::<Vec<_>>(), *at) {
                    bytes[*place] = *digit;
                }
            }
            Mutation::Cut(at) => bytes.truncate(place(*at)),
        }
    }
}

fn nth<T>(all: &[T], at: usize) -> Option<&T> {
    all.get(at % all.len().max(1))
}

/// Where the strings, numbers and words of a text are.
fn tokens(bytes: &[u8]) -> Vec<Range<usize>> {
    const BETWEEN: &[u8] = b"[]{}:, \n";
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(first) = bytes.get(at) {
        let after = &bytes[at + 1..];
        let length = if *first == b'"' {
            after.iter().position(|byte| *byte == b'"').map(|end| end + 2)
        } else {
            after.iter().position(|byte| BETWEEN.contains(byte)).map(|end| end + 1)
        };
        if BETWEEN.contains(first) {
            at += 1;
        } else {
            let end = length.map_or(bytes.len(), |length| at + length);
            tokens.push(at..end);
            at = end;
        }
    }
    tokens
}

impl fmt::Debug for Mutation {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Mutation::Flip(at, bit) => write!(f, "flip bit {bit} at {at}"),
            Mutation::Add(at, more) => write!(f, "add {more} at {at}"),
            Mutation::Set(at, piece) => write!(f, "set {piece:02x?} at {at}"),
            Mutation::Insert(at, piece) => write!(f, "insert {piece:02x?} at {at}"),
            Mutation::Remove(at, count) => write!(f, "remove {count} at {at}"),
            Mutation::Repeat(at, count, times) => write!(f, "repeat {count} at {at} {times} times"),
            Mutation::Copy(from, to, count) => write!(f, "copy {count} from {from} to {to}"),
            Mutation::Token(at, piece) => write!(f, "token {at} to {piece:02x?}"),
            Mutation::SameToken(from, to) => write!(f, "token {to} to token {from}"),
            Mutation::Digit(at, digit) => write!(f, "digit {at} to {}", char::from(*digit)),
            Mutation::Cut(at) => write!(f, "cut at {at}"),
        }
    }
}
