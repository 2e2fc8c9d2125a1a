//! Arrow IPC streams of an upload.

use std::sync::Arc;

use arrow_array::builder::{ListBuilder, StringBuilder};
use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow_ipc::writer::StreamWriter;

use super::upload::{BYTES_A_BYTE, MOST_ROWS, check_refusal, check_series};
use super::{SOME, within};
use crate::corpus::{id_text, rows_of};
use crate::formats::{Series, read_arrow};
use crate::{Target, corpus};

pub const ARROW_STREAMS: Target = Target {
    name: "arrow_streams",
    corpus: corpus::arrow_streams,
    words: &[
        b"valid_time\0",
        b"valid_time_end\0",
        b"value\0",
        b"value_key\0",
        b"series_key\0",
        b"series_id\0",
        b"labels\0",
        b"annotation\0",
        b"tags\0",
        b"\xff\xff\xff\xff",
        b"\0\0\0\0\0\0\0\0",
        b"\xff\xff\xff\xff\0\0\0\0",
        b"ARROW1",
    ],
    check,
};

/// Arrow counts from 1970.
const MICROS_FROM_1970_TO_2000: i64 = 946_684_800_000_000;

/// The library that verifies metadata keeps tables of it.
const METADATA: usize = 1 << 20;

fn check(bytes: &[u8]) -> bool {
    let most = BYTES_A_BYTE * bytes.len() + METADATA + SOME;
    match within(most, || read_arrow(bytes, MOST_ROWS)) {
        Err(refused) => {
            check_refusal(&refused, "stream");
            false
        }
        Ok(all) => {
            check_series(&all, &|most| read_arrow(bytes, most));
            assert_eq!(read_arrow(&stream_of(&all), MOST_ROWS), Ok(all));
            true
        }
    }
}

/// A stream of the rows of an upload, in the order of their numbers.
pub fn stream_of(all: &[Series]) -> Vec<u8> {
    let rows = rows_of(all);
    let since_1970 = |micros: i64| micros + MICROS_FROM_1970_TO_2000;
    let starts = rows.iter().map(|(_, (start, ..), _)| Some(since_1970(*start)));
    let ends = rows.iter().map(|(_, (_, end, _), _)| end.map(since_1970));
    let values = rows.iter().map(|(_, (_, _, value), _)| value.map(f64::from_bits));
    let keys = rows.iter().map(|(series, ..)| series.key.clone());
    let labels = rows.iter().map(|(series, ..)| series.labels.clone());
    let ids = rows.iter().map(|(series, ..)| series.id.map(id_text));
    let annotations = rows.iter().map(|(_, _, said)| said.0.clone());
    let mut tags = ListBuilder::new(StringBuilder::new());
    for (_, _, said) in &rows {
        tags.append_option(said.1.as_ref().map(|tags| tags.iter().map(Some)));
    }
    let columns: [(&str, ArrayRef); 8] = [
        ("valid_time", Arc::new(TimestampMicrosecondArray::from_iter(starts))),
        ("valid_time_end", Arc::new(TimestampMicrosecondArray::from_iter(ends))),
        ("value", Arc::new(Float64Array::from_iter(values))),
        ("value_key", Arc::new(StringArray::from_iter(keys))),
        ("labels", Arc::new(StringArray::from_iter(labels))),
        ("series_id", Arc::new(StringArray::from_iter(ids))),
        ("annotation", Arc::new(StringArray::from_iter(annotations))),
        ("tags", Arc::new(tags.finish())),
    ];
    let columns = columns.map(|(name, column)| (name, column, true));
    let batch = RecordBatch::try_from_iter_with_nullable(columns).expect("columns of one length");
    let mut stream = StreamWriter::try_new(Vec::new(), &batch.schema()).expect("a schema");
    stream.write(&batch).expect("a batch");
    stream.into_inner().expect("a stream")
}
