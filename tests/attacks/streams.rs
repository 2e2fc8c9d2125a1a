//! Arrow IPC streams as pyarrow writes them, of one row each (`tests/attacks/streams`): put to an attacker's use by writing
//! over what they say.

use uuid::Uuid;

/// The text of the key in the streams that name the series by one.
const KEY: &[u8] = b"the_key_of_a_series";
const ID: [u8; 16] = [
    0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf,
];
const VALUE: [u8; 8] = 2.0_f64.to_le_bytes();
/// 2025-01-02, in microseconds since 1970.
const TIME: [u8; 8] = 1_735_776_000_000_000_i64.to_le_bytes();

const BY_KEY: &[u8] = include_bytes!("streams/by_key.arrow");
const BY_ID: &[u8] = include_bytes!("streams/by_id.arrow");

/// One of each way in which a text may lie in a stream.
pub const EACH_WAY: [&[u8]; 4] = [
    BY_KEY,
    BY_ID,
    include_bytes!("streams/by_code.arrow"),
    include_bytes!("streams/by_view.arrow"),
];

/// A row of the series of this name, of at most 19 bytes.
pub fn of_key(key: &str) -> Vec<u8> {
    let mut padded = key.as_bytes().to_vec();
    padded.resize(KEY.len(), b'_');
    with(BY_KEY, KEY, &padded)
}

/// A row of the series with this id.
pub fn of_id(id: Uuid) -> Vec<u8> {
    with(BY_ID, &ID, id.as_bytes())
}

/// The same row, with another value and so many microseconds later.
pub fn moved(stream: &[u8], value: f64, later: i64) -> Vec<u8> {
    // In this order: a time may be written so that it looks like the value before.
    let moved = with(stream, &VALUE, &value.to_le_bytes());
    let time = i64::from_le_bytes(TIME) + later;
    with(&moved, &TIME, &time.to_le_bytes())
}

/// As it stands in SQL.
pub fn literal(stream: &[u8]) -> String {
    let digits: String = stream.iter().map(|byte| format!("{byte:02x}")).collect();
    format!(r"'\x{digits}'::bytea")
}

/// With the one place that says this saying something else.
fn with(stream: &[u8], this: &[u8], other: &[u8]) -> Vec<u8> {
    let place = stream
        .windows(this.len())
        .position(|window| window == this)
        .expect("the stream says it");
    let mut stream = stream.to_vec();
    stream[place..place + other.len()].copy_from_slice(other);
    stream
}
