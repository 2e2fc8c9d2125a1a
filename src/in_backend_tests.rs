//! Tests that run inside a backend, as a superuser, in a transaction that is rolled back: what neither plain Rust nor a
//! client can see. Only in a library built with the feature `in_backend_tests`; `pgrx-tests/` calls every `test_…` here.
//! A panic is the failure, and its message what the runner shows.

use crate::cell;
use crate::http;
use crate::settings::{self, Bound, Login, Span};
use crate::standing;
use crate::statement::{self, statements};
use crate::stored::{Change, NewRows, Remark};
use pgrx::prelude::*;
use timedb_core::points::Point;
use timedb_core::scope::Scope;
use timedb_core::time::Time;
use uuid::Uuid;

statements! {
    COLUMN_NUMBERS() =
        c"SELECT string_agg(c.relname || '.' || a.attname || '=' || a.attnum, ' ' ORDER BY c.relname, a.attnum)
          FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
          WHERE c.relnamespace = 'timedb'::regnamespace AND a.attnum > 0
            AND (c.relname, a.attname) IN (
              ('api_keys', 'tenant_id'), ('api_keys', 'key_id'), ('api_keys', 'user_id'), ('api_keys', 'key_hash'),
              ('api_keys', 'scope'), ('api_keys', 'expires_at'), ('api_keys', 'revoked_at'), ('users', 'tenant_id'),
              ('users', 'user_id'), ('users', 'email'), ('users', 'is_active'), ('role_bindings', 'role_name'),
              ('role_bindings', 'tenant_id'), ('role_bindings', 'scope'))";
    ARRAYS(UUIDARRAYOID, TEXTARRAYOID, TIMESTAMPTZARRAYOID, INT2ARRAYOID, BYTEAARRAYOID) =
        c"SELECT concat_ws('|', $1::text, $2::text, $3::text, $4::text, $5::text)";
    TEXT_OF_SIZE(INT4OID) = c"SELECT repeat('ab', $1)";
    STORED_TEXT() = c"SELECT t FROM in_backend_texts ORDER BY length(t)";
    MAKE_USER(UUIDOID, UUIDOID) =
        c"INSERT INTO timedb.users (tenant_id, user_id, email) VALUES ($1, $2, 'in@backend.test')";
    MAKE_KEY(UUIDOID, UUIDOID, UUIDOID) =
        c"INSERT INTO timedb.api_keys (tenant_id, key_id, user_id, hint, key_hash, scope)
          VALUES ($1, $2, $3, 'test', sha256('x'), 'write')";
    REVOKE(UUIDOID) = c"UPDATE timedb.api_keys SET revoked_at = clock_timestamp() WHERE tenant_id = $1";
    DEACTIVATE(UUIDOID) = c"UPDATE timedb.users SET is_active = false WHERE tenant_id = $1";
    COUNT_VALUES(UUIDOID) =
        c"SELECT count(*), sum(timedb.count_points(points)), max(part)::int8 FROM timedb.values WHERE tenant_id = $1";
}

fn one_text(
    statement: &'static std::thread::LocalKey<statement::Statement>,
    arguments: &[cell::Cell],
) -> String {
    let rows = statement::write(statement, arguments, |row| Ok(row.text(1)));
    rows.ok()
        .and_then(|rows| rows.into_iter().flatten().next())
        .expect("one text")
}

fn run(statement: &'static std::thread::LocalKey<statement::Statement>, arguments: &[cell::Cell]) {
    assert!(statement::run(statement, arguments).is_ok());
}

/// `standing` reads these columns by number.
#[pg_extern(sql = false)]
fn test_the_columns_that_standing_reads_have_their_numbers() {
    assert_eq!(
        one_text(&COLUMN_NUMBERS, &[]),
        "api_keys.tenant_id=1 api_keys.key_id=2 api_keys.user_id=3 api_keys.key_hash=6 api_keys.scope=7 \
         api_keys.expires_at=9 api_keys.revoked_at=10 role_bindings.role_name=1 role_bindings.tenant_id=2 \
         role_bindings.scope=3 users.tenant_id=1 users.user_id=2 users.email=3 users.is_active=4"
    );
}

#[pg_extern(sql = false)]
fn test_arrays_arrive_as_they_were_given() {
    Spi::run("SET LOCAL TimeZone = 'UTC'").expect("a setting");
    let id = Uuid::from_u128(7);
    let time = Time::parse("2025-01-01T00:00:00.000001Z").expect("a time");
    let arguments = [
        cell::uuids(&[id, id]),
        cell::optional_texts(&[Some("a,\"b\"".into()), None, Some(String::new())]),
        cell::times(&[time]),
        cell::smallints(&[-1, 32767]),
        cell::byte_strings(&[vec![0, 255], Vec::new()]),
    ];
    assert_eq!(
        one_text(&ARRAYS, &arguments),
        format!(
            "{{{id},{id}}}|{{\"a,\\\"b\\\"\",NULL,\"\"}}|{{\"2025-01-01 00:00:00.000001+00\"}}|{{-1,32767}}|\
             {{\"\\\\x00ff\",\"\\\\x\"}}"
        )
    );
    let empty = [
        cell::uuids(&[]),
        cell::texts::<&str>(&[]),
        cell::times(&[]),
        None,
        None,
    ];
    assert_eq!(one_text(&ARRAYS, &empty), "{}|{}|{}");
}

/// Short, plain, compressed and toasted: an image holds the same bytes.
#[pg_extern(sql = false)]
fn test_an_image_is_the_whole_value_however_it_was_stored() {
    Spi::run("CREATE TEMP TABLE in_backend_texts (t text)").expect("a table");
    Spi::run(
        "INSERT INTO in_backend_texts
         SELECT 'short' UNION ALL SELECT repeat('x', 500) UNION ALL SELECT repeat('ab', 5000)
         UNION ALL SELECT string_agg(md5(n::text), '') FROM generate_series(1, 2000) n",
    )
    .expect("rows");
    let lengths = statement::write(&STORED_TEXT, &[], |row| {
        let (text, image) = (
            row.text(1).expect("a text"),
            row.image(1).expect("an image"),
        );
        assert_eq!(image.payload(), text.as_bytes());
        Ok(text.len())
    });
    assert_eq!(lengths.ok(), Some(vec![5, 500, 10_000, 64_000]));
    let rows = statement::read(&TEXT_OF_SIZE, &[3i32.into_datum()], |row| Ok(row.image(1)));
    let image = rows
        .ok()
        .and_then(|rows| rows.into_iter().flatten().next())
        .expect("an image");
    assert_eq!(
        image.payload(),
        b"ababab",
        "an image outlives the statement it came from"
    );
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
    assert!(
        standing::of_login(&login).is_none(),
        "there is no such key yet"
    );
    run(&MAKE_USER, &[cell::uuid(tenant), cell::uuid(user)]);
    run(
        &MAKE_KEY,
        &[cell::uuid(tenant), cell::uuid(key_id), cell::uuid(user)],
    );
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
    run(&DEACTIVATE, &[cell::uuid(tenant)]);
    command();
    assert!(
        standing::of_login(&login).is_none(),
        "its user is deactivated"
    );
    run(&REVOKE, &[cell::uuid(tenant)]);
}

#[pg_extern(sql = false)]
fn test_a_refusal_voids_the_logins_before_it_and_not_those_after() {
    let login = Login {
        tenant: Uuid::from_u128(1),
        key_id: Uuid::from_u128(2),
        scope: Scope::Read,
    };
    let is_bound = || matches!(settings::bound(), Bound::Key(bound) if bound == login);
    settings::bind(login, Span::Session);
    assert!(is_bound());
    let refused = settings::refuse(Span::Session);
    assert!(!is_bound());
    refused.lift();
    assert!(is_bound(), "a refusal that is lifted leaves no trace");
    let _stays = settings::refuse(Span::Session);
    assert!(!is_bound());
    settings::bind(login, Span::Session);
    assert!(is_bound());
    settings::clear(Span::Session);
    assert!(matches!(
        settings::bound(),
        Bound::Nobody { others_count: true }
    ));
}

#[pg_extern(sql = false)]
fn test_a_long_vector_is_cut_into_parts_that_hold_all_of_it() {
    let tenant = Uuid::from_u128(4);
    let writer = standing::Identity {
        tenant,
        scope: Scope::Write,
        via: standing::Via::Role {
            name: "in_backend".into(),
        },
    };
    let point = |hour: i64| Point {
        start: Time::from_micros(hour * 3_600_000_000).expect("a time"),
        end: None,
        value: Some(hour as f64),
    };
    let points: Vec<Point> = (0..20_000).map(point).collect();
    let time = Time::from_micros(0).expect("a time");
    let change = Change {
        run: Uuid::from_u128(5),
        known: time,
        time,
    };
    let mut rows = NewRows::default();
    let next = rows.add(change, Uuid::from_u128(6), 0, &points, &Remark::default());
    assert_eq!(next.ok(), Some(3));
    assert!(rows.insert(&writer).is_ok());
    let counts = statement::write(&COUNT_VALUES, &[cell::uuid(tenant)], |row| {
        Ok((row.micros(1), row.micros(2), row.micros(3)))
    });
    assert_eq!(counts.ok(), Some(vec![(Some(3), Some(20_000), Some(2))]));
}

#[pg_extern(sql = false)]
fn test_a_header_is_found_only_in_a_request_and_by_its_lower_case_name() {
    assert!(!http::in_request());
    assert_eq!(http::header("x-api-key"), None);
    Spi::run("SELECT set_config('request.method', 'GET', true)").expect("a setting");
    Spi::run(r#"SELECT set_config('request.headers', '{"x-api-key":"k","n":1}', true)"#)
        .expect("a setting");
    assert!(http::in_request());
    assert_eq!(http::header("x-api-key").as_deref(), Some("k"));
    assert_eq!(http::header("X-API-Key"), None);
    assert_eq!(http::header("n"), None, "a header is a text");
    Spi::run("SELECT set_config('request.headers', 'not json', true)").expect("a setting");
    assert_eq!(http::header("x-api-key"), None);
}
