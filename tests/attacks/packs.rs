//! Packs, what makes them, and Arrow streams: rows that lie in another table and another form are as far from everybody else
//! as they were, and nobody can use compact to change or lose what has been written.

use postgres::Client;
use serde_json::json;
use timedb_testkit::{Stage, backend_pid, login, one, one_of, refused, run, told, wait_until_blocked};
use uuid::Uuid;

use crate::streams;
use crate::support::{each_refused, rows_of, try_upload, update_of};

/// Everything that has ever been written, as one text: by a read, and by the view of what is stored.
const HISTORY: &str = "SELECT (SELECT string_agg(r::text, ' ' ORDER BY r::text COLLATE \"C\") \
                         FROM timedb.read(mode => 'overlapping', all_versions => true) r) \
                       || (SELECT string_agg(concat_ws(' ', series_id, run_id, known_time, change_time, changed_by, annotation, \
                             tags, points), ' ' ORDER BY run_id, change_time, points::text COLLATE \"C\") FROM timedb.versions)";

/// Both tenants have runs more of their series, all of them in packs.
#[track_caller]
fn packed_stage(name: &str) -> Stage {
    let stage = Stage::set(name);
    for (mut client, stored) in [(stage.alice(), stage.alices), (stage.bob(), stage.bobs)] {
        for _ in 0..3 {
            try_upload(&mut client, &rows_of(stored.series_id)).expect("another run");
        }
        run(&mut client, "SELECT FROM timedb.compact(older_than => '0')");
    }
    let victims: i64 = one_of(
        &mut stage.admin(),
        "SELECT count(*) FROM timedb.packs WHERE tenant_id = $1",
        &[&stage.bob.tenant_id],
    );
    assert_eq!(victims, 1, "the premise: the victim's pack is there");
    stage
}

/// How a statement was refused, or that it was not.
fn outcome(client: &mut Client, sql: &str, id: Uuid) -> String {
    let outcome = match client.batch_execute(sql) {
        Ok(()) => "done".to_owned(),
        Err(error) => format!("{:?}", told(&error)),
    };
    outcome.replace(&id.to_string(), "…")
}

#[test]
fn t16_no_tenant_writes_a_pack_or_takes_away_a_version_directly() {
    let stage = packed_stage("t16 packs");
    let (a, b) = (stage.alice.tenant_id, stage.bob.tenant_id);
    let mut alice = stage.alice();
    let before: String = one(
        &mut stage.admin(),
        "SELECT md5(string_agg(p::text, '')) FROM timedb.packs p",
    );
    each_refused(
        &mut alice,
        "42501",
        [
            "INSERT INTO timedb.packs SELECT * FROM timedb.packs".to_owned(),
            format!("INSERT INTO timedb.packs (tenant_id) VALUES ('{b}') ON CONFLICT DO NOTHING"),
            format!("UPDATE timedb.packs SET tenant_id = '{b}'"),
            "UPDATE timedb.packs SET versions = '[]'".into(),
            format!("DELETE FROM timedb.packs WHERE tenant_id = '{a}'"),
            format!("DELETE FROM timedb.packs WHERE tenant_id = '{b}'"),
            "DELETE FROM timedb.values".into(),
            format!(
                "MERGE INTO timedb.packs p USING (SELECT '{b}'::uuid AS t) n ON p.tenant_id = n.t WHEN MATCHED THEN DELETE"
            ),
            "TRUNCATE timedb.packs".into(),
            "COPY timedb.packs FROM STDIN".into(),
            "SELECT * FROM timedb.packs FOR UPDATE".into(),
            "WITH d AS (DELETE FROM timedb.packs RETURNING *) SELECT count(*) FROM d".into(),
            "DROP TABLE timedb.packs".into(),
            "ALTER TABLE timedb.packs NO FORCE ROW LEVEL SECURITY".into(),
            "SELECT timedb._pack_of_bytes('')".into(),
            r"SELECT timedb._pack_of_bytes('\x01')".into(),
            "SET ROLE timedb_compactor".into(),
            "SET SESSION AUTHORIZATION timedb_compactor".into(),
            "ALTER FUNCTION timedb.compact(uuid[], interval) OWNER TO app".into(),
        ],
    );
    each_refused(&mut alice, "55000", ["DELETE FROM timedb.versions"]);
    // Bytes become a pack by no other way than by its text.
    each_refused(
        &mut alice,
        "42846",
        [
            r"SELECT '\x01'::bytea::timedb.pack",
            r"SELECT '\x01'::bytea::timedb.points",
        ],
    );
    each_refused(
        &mut alice,
        "42501",
        ["CREATE CAST (bytea AS timedb.pack) WITHOUT FUNCTION"],
    );
    let after: String = one(
        &mut stage.admin(),
        "SELECT md5(string_agg(p::text, '')) FROM timedb.packs p",
    );
    assert_eq!(after, before);
    stage.assert_alice(&mut alice);
    stage.assert_bob(&mut stage.bob());
}

/// The second wall: what the role behind compact may do, should it ever be careless.
#[test]
fn t16_the_role_behind_compact_is_itself_held_to_the_tenant_logged_in_and_to_scope_write() {
    let stage = packed_stage("t16 compactor");
    let (a, b) = (stage.alice.tenant_id, stage.bob.tenant_id);
    let mut compactor = stage.admin();
    let forged = |tenant: Uuid| {
        format!(
            "INSERT INTO timedb.packs VALUES ('{tenant}', '{}', gen_random_uuid(), 0, now(), now(), now(), now(), now(), 0, '[]')",
            stage.alices.series_id
        )
    };
    let delete = |table: &str, tenant: Uuid| format!("DELETE FROM timedb.{table} WHERE tenant_id = '{tenant}'");
    login(&mut compactor, &stage.alice, false);
    run(&mut compactor, "SET ROLE timedb_compactor");
    for table in ["values", "packs"] {
        let shown = format!("SELECT count(*) FROM timedb.{table} WHERE tenant_id = '{b}'");
        assert_eq!(one::<i64>(&mut compactor, &shown), 0, "{table}");
        assert_eq!(compactor.execute(&delete(table, b), &[]).expect("no row"), 0, "{table}");
    }
    each_refused(
        &mut compactor,
        "42501",
        [
            forged(b),
            "UPDATE timedb.packs SET point_count = 0".into(),
            "UPDATE timedb.values SET annotation = 'x'".into(),
            "INSERT INTO timedb.values SELECT * FROM timedb.values".into(),
            "TRUNCATE timedb.packs".into(),
            "ALTER TABLE timedb.packs DISABLE ROW LEVEL SECURITY".into(),
            "TABLE timedb.series".into(),
            "TABLE timedb.runs".into(),
            "TABLE timedb.users".into(),
            "TABLE timedb.api_keys".into(),
            "TABLE timedb.audit".into(),
            "SELECT timedb._points_of_bytes('')".into(),
            "SELECT * FROM timedb.read()".into(),
        ],
    );
    // With a key of scope read, and with none, it takes nothing away and adds nothing.
    let reader = stage.alice_of_scope("read");
    for key in [Some(&reader), None] {
        run(&mut compactor, "RESET ROLE; SELECT timedb.logout()");
        if let Some(key) = key {
            login(&mut compactor, key, false);
        }
        run(&mut compactor, "SET ROLE timedb_compactor");
        for table in ["values", "packs"] {
            assert_eq!(compactor.execute(&delete(table, a), &[]).expect("no row"), 0, "{table}");
        }
        each_refused(&mut compactor, "42501", [forged(a)]);
    }
    // What it may do with the key of a writer, so that the above is not for want of rows.
    run(&mut compactor, "RESET ROLE");
    login(&mut compactor, &stage.alice, false);
    run(&mut compactor, "BEGIN; SET LOCAL ROLE timedb_compactor");
    assert_eq!(compactor.execute(&delete("packs", a), &[]).expect("a row"), 1);
    run(&mut compactor, &forged(a));
    run(&mut compactor, "ROLLBACK");
    stage.assert_alice(&mut stage.alice());
    stage.assert_bob(&mut stage.bob());
}

#[test]
fn t19_an_arrow_upload_onto_anothers_series_is_told_like_one_that_is_not_there() {
    let stage = Stage::set("t19 arrow");
    let mut alice = stage.alice();
    let upload = |id: Uuid| {
        format!(
            "SELECT timedb.upload_arrow(now(), {})",
            streams::literal(&streams::of_id(id))
        )
    };
    let own = stage.alices.series_id;
    assert_eq!(outcome(&mut alice, &upload(own), own), "done", "the premise");
    let [of_bobs, of_nobodys] = [stage.bobs.series_id, Uuid::now_v7()].map(|id| outcome(&mut alice, &upload(id), id));
    assert_eq!(of_bobs, of_nobodys);
    assert!(of_bobs.contains("42704"), "{of_bobs}");
    stage.assert_bob(&mut stage.bob());
}

#[test]
fn t20_no_way_of_asking_shows_or_counts_anothers_packs() {
    let stage = packed_stage("t20 packs");
    let mut alice = stage.alice();
    let mut bob = stage.bob();
    let (tenant, series) = (stage.bob.tenant_id, stage.bobs.series_id);
    for sql in [
        format!("SELECT count(*) FROM timedb.packs WHERE tenant_id = '{tenant}'"),
        format!("SELECT count(*) FROM timedb.packs WHERE series_id = '{series}'"),
        format!("SELECT count(*) FROM timedb.versions WHERE series_id = '{series}'"),
        format!("SELECT count(*) FROM timedb.packs p, timedb.unnest_pack(p.versions) u WHERE p.series_id = '{series}'"),
        format!("SELECT count(*) FROM timedb.read(series_ids => '{{{series}}}')"),
        format!("SELECT count(*) FROM timedb._series_values('{series}')"),
        format!("SELECT count(*) FROM (VALUES ('{series}'::uuid)) s (id) JOIN timedb.packs p ON p.series_id = s.id"),
    ] {
        assert!(one::<i64>(&mut bob, &sql) > 0, "the premise: it is there: {sql}");
        assert_eq!(one::<i64>(&mut alice, &sql), 0, "{sql}");
    }
    let streams: [Vec<u8>; 2] = [series, Uuid::now_v7()].map(|id| {
        one(
            &mut alice,
            &format!("SELECT timedb.read_arrow(series_ids => '{{{id}}}')"),
        )
    });
    assert_eq!(streams[0], streams[1], "as of a series that is nobody's");
    let whole: Vec<u8> = one(
        &mut alice,
        "SELECT timedb.read_arrow(mode => 'overlapping', all_versions => true)",
    );
    let holds = |text: &[u8]| whole.windows(text.len()).any(|window| window == text);
    let [own, anothers] = [stage.alices, stage.bobs].map(|stored| stored.series_id.to_string());
    assert!(
        holds(own.as_bytes()) && !holds(anothers.as_bytes()) && !holds(b"bob"),
        "of all that is stored her own alone"
    );
    stage.assert_alice(&mut alice);
}

#[test]
fn t20_compact_by_anothers_ids_finds_touches_and_tells_nothing() {
    let stage = Stage::set("t20 compact");
    let (alices, bobs) = (stage.alices, stage.bobs);
    try_upload(&mut stage.bob(), &rows_of(bobs.series_id)).expect("something to pack");
    let places = "SELECT string_agg(ctid::text || v::text, ' ') FROM timedb.values v WHERE tenant_id = $1";
    let place = |stage: &Stage| one_of::<String>(&mut stage.admin(), places, &[&stage.bob.tenant_id]);
    let before = place(&stage);
    let mut alice = stage.alice();
    let told = [bobs.series_id, Uuid::now_v7()].map(|id| {
        let sql = format!("SELECT c::text FROM timedb.compact('{{{id}}}', '-1 day') c");
        one::<String>(&mut alice, &sql)
    });
    assert_eq!(told[0], "(0,0,0,0,0,0,0)");
    assert_eq!(told[0], told[1]);
    let both = format!("{{{},{}}}", alices.series_id, bobs.series_id);
    run(&mut alice, &format!("SELECT FROM timedb.compact('{both}', '-1 day')"));
    assert_eq!(place(&stage), before, "not a row has moved");
    stage.assert_bob(&mut stage.bob());
}

/// A literal is whatever its writer says, and nobody else's.
#[test]
fn t20_a_forged_pack_shows_what_was_forged_and_is_stored_nowhere() {
    let stage = packed_stage("t20 forged");
    let mut alice = stage.alice();
    let forged = format!(
        r#"[{{"run_id":"{}","known_time":"2025-01-01","change_time":"2025-01-01","changed_by":"bob@tenant-b.com",
             "points":{{"start":"2025-01-01","values":[6]}}}}]"#,
        stage.bobs.run_id
    );
    let opened: i64 = one_of(
        &mut alice,
        "SELECT count(*) FROM timedb.unnest_pack($1::text::timedb.pack)",
        &[&forged],
    );
    assert_eq!(opened, 1, "the premise: it is a pack");
    // Nothing takes a pack but what opens and writes it.
    let takes: i64 = one(
        &mut stage.admin(),
        "SELECT count(*) FROM pg_proc WHERE 'timedb.pack'::regtype = ANY (proargtypes) \
           AND proname NOT IN ('pack_out', 'pack_send', 'unnest_pack')",
    );
    assert_eq!(takes, 0);
    stage.assert_alice(&mut alice);
    stage.assert_bob(&mut stage.bob());
}

#[test]
fn t13_compact_and_arrow_feel_it_inside_a_transaction_of_every_isolation_level() {
    for level in ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"] {
        let stage = packed_stage("t13 packs");
        let mut alice = stage.alice();
        let upload = format!("upload_arrow(now(), {})", streams::literal(&streams::of_key("late")));
        run(&mut alice, &format!("BEGIN ISOLATION LEVEL {level}"));
        run(&mut alice, "SELECT FROM timedb.compact(older_than => '0')");
        stage
            .ops()
            .execute(
                "SELECT timedb.revoke_key(key_id) FROM timedb.list_keys(user_id => $1)",
                &[&stage.alice.user_id],
            )
            .expect("the key ends");
        for call in [
            "compact(older_than => '0')",
            "read_arrow()",
            "read_arrow_batches()",
            &upload,
        ] {
            run(&mut alice, "SAVEPOINT s");
            refused(alice.execute(&format!("SELECT timedb.{call}"), &[])).code("28000");
            run(&mut alice, "ROLLBACK TO s");
        }
        for table in ["packs", "versions", "values"] {
            let rows: i64 = one(&mut alice, &format!("SELECT count(*) FROM timedb.{table}"));
            assert_eq!(rows, 0, "{level}: {table}");
        }
    }
}

/// compact moves; whatever it is asked, nobody can tell by reading that it has been there.
#[test]
fn t30_compact_neither_changes_nor_loses_history_whatever_it_is_asked() {
    let stage = Stage::set("t30 compact");
    let mut alice = stage.alice();
    let series = stage.alices.series_id;
    for value in [2.0, 3.0] {
        let update = update_of(stage.alices.run_id, series, value);
        alice
            .execute("SELECT timedb.update($1)", &[&update])
            .expect("it updates");
    }
    let mut said = update_of(stage.alices.run_id, series, 3.5);
    said[0]["annotation"] = "a word of it".into();
    said[0]["tags"] = json!(["one", "other, \"quoted\""]);
    alice.execute("SELECT timedb.update($1)", &[&said]).expect("it says so");
    let upload = |value: f64| {
        let stream = streams::moved(&streams::of_id(series), value, 3_600_000_000);
        format!("SELECT FROM timedb.upload_arrow(now(), {})", streams::literal(&stream))
    };
    let other = streams::literal(&streams::of_key("other"));
    for value in [4.0, 5.0, 6.0] {
        run(&mut alice, &upload(value));
        run(&mut alice, &format!("SELECT FROM timedb.upload_arrow(now(), {other})"));
    }
    let before: String = one(&mut alice, HISTORY);
    let twice = format!("'{{{series},{series}}}'");
    let arguments = [
        "older_than => '-1 day'".to_owned(),
        "older_than => '-200000 years'".into(),
        "older_than => '-178000000 years'".into(),
        "older_than => '200000 years'".into(),
        "older_than => 'infinity'".into(),
        "older_than => '-infinity'".into(),
        "older_than => NULL".into(),
        "NULL, '0'".into(),
        "'{}', '0'".into(),
        "'{NULL}', '0'".into(),
        "'{{NULL}}', '0'".into(),
        format!("{twice}, '0'"),
        format!("{twice}, '-1 microsecond'"),
        format!("ARRAY[{twice}::uuid[], {twice}], '0'"),
        "'[5:5]={00000000-0000-0000-0000-000000000000}', '0'".into(),
    ];
    for isolation in ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"] {
        for arguments in &arguments {
            let compact = format!("SELECT FROM timedb.compact({arguments})");
            let block = format!(
                "DO $$ BEGIN {}; RAISE EXCEPTION 'undone'; EXCEPTION WHEN OTHERS THEN NULL; END $$",
                compact.replace("SELECT FROM", "PERFORM")
            );
            // Undone, then undone within a block, then done; with something written just before it, that goes too.
            run(&mut alice, &format!("BEGIN ISOLATION LEVEL {isolation}; SAVEPOINT s"));
            run(&mut alice, &upload(7.0));
            let _ = alice.batch_execute(&compact);
            run(&mut alice, "ROLLBACK TO s");
            run(&mut alice, &block);
            assert_eq!(one::<String>(&mut alice, HISTORY), before, "{arguments}, undone");
            let _ = alice.batch_execute(&compact);
            run(&mut alice, "ROLLBACK");
            assert_eq!(one::<String>(&mut alice, HISTORY), before, "{arguments}, rolled back");
        }
    }
    // Done, each time with two runs more, so that what is packed is packed again with them.
    for arguments in &arguments {
        run(&mut alice, &upload(8.0));
        run(&mut alice, &upload(9.0));
        let before: String = one(&mut alice, HISTORY);
        let compact = format!("SELECT FROM timedb.compact({arguments})");
        if let Err(error) = alice.batch_execute(&compact) {
            let (code, _) = told(&error);
            assert!(code.starts_with("22"), "{arguments}: {error:?}");
        }
        assert_eq!(one::<String>(&mut alice, HISTORY), before, "{arguments}");
    }
    let before: String = one(&mut alice, HISTORY);
    run(&mut alice, "SELECT FROM timedb.compact(older_than => '0')");
    assert_eq!(one::<String>(&mut alice, HISTORY), before);
    let left: i64 = one(&mut alice, "SELECT count(*) FROM timedb.values");
    assert_eq!(left, 0, "the premise: at the end all of it had been moved");
    stage.assert_bob(&mut stage.bob());
}

/// One takes the rows, the other waits for him, and finds them gone or still there; both, and whoever reads, see each
/// version once.
#[test]
fn t30_two_who_compact_at_once_and_one_who_gives_up_leave_every_version_once() {
    for gives_up in [false, true] {
        let stage = Stage::set("t30 two");
        let mut first = stage.alice();
        for _ in 0..3 {
            try_upload(&mut first, &rows_of(stage.alices.series_id)).expect("another run");
        }
        let before: String = one(&mut first, HISTORY);
        run(&mut first, "BEGIN; SELECT FROM timedb.compact(older_than => '0')");
        let mut second = stage.alice();
        let pid = backend_pid(&mut second);
        let waiting = std::thread::spawn(move || {
            run(&mut second, "SELECT FROM timedb.compact(older_than => '0')");
            second
        });
        wait_until_blocked(&mut stage.admin(), pid);
        let mut reader = stage.alice();
        assert_eq!(one::<String>(&mut reader, HISTORY), before);
        run(&mut first, if gives_up { "ROLLBACK" } else { "COMMIT" });
        let mut second = waiting.join().expect("it ends");
        for client in [&mut first, &mut second, &mut reader] {
            assert_eq!(one::<String>(client, HISTORY), before);
        }
        let packs: i64 = one(&mut reader, "SELECT count(*) FROM timedb.packs");
        assert_eq!(packs, 1, "the premise: it has been packed");
    }
}

/// A pack's text, which is what a dump has of it, says of each version what many may share. It must fit a line, or nobody's
/// data could be dumped any more.
#[test]
fn t48_no_annotations_and_tags_make_a_pack_that_no_dump_can_hold() {
    let stage = Stage::set("t48 packs");
    // What as many updates write, with the longest annotations and tags there are, all of letters that JSON spells in six.
    let written = stage
        .admin()
        .execute(
            r"INSERT INTO timedb.values (tenant_id, series_id, run_id, change_time, part, span, known_time, valid_from,
                                         valid_to, points, changed_by, annotation, tags)
              SELECT v.tenant_id, v.series_id, gen_random_uuid(), v.change_time, 0, v.span, v.known_time, v.valid_from,
                     v.valid_to, v.points, v.changed_by, repeat(E'', 10000),
                     ARRAY(SELECT repeat(E'', 197) || t FROM generate_series(100, 199) t)
              FROM timedb.values v, generate_series(1, 6000) WHERE v.series_id = $1",
            &[&stage.alices.series_id],
        )
        .expect("the versions");
    assert_eq!(written, 6000);
    run(&mut stage.alice(), "SELECT FROM timedb.compact(older_than => '0')");
    let mut admin = stage.admin();
    let longest: i64 = one(
        &mut admin,
        "SELECT coalesce(max(length(versions::text)), 0)::bigint FROM timedb.packs",
    );
    assert!(longest < 100_000_000, "{longest} letters in one line of a dump");
    let versions: i64 = one(
        &mut admin,
        "SELECT (SELECT count(*) FROM timedb.values) + (SELECT coalesce(sum(point_count), 0) FROM timedb.packs)",
    );
    assert_eq!(versions, 6002, "wherever they lie");
}

/// Each would tell by a notice of a row that it should not have been given.
#[test]
fn t45_a_leaky_function_on_packs_and_versions_is_given_the_tenants_own_rows_only() {
    let stage = packed_stage("t45 packs");
    let (mut app, notices) = stage.connect("app", "");
    login(&mut app, &stage.alice, false);
    run(
        &mut app,
        "CREATE FUNCTION pg_temp.leak(anyelement) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 \
           AS $$ BEGIN RAISE NOTICE 'leaked %', $1; RETURN true; END $$",
    );
    notices.take();
    for from in [
        "timedb.packs WHERE pg_temp.leak(tenant_id)",
        "timedb.packs WHERE pg_temp.leak(versions::text)",
        "timedb.versions WHERE pg_temp.leak(changed_by)",
        "timedb.versions WHERE pg_temp.leak(points::text)",
        "timedb.packs p, timedb.unnest_pack(p.versions) u WHERE pg_temp.leak(u.changed_by)",
        "timedb.versions a JOIN timedb.packs b ON pg_temp.leak(a.changed_by) AND pg_temp.leak(b.versions::text)",
    ] {
        assert!(
            one::<i64>(&mut app, &format!("SELECT count(*) FROM {from}")) > 0,
            "{from}"
        );
        let heard = notices.take();
        assert!(!heard.is_empty(), "the premise: the function is called: {from}");
        let bobs = [
            stage.bob.tenant_id.to_string(),
            "bob".to_owned(),
            stage.bobs.run_id.to_string(),
        ];
        assert!(
            !heard
                .iter()
                .any(|(_, notice)| bobs.iter().any(|bobs| notice.contains(bobs))),
            "{from}: {heard:?}"
        );
    }
}
