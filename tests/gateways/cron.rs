//! A nightly `maintain` by a real pg_cron, as an ordinary operator.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::Command;

use postgres::Client;
use timedb_testkit::{Cluster, Options, assert_ordinary_roles, one, run, wait_longer_until};
use uuid::Uuid;

use crate::program::installed;

const DATABASE: &str = "cron";
const TENANTS: i64 = 50;

/// A private server with pg_cron in it; none where the distribution has it for another Postgres only.
fn with_pg_cron() -> Option<Cluster> {
    let cluster = Options::default().start().expect("a server");
    let mut admin = cluster.connect("postgres", "postgres").expect("its superuser");
    let major: i32 = one(&mut admin, "SELECT current_setting('server_version_num')::int / 10000");
    // The distribution's own Postgres is 15, or another on another system.
    if major != 15 {
        println!("pg_cron is tried with Postgres 15");
        return None;
    }
    let unpacked = installed(&format!("pg_cron-{major}"));
    let folder = |setting: &str| -> String {
        one(
            &mut cluster.connect("postgres", "postgres").expect("its superuser"),
            &format!("SELECT setting FROM pg_config WHERE name = '{setting}'"),
        )
    };
    copy(
        &unpacked.join(format!("usr/lib/postgresql/{major}/lib")),
        &folder("PKGLIBDIR"),
    );
    let extension = format!("{}/extension", folder("SHAREDIR"));
    copy(
        &unpacked.join(format!("usr/share/postgresql/{major}/extension")),
        &extension,
    );
    cluster.create_database(DATABASE).expect("a database");
    let settings = format!(
        "shared_preload_libraries = 'pg_cron'\ncron.database_name = '{DATABASE}'\ncron.host = '{}'\n",
        cluster.folder().display()
    );
    let file = OpenOptions::new()
        .append(true)
        .open(cluster.data().join("postgresql.conf"));
    let written = file.and_then(|mut file| file.write_all(settings.as_bytes()));
    written.expect("its configuration");
    drop(admin);
    cluster.restart().expect("it starts with pg_cron");
    Some(cluster)
}

/// Of a folder the files alone.
fn copy(from: &Path, to: &str) {
    for entry in fs::read_dir(from).unwrap_or_else(|error| panic!("{}: {error}", from.display())) {
        let path = entry.expect("an entry").path();
        if path.is_file() {
            let copied = Command::new("cp").arg(&path).arg(to).status().expect("cp");
            assert!(copied.success(), "{}", path.display());
        }
    }
}

/// Two short runs each, so that there is something to pack.
fn tenants(admin: &mut Client, app: &mut Client) {
    for number in 0..TENANTS {
        let sql = "SELECT api_key FROM timedb.create_user($1, $2)";
        let email = format!("of{number}@tenant.com");
        let key: String = admin.query_one(sql, &[&Uuid::now_v7(), &email]).expect("a user").get(0);
        app.execute("SELECT timedb.authenticate($1)", &[&key]).expect("a login");
        for value in ["1", "2"] {
            let upload = format!("SELECT timedb.upload_points(now(), '{{secret}}', ARRAY[now()], '{{{value}}}')");
            run(app, &upload);
        }
    }
}

#[test]
fn pg_cron_maintains_fifty_tenants_as_an_operator_and_records_it() {
    let Some(cluster) = with_pg_cron() else { return };
    let connect = |role| cluster.connect(role, DATABASE).expect("a session");
    let mut admin = connect("postgres");
    run(
        &mut admin,
        "CREATE EXTENSION pg_cron; GRANT USAGE ON SCHEMA cron TO ops; \
         GRANT EXECUTE ON FUNCTION cron.schedule(text, text, text) TO ops",
    );
    tenants(&mut admin, &mut connect("app"));
    assert_ordinary_roles(&mut admin, &["ops"]);
    let mut ops = connect("ops");
    let schedule = "SELECT cron.schedule('nightly', '* * * * *', $$CALL timedb.maintain(older_than => '0')$$)";
    run(&mut ops, schedule);
    let ended = "SELECT count(*) > 0 FROM cron.job_run_details WHERE end_time IS NOT NULL";
    // pg_cron wakes up at full minutes.
    wait_longer_until("pg_cron has run it", 3, || one::<bool>(&mut ops, ended));
    // By row-level security of pg_cron's own: what it has done as this role.
    let told = "SELECT status || ': ' || return_message || ' as ' || username FROM cron.job_run_details ORDER BY runid LIMIT 1";
    assert_eq!(one::<String>(&mut ops, told), "succeeded: CALL as ops");
    let done = "SELECT count(*) FILTER (WHERE finished_at IS NOT NULL AND error IS NULL AND rows_before > rows_after) \
                FROM timedb.maintenance";
    assert_eq!(one::<i64>(&mut ops, done), TENANTS);
    assert_eq!(one::<i64>(&mut admin, "SELECT count(*) FROM timedb.values"), 0);
}
