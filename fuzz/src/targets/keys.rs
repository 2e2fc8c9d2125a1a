//! API keys, against another reading of their format, which is slow and plain.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{SOME, within};
use crate::formats::{hash_key, hint_of_key, is_key};
use crate::{Target, corpus};

pub const API_KEYS: Target = Target {
    name: "api_keys",
    corpus: corpus::api_keys,
    words: &[b"tdb_", b"=", b"+", b"/", b"-", b"_", b"\0", b"AAAA"],
    check,
};

const PREFIX: &str = "tdb_";
const CHECKED: usize = 32;
const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn check(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let taken = within(SOME, || is_key(&text));
    let decoded = decoded(&text);
    let is_sound = |bytes: &Vec<u8>| crc_32(&bytes[..CHECKED]).to_be_bytes() == bytes[CHECKED..];
    assert_eq!(taken, decoded.as_ref().is_some_and(is_sound), "{text}");
    if let Some(bytes) = &decoded {
        let mended = key_of(bytes[..CHECKED].try_into().expect("32 bytes"));
        assert!(is_key(&mended), "{mended}");
        assert_eq!(mended == text, taken);
    }
    assert!(text.ends_with(hint_of_key(&text)) && hint_of_key(&text).len() <= 4);
    assert_eq!(hash_key(&text), hash_key(&text.clone()));
    taken
}

/// The key with these bytes, and their checksum.
pub fn key_of(checked: &[u8; CHECKED]) -> String {
    let bytes = [&checked[..], &crc32fast::hash(checked).to_be_bytes()].concat();
    format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))
}

/// The 36 bytes that a text of the right form holds.
fn decoded(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix(PREFIX).filter(|digits| digits.len() == 48)?;
    let mut bytes = Vec::new();
    for four in digits.as_bytes().chunks(4) {
        let mut number = 0u32;
        for digit in four {
            let six = ALPHABET.iter().position(|letter| letter == digit)?;
            number = number << 6 | u32::try_from(six).ok()?;
        }
        bytes.extend(&number.to_be_bytes()[1..]);
    }
    Some(bytes)
}

/// Bit by bit.
fn crc_32(bytes: &[u8]) -> u32 {
    let shift = |crc: u32, _| crc >> 1 ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
    let byte = |crc: u32, byte: &u8| (0..8).fold(crc ^ u32::from(*byte), shift);
    !bytes.iter().fold(!0, byte)
}
