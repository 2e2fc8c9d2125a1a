//! Keys: guessing one, telling one wrong key from another, finding one in a table or a dump, and doing without.

use postgres::Client;
use timedb_testkit::{
    Database, KEY_NEEDED, KEY_REFUSED, Stage, assert_nobody, login, one, one_of, refused, run, server_log,
};
use uuid::Uuid;

use crate::support::{each_refused, new_key, secret};

#[test]
fn t31_no_table_and_no_dump_holds_a_key() {
    let stage = Stage::set("t31");
    let mut admin = stage.admin();
    let found = "SELECT count(*) FROM timedb.api_keys k WHERE position($1 in k::text) > 0 \
                   OR position(encode($1::text::bytea, 'hex') in k::text) > 0";
    for identity in [&stage.alice, &stage.bob] {
        assert_eq!(one_of::<i64>(&mut admin, found, &[&secret(&identity.api_key)]), 0);
        let hashed = "SELECT count(*) FROM timedb.api_keys WHERE key_hash = sha256(convert_to($1, 'UTF8'))";
        assert_eq!(
            one_of::<i64>(&mut admin, hashed, &[&identity.api_key]),
            1,
            "the premise: its hash is there"
        );
    }
    let server = stage.database.server();
    let dump = server
        .command("pg_dump", "postgres", stage.database.name())
        .output()
        .expect("pg_dump");
    let dump = String::from_utf8(dump.stdout).expect("text");
    assert!(
        dump.contains(&stage.bob.user_id.to_string()),
        "the premise: the keys' rows are in it"
    );
    assert!(!dump.contains(secret(&stage.alice.api_key)) && !dump.contains(secret(&stage.bob.api_key)));
}

#[test]
fn t31_nobody_who_lists_keys_sees_a_key_or_a_hash() {
    let stage = Stage::set("t31 lists");
    let admin = stage.alice_of_scope("admin");
    for mut client in [stage.database.authenticated(&admin), stage.ops()] {
        let keys = client.query("SELECT * FROM timedb.list_keys()", &[]).expect("the keys");
        let columns: Vec<&str> = keys[0].columns().iter().map(|column| column.name()).collect();
        let shown = [
            "key_id",
            "user_id",
            "email",
            "name",
            "hint",
            "scope",
            "created_at",
            "expires_at",
            "revoked_at",
        ];
        assert_eq!(columns, shown);
        let text: String = one(&mut client, "SELECT string_agg(k::text, ' ') FROM timedb.list_keys() k");
        assert!(!text.contains(secret(&stage.alice.api_key)) && !text.contains("\\x"));
        each_refused(&mut client, "42501", ["SELECT key_hash FROM timedb.api_keys"]);
    }
    // Not even the roles behind the functions read a hash, but the one whose key is being presented.
    for role in ["timedb_api", "timedb_operator"] {
        let mut client = stage.admin();
        run(&mut client, &format!("SET ROLE {role}"));
        each_refused(
            &mut client,
            "42501",
            ["SELECT key_hash FROM timedb.api_keys", "TABLE timedb.api_keys"],
        );
    }
    let mut client = stage.admin();
    login(&mut client, &stage.alice, false);
    run(&mut client, "SET ROLE timedb_auth");
    assert_eq!(
        one::<i64>(&mut client, "SELECT count(key_hash) FROM timedb.api_keys"),
        0
    );
}

/// The server's whole answer, but for where in its source it was made.
fn answer(client: &mut Client, key: Option<&str>) -> String {
    let refusal = refused(client.execute("SELECT timedb.authenticate($1)", &[&key]));
    let error = refusal.error();
    format!(
        "{} {} {} {:?} {:?} {:?} {:?}:{:?}",
        error.severity(),
        error.code().code(),
        error.message(),
        error.detail(),
        error.hint(),
        error.where_(),
        error.file(),
        error.line()
    )
}

#[test]
fn t35_every_wrong_key_is_refused_in_the_same_words() {
    let stage = Stage::set("t35");
    let unknown = new_key(stage.alice.tenant_id);
    let mut mistyped = stage.alice.api_key.clone();
    mistyped.replace_range(20..21, if &mistyped[20..21] == "A" { "B" } else { "A" });
    let [expired, revoked, disabled] = ["read", "write", "admin"].map(|scope| stage.alice_of_scope(scope));
    let mut admin = stage.admin();
    for (sql, user) in [
        (
            "UPDATE timedb.api_keys SET expires_at = now() - interval '1 day' WHERE user_id = $1",
            expired.user_id,
        ),
        (
            "SELECT timedb.revoke_key(key_id) FROM timedb.list_keys(user_id => $1)",
            revoked.user_id,
        ),
        ("SELECT timedb.deactivate_user(user_id => $1)", disabled.user_id),
    ] {
        admin.execute(sql, &[&user]).expect("the key ends");
    }
    let mut app = stage.app();
    let malformed = answer(&mut app, Some("x"));
    assert!(
        malformed.starts_with(&format!("ERROR 28000 {KEY_REFUSED} None None")),
        "{malformed}"
    );
    for key in [
        &unknown,
        &mistyped,
        &expired.api_key,
        &revoked.api_key,
        &disabled.api_key,
        "",
    ] {
        assert_eq!(answer(&mut app, Some(key)), malformed);
    }
    assert_eq!(answer(&mut app, None), malformed);
}

/// How often this transaction has looked into the table of keys.
fn lookups(client: &mut Client) -> i64 {
    one(
        client,
        "SELECT seq_scan + coalesce(idx_scan, 0) FROM pg_stat_xact_user_tables WHERE schemaname = 'timedb' AND relname = 'api_keys'",
    )
}

#[track_caller]
fn try_key(client: &mut Client, key: &str) {
    run(client, "SAVEPOINT s");
    refused(client.execute("SELECT timedb.authenticate($1)", &[&key]))
        .code("28000")
        .message(KEY_REFUSED);
    run(client, "ROLLBACK TO s");
}

#[test]
fn t36_a_malformed_key_is_refused_without_a_lookup() {
    let stage = Stage::set("t36");
    let mut app = stage.app();
    run(&mut app, "BEGIN");
    let key = &stage.bob.api_key;
    for malformed in [
        "x".repeat(1_000_000),
        "tdb_".into(),
        format!("{key}A"),
        key[..51].into(),
        key.to_uppercase(),
        key.replace("tdb_", "sk__"),
        "tdb_' OR true --".into(),
    ] {
        try_key(&mut app, &malformed);
        assert_eq!(lookups(&mut app), 0);
    }
    try_key(&mut app, &new_key(stage.bob.tenant_id));
    assert!(lookups(&mut app) > 0, "the premise: a well-formed key is looked up");
    assert!(!one::<bool>(
        &mut app,
        "SELECT pg_current_xact_id_if_assigned() IS NOT NULL"
    ));
}

/// A key as the original service made them, which a superuser has brought along for a user: its hash is all that is stored.
fn imported_key(stage: &Stage, user: Uuid) -> String {
    let bytes: [u8; 32] = timedb_core::key::hash(&new_key(user));
    let key = base64url(&bytes);
    let sql = "INSERT INTO timedb.api_keys (tenant_id, key_id, user_id, hint, key_hash, scope)
               SELECT tenant_id, gen_random_uuid(), user_id, right($2, 4), sha256(convert_to($2, 'UTF8')), 'write'
               FROM timedb.users WHERE user_id = $1";
    assert_eq!(stage.admin().execute(sql, &[&user, &key]).expect("a key"), 1);
    key
}

fn base64url(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

#[test]
fn t36_43_characters_are_looked_up_once_and_open_nothing_but_a_key_that_was_imported() {
    let stage = Stage::set("t36 imported");
    let stored: Vec<u8> = one_of(
        &mut stage.admin(),
        "SELECT key_hash FROM timedb.api_keys WHERE user_id = $1",
        &[&stage.bob.user_id],
    );
    let key = &stage.bob.api_key;
    let mut app = stage.app();
    let malformed = answer(&mut app, Some("x"));
    // What a dump tells of a key, in the form of one; a key's own beginning and end; and any other.
    let attempts = [
        base64url(&stored),
        key[4..47].into(),
        key[9..].into(),
        base64url(&[7; 32]),
    ];
    run(&mut app, "BEGIN");
    for attempt in &attempts {
        let before = lookups(&mut app);
        try_key(&mut app, attempt);
        assert!(lookups(&mut app) <= before + 1, "{attempt}");
    }
    let before = lookups(&mut app);
    try_key(&mut app, &new_key(stage.bob.tenant_id));
    let of_ours = lookups(&mut app) - before;
    try_key(&mut app, &base64url(&[8; 32]));
    assert_eq!(
        lookups(&mut app) - before - of_ours,
        of_ours,
        "as often as for one of ours"
    );
    let before = lookups(&mut app);
    for truncated in [&key[..43], &format!("{}=", &base64url(&[7; 32])), &base64url(&[7; 31])] {
        try_key(&mut app, truncated);
    }
    assert_eq!(lookups(&mut app), before);
    run(&mut app, "ROLLBACK");
    for attempt in &attempts {
        assert_eq!(answer(&mut app, Some(attempt)), malformed);
    }
    let imported = imported_key(&stage, stage.bob.user_id);
    let tenant = "SELECT tenant_id FROM timedb.authenticate($1)";
    assert_eq!(one_of::<Uuid>(&mut app, tenant, &[&imported]), stage.bob.tenant_id);
    assert_eq!(
        answer(&mut app, Some(&base64url(&timedb_core::key::hash(&imported)))),
        malformed
    );
    assert_nobody(&mut app);
}

#[test]
fn t35_an_imported_key_ends_like_any_other_and_is_replaced_by_one_of_ours() {
    let stage = Stage::set("t35 imported");
    let mut app = stage.app();
    let malformed = answer(&mut app, Some("x"));
    let imported = [(); 3].map(|()| imported_key(&stage, stage.bob.user_id));
    let mut admin = stage.admin();
    let of = |admin: &mut Client, key: &str| -> Uuid {
        let sql = "SELECT key_id FROM timedb.api_keys WHERE key_hash = sha256(convert_to($1, 'UTF8'))";
        one_of(admin, sql, &[&key])
    };
    for key in &imported {
        app.execute("SELECT timedb.authenticate($1)", &[key]).expect("it opens");
    }
    let replaced = of(&mut admin, &imported[0]);
    let new: String = one_of(
        &mut admin,
        "SELECT timedb.regenerate_key(user_id => $1, key_id => $2)",
        &[&stage.bob.user_id, &replaced],
    );
    assert!(timedb_core::key::is_well_formed(&new), "one of ours");
    let revoked = of(&mut admin, &imported[1]);
    admin
        .execute("SELECT timedb.revoke_key($1)", &[&revoked])
        .expect("it ends");
    assert_eq!(answer(&mut app, Some(&imported[0])), malformed);
    assert_eq!(answer(&mut app, Some(&imported[1])), malformed);
    app.execute("SELECT timedb.authenticate($1)", &[&imported[2]])
        .expect("it opens");
    admin
        .execute("SELECT timedb.deactivate_user(user_id => $1)", &[&stage.bob.user_id])
        .expect("its user ends");
    assert_eq!(answer(&mut app, Some(&imported[2])), malformed);
    assert_eq!(answer(&mut app, Some(&new)), malformed);
}

#[test]
fn t32_an_imported_key_is_in_no_log_and_no_table() {
    let stage = Stage::set("t32 imported");
    let key = imported_key(&stage, stage.bob.user_id);
    let (wrong, unknown) = (base64url(&[9; 32]), base64url(&timedb_core::key::hash(&key)));
    let mut app = stage.app();
    app.execute("SELECT timedb.authenticate($1)", &[&key])
        .expect("it opens");
    for key in [&wrong, &unknown] {
        refused(app.batch_execute(&format!("SELECT timedb.authenticate('{key}')"))).code("28000");
        refused(app.execute("SELECT timedb.authenticate($1)", &[key])).code("28000");
    }
    let mut other = stage.app();
    other
        .execute("SELECT set_config('timedb.api_key', $1, false)", &[&key])
        .expect("it is set");
    let tenant: Uuid = one(&mut other, "SELECT tenant_id FROM timedb.whoami()");
    let shown: String = one(&mut other, "SHOW timedb.api_key");
    assert_eq!((shown.as_str(), tenant), ("********", stage.bob.tenant_id));
    let log = server_log();
    let lines = stage.database.lines_of("app", &log);
    assert!(
        lines.iter().any(|line| line.contains("timedb: login failed")),
        "{lines:?}"
    );
    assert!([&key, &wrong, &unknown].iter().all(|key| !log.contains(key.as_str())));
    let found = "SELECT count(*) FROM timedb.api_keys k WHERE position($1 in k::text) > 0 \
                   OR position(encode($1::text::bytea, 'hex') in k::text) > 0";
    assert_eq!(one_of::<i64>(&mut stage.admin(), found, &[&key]), 0);
}

/// Half of them with the victim's own route: as near as one can get without the secret.
#[test]
fn t37_ten_thousand_random_keys_open_nothing_however_near_they_are() {
    let stage = Stage::set("t37");
    let mut app = stage.app();
    run(
        &mut app,
        "CREATE FUNCTION pg_temp.opened(keys text[]) RETURNS int LANGUAGE plpgsql AS $$
         DECLARE k text; opened int := 0;
         BEGIN
           FOREACH k IN ARRAY keys LOOP
             BEGIN
               PERFORM timedb.authenticate(k);
               opened := opened + 1;
             EXCEPTION WHEN invalid_authorization_specification THEN NULL;
             END;
           END LOOP;
           RETURN opened;
         END $$",
    );
    let key = |i: usize| {
        new_key(if i.is_multiple_of(2) {
            stage.bob.tenant_id
        } else {
            Uuid::now_v7()
        })
    };
    let mut keys: Vec<String> = (0..10_000).map(key).collect();
    assert_eq!(keys[0][..6], stage.bob.api_key[..6], "the premise: the victim's route");
    let opened = "SELECT pg_temp.opened($1)";
    assert_eq!(one_of::<i32>(&mut app, opened, &[&keys]), 0);
    assert_nobody(&mut app);
    keys.push(stage.bob.api_key.clone());
    assert_eq!(
        one_of::<i32>(&mut app, opened, &[&keys]),
        1,
        "the premise: a right one would have been told"
    );
}

#[test]
fn t38_without_users_and_keys_everything_is_denied() {
    let database = Database::fresh("t38");
    let mut app = database.login("app");
    assert_nobody(&mut app);
    for call in [
        "upload(now(), '[{\"valid_time\": \"2025-01-01\", \"value_key\": \"a\", \"value\": 1}]')",
        "create_series('a')",
    ] {
        refused(app.batch_execute(&format!("SELECT timedb.{call}")))
            .code("28000")
            .message(KEY_NEEDED);
    }
    refused(app.execute("SELECT timedb.authenticate($1)", &[&new_key(Uuid::now_v7())])).code("28000");
    assert_nobody(&mut app);
    assert_eq!(one::<i64>(&mut database.admin(), "SELECT count(*) FROM timedb.runs"), 0);
}

#[test]
fn t38_no_user_setting_turns_authentication_off() {
    let stage = Stage::set("t38 settings");
    let mut app = stage.app();
    assert_nobody(&mut app);
    let settings: Vec<String> = one(
        &mut stage.admin(),
        "SELECT coalesce(array_agg(name), '{}') FROM pg_settings WHERE name LIKE 'timedb.%'",
    );
    assert_eq!(settings, Vec::<String>::new(), "none is shown");
    each_refused(&mut app, "42602", ["SET timedb.auth = off", "SET timedb.enabled = off"]);
}
