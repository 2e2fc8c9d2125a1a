//! `timedb.points` and `timedb.pack` over the wire: their binary forms come back as they went, and bytes or text that are
//! damaged are refused with the server unharmed.

use std::io::{Read, Write};

use crate::cases::Cases;
use postgres::Client;
use proptest::prelude::*;
use timedb_core::points::{Point, Points, pack};
use timedb_core::time::Time;
use timedb_testkit::{Database, one, refused, run, server_log};

const COPY_SIGNATURE: &[u8; 11] = b"PGCOPY\n\xff\r\n\0";

/// One of every shape: regular and irregular times, moments and intervals of one length and of many, nulls, and floats
/// that other formats lose.
const SHAPES: [&str; 9] = [
    r#"{"values":[]}"#,
    r#"{"start":"2025-01-01T00:00:00Z","values":[20.0]}"#,
    r#"{"start":"2025-01-01T00:00:00Z","step":"PT1H","values":[20.0,null,"NaN",-0.0,5e-324]}"#,
    r#"{"start":"2025-01-01T00:00:00Z","step":"PT15M","length":"PT1H","values":[1e-7,1e300]}"#,
    r#"{"start":"2025-01-01T00:00:00Z","length":"PT0.000001S","values":[null]}"#,
    r#"{"times":["2025-01-01T00:00:00Z","2025-01-01T00:07:00.5Z","2025-01-02T00:00:00Z"],"values":[1.0,2.0,3.0]}"#,
    r#"{"times":["2025-01-01T00:00:00Z","2025-01-01T00:00:00Z"],"ends":[null,"2025-01-02T00:00:00Z"],"values":[1.0,2.0]}"#,
    r#"{"start":"-004713-11-24T00:00:00Z","step":"PT1S","values":["NaN:7ff8000000000001","Infinity","-Infinity"]}"#,
    r#"{"times":["1969-07-20T20:17:40Z","1969-07-20T20:17:41Z","9999-12-31T23:59:59.999999Z"],"values":[null,null,null]}"#,
];

/// A session of an ordinary role with a table of points, and one point of each shape in it.
fn with_shapes(database: &Database) -> Client {
    let mut client = database.login("app");
    for table in ["sent", "back", "again"] {
        run(
            &mut client,
            &format!("CREATE TEMP TABLE {table} (points timedb.points)"),
        );
    }
    for shape in SHAPES {
        run(&mut client, &format!("INSERT INTO sent VALUES ('{shape}')"));
    }
    client
}

fn copy_out(client: &mut Client, table: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    client
        .copy_out(&format!("COPY {table} TO STDOUT BINARY"))
        .expect("COPY TO")
        .read_to_end(&mut bytes)
        .expect("it reads");
    bytes
}

/// The text of each value of a column.
fn texts(client: &mut Client, sql: &str) -> Vec<String> {
    let rows = client.query(sql, &[]);
    let rows = rows.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    rows.iter().map(|row| row.get(0)).collect()
}

fn copy_in(client: &mut Client, table: &str, bytes: &[u8]) -> Result<u64, postgres::Error> {
    let mut writer = client.copy_in(&format!("COPY {table} FROM STDIN BINARY"))?;
    writer.write_all(bytes).expect("it writes");
    writer.finish()
}

/// COPY's binary form of rows of one column each.
fn copy_file(fields: &[&[u8]]) -> Vec<u8> {
    let mut file = COPY_SIGNATURE.to_vec();
    file.extend([0; 8]);
    for field in fields {
        file.extend(1i16.to_be_bytes());
        file.extend((field.len() as i32).to_be_bytes());
        file.extend(*field);
    }
    file.extend((-1i16).to_be_bytes());
    file
}

/// The binary form of each shape.
fn binary_shapes(client: &mut Client) -> Vec<Vec<u8>> {
    let file = copy_out(client, "sent");
    let mut rest = &file[COPY_SIGNATURE.len() + 8..];
    let mut fields = Vec::new();
    while let [0, 1, a, b, c, d, tail @ ..] = rest {
        let (field, tail) = tail.split_at(u32::from_be_bytes([*a, *b, *c, *d]) as usize);
        fields.push(field.to_vec());
        rest = tail;
    }
    assert_eq!(rest, [0xff, 0xff], "the premise: the file was understood");
    assert_eq!(fields.len(), SHAPES.len());
    fields
}

/// As long as this holds, no backend has been killed by what it was sent.
struct Server {
    started: String,
    mark: usize,
}

impl Server {
    fn now(client: &mut Client) -> Server {
        Server {
            started: one(client, "SELECT pg_postmaster_start_time()::text"),
            mark: server_log().len(),
        }
    }

    #[track_caller]
    fn assert_unharmed(&self, client: &mut Client) {
        let started: String = one(client, "SELECT pg_postmaster_start_time()::text");
        assert_eq!(started, self.started);
        let since = &server_log()[self.mark..];
        for crash in [
            "terminated by signal",
            "was terminated by exception",
            "PANIC:",
            "terminating any other",
        ] {
            assert!(!since.contains(crash), "{since}");
        }
    }
}

#[test]
fn binary_points_come_back_as_they_went() {
    let database = Database::fresh("binary round trip");
    let mut client = with_shapes(&database);
    let sent = copy_out(&mut client, "sent");
    assert_eq!(
        copy_in(&mut client, "back", &sent).expect("COPY FROM"),
        SHAPES.len() as u64
    );
    assert_eq!(copy_out(&mut client, "back"), sent);
    let rows = client.query("SELECT points::text FROM back", &[]).expect("the texts");
    let texts: Vec<&str> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(texts, SHAPES);
}

/// What says which version it is can be read by every later one.
#[test]
fn binary_points_begin_with_their_version() {
    let database = Database::fresh("binary version");
    let mut client = with_shapes(&database);
    for mut bytes in binary_shapes(&mut client) {
        assert_eq!(bytes[0], 1);
        bytes[0] = 2;
        let error = copy_in(&mut client, "back", &copy_file(&[&bytes])).expect_err("a later version");
        assert_eq!(error.code().map(|code| code.code()), Some("22P03"));
    }
}

/// How bytes are damaged on their way.
#[derive(Clone, Debug)]
enum Damage {
    Cut(prop::sample::Index),
    Append(Vec<u8>),
    Set(prop::sample::Index, u8),
    Insert(prop::sample::Index, Vec<u8>),
    /// All of it: bytes that never were points, behind a version that is known.
    Replace(Vec<u8>),
}

fn damage() -> impl Strategy<Value = Damage> {
    let place = any::<prop::sample::Index>;
    let bytes = || prop::collection::vec(any::<u8>(), 1..12);
    prop_oneof![
        place().prop_map(Damage::Cut),
        bytes().prop_map(Damage::Append),
        (place(), any::<u8>()).prop_map(|(place, byte)| Damage::Set(place, byte)),
        (place(), prop::sample::select(&[0x00, 0x7f, 0x80, 0xff][..]))
            .prop_map(|(place, byte)| Damage::Set(place, byte)),
        (place(), bytes()).prop_map(|(place, bytes)| Damage::Insert(place, bytes)),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(Damage::Replace),
    ]
}

impl Damage {
    fn done_to(&self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        match self {
            Damage::Cut(place) => bytes.truncate(place.index(bytes.len())),
            Damage::Append(tail) => bytes.extend(tail),
            Damage::Set(place, byte) => {
                let place = place.index(bytes.len());
                bytes[place] = *byte;
            }
            Damage::Insert(place, middle) => {
                let place = place.index(bytes.len());
                bytes.splice(place..place, middle.iter().copied());
            }
            Damage::Replace(other) => {
                bytes.truncate(1);
                bytes.extend(other);
            }
        }
        bytes
    }
}

#[test]
fn damaged_bytes_are_refused_or_are_other_points_and_never_end_the_server() {
    let database = Database::fresh("damaged bytes");
    let mut client = with_shapes(&database);
    let shapes = binary_shapes(&mut client);
    let server = Server::now(&mut client);
    let input = (prop::sample::select(shapes), prop::collection::vec(damage(), 1..3));
    let mut refusals = 0;
    let client_cell = std::cell::RefCell::new((&mut client, &mut refusals));
    Cases::of(1500).run(&input, |(bytes, damages)| {
        let (client, refusals) = &mut *client_cell.borrow_mut();
        let damaged = damages.iter().fold(bytes, |bytes, damage| match bytes.is_empty() {
            true => bytes,
            false => damage.done_to(&bytes),
        });
        run(client, "TRUNCATE back");
        match copy_in(client, "back", &copy_file(&[&damaged])) {
            Err(error) => {
                prop_assert_eq!(error.code().map(|code| code.code()), Some("22P03"));
                **refusals += 1;
            }
            // Values can be said in several ways. Packing is canonical: what was accepted is stored, and sent, in the one
            // way that packing would have written.
            Ok(_) => {
                let sent = copy_out(client, "back");
                run(
                    client,
                    "TRUNCATE again; INSERT INTO again SELECT points::text::timedb.points FROM back",
                );
                prop_assert_eq!(&copy_out(client, "again"), &sent);
                run(client, "TRUNCATE again");
                copy_in(client, "again", &sent).expect("what was sent is taken");
                prop_assert_eq!(copy_out(client, "again"), sent);
            }
        }
        Ok(())
    });
    assert!(refusals > 500, "the premise: most damage shows, {refusals}");
    server.assert_unharmed(&mut client);
}

#[test]
fn damaged_text_is_refused_or_is_other_points_and_never_ends_the_server() {
    let database = Database::fresh("damaged text");
    let mut client = with_shapes(&database);
    let server = Server::now(&mut client);
    let input = (prop::sample::select(&SHAPES[..]), prop::collection::vec(damage(), 1..3));
    let mut refusals = 0;
    let client_cell = std::cell::RefCell::new((&mut client, &mut refusals));
    Cases::of(1500).run(&input, |(text, damages)| {
        let (client, refusals) = &mut *client_cell.borrow_mut();
        let damaged = damages
            .iter()
            .fold(text.as_bytes().to_vec(), |bytes, damage| match bytes.is_empty() {
                true => bytes,
                false => damage.done_to(&bytes),
            });
        // What is no text at all is refused before it is points.
        let text = String::from_utf8_lossy(&damaged).replace('\0', " ");
        run(client, "TRUNCATE back");
        match client.batch_execute(&format!("INSERT INTO back VALUES ({})", quoted(&text))) {
            Err(error) => {
                let code = error.code().map(|code| code.code().to_owned());
                prop_assert_eq!(code.as_deref(), Some("22P02"), "{}: {:?}", text, error);
                **refusals += 1;
            }
            Ok(()) => {
                let told: String = one(client, "SELECT points::text FROM back");
                let again = format!("TRUNCATE back; INSERT INTO back VALUES ({})", quoted(&told));
                run(client, &again);
                prop_assert_eq!(one::<String>(client, "SELECT points::text FROM back"), told);
            }
        }
        Ok(())
    });
    assert!(refusals > 500, "the premise: most damage shows, {refusals}");
    server.assert_unharmed(&mut client);
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A literal needs no privilege on the type's functions; a text that is made of it does.
#[test]
fn an_ordinary_role_casts_any_text_to_points_and_points_to_text() {
    let database = Database::fresh("casts of points");
    let mut client = database.login("app");
    for shape in SHAPES {
        for sql in [
            "SELECT $1::text::timedb.points::text",
            "SELECT (lower('') || $1::text)::timedb.points::text",
        ] {
            let row = client.query_one(sql, &[&shape]);
            let row = row.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
            assert_eq!(row.get::<_, &str>(0), shape);
        }
    }
}

/// Long and smooth: what pays to be stored in the encoding that no client may send.
fn smooth(number: i64) -> f64 {
    (1000.0 * (number as f64 / 500.0).sin()).round() / 1000.0
}

/// Its decoder is no place for hostile bytes.
#[test]
fn points_in_the_encoding_of_the_store_are_refused_and_never_sent() {
    const COUNT: i64 = 4000;
    let point = |number: i64| Point {
        start: Time::from_micros(number * 3_600_000_000).expect("a time"),
        end: None,
        value: Some(smooth(number)),
    };
    let points: Vec<Point> = (0..COUNT).map(point).collect();
    let packed = pack(&points).expect("they are in order");
    assert!(Points::read(&packed).is_ok());
    assert!(
        Points::read_from_client(&packed).is_err(),
        "the premise: another encoding"
    );

    let database = Database::fresh("the encoding of the store");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    run(&mut client, "CREATE TEMP TABLE back (points timedb.points)");
    let server = Server::now(&mut client);
    refused(copy_in(&mut client, "back", &copy_file(&[&packed])))
        .code("22P03")
        .message_contains("no client sends this encoding of values");

    let values: Vec<f64> = (0..COUNT).map(smooth).collect();
    let sql = "SELECT timedb.upload_points(now(), array_fill('smooth'::text, ARRAY[cardinality($1::float8[])]), \
                 ARRAY(SELECT '2000-01-01Z'::timestamptz + n * interval '1 hour' FROM generate_series(0, cardinality($1) - 1) n), $1)";
    client.execute(sql, &[&values]).expect("an upload");
    let stored: i32 = one(
        &mut client,
        "SELECT octet_length(timedb.points_send(points)) - pg_column_size(points) FROM timedb.values",
    );
    assert!(
        stored > 100,
        "the premise: stored in fewer bytes than it is sent in, by {stored}"
    );
    let sent = copy_out(&mut client, "(SELECT points FROM timedb.values)");
    assert_eq!(copy_in(&mut client, "back", &sent).expect("COPY FROM"), 1);
    let told = texts(&mut client, "SELECT points::text FROM timedb.values");
    assert_eq!(texts(&mut client, "SELECT points::text FROM back"), told);
    let values_back: Vec<f64> = one(
        &mut client,
        "SELECT array_agg(value ORDER BY valid_time) FROM back, timedb.unnest_points(points)",
    );
    assert_eq!(values_back, values);
    server.assert_unharmed(&mut client);
}

const PACKS: [&str; 3] = [
    "[]",
    r#"[{"run_id":"018f3a2b-1c4d-7e5f-8a6b-9c0d1e2f3a4b","known_time":"2025-01-01T00:00:00Z","change_time":"2025-01-01T00:00:00.000001Z","changed_by":"alice@tenant-a.com","points":{"start":"2025-01-01T00:00:00Z","values":[20.0]}}]"#,
    concat!(
        r#"[{"run_id":"018f3a2b-1c4d-7e5f-8a6b-9c0d1e2f3a4b","known_time":"2025-01-01T00:00:00Z","change_time":"2025-01-01T00:00:00Z","changed_by":"a","points":{"start":"2025-01-01T00:00:00Z","step":"PT1H","values":[null,"NaN:7ff8000000000001",-0.0]}},"#,
        "\n ",
        r#"{"run_id":"00000000-0000-0000-0000-000000000000","known_time":"2024-01-01T00:00:00Z","change_time":"2025-01-02T00:00:00Z","changed_by":"ä","annotation":"\"two\"\nlines","tags":["b","{a}"],"points":{"times":["2025-01-01T00:00:00Z","2025-01-01T00:00:00Z"],"ends":[null,"2025-01-02T00:00:00Z"],"values":[1.0,2.0]}}]"#
    ),
];

fn with_packs(database: &Database) -> Client {
    let mut client = database.login("app");
    run(
        &mut client,
        "CREATE TEMP TABLE sent (pack timedb.pack); CREATE TEMP TABLE back (LIKE sent)",
    );
    client
}

#[test]
fn packs_come_back_as_they_went_as_text_and_as_bytes() {
    let database = Database::fresh("packs round trip");
    let mut client = with_packs(&database);
    for pack in PACKS {
        run(&mut client, &format!("INSERT INTO sent VALUES ({})", quoted(pack)));
    }
    assert_eq!(texts(&mut client, "SELECT pack::text FROM sent"), PACKS);
    let sent = copy_out(&mut client, "sent");
    assert_eq!(copy_in(&mut client, "back", &sent).expect("COPY FROM"), 3);
    assert_eq!(copy_out(&mut client, "back"), sent);
    assert_eq!(texts(&mut client, "SELECT pack::text FROM back"), PACKS);
    let versions = texts(
        &mut client,
        "SELECT concat_ws('|', known_time AT TIME ZONE 'UTC', changed_by, annotation, tags, points) \
         FROM back, timedb.unnest_pack(pack) OFFSET 2",
    );
    assert_eq!(
        versions,
        ["2024-01-01 00:00:00|ä|\"two\"\nlines|{b,\"{a}\"}|\
          {\"times\":[\"2025-01-01T00:00:00Z\",\"2025-01-01T00:00:00Z\"],\"ends\":[null,\"2025-01-02T00:00:00Z\"],\"values\":[1.0,2.0]}"]
    );
}

#[test]
fn a_damaged_pack_is_refused_or_is_another_pack_and_never_ends_the_server() {
    let database = Database::fresh("damaged packs");
    let mut client = with_packs(&database);
    let server = Server::now(&mut client);
    let input = (
        prop::sample::select(&PACKS[..]),
        prop::collection::vec(damage(), 1..3),
        any::<bool>(),
    );
    let mut refusals = 0;
    let client_cell = std::cell::RefCell::new((&mut client, &mut refusals));
    Cases::of(800).run(&input, |(text, damages, as_bytes)| {
        let (client, refusals) = &mut *client_cell.borrow_mut();
        let undamaged = text.as_bytes().to_vec();
        let damaged = damages.iter().fold(undamaged, |bytes, damage| match bytes.is_empty() {
            true => bytes,
            false => damage.done_to(&bytes),
        });
        run(client, "TRUNCATE back");
        let taken = if as_bytes {
            copy_in(client, "back", &copy_file(&[&damaged])).map(drop)
        } else {
            let text = String::from_utf8_lossy(&damaged).replace('\0', " ");
            client.batch_execute(&format!("INSERT INTO back VALUES ({})", quoted(&text)))
        };
        match taken {
            Err(error) => {
                let code = error.code().map(|code| code.code().to_owned());
                prop_assert_eq!(code.as_deref(), Some("22P02"), "{}: {:?}", text, error);
                **refusals += 1;
            }
            Ok(()) => {
                let told: String = one(client, "SELECT pack::text FROM back");
                run(client, "SELECT count(*) FROM back, timedb.unnest_pack(pack)");
                let again = format!("TRUNCATE back; INSERT INTO back VALUES ({})", quoted(&told));
                run(client, &again);
                prop_assert_eq!(one::<String>(client, "SELECT pack::text FROM back"), told);
            }
        }
        Ok(())
    });
    assert!(refusals > 250, "the premise: most damage shows, {refusals}");
    server.assert_unharmed(&mut client);
}
