//! Packs: as stored, with a checksum that says they are whole, and their text.

use super::{MANY, SOME, within};
use crate::formats::{MOST_POINTS, Pack, Version, pack_of_text, pack_versions};
use crate::{Target, corpus};

pub const PACKS: Target = Target {
    name: "packs",
    corpus: corpus::packs,
    words: &[],
    check: stored,
};

pub const PACK_TEXTS: Target = Target {
    name: "pack_texts",
    corpus: corpus::pack_texts,
    words: &[
        b"\"run_id\":\"00000000-0000-0000-0000-000000000000\",",
        b"\"known_time\":\"2025-01-01\",",
        b"\"change_time\":",
        b"\"changed_by\":\"\\u0000\",",
        b"\"annotation\":null,",
        b"\"tags\":[],",
        b"\"tags\":[\"a\",\"a\"],",
        b"\"points\":{\"values\":[]}",
        b"{\"start\":\"2025-01-01\",\"step\":\"PT1S\",\"values\":[1,2]}",
        b"null",
        b"\"a\\u0000\"",
        b"17",
        b"\"a\"",
        b"\"NaN\"",
        b"\"2025-01-01T01:00:00.000001+00\"",
        b"\"9999-12-31T23:59:59.999999Z\"",
        b"\"PT1S\"",
        b"\\ud800",
        b"[[[[[[[[",
        b"{",
        b"}",
        b"]",
        b",",
        b"\"",
    ],
    check: text,
};

/// One byte of format, then the CRC-32 of all that follows it.
const CHECKED_FROM: usize = 5;

/// Of a version while its pack is read: its places in the columns, and itself.
const BYTES_A_VERSION: usize = 400;
/// More versions are not tried: the format lets a few bytes claim five million, and only timedb itself writes packs.
const MOST_VERSIONS: usize = 50_000;

/// Of a value while it is decoded.
const BYTES_A_VALUE: usize = 16;
const LONG_ENCODING: usize = 4 << 20;

fn stored(bytes: &[u8]) -> bool {
    let mended = mended(bytes);
    if mended != bytes {
        assert!(Pack::read(bytes).is_err(), "a damaged pack is taken");
    }
    let versions = match usize::try_from(claimed(&mended)) {
        Ok(versions) if versions <= MOST_VERSIONS => versions,
        Ok(versions) if versions <= MOST_POINTS => return false,
        // Refused before anything is taken for them.
        _ => 0,
    };
    let most = BYTES_A_VERSION * versions + 64 * bytes.len() + SOME;
    let Ok(pack) = within(most + LONG_ENCODING, || Pack::read(&mended)) else {
        return false;
    };
    let most = BYTES_A_VALUE * pack.points() + LONG_ENCODING;
    if within(most, || pack.decode()).is_err() {
        return false;
    }
    if pack.points() <= MANY {
        check_whole(&pack);
    }
    true
}

/// Versions that were taken come back from a pack of them, and from their text.
fn check_whole(pack: &Pack) {
    let versions = pack.versions().expect("they were decoded before");
    let repacked = pack_versions(&versions).expect("they were in a pack");
    let again = Pack::read(&repacked).expect("they were packed");
    assert_eq!(again.versions().as_ref(), Ok(&versions));
    let text = pack.to_text().expect("they were decoded before");
    let of_text = pack_of_text(&text);
    if versions.iter().any(has_zero) {
        assert!(of_text.is_err(), "a zero byte, which no text can hold");
    } else {
        assert_eq!(of_text, Ok(repacked));
    }
}

fn has_zero(version: &Version) -> bool {
    let texts = version.tags.iter().flatten().chain(&version.annotation);
    texts.chain([&version.changed_by]).any(|text| text.contains('\0'))
}

fn text(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let most = 300 * text.len() + LONG_ENCODING;
    let Ok(packed) = within(most, || pack_of_text(&text)) else {
        return false;
    };
    check_whole(&Pack::read(&packed).expect("it was packed"));
    true
}

/// With the checksum of what is there, so that no decoder is hidden behind it.
fn mended(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    if let Some((head, checked)) = bytes.split_at_mut_checked(CHECKED_FROM) {
        head[1..].copy_from_slice(&crc32fast::hash(checked).to_le_bytes());
    }
    bytes
}

/// How many versions a pack says it has: the varint after the checksum.
fn claimed(bytes: &[u8]) -> u64 {
    let varint = bytes.iter().skip(CHECKED_FROM).take(10);
    let end = varint.clone().position(|byte| byte & 0x80 == 0);
    let groups = varint.take(end.map_or(0, |end| end + 1));
    groups
        .rev()
        .fold(0, |number, byte| number << 7 | u64::from(byte & 0x7f))
}
