//! What can be learnt of other tenants without reading a row of theirs. Most is nothing; what Postgres tells everybody
//! about volumes is accepted, and pinned here so that it grows no further.

use postgres::Client;
use serde_json::Value;
use uuid::Uuid;

use timedb_testkit::{SHOWN_SETTINGS, Stage, Stored, assert_sees_nothing, login, one, one_of, run};

use crate::support::each_refused;

/// Bob has as many series as this more.
const VOLUME: i64 = 500;

fn stage_with_volume(name: &str) -> Stage {
    let stage = Stage::set(name);
    let mut admin = stage.admin();
    admin
        .execute(
            "INSERT INTO timedb.series (tenant_id, series_id, series_key) \
             SELECT $1, gen_random_uuid(), 'secret' || i FROM generate_series(1, $2::bigint) i",
            &[&stage.bob.tenant_id, &VOLUME],
        )
        .expect("a superuser may");
    run(&mut admin, "ANALYZE timedb.series");
    stage
}

#[track_caller]
fn explain(client: &mut Client, options: &str, sql: &str) -> Value {
    one(client, &format!("EXPLAIN (FORMAT json{options}) {sql}"))
}

/// An estimate is of all tenants together: the planner knows how many rows there are, and no tenant's share of them.
#[test]
fn t43_a_plan_of_bare_tables_tells_the_volume_of_all_and_nothing_more() {
    let stage = stage_with_volume("t43 estimate");
    let mut alice = stage.alice();
    let sql = format!(
        "SELECT * FROM timedb.series WHERE tenant_id = '{}'",
        stage.bob.tenant_id
    );
    let plan = explain(&mut alice, "", &sql).to_string();
    assert!(plan.contains("Plan Rows") && !plan.contains("secret"), "{plan}");
    let of_nobody = sql.replace(&stage.bob.tenant_id.to_string(), &Uuid::now_v7().to_string());
    let rows = |plan: &str| {
        let rows = plan.split("\"Plan Rows\":").nth(1);
        rows.and_then(|rows| Some(rows.split([',', '}']).next()?.to_owned()))
    };
    let estimated = rows(&explain(&mut alice, "", &of_nobody).to_string());
    assert!(estimated.is_some() && rows(&plan) == estimated, "{plan}");
    assert!(alice.query(&sql, &[]).expect("no row").is_empty());
}

/// Accepted: rows that a filter removed are counted, over all tenants, where no index finds the tenant's own.
#[test]
fn t20_explain_analyze_counts_what_row_security_removed_and_shows_none_of_it() {
    let stage = stage_with_volume("t20 explain");
    let mut alice = stage.alice();
    let analyse =
        |client: &mut Client| explain(client, ", ANALYZE, TIMING off", "SELECT * FROM timedb.series").to_string();
    run(
        &mut alice,
        "SET enable_indexscan = off; SET enable_bitmapscan = off; SET enable_indexonlyscan = off",
    );
    let filtered = analyse(&mut alice);
    assert!(
        filtered.contains(&format!("\"Rows Removed by Filter\":{}", VOLUME + 1)),
        "{filtered}"
    );
    assert!(!filtered.contains("secret"));
    run(&mut alice, "RESET ALL");
    let mut alice = stage.alice();
    run(&mut alice, "SET enable_seqscan = off");
    assert!(
        !analyse(&mut alice).contains("Rows Removed by Filter"),
        "by the tenant's index nothing is removed"
    );
}

/// What a function does inside is not in the plan: distrusting tenants get functions, not tables.
#[test]
fn t43_a_plan_of_a_function_tells_nothing_of_what_it_reads() {
    let stage = stage_with_volume("t43 functions");
    let mut alice = stage.alice();
    for call in [
        "timedb.read()",
        "timedb.read_arrow()",
        "timedb.read_arrow_batches()",
        "timedb.read_changes('2000-01-01')",
        "timedb.list_series()",
        "timedb.compact()",
        "timedb._series_values(gen_random_uuid())",
    ] {
        let plan = explain(
            &mut alice,
            ", ANALYZE, VERBOSE, BUFFERS off, TIMING off",
            &format!("SELECT * FROM {call}"),
        );
        let plan = plan.to_string();
        assert!(
            (plan.contains("Function Scan") || plan.contains("TimedbScan")) && !plan.contains("\"Relation Name\""),
            "{call}: {plan}"
        );
        assert!(!plan.contains("Rows Removed"), "{call}: {plan}");
    }
}

/// Accepted: everybody sees how large a table is. What the columns hold is hidden.
#[test]
fn t43_the_catalogs_tell_the_size_of_all_tenants_together_and_no_value() {
    let stage = stage_with_volume("t43 catalogs");
    let mut evil = stage.evil();
    let total: f32 = one(
        &mut evil,
        "SELECT reltuples FROM pg_class WHERE relname = 'series' AND relkind = 'r'",
    );
    assert_eq!(total as i64, VOLUME + 2, "what is accepted");
    let mut alice = stage.alice();
    let kept = "SELECT count(*) FROM pg_statistic WHERE starelid = 'timedb.series'::regclass";
    assert_eq!(one::<i64>(&mut stage.admin(), kept), 0, "though it is analysed");
    each_refused(&mut alice, "42501", ["SELECT stavalues1::text FROM pg_statistic"]);
}

/// Each would tell by an error or a notice of a row it should not have been given.
#[test]
fn t45_a_leaky_function_operator_or_cast_is_given_the_tenants_own_rows_only() {
    let stage = Stage::set("t45");
    let (mut app, notices) = stage.connect("app", "");
    login(&mut app, &stage.alice, false);
    run(
        &mut app,
        "CREATE FUNCTION pg_temp.leak(text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 \
           AS $$ BEGIN RAISE NOTICE 'leaked %', $1; RETURN true; END $$; \
         CREATE FUNCTION pg_temp.leak(text, text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 \
           AS $$ BEGIN RAISE NOTICE 'leaked % %', $1, $2; RETURN true; END $$; \
         CREATE OPERATOR pg_temp.<<< (FUNCTION = pg_temp.leak, LEFTARG = text, RIGHTARG = text)",
    );
    notices.take();
    for sql in [
        "SELECT count(*) FROM timedb.series WHERE pg_temp.leak(series_key)",
        "SELECT count(*) FROM timedb.series WHERE series_key OPERATOR(pg_temp.<<<) 'x'",
        "SELECT count(*) FROM timedb.series a JOIN timedb.runs b ON pg_temp.leak(a.series_key)",
        "SELECT count(*) FROM timedb.current_values WHERE pg_temp.leak(series_key)",
        "SELECT count(*) FROM timedb.values WHERE pg_temp.leak(changed_by)",
        "SELECT count(*) FROM timedb.series GROUP BY series_key HAVING pg_temp.leak(series_key)",
    ] {
        assert_eq!(one::<i64>(&mut app, sql), 1, "{sql}");
        let told = notices.take();
        assert!(!told.is_empty(), "the premise: the function is called: {sql}");
        assert!(
            told.iter()
                .all(|(_, notice)| notice.contains("alice") && !notice.contains("bob")),
            "{sql}: {told:?}"
        );
    }
    for sql in [
        "SELECT count(*) FROM timedb.series WHERE 1 / (CASE series_key WHEN 'bob' THEN 0 ELSE 1 END) = 1",
        "SELECT count(*) FROM timedb.series WHERE (CASE series_key WHEN 'bob' THEN 'x' ELSE '1' END)::int = 1",
    ] {
        assert_eq!(one::<i64>(&mut app, sql), 1, "{sql}");
    }
    each_refused(&mut app, "42501", ["ALTER FUNCTION pg_temp.leak(text) LEAKPROOF"]);
}

#[test]
fn t45_none_of_our_functions_is_leakproof() {
    let stage = Stage::set("t45 marks");
    let leakproof = "SELECT count(*) FROM pg_proc WHERE pronamespace = 'timedb'::regnamespace AND proleakproof";
    assert_eq!(one::<i64>(&mut stage.app(), leakproof), 0);
}

/// Reading all data is a privilege on tables; policies still show nothing to whom they do not name.
#[test]
fn a_role_that_may_read_all_data_sees_no_tenants_row_and_no_hash() {
    let stage = Stage::set("pg_read_all_data");
    let role = stage.role("reader", "IN ROLE pg_read_all_data");
    let mut client = stage.database.login(&role);
    for table in [
        "series",
        "runs",
        "values",
        "packs",
        "users",
        "api_keys",
        "key_ends",
        "audit",
        "role_bindings",
    ] {
        let rows: i64 = one(&mut client, &format!("SELECT count(*) FROM timedb.{table}"));
        assert_eq!(rows, 0, "{table}");
    }
}

#[test]
fn no_catalog_view_tells_a_tenant_who_else_is_bound_or_logged_in() {
    let stage = Stage::set("catalog views");
    let bound = stage.bound_to_bob("read");
    let mut alice = stage.alice();
    each_refused(
        &mut alice,
        "42501",
        ["TABLE timedb.role_bindings", "SELECT * FROM timedb.list_bindings()"],
    );
    let settings = "SELECT count(*) FROM pg_settings WHERE name LIKE 'timedb%' AND name <> ALL ($2) OR setting LIKE '%' || $1 || '%'";
    assert_eq!(
        one_of::<i64>(
            &mut alice,
            settings,
            &[&stage.bob.tenant_id.to_string(), &&SHOWN_SETTINGS[..]]
        ),
        0
    );
    let mut bound = stage.database.login(&bound);
    assert_eq!(
        one::<Uuid>(&mut bound, "SELECT timedb.current_tenant()"),
        stage.bob.tenant_id
    );
    let own: String = one(&mut alice, "SELECT current_setting('timedb.tenant')");
    assert_eq!(own, stage.alice.tenant_id.to_string(), "of itself a session may know");
    let mut nobody = stage.app();
    assert_sees_nothing(&mut nobody);
}

/// A superuser is bound by no policy; the functions hold him to the tenant he has logged in as, all the same.
#[test]
fn a_superuser_sees_through_the_api_the_tenant_he_has_logged_in_as() {
    let stage = Stage::set("superuser");
    let mut admin = stage.admin();
    each_refused(
        &mut admin,
        "28000",
        ["SELECT * FROM timedb.read()", "SELECT * FROM timedb.list_series()"],
    );
    assert_eq!(one::<i64>(&mut admin, "SELECT count(*) FROM timedb.current_values"), 0);
    assert_eq!(
        one::<i64>(&mut admin, "SELECT count(*) FROM timedb.values"),
        2,
        "what is inherent"
    );
    login(&mut admin, &stage.alice, false);
    for from in ["timedb.read()", "timedb.list_series()", "timedb.current_values"] {
        let shown: Vec<Uuid> = one(&mut admin, &format!("SELECT array_agg(series_id) FROM {from}"));
        assert_eq!(shown, [stage.alices.series_id], "{from}");
    }
}

/// The catalog of locks is for everybody to read.
#[test]
fn t62_the_lock_of_a_tenant_that_is_compacted_does_not_tell_its_id() {
    let stage = Stage::set("t62");
    // An id as people make them by hand.
    let tenant = Uuid::from_u128(0xab_0000_0000_00cd);
    let carol = stage.database.create_user(tenant, "carol@tenant-c.com", "write");
    let mut carol = stage.database.authenticated(&carol);
    for value in [1.0, 2.0, 3.0] {
        Stored::of(&mut carol, "carol", value);
    }
    run(&mut carol, "BEGIN; SELECT timedb.compact(older_than => '0')");
    let held = "SELECT l.classid::int8 << 32 | l.objid::int8 FROM pg_locks l \
                WHERE l.locktype = 'advisory' AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    let held: Vec<i64> = {
        let rows = stage.evil().query(held, &[]).expect("locks");
        rows.iter().map(|row| row.get(0)).collect()
    };
    let [held] = held[..] else {
        panic!("the premise: one lock is seen, {held:?}")
    };
    let id = tenant.as_u128();
    for mask in [u64::MAX, u64::from(u32::MAX), u64::from(u32::MAX) << 32] {
        for half in [id as u64, (id >> 64) as u64] {
            assert_ne!(held as u64 & mask, half & mask, "{held:x}");
        }
    }
    // Nor by trying ids: that takes a secret of the server.
    let tried = "SELECT ('x' || left(encode(sha256(uuid_send($1)), 'hex'), 16))::bit(64)::int8";
    assert_ne!(one_of::<i64>(&mut stage.evil(), tried, &[&tenant]), held);
    let again = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 3";
    assert!(
        one::<i64>(&mut stage.evil(), again) >= 1,
        "the premise: it is still held"
    );
}

/// Nor does that of series whose unchanged values are left out; and there are few of them, as the table of locks is everybody's.
#[test]
fn t62_the_locks_of_uploads_that_skip_do_not_tell_whose_they_are_and_are_few() {
    let stage = Stage::set("t62 skips");
    let (mut alice, mut bob) = (stage.alice(), stage.bob());
    let upload = "SELECT FROM timedb.upload_points(now(), (SELECT array_agg('s' || i) FROM generate_series(1, 5000) i), \
                    array_fill('2025-01-01Z'::timestamptz, '{5000}'), array_fill(1.0::float8, '{5000}'), \
                    skip_unchanged => true)";
    run(&mut alice, "BEGIN");
    run(&mut alice, upload);
    let held = "SELECT l.classid::int8 << 32 | l.objid::int8 FROM pg_locks l \
                WHERE l.locktype = 'advisory' AND l.objsubid = 5 AND l.pid = $1 ORDER BY 1";
    let held = |client: &mut postgres::Client| -> Vec<i64> {
        let pid: i32 = one(client, "SELECT pg_backend_pid()");
        let rows = stage.evil().query(held, &[&pid]).expect("locks");
        rows.iter().map(|row| row.get(0)).collect()
    };
    let of_alice = held(&mut alice);
    assert!(
        (1..=64).contains(&of_alice.len()),
        "{} locks for 5000 series",
        of_alice.len()
    );
    // Another tenant's series wait for none of them.
    run(&mut bob, "BEGIN; SET LOCAL lock_timeout = '10s'");
    run(&mut bob, upload);
    let of_bob = held(&mut bob);
    assert!(of_bob.iter().all(|lock| !of_alice.contains(lock)));
    let tried = "SELECT ('x' || left(encode(sha256(uuid_send($1) || set_byte('\\x00', 0, i)), 'hex'), 16))::bit(64)::int8 \
                 FROM generate_series(0, 63) i";
    for row in stage.evil().query(tried, &[&stage.alice.tenant_id]).expect("hashes") {
        assert!(!of_alice.contains(&row.get(0)), "it takes a secret of the server");
    }
}

fn settled(client: &mut Client) -> i64 {
    let sql = "SELECT (extract(epoch FROM timedb.settled_time()) * 1000000)::int8";
    one(client, sql)
}

/// Neither holds the other back, nor sees that the other writes.
#[test]
fn t70_another_tenants_open_transaction_does_not_move_what_is_settled() {
    let stage = Stage::set("t70");
    let (mut alice, mut bob) = (stage.alice(), stage.bob());
    run(&mut bob, "BEGIN");
    Stored::of(&mut bob, "bob", 3.0);
    let bobs = settled(&mut bob);
    let asked = settled(&mut alice);
    assert!(asked > bobs, "the premise: Bob's is held back, {asked} {bobs}");
    run(&mut alice, "BEGIN");
    Stored::of(&mut alice, "alice", 3.0);
    let held = settled(&mut alice);
    assert!(held >= asked);
    run(&mut bob, "COMMIT");
    assert_eq!(settled(&mut alice), held);
    assert!(settled(&mut bob) > held, "Alice's transaction is open");
    run(&mut alice, "ROLLBACK");
    assert!(settled(&mut alice) > held);
}

/// Whoever cannot write cannot hold back either: SQL makes no such lock, of whatever numbers.
#[test]
fn t70_no_lock_that_sql_takes_moves_what_is_settled() {
    let stage = Stage::set("t70 locks");
    let (mut alice, mut evil) = (stage.alice(), stage.evil());
    run(&mut alice, "BEGIN");
    Stored::of(&mut alice, "alice", 3.0);
    let held = settled(&mut alice);
    let pid: i32 = one(&mut alice, "SELECT pg_backend_pid()");
    let sql = "SELECT l.classid::int8, l.objid::int8, l.objsubid::int8 FROM pg_locks l \
               WHERE l.locktype = 'userlock' AND l.pid = $1";
    let row = evil.query_one(sql, &[&pid]).expect("the premise: one lock is seen");
    let (high, low): (i64, i64) = (row.get(0), row.get(1));
    run(&mut alice, "COMMIT");
    run(&mut evil, "BEGIN");
    for take in ["pg_advisory_xact_lock", "pg_advisory_xact_lock_shared"] {
        run(&mut evil, &format!("SELECT {take}({})", (high << 32) | low));
        run(&mut evil, &format!("SELECT {take}({}, {})", high as i32, low as i32));
    }
    assert!(settled(&mut alice) > held);
}

/// The catalog of locks is for everybody to read.
#[test]
fn t70_the_lock_of_a_writer_does_not_tell_whose_it_is() {
    let stage = Stage::set("t70 ids");
    // An id as people make them by hand.
    let tenant = Uuid::from_u128(0xab_0000_0000_00cd);
    let carol = stage.database.create_user(tenant, "carol@tenant-c.com", "write");
    let mut carol = stage.database.authenticated(&carol);
    run(&mut carol, "BEGIN");
    Stored::of(&mut carol, "carol", 1.0);
    let sql = "SELECT (l.database::int8 << 16) | (l.objsubid::int8 & 65535) FROM pg_locks l \
               WHERE l.locktype = 'userlock' AND l.pid = $1";
    let pid: i32 = one(&mut carol, "SELECT pg_backend_pid()");
    let number: i64 = one_of(&mut stage.evil(), sql, &[&pid]);
    assert!(number >= 1 << 32, "the premise: it is a hash, {number:x}");
    for bits in (0..128).step_by(8) {
        assert_ne!(
            number as u64,
            tenant.as_u128().rotate_right(bits) as u64 & 0xffff_ffff_ffff
        );
    }
    // Nor by trying ids: that takes a secret of the server.
    for tried in ["uuid_send($1)", "int4send(d.oid::int4) || uuid_send($1)"] {
        let tried = format!(
            "SELECT ('x' || left(encode(sha256({tried}), 'hex'), 12))::bit(48)::int8 \
             FROM pg_database d WHERE d.datname = current_database()"
        );
        assert_ne!(one_of::<i64>(&mut stage.evil(), &tried, &[&tenant]), number);
    }
}

/// The table of locks is everybody's.
#[test]
fn t70_a_transaction_of_many_writes_does_not_fill_the_table_of_locks() {
    let stage = Stage::set("t70 many");
    let mut alice = stage.alice();
    let pid: i32 = one(&mut alice, "SELECT pg_backend_pid()");
    run(&mut alice, "BEGIN");
    run(
        &mut alice,
        "DO $$ BEGIN FOR i IN 1..3000 LOOP BEGIN \
           PERFORM timedb.upload_points(now(), '{alice}', '{2025-01-01Z}', ARRAY[i]); \
           IF i % 3 = 0 THEN RAISE 'no'; END IF; \
         EXCEPTION WHEN raise_exception THEN NULL; END; END LOOP; END $$",
    );
    let sql = "SELECT count(*) FROM pg_locks WHERE locktype = 'userlock' AND pid = $1";
    assert_eq!(one_of::<i64>(&mut stage.evil(), sql, &[&pid]), 1);
    run(&mut alice, "COMMIT");
}
