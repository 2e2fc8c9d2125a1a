//! What clients call is the same on a router and on a timedb.

use crate::support::{on_server, spread};
use postgres::Client;

/// What a timedb has and a router has not, and why.
const NOT_ON_A_ROUTER: [(&str, &str); 17] = [
    ("make_points", "the type of stored values is a server's own"),
    ("unnest_points", "the type of stored values is a server's own"),
    ("count_points", "the type of stored values is a server's own"),
    ("bound_points", "the type of stored values is a server's own"),
    ("merge_points", "the type of stored values is a server's own"),
    ("unnest_pack", "the type of stored values is a server's own"),
    ("points_in", "the type of stored values is a server's own"),
    ("points_out", "the type of stored values is a server's own"),
    ("points_recv", "the type of stored values is a server's own"),
    ("points_send", "the type of stored values is a server's own"),
    ("pack_in", "the type of stored values is a server's own"),
    ("pack_out", "the type of stored values is a server's own"),
    ("pack_recv", "the type of stored values is a server's own"),
    ("pack_send", "the type of stored values is a server's own"),
    ("points_analyze", "the type of stored values is a server's own"),
    ("pack_analyze", "the type of stored values is a server's own"),
    ("_", "what functions are made of"),
];

/// Each function that a role of ours may execute: its arguments with their defaults, its answer, its volatility, its comment, and who
/// may execute it. Whether it is parallel safe is left out: a connection to a server is one process's.
fn surface(client: &mut Client) -> Vec<String> {
    let sql = "
        SELECT format('%s(%s) -> %s, %s, %s, to %s: %s', p.proname, pg_get_function_arguments(p.oid),
                      pg_get_function_result(p.oid), p.prokind, p.provolatile,
                      (SELECT string_agg(g.grantee::regrole::text, ', ' ORDER BY g.grantee::regrole::text)
                       FROM aclexplode(p.proacl) g
                       WHERE g.grantee::regrole::text IN ('timedb_caller', 'timedb_user', 'timedb_admin')),
                      obj_description(p.oid, 'pg_proc')), p.proname::text
        FROM pg_proc p
        WHERE p.pronamespace = 'timedb'::regnamespace AND p.prokind IN ('f', 'p') AND NOT starts_with(p.proname, '_')
          AND EXISTS (SELECT FROM aclexplode(p.proacl) g
                      WHERE g.grantee::regrole::text IN ('timedb_caller', 'timedb_admin'))
        ORDER BY 1";
    let rows = client.query(sql, &[]).expect("the catalog");
    let is_left_out = |name: &str| NOT_ON_A_ROUTER.iter().any(|(left_out, _)| *left_out == name);
    rows.iter()
        .filter(|row| !is_left_out(row.get(1)))
        .map(|row| row.get(0))
        .collect()
}

#[test]
fn a_router_has_the_functions_of_a_timedb_and_says_the_same_of_them() {
    let database = spread("surface");
    let (of_router, of_timedb) = (surface(&mut database.admin()), surface(&mut on_server(&database, 0)));
    assert!(of_timedb.len() > 50, "{of_timedb:#?}");
    let missing: Vec<_> = of_timedb.iter().filter(|one| !of_router.contains(one)).collect();
    let foreign: Vec<_> = of_router.iter().filter(|one| !of_timedb.contains(one)).collect();
    assert!(missing.is_empty() && foreign.is_empty(), "{missing:#?}\n{foreign:#?}");
}

#[test]
fn what_functions_are_made_of_is_for_nobody_else_and_is_explained() {
    let database = spread("made of");
    let sql = "
        SELECT p.oid::regprocedure::text FROM pg_proc p
        WHERE p.pronamespace IN ('timedb'::regnamespace, 'timedb_router'::regnamespace)
          AND (p.proacl IS NULL OR EXISTS (SELECT FROM aclexplode(p.proacl) g WHERE g.grantee = 0)
               OR p.pronamespace = 'timedb'::regnamespace AND obj_description(p.oid, 'pg_proc') IS NULL)";
    let open = database.admin().query(sql, &[]).expect("the catalog");
    assert!(
        open.is_empty(),
        "{:?}",
        open.iter().map(|row| row.get(0)).collect::<Vec<String>>()
    );
}
