//! What must hold of the tables whatever has happened: no orphans, counts and bounds that agree, indexes that are sound.

use postgres::Client;
use timedb_testkit::{one, run};

use crate::seed::tell;

/// Every point of every version, packed or not.
const POINTS: &str = "
    CREATE TEMP TABLE version AS
      SELECT tenant_id, series_id, run_id, known_time, change_time, points FROM timedb.values
      UNION ALL
      SELECT p.tenant_id, p.series_id, v.run_id, v.known_time, v.change_time, v.points
      FROM timedb.packs p, timedb.unnest_pack(p.versions) v;
    CREATE TEMP TABLE point AS
      SELECT v.tenant_id, v.series_id, v.run_id, v.change_time, p.valid_time, p.valid_time_end
      FROM version v, timedb.unnest_points(v.points) p";

/// What is wrong, and a query of where; each finds nothing.
const FAULTS: [(&str, &str); 13] = [
    (
        "a version whose run is not there, or was known at another time",
        "SELECT v.run_id FROM version v LEFT JOIN timedb.runs r USING (tenant_id, run_id)
         WHERE r.known_time IS DISTINCT FROM v.known_time",
    ),
    (
        "a version whose series is not there",
        "SELECT v.series_id FROM version v LEFT JOIN timedb.series s USING (tenant_id, series_id) WHERE s.series_id IS NULL",
    ),
    (
        "a run that has counted others than it has",
        "SELECT r.run_id FROM timedb.runs r LEFT JOIN (
           SELECT tenant_id, run_id, count(DISTINCT (series_id, valid_time, valid_time_end)) AS values
           FROM point GROUP BY tenant_id, run_id) p USING (tenant_id, run_id)
         WHERE r.value_count IS DISTINCT FROM coalesce(p.values, 0)",
    ),
    (
        "a run without values where nothing was taken out",
        "SELECT r.run_id FROM timedb.runs r
         WHERE r.value_count = 0 AND NOT EXISTS (
           SELECT FROM timedb.audit a WHERE a.tenant_id = r.tenant_id AND a.action = 'apply_retention')",
    ),
    (
        // What was changed last may have been taken out since.
        "a run with a change after its last one",
        "SELECT r.run_id FROM timedb.runs r JOIN (
           SELECT tenant_id, run_id, max(at) AS last FROM (
             SELECT tenant_id, run_id, change_time AS at FROM version
             UNION ALL
             SELECT tenant_id, run_id, coalesce(restored_at, withdrawn_at) FROM timedb.withdrawals) w
           GROUP BY tenant_id, run_id) v
         USING (tenant_id, run_id) WHERE r.last_change_time < v.last",
    ),
    (
        "a version of a value that is there twice",
        "SELECT run_id FROM point GROUP BY tenant_id, series_id, run_id, change_time, valid_time, valid_time_end
         HAVING count(*) > 1",
    ),
    (
        "a row of an upload whose run lists none",
        "SELECT v.run_id FROM timedb.values v JOIN timedb.runs r USING (tenant_id, run_id)
         WHERE v.part < 0 AND r.listed IS NULL",
    ),
    (
        "a row whose bounds are not those of its points",
        "SELECT v.run_id FROM timedb.values v, timedb.bound_points(v.points) b
         WHERE (v.valid_from, v.valid_to) IS DISTINCT FROM (b.valid_from, b.valid_to)",
    ),
    (
        "a pack that says other things than its versions",
        "SELECT p.pack_id FROM timedb.packs p CROSS JOIN LATERAL (
           SELECT min(v.known_time) AS first_known, max(v.known_time) AS last_known, min(v.change_time) AS first_change,
                  max(v.change_time) AS last_change, sum(timedb.count_points(v.points)) AS point_count,
                  min(b.valid_from) AS valid_from, max(b.valid_to) AS valid_to
           FROM timedb.unnest_pack(p.versions) v, timedb.bound_points(v.points) b) v
         WHERE (p.first_known, p.last_known, p.first_change, p.last_change, p.point_count, p.valid_from, p.valid_to)
           IS DISTINCT FROM (v.first_known, v.last_known, v.first_change, v.last_change, v.point_count, v.valid_from, v.valid_to)",
    ),
    (
        "a label of a series by which it is not found",
        "SELECT s.series_id FROM timedb.series s, pg_catalog.jsonb_object_keys(s.labels) AS k (label)
         WHERE s.labels_entered AND NOT EXISTS (
           SELECT FROM timedb.series_labels l
           WHERE l.tenant_id = s.tenant_id AND l.series_id = s.series_id AND l.label = k.label)",
    ),
    (
        "a key that was made and is not in the audit, or the other way round",
        "SELECT key_id FROM (SELECT key_id FROM timedb.api_keys WHERE name IS NOT NULL) k
         FULL JOIN (SELECT key_id FROM timedb.audit WHERE action = 'create_key') a USING (key_id)
         WHERE k.key_id IS NULL OR a.key_id IS NULL",
    ),
    (
        // A tenant that compacts by itself meanwhile is left for the next time, as what was killed is.
        "maintenance that has failed, or found what nobody has",
        "SELECT error, orphans FROM timedb.maintenance_log 
         WHERE error NOT LIKE ALL ('{55P03:%,interrupted}') OR orphans > 0",
    ),
    ("a broken promise", "SELECT promise FROM timedb.self_check()"),
];

/// The tables, their TOAST tables and the indexes of both.
const RELATIONS: &str = "
    CREATE TEMP TABLE relation AS
      WITH t AS (SELECT oid, reltoastrelid FROM pg_catalog.pg_class
                 WHERE relnamespace = 'timedb'::pg_catalog.regnamespace AND relkind = 'r'),
           heap AS (SELECT oid FROM t UNION SELECT reltoastrelid FROM t WHERE reltoastrelid <> 0)
      SELECT oid, false AS is_index FROM heap
      UNION ALL
      SELECT i.indexrelid, true FROM heap JOIN pg_catalog.pg_index i ON i.indrelid = heap.oid";

#[track_caller]
pub fn assert_whole(admin: &mut Client) {
    // The disk of the database may be full.
    run(admin, "SET temp_tablespaces = pg_default; SET work_mem = '64MB'");
    run(admin, POINTS);
    for (fault, query) in FAULTS {
        let found: i64 = one(admin, &format!("SELECT count(*) FROM ({query}) AS f"));
        let first = format!("SELECT f::text FROM ({query}) AS f LIMIT 1");
        assert_eq!(found, 0, "{fault}: {}", one::<String>(admin, &first));
    }
    run(admin, "DROP TABLE point, version");
    if has_amcheck(admin) {
        check_storage(admin);
    }
}

/// Contrib of the server; some builds come without.
pub fn has_amcheck(admin: &mut Client) -> bool {
    one(
        admin,
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_available_extensions WHERE name = 'amcheck')",
    )
}

/// Says so where half of the test cannot be made.
pub fn tell_without_amcheck(admin: &mut Client, test: &str) {
    if !has_amcheck(admin) {
        tell(&format!(
            "{test}: NOT CHECKED: pages and indexes, as this server has no amcheck (contrib)"
        ));
    }
}

#[track_caller]
fn check_storage(admin: &mut Client) {
    run(admin, "CREATE EXTENSION IF NOT EXISTS amcheck");
    run(admin, RELATIONS);
    let checked: i64 = one(
        admin,
        "SELECT count(*) FROM (SELECT public.bt_index_check(oid, true) FROM relation WHERE is_index OFFSET 0) AS checked",
    );
    assert!(checked > 20, "the premise: {checked} indexes");
    let pages =
        "SELECT pg_catalog.string_agg(concat_ws(' ', r.oid::pg_catalog.regclass, p.blkno, p.offnum, p.msg), '; ')
                 FROM relation r, public.verify_heapam(r.oid) p WHERE NOT r.is_index";
    assert_eq!(one::<Option<String>>(admin, pages), None);
    run(admin, "DROP TABLE relation");
}
