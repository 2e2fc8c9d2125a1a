use std::io::Write;
use std::rc::Rc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};
use arrow_ipc::reader::StreamReader;
use proptest::prelude::*;

use super::*;
use crate::points::arbitrary::{bits, points};
use crate::time::Time;
use crate::version::Remark;

fn time(text: &str) -> Time {
    Time::parse(text).unwrap()
}

fn point(start: i64) -> Point {
    Point {
        start: Time::from_micros(start).unwrap(),
        end: None,
        value: Some(start as f64),
    }
}

fn version(annotation: Option<&str>, tags: Option<&[&str]>) -> Version {
    let owned = |tags: &[&str]| tags.iter().map(|&tag| tag.to_owned()).collect();
    Version {
        run: Uuid::from_u128(7),
        known: time("2025-01-01T06:00:00Z"),
        change: time("1969-12-31T23:59:59.999999Z"),
        remark: Rc::new(Remark {
            annotation: annotation.map(str::to_owned),
            tags: tags.map(owned),
            ..Remark::by("someone@example.org")
        }),
    }
}

fn series(id: u128, key: &str) -> Series {
    Series {
        id: Uuid::from_u128(id),
        key: key.to_owned(),
        unit: "MW".to_owned(),
        labels: format!(r#"{{"id": {id}}}"#),
    }
}

/// The stream of a frame, and the batches that Arrow's own reader sees in it.
fn written(frame: Frame) -> (Vec<u8>, Vec<RecordBatch>) {
    let mut stream = Vec::new();
    frame.finish(&mut stream).unwrap();
    let batches = StreamReader::try_new(stream.as_slice(), None)
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    (stream, batches)
}

/// What the rows of a batch have in a column of texts.
fn texts(batch: &RecordBatch, column: &str) -> Vec<Option<String>> {
    let column = batch.column_by_name(column).unwrap();
    let column = column.as_dictionary::<Int32Type>();
    column
        .downcast_dict::<arrow_array::StringArray>()
        .unwrap()
        .into_iter()
        .map(|text| text.map(str::to_owned))
        .collect()
}

fn times(batch: &RecordBatch, column: &str) -> Vec<Option<i64>> {
    let column = batch.column_by_name(column).unwrap();
    column.as_primitive::<TimestampMicrosecondType>().iter().collect()
}

fn values(batch: &RecordBatch) -> Vec<Option<u64>> {
    let column = batch.column_by_name("value").unwrap();
    let column = column.as_primitive::<Float64Type>();
    column.iter().map(|value| value.map(f64::to_bits)).collect()
}

fn tags(batch: &RecordBatch) -> Vec<Option<Vec<String>>> {
    let column = batch.column_by_name("tags").unwrap();
    let lists = column.as_list::<i32>().iter();
    lists
        .map(|list| {
            list.map(|list| {
                let tags = list.as_string::<i32>().iter();
                tags.map(|tag| tag.unwrap().to_owned()).collect()
            })
        })
        .collect()
}

#[test]
fn the_columns_are_those_of_a_read() {
    let (_, batches) = written(Frame::new());
    let schema = batches[0].schema();
    let columns: Vec<_> = schema
        .fields()
        .iter()
        .map(|field| {
            format!(
                "{}: {}{}",
                field.name(),
                field.data_type(),
                if field.is_nullable() { "?" } else { "" }
            )
        })
        .collect();
    let time = r#"Timestamp(µs, "UTC")"#;
    let text = "Dictionary(Int32, Utf8)";
    assert_eq!(
        columns,
        [
            format!("known_time: {time}"),
            format!("valid_time: {time}"),
            format!("valid_time_end: {time}?"),
            format!("series_id: {text}"),
            format!("series_key: {text}"),
            format!("unit: {text}"),
            "value: Float64?".to_owned(),
            format!("run_id: {text}"),
            format!("change_time: {time}"),
            format!("changed_by: {text}"),
            format!("annotation: {text}?"),
            "tags: List(non-null Utf8)?".to_owned(),
            format!("labels: {text}"),
        ]
    );
}

#[test]
fn no_rows_are_one_batch_of_none() {
    let frame = Frame::new();
    assert!(frame.is_empty());
    let (_, batches) = written(frame);
    assert_eq!(batches.iter().map(RecordBatch::num_rows).collect::<Vec<_>>(), [0]);
}

#[test]
fn a_row_has_what_its_series_its_version_and_its_point_say() {
    let mut frame = Frame::new();
    let wind = frame.series(&series(1, "wind"));
    let sun = frame.series(&series(2, "sun"));
    let plain = frame.version(&version(None, None));
    let noted = frame.version(&Version {
        run: Uuid::from_u128(8),
        known: time("2025-01-02"),
        ..version(Some("checked"), Some(&["a", "ö"]))
    });
    frame.push(wind, plain, point(0));
    frame.push(
        sun,
        noted,
        Point {
            start: time("2025-01-01"),
            end: Some(time("2025-01-02")),
            value: None,
        },
    );
    let (_, batches) = written(frame);
    let [batch] = batches.as_slice() else {
        panic!("one batch")
    };
    let some = |texts: [&str; 2]| texts.map(|text| Some(text.to_owned())).to_vec();
    let unix = |texts: [&str; 2]| {
        texts
            .map(|text| Some(time(text).micros() + 946_684_800_000_000))
            .to_vec()
    };
    let id = |id: u128| Uuid::from_u128(id).to_string();
    assert_eq!(times(batch, "known_time"), unix(["2025-01-01T06:00:00Z", "2025-01-02"]));
    assert_eq!(times(batch, "valid_time"), unix(["2000-01-01", "2025-01-01"]));
    assert_eq!(times(batch, "valid_time_end"), [None, unix(["2025-01-02"; 2])[0]]);
    assert_eq!(texts(batch, "series_id"), some([&id(1), &id(2)]));
    assert_eq!(texts(batch, "series_key"), some(["wind", "sun"]));
    assert_eq!(texts(batch, "unit"), some(["MW", "MW"]));
    assert_eq!(texts(batch, "labels"), some([r#"{"id": 1}"#, r#"{"id": 2}"#]));
    assert_eq!(values(batch), [Some(0), None]);
    assert_eq!(texts(batch, "run_id"), some([&id(7), &id(8)]));
    assert_eq!(times(batch, "change_time"), [Some(-1), Some(-1)]);
    assert_eq!(texts(batch, "changed_by"), some(["someone@example.org"; 2]));
    assert_eq!(texts(batch, "annotation"), [None, Some("checked".to_owned())]);
    assert_eq!(tags(batch), [None, Some(vec!["a".to_owned(), "ö".to_owned()])]);
}

#[test]
fn no_dictionary_has_a_text_twice() {
    let mut frame = Frame::new();
    for id in 0..3 {
        let code = frame.series(&series(id, "wind"));
        for _ in 0..3 {
            let version = frame.version(&version(Some("checked"), None));
            frame.push(code, version, point(0));
        }
    }
    assert_eq!(frame.series(&series(1, "wind")), SeriesCode(1));
    let (_, batches) = written(frame);
    for (column, distinct) in [
        ("series_id", 3),
        ("series_key", 1),
        ("unit", 1),
        ("run_id", 1),
        ("changed_by", 1),
        ("annotation", 1),
    ] {
        let column = batches[0].column_by_name(column).unwrap().clone();
        assert_eq!(column.as_dictionary::<Int32Type>().values().len(), distinct);
    }
}

#[test]
fn batches_cut_neither_rows_nor_nulls_nor_dictionaries() {
    let rows = 2 * ROWS_A_BATCH + 17;
    let mut frame = Frame::new();
    let series = frame.series(&series(0, "wind"));
    let versions = [
        frame.version(&version(None, None)),
        frame.version(&version(None, Some(&["a"]))),
    ];
    for row in 0..rows {
        let value = (row % 3 != 0).then_some(row as f64);
        frame.push(
            series,
            versions[row / 1000 % 2],
            Point {
                value,
                ..point(row as i64)
            },
        );
    }
    assert_eq!(frame.len(), rows);
    let estimate = frame.bytes();
    let (stream, batches) = written(frame);
    assert_eq!(
        batches.iter().map(RecordBatch::num_rows).collect::<Vec<_>>(),
        [ROWS_A_BATCH, ROWS_A_BATCH, 17]
    );
    assert!(
        stream.len() <= estimate && estimate < stream.len() + stream.len() / 20,
        "{} {estimate}",
        stream.len()
    );
    let all_values: Vec<_> = batches.iter().flat_map(values).collect();
    let all_tags: Vec<_> = batches.iter().flat_map(tags).collect();
    for row in 0..rows {
        assert_eq!(all_values[row], (row % 3 != 0).then_some((row as f64).to_bits()));
        assert_eq!(all_tags[row].is_some(), row / 1000 % 2 == 1);
    }
    let id = Uuid::nil().to_string();
    assert_eq!(
        stream.windows(id.len()).filter(|part| *part == id.as_bytes()).count(),
        1
    );
}

#[test]
fn a_frame_is_full_where_its_rows_or_its_bytes_are() {
    const BYTES: usize = 200_000;
    let taken = |most: Most, list: Option<&[&str]>| {
        let mut frame = Frame::new();
        let series = frame.series(&series(0, "wind"));
        let version = frame.version(&version(None, list));
        while !frame.is_full(most) {
            frame.push(series, version, point(frame.len() as i64));
        }
        let rows = frame.len();
        let (stream, _) = written(frame);
        (rows, stream.len())
    };
    let of = |rows, bytes| Most { rows, bytes };
    assert_eq!(taken(of(7, usize::MAX), None).0, 7);
    assert_eq!(taken(of(0, usize::MAX), None).0, 0);
    let (plain, bytes) = taken(of(usize::MAX, BYTES), None);
    assert!(plain > 1000 && bytes < BYTES + 100, "{plain} rows, {bytes} bytes");
    let tag = "x".repeat(200);
    let (tagged, bytes) = taken(of(usize::MAX, BYTES), Some(&[&tag, &tag]));
    assert!(
        (200..500).contains(&tagged) && bytes < BYTES + 500,
        "{tagged} rows, {bytes} bytes"
    );
}

#[test]
fn what_the_sink_says_is_the_error() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let error = Frame::new().finish(Full).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
}

proptest! {
    #[test]
    fn every_point_comes_back_bit_for_bit_and_the_estimate_holds(
        vectors in prop::collection::vec((points(), 0..3u128, prop::option::of("[a-z]{0,3}"), prop::option::of(prop::collection::vec("[a-z]{0,5}", 0..3))), 0..6),
    ) {
        let mut frame = Frame::new();
        let mut expected = Vec::new();
        for (points, id, annotation, list) in &vectors {
            let code = frame.series(&series(*id, "key"));
            let borrowed: Option<Vec<&str>> = list.as_ref().map(|list| list.iter().map(String::as_str).collect());
            let version = frame.version(&version(annotation.as_deref(), borrowed.as_deref()));
            frame.extend(code, version, points.iter().copied());
            for point in points {
                let (start, end, value) = bits(point);
                expected.push((Some(start), end, value, Some(Uuid::from_u128(*id).to_string()), annotation.clone(), list.clone()));
            }
        }
        let estimate = frame.bytes();
        let (stream, batches) = written(frame);
        prop_assert!(stream.len() <= estimate);
        let batch = &batches[0];
        let from_2000 = |times: Vec<Option<i64>>| times.into_iter().map(|time| time.map(|time| time - 946_684_800_000_000));
        let rows: Vec<_> = from_2000(times(batch, "valid_time"))
            .zip(from_2000(times(batch, "valid_time_end")))
            .zip(values(batch))
            .zip(texts(batch, "series_id"))
            .zip(texts(batch, "annotation"))
            .zip(tags(batch))
            .map(|(((((start, end), value), id), annotation), tags)| (start, end, value, id, annotation, tags))
            .collect();
        prop_assert_eq!(rows, expected);
    }
}
