//! Bytes that anybody may send, made to break what reads them: cut off, claiming what is not there, claiming too much. They
//! are refused in words, or mean something; no session ends by them, and none takes memory out of proportion.

use std::error::Error;

use postgres::Client;
use postgres::types::{IsNull, ToSql, Type, private::BytesMut, to_sql_checked};

use crate::streams;
use timedb_testkit::{Stage, backend_pid, one, peak_claim, run, told};

/// The attacker's backend, and a session beside it: a backend that crashes takes all others with it.
struct Target {
    client: Client,
    pid: i32,
    bystander: Client,
}

impl Target {
    fn of(stage: &Stage) -> Target {
        let mut client = stage.alice();
        let pid = backend_pid(&mut client);
        Target {
            client,
            pid,
            bystander: stage.bob(),
        }
    }

    /// The most memory that the backend has asked for so far, in megabytes, whether or not it has used it.
    fn most_memory(&self) -> u64 {
        peak_claim(self.pid)
    }

    /// What came of a statement. What is malformed is the client's fault (class 22), or too much (54000), or names nothing that
    /// is there; never the server's.
    #[track_caller]
    fn send(&mut self, sql: &str, arguments: &[&(dyn ToSql + Sync)]) -> Result<(), String> {
        let Err(error) = self.client.execute(sql, arguments) else {
            return Ok(());
        };
        let (code, message) = told(&error);
        assert!(
            code.starts_with("22") || code == "54000" || code == "42704",
            "{sql}: {code} {message}"
        );
        Err(code)
    }

    #[track_caller]
    fn assert_alive(&mut self) {
        for client in [&mut self.client, &mut self.bystander] {
            assert!(one::<i64>(client, "SELECT count(*) FROM timedb.series") > 0);
        }
    }
}

/// Bytes of a type of ours, as a driver binds them.
#[derive(Debug)]
struct Binary(Vec<u8>);

impl ToSql for Binary {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.extend_from_slice(&self.0);
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// What the most points that there may be are in their binary form, if they are all equal; it says how many as a varint.
const EQUAL: &str = "SELECT timedb.points_send( \
                       ('{\"start\": \"2025-01-01\", \"step\": \"PT1S\", \"values\": [' || repeat('1,', 4999999) || '1]}')::timedb.points)";
const FIVE_MILLION: [u8; 4] = [0xc0, 0x96, 0xb1, 0x02];

/// Every place of a stream, with something else there: its end, a length, an offset, a type.
fn mutations(stream: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    const CLAIMS: [i64; 6] = [0, -1, 1 << 30, i32::MAX as i64, 1 << 40, i64::MAX];
    let cut = (0..stream.len()).map(|end| stream[..end].to_vec());
    let claims = (0..stream.len() - 8).step_by(4).flat_map(move |place| {
        CLAIMS.into_iter().flat_map(move |claim| {
            [4, 8].map(|width| {
                let mut stream = stream.to_vec();
                stream[place..place + width].copy_from_slice(&claim.to_le_bytes()[..width]);
                stream
            })
        })
    });
    let flipped = (0..stream.len()).map(|place| {
        let mut stream = stream.to_vec();
        stream[place] ^= 1 << (place % 8);
        stream
    });
    cut.chain(claims).chain(flipped)
}

#[test]
fn t51_an_arrow_stream_that_is_cut_off_or_claims_too_much_is_refused_and_costs_nothing() {
    let stage = Stage::set("t51 arrow");
    let mut target = Target::of(&stage);
    let upload = "SELECT FROM timedb.upload_arrow(now(), $1)";
    for stream in streams::EACH_WAY {
        // By its id there is no such series.
        let whole = target.send(upload, &[&stream]);
        assert!(matches!(whole.as_ref().map_err(String::as_str), Ok(()) | Err("42704")));
        let before = target.most_memory();
        let (mut sent, mut refused) = (0, 0);
        for mutation in mutations(stream) {
            sent += 1;
            refused += i32::from(target.send(upload, &[&mutation]).is_err());
        }
        assert!(refused > sent / 2, "the premise: {refused} of {sent} are malformed");
        let more = target.most_memory() - before;
        assert!(more < 32, "{more} MB for {sent} streams of less than 1 kB");
    }
    // What is announced and does not come.
    let announced = [&[0xff; 4][..], &i32::MAX.to_le_bytes(), &[0; 64]].concat();
    assert_eq!(target.send(upload, &[&announced]), Err("22023".into()));
    target.assert_alive();
}

#[test]
fn t51_the_text_of_a_pack_that_is_cut_off_nested_or_too_long_is_refused() {
    let stage = Stage::set("t51 packs");
    let mut target = Target::of(&stage);
    let open = "SELECT count(*), sum(length(u::text)) FROM timedb.unnest_pack($1::text::timedb.pack) u";
    let version = |points: &str| {
        format!(
            r#"{{"run_id":"00000000-0000-0000-0000-000000000000","known_time":"2025-01-01","change_time":"2025-01-01","changed_by":"x","points":{points}}}"#
        )
    };
    let whole = format!(
        "[{}]",
        version(r#"{"start":"2025-01-01","step":"PT1S","values":[1,2.5,null,"NaN"]}"#)
    );
    assert_eq!(target.send(open, &[&whole]), Ok(()), "the premise: it is a pack");
    let before = target.most_memory();
    for end in 0..whole.len() {
        assert_eq!(
            target.send(open, &[&&whole[..end]]),
            Err("22P02".into()),
            "{}",
            &whole[..end]
        );
    }
    let many = |what: &str| what.repeat(1_000_000);
    for text in [
        many("["),
        many("{"),
        many("[{\"points\":"),
        format!("[{}]", version(&many("["))),
        format!("[{}]", version(&many("{\"values\":"))),
        format!("[{{\"{}\":1}}]", many("x")),
        format!("[{}", many("null,")),
        format!(
            "[{}]",
            version(r#"{"start":"9999-12-31T23:59:59Z","step":"PT1S","values":[1,2]}"#)
        ),
        format!("[{}]", version(r#"{"start":"infinity","values":[1]}"#)),
        whole.replace(r#""changed_by":"x""#, r#""changed_by":"x\u0000""#),
        whole.replace(r#""changed_by":"x""#, r#""changed_by":"x","annotation":"\u0000""#),
        format!("[{}]", version(r#"{"start":"2025-01-01","values":[1e999]}"#)),
        format!(
            "[{}]",
            version(r#"{"start":"2025-01-01","step":"PT1S","values":"#) + &many("0,")
        ),
    ] {
        assert_eq!(target.send(open, &[&text]), Err("22P02".into()), "{:.80}", text);
    }
    let more = target.most_memory() - before;
    assert!(more < 128, "{more} MB for texts of at most 12 MB");
    // At the limits of what there is.
    for limit in [
        r#"{"start":"-004713-11-24T00:00:00Z","values":[1]}"#,
        r#"{"start":"9999-12-31T23:59:59.999999Z","values":[1]}"#,
        r#"{"values":[]}"#,
    ] {
        assert_eq!(
            target.send(open, &[&format!("[{}]", version(limit))]),
            Ok(()),
            "{limit}"
        );
    }
    target.assert_alive();
}

/// A few bytes may stand for the most that points hold, but for no more, and for each use of them once.
#[test]
fn t51_twenty_bytes_that_stand_for_five_million_values_cost_what_those_do_and_no_more() {
    let stage = Stage::set("t51 claims");
    let small: Vec<u8> = one(&mut stage.alice(), EQUAL);
    assert!(small.len() <= 20, "{} bytes", small.len());
    let mut target = Target::of(&stage);
    let count: i32 = target
        .client
        .query_one("SELECT timedb.count_points($1)", &[&Binary(small.clone())])
        .expect("they are points")
        .get(0);
    assert_eq!(count, 5_000_000, "the premise");
    let mut too_many = small.clone();
    assert_eq!(too_many[2..6], FIVE_MILLION);
    too_many[2] += 1;
    assert_eq!(
        target.send("SELECT timedb.count_points($1)", &[&Binary(too_many)]),
        Err("22P03".into())
    );
    let before = target.most_memory();
    let merged = "SELECT timedb.count_points(timedb.merge_points(p, '2025-01-01', '2025-01-01', gen_random_uuid())) \
                  FROM (SELECT $1::timedb.points AS p) p, generate_series(1, $2::bigint)";
    assert_eq!(target.send(merged, &[&Binary(small.clone()), &2_i64]), Ok(()));
    assert_eq!(
        target.send(merged, &[&Binary(small.clone()), &1000_i64]),
        Err("54000".into())
    );
    let more = target.most_memory() - before;
    assert!(more < 1024, "{more} MB for 10,000,000 values");
    target.assert_alive();
}

/// The bytes that long series are stored in have a decoder that is not made for everybody's bytes: not even whole ones, as
/// they were stored, come in from outside.
#[test]
fn t51_the_encoding_that_only_storage_may_have_is_refused_even_where_it_is_whole() {
    const ENCODING: usize = 1;
    let stage = Stage::set("t51 pco");
    run(
        &mut stage.alice(),
        "SELECT FROM timedb.upload_points(now(), array_fill('long'::text, '{2000}'), \
           (SELECT array_agg('2025-01-01'::timestamptz + i * interval '1 h' ORDER BY i) FROM generate_series(1, 2000) i), \
           (SELECT array_agg(sin(i / 100.0) ORDER BY i) FROM generate_series(1, 2000) i))",
    );
    let mut admin = stage.admin();
    run(&mut admin, "CREATE CAST (timedb.points AS bytea) WITHOUT FUNCTION");
    let stored: Vec<u8> = one(
        &mut admin,
        "SELECT points::bytea FROM timedb.values ORDER BY timedb.count_points(points) DESC LIMIT 1",
    );
    assert_eq!(stored[ENCODING] >> 4, 2, "the premise: it is stored in pco");
    let mut target = Target::of(&stage);
    let open = "SELECT count(*) FROM timedb.unnest_points($1)";
    for end in [stored.len(), stored.len() - 1, stored.len() / 2, 20] {
        let sent = Binary(stored[..end].to_vec());
        assert_eq!(target.send(open, &[&sent]), Err("22P03".into()), "{end} bytes");
    }
    // The same points as they are sent out do come in.
    let sent: Vec<u8> = one(
        &mut admin,
        "SELECT timedb.points_send(points) FROM timedb.values ORDER BY timedb.count_points(points) DESC LIMIT 1",
    );
    assert_eq!(target.send(open, &[&Binary(sent)]), Ok(()));
    target.assert_alive();
}

/// What holds nothing must cost nothing, however often it comes.
#[test]
fn t51_merging_any_number_of_points_without_a_value_takes_no_memory() {
    let stage = Stage::set("t51 empties");
    let mut target = Target::of(&stage);
    let merged = "SELECT timedb.count_points(timedb.merge_points('{\"values\": []}', '2025-01-01', '2025-01-01', \
                    '00000000-0000-0000-0000-000000000000')) FROM generate_series(1, $1::bigint)";
    assert_eq!(target.send(merged, &[&1_i64]), Ok(()));
    let before = target.most_memory();
    assert_eq!(target.send(merged, &[&500_000_i64]), Ok(()));
    let more = target.most_memory() - before;
    assert!(more < 32, "{more} MB for nothing");
}

/// A pack keeps tags that many versions share once. So must a read: here as many as a row that is packed may have.
#[test]
fn t51_long_tags_that_thousands_of_versions_share_are_read_once() {
    const VERSIONS: i64 = 8000;
    let stage = Stage::set("t51 tags");
    let mut alice = stage.alice();
    alice
        .execute(
            "SELECT count(u.run_id) FROM generate_series(1, $1::bigint) i, LATERAL timedb.upload('2025-01-01', \
               format('[{\"valid_time\": \"2025-01-01\", \"value_key\": \"tagged\", \"value\": %s}]', i)::json) u",
            &[&VERSIONS],
        )
        .expect("the runs");
    let tagged = "SELECT count(*) FROM timedb.update((SELECT json_agg(json_build_object( \
                    'run_id', r.run_id, 'series_id', r.series_id, 'valid_time', r.valid_time, 'tags', t.tags)) \
                  FROM timedb.read(mode => 'overlapping', series_keys => '{tagged}') r, \
                    (SELECT json_agg(lpad(i::text, 200, 'x')) AS tags FROM generate_series(1, 10) i) t))";
    assert_eq!(one::<i64>(&mut alice, tagged), VERSIONS);
    run(&mut alice, "SELECT FROM timedb.compact(older_than => '0')");
    let left: i64 = one(&mut alice, "SELECT count(*) FROM timedb.values WHERE tags IS NOT NULL");
    assert_eq!(left, 0, "the premise: all are in packs");
    let mut target = Target::of(&stage);
    for read in [
        "SELECT count(*) FROM timedb.read(series_keys => '{tagged}')",
        "SELECT FROM timedb.read_arrow(series_keys => '{tagged}')",
        "SELECT FROM timedb.read_arrow_batches(series_keys => '{tagged}')",
    ] {
        assert_eq!(
            target.send("SELECT FROM timedb.read(series_keys => '{alice}')", &[]),
            Ok(())
        );
        let before = target.most_memory();
        assert_eq!(target.send(read, &[]), Ok(()));
        let more = target.most_memory() - before;
        assert!(more < 20, "{more} MB for one value: {read}");
    }
}

/// What rows say beside their values is kept once, and no more of it than a bound.
#[test]
fn t51_labels_runs_and_remarks_without_end_are_refused_and_cost_no_more_than_a_bound() {
    let stage = Stage::set("t51 rows");
    let mut target = Target::of(&stage);
    let row =
        |fields: &str| format!("'{{\"valid_time\": \"2025-01-01\", \"value_key\": \"k\", \"value\": 1, {fields}}}'");
    let many = |count: u32, fields: &str| {
        format!(
            "SELECT ('[' || string_agg(replace({}, '#', i::text), ',') || ']')::json FROM generate_series(1, {count}) i",
            row(fields)
        )
    };
    let long = format!("\"labels\": {{\"a\": \"{}\"}}", "x".repeat(2_000_000));
    let series = many(100_001, r##""labels": {"n": #}"##);
    let spellings = many(
        100_001,
        r##""labels": {"n": 1.#}, "series_id": "a0a1a2a3-a4a5-a6a7-a8a9-aaabacadaeaf""##,
    );
    let remarks = many(200_000, &format!("\"annotation\": \"# {}\"", "x".repeat(400)));
    let runs = many(100_001, r##""workflow_id": "#""##);
    let before = target.most_memory();
    for rows in [many(1, &long), series, spellings, remarks] {
        let sql = format!("SELECT FROM timedb.upload(now(), ({rows}))");
        assert_eq!(target.send(&sql, &[]), Err("54000".into()), "{rows:.200}");
    }
    let sql = format!("SELECT FROM timedb.upload_runs(({runs}))");
    assert_eq!(target.send(&sql, &[]), Err("54000".into()));
    let sql = format!("SELECT FROM timedb.update(({}))", many(1, &long));
    assert_eq!(target.send(&sql, &[]), Err("54000".into()));
    let more = target.most_memory() - before;
    assert!(more < 1024, "{more} MB");
    target.assert_alive();
    // As many as there may be.
    let most = many(100_000, r##""labels": {"n": #}"##);
    assert_eq!(
        target.send(&format!("SELECT FROM timedb.upload(now(), ({most}))"), &[]),
        Ok(())
    );
    target.assert_alive();
}
