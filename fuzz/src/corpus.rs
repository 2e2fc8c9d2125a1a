//! Valid bytes of each kind, as timedb's own writers and Arrow's make them; the simplest first.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::formats::{self, Point, Points, Said, Series, Update, Version, time_text};
use crate::mutation::varint;
use crate::samples;
use crate::targets::arrow::stream_of;
use crate::targets::keys;

const SECOND: i64 = 1_000_000;
const HOUR: i64 = 3_600 * SECOND;
/// From so many values on packing tries an encoding of its own, which no client may send.
const LONG: usize = 600;

pub fn points_of_clients(runner: &mut TestRunner) -> Vec<Vec<u8>> {
    let to_wire = |bytes: Vec<u8>| Points::stored(&bytes).and_then(|points| points.to_wire());
    let stored = stored_points(runner).into_iter();
    let mut all: Vec<Vec<u8>> = stored.map(|bytes| to_wire(bytes).expect("wire")).collect();
    all.push(as_many_as_there_may_be());
    all
}

/// Equal values on a grid: so many in a few bytes.
fn as_many_as_there_may_be() -> Vec<u8> {
    const COUNT_AT: usize = 2;
    let three = [0, SECOND, 2 * SECOND].map(|start| (start, None, Some(0)));
    let mut bytes = formats::pack_points(&three).expect("they can be packed");
    bytes.splice(COUNT_AT..=COUNT_AT, varint(formats::MOST_POINTS as u64));
    bytes
}

pub fn stored_points(runner: &mut TestRunner) -> Vec<Vec<u8>> {
    let packed = |points: &Vec<Point>| formats::pack_points(points).expect("they can be packed");
    points_of_each_kind(runner).iter().map(packed).collect()
}

pub fn point_texts(runner: &mut TestRunner) -> Vec<Vec<u8>> {
    let text = |bytes: Vec<u8>| Points::stored(&bytes).and_then(|points| points.to_text());
    let mut stored = stored_points(runner);
    stored.retain(|bytes| bytes.len() < LONG);
    let texts = stored.into_iter().map(|bytes| text(bytes).expect("text"));
    texts.map(String::into_bytes).collect()
}

pub fn packs(runner: &mut TestRunner) -> Vec<Vec<u8>> {
    let mut all = vec![Vec::new()];
    all.extend(samples(runner, &vec(version(12), 1..6), 30));
    // Enough for columns to be compressed, too.
    all.extend(samples(runner, &vec(version(3), 40..60), 4));
    let packed = all.iter().map(|versions| formats::pack_versions(versions));
    packed.map(|pack| pack.expect("a pack")).collect()
}

pub fn pack_texts(runner: &mut TestRunner) -> Vec<Vec<u8>> {
    let text = |bytes: Vec<u8>| formats::Pack::read(&bytes).and_then(|pack| pack.to_text());
    let mut packs = packs(runner);
    packs.retain(|bytes| bytes.len() < LONG);
    let texts = packs.into_iter().map(|bytes| text(bytes).expect("text"));
    texts.map(String::into_bytes).collect()
}

pub fn arrow_streams(runner: &mut TestRunner) -> Vec<Vec<u8>> {
    let pyarrow: [&[u8]; 4] = [
        include_bytes!("../../tests/attacks/streams/by_key.arrow"),
        include_bytes!("../../tests/attacks/streams/by_id.arrow"),
        include_bytes!("../../tests/attacks/streams/by_code.arrow"),
        include_bytes!("../../tests/attacks/streams/by_view.arrow"),
    ];
    let mut streams: Vec<Vec<u8>> = pyarrow.iter().map(|stream| stream.to_vec()).collect();
    streams.extend(samples(runner, &upload(), 12).iter().map(|all| stream_of(all)));
    streams
}

pub fn json_uploads(runner: &mut TestRunner) -> Vec<Vec<u8>> {
    let uploads = samples(runner, &upload(), 40);
    let texts = uploads.iter().map(|all| json_of_upload(all));
    texts.map(String::into_bytes).collect()
}

pub fn json_updates(runner: &mut TestRunner) -> Vec<Vec<u8>> {
    let updates = samples(runner, &vec(update(), 1..6), 40);
    let texts = updates.iter().map(|updates| json_of_updates(updates));
    texts.map(String::into_bytes).collect()
}

pub fn api_keys(runner: &mut TestRunner) -> Vec<Vec<u8>> {
    let secrets = samples(runner, &any::<[u8; 32]>(), 8);
    let keys = secrets.iter().map(keys::key_of);
    keys.map(String::into_bytes).collect()
}

/// The rows of an upload as a client writes them, in the order of their numbers.
pub fn json_of_upload(all: &[Series]) -> String {
    let row = |(series, (start, end, value), (annotation, tags)): (&Series, Point, &Said)| {
        let mut row = Map::new();
        if let Some(annotation) = annotation {
            row.insert("annotation".into(), annotation.as_str().into());
        }
        if let Some(tags) = tags {
            row.insert("tags".into(), tags.as_slice().into());
        }
        row.insert("valid_time".into(), time_text(start).into());
        if let Some(end) = end {
            row.insert("valid_time_end".into(), time_text(end).into());
        }
        row.insert("value".into(), json_of_value(value));
        if let Some(key) = &series.key {
            row.insert("value_key".into(), key.as_str().into());
        }
        if let Some(id) = series.id {
            row.insert("series_id".into(), id_text(id).into());
        }
        let mut row = Value::Object(row).to_string();
        if let Some(labels) = &series.labels {
            row.insert_str(1, &format!("\"labels\":{labels},"));
        }
        row
    };
    let rows: Vec<String> = rows_of(all).into_iter().map(row).collect();
    format!("[{}]", rows.join(","))
}

pub fn json_of_updates(updates: &[Update]) -> String {
    let row = |update: &Update| {
        let mut row = json!({
            "run_id": id_text(update.run),
            "series_id": id_text(update.series),
            "valid_time": time_text(update.start),
        });
        if let Some(end) = update.end {
            row["valid_time_end"] = time_text(end).into();
        }
        if let Some(value) = update.value {
            row["value"] = json_of_value(value);
        }
        if let Some(annotation) = &update.annotation {
            row["annotation"] = annotation.as_deref().into();
        }
        if let Some(tags) = &update.tags {
            row["tags"] = tags.as_deref().into();
        }
        row
    };
    Value::from_iter(updates.iter().map(row)).to_string()
}

/// Each point of an upload with its series, as the rows were given.
pub fn rows_of(all: &[Series]) -> Vec<(&Series, Point, &Said)> {
    let numbered = all.iter().flat_map(|series| {
        let points = series.rows.iter().zip(&series.points).zip(&series.said);
        points.map(move |((row, point), said)| (*row, series, *point, said))
    });
    let mut rows: Vec<_> = numbered.collect();
    rows.sort_by_key(|(row, ..)| *row);
    let rows = rows.into_iter();
    rows.map(|(_, series, point, said)| (series, point, said)).collect()
}

pub fn id_text(id: u128) -> String {
    Uuid::from_u128(id).to_string()
}

fn json_of_value(value: Option<u64>) -> Value {
    let value = value.map(f64::from_bits);
    match value {
        Some(value) if value.is_nan() => "NaN".into(),
        Some(f64::INFINITY) => "Infinity".into(),
        Some(f64::NEG_INFINITY) => "-Infinity".into(),
        value => value.into(),
    }
}

fn points_of_each_kind(runner: &mut TestRunner) -> Vec<Vec<Point>> {
    let mut all = vec![Vec::new()];
    all.extend(samples(runner, &points(1..3), 10));
    all.extend(samples(runner, &points(1..40), 50));
    all.extend(samples(runner, &points(LONG..LONG + 1), 4));
    all
}

/// Points that can be packed: grids, gaps, shared starts; all kinds of ends, nulls and floats.
fn points(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Point>> {
    let first = prop_oneof![
        3 => Just(0),
        3 => -1000 * HOUR..1000 * HOUR,
        1 => Just(formats::LAST_TIME - 3000 * HOUR)
    ];
    let step = prop_oneof![Just(HOUR), Just(SECOND), 1..HOUR];
    let gaps = prop_oneof![Just(vec![1]), vec(0..4i64, 1..20)];
    let lengths = prop_oneof![
        Just(vec![0]),
        Just(vec![HOUR]),
        vec((0..4i64).prop_map(|seconds| seconds * SECOND), 1..8),
        vec(prop_oneof![Just(0), 1..=HOUR], 1..8),
    ];
    let value = prop_oneof![
        any::<i16>().prop_map(|hundredths| f64::from(hundredths) / 100.0),
        any::<u64>().prop_map(f64::from_bits),
        select(vec![-0.0, f64::NAN, f64::INFINITY, 1.0 / 3.0, 1e300]),
    ]
    .prop_map(f64::to_bits)
    .boxed();
    let values = prop_oneof![
        Just(vec![Some(17f64.to_bits())]),
        vec(any::<i8>().prop_map(|v| Some(f64::from(v).to_bits())), 1..60),
        vec(value.clone().prop_map(Some), 1..60),
        vec(option::of(value), 1..60),
    ];
    (first, step, gaps, lengths, values, count).prop_map(|(first, step, gaps, lengths, values, count)| {
        let mut start = first;
        let mut points: Vec<Point> = (0..count)
            .map(|at| {
                start += step * gaps[at % gaps.len()];
                let length = lengths[at % lengths.len()];
                let end = (length > 0).then_some(start + length);
                (start, end, values[at % values.len()])
            })
            .collect();
        points.sort_by_key(|(start, end, _)| (*start, *end));
        points.dedup_by_key(|(start, end, _)| (*start, *end));
        points
    })
}

fn text() -> impl Strategy<Value = String> {
    select(vec!["a", "a@b.c", "été", "\"\\\n", "wind power", "🌬"]).prop_map(str::to_owned)
}

fn id() -> impl Strategy<Value = u128> {
    prop_oneof![0..3u128, any::<u128>()]
}

fn moment() -> impl Strategy<Value = i64> {
    let last = Just(formats::LAST_TIME - HOUR);
    prop_oneof![0..5 * HOUR, (0..5i64).prop_map(|hours| hours * HOUR), last]
}

fn version(most_points: usize) -> impl Strategy<Value = Version> {
    let remark = (option::of(text()), option::of(vec(text(), 0..3)));
    let version = (id(), moment(), moment(), text(), remark, points(0..most_points));
    version.prop_map(|(run, known, change, changed_by, (annotation, tags), points)| Version {
        run,
        known,
        change,
        changed_by,
        annotation,
        tags,
        points,
    })
}

/// Of up to three series, one after the other.
fn upload() -> impl Strategy<Value = Vec<Series>> {
    let reference = prop_oneof![
        text().prop_map(|key| (Some(key), None, None)),
        (text(), labels()).prop_map(|(key, labels)| (Some(key), Some(labels), None)),
        id().prop_map(|id| (None, None, Some(id))),
        (text(), id()).prop_map(|(key, id)| (Some(key), None, Some(id))),
    ];
    let said = prop_oneof![Just((None, None)), said()];
    vec((reference, points(1..6), vec(said, 6)), 1..4).prop_map(|mut all| {
        all.dedup_by(|one, other| one.0 == other.0);
        let mut first_row = 0;
        let mut series = Vec::new();
        for ((key, labels, id), points, mut said) in all {
            said.truncate(points.len());
            let last = first_row + points.len();
            let rows = (first_row..last).map(|row| u32::try_from(row).expect("few rows"));
            series.push(Series {
                key,
                labels,
                id,
                first_row,
                said,
                rows: rows.collect(),
                points,
            });
            first_row = last;
        }
        series
    })
}

fn labels() -> impl Strategy<Value = String> {
    (text(), option::of(text())).prop_map(|(name, value)| json!({ name: value }).to_string())
}

/// In the form in which it is stored.
fn said() -> impl Strategy<Value = Said> {
    let tags = vec("[a-z]{1,8}", 1..4).prop_map(|mut tags| {
        tags.sort_unstable();
        tags.dedup();
        tags
    });
    (option::of("[a-z]{1,8}"), option::of(tags))
}

fn update() -> impl Strategy<Value = Update> {
    let value = option::of(option::of(any::<i16>().prop_map(|v| f64::from(v).to_bits())));
    let annotation = option::of(option::of(text()));
    let tags = option::of(option::of(vec(text(), 0..4)));
    let key = (id(), id(), moment(), option::of(1..HOUR));
    (key, value, annotation, tags).prop_map(|((run, series, start, length), value, annotation, tags)| Update {
        run,
        series,
        start,
        end: length.map(|length| start + length),
        value,
        annotation,
        tags,
    })
}
