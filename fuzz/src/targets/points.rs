//! Points: binary from a client, binary as stored, and their text.

use super::{MANY, SOME, within};
use crate::formats::{MOST_POINTS, Points, pack_points, points_of_text};
use crate::memory::most_taken;
use crate::{Target, corpus};

pub const POINTS_OF_CLIENTS: Target = Target {
    name: "points_of_clients",
    corpus: corpus::points_of_clients,
    words: &[],
    check: of_clients,
};

pub const STORED_POINTS: Target = Target {
    name: "stored_points",
    corpus: corpus::stored_points,
    words: &[],
    check: stored,
};

pub const POINT_TEXTS: Target = Target {
    name: "point_texts",
    corpus: corpus::point_texts,
    words: WORDS,
    check: text,
};

/// Of the texts of points, and of JSON as such.
pub const WORDS: &[&[u8]] = &[
    b"\"start\":\"2025-01-01\",",
    b"\"step\":\"PT1H\",",
    b"\"times\":[",
    b"\"length\":\"PT0.000001S\",",
    b"\"ends\":[null,\"2025-01-01\"],",
    b"\"values\":[",
    b"null",
    b"\"NaN\"",
    b"\"NaN:7ff8000000000001\"",
    b"\"Infinity\"",
    b"-0.0",
    b"1e999",
    b"5e-324",
    b"17",
    b"\"2025-01-01T01:00:00.000001+00\"",
    b"\"9999-12-31T23:59:59.999999Z\"",
    b"\"0001-01-01 BC\"",
    b"\"PT1S\"",
    b"\"P999999Y\"",
    b"\\u0000",
    b"\\ud800",
    b"[[[[[[[[",
    b"{\"",
    b"]",
    b"}",
    b",",
    b"\"",
];

/// Of a point while it is opened: its value as it is stored, and at its place.
const BYTES_A_POINT: usize = 16;

/// What the long encoding's library takes for any values, and their integers.
const LONG_ENCODING: usize = 4 << 20;

fn of_clients(bytes: &[u8]) -> bool {
    let (read, taken) = most_taken(|| Points::of_client(bytes));
    let count = read.as_ref().map_or(MOST_POINTS, Points::len);
    assert!(
        taken <= BYTES_A_POINT * count + SOME,
        "{taken} bytes taken for {count} points"
    );
    let Ok(points) = read else { return false };
    assert!(points.len() <= MOST_POINTS);
    check_whole(&points);
    true
}

fn stored(bytes: &[u8]) -> bool {
    // Nothing is allocated but the words of a refusal.
    let Ok(points) = within(SOME, || Points::stored(bytes)) else {
        return false;
    };
    let most = (BYTES_A_POINT + 8) * points.len() + LONG_ENCODING;
    if within(most, || points.decode()).is_err() {
        return false;
    }
    check_whole(&points);
    true
}

/// Points that were taken come back from each of their forms.
fn check_whole(points: &Points) {
    if points.len() > MANY {
        return;
    }
    let all = points.all().expect("they were opened before");
    assert_eq!(all.len(), points.len());
    let repacked = points.repacked().expect("they were opened before");
    assert_eq!(pack_points(&all).as_ref(), Ok(&repacked));
    let again = Points::stored(&repacked).expect("they were packed");
    assert_eq!(again.all().as_ref(), Ok(&all));
    let wire = points.to_wire().expect("they were opened before");
    let again = Points::of_client(&wire).expect("a client may send what it was sent");
    assert_eq!(again.all().as_ref(), Ok(&all));
    let text = points.to_text().expect("they were opened before");
    assert_eq!(points_of_text(&text).as_ref(), Ok(&all));
}

fn text(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let read = within(200 * text.len() + SOME, || points_of_text(&text));
    let Ok(packed) = read.and_then(|points| pack_points(&points)) else {
        return false;
    };
    check_whole(&Points::stored(&packed).expect("they were packed"));
    true
}
