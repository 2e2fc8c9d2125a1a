//! Tests that run inside a backend, as a superuser, in a transaction that is rolled back: what neither plain Rust nor a
//! client can see. Only in a library built with the feature `in_backend_tests`; `pgrx-tests/` calls every `test_…` here.
//! A panic is the failure, and its message what the runner shows.

use crate::error::Error;
use crate::identity::http;
use crate::identity::settings::{self, Bound, Login};
use crate::identity::standing;
use crate::pg::clock;
use crate::pg::datum::{Bind, NullableDatum};
use crate::pg::guc::Lasting;
use crate::pg::moment;
use crate::pg::result::Tuplestore;
use crate::pg::statement::statements;
use crate::pg::varlena::{PointsBytes, Text};
use crate::pg::zone::{self, Zone};
use crate::store::keys::Wanted;
use crate::store::write::NewRows;
use pgrx::datum::Interval;
use pgrx::prelude::*;
use std::rc::Rc;
use timedb_core::calendar::{self, Calendar, Local, plus};
use timedb_core::held::Held;
use timedb_core::limits::Limits;
use timedb_core::points::Point;
use timedb_core::scope::Scope;
use timedb_core::time::Time;
use timedb_core::version::{Remark, Version};
use uuid::Uuid;

statements! {
    COLUMN_NUMBERS() -> (String,) =
        c"SELECT string_agg(c.relname || '.' || a.attname || '=' || a.attnum, ' ' ORDER BY c.relname, a.attnum)
          FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
          WHERE c.relnamespace = 'timedb'::regnamespace AND a.attnum > 0
            AND (c.relname, a.attname) IN (
              ('api_keys', 'tenant_id'), ('api_keys', 'key_id'), ('api_keys', 'user_id'), ('api_keys', 'key_hash'),
              ('api_keys', 'scope'),
              ('key_ends', 'tenant_id'), ('key_ends', 'key_id'), ('key_ends', 'ended_at'),
              ('api_keys', 'expires_at'), ('api_keys', 'revoked_at'), ('users', 'tenant_id'), ('users', 'user_id'),
              ('users', 'email'), ('users', 'is_active'), ('role_bindings', 'role_name'),
              ('role_bindings', 'tenant_id'), ('role_bindings', 'scope'))";
    ARRAYS(&[Uuid], &[Option<&str>], &[Time], Option<&[i16]>, Option<&[&[u8]]>) -> (String,) =
        c"SELECT concat_ws('|', $1::text, $2::text, $3::text, $4::text, $5::text)";
    STORED_TEXT() -> (Text<'static>, String) = c"SELECT t, t FROM in_backend_texts ORDER BY length(t)";
    ALTERED() -> (i64,) = c"SELECT n FROM in_backend_altered";
    SHOWN(Time, &str) -> (i64,) =
        c"SELECT (extract(epoch FROM $1 AT TIME ZONE $2) * 1000000)::int8 - 946684800000000";
    SHOWN_AT(i64, &str) -> (Time,) =
        c"SELECT (timestamp '2000-01-01' + $1 * interval '1 microsecond') AT TIME ZONE $2";
    LATER(Time, Interval) -> (Time,) = c"SELECT $1 + $2";
    NULL_TEXT() -> (i32, String) = c"SELECT 1, NULL::text";
    OTHER_TYPE() -> (i64,) = c"SELECT 1::int4";
    FEWER_COLUMNS() -> (i32, i32) = c"SELECT 1";
    NOT_POINTS() -> (PointsBytes,) = c"SELECT '\\x00'::bytea";
    MAKE_USER(Uuid, Uuid) -> () =
        c"INSERT INTO timedb.users (tenant_id, user_id, email) VALUES ($1, $2, 'in@backend.test')";
    MAKE_KEY(Uuid, Uuid, Uuid) -> () =
        c"INSERT INTO timedb.api_keys (tenant_id, key_id, user_id, hint, key_hash, scope)
          VALUES ($1, $2, $3, 'test', sha256('x'), 'write')";
    REVOKE(Uuid) -> () = c"UPDATE timedb.api_keys SET revoked_at = clock_timestamp() WHERE tenant_id = $1";
    DEACTIVATE(Uuid) -> () = c"UPDATE timedb.users SET is_active = false WHERE tenant_id = $1";
}

fn ran<T>(result: crate::error::Result<T>) -> T {
    result.unwrap_or_else(|error| panic!("{}", error.message()))
}

/// `standing` reads these columns by number.
#[pg_extern(sql = false)]
fn test_the_columns_that_standing_reads_have_their_numbers() {
    assert_eq!(
        ran(COLUMN_NUMBERS.read(()))[0].0,
        "api_keys.tenant_id=1 api_keys.key_id=2 api_keys.user_id=3 api_keys.key_hash=6 api_keys.scope=7 api_keys.expires_at=9 \
         api_keys.revoked_at=10 key_ends.tenant_id=1 key_ends.key_id=2 key_ends.ended_at=3 role_bindings.role_name=1 role_bindings.tenant_id=2 role_bindings.scope=3 \
         users.tenant_id=1 users.user_id=2 users.email=3 users.is_active=4"
    );
}

/// So many rows take gigabytes: they are counted here without being held.
#[pg_extern(sql = false)]
fn test_too_many_rows_are_refused_as_rows() {
    let mut held = Held::default();
    for _ in 0..Limits::DEFAULT.read_rows {
        held.add_row().expect("room for it");
    }
    let error = Error::WindowTooWide(held.add_row().expect_err("too many"));
    assert_eq!(error.sqlstate(), "54000");
    let words = "more than 5000000 stored rows of one series lie in the windows";
    assert_eq!(error.message(), words);
}

#[pg_extern(sql = false)]
fn test_arrays_arrive_as_they_were_given() {
    Spi::run("SET LOCAL TimeZone = 'UTC'").expect("a setting");
    let id = Uuid::from_u128(7);
    let time = Time::parse("2025-01-01T00:00:00.000001Z").expect("a time");
    let arrays = (
        &[id, id][..],
        &[Some("a,\"b\""), None, Some("")][..],
        &[time][..],
        Some(&[-1, 32767][..]),
        Some(&[&[0, 255][..], &[]][..]),
    );
    assert_eq!(
        ran(ARRAYS.read(arrays))[0].0,
        format!(
            "{{{id},{id}}}|{{\"a,\\\"b\\\"\",NULL,\"\"}}|{{\"2025-01-01 00:00:00.000001+00\"}}|{{-1,32767}}|\
             {{\"\\\\x00ff\",\"\\\\x\"}}"
        )
    );
    assert_eq!(ran(ARRAYS.read((&[], &[], &[], None, None)))[0].0, "{}|{}|{}");
}

/// Short, plain, compressed and toasted: where it stands, a text has the same bytes as its copy.
#[pg_extern(sql = false)]
fn test_a_text_is_whole_however_it_was_stored() {
    Spi::run("CREATE TEMP TABLE in_backend_texts (t text)").expect("a table");
    Spi::run(
        "INSERT INTO in_backend_texts
         SELECT 'short' UNION ALL SELECT repeat('x', 500) UNION ALL SELECT repeat('ab', 5000)
         UNION ALL SELECT string_agg(md5(n::text), '') FROM generate_series(1, 2000) n",
    )
    .expect("rows");
    let mut lengths = Vec::new();
    ran(STORED_TEXT.stream_fresh((), |(text, copy)| {
        assert_eq!(*text, *copy);
        lengths.push(text.len());
        Ok(())
    }));
    assert_eq!(lengths, [5, 500, 10_000, 64_000]);
}

/// Whatever a statement answers that its types do not say is an error, not undefined.
#[pg_extern(sql = false)]
fn test_a_statement_answers_what_its_types_say_or_is_broken() {
    let message = |result: crate::error::Result<usize>| match result {
        Ok(rows) => panic!("{rows} rows"),
        Err(error) => error.message(),
    };
    assert_eq!(
        message(NULL_TEXT.read(()).map(|rows| rows.len())),
        "timedb is broken: statement NULL_TEXT: column 2 is not what it should be"
    );
    for (name, result) in [
        ("OTHER_TYPE", OTHER_TYPE.read(()).map(|rows| rows.len())),
        ("FEWER_COLUMNS", FEWER_COLUMNS.read(()).map(|rows| rows.len())),
        ("NOT_POINTS", NOT_POINTS.stream((), |_| Ok(())).map(|()| 0)),
    ] {
        let expected = format!("timedb is broken: statement {name}: it answers other columns than it says");
        assert_eq!(message(result), expected);
    }
}

/// A kept plan is made anew where its table was altered, and then may answer other types.
#[pg_extern(sql = false)]
fn test_a_statement_whose_table_was_altered_since_is_broken() {
    Spi::run("CREATE TEMP TABLE in_backend_altered AS SELECT 1::int8 AS n").expect("a table");
    assert_eq!(ran(ALTERED.read_fresh(())), [(1,)]);
    Spi::run("ALTER TABLE in_backend_altered ALTER n TYPE text").expect("another type");
    let error = ALTERED.read_fresh(()).expect_err("another type");
    assert_eq!(
        error.message(),
        "timedb is broken: statement ALTERED: it answers other columns than it says"
    );
}

/// A tuple that others are made of, column by column, is the one that Postgres would form of the same values: whatever is
/// null, and however long the texts before a column are.
#[pg_extern(sql = false)]
fn test_a_filled_template_is_the_tuple_that_postgres_forms() {
    const TYPES: [pg_sys::Oid; 6] = [<&str>::OID, Time::OID, <&str>::OID, Uuid::OID, f64::OID, <&str>::OID];
    let store = Tuplestore::of_types(&TYPES);
    let row = |nulls: u32, length: usize, of: i64| -> Vec<NullableDatum> {
        let text = "x".repeat(length);
        let datums = [
            <&str>::bind(&text),
            Time::bind(Time::from_micros(of).expect("a time")),
            <&str>::bind("between"),
            Uuid::bind(Uuid::from_u128(of as u128)),
            f64::bind(of as f64),
            <&str>::bind(&text),
        ];
        let is_null = |place: usize| nulls >> place & 1 != 0;
        let nullable = |(place, datum)| if is_null(place) { None } else { datum };
        datums.into_iter().enumerate().map(nullable).collect()
    };
    for nulls in 0..1 << TYPES.len() {
        for length in [0, 1, 2, 3, 125, 126, 127, 128, 1000] {
            // SAFETY: the datums are of these types.
            let (mut filled, formed) = unsafe {
                (
                    store.template(row(nulls, length, 1)),
                    store.template(row(nulls, length, 77)),
                )
            };
            filled.set(1, 77i64);
            filled.set(3, Uuid::from_u128(77).into_bytes());
            filled.set(4, 77f64);
            assert_eq!(filled.bytes(), formed.bytes(), "{nulls:b} {length}");
        }
    }
}

/// Even within the transaction that revokes it: the check reads what the statement before has written.
#[pg_extern(sql = false)]
fn test_a_key_stands_until_it_is_revoked_or_its_user_deactivated() {
    let (tenant, key_id, user) = (Uuid::from_u128(1), Uuid::from_u128(2), Uuid::from_u128(3));
    let login = Login {
        tenant,
        key_id,
        scope: Scope::Write,
    };
    assert!(standing::of_login(&login).is_none(), "there is no such key yet");
    ran(MAKE_USER.run((tenant, user)));
    ran(MAKE_KEY.run((tenant, key_id, user)));
    let command = || {
        // SAFETY: makes what this transaction has written visible to the next scan.
        unsafe { pg_sys::CommandCounterIncrement() }
    };
    command();
    let identity = standing::of_login(&login).expect("the key stands");
    assert_eq!(
        (identity.tenant, identity.scope, identity.name()),
        (tenant, Scope::Write, "in@backend.test")
    );
    let other_scope = Login {
        scope: Scope::Admin,
        ..login
    };
    assert!(
        standing::of_login(&other_scope).is_none(),
        "a login says more than its key"
    );
    let other_tenant = Login {
        tenant: Uuid::from_u128(9),
        ..login
    };
    assert!(
        standing::of_login(&other_tenant).is_none(),
        "a login says another tenant than its key"
    );
    ran(DEACTIVATE.run((tenant,)));
    command();
    assert!(standing::of_login(&login).is_none(), "its user is deactivated");
    ran(REVOKE.run((tenant,)));
}

#[pg_extern(sql = false)]
fn test_a_refusal_voids_the_logins_before_it_and_not_those_after() {
    let login = Login {
        tenant: Uuid::from_u128(1),
        key_id: Uuid::from_u128(2),
        scope: Scope::Read,
    };
    let is_bound = || matches!(settings::bound(), Bound::Key(bound) if bound == login);
    settings::bind(login, Lasting::Session);
    assert!(is_bound());
    let refused = settings::refuse(Lasting::Session);
    assert!(!is_bound());
    refused.lift();
    assert!(is_bound(), "a refusal that is lifted leaves no trace");
    let _stays = settings::refuse(Lasting::Session);
    assert!(!is_bound());
    settings::bind(login, Lasting::Session);
    assert!(is_bound());
    settings::clear(Lasting::Session);
    assert!(matches!(settings::bound(), Bound::Nobody { others_count: true }));
}

#[pg_extern(sql = false)]
fn test_a_long_vector_is_cut_into_parts_that_hold_all_of_it() {
    let tenant = Uuid::from_u128(4);
    let point = |hour: i64| Point {
        start: Time::from_micros(hour * 3_600_000_000).expect("a time"),
        end: None,
        value: Some(hour as f64),
    };
    let points: Vec<Point> = (0..20_000).map(point).collect();
    let time = Time::from_micros(0).expect("a time");
    let version = Version {
        run: Uuid::from_u128(5),
        known: time,
        change: time,
        remark: Rc::new(Remark::by("in_backend")),
    };
    let series = Uuid::from_u128(6);
    let mut rows = NewRows::default();
    let next = rows.add(&version, series, 0, &points);
    assert_eq!(ran(next), 3);
    ran(rows.insert(tenant));
    let keys = points.iter().map(|point| ((version.run, series), point.key()));
    let current = ran(Wanted::of(keys).current(tenant));
    assert_eq!(current.len(), points.len());
    for (point, current) in points.iter().zip(current) {
        assert_eq!(current.and_then(|current| current.value), point.value);
    }
}

/// Finer than the clock: so the ids of all backends are in its order.
#[pg_extern(sql = false)]
fn test_an_id_tells_the_microsecond_that_was_read_with_it() {
    let readings: Vec<clock::Reading> = (0..1000).map(|_| ran(clock::read(moment::tell(Uuid::nil())))).collect();
    assert!(readings.is_sorted_by(|a, b| a.id < b.id && a.moment <= b.moment));
    // Twelve bits below the millisecond count steps of 245 nanoseconds.
    let micros = |id: Uuid| {
        let bits = id.as_u128();
        (bits >> 80) as i64 * 1000 + ((bits >> 64) & 0xfff) as i64 * 245 / 1000
    };
    for clock::Reading { moment, id } in &readings {
        let late = moment.micros_since_1970() - micros(*id);
        assert!((0..=1).contains(&late), "{id} is {late} µs before {moment}");
    }
}

#[pg_extern(sql = false)]
fn test_an_id_tells_its_moment_unless_the_clock_has_been_set_back_by_a_minute() {
    let reading = ran(clock::read(moment::tell(Uuid::nil())));
    let earlier = |micros: i64| Time::from_micros(reading.moment.micros() - micros).expect("a time");
    assert!(clock::tells(reading.id, reading.moment));
    assert!(clock::tells(reading.id, earlier(clock::AHEAD - 10_000)));
    assert!(!clock::tells(reading.id, earlier(clock::AHEAD + 10_000)));
    assert!(!clock::tells(reading.id, earlier(-10_000)));
}

#[pg_extern(sql = false)]
fn test_ids_of_a_backend_ascend_within_a_microsecond_and_when_the_clock_is_set_back() {
    let now = ran(clock::read(moment::tell(Uuid::nil()))).moment;
    let later = |micros: i64| Time::from_micros(now.micros() + micros).expect("a time");
    let moments = [10_000; 1000]
        .into_iter()
        .chain([10_001, 10_000, 0, -3_600_000_000, 10_002]);
    let ids: Vec<Uuid> = moments.map(|micros| clock::id_at(later(micros))).collect();
    assert!(ids.is_sorted_by(|a, b| a < b));
    assert!(clock::new_id() > ids[ids.len() - 1]);
}

#[pg_extern(sql = false)]
fn test_a_header_is_found_only_in_a_request_and_by_its_lower_case_name() {
    assert!(!http::in_request());
    assert_eq!(http::header("x-api-key"), None);
    Spi::run("SELECT set_config('request.method', 'GET', true)").expect("a setting");
    Spi::run(r#"SELECT set_config('request.headers', '{"x-api-key":"k","n":1}', true)"#).expect("a setting");
    assert!(http::in_request());
    assert_eq!(http::header("x-api-key").as_deref(), Some("k"));
    assert_eq!(http::header("X-API-Key"), None);
    assert_eq!(http::header("n"), None, "a header is a text");
    Spi::run("SELECT set_config('request.headers', 'not json', true)").expect("a setting");
    assert_eq!(http::header("x-api-key"), None);
}

/// Zones with summer times, with half hours, with a day that was left out, and with none of that.
#[pg_extern(sql = false)]
fn test_a_zone_is_what_postgres_makes_of_it() {
    for name in [
        "Europe/Berlin",
        "Australia/Lord_Howe",
        "Asia/Kolkata",
        "Pacific/Apia",
        "UTC",
        "<+0130>-1:30",
    ] {
        let zone = ran(Zone::of(Some(name)));
        Spi::run(&format!("SET LOCAL TimeZone = '{name}'")).expect("a setting");
        // From 1890 to 2050, now and then in the hours around a change.
        let moments =
            (0..4000).map(|step| -3_471_292_800_000_000 + step * 1_262_304_000_000 + step % 7 * 7_200_000_000);
        for moment in moments.filter_map(Time::from_micros) {
            let local = zone.local(moment).expect("within the calendar");
            assert_eq!(ran(SHOWN.read((moment, name))), [(local.0,)], "{name} {moment}");
            let around = Local(local.0 / 1_800_000_000 * 1_800_000_000);
            let at = zone.moment(around).expect("within the calendar");
            assert_eq!(ran(SHOWN_AT.read((around.0, name))), [(at,)], "{name} {moment}");
            let interval = Interval::new(1, 2, 3_600_000_000).expect("an interval");
            let counted = calendar::Interval {
                months: 1,
                days: 2,
                micros: 3_600_000_000,
            };
            let later = plus(&zone, moment, counted, 1).expect("within all time");
            assert_eq!(ran(LATER.read((moment, interval))), [(later,)], "{name} {moment}");
        }
    }
    for edge in [Time::MIN, Time::MAX] {
        let zone = ran(Zone::of(Some("America/New_York")));
        assert!(
            zone.local(edge)
                .is_some_and(|local| zone.moment(local).is_none_or(|back| back == edge))
        );
    }
    for unknown in ["Mars/Olympus", "CEST", "right/UTC", "a\0b", "../../etc/passwd"] {
        let error = Zone::of(Some(unknown)).err().expect("no zone");
        assert_eq!(error.sqlstate(), "22023");
        assert!(
            error.message().starts_with("\"time_zone\" is no time zone"),
            "{}",
            error.message()
        );
    }
    let all = calendar::Interval {
        months: i32::MAX,
        days: i32::MAX,
        micros: i64::MAX,
    };
    assert_eq!(zone::interval("lead", all).expect_err("infinite").sqlstate(), "22008");
}
