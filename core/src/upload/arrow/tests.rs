mod hostile;

use std::sync::Arc;

use arrow_array::types::{Float16Type, Int8Type, Int64Type, UInt16Type, UInt32Type};
use arrow_array::{RecordBatch, *};
use arrow_buffer::{Buffer, ScalarBuffer, i256};
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{Field as ArrowField, Schema};
use proptest::prelude::*;

use super::*;
use crate::answer::{Frame, Series};
use crate::points::Key;
use crate::points::arbitrary::{bits, points};
use crate::time::Time;
use crate::upload::{SeriesRef, SeriesRows};
use crate::version::Version;

const ID: &str = "018f3a2b-1c4d-7e5f-8a6b-9c0d1e2f3a4b";
/// 2025-01-01T12:00:00Z, in seconds since 1970.
const NOON: i64 = 1_735_732_800;

fn read(bytes: &[u8]) -> Result<Vec<SeriesRows>, RowError> {
    read_arrow(bytes, &Limits::of_rows(1_000_000), &mut || {}).map(|upload| upload.series)
}

fn time(text: &str) -> Time {
    Time::parse(text).unwrap()
}

fn array(array: impl Array + 'static) -> ArrayRef {
    Arc::new(array)
}

fn batch(columns: &[(&str, ArrayRef)]) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.iter().map(|(name, column)| (*name, column.clone(), true)))
        .unwrap()
}

fn stream_of(batches: &[RecordBatch]) -> Vec<u8> {
    let mut stream = StreamWriter::try_new(Vec::new(), &batches[0].schema()).unwrap();
    for batch in batches {
        stream.write(batch).unwrap();
    }
    stream.into_inner().unwrap()
}

fn stream(columns: &[(&str, ArrayRef)]) -> Vec<u8> {
    stream_of(&[batch(columns)])
}

fn noon() -> ArrayRef {
    array(TimestampSecondArray::from(vec![NOON]))
}

fn one() -> ArrayRef {
    array(Float64Array::from(vec![1.0]))
}

fn wind() -> ArrayRef {
    array(StringArray::from(vec!["wind"]))
}

/// A stream of one row, with these columns in the place of those it has of the same name, or beside them.
fn stream_with(given: &[(&str, ArrayRef)]) -> Vec<u8> {
    let mut columns = vec![("valid_time", noon()), ("value", one()), ("value_key", wind())];
    columns.retain(|(name, _)| given.iter().all(|(given, _)| given != name));
    columns.extend_from_slice(given);
    stream(&columns)
}

fn says(bytes: &[u8], kind: Kind, message: &str) {
    let error = read(bytes).expect_err("the stream should be refused");
    assert_eq!((error.to_string().as_str(), error.kind), (message, kind));
}

fn says_with(column: &str, values: ArrayRef, kind: Kind, message: &str) {
    says(&stream_with(&[(column, values)]), kind, message);
}

/// The only row.
fn row(bytes: &[u8]) -> (SeriesRef, Key, Option<f64>) {
    let series = read(bytes).unwrap();
    assert_eq!((series.len(), series[0].points.len()), (1, 1));
    let point = series[0].points[0];
    ((*series[0].series).clone(), point.key(), point.value)
}

/// A column of each type in which noon can be said.
fn moments() -> Vec<ArrayRef> {
    vec![
        noon(),
        array(TimestampSecondArray::from(vec![NOON]).with_timezone("UTC")),
        array(TimestampMillisecondArray::from(vec![NOON * 1000])),
        array(TimestampMicrosecondArray::from(vec![NOON * 1_000_000])),
        array(TimestampNanosecondArray::from(vec![NOON * 1_000_000_000])),
        array(TimestampNanosecondArray::from(vec![NOON * 1_000_000_000]).with_timezone("Europe/Oslo")),
        array(Date64Array::from(vec![NOON * 1000])),
    ]
}

/// A float of 16 bits.
fn half(bits: u16) -> ArrayRef {
    let bits = ScalarBuffer::new(Buffer::from_vec(vec![bits]), 0, 1);
    array(PrimitiveArray::<Float16Type>::new(bits, None))
}

/// So many of 10 to the power of minus scale.
fn decimal(number: i128, scale: i8) -> ArrayRef {
    array(
        Decimal128Array::from(vec![number])
            .with_precision_and_scale(38, scale)
            .unwrap(),
    )
}

/// A column of each type in which 7 can be said.
fn sevens() -> Vec<ArrayRef> {
    vec![
        array(Float64Array::from(vec![7.0])),
        array(Float32Array::from(vec![7.0])),
        array(Int8Array::from(vec![7])),
        array(Int16Array::from(vec![7])),
        array(Int32Array::from(vec![7])),
        array(Int64Array::from(vec![7])),
        array(UInt8Array::from(vec![7])),
        array(UInt16Array::from(vec![7])),
        array(UInt32Array::from(vec![7])),
        array(UInt64Array::from(vec![7])),
        half(0x4700),
        decimal(7, 0),
        decimal(70_000, 4),
        array(Decimal32Array::from(vec![70]).with_precision_and_scale(9, 1).unwrap()),
        array(Decimal64Array::from(vec![70]).with_precision_and_scale(18, 1).unwrap()),
        array(
            Decimal256Array::from(vec![i256::from_i128(70)])
                .with_precision_and_scale(76, 1)
                .unwrap(),
        ),
    ]
}

/// A column of each type in which a text can be said.
fn texts(text: &str) -> Vec<ArrayRef> {
    let other = format!("not {text}");
    let both = vec![other.as_str(), text];
    let dictionary = |texts: ArrayRef| -> Vec<ArrayRef> {
        vec![
            array(DictionaryArray::<Int8Type>::new(vec![1].into(), texts.clone())),
            array(DictionaryArray::<UInt16Type>::new(vec![1].into(), texts.clone())),
            array(DictionaryArray::<UInt32Type>::new(vec![1].into(), texts.clone())),
            array(DictionaryArray::<Int64Type>::new(vec![1].into(), texts)),
        ]
    };
    let mut texts = vec![
        array(StringArray::from(vec![text])),
        array(LargeStringArray::from(vec![text])),
        array(StringViewArray::from(vec![text])),
        array(StringArray::from(both.clone()).slice(1, 1)),
    ];
    texts.extend(dictionary(array(StringArray::from(both.clone()))));
    texts.extend(dictionary(array(LargeStringArray::from(both.clone()))));
    texts.extend(dictionary(array(StringViewArray::from(both))));
    texts
}

/// Streams of one row, that have among them every type that is taken.
fn every_type() -> Vec<Vec<u8>> {
    let mut streams = Vec::new();
    for column in moments() {
        streams.push(stream_with(&[("valid_time", column)]));
    }
    for column in sevens() {
        streams.push(stream_with(&[("value", column)]));
    }
    for column in texts("a key of some length").into_iter().chain(texts("wind")) {
        streams.push(stream_with(&[("value_key", column)]));
    }
    for column in texts(ID) {
        streams.push(stream_with(&[("series_id", column)]));
    }
    let end = array(TimestampSecondArray::from(vec![Some(NOON + 1)]));
    streams.push(stream_with(&[("valid_time_end", end)]));
    streams.push(stream_with(&[("valid_time_end", array(NullArray::new(1)))]));
    streams.push(stream_with(&[("series_id", ids_of_bytes())]));
    streams
}

fn ids_of_bytes() -> ArrayRef {
    let id = Uuid::try_parse(ID).unwrap();
    array(FixedSizeBinaryArray::try_from_iter([id.as_bytes()].into_iter()).unwrap())
}

#[test]
fn a_moment_is_read_from_every_type_of_timestamp() {
    for column in moments() {
        let of = column.data_type().clone();
        let (_, key, _) = row(&stream_with(&[("valid_time", column)]));
        assert_eq!(key, (time("2025-01-01T12:00:00Z"), None), "{of}");
    }
    let days = array(Date32Array::from(vec![-1]));
    let (_, key, _) = row(&stream_with(&[("valid_time", days)]));
    assert_eq!(key.0, time("1969-12-31"));
    let end = array(TimestampSecondArray::from(vec![NOON + 3600]));
    let (_, key, _) = row(&stream_with(&[("valid_time_end", end)]));
    assert_eq!(key.1, Some(time("2025-01-01T13:00:00Z")));
}

#[test]
fn a_value_is_read_from_every_type_of_number() {
    for column in sevens() {
        let of = column.data_type().clone();
        let (.., value) = row(&stream_with(&[("value", column)]));
        assert_eq!(value, Some(7.0), "{of}");
    }
    let largest = array(Int64Array::from(vec![-(1 << 53)]));
    let (.., value) = row(&stream_with(&[("value", largest)]));
    assert_eq!(value, Some(-9_007_199_254_740_992.0));
}

#[test]
fn a_series_is_named_by_every_type_of_text() {
    for text in ["wind", "a key of some length"] {
        for column in texts(text) {
            let of = column.data_type().clone();
            for name in ["value_key", "series_key"] {
                let (series, ..) = row(&stream(&[
                    ("valid_time", noon()),
                    ("value", one()),
                    (name, column.clone()),
                ]));
                assert_eq!(
                    series,
                    SeriesRef {
                        key: Some(text.to_owned()),
                        ..SeriesRef::default()
                    },
                    "{of}"
                );
            }
        }
    }
    for column in texts(ID).into_iter().chain([ids_of_bytes()]) {
        let of = column.data_type().clone();
        let (series, ..) = row(&stream_with(&[("series_id", column)]));
        assert_eq!(
            series,
            SeriesRef {
                key: Some("wind".to_owned()),
                id: Uuid::try_parse(ID).ok(),
                ..SeriesRef::default()
            },
            "{of}"
        );
    }
}

#[test]
fn a_null_is_one_in_every_type() {
    let null = |of: &ArrayRef| new_null_array(of.data_type(), 1);
    let nothing = array(NullArray::new(1));
    for column in sevens().iter().map(null).chain([nothing.clone()]) {
        assert_eq!(row(&stream_with(&[("value", column)])).2, None);
    }
    for column in moments().iter().map(null).chain([nothing.clone()]) {
        assert_eq!(row(&stream_with(&[("valid_time_end", column.clone())])).1.1, None);
        says_with(
            "valid_time",
            column,
            Kind::NullNotAllowed,
            "stream[0].valid_time: must not be null",
        );
    }
    let message = r#"stream[0]: needs "value_key" or "series_id""#;
    for column in texts(ID).iter().map(null).chain([nothing.clone()]) {
        assert_eq!(row(&stream_with(&[("series_id", column.clone())])).0.id, None);
        says_with("value_key", column, Kind::BadValue, message);
    }
    let one_of_two = array(DictionaryArray::<Int8Type>::new(
        vec![1].into(),
        array(StringArray::from(vec![Some("wind"), None])),
    ));
    says_with("value_key", one_of_two, Kind::BadValue, message);
}

#[test]
fn rows_are_counted_over_all_batches_and_dictionaries_may_change_between_them() {
    let of = |times: Vec<i64>, codes: Vec<i8>, keys: Vec<&str>| {
        let values = times.iter().map(|&time| (time % 3 > 0).then_some(time as f64));
        batch(&[
            ("value", array(values.collect::<Float64Array>())),
            (
                "value_key",
                array(DictionaryArray::<Int8Type>::new(
                    codes.into(),
                    array(StringArray::from(keys)),
                )),
            ),
            ("valid_time", array(TimestampSecondArray::from(times))),
        ])
    };
    let bytes = stream_of(&[
        of(vec![0, 1, 2], vec![0, 1, 0], vec!["wind", "sun"]),
        of(vec![], vec![], vec!["wind", "sun"]),
        of(vec![3, 4], vec![0, 1], vec!["rain", "wind"]),
    ]);
    let series = read(&bytes).unwrap();
    let keys: Vec<_> = series.iter().map(|rows| rows.series.key.as_deref().unwrap()).collect();
    let rows: Vec<_> = series.iter().map(|rows| rows.rows.clone()).collect();
    assert_eq!(keys, ["wind", "sun", "rain"]);
    assert_eq!(rows, [vec![0, 2, 4], vec![1], vec![3]]);
    let values: Vec<_> = series[0].points.iter().map(|point| point.value).collect();
    assert_eq!(values, [None, Some(2.0), Some(4.0)]);
    let error = read_arrow(&bytes, &Limits::of_rows(4), &mut || {}).unwrap_err();
    assert_eq!(
        (error.to_string().as_str(), error.kind),
        ("stream: has more than 4 rows", Kind::TooMany)
    );
    assert!(read_arrow(&bytes, &Limits::of_rows(5), &mut || {}).is_ok());
}

#[test]
fn a_bad_row_is_named_by_its_number_and_column() {
    let batch = |second: i64| {
        batch(&[
            ("valid_time", array(TimestampSecondArray::from(vec![0, second]))),
            ("value", array(Float64Array::from(vec![1.0; 2]))),
            (
                "series_key",
                array(StringArray::from(vec!["wind", if second == 2 { " " } else { "sun" }])),
            ),
        ])
    };
    says(
        &stream_of(&[batch(1), batch(i64::MAX)]),
        Kind::TimeOutOfRange,
        "stream[3].valid_time: is out of range",
    );
    says(
        &stream_of(&[batch(1), batch(2)]),
        Kind::BadValue,
        "stream[3].series_key: must not be blank",
    );
}

#[test]
fn a_time_that_cannot_be_held_is_refused_and_not_moved() {
    let out = "stream[0].valid_time: is out of range";
    for column in [
        array(TimestampSecondArray::from(vec![i64::MAX])),
        array(TimestampMillisecondArray::from(vec![i64::MIN])),
        array(TimestampMicrosecondArray::from(vec![i64::MIN])),
        array(TimestampMicrosecondArray::from(vec![i64::MAX])),
        array(Date32Array::from(vec![i32::MAX])),
        array(Date64Array::from(vec![i64::MAX])),
    ] {
        says_with("valid_time", column, Kind::TimeOutOfRange, out);
    }
    let fine = array(TimestampNanosecondArray::from(vec![-1]));
    says_with(
        "valid_time",
        fine,
        Kind::BadTime,
        "stream[0].valid_time: has digits below a microsecond",
    );
    let message = r#"stream[0].valid_time_end: is not after "valid_time""#;
    says_with("valid_time_end", noon(), Kind::BadValue, message);
}

#[test]
fn an_integer_that_is_no_double_precision_is_refused() {
    let beyond = (1i64 << 53) + 1;
    let message = "stream[0].value: 9007199254740993 is beyond 2^53, where double precision is not exact";
    says_with(
        "value",
        array(Int64Array::from(vec![beyond])),
        Kind::NumberOutOfRange,
        message,
    );
    let message = format!(
        "stream[0].value: {} is beyond 2^53, where double precision is not exact",
        u64::MAX
    );
    says_with(
        "value",
        array(UInt64Array::from(vec![u64::MAX])),
        Kind::NumberOutOfRange,
        &message,
    );
}

#[test]
fn an_integer_is_taken_in_every_type_by_the_rule_of_json() {
    let taken = |column: ArrayRef| row(&stream_with(&[("value", column)])).2;
    for power in [53, 60, 62] {
        let double = Some(2f64.powi(power));
        assert_eq!(taken(array(Int64Array::from(vec![1i64 << power]))), double);
        assert_eq!(taken(decimal(1 << power, 0)), double);
        let wide = Decimal256Array::from(vec![i256::from_i128(1 << power)]);
        assert_eq!(taken(array(wide.with_precision_and_scale(76, 0).unwrap())), double);
    }
    assert_eq!(
        taken(array(Int64Array::from(vec![1_152_921_504_606_847_000]))),
        Some(2f64.powi(60))
    );
    let beyond = 10i128.pow(24) + 1;
    let message = format!("stream[0].value: {beyond} is beyond 2^53, where double precision is not exact");
    says_with("value", decimal(beyond, 0), Kind::NumberOutOfRange, &message);
    assert_eq!(
        taken(decimal(-(10i128.pow(24) + 1), 24)),
        Some(-1.0),
        "the nearest of a fraction"
    );
    assert_eq!(taken(decimal(33, 2)), Some(0.33));
}

#[test]
fn all_bad_rows_of_all_batches_are_counted() {
    let batch = |value: i64| {
        batch(&[
            ("valid_time", array(TimestampSecondArray::from(vec![0, 1, 2]))),
            ("value", array(Int64Array::from(vec![value; 3]))),
            ("value_key", array(StringArray::from(vec!["wind"; 3]))),
        ])
    };
    let bytes = stream_of(&[batch(1), batch(i64::MAX), batch(2), batch(i64::MAX)]);
    let message = format!(
        "stream[3].value: {} is beyond 2^53, where double precision is not exact (and 5 other rows are bad)",
        i64::MAX
    );
    says(&bytes, Kind::NumberOutOfRange, &message);
}

#[test]
fn an_id_may_be_sixteen_bytes_in_a_column_of_bytes() {
    let id: Uuid = ID.parse().unwrap();
    let given = |bytes: &[u8]| -> Vec<ArrayRef> {
        vec![
            array(BinaryArray::from(vec![bytes])),
            array(LargeBinaryArray::from(vec![bytes])),
            array(BinaryViewArray::from(vec![bytes])),
        ]
    };
    for column in given(id.as_bytes()) {
        assert_eq!(row(&stream_with(&[("series_id", column)])).0.id, Some(id));
    }
    for column in given(&id.as_bytes()[1..]) {
        says_with(
            "series_id",
            column,
            Kind::BadUuid,
            "stream[0].series_id: is not 16 bytes",
        );
    }
}

#[test]
fn a_column_that_cannot_be_taken_is_told_what_to_do_with_it() {
    let hint = |name: &str, column: ArrayRef| {
        read(&stream_with(&[(name, column)]))
            .unwrap_err()
            .hint
            .unwrap_or_default()
    };
    assert!(hint("__index_level_0__", one()).contains("preserve_index=False"));
    assert!(hint("known_time", noon()).contains("an argument of the call"));
    assert!(hint("changed_by", wind()).contains("select those"));
    assert_eq!(
        hint("value", array(BooleanArray::from(vec![true]))),
        "Cast it to double precision (float64)."
    );
    assert!(hint("valid_time", array(TimestampNanosecondArray::from(vec![1]))).contains("round to the grid first"));
}

#[test]
fn a_text_that_names_no_series_is_refused_as_in_json() {
    let key = |key: &str| array(StringArray::from(vec![key]));
    says_with(
        "value_key",
        key(""),
        Kind::BadValue,
        "stream[0].value_key: must not be blank",
    );
    says_with(
        "value_key",
        key("a\0"),
        Kind::BadCharacter,
        r"stream[0].value_key: contains \u0000",
    );
    says_with(
        "value_key",
        key(&"a".repeat(501)),
        Kind::TooLong,
        "stream[0].value_key: is longer than 500 bytes",
    );
    says_with(
        "series_id",
        key("17\n"),
        Kind::BadUuid,
        r#"stream[0].series_id: "17\n" is not a uuid"#,
    );
    let long = format!("stream[0].series_id: \"{}…\" is not a uuid", "ä".repeat(64));
    says_with("series_id", key(&"ä".repeat(65)), Kind::BadUuid, &long);
}

#[test]
fn an_unknown_column_is_refused_by_its_name() {
    let known = "an upload has valid_time, valid_time_end, value, value_key, series_key, labels, unit, series_id, annotation, tags";
    says_with(
        "changed_by",
        wind(),
        Kind::BadValue,
        &format!("stream.changed_by: unknown column; {known}"),
    );
    let long = format!("stream.{}…: unknown column; {known}", "ä".repeat(64));
    says_with(&"ä".repeat(1000), wind(), Kind::BadValue, &long);
    let mut frame = Vec::new();
    Frame::new().finish(&mut frame).unwrap();
    says(
        &frame,
        Kind::BadValue,
        &format!("stream.known_time: unknown column; {known}"),
    );
}

#[test]
fn a_column_must_be_there_once_and_have_a_type_of_its_field() {
    let (noon, one, wind) = (("valid_time", noon()), ("value", one()), ("value_key", wind()));
    says(
        &stream(&[one.clone(), wind.clone()]),
        Kind::BadValue,
        r#"stream: needs "valid_time""#,
    );
    says(
        &stream(&[noon.clone(), wind.clone()]),
        Kind::BadValue,
        r#"stream: needs "value""#,
    );
    let message = r#"stream: needs "value_key" or "series_id""#;
    says(&stream(&[noon.clone(), one.clone()]), Kind::BadValue, message);
    let message = "stream.value: repeated column";
    says(&stream(&[noon, one.clone(), one.clone()]), Kind::BadValue, message);
    let message = r#"stream.series_key: means the same as "value_key""#;
    says_with("series_key", wind.1.clone(), Kind::BadValue, message);
    for (column, values, reason) in [
        ("valid_time", wind.1.clone(), "timestamps, not of type Utf8"),
        ("valid_time_end", one.1.clone(), "timestamps, not of type Float64"),
        ("value", wind.1, "numbers, not of type Utf8"),
        (
            "value",
            array(BooleanArray::from(vec![true])),
            "numbers, not of type Bool",
        ),
        ("value_key", one.1, "strings, not of type Float64"),
        (
            "series_id",
            array(FixedSizeBinaryArray::try_from_iter([[0; 4]].iter()).unwrap()),
            "strings or of 16 bytes each, not of type FixedSizeBinary(4)",
        ),
        (
            "value",
            array(StructArray::new_empty_fields(1, None)),
            "numbers, not of type Struct",
        ),
        (
            "value_key",
            array(DictionaryArray::<Int8Type>::new(
                vec![0].into(),
                array(Int8Array::from(vec![0])),
            )),
            "strings, not of type Dictionary(Int8, Int8)",
        ),
    ] {
        says_with(
            column,
            values,
            Kind::BadValue,
            &format!("stream.{column}: must be a column of {reason}"),
        );
    }
}

#[test]
fn the_caller_can_answer_a_cancel_every_few_thousand_rows() {
    let rows = 10_000;
    let bytes = stream(&[
        ("valid_time", array(TimestampSecondArray::from_iter_values(0..rows))),
        ("value", array(Int64Array::from_iter_values(0..rows))),
        (
            "value_key",
            array(StringArray::from_iter_values((0..rows).map(|_| "wind"))),
        ),
    ]);
    let mut pauses = 0;
    let series = read_arrow(&bytes, &Limits::of_rows(10_000), &mut || pauses += 1).unwrap();
    assert_eq!((series.series[0].points.len(), pauses), (10_000, 3));
}

#[test]
fn no_rows_are_no_series_even_where_nothing_is_of_a_type() {
    let nothing = || array(NullArray::new(0));
    let bytes = stream(&[
        ("valid_time", nothing()),
        ("value", nothing()),
        ("value_key", nothing()),
    ]);
    assert!(read(&bytes).unwrap().is_empty());
    let fields =
        ["valid_time", "value", "series_id"].map(|name| ArrowField::new(name, arrow_schema::DataType::Null, true));
    let schema = Schema::new(fields.to_vec());
    let no_batch = StreamWriter::try_new(Vec::new(), &schema)
        .unwrap()
        .into_inner()
        .unwrap();
    assert!(read(&no_batch).unwrap().is_empty());
}

proptest! {
    #[test]
    fn what_a_read_wrote_can_be_uploaded(
        vectors in prop::collection::vec((points(), 0..3u128), 0..6), by_key in any::<bool>(),
    ) {
        let mut frame = Frame::new();
        let mut expected: Vec<(u128, Vec<_>)> = Vec::new();
        for (points, series) in &vectors {
            let code = frame.series(&Series {
                id: Uuid::from_u128(*series),
                key: format!("key {series}"),
                unit: "MW".to_owned(),
                labels: "{}".to_owned(),
            });
            let version = frame.version(&Version {
                run: Uuid::nil(), known: Time::MIN, change: Time::MAX, remark: Rc::default(),
            });
            frame.extend(code, version, points.iter().copied());
            let bits = points.iter().map(bits);
            match expected.iter_mut().find(|(id, _)| id == series) {
                Some((_, gathered)) => gathered.extend(bits),
                None if points.is_empty() => {}
                None => expected.push((*series, bits.collect())),
            }
        }
        let mut written = Vec::new();
        frame.finish(&mut written).unwrap();
        let series = if by_key { 4 } else { 3 };
        let selected = arrow_ipc::reader::StreamReader::try_new(written.as_slice(), Some(vec![1, 2, series, 6])).unwrap();
        let batches: Vec<_> = selected.collect::<Result<_, _>>().unwrap();
        let read = read(&stream_of(&batches)).unwrap();
        let read: Vec<_> = read
            .iter()
            .map(|rows| {
                let id = match &rows.series.key {
                    Some(key) => key.strip_prefix("key ").unwrap().parse().unwrap(),
                    None => rows.series.id.unwrap().as_u128(),
                };
                (id, rows.points.iter().map(bits).collect::<Vec<_>>())
            })
            .collect();
        prop_assert_eq!(read, expected);
    }
}
