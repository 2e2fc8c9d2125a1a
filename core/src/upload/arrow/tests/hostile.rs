//! Bytes that are no stream, or that say they are more than they are.

use arrow_ipc::{
    BodyCompression, BodyCompressionArgs, Buffer, DictionaryBatch, DictionaryBatchArgs, FieldNode, Message,
    MessageArgs, RecordBatchArgs,
};
use arrow_schema::{DataType, TimeUnit};
use flatbuffers::FlatBufferBuilder;

use super::*;
use crate::upload::Said;
use arrow_array::builder::{Float64Builder, ListBuilder, MapBuilder, StringBuilder};

fn malformed(bytes: &[u8], why: &str) {
    let message = format!("stream: is not an Arrow IPC stream that can be read: {why}");
    says(bytes, Kind::BadValue, &message);
}

/// What a record batch tells of itself.
#[derive(Clone, Default)]
struct Told {
    rows: i64,
    nodes: Vec<(i64, i64)>,
    buffers: Vec<(i64, i64)>,
    compressed: bool,
    view_buffers: Option<i64>,
    body: Vec<u8>,
    /// The length of the body, if it is not what it is.
    body_length: Option<i64>,
    dictionary: Option<(i64, bool)>,
}

impl Told {
    fn message(&self) -> Vec<u8> {
        let mut builder = FlatBufferBuilder::new();
        let nodes: Vec<_> = self
            .nodes
            .iter()
            .map(|&(rows, nulls)| FieldNode::new(rows, nulls))
            .collect();
        let buffers: Vec<_> = self
            .buffers
            .iter()
            .map(|&(offset, length)| Buffer::new(offset, length))
            .collect();
        let compression = self
            .compressed
            .then(|| BodyCompression::create(&mut builder, &BodyCompressionArgs::default()));
        let view_buffers = self.view_buffers.map(|count| builder.create_vector(&[count]));
        let batch = RecordBatchArgs {
            length: self.rows,
            nodes: Some(builder.create_vector(&nodes)),
            buffers: Some(builder.create_vector(&buffers)),
            compression,
            variadicBufferCounts: view_buffers,
        };
        let batch = arrow_ipc::RecordBatch::create(&mut builder, &batch);
        let (header_type, header) = match self.dictionary {
            None => (MessageHeader::RecordBatch, batch.as_union_value()),
            Some((id, is_delta)) => {
                let dictionary = DictionaryBatchArgs {
                    id,
                    data: Some(batch),
                    isDelta: is_delta,
                };
                let dictionary = DictionaryBatch::create(&mut builder, &dictionary);
                (MessageHeader::DictionaryBatch, dictionary.as_union_value())
            }
        };
        let message = MessageArgs {
            version: MetadataVersion::V5,
            header_type,
            header: Some(header),
            bodyLength: self.body_length.unwrap_or(self.body.len() as i64),
            custom_metadata: None,
        };
        let message = Message::create(&mut builder, &message);
        builder.finish(message, None);
        framed(builder.finished_data(), &self.body)
    }
}

/// A change to what a batch tells, and why it is refused then.
type Lie<'a> = (&'a dyn Fn(&mut Told), &'a str);

fn framed(metadata: &[u8], body: &[u8]) -> Vec<u8> {
    let length = (metadata.len() as u32).to_le_bytes();
    [&[0xff; 4], length.as_slice(), metadata, body].concat()
}

/// A schema of which only the times are of a type: a batch is told of them alone.
fn schema() -> Vec<u8> {
    schema_of(DataType::Null)
}

fn schema_of(key: DataType) -> Vec<u8> {
    let micros = DataType::Timestamp(TimeUnit::Microsecond, None);
    let schema = Schema::new(vec![
        ArrowField::new("valid_time", micros, true),
        ArrowField::new("value", DataType::Null, true),
        ArrowField::new("value_key", key, true),
    ]);
    StreamWriter::try_new(Vec::new(), &schema).unwrap().get_ref().clone()
}

/// A batch of one row, in which nothing is wrong but that it names no series.
fn told() -> Told {
    Told {
        rows: 1,
        nodes: vec![(1, 0), (1, 1), (1, 1)],
        buffers: vec![(0, 0), (0, 8)],
        body: vec![0; 8],
        ..Told::default()
    }
}

fn after_schema(told: &Told) -> Vec<u8> {
    [schema(), told.message()].concat()
}

#[test]
fn a_batch_as_told_here_is_read() {
    let message = r#"stream[0]: needs "value_key" or "series_id""#;
    says(&after_schema(&told()), Kind::BadValue, message);
}

#[test]
fn what_is_no_stream_is_refused() {
    malformed(b"", "it is empty");
    malformed(b"{\"valid_time\":1}", "a message does not begin as one");
    malformed(b"PAR1", "a message does not begin as one");
    malformed(b"ARROW1\0\0", "it is an Arrow file, where a stream is expected");
    malformed(&[0xff; 4], "it is cut off");
    malformed(&framed(b"", b""), "it is empty");
    malformed(&framed(&[7; 64], b""), "the metadata of a message is damaged");
    malformed(&told().message(), "it does not begin with a schema");
    malformed(&[schema(), schema()].concat(), "it has a second schema");
    let whole = stream_with(&[]);
    malformed(&[whole.clone(), whole].concat(), "it goes on after its end");
}

#[test]
fn a_stream_that_is_cut_off_is_refused_wherever_it_is() {
    let whole = stream_with(&[("value_key", texts("wind").pop().unwrap())]);
    let mut complete = Vec::new();
    for length in 0..whole.len() {
        match read(&whole[..length]) {
            Ok(series) => complete.push(series.len()),
            Err(error) => assert!(error.path == "stream" && error.kind == Kind::BadValue, "{error}"),
        }
    }
    // After the schema, after the dictionary, after the rows, where each time a stream may end.
    assert_eq!(complete, [0, 0, 1]);
}

#[test]
fn no_length_is_believed_that_the_bytes_do_not_bear_out() {
    let with = |change: &dyn Fn(&mut Told)| {
        let mut told = told();
        change(&mut told);
        after_schema(&told)
    };
    let cases: &[Lie] = &[
        (&|told| told.rows = -1, "a batch has a length below zero"),
        (&|told| told.rows = 0, "a column is not as long as its batch"),
        (&|told| told.nodes[1].0 = 2, "a column is not as long as its batch"),
        (&|told| told.nodes[0].0 = -1, "a column is not as long as its batch"),
        (&|told| told.nodes.truncate(2), "a batch lacks columns"),
        (&|told| told.buffers.truncate(1), "a batch lacks buffers"),
        (&|told| told.nodes[0].1 = 1, "a buffer is shorter than its rows"),
        (&|told| told.buffers[1].1 = 7, "a buffer is shorter than its rows"),
        (&|told| told.buffers[1].1 = 9, "a buffer lies outside of its message"),
        (
            &|told| told.buffers[1].1 = i64::MAX,
            "a buffer lies outside of its message",
        ),
        (&|told| told.buffers[1].1 = -1, "a buffer lies outside of its message"),
        (
            &|told| told.buffers[1].0 = i64::MAX,
            "a buffer lies outside of its message",
        ),
        (
            &|told| told.buffers[1].0 = i64::MIN,
            "a buffer lies outside of its message",
        ),
        (&|told| told.body_length = Some(9), "it is cut off"),
        (&|told| told.body_length = Some(i64::MAX), "it is cut off"),
        (&|told| told.body_length = Some(-1), "a message has a length below zero"),
        (
            &|told| told.compressed = true,
            "it is compressed, where plain buffers are expected",
        ),
    ];
    for (change, why) in cases {
        malformed(&with(change), why);
    }
    let many = |rows| {
        with(&|told: &mut Told| {
            told.rows = rows;
            told.nodes = vec![(rows, 0); 3];
        })
    };
    malformed(&many(1_000_000), "a buffer is shorter than its rows");
    says(&many(i64::MAX), Kind::TooMany, "stream: has more than 1000000 rows");
    let error = read_arrow(&many(i64::MAX), &Limits::of_rows(usize::MAX), &mut || {}).unwrap_err();
    assert!(error.reason.ends_with("a buffer is shorter than its rows"), "{error}");
}

#[test]
fn metadata_is_bounded() {
    let length = |length: u32| [[0xff; 4], length.to_le_bytes()].concat();
    malformed(&length(u32::MAX), "a message has more than 1 MiB of metadata");
    malformed(&length(1 << 20), "it is cut off");
    // Many fields, all of them the same one, with a long name.
    let mut builder = FlatBufferBuilder::new();
    let name = builder.create_string(&"a".repeat(100_000));
    let field = arrow_ipc::FieldArgs {
        name: Some(name),
        ..Default::default()
    };
    let field = arrow_ipc::Field::create(&mut builder, &field);
    let fields = builder.create_vector(&vec![field; 1000]);
    let schema = arrow_ipc::SchemaArgs {
        fields: Some(fields),
        ..Default::default()
    };
    let schema = arrow_ipc::Schema::create(&mut builder, &schema).as_union_value();
    let message = MessageArgs {
        header_type: MessageHeader::Schema,
        header: Some(schema),
        ..Default::default()
    };
    let message = Message::create(&mut builder, &message);
    builder.finish(message, None);
    malformed(
        &framed(builder.finished_data(), b""),
        "the metadata of a message is damaged",
    );
}

#[test]
fn a_dictionary_is_only_believed_as_far_as_it_goes() {
    let coded = DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8));
    let schema = schema_of(coded);
    // The texts "ab" and "c", and a row whose code is the last byte of the body.
    let dictionary = Told {
        rows: 2,
        nodes: vec![(2, 0)],
        buffers: vec![(0, 0), (0, 12), (16, 3)],
        body: [[0u8, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0].as_slice(), &[0; 4], b"abc"].concat(),
        dictionary: Some((0, false)),
        ..Told::default()
    };
    let code = |code: i8| Told {
        nodes: vec![(1, 0), (1, 1), (1, 0)],
        buffers: vec![(0, 0), (0, 8), (0, 0), (8, 1)],
        body: [[0; 8].as_slice(), &code.to_le_bytes()].concat(),
        ..told()
    };
    let stream = |dictionary: &Told, code: &Told| [schema.clone(), dictionary.message(), code.message()].concat();
    let (series, ..) = row(&stream(&dictionary, &code(1)));
    assert_eq!(series.key.as_deref(), Some("c"));
    for outside in [2, -1, i8::MIN, i8::MAX] {
        malformed(&stream(&dictionary, &code(outside)), "a code is not in its dictionary");
    }
    malformed(&[schema.clone(), code(0).message()].concat(), "a dictionary is missing");
    let with = |change: &dyn Fn(&mut Told), why: &str| {
        let mut dictionary = dictionary.clone();
        change(&mut dictionary);
        malformed(&stream(&dictionary, &code(1)), why);
    };
    let of_another_column = |told: &mut Told| told.dictionary = Some((1, false));
    with(&of_another_column, "a dictionary is of no column");
    let in_parts = |told: &mut Told| told.dictionary = Some((0, true));
    with(&in_parts, "it has a dictionary in parts, which is not supported");
    let endless = |told: &mut Told| (told.rows, told.nodes[0].0) = (i64::MAX, i64::MAX);
    with(&endless, "a buffer is shorter than its rows");
    for (at, byte) in [(8, 4), (8, 1), (7, 0x80)] {
        with(&|told| told.body[at] = byte, "a text lies outside of its buffer");
    }
    let mut bad = dictionary.clone();
    bad.body[18] = 0xff;
    let message = "stream[0].value_key: is not UTF-8";
    says(&stream(&bad, &code(1)), Kind::BadCharacter, message);
}

#[test]
fn a_view_is_only_believed_as_far_as_it_goes() {
    let stream = |view: [u32; 4], buffers: i64| {
        let told = Told {
            nodes: vec![(1, 0), (1, 1), (1, 0)],
            buffers: vec![(0, 0), (0, 8), (0, 0), (8, 16), (24, 16)],
            view_buffers: Some(buffers),
            body: [
                [0; 8].as_slice(),
                &view.map(u32::to_le_bytes).concat(),
                b"a text of 16 b..",
            ]
            .concat(),
            ..told()
        };
        [schema_of(DataType::Utf8View), told.message()].concat()
    };
    let (series, ..) = row(&stream([16, 0, 0, 0], 1));
    assert_eq!(series.key.as_deref(), Some("a text of 16 b.."));
    let most = u32::MAX;
    for view in [
        [17, 0, 0, 0],
        [16, 0, 1, 0],
        [16, 0, 0, 1],
        [most, 0, 0, 0],
        [13, 0, most, most],
    ] {
        malformed(&stream(view, 1), "a text lies outside of its buffer");
    }
    for buffers in [2, -1, i64::MAX] {
        malformed(&stream([16, 0, 0, 0], buffers), "a batch lacks buffers");
    }
}

/// What happens to some bytes.
#[derive(Clone, Debug)]
enum Damage {
    Bit(u8),
    Byte(u8),
    Number(i32),
    Long(i64),
}

fn damage() -> impl Strategy<Value = Damage> {
    let number = prop_oneof![any::<i32>(), -3..300i32, Just(i32::MAX), Just(i32::MIN)];
    let long = prop_oneof![any::<i64>(), -3..300i64, Just(i64::MAX), Just(i64::MIN)];
    prop_oneof![
        (0..8u8).prop_map(Damage::Bit),
        any::<u8>().prop_map(Damage::Byte),
        number.prop_map(Damage::Number),
        long.prop_map(Damage::Long),
    ]
}

impl Damage {
    /// Numbers lie at multiples of what they take.
    fn to(&self, bytes: &mut [u8], at: prop::sample::Index) {
        let mut overwrite = |with: &[u8]| {
            let place = at.index(bytes.len() / with.len()) * with.len();
            bytes[place..place + with.len()].copy_from_slice(with);
        };
        match self {
            Damage::Bit(bit) => bytes[at.index(bytes.len())] ^= 1 << bit,
            Damage::Byte(byte) => overwrite(&[*byte]),
            Damage::Number(number) => overwrite(&number.to_le_bytes()),
            Damage::Long(number) => overwrite(&number.to_le_bytes()),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn no_damage_to_a_stream_does_more_than_an_error(
        which in any::<prop::sample::Index>(),
        damages in prop::collection::vec((any::<prop::sample::Index>(), damage()), 1..4),
        cut in prop::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        thread_local!(static STREAMS: Vec<Vec<u8>> = every_type());
        let mut bytes = STREAMS.with(|streams| streams[which.index(streams.len())].clone());
        for (at, damage) in damages {
            damage.to(&mut bytes, at);
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        match read_arrow(&bytes, &Limits::of_rows(usize::MAX), &mut || {}) {
            Ok(series) => {
                // No row takes less than the smallest of times.
                let rows: usize = series.series.iter().map(|series| series.points.len()).sum();
                prop_assert!(rows <= bytes.len() / size_of::<i32>());
            }
            Err(error) => {
                prop_assert!(error.path.starts_with("stream"));
                prop_assert!(error.to_string().len() < 1000 && !error.to_string().contains('\0'));
            }
        }
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&bytes);
        let _ = read(&framed(&bytes, b""));
    }
}

/// What polars writes of its Int128, which the format's library does not know.
#[test]
fn an_integer_of_a_width_that_is_none_of_arrows_is_told_as_what_it_is() {
    let mut builder = FlatBufferBuilder::new();
    let mut integer = arrow_ipc::IntBuilder::new(&mut builder);
    integer.add_bitWidth(128);
    integer.add_is_signed(true);
    let integer = integer.finish();
    let name = builder.create_string("value");
    let mut field = arrow_ipc::FieldBuilder::new(&mut builder);
    field.add_name(name);
    field.add_type_type(arrow_ipc::Type::Int);
    field.add_type_(integer.as_union_value());
    let field = field.finish();
    let fields = builder.create_vector(&[field]);
    let mut schema = arrow_ipc::SchemaBuilder::new(&mut builder);
    schema.add_fields(fields);
    let schema = schema.finish();
    let message = MessageArgs {
        version: MetadataVersion::V5,
        header_type: MessageHeader::Schema,
        header: Some(schema.as_union_value()),
        bodyLength: 0,
        custom_metadata: None,
    };
    let message = Message::create(&mut builder, &message);
    builder.finish(message, None);
    let bytes = framed(builder.finished_data(), &[]);
    let error = read(&bytes).unwrap_err();
    assert_eq!(
        error.to_string(),
        "stream.value: must be a column of numbers, not of type Int128"
    );
    assert_eq!(error.hint, Some("Cast it to double precision (float64)."));
}

/// A stream of two rows whose labels are maps and whose tags are lists.
fn nested() -> Vec<u8> {
    let mut maps = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    for site in ["north", "a site with a longer name"] {
        maps.keys().append_value("site");
        maps.values().append_value(site);
        maps.append(true).unwrap();
    }
    let mut tags = ListBuilder::new(StringBuilder::new());
    tags.append_value([Some("checked"), Some("a")]);
    tags.append_null();
    stream(&[
        ("valid_time", array(TimestampSecondArray::from(vec![NOON, NOON]))),
        ("value", array(Float64Array::from(vec![1.0, 2.0]))),
        ("value_key", array(StringArray::from(vec!["wind", "wind"]))),
        ("labels", array(maps.finish())),
        ("annotation", array(StringArray::from(vec![Some("seen"), None]))),
        ("tags", array(tags.finish())),
    ])
}

#[test]
fn a_stream_with_nested_columns_that_claims_something_else_is_refused_or_means_something() {
    let whole = nested();
    let upload = read_arrow(&whole, &Limits::of_rows(1000), &mut || {}).unwrap();
    assert_eq!(upload.labels.len(), 2, "the premise");
    assert_eq!(*upload.labels[0], *r#"{"site":"north"}"#);
    let said = Said {
        annotation: Some("seen".into()),
        tags: Some(vec!["a".into(), "checked".into()]),
    };
    assert_eq!(*upload.said[0], said);
    let mut refused = 0;
    let mut sent = 0;
    let mut send = |bytes: &[u8]| {
        sent += 1;
        refused += usize::from(read_arrow(bytes, &Limits::of_rows(1000), &mut || {}).is_err());
    };
    (0..whole.len()).for_each(|end| send(&whole[..end]));
    for place in (0..whole.len() - 8).step_by(4) {
        for claim in [0, -1, 3, 1 << 30, i64::from(i32::MAX), 1 << 40, i64::MAX] {
            for width in [4, 8] {
                let mut stream = whole.clone();
                stream[place..place + width].copy_from_slice(&claim.to_le_bytes()[..width]);
                send(&stream);
            }
        }
    }
    for place in 0..whole.len() {
        let mut stream = whole.clone();
        stream[place] ^= 1 << (place % 8);
        send(&stream);
    }
    assert!(refused > sent / 3, "the premise: {refused} of {sent} are malformed");
}

#[test]
fn a_column_of_other_nested_types_is_refused_before_it_is_looked_into() {
    let mut numbers = ListBuilder::new(Float64Builder::new());
    numbers.append_value([Some(1.0)]);
    let numbers = array(numbers.finish());
    let mut lists = ListBuilder::new(ListBuilder::new(StringBuilder::new()));
    lists.append_null();
    let lists = array(lists.finish());
    let mut maps = MapBuilder::new(None, StringBuilder::new(), Float64Builder::new());
    maps.append(false).unwrap();
    let maps = array(maps.finish());
    let texts = "must be a column of strings or maps of strings, not of type";
    for (column, values, message) in [
        (
            "tags",
            numbers.clone(),
            "stream.tags: must be a column of lists of strings, not of type List",
        ),
        (
            "tags",
            lists,
            "stream.tags: must be a column of lists of strings, not of type List",
        ),
        (
            "tags",
            wind(),
            "stream.tags: must be a column of lists of strings, not of type Utf8",
        ),
        ("labels", numbers.clone(), &format!("stream.labels: {texts} List")),
        ("labels", maps, &format!("stream.labels: {texts} Map")),
        (
            "value",
            numbers,
            "stream.value: must be a column of numbers, not of type List",
        ),
    ] {
        says_with(column, values, Kind::BadValue, message);
    }
}

/// A few bytes stand for any number of long texts, where rows overlap: what is kept of them is bounded.
#[test]
fn texts_that_overlap_are_kept_up_to_a_bound() {
    const ROWS: usize = 20_000;
    let joined = arrow_buffer::Buffer::from_vec(vec![b'x'; 10_000 + ROWS]);
    let view = |row: usize| -> u128 {
        let length = 9_000 + (row % 1000) as u128;
        // Long ones: their first bytes, the buffer and the place there.
        let prefix = u128::from(u32::from_le_bytes(*b"xxxx"));
        length | prefix << 32 | ((row / 1000) as u128) << 96
    };
    // Of 1,000 lengths, so many are told apart by what the row before them says as well.
    let views: ScalarBuffer<u128> = (0..ROWS).map(view).collect();
    let annotations = StringViewArray::try_new(views, vec![joined], None).unwrap();
    let times: Vec<i64> = (0..ROWS as i64).collect();
    let distinct: Vec<String> = (0..ROWS).map(|row| format!("{{\"n\":\"{row:010000}\"}}")).collect();
    let columns = |column: &'static str, values: ArrayRef| {
        stream(&[
            ("valid_time", array(TimestampSecondArray::from(times.clone()))),
            ("value", array(Float64Array::from(vec![1.0; ROWS]))),
            ("value_key", array(StringArray::from(vec!["wind"; ROWS]))),
            (column, values),
        ])
    };
    // The same text again and again is one.
    let upload = read_arrow(
        &columns("annotation", array(annotations)),
        &Limits::of_rows(ROWS),
        &mut || {},
    )
    .unwrap();
    assert_eq!(upload.said.len(), 1000);
    let error = read_arrow(
        &columns("labels", array(StringArray::from(distinct))),
        &Limits::of_rows(ROWS),
        &mut || {},
    )
    .unwrap_err();
    assert_eq!(error.kind, Kind::TooMany);
    assert!(
        error.reason.contains("67108864 bytes of labels, annotations and tags"),
        "{error}"
    );
}
