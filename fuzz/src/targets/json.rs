//! The JSON rows of an upload and of an update.

use super::upload::{BYTES_A_BYTE, MOST_ROWS, check_refusal, check_series};
use super::{LONG, LONGER, SOME, within};
use crate::corpus::{json_of_updates, json_of_upload};
use crate::formats::{LONGEST_ANNOTATION, LONGEST_TAG, MOST_TAGS, Update, read_updates, read_upload};
use crate::{Target, corpus};

pub const JSON_UPLOADS: Target = Target {
    name: "json_uploads",
    corpus: corpus::json_uploads,
    words: WORDS,
    check: upload,
};

pub const JSON_UPDATES: Target = Target {
    name: "json_updates",
    corpus: corpus::json_updates,
    words: WORDS,
    check: updates,
};

const WORDS: &[&[u8]] = &[
    b"\"valid_time\":\"2025-01-01\",",
    b"\"valid_time_end\":null,",
    b"\"value\":1e999,",
    b"\"value\":\"NaN\",",
    b"\"value_key\":\" \",",
    b"\"series_id\":\"00000000000000000000000000000000\",",
    b"\"run_id\":",
    b"\"annotation\":\" \\t\",",
    b"\"tags\":[\"B\",\"a\",\" b \",\"\"],",
    b"null",
    b"\"a\\u0000\"",
    b"true",
    b"-0",
    b"1e-400",
    b"18446744073709551616",
    b"\\u0000",
    b"\\ud800",
    b"\\ud83c\\udf2c",
    "ΑΣ İ".as_bytes(),
    b"17",
    b"\"a\"",
    b"\"B \"",
    b"\"NaN\"",
    b"\"2025-01-01 02:00:00.5+02\"",
    b"\"9999-12-31T24:00:00Z\"",
    b"\"infinity\"",
    b"\"0001-01-01 BC\"",
    b"\"00000000-0000-0000-0000-000000000001\"",
    b"[\"x\",\"X\"]",
    b"[[[[[[[[",
    b"{\"value\":",
    b"]",
    b"}",
    b",",
    b"\"",
    b"{}",
    &LONG,
    &LONGER,
];

fn upload(bytes: &[u8]) -> bool {
    let json = String::from_utf8_lossy(bytes);
    let most = BYTES_A_BYTE * json.len() + SOME;
    match within(most, || read_upload(&json, MOST_ROWS)) {
        Err(refused) => {
            check_refusal(&refused, "value_rows");
            false
        }
        Ok(all) => {
            check_series(&all, &|most| read_upload(&json, most));
            assert_eq!(read_upload(&json_of_upload(&all), MOST_ROWS), Ok(all));
            true
        }
    }
}

fn updates(bytes: &[u8]) -> bool {
    let json = String::from_utf8_lossy(bytes);
    let most = BYTES_A_BYTE * json.len() + SOME;
    match within(most, || read_updates(&json, MOST_ROWS)) {
        Err(refused) => {
            check_refusal(&refused, "updates");
            false
        }
        Ok(all) => {
            all.iter().for_each(check_update);
            assert_eq!(read_updates(&json_of_updates(&all), MOST_ROWS), Ok(all));
            true
        }
    }
}

/// In the form in which it is stored.
fn check_update(update: &Update) {
    assert!(update.end.is_none_or(|end| end > update.start));
    if let Some(Some(annotation)) = &update.annotation {
        assert!(!annotation.is_empty() && annotation.trim() == annotation);
        assert!(annotation.len() <= LONGEST_ANNOTATION && !annotation.contains('\0'));
    }
    if let Some(Some(tags)) = &update.tags {
        assert!(!tags.is_empty() && tags.len() <= MOST_TAGS);
        assert!(tags.is_sorted_by(|tag, next| tag < next));
        for tag in tags {
            assert!(!tag.is_empty() && tag.len() <= LONGEST_TAG && !tag.contains('\0'));
            assert_eq!(tag.trim().to_lowercase(), *tag);
        }
    }
}
