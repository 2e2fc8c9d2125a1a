//! What the catalogs say of the extension and what its tables hold, as lines of text by topic, so that two databases can
//! be compared: one that was restored, or updated, with the one that it should be like. No OID is in it.

use postgres::Client;
use timedb_testkit::run;

use crate::support::tables;

/// The lines of each topic, sorted.
pub type Snapshot = Vec<(String, Vec<String>)>;

/// Each query gives lines. What the extension makes is in the schema, but for roles; its version is not told.
const TOPICS: [(&str, &str); 16] = [
    (
        "the extension and the schema",
        "SELECT concat_ws(' ', e.extowner::regrole, e.extnamespace::regnamespace, e.extrelocatable, n.nspowner::regrole, \
                          (SELECT s.setconfig FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase \
                           WHERE d.datname = current_database() AND s.setrole = 0)) \
         FROM pg_extension e, pg_namespace n WHERE e.extname = 'timedb' AND n.nspname = 'timedb'",
    ),
    (
        "members of the extension",
        "SELECT pg_describe_object(d.classid, d.objid, d.objsubid) \
         FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass \
         WHERE e.extname = 'timedb' AND d.deptype = 'e'",
    ),
    (
        "what is dumped",
        "SELECT concat_ws(' ', t.oid::regclass, t.condition) \
         FROM pg_extension e, unnest(e.extconfig, e.extcondition) t(oid, condition) WHERE e.extname = 'timedb'",
    ),
    (
        "roles",
        "SELECT concat_ws(' ', to_jsonb(r) - 'oid', \
                          (SELECT jsonb_agg(m.roleid::regrole ORDER BY m.roleid::regrole::text) \
                           FROM pg_auth_members m WHERE m.member = r.oid), \
                          (SELECT jsonb_agg(s.setconfig) FROM pg_db_role_setting s WHERE s.setrole = r.oid)) \
         FROM pg_roles r WHERE r.rolname LIKE 'timedb\\_%'",
    ),
    (
        "relations",
        "SELECT concat_ws(' ', c.oid::regclass, c.relkind, c.relpersistence, c.relowner::regrole, a.amname, c.relrowsecurity, \
                          c.relforcerowsecurity, c.relreplident, c.reloptions, \
                          CASE WHEN c.relkind = 'v' THEN pg_get_viewdef(c.oid) END) \
         FROM pg_class c LEFT JOIN pg_am a ON a.oid = c.relam WHERE c.relnamespace = 'timedb'::regnamespace",
    ),
    (
        // By number, which the library reads by; one that was dropped keeps its own. Back branches of Postgres note among
        // the options of a column when it was made (pg_attver).
        "columns",
        "SELECT concat_ws(' ', c.oid::regclass, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, \
                          a.attidentity, a.attgenerated, a.attstorage, a.attcompression, a.attstattarget, \
                          ARRAY(SELECT o FROM unnest(a.attoptions) o WHERE o NOT LIKE 'pg\\_attver=%' ORDER BY o), \
                          a.attcollation::regcollation, pg_get_expr(d.adbin, d.adrelid)) \
         FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid \
         LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum \
         WHERE c.relnamespace = 'timedb'::regnamespace AND a.attnum > 0",
    ),
    (
        "constraints",
        "SELECT concat_ws(' ', conrelid::regclass, conname, pg_get_constraintdef(oid), convalidated) \
         FROM pg_constraint WHERE connamespace = 'timedb'::regnamespace",
    ),
    (
        "indexes",
        "SELECT concat_ws(' ', pg_get_indexdef(i.indexrelid), i.indisvalid, i.indisclustered, i.indisreplident) \
         FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid WHERE c.relnamespace = 'timedb'::regnamespace",
    ),
    (
        "rules and triggers",
        "SELECT concat_ws(' ', w.ev_class::regclass, w.rulename, w.ev_enabled, pg_get_ruledef(w.oid)) \
         FROM pg_rewrite w JOIN pg_class c ON c.oid = w.ev_class WHERE c.relnamespace = 'timedb'::regnamespace \
         UNION ALL \
         SELECT concat_ws(' ', t.tgrelid::regclass, t.tgname, t.tgenabled, pg_get_triggerdef(t.oid)) \
         FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid \
         WHERE c.relnamespace = 'timedb'::regnamespace AND NOT t.tgisinternal",
    ),
    (
        "policies",
        "SELECT p::text FROM pg_policies p WHERE schemaname = 'timedb'",
    ),
    (
        "functions",
        "SELECT concat_ws(' ', p.oid::regprocedure, p.prokind, p.proowner::regrole, p.provolatile, p.proparallel, \
                          CASE WHEN p.prokind <> 'a' THEN pg_get_functiondef(p.oid) END) \
         FROM pg_proc p WHERE p.pronamespace = 'timedb'::regnamespace",
    ),
    (
        "aggregates",
        "SELECT jsonb_set(to_jsonb(a), '{aggtranstype}', to_jsonb(a.aggtranstype::regtype))::text \
         FROM pg_aggregate a JOIN pg_proc p ON p.oid = a.aggfnoid WHERE p.pronamespace = 'timedb'::regnamespace",
    ),
    (
        "types",
        "SELECT concat_ws(' ', t.oid::regtype, t.typowner::regrole, t.typtype, t.typcategory, t.typlen, t.typbyval, t.typalign, \
                          t.typstorage, t.typdelim, t.typinput, t.typoutput, t.typreceive, t.typsend, t.typmodin, t.typmodout, \
                          t.typanalyze, t.typnotnull, t.typdefault) \
         FROM pg_type t WHERE t.typnamespace = 'timedb'::regnamespace",
    ),
    (
        "grants",
        "SELECT concat_ws(' ', o.object, g.privilege_type, g.grantee::regrole, g.grantor::regrole, g.is_grantable) \
         FROM (SELECT format('schema %s', n.nspname), coalesce(n.nspacl, acldefault('n', n.nspowner)) \
               FROM pg_namespace n WHERE n.nspname = 'timedb' \
               UNION ALL \
               SELECT format('relation %s', c.oid::regclass), coalesce(c.relacl, acldefault('r', c.relowner)) \
               FROM pg_class c WHERE c.relnamespace = 'timedb'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f') \
               UNION ALL \
               SELECT format('column %s.%s', c.oid::regclass, a.attname), a.attacl \
               FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid \
               WHERE c.relnamespace = 'timedb'::regnamespace AND a.attnum > 0 \
               UNION ALL \
               SELECT format('function %s', p.oid::regprocedure), coalesce(p.proacl, acldefault('f', p.proowner)) \
               FROM pg_proc p WHERE p.pronamespace = 'timedb'::regnamespace \
               UNION ALL \
               SELECT format('type %s', t.oid::regtype), coalesce(t.typacl, acldefault('T', t.typowner)) \
               FROM pg_type t WHERE t.typnamespace = 'timedb'::regnamespace \
               UNION ALL \
               SELECT format('by default %s', d.defaclobjtype), d.defaclacl \
               FROM pg_default_acl d WHERE d.defaclnamespace = 'timedb'::regnamespace) o(object, acl), \
              aclexplode(o.acl) g",
    ),
    (
        // What pg_dump takes for given: whatever an update grants beside it would stand in every later dump.
        "grants that are the extension's own",
        "SELECT concat_ws(' ', pg_describe_object(i.classoid, i.objoid, i.objsubid), g.privilege_type, g.grantee::regrole, \
                          g.grantor::regrole, g.is_grantable) \
         FROM pg_init_privs i, aclexplode(i.initprivs) g, pg_identify_object(i.classoid, i.objoid, i.objsubid) o \
         WHERE i.privtype = 'e' AND o.identity ~ '\\mtimedb\\M'",
    ),
    (
        "comments",
        "SELECT concat_ws(': ', pg_describe_object(d.classoid, d.objoid, d.objsubid), d.description) \
         FROM pg_description d, pg_identify_object(d.classoid, d.objoid, d.objsubid) o \
         WHERE o.identity ~ '\\mtimedb\\M'",
    ),
];

/// What the catalogs say.
#[track_caller]
pub fn catalogs(admin: &mut Client) -> Snapshot {
    let topics = TOPICS.map(|(name, sql)| (name.to_owned(), sql.to_owned()));
    lines(admin, topics.into())
}

/// Every row of every table as text.
#[track_caller]
pub fn contents(admin: &mut Client) -> Snapshot {
    let rows = |table: String| (table.clone(), format!("SELECT t::text FROM {table} t"));
    let tables = tables(admin).into_iter().map(rows).collect();
    lines(admin, tables)
}

/// Every row of every table, and what the catalogs say.
#[track_caller]
pub fn everything(admin: &mut Client) -> Snapshot {
    let mut everything = contents(admin);
    everything.extend(catalogs(admin));
    everything
}

#[track_caller]
fn lines(admin: &mut Client, queries: Vec<(String, String)>) -> Snapshot {
    // What is left out of a name follows the search path.
    run(admin, "SET search_path = pg_catalog");
    let lines = |(name, sql): (String, String)| {
        let sorted = format!("SELECT l FROM ({sql}) q (l) ORDER BY l COLLATE \"C\"");
        let rows = admin.query(&sorted, &[]);
        let rows = rows.unwrap_or_else(|error| panic!("{name}: {error:?}"));
        (name, rows.iter().map(|row| row.get(0)).collect())
    };
    queries.into_iter().map(lines).collect()
}

/// Says all that is in one and not in the other; an empty topic compares nothing.
#[track_caller]
pub fn assert_same(found: &Snapshot, expected: &Snapshot) {
    assert_eq!(found.len(), expected.len());
    let mut differences = String::new();
    for ((topic, found), (_, expected)) in found.iter().zip(expected) {
        assert!(!expected.is_empty(), "the premise: there is something of {topic}");
        if found != expected {
            let (missing, extra) = (without(expected, found), without(found, expected));
            differences += &format!("\n{topic}: missing {missing:#?}, beyond it {extra:#?}");
        }
    }
    assert!(differences.is_empty(), "{differences}");
}

fn without<'a>(lines: &'a [String], others: &[String]) -> Vec<&'a String> {
    lines.iter().filter(|line| !others.contains(line)).collect()
}
