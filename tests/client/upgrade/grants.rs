//! What a DBA has granted and taken away is after an update as it was before it, and in later dumps.

use postgres::Client;
use timedb_testkit::{one, refused, run};

use super::{DATABASE, UPDATE, server_of_release};
use crate::catalog::{Snapshot, assert_same, catalogs};
use crate::dump::run_program;

/// Of functions that are made anew, of some that stay, of tables, of the schema.
const CHANGES: &str = "
  CREATE ROLE reporting; CREATE ROLE chief; CREATE ROLE \"first deputy\"; CREATE ROLE assistant;
  CREATE ROLE watcher LOGIN IN ROLE reporting;
  GRANT USAGE ON SCHEMA timedb TO reporting, chief, \"first deputy\";
  GRANT EXECUTE ON FUNCTION timedb.read(timestamptz, timestamptz, timestamptz, timestamptz, text, boolean, text[], uuid[],
    timestamptz), timedb.authenticate(text, boolean), timedb.update(json), timedb.current_tenant() TO reporting;
  GRANT EXECUTE ON FUNCTION timedb.read_arrow(timestamptz, timestamptz, timestamptz, timestamptz, text, boolean, text[], uuid[],
    timestamptz) TO PUBLIC;
  GRANT EXECUTE ON FUNCTION timedb.whoami() TO chief WITH GRANT OPTION;
  REVOKE EXECUTE ON FUNCTION timedb.upload(timestamptz, json, text, timestamptz, timestamptz, jsonb, jsonb) FROM timedb_user;
  REVOKE EXECUTE ON FUNCTION timedb.compact(uuid[], interval) FROM timedb_user;
  REVOKE EXECUTE ON FUNCTION timedb.regenerate_key(text, uuid, uuid, interval) FROM timedb_admin;
  GRANT SELECT ON timedb.current_values TO reporting;
  GRANT SELECT (series_key) ON timedb.series TO reporting;
  GRANT SELECT ON timedb.runs TO reporting;
  REVOKE SELECT ON timedb.packs FROM timedb_user;
  SET ROLE chief; GRANT EXECUTE ON FUNCTION timedb.whoami() TO \"first deputy\" WITH GRANT OPTION; RESET ROLE;
  SET ROLE \"first deputy\"; GRANT EXECUTE ON FUNCTION timedb.whoami() TO reporting; RESET ROLE;
  GRANT EXECUTE ON FUNCTION timedb.whoami() TO assistant;
  SET ROLE chief; GRANT EXECUTE ON FUNCTION timedb.whoami() TO assistant; RESET ROLE;
";

/// Who may what, and by whom if not by the owner, function by name: that is what is kept where arguments are not.
fn rights(admin: &mut Client) -> Vec<String> {
    let sql = "
      SELECT r.told FROM (SELECT format('%s %s to %s%s%s', o.object, g.privilege_type,
                    CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE g.grantee::regrole::text END,
                    CASE WHEN g.is_grantable THEN ' with grant option' END,
                    CASE WHEN g.grantor <> o.owner THEN ' by ' || g.grantor::regrole::text END) AS told
      FROM (SELECT 'function ' || p.proname, p.proacl, p.proowner FROM pg_proc p WHERE p.pronamespace = 'timedb'::regnamespace
            UNION ALL
            SELECT 'relation ' || c.relname, c.relacl, c.relowner FROM pg_class c WHERE c.relnamespace = 'timedb'::regnamespace
            UNION ALL
            SELECT format('column %s.%s', c.relname, a.attname), a.attacl, c.relowner
            FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid WHERE c.relnamespace = 'timedb'::regnamespace
            UNION ALL
            SELECT 'schema', n.nspacl, n.nspowner FROM pg_namespace n WHERE n.nspname = 'timedb') o(object, acl, owner),
           aclexplode(o.acl) g) r
      ORDER BY r.told COLLATE \"C\"";
    let rows = admin.query(sql, &[]).expect("the rights");
    rows.iter().map(|row| row.get(0)).collect()
}

/// By promise, object without its arguments, and what was found.
fn broken_promises(admin: &mut Client) -> Vec<String> {
    let sql = "SELECT concat_ws(': ', promise, split_part(object, '(', 1), found) AS broken FROM timedb.self_check() ORDER BY 1";
    let rows = admin.query(sql, &[]).expect("the promises");
    rows.iter().map(|row| row.get(0)).collect()
}

fn without<'a>(all: &'a [String], others: &[String]) -> Vec<&'a str> {
    all.iter()
        .filter(|one| !others.contains(one))
        .map(String::as_str)
        .collect()
}

/// The difference that a DBA makes before an update is the one that there is after it.
#[test]
fn what_was_granted_and_taken_away_is_so_after_an_update() {
    // What an update gives by itself.
    let (_cluster, mut admin) = server_of_release();
    run(&mut admin, UPDATE);
    let plain = rights(&mut admin);
    let plain_catalogs = catalogs(&mut admin);

    let (cluster, mut admin) = server_of_release();
    let before = rights(&mut admin);
    run(&mut admin, CHANGES);
    let changed = rights(&mut admin);
    let (given, taken) = (without(&changed, &before), without(&before, &changed));
    assert!(
        given.len() == 16 && taken.len() == 4,
        "the premise: {given:#?} {taken:#?}"
    );
    let broken = broken_promises(&mut admin);
    assert!(broken.len() >= 12, "the premise: {broken:#?}");
    run(&mut admin, UPDATE);

    let after = rights(&mut admin);
    assert_eq!(without(&after, &plain), given);
    let mut gone = without(&plain, &after);
    // The new group has no more than the one that it follows.
    gone.retain(|right| !right.ends_with("to timedb_caller"));
    assert_eq!(gone, taken);
    for lost in ["function upload", "function compact"] {
        let caller = format!("{lost} EXECUTE to timedb_caller");
        assert!(!after.contains(&caller), "{caller}");
        assert!(plain.contains(&caller), "the premise: {caller}");
    }
    assert_eq!(broken_promises(&mut admin), broken);

    // What the extension takes for its own is what it would be without: all else is in dumps.
    assert_same(
        &topic(&catalogs(&mut admin), "grants that are the extension's own"),
        &topic(&plain_catalogs, "grants that are the extension's own"),
    );
    let dump = run_program(cluster.server(), "pg_dump", DATABASE, &["--schema-only"]);
    for line in [
        "GRANT ALL ON FUNCTION timedb.update(",
        "REVOKE ALL ON FUNCTION timedb.compact(",
        "GRANT SELECT ON TABLE timedb.current_values TO reporting",
        "GRANT SELECT(series_key) ON TABLE timedb.series TO reporting",
        "GRANT USAGE ON SCHEMA timedb TO reporting",
    ] {
        assert!(dump.contains(line), "{line} in:\n{dump}");
    }

    // And it works: who could read reads.
    let mut watcher = cluster.connect("watcher", DATABASE).expect("watcher");
    watcher
        .execute("SELECT timedb.authenticate($1)", &[&super::keys()["alice"]])
        .expect("her key");
    assert!(one::<i64>(&mut watcher, "SELECT count(*) FROM timedb.read()") > 0);
    refused(watcher.query("SELECT * FROM timedb.latest()", &[])).code("42501");
    // What somebody has granted further ends with what he was granted.
    run(
        &mut admin,
        "REVOKE EXECUTE ON FUNCTION timedb.whoami() FROM chief CASCADE",
    );
    let mut left = rights(&mut admin);
    left.retain(|right| right.starts_with("function whoami") && without(&changed, &before).contains(&right.as_str()));
    assert_eq!(left, ["function whoami EXECUTE to assistant"]);
    // Roles that stand in no privilege any more can go.
    drop(watcher);
    run(
        &mut admin,
        "DROP OWNED BY reporting; DROP OWNED BY chief; DROP OWNED BY \"first deputy\"; DROP OWNED BY assistant; \
         DROP ROLE watcher; DROP ROLE chief; DROP ROLE reporting; DROP ROLE \"first deputy\"; DROP ROLE assistant",
    );
}

fn topic(catalogs: &Snapshot, name: &str) -> Snapshot {
    let of_name = catalogs.iter().filter(|(topic, _)| topic == name);
    let found: Snapshot = of_name.cloned().collect();
    assert_eq!(found.len(), 1, "the premise");
    found
}
