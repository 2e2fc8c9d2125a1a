//! The original service's tables, made by SQL as it has them, and what is read of them before and after.

use std::process::Command;

use postgres::Client;
use timedb_testkit::{Database, KEY_REFUSED, one, one_of, refused, run, server_log, wait_until};
use uuid::Uuid;

use crate::support::{Typed, timedb};

/// Its tables, with more than 100,000 versions of values: 3 tenants with 20 runs of 5 series each, of which they share 4; moments and
/// intervals; corrections, some of them two at one moment; annotations and tags.
const ORIGINAL: &str = r#"
CREATE TABLE runs_table (run_id uuid PRIMARY KEY, tenant_id uuid NOT NULL, workflow_id text, run_start_time timestamptz,
  run_finish_time timestamptz, known_time timestamptz, inserted_at timestamptz DEFAULT now(), run_params jsonb);
CREATE TABLE series_table (series_id uuid PRIMARY KEY, series_key text, description text, series_unit text,
  inserted_at timestamptz DEFAULT now());
CREATE TABLE values_table (value_id bigserial PRIMARY KEY, run_id uuid, tenant_id uuid, series_id uuid,
  valid_time timestamptz, valid_time_end timestamptz, value float8, annotation text, tags text[], changed_by text,
  change_time timestamptz, is_current boolean);
CREATE TABLE users_table (user_id uuid PRIMARY KEY, tenant_id uuid, email text, api_key text, is_active boolean,
  created_at timestamptz DEFAULT now(), updated_at timestamptz DEFAULT now());
CREATE FUNCTION id(text) RETURNS uuid LANGUAGE sql AS 'SELECT md5($1)::uuid';
CREATE FUNCTION key(text) RETURNS text LANGUAGE sql AS
  $$SELECT translate(encode(sha256(convert_to($1, 'UTF8')), 'base64'), '+/=', '-_')$$;
INSERT INTO users_table (user_id, tenant_id, email, api_key, is_active) VALUES
  (id('alice'), id('t1'), 'alice@example.com', key('alice'), true),
  (id('gone'), id('t1'), 'gone@example.com', key('gone'), false),
  (id('alice of 2'), id('t2'), 'alice@example.com', key('alice of 2'), true),
  (id('carol'), id('t3'), 'Carol@Example.com ', key('carol'), true),
  (id('dave'), id('t3'), 'dave@example.com', 'changed by hand', true);
INSERT INTO series_table (series_id, series_key, description, series_unit)
  SELECT id('s' || s), 'series ' || s, nullif('description ' || s, 'description 2'), nullif('kW', CASE s WHEN 2 THEN 'kW' END)
  FROM generate_series(1, 4) s;
INSERT INTO series_table (series_id, series_key, series_unit)
  SELECT id('own' || t), 'own "series" of ' || t, 'dimensionless' FROM generate_series(1, 3) t;
INSERT INTO series_table (series_id, series_key) VALUES (id('unused'), 'unused');
INSERT INTO runs_table
  SELECT id(format('run %s %s', t, r)), id('t' || t), nullif('workflow ' || r % 3, 'workflow 2'), k, k + interval '1 minute',
         k, k + interval '3 minutes 1234 microseconds', CASE r % 3 WHEN 0 THEN '{"model": "x"}' WHEN 1 THEN '[1, 2]' END::jsonb
  FROM generate_series(1, 3) t, generate_series(1, 20) r, LATERAL (SELECT '2025-01-01Z'::timestamptz + r * interval '6 hours') k(k);
INSERT INTO values_table (run_id, tenant_id, series_id, valid_time, valid_time_end, value, changed_by, change_time, is_current)
  SELECT id(format('run %s %s', t, r)), id('t' || t), CASE s WHEN 5 THEN id('own' || t) ELSE id('s' || s) END,
         '2025-01-01Z'::timestamptz + (r * 6 + h) * interval '1 hour',
         CASE WHEN s = 3 THEN '2025-01-01Z'::timestamptz + (r * 6 + h + 1) * interval '1 hour' END,
         CASE h WHEN 7 THEN NULL WHEN 11 THEN 'NaN' WHEN 13 THEN '-Infinity' ELSE t * 1000 + s + sin(r * h) END,
         'alice@example.com', '2025-01-01Z'::timestamptz + r * interval '6 hours' + interval '3 minutes 1234 microseconds',
         h % 9 <> 0
  FROM generate_series(1, 3) t, generate_series(1, 20) r, generate_series(1, 5) s, generate_series(0, 299) h;
-- Corrected on the next day, and every eleventh of them twice in one transaction.
INSERT INTO values_table (run_id, tenant_id, series_id, valid_time, valid_time_end, value, annotation, tags, changed_by,
                          change_time, is_current)
  SELECT v.run_id, v.tenant_id, v.series_id, v.valid_time, v.valid_time_end, v.value + n, nullif('note ' || v.value_id % 5, 'note 4'),
         CASE WHEN v.value_id % 2 = 0 THEN ARRAY['a', 'b, "c"'] END, 'carol@example.com', v.change_time + interval '1 day',
         n = 2 OR v.value_id % 11 <> 0
  FROM values_table v, generate_series(1, 2) n WHERE NOT v.is_current AND (n = 1 OR v.value_id % 11 = 0);
"#;

/// What its API answers: of each value that of the run known last, or of every run; and all versions.
const ORIGINAL_READS: [&str; 3] = [
    "SELECT DISTINCT ON (v.series_id, v.valid_time, v.valid_time_end) {} AND v.is_current
     ORDER BY v.series_id, v.valid_time, v.valid_time_end, r.known_time DESC",
    "SELECT {} AND v.is_current",
    "SELECT {}",
];
const COLUMNS: &str = "concat_ws('|', r.known_time, v.valid_time, coalesce(v.valid_time_end::text, '-'), s.series_id, s.series_key,
       coalesce(s.series_unit, 'dimensionless'), coalesce(v.value::text, 'null'), v.changed_by, coalesce(v.annotation, '-'),
       coalesce(v.tags::text, '-'), date_trunc('milliseconds', v.change_time), r.run_id)
  FROM values_table v JOIN runs_table r ON r.run_id = v.run_id JOIN series_table s ON s.series_id = v.series_id
  WHERE v.tenant_id = $1";
const READS: [&str; 3] = [
    "mode => 'flat'",
    "mode => 'overlapping'",
    "mode => 'overlapping', all_versions => true",
];

fn original(name: &str) -> Database {
    let database = Database::fresh(name);
    let mut admin = database.admin();
    run(&mut admin, "DROP EXTENSION timedb");
    run(&mut admin, ORIGINAL);
    assert!(one::<i64>(&mut admin, "SELECT count(*) FROM values_table") > 100_000);
    database
}

fn id(original: &Database, name: &str) -> Uuid {
    one_of(&mut original.admin(), "SELECT id($1)", &[&name])
}

fn key(original: &Database, name: &str) -> String {
    one_of(&mut original.admin(), "SELECT key($1)", &[&name])
}

fn lines(client: &mut Client, sql: &str, tenant: &[Uuid]) -> Vec<String> {
    let arguments: Vec<&(dyn postgres::types::ToSql + Sync)> = tenant.iter().map(|tenant| tenant as _).collect();
    let rows = client
        .query(sql, &arguments)
        .unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    let mut lines: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    lines.sort();
    lines
}

fn read_there(original: &Database, tenant: &str) -> Vec<Vec<String>> {
    let tenant = [id(original, tenant)];
    let mut admin = original.admin();
    let reads = ORIGINAL_READS.map(|sql| sql.replace("{}", COLUMNS));
    reads.iter().map(|sql| lines(&mut admin, sql, &tenant)).collect()
}

/// By a key of the original.
fn read_here(to: &Database, key: &str) -> Vec<Vec<String>> {
    let mut client = to.login("app");
    client
        .execute("SELECT timedb.authenticate($1)", &[&key])
        .expect("the key opens");
    let of = |arguments| {
        format!(
            "SELECT concat_ws('|', v.known_time, v.valid_time, coalesce(v.valid_time_end::text, '-'), v.series_id, v.series_key,
               v.unit, coalesce(v.value::text, 'null'), v.changed_by, coalesce(v.annotation, '-'), coalesce(v.tags::text, '-'),
               date_trunc('milliseconds', v.change_time), r.run_params->>'original_run_id')
             FROM timedb.read({arguments}) v JOIN timedb.runs r ON r.run_id = v.run_id"
        )
    };
    READS
        .iter()
        .map(|arguments| lines(&mut client, &of(arguments), &[]))
        .collect()
}

fn import(original: &Database, to: &Database) -> Typed {
    timedb(to, "postgres").types_words(&["import-original", &original.url("postgres")])
}

/// Everything that is stored, but for what is named anew each time.
fn stored(to: &Database) -> String {
    let sql = "SELECT string_agg(r, E'\\n' ORDER BY r) FROM (
                 SELECT v::text FROM timedb.values v UNION ALL SELECT r::text FROM timedb.runs r
                 UNION ALL SELECT s::text FROM timedb.series s UNION ALL SELECT u::text FROM timedb.users u
                 UNION ALL SELECT concat(k.tenant_id, k.user_id, k.key_hash, k.scope, k.created_at) FROM timedb.api_keys k
                 UNION ALL SELECT concat(a.tenant_id, a.action, a.detail) FROM timedb.audit a) AS t(r)";
    one(&mut to.admin(), sql)
}

#[test]
fn the_originals_reads_are_the_same_here_and_its_keys_log_in() {
    let original = original("original");
    let to = Database::fresh("original imported");
    let said = import(&original, &to).done();
    assert!(said.contains("3 tenants imported"), "{said}");
    assert!(
        said.contains("users 2, keys 2, series 5, runs 20, values 30000, older versions"),
        "{said}"
    );
    assert!(
        said.contains("without a key: 1 users") && said.contains("1 series without values"),
        "{said}"
    );
    for (tenant, who) in [("t1", "alice"), ("t2", "alice of 2"), ("t3", "carol")] {
        let (there, here) = (read_there(&original, tenant), read_here(&to, &key(&original, who)));
        assert_eq!(there[0].len(), here[0].len());
        assert!(there[2].len() > 33_000 && there[1].len() == 30_000 && there[0].len() < 15_000);
        let other = there
            .iter()
            .flatten()
            .zip(here.iter().flatten())
            .find(|(there, here)| there != here);
        assert_eq!(other, None, "{tenant}");
        assert_eq!(there, here);
    }
    let mut client = to.login("app");
    for wrong in ["gone", "nobody"] {
        refused(client.execute("SELECT timedb.authenticate($1)", &[&key(&original, wrong)]))
            .code("28000")
            .message(KEY_REFUSED);
    }
    let log = server_log();
    assert!(
        ["alice", "gone", "carol"]
            .iter()
            .all(|who| !log.contains(&key(&original, who)))
    );
    assert_eq!(
        one::<i64>(&mut to.admin(), "SELECT count(*) FROM timedb.self_check()"),
        0
    );
    goes_on(&to, &key(&original, "carol"));
}

/// Uploads and updates, as before; packed, it answers the same.
fn goes_on(to: &Database, key: &str) {
    let before = read_here(to, key);
    let mut client = to.login("app");
    client
        .execute("SELECT timedb.authenticate($1)", &[&key])
        .expect("the key opens");
    run(&mut client, "SELECT timedb.compact(older_than => '0')");
    let packed: i64 = one(&mut to.admin(), "SELECT count(*) FROM timedb.packs");
    assert!(packed > 0, "the premise: much is packed");
    assert_eq!(read_here(to, key), before);
    let counts = "SELECT bool_and(l.value_count = c.n) FROM timedb.list_runs(max_rows => 1000) l
                  JOIN (SELECT run_id, count(*) AS n FROM timedb.read(mode => 'overlapping') GROUP BY 1) c USING (run_id)";
    assert!(one::<bool>(&mut client, counts));
    let corrected = "SELECT u.status FROM (SELECT json_build_array(json_build_object('run_id', run_id, 'series_id', series_id,
                       'valid_time', valid_time, 'valid_time_end', valid_time_end, 'value', 7)) FROM timedb.read() LIMIT 1) AS r(j),
                     timedb.update(r.j) AS u";
    assert_eq!(one::<String>(&mut client, corrected), "updated");
    let newest =
        "SELECT timedb.upload('2025-01-06', '[{\"value_key\": \"series 1\", \"valid_time\": \"2025-01-07T00:00Z\",
                    \"value\": 77}]')";
    run(&mut client, newest);
    let shown = "SELECT value FROM timedb.read(series_keys => '{series 1}', start_valid => '2025-01-07Z', end_valid => '2025-01-07 01:00Z')";
    assert_eq!(one::<f64>(&mut client, shown), 77.0);
}

#[test]
fn run_twice_or_killed_in_the_middle_and_run_again_it_ends_the_same() {
    let original = original("original killed");
    let (whole, to) = (Database::fresh("original at once"), Database::fresh("original in two"));
    import(&original, &whole).done();
    // The second of the tenants, in the order of their ids, is held up where its series are written.
    let mut admin = original.admin();
    let second: Uuid = one(
        &mut admin,
        "SELECT DISTINCT tenant_id FROM runs_table ORDER BY 1 OFFSET 1 LIMIT 1",
    );
    let mut holder = to.admin();
    let mut held = holder.transaction().expect("a transaction");
    held.execute(
        "INSERT INTO timedb.series (tenant_id, series_id, series_key) SELECT $1, s, s::text FROM unnest($2::uuid[]) s",
        &[&second, &vec![id(&original, "s1")]],
    )
    .expect("a row in its way");
    let mut child = timedb(&to, "postgres").starts(&["import-original", &original.url("postgres")]);
    let blocked =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let mut watcher = to.admin();
    wait_until("the second tenant waits", || one::<i64>(&mut watcher, blocked) == 1);
    assert!(
        Command::new("kill")
            .args(["-KILL", &child.id().to_string()])
            .status()
            .expect("kill")
            .success()
    );
    child.wait().expect("it ends");
    held.rollback().expect("out of the way");
    let others =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'timedb'";
    wait_until("its session has ended", || one::<i64>(&mut watcher, others) == 0);
    let tenants = "SELECT count(DISTINCT tenant_id) FROM timedb.users";
    assert_eq!(
        one::<i64>(&mut watcher, tenants),
        1,
        "one is whole, the other is not there"
    );
    let said = import(&original, &to).done();
    assert!(
        said.contains("2 tenants imported") && said.contains("1 were there before"),
        "{said}"
    );
    assert_eq!(stored(&to), stored(&whole));
    let said = import(&original, &to).done();
    assert!(
        said.contains("0 tenants imported") && said.contains("3 were there before"),
        "{said}"
    );
    assert_eq!(stored(&to), stored(&whole));
}

#[test]
fn what_cannot_be_stored_is_told_and_keeps_no_other_tenant_from_it() {
    let original = original("original broken");
    let to = Database::fresh("original broken imported");
    let third = id(&original, "t3");
    run(
        &mut original.admin(),
        "UPDATE values_table SET is_current = true WHERE tenant_id = id('t1');
         INSERT INTO values_table (run_id, tenant_id, series_id, valid_time, value, changed_by, change_time, is_current)
           VALUES (id('run 1 1'), id('t2'), id('s1'), '2030-01-01', 1, 'x', now(), true)",
    );
    run(
        &mut to.admin(),
        &format!("SELECT timedb.create_user('{third}', 'somebody@example.com')"),
    );
    let typed = import(&original, &to);
    assert_eq!(typed.code, Some(1), "{typed:?}");
    for told in [
        "is there already",
        "the original has Counts",
        "3 tenants were not imported",
    ] {
        assert!(typed.err.contains(told), "{told}: {typed:?}");
    }
    let stored = "SELECT count(*) FROM timedb.runs";
    assert_eq!(one::<i64>(&mut to.admin(), stored), 0);
    run(
        &mut original.admin(),
        "DELETE FROM values_table WHERE valid_time = '2030-01-01';
         INSERT INTO values_table (run_id, tenant_id, series_id, valid_time, value, changed_by, change_time, is_current)
           VALUES (id('run 1 1'), id('t1'), id('s1'), 'infinity', 1, 'x', now(), true)",
    );
    let typed = import(&original, &to);
    assert!(typed.err.contains("a time is infinite"), "{typed:?}");
    assert!(typed.out.contains("1 tenants imported"), "{typed:?}");
    assert_eq!(
        read_here(&to, &key(&original, "alice of 2")),
        read_there(&original, "t2")
    );
}

#[test]
fn it_needs_a_superuser_and_the_originals_tables() {
    let original = Database::fresh("no original");
    let to = Database::fresh("no original imported");
    let url = original.url("postgres");
    let told = timedb(&to, "ops").types_words(&["import-original", &url]).failed(1);
    assert!(told.contains("import-original needs a superuser"), "{told}");
    let told = timedb(&to, "postgres")
        .types_words(&["import-original", &url])
        .failed(1);
    assert!(told.contains("no table \"runs_table\""), "{told}");
    let nowhere = ["import-original", "postgresql://somebody@127.0.0.1:1/nothing"];
    assert!(
        timedb(&to, "postgres")
            .types_words(&nowhere)
            .failed(1)
            .contains("no connection")
    );
}

#[test]
fn a_tenant_that_was_erased_here_comes_back_only_if_that_is_said() {
    let original = original("original erased");
    let to = Database::fresh("original erased imported");
    import(&original, &to).done();
    let erased = id(&original, "t2");
    let erase = "SELECT remaining FROM timedb.erase_tenant($1)";
    while one_of::<i64>(&mut to.admin(), erase, &[&erased]) > 0 {}
    let said = import(&original, &to).done();
    for told in [
        &format!("{erased}: left out, as it was erased here at 20"),
        "Left out: 1 tenants that were erased here; --with-erased brings them back",
        "0 tenants imported",
    ] {
        assert!(said.contains(told), "{said}");
    }
    let rows = "SELECT (SELECT count(*) FROM timedb.users WHERE tenant_id = $1) + (SELECT count(*) FROM timedb.values WHERE tenant_id = $1)";
    assert_eq!(one_of::<i64>(&mut to.admin(), rows, &[&erased]), 0);
    let line = ["import-original", "--with-erased", &original.url("postgres")];
    let said = timedb(&to, "postgres").types_words(&line).done();
    assert!(
        said.contains("1 tenants imported") && !said.contains("Left out: 1 tenants"),
        "{said}"
    );
    assert_eq!(
        read_here(&to, &key(&original, "alice of 2")),
        read_there(&original, "t2")
    );
    let said = import(&original, &to).done();
    assert!(said.contains("3 were there before"), "{said}");
}
