//! A life of the extension: what a backup, a restore, an update and a replica keep, and what they must not tell.

use std::fs;
use std::path::{Path, PathBuf};

use timedb_testkit::{Options, Project, Stage, assert_nobody, login, one, run, seen, wait_until};
use uuid::Uuid;

use crate::install::Empty;
use crate::support::{rows_of, try_upload, upload};

/// A dump of the stage's database, restored into another as one would after a disaster: all or nothing.
pub fn restored(stage: &Stage) -> Empty {
    let copy = Empty::beside(stage, "copy");
    let dump = dump(stage, "postgres", &[]).expect("a superuser dumps");
    let mut psql = copy.server.command("psql", "postgres", &copy.name);
    psql.args(["-X", "-q", "-1", "--set=ON_ERROR_STOP=1"]);
    let mut child = psql
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("psql");
    let mut input = child.stdin.take().expect("its input");
    std::io::Write::write_all(&mut input, dump.as_bytes()).expect("psql reads");
    drop(input);
    let output = child.wait_with_output().expect("psql ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    copy
}

/// What pg_dump wrote, or why it did not.
fn dump(stage: &Stage, role: &str, arguments: &[&str]) -> Result<String, String> {
    let mut pg_dump = stage.database.server().command("pg_dump", role, stage.database.name());
    let output = pg_dump.args(arguments).output().expect("pg_dump runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    if output.status.success() {
        Ok(text(output.stdout))
    } else {
        Err(text(output.stderr))
    }
}

#[test]
fn t48_a_superusers_dump_is_whole_and_anybody_elses_fails_or_is_their_own() {
    let stage = Stage::set("t48");
    let copy = restored(&stage);
    for (identity, own) in [(&stage.alice, &stage.alices), (&stage.bob, &stage.bobs)] {
        let mut client = copy.connect("app");
        login(&mut client, identity, false);
        assert_eq!(seen(&mut client), [own.series_id]);
        upload(&mut client, "after the restore");
    }
    let secret = stage.bobs.series_id.to_string();
    for (role, arguments) in [
        ("app", &["--extension=timedb"][..]),
        ("app", &["--enable-row-security"][..]),
        ("postgres", &["--role=timedb_owner"][..]),
        ("postgres", &["--role=timedb_user", "--enable-row-security"][..]),
    ] {
        let why = dump(&stage, role, arguments).expect_err("it fails, loudly");
        assert!(
            why.contains("permission denied") || why.contains("row-level security"),
            "{why}"
        );
    }
    // Accepted, and so a rule for operators: the owner's dump, told to keep to the policies, is silently empty.
    let owners = dump(&stage, "postgres", &["--role=timedb_owner", "--enable-row-security"]);
    assert!(!owners.unwrap_or_default().contains(&secret));
    assert!(dump(&stage, "postgres", &[]).expect("whole").contains(&secret));
}

#[test]
fn t49_a_restore_in_one_transaction_collides_with_nothing_and_keys_still_open() {
    let stage = Stage::set("t49");
    let copy = restored(&stage);
    let mut client = copy.connect("app");
    assert_nobody(&mut client);
    login(&mut client, &stage.alice, false);
    stage.assert_alice(&mut client);
    let row = rows_of(stage.alices.series_id);
    for _ in 0..3 {
        try_upload(&mut client, &row).expect("no id is given twice");
    }
    let mut admin = copy.connect("postgres");
    assert_eq!(one::<i64>(&mut admin, "SELECT count(*) FROM timedb.self_check()"), 0);
    let audited = "SELECT count(*) FROM timedb.audit";
    assert_eq!(one::<i64>(&mut admin, audited), one::<i64>(&mut stage.admin(), audited));
    let unregistered = "SELECT count(*) FROM pg_class c, pg_extension e WHERE relnamespace = 'timedb'::regnamespace \
                          AND relkind IN ('r', 'S') AND extname = 'timedb' AND NOT c.oid = ANY (extconfig)";
    assert_eq!(one::<i64>(&mut admin, unregistered), 0);
}

/// What an update must not lose, as text.
const SURFACE: &str = "SELECT string_agg(line, E'\\n' ORDER BY line COLLATE \"C\") FROM ( \
    SELECT p::text AS line FROM pg_policies p WHERE schemaname = 'timedb' \
    UNION ALL SELECT concat_ws(' ', relname, relowner::regrole, relacl, relrowsecurity, relforcerowsecurity, reloptions) \
      FROM pg_class WHERE relnamespace = 'timedb'::regnamespace \
    UNION ALL SELECT concat_ws(' ', oid::regprocedure, proowner::regrole, proacl, prosecdef, provolatile, proparallel, proconfig) \
      FROM pg_proc WHERE pronamespace = 'timedb'::regnamespace \
    UNION ALL SELECT concat_ws(' ', nspowner::regrole, nspacl) FROM pg_namespace WHERE nspname = 'timedb') s";

/// There is one release so far: the step is the test's own, and does to functions what a step may do.
#[test]
fn t50_an_update_keeps_grants_policies_owners_and_open_sessions() {
    let folder = std::env::temp_dir().join(format!("timedb-next-{}", Uuid::now_v7().simple()));
    let project = next_release(&folder);
    let cluster = Options::default().project(project).start();
    fs::remove_dir_all(&folder).expect("the copy goes");
    let cluster = cluster.expect("a server");
    let stage = Stage::on(cluster.database("update").expect("a database"));
    let mut admin = stage.admin();
    run(
        &mut admin,
        "GRANT SELECT ON timedb.runs TO evil; GRANT EXECUTE ON FUNCTION timedb.whoami() TO evil",
    );
    let before: String = one(&mut admin, SURFACE);
    let mut alice = stage.alice();
    run(&mut admin, "ALTER EXTENSION timedb UPDATE TO '99.0.0'");
    assert_eq!(one::<String>(&mut admin, SURFACE), before);
    stage.assert_alice(&mut alice);
    stage.assert_bob(&mut stage.bob());
}

/// The project with a step to a later version, which makes every C function of 03_session.sql anew.
fn next_release(folder: &Path) -> Project {
    let root = Project::default().root().to_owned();
    fs::create_dir_all(folder.join("sql")).expect("a folder");
    let copy =
        |from: PathBuf, to: PathBuf| fs::copy(&from, to).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
    copy(root.join("timedb.control"), folder.join("timedb.control"));
    for entry in fs::read_dir(root.join("sql")).expect("the SQL") {
        let path = entry.expect("an entry").path();
        if path.is_file() {
            let name = path.file_name().expect("a name");
            copy(path.clone(), folder.join("sql").join(name));
        }
    }
    let session = fs::read_to_string(root.join("sql/03_session.sql")).expect("the functions");
    let step = session.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION");
    let version = Project::default().version().expect("a version");
    fs::write(folder.join(format!("sql/timedb--{version}--99.0.0.sql")), step).expect("the step");
    Project::at(folder)
}

/// What drops loses its grants; so no step drops what it can alter. A function whose arguments or answers change is made
/// anew by the same step; `tests/client/upgrade.rs` holds that it is then as in a fresh database, grants and all.
#[test]
fn t50_no_step_between_releases_drops_a_table_or_a_policy_or_a_function_it_does_not_make_anew() {
    for step in Project::default().upgrade_scripts().expect("the steps") {
        let text = fs::read_to_string(&step).expect("a step").to_uppercase();
        for lost in [
            "DROP TABLE",
            "DROP POLICY",
            "DROP VIEW",
            "DISABLE ROW LEVEL",
            "NO FORCE",
        ] {
            assert!(!text.contains(lost), "{lost} in {}", step.display());
        }
        for dropped in text.split("DROP FUNCTION ").skip(1) {
            let name = dropped
                .trim_start_matches("IF EXISTS ")
                .split('(')
                .next()
                .unwrap_or_default();
            let anew = format!("FUNCTION {name}(");
            let made = text
                .split("CREATE OR REPLACE ")
                .any(|statement| statement.starts_with(&anew));
            assert!(made, "{name} is dropped and not made anew in {}", step.display());
        }
    }
}

/// Accepted, as Postgres has it: who is to copy all tenants' rows must be allowed to see them.
#[test]
fn t53_replication_by_a_role_that_policies_bind_stops_and_copies_nothing() {
    let cluster = Options::default()
        .setting("wal_level = logical")
        .start()
        .expect("a server");
    let stage = Stage::on(cluster.database("there").expect("a database"));
    let here = cluster.database("here").expect("another");
    let mut there = stage.admin();
    run(&mut there, "CREATE PUBLICATION p FOR TABLE timedb.series");
    // In a transaction that has not written, as one must.
    one::<String>(
        &mut there,
        "SELECT slot_name::text FROM pg_create_logical_replication_slot('s', 'pgoutput')",
    );
    let mut admin = here.admin();
    let version: i32 = one(&mut admin, "SELECT current_setting('server_version_num')::int");
    let as_owner = if version >= 160_000 {
        // Else it is for want of a password that the copy stops.
        ", run_as_owner = true, password_required = false"
    } else {
        ""
    };
    run(
        &mut admin,
        &format!(
            "CREATE ROLE copier LOGIN SUPERUSER IN ROLE timedb_user; GRANT INSERT ON timedb.series TO copier; \
             SET ROLE copier; \
             CREATE SUBSCRIPTION s CONNECTION 'host={} user=postgres dbname={}' PUBLICATION p \
               WITH (create_slot = false, slot_name = 's', copy_data = false{as_owner}); RESET ROLE",
            cluster.folder().display(),
            stage.database.name()
        ),
    );
    upload(&mut stage.bob(), "copied by a superuser");
    let copied = "SELECT count(*) FROM timedb.series";
    wait_until("a superuser's copy has come", || one::<i64>(&mut admin, copied) == 1);
    run(
        &mut admin,
        "ALTER SUBSCRIPTION s DISABLE; ALTER ROLE copier NOSUPERUSER; ALTER SUBSCRIPTION s ENABLE",
    );
    upload(&mut stage.bob(), "not copied");
    let errors = "SELECT apply_error_count > 0 FROM pg_stat_subscription_stats";
    wait_until("the copy has stopped", || one(&mut admin, errors));
    assert_eq!(one::<i64>(&mut admin, copied), 1, "and nothing came");
    run(
        &mut admin,
        "ALTER SUBSCRIPTION s DISABLE; ALTER SUBSCRIPTION s SET (slot_name = NONE); DROP SUBSCRIPTION s",
    );
    wait_until("the slot is free", || {
        there.batch_execute("SELECT pg_drop_replication_slot('s')").is_ok()
    });
}
