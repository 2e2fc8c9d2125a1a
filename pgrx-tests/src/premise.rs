//! The premise of every test of isolation: policies bind the role that is refused, or that sees nothing. Where they do
//! not, such a test would pass by mistake, or prove what it does not say.

use postgres::Client;

use crate::query::one;

/// Every power that a role has by itself or by a role it may become (`SET ROLE` needs no INHERIT), and that policies do
/// not bind: attributes, the ownership of anything of timedb's, the server's files. Up to Postgres 15 CREATEROLE makes its
/// holder a member of any role that is no superuser. It fails where timedb is not installed, because there is no power
/// over it to be found.
const POWERS: &str = "
    WITH owner (oid) AS (
      SELECT relowner FROM pg_catalog.pg_class WHERE relnamespace = 'timedb'::pg_catalog.regnamespace
      UNION SELECT proowner FROM pg_catalog.pg_proc WHERE pronamespace = 'timedb'::pg_catalog.regnamespace
      UNION SELECT typowner FROM pg_catalog.pg_type WHERE typnamespace = 'timedb'::pg_catalog.regnamespace
      UNION SELECT nspowner FROM pg_catalog.pg_namespace WHERE nspname = 'timedb'
      UNION SELECT extowner FROM pg_catalog.pg_extension WHERE extname = 'timedb'
    ), power (oid, name) AS (
      SELECT oid, 'superuser' FROM pg_catalog.pg_roles WHERE rolsuper
      UNION ALL SELECT oid, 'BYPASSRLS' FROM pg_catalog.pg_roles WHERE rolbypassrls
      UNION ALL SELECT oid, 'CREATEROLE' FROM pg_catalog.pg_roles WHERE rolcreaterole
      UNION ALL SELECT oid, 'REPLICATION' FROM pg_catalog.pg_roles WHERE rolreplication
      UNION ALL SELECT oid, 'an owner' FROM owner
      UNION ALL SELECT oid, 'the server''s files' FROM pg_catalog.pg_roles
        WHERE rolname IN ('pg_read_server_files', 'pg_write_server_files', 'pg_execute_server_program')
    )
    SELECT pg_catalog.concat(asked.name, ' as ', power.oid::pg_catalog.regrole, ': ', power.name)
      FROM pg_catalog.unnest($1::text[]) AS asked (name)
      JOIN pg_catalog.pg_roles r ON r.rolname = asked.name
      JOIN power ON pg_catalog.pg_has_role(r.oid, power.oid, 'MEMBER')
    UNION ALL
    SELECT pg_catalog.concat(asked.name, ': no such role')
      FROM pg_catalog.unnest($1::text[]) AS asked (name)
      WHERE asked.name NOT IN (SELECT rolname FROM pg_catalog.pg_roles)
    ORDER BY 1";

/// Whoever the session is, was when it connected, and is again after a RESET.
const SESSION: &str = "
    SELECT ARRAY[current_user, session_user,
                 (SELECT usename FROM pg_catalog.pg_stat_activity WHERE pid = pg_catalog.pg_backend_pid())]::text[]";

/// What makes these roles more than ordinary, a line each.
#[track_caller]
pub fn powers(client: &mut Client, roles: &[&str]) -> Vec<String> {
    let rows = client.query(POWERS, &[&roles]);
    let rows = rows.unwrap_or_else(|error| panic!("the powers of {roles:?}: {error:?}"));
    rows.iter().map(|row| row.get(0)).collect()
}

/// Policies bind this session, whatever it resets.
#[track_caller]
pub fn assert_ordinary(client: &mut Client) {
    let roles: Vec<String> = one(client, SESSION);
    let roles: Vec<&str> = roles.iter().map(String::as_str).collect();
    assert_ordinary_roles(client, &roles);
}

/// Policies bind these roles, whoever they become.
#[track_caller]
pub fn assert_ordinary_roles(client: &mut Client, roles: &[&str]) {
    let powers = powers(client, roles);
    assert!(
        powers.is_empty(),
        "the premise: {roles:?} are ordinary roles, but {powers:#?}"
    );
}
