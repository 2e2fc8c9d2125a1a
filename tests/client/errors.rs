//! What a refusal looks like: SQLSTATE, message and HINT as a client reads them, and never a DETAIL, which could tell of
//! other tenants or of the machine.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use postgres::Client;
use serde_json::{Value, json};
use timedb_testkit::{
    Cluster, Database, Identity, KEY_NEEDED, KEY_REFUSED, Stage, assert_ordinary, assert_sees_nothing, one, refused,
    run, words,
};
use uuid::Uuid;

use crate::support::{hour, upload, value_row};

const KEY_NEEDED_HINT: &str = "In SQL, call timedb.authenticate(api_key) first.";

const UPLOAD_HAS: &str = "An upload has valid_time, valid_time_end, value, value_key (or series_key), labels, unit, series_id, annotation and tags: select those.";
const UPDATE_HAS: &str = "An update has run_id, series_id or value_key (or series_key) and labels, valid_time, valid_time_end, value, annotation and tags: select those.";
const ISO: &str = "Write ISO 8601, as in 2025-01-01T12:00:00+01:00.";
const BOUNDS: &str = "Times go from 4714 BC to the end of the year 9999.";

/// A call and how it is refused.
struct Case {
    sql: String,
    code: &'static str,
    message: String,
    hint: Option<&'static str>,
}

fn case(sql: impl Into<String>, code: &'static str, message: impl Into<String>) -> Case {
    Case {
        sql: sql.into(),
        code,
        message: message.into(),
        hint: None,
    }
}

impl Case {
    fn hint(self, hint: &'static str) -> Case {
        Case {
            hint: Some(hint),
            ..self
        }
    }

    /// An upload of this one row, refused.
    fn of_row(row: &str, code: &'static str, message: &str) -> Case {
        let sql = format!("SELECT timedb.upload('2025-01-01', '[{row}]')");
        case(sql, code, format!("value_rows[0]{message}"))
    }

    /// An update with these fields, refused.
    fn of_update(fields: &str, code: &'static str, message: &str) -> Case {
        let sql = format!("SELECT timedb.update('[{{{fields}}}]')");
        case(sql, code, format!("updates[0]{message}"))
    }
}

/// Every case is refused as it says; all that differ are told at once.
#[track_caller]
fn assert_refused(client: &mut Client, cases: impl IntoIterator<Item = Case>) {
    let mut wrong = Vec::new();
    for case in cases {
        let got = match client.batch_execute(&case.sql) {
            Ok(()) => "is accepted".to_owned(),
            Err(error) => match error.as_db_error() {
                Some(error) => words(error),
                None => panic!("{}: {error:?}", case.sql),
            },
        };
        let hint = case.hint.map(|hint| format!("\nHINT: {hint}"));
        let expected = format!("{} {}{}", case.code, case.message, hint.unwrap_or_default());
        if got != expected {
            wrong.push(format!("{}\n  {got}\nexpected:\n  {expected}", case.sql));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n\n"));
}

/// Every function that needs somebody, with arguments that could do.
fn calls() -> Vec<String> {
    let id = Uuid::now_v7();
    [
        "upload(now(), '[]')".to_owned(),
        "upload_points(now(), '{}', '{}', '{}')".to_owned(),
        "upload_arrow(now(), '')".to_owned(),
        "update('[]')".to_owned(),
        "compact()".to_owned(),
        "read()".to_owned(),
        "read_arrow()".to_owned(),
        "read_arrow_batches()".to_owned(),
        "create_series('a')".to_owned(),
        "list_series()".to_owned(),
        "settled_time()".to_owned(),
        "read_changes(now())".to_owned(),
        "read_changes_arrow(now())".to_owned(),
        format!("withdraw_run('{id}')"),
        format!("restore_run('{id}')"),
        format!("create_user('{id}', 'carol@tenant-a.com')"),
        "list_users()".to_owned(),
        "deactivate_user(email => 'alice@tenant-a.com')".to_owned(),
        "activate_user(email => 'alice@tenant-a.com')".to_owned(),
        "regenerate_key(email => 'alice@tenant-a.com')".to_owned(),
        "create_key(email => 'alice@tenant-a.com')".to_owned(),
        "list_keys()".to_owned(),
        format!("revoke_key('{id}')"),
    ]
    .map(|call| format!("SELECT * FROM timedb.{call}"))
    .into()
}

#[test]
fn without_a_login_every_function_says_that_a_key_is_required() {
    let stage = Stage::set("without a login");
    let mut app = stage.app();
    assert_ordinary(&mut app);
    let refused = |sql: String| case(sql, "28000", KEY_NEEDED).hint(KEY_NEEDED_HINT);
    assert_refused(&mut app, calls().into_iter().map(refused));
}

/// Whether an argument is good is none of nobody's business.
#[test]
fn without_a_login_the_key_is_what_is_missing_whatever_the_arguments() {
    let database = Database::fresh("without a login and arguments");
    let mut app = database.login("app");
    let calls = [
        "upload(NULL, NULL)",
        "upload_points(NULL, NULL, NULL, NULL)",
        "upload_arrow(NULL, NULL)",
        "update(NULL)",
        "compact('{NULL}', '-1 day')",
        "withdraw_run(NULL)",
        "restore_run(NULL)",
        "read(mode => 'no such mode')",
        "read_arrow(mode => 'no such mode')",
        "read_arrow_batches(max_rows => 0)",
        "create_series(NULL)",
        "create_series('')",
        "create_series('a', labels => '[]')",
        "create_user(NULL, NULL)",
        "deactivate_user()",
        "regenerate_key(grace => '-1 hour')",
        "create_key(scope => 'no such scope')",
        "revoke_key(NULL)",
    ];
    let refused = |call: &str| {
        let sql = format!("SELECT * FROM timedb.{call}");
        case(sql, "28000", KEY_NEEDED).hint(KEY_NEEDED_HINT)
    };
    assert_refused(&mut app, calls.into_iter().map(refused));
}

#[test]
fn without_a_login_tables_and_views_are_empty_and_nobody_is_nobody() {
    let stage = Stage::set("nobody sees nothing");
    let mut client = stage.alice();
    upload(&mut client, &json!([value_row("alice", hour(1), 21)]));
    run(&mut client, "SELECT timedb.compact(older_than => '0')");
    let packed: i64 = one(&mut stage.admin(), "SELECT count(*) FROM timedb.packs");
    assert_eq!(packed, 1, "the premise: there is a pack to see");
    let mut app = stage.app();
    assert_ordinary(&mut app);
    assert_sees_nothing(&mut app);
}

#[test]
fn every_key_that_is_not_valid_is_refused_in_the_same_words() {
    let database = Database::fresh("bad keys");
    let (alice, _) = database.two_tenants();
    let mut admin = database.admin();
    let good = alice.api_key.clone();
    let bad_keys = [
        ("unknown", unknown_key(&mut admin, &alice)),
        ("mistyped", mistyped(&good)),
        ("truncated", good[..good.len() - 1].to_owned()),
        ("padded", format!("{good} ")),
        ("empty", String::new()),
        ("of another kind", "sk_live_0123456789".to_owned()),
        ("huge", "x".repeat(1_000_000)),
        ("revoked", revoked_key(&mut admin, &alice)),
        ("expired", expired_key(&mut admin, &alice)),
        ("of a deactivated user", deactivated_key(&database)),
    ];
    let mut app = database.login("app");
    for (kind, key) in bad_keys {
        let result = app.execute("SELECT timedb.authenticate($1)", &[&key]);
        let error = refused(result).error().clone();
        assert_eq!(words(&error), format!("28000 {KEY_REFUSED}"), "{kind}");
        assert_eq!(error.where_(), None, "{kind}");
    }
    refused(app.execute("SELECT timedb.authenticate(NULL)", &[]))
        .code("28000")
        .message(KEY_REFUSED)
        .no_detail()
        .no_hint();
    // The premise: in all this the good one was good.
    app.execute("SELECT timedb.authenticate($1)", &[&good])
        .expect("the good key still logs in");
}

/// Well-formed, of a real tenant, and stored nowhere: it was made and rolled back.
fn unknown_key(admin: &mut Client, identity: &Identity) -> String {
    let mut transaction = admin.transaction().expect("a transaction");
    let row = transaction
        .query_one(
            "SELECT api_key FROM timedb.create_key(user_id => $1)",
            &[&identity.user_id],
        )
        .expect("a key");
    row.get(0)
}

fn mistyped(key: &str) -> String {
    let last = key.chars().last().expect("a key is not empty");
    let other = if last == 'A' { 'B' } else { 'A' };
    format!("{}{other}", &key[..key.len() - 1])
}

fn revoked_key(admin: &mut Client, identity: &Identity) -> String {
    let sql = "SELECT key_id, api_key FROM timedb.create_key(user_id => $1)";
    let row = admin.query_one(sql, &[&identity.user_id]).expect("a key");
    let revoke = "SELECT timedb.revoke_key($1)";
    admin.execute(revoke, &[&row.get::<_, Uuid>(0)]).expect("it is revoked");
    row.get(1)
}

fn expired_key(admin: &mut Client, identity: &Identity) -> String {
    let sql = "SELECT key_id, api_key FROM timedb.create_key(user_id => $1, expires_at => '2101-01-01')";
    let row = admin.query_one(sql, &[&identity.user_id]).expect("a key");
    let pass = "UPDATE timedb.api_keys SET expires_at = '2001-01-01' WHERE key_id = $1";
    admin
        .execute(pass, &[&row.get::<_, Uuid>(0)])
        .expect("its time is over");
    row.get(1)
}

fn deactivated_key(database: &Database) -> String {
    let carol = database.create_user(Uuid::now_v7(), "carol@tenant-c.com", "write");
    let sql = "SELECT timedb.deactivate_user(user_id => $1)";
    database
        .admin()
        .execute(sql, &[&carol.user_id])
        .expect("she is deactivated");
    carol.api_key
}

#[test]
fn a_key_of_too_low_a_scope_is_refused_with_the_scope_it_needs() {
    let database = Database::fresh("scopes");
    let tenant = Uuid::now_v7();
    let reader = database.create_user(tenant, "reader@tenant-a.com", "read");
    let writer = database.create_user(tenant, "writer@tenant-a.com", "write");
    let needs = |scope: &'static str| {
        move |sql: String| {
            case(sql, "42501", format!("this needs an API key of scope \"{scope}\""))
                .hint("Ask an administrator of your tenant for such a key.")
        }
    };
    let (reads, rest): (Vec<String>, Vec<String>) = calls().into_iter().partition(|call| {
        [".read", "list_series", "settled_time"]
            .iter()
            .any(|verb| call.contains(verb))
    });
    assert_eq!(reads.len(), 7);
    let (writes, manages): (Vec<String>, Vec<String>) = rest.into_iter().partition(|call| {
        ["upload", "update", "series", "compact", "_run("]
            .iter()
            .any(|verb| call.contains(verb))
    });
    assert_eq!((writes.len(), manages.len()), (8, 8));

    let mut client = database.authenticated(&reader);
    assert_refused(&mut client, writes.into_iter().map(needs("write")));
    assert_refused(&mut client, manages.iter().cloned().map(needs("admin")));
    reads.iter().for_each(|sql| run(&mut client, sql));
    let mut client = database.authenticated(&writer);
    assert_refused(&mut client, manages.into_iter().map(needs("admin")));
}

#[test]
fn what_is_absent_and_what_is_another_tenants_are_refused_in_the_same_words() {
    let Stage { database, bob, .. } = Stage::set("absent and foreign");
    let mut admin = database.admin();
    let carol = database.create_user(Uuid::now_v7(), "carol@tenant-c.com", "admin");
    let mut client = database.authenticated(&carol);
    let own = upload(&mut client, &json!([value_row("a", hour(0), 1)]));
    let (own_run, own_series) = (own.run_id, own.series("a"));
    assert_ordinary(&mut client);

    let of_bob = |column: &str, table: &str| {
        format!(
            "SELECT {column} FROM timedb.{table} WHERE tenant_id = '{}'",
            bob.tenant_id
        )
    };
    let foreign_series: Uuid = one(&mut admin, &of_bob("series_id", "series"));
    let foreign_run: Uuid = one(&mut admin, &of_bob("run_id", "runs"));
    let foreign_key: Uuid = one(&mut admin, &of_bob("key_id", "api_keys"));

    let at = r#""valid_time": "2025-01-01""#;
    for series in [foreign_series, Uuid::now_v7()] {
        assert_refused(
            &mut client,
            [
                case(
                    format!(r#"SELECT timedb.upload(now(), '[{{{at}, "series_id": "{series}", "value": 1}}]')"#),
                    "42704",
                    format!("value_rows[0].series_id: series \"{series}\" does not exist"),
                ),
                case(
                    format!(
                        r#"SELECT timedb.update('[{{{at}, "run_id": "{own_run}", "series_id": "{series}", "value": 1}}]')"#
                    ),
                    "42704",
                    format!("updates[0].series_id: series \"{series}\" does not exist"),
                ),
            ],
        );
    }
    for run in [foreign_run, Uuid::now_v7()] {
        assert_refused(
            &mut client,
            [case(
                format!(
                    r#"SELECT timedb.update('[{{{at}, "run_id": "{run}", "series_id": "{own_series}", "value": 1}}]')"#
                ),
                "42704",
                format!("updates[0].run_id: run \"{run}\" does not exist"),
            )],
        );
    }
    for user in [bob.user_id, Uuid::now_v7()] {
        let absent = |call: &str| {
            let sql = format!("SELECT * FROM timedb.{call}(user_id => '{user}')");
            case(sql, "42704", format!("user \"{user}\" does not exist"))
        };
        let calls = ["deactivate_user", "activate_user", "regenerate_key", "create_key"];
        assert_refused(&mut client, calls.into_iter().map(absent));
    }
    for email in [bob.email.as_str(), "nobody@tenant-b.com"] {
        let sql = format!("SELECT timedb.create_key(email => '{email}')");
        let message = format!("user \"{email}\" does not exist");
        assert_refused(&mut client, [case(sql, "42704", message)]);
    }
    for key in [foreign_key, Uuid::now_v7()] {
        let sql = format!("SELECT timedb.revoke_key('{key}')");
        let message = format!("key \"{key}\" does not exist");
        assert_refused(&mut client, [case(sql, "42704", message)]);
    }
    for tenant in [bob.tenant_id, Uuid::now_v7()] {
        let absent = |call: &str| {
            let sql = format!("SELECT * FROM timedb.{call}(tenant_id => '{tenant}')");
            case(sql, "42704", format!("tenant \"{tenant}\" does not exist"))
        };
        assert_refused(&mut client, ["list_users", "list_keys"].map(absent));
        let sql = format!("SELECT timedb.create_user('{tenant}', 'dave@tenant-b.com')");
        let message = "an API key creates users of its own tenant only";
        assert_refused(&mut client, [case(sql, "42501", message)]);
    }
    assert_refused(
        &mut client,
        [case(
            format!(
                r#"SELECT timedb.update('[{{"valid_time": "2031-01-01", "run_id": "{own_run}",
                                           "series_id": "{own_series}", "annotation": "x"}}]')"#
            ),
            "42704",
            "updates[0]: value \"2031-01-01T00:00:00Z\" does not exist",
        )],
    );
    // What was asked of Bob has changed nothing for him.
    database.authenticated(&bob);
}

/// Another tenant's id is 42704 in every management function but `create_user`.
#[test]
fn listing_the_keys_of_a_user_who_is_absent_or_another_tenants_is_refused() {
    let database = Database::fresh("keys of another");
    let (_, bob) = database.two_tenants();
    let carol = database.create_user(Uuid::now_v7(), "carol@tenant-c.com", "admin");
    let mut client = database.authenticated(&carol);
    for user in [bob.user_id, Uuid::now_v7()] {
        let sql = format!("SELECT * FROM timedb.list_keys(user_id => '{user}')");
        let message = format!("user \"{user}\" does not exist");
        assert_refused(&mut client, [case(sql, "42704", message)]);
    }
}

#[test]
fn null_where_a_value_is_needed_names_the_argument() {
    let database = Database::fresh("nulls");
    let alice = database.create_user(Uuid::now_v7(), "alice@tenant-a.com", "admin");
    let mut client = database.authenticated(&alice);
    let arguments = [
        ("upload(NULL, '[]')", "run_start_time"),
        ("upload(now(), NULL)", "value_rows"),
        ("upload_points(NULL, '{}', '{}', '{}')", "run_start_time"),
        ("upload_points(now(), NULL, '{}', '{}')", "series_keys"),
        ("upload_points(now(), '{}', NULL, '{}')", "valid_times"),
        ("upload_points(now(), '{}', '{}', NULL)", "point_values"),
        ("update(NULL)", "updates"),
        ("create_series(NULL)", "name"),
        ("create_user(NULL, 'bob@tenant-a.com')", "tenant_id"),
        ("create_user(timedb.current_tenant(), NULL)", "email"),
        ("revoke_key(NULL)", "key_id"),
        ("make_points(NULL, '{}')", "valid_times"),
        ("make_points('{}', NULL)", "point_values"),
    ];
    let null = |(call, argument): (&str, &str)| {
        let sql = format!("SELECT timedb.{call}");
        case(sql, "22004", format!("\"{argument}\" must not be null"))
    };
    assert_refused(&mut client, arguments.into_iter().map(null));
    let arrays = [
        ("read(series_keys => '{a,NULL}')", "series_keys"),
        ("read(series_ids => '{NULL}')", "series_ids"),
    ];
    let null = |(call, argument): (&str, &str)| {
        let sql = format!("SELECT timedb.{call}");
        case(sql, "22004", format!("\"{argument}\" must not contain null"))
    };
    assert_refused(&mut client, arrays.into_iter().map(null));
    let elements = [
        (
            "upload_points(now(), '{a,NULL}', '{2025-01-01,2025-01-02}', '{1,2}')",
            "series_keys[1]",
        ),
        (
            "upload_points(now(), '{a,a}', '{2025-01-01,NULL}', '{1,2}')",
            "valid_times[1]",
        ),
        ("make_points('{NULL}', '{1}')", "valid_times[0]"),
    ];
    let null = |(call, element): (&str, &str)| {
        let sql = format!("SELECT timedb.{call}");
        case(sql, "22004", format!("{element}: must not be null"))
    };
    assert_refused(&mut client, elements.into_iter().map(null));
    assert_refused(
        &mut client,
        [
            Case::of_row(r#"{"valid_time": null}"#, "22004", ".valid_time: must not be null"),
            Case::of_update(r#""run_id": null"#, "22004", ".run_id: must not be null"),
            Case::of_update(r#""series_id": null"#, "22004", ".series_id: must not be null"),
            Case::of_update(r#""tags": ["a", null]"#, "22004", ".tags[1]: must not be null"),
        ],
    );
}

#[test]
fn a_bad_row_is_named_by_its_number_and_field() {
    let database = Database::fresh("bad rows");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    let at = r#""valid_time": "2025-01-01""#;
    let takes = r#"a number, null, "NaN", "Infinity" or "-Infinity""#;
    let row = |fields: &str, code, message: &str| Case::of_row(&format!("{{{at}, {fields}}}"), code, message);
    assert_refused(
        &mut client,
        [
            Case::of_row("{}", "22023", r#": needs "valid_time""#),
            Case::of_row("17", "22023", ": must be a JSON object"),
            row(r#""value_key": "a""#, "22023", r#": needs "value""#),
            row(r#""value": 1"#, "22023", r#": needs "value_key" or "series_id""#),
            row(r#""value": true"#, "22023", &format!(".value: must be {takes}")),
            row(r#""value": "1""#, "22023", &format!(".value: \"1\" is not {takes}")),
            row(
                r#""value": 1e400"#,
                "22003",
                ".value: is out of range for type double precision",
            ),
            row(
                r#""value": 1, "value_key": """#,
                "22023",
                ".value_key: must not be blank",
            ),
            row(r#""value": 1, "value_key": 7"#, "22023", ".value_key: must be a string"),
            row(
                r#""value": 1, "value_key": "a\u0000""#,
                "22P05",
                r".value_key: contains \u0000",
            ),
            row(
                r#""value": 1, "value_key": "\ud800""#,
                "22P05",
                ".value_key: contains half of a surrogate pair",
            ),
            row(r#""series_id": "17""#, "22P02", ".series_id: \"17\" is not a uuid"),
            row(r#""change_time": "2025-01-01""#, "22023", ".change_time: unknown field").hint(UPLOAD_HAS),
            row(
                r#""value": 1, "value_key": "a", "valid_time_end": "2025-01-01""#,
                "22023",
                r#".valid_time_end: is not after "valid_time""#,
            ),
            Case::of_row(
                r#"{"valid_time": "soon"}"#,
                "22007",
                ".valid_time: \"soon\" is not a timestamp",
            )
            .hint(ISO),
            Case::of_row(
                r#"{"valid_time": "2025-02-30"}"#,
                "22007",
                ".valid_time: \"2025-02-30\" is not a timestamp",
            )
            .hint(ISO),
            Case::of_row(
                r#"{"valid_time": "2025-01-01T00:00:00.0000001Z"}"#,
                "22007",
                ".valid_time: \"2025-01-01T00:00:00.0000001Z\" has digits below a microsecond",
            )
            .hint("timedb keeps microseconds: round to the grid first."),
            Case::of_row(
                r#"{"valid_time": "infinity"}"#,
                "22008",
                ".valid_time: \"infinity\" is infinite",
            )
            .hint(BOUNDS),
            Case::of_row(&format!("{{{at}, {at}}}"), "22023", ".valid_time: repeated field"),
            Case::of_update("", "22023", r#": needs "series_id" or "value_key""#),
            Case::of_update(r#""run_id": "17""#, "22P02", ".run_id: \"17\" is not a uuid"),
            Case::of_update(r#""changed_by": "me""#, "22023", ".changed_by: unknown field").hint(UPDATE_HAS),
            Case::of_update(r#""tags": "a""#, "22023", ".tags: must be an array of strings"),
            case(
                "SELECT timedb.upload(now(), '{}')",
                "22023",
                "value_rows: must be a JSON array of rows",
            ),
            case(
                "SELECT timedb.update('7')",
                "22023",
                "updates: must be a JSON array of rows",
            ),
            case(
                "SELECT timedb.upload(now(), '[{\"valid_time\": \"2025-01-01\", \"value_key\": \"a\", \"value\": 1},
                                              {\"valid_time\": \"2025-01-02\", \"value_key\": \"a\", \"value\": 1},
                                              {\"valid_time\": \"2025-01-01\", \"value_key\": \"a\", \"value\": 2}]')",
                "22023",
                "value_rows[2]: gives the value of value_rows[0] again, of \"a\" at 2025-01-01T00:00:00Z",
            )
            .hint("A time without an offset is UTC: local times need theirs, as an hour of a day of 25 comes twice."),
        ],
    );
}

#[test]
fn a_bad_argument_is_named_and_says_what_it_takes() {
    let database = Database::fresh("bad arguments");
    let alice = database.create_user(Uuid::now_v7(), "alice@tenant-a.com", "admin");
    let mut client = database.authenticated(&alice);
    run(&mut client, "SELECT timedb.create_series('power', 'kW')");
    let long = "k".repeat(501);
    let labels = format!(r#"{{"a": "{}"}}"#, "v".repeat(2000));
    assert_refused(
        &mut client,
        [
            case(
                "SELECT timedb.read(mode => 'latest')",
                "22023",
                "\"mode\" must be \"flat\" or \"overlapping\"",
            ),
            case(
                "SELECT timedb.read(end_known => 'infinity')",
                "22008",
                "\"end_known\" is infinite or out of range",
            )
            .hint("Leave it out: without it the window is open."),
            case(
                "SELECT timedb.read(as_of => '-infinity')",
                "22008",
                "\"as_of\" is infinite or out of range",
            )
            .hint("Leave it out: without it, it is now."),
            case(
                "SELECT timedb.upload('infinity', '[]')",
                "22008",
                "\"run_start_time\" is infinite or out of range",
            )
            .hint(BOUNDS),
            case(
                "SELECT timedb.upload(now(), '[]', known_time => 'infinity')",
                "22008",
                "\"known_time\" is infinite or out of range",
            )
            .hint("Leave it out: without it, it is now."),
            case(
                "SELECT timedb.upload(now(), '[]', run_params => '[1]')",
                "22023",
                "\"run_params\" must be a JSON object",
            ),
            case(
                "SELECT timedb.upload(now(), '[]', series_descriptions => '{\"a\": 1}')",
                "22023",
                "\"series_descriptions\" must be a JSON object of texts by series key",
            ),
            case(
                "SELECT timedb.upload(now(), '[]', series_descriptions => '{\"a\": \"what\"}')",
                "22023",
                "\"series_descriptions\" describes \"a\", which is no series of this upload",
            ),
            case(
                "SELECT timedb.upload_points(now(), '{a}', '{}', '{1}')",
                "22023",
                "\"valid_times\" has 0 elements, but \"series_keys\" has 1",
            ),
            case(
                "SELECT timedb.upload_points(now(), '{a}', '{2025-01-01}', '{1}', '{}')",
                "22023",
                "\"valid_time_ends\" has 0 elements, but \"series_keys\" has 1",
            ),
            case(
                "SELECT timedb.upload_points(now(), '{a}', '{infinity}', '{1}')",
                "22008",
                "valid_times[0]: is infinite or out of range",
            )
            .hint(BOUNDS),
            case(
                "SELECT timedb.upload_points(now(), '{a,a}', '{2025-01-01,2025-01-01}', '{1,2}')",
                "22023",
                "valid_times[1]: gives the value of valid_times[0] again, of \"a\" at 2025-01-01T00:00:00Z",
            )
            .hint(
                "A time without an offset is one of the session's TimeZone: on a day of 25 hours an hour of it comes twice.",
            ),
            case(
                "SELECT timedb.upload_points(now(), '{a}', '{2025-01-02}', '{1}', '{2025-01-01}')",
                "22023",
                "valid_time_ends[0]: is not after \"valid_time\"",
            ),
            case(
                "SELECT timedb.create_series('power', 'MW')",
                "22023",
                "\"unit\" is \"MW\", but series \"power\" has \"kW\"",
            )
            .hint("A unit stays once it is set; name another series for values in another unit."),
            case("SELECT timedb.create_series(' ')", "22023", "\"name\" is blank"),
            case(
                "SELECT timedb.create_series('a', labels => '[]')",
                "22023",
                "\"labels\" must be a JSON object",
            ),
            case(
                format!("SELECT timedb.create_series('{long}')"),
                "54000",
                "\"name\" is longer than 500 bytes",
            ),
            case(
                format!("SELECT timedb.create_series('a', labels => '{labels}')"),
                "54000",
                "\"labels\" is larger than 2000 bytes",
            ),
            case(
                "SELECT timedb.create_user(timedb.current_tenant(), 'nobody')",
                "22023",
                "\"email\" is not an email address",
            ),
            case(
                "SELECT timedb.create_user(timedb.current_tenant(), 'bob@tenant-a.com', 'root')",
                "22023",
                "\"scope\" must be \"read\", \"write\" or \"admin\"",
            ),
            case(
                "SELECT timedb.deactivate_user()",
                "22023",
                "\"email\" or \"user_id\" is needed to name a user",
            )
            .hint("Pass email => '…' or user_id => '…'."),
            case(
                "SELECT timedb.regenerate_key(email => 'alice@tenant-a.com', grace => '-1 hour')",
                "22023",
                "\"grace\" is negative",
            ),
            case(
                "SELECT timedb.create_key(email => 'alice@tenant-a.com', expires_at => 'infinity')",
                "22008",
                "\"expires_at\" is infinite or out of range",
            )
            .hint("Leave it out for a key without an end."),
            case(
                "SELECT timedb.regenerate_key(email => 'alice@tenant-a.com', expires_at => 'infinity')",
                "22008",
                "\"expires_at\" is infinite or out of range",
            )
            .hint("Leave it out for as long as the old key had; create_key makes one without an end."),
            case(
                "SELECT timedb.make_points('{2025-01-01}', '{}')",
                "22023",
                "\"point_values\" has 0 elements, but \"valid_times\" has 1",
            ),
            case(
                "SELECT timedb.create_user(timedb.current_tenant(), 'ALICE@tenant-a.com')",
                "23505",
                "the tenant has a user \"alice@tenant-a.com\" already",
            )
            .hint(
                "timedb.create_key() makes a further key for that user; \
                 timedb.list_users(include_inactive => true) shows who is deactivated.",
            ),
        ],
    );
}

/// jsonb takes what serde_json's tree of values does not: that is still a user's mistake, and not a broken invariant.
#[test]
fn json_that_is_too_deep_or_too_large_a_number_is_a_bad_argument() {
    let database = Database::fresh("odd json");
    let (alice, _) = database.two_tenants();
    let mut client = database.authenticated(&alice);
    let deep = format!("{}{}", "[".repeat(1000), "]".repeat(1000));
    for odd in [&deep, "1e400"] {
        let sql = format!("SELECT timedb.upload(now(), '[]', series_descriptions => '{{\"a\": {odd}}}')");
        refused(client.batch_execute(&sql))
            .code("22023")
            .message_contains("\"series_descriptions\" ")
            .no_detail();
    }
    let sql = format!("SELECT timedb.upload(now(), '[]', run_params => '{{\"a\": {deep}}}')");
    run(&mut client, &sql);
}

#[test]
fn an_email_of_several_tenants_asks_an_operator_for_the_tenant() {
    let database = Database::fresh("one email twice");
    for tenant in [Uuid::now_v7(), Uuid::now_v7()] {
        database.create_user(tenant, "alice@example.com", "write");
    }
    let mut operator = database.login("ops");
    assert_ordinary(&mut operator);
    let ambiguous = |call: &str| {
        let sql = format!("SELECT * FROM timedb.{call}(email => 'alice@example.com')");
        case(sql, "22023", "\"email\" is that of users of several tenants").hint("Pass tenant_id as well.")
    };
    let calls = ["deactivate_user", "activate_user", "regenerate_key", "create_key"];
    assert_refused(&mut operator, calls.into_iter().map(ambiguous));
}

/// As where a tenant was brought in under another id beside itself, by a superuser's hand.
#[test]
fn a_user_id_of_several_tenants_is_told_as_that_and_not_as_an_email() {
    let database = Database::fresh("one user id twice");
    let alice = database.create_user(Uuid::now_v7(), "alice@example.com", "write");
    let copied = "INSERT INTO timedb.users (tenant_id, user_id, email)
                  SELECT gen_random_uuid(), user_id, email FROM timedb.users";
    run(&mut database.admin(), copied);
    let mut operator = database.login("ops");
    assert_ordinary(&mut operator);
    let calls = ["deactivate_user", "activate_user", "regenerate_key", "create_key"];
    for (named, argument) in [
        (format!("user_id => '{}'", alice.user_id), "user_id"),
        (
            format!("email => 'alice@example.com', user_id => '{}'", alice.user_id),
            "email",
        ),
    ] {
        let ambiguous = |call: &str| {
            let sql = format!("SELECT * FROM timedb.{call}({named})");
            let message = format!("\"{argument}\" is that of users of several tenants");
            case(sql, "22023", message).hint("Pass tenant_id as well.")
        };
        assert_refused(&mut operator, calls.into_iter().map(ambiguous));
    }
}

#[test]
fn a_user_without_an_active_key_has_none_to_regenerate() {
    let database = Database::fresh("no active key");
    let (alice, _) = database.two_tenants();
    let mut operator = database.login("ops");
    run(
        &mut operator,
        "SELECT timedb.revoke_key(key_id) FROM timedb.list_keys() WHERE email = 'alice@tenant-a.com'",
    );
    let message = format!("user \"{}\" has no active key", alice.user_id);
    let sql = "SELECT timedb.regenerate_key(email => 'alice@tenant-a.com')";
    assert_refused(
        &mut operator,
        [case(sql, "42704", message).hint("Make one with timedb.create_key().")],
    );
}

#[test]
fn a_role_without_grants_is_refused_by_postgres_itself() {
    let database = Database::fresh("no grants");
    let mut evil = database.login("evil");
    assert_ordinary(&mut evil);
    for sql in calls() {
        refused(evil.batch_execute(&sql)).code("42501").no_detail();
    }
    let mut app = database.login("app");
    for sql in [
        "TABLE timedb.users",
        "TABLE timedb.api_keys",
        "TABLE timedb.role_bindings",
        "SELECT timedb.self_check()",
        "SELECT timedb._create_user_operator(gen_random_uuid(), 'a@b.c', 'admin')",
        "DELETE FROM timedb.values",
        "UPDATE timedb.values SET annotation = 'x'",
        "TRUNCATE timedb.values",
    ] {
        refused(app.batch_execute(sql)).code("42501").no_detail();
    }
}

#[test]
fn within_an_http_request_a_missing_or_bad_key_is_the_status_401() {
    let database = Database::fresh("http statuses");
    let mut app = database.login("app");
    let mut said = |sql: &str| {
        let begin = "BEGIN; SELECT set_config('request.method', 'GET', true)";
        run(&mut app, begin);
        let refusal = refused(app.batch_execute(sql)).code("PGRST");
        run(&mut app, "ROLLBACK");
        let error = refusal.error();
        let json = |text: &str| -> Value { serde_json::from_str(text).expect("JSON") };
        let detail = json(error.detail().expect("a detail"));
        assert_eq!(
            detail,
            json!({"status": 401, "headers": {"WWW-Authenticate": "ApiKey"}})
        );
        json(error.message())["message"].as_str().map(str::to_owned)
    };
    assert_eq!(said("SELECT timedb.read()").as_deref(), Some(KEY_NEEDED));
    let bad_key = "SELECT timedb.authenticate('tdb_bad')";
    assert_eq!(said(bad_key).as_deref(), Some(KEY_REFUSED));
}

/// A backtrace holds paths of the machine that built the library, and reaches clients as a DETAIL.
#[test]
fn an_error_carries_no_backtrace_even_where_the_server_was_started_with_one() {
    let cluster = Cluster::start_default().expect("a server of our own");
    start_with_backtraces(&cluster);
    let database = cluster.database("backtraces").expect("a database");
    let alice = database.create_user(Uuid::now_v7(), "alice@tenant-a.com", "admin");
    let mut client = database.authenticated(&alice);
    let mistakes = [
        "SELECT timedb.upload(now(), '[{}]')",
        "SELECT 'x'::timedb.points",
        "SELECT timedb.update('{}')",
        "SELECT timedb.create_series('')",
        // Raised by Postgres below, and passed on through Rust.
        "SELECT timedb.create_user(timedb.current_tenant(), 'alice@tenant-a.com')",
        "SELECT timedb.authenticate('tdb_bad')",
        "SELECT timedb.read()",
    ];
    for sql in mistakes {
        let error = refused(client.batch_execute(sql)).no_detail().error().clone();
        let all = format!("{error:?}");
        for trace in ["backtrace", ".cargo", "rustc", env!("CARGO_MANIFEST_DIR")] {
            assert!(!all.contains(trace), "{sql}: {all}");
        }
    }
}

/// The harness takes RUST_BACKTRACE away from its servers: this is what somebody else's would do.
fn start_with_backtraces(cluster: &Cluster) {
    cluster.stop("fast").expect("the server stops");
    let data = cluster.data();
    let owner = fs::metadata(&data).expect("the data folder");
    let mut start = Command::new(cluster.folder().join("bin/pg_ctl"));
    start
        .args(["start", "--wait", "--silent", "--log"])
        .arg(cluster.log_path())
        .arg("--pgdata")
        .arg(&data)
        .env("RUST_BACKTRACE", "1")
        .current_dir("/");
    if Some(owner.uid()) != fs::metadata("/proc/self").ok().map(|own| own.uid()) {
        start.uid(owner.uid()).gid(owner.gid());
    }
    assert!(start.status().expect("pg_ctl runs").success());
}
