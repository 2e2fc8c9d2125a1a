-- Nobody logged in: tables and views are empty, and functions say what is missing.

\getenv folder PG_ABS_SRCDIR
\set two_tenants :folder /include/two_tenants.sql
\set refused :folder /include/refused.sql
\set topic nobody
\i :two_tenants

SELECT timedb.current_tenant();
SELECT * FROM timedb.whoami();
SELECT (SELECT count(*) FROM timedb.series) AS series, (SELECT count(*) FROM timedb.runs) AS runs,
       (SELECT count(*) FROM timedb.values) AS "values", (SELECT count(*) FROM timedb.current_values) AS current_values,
       (SELECT count(*) FROM timedb._series_values(:'their_series'::uuid)) AS their_values;

SELECT timedb.read();
\echo :SQLSTATE

\i :refused
SELECT t.call, r.* FROM (VALUES
  (1, $$timedb.list_series()$$),
  (2, $$timedb.read()$$),
  (3, $$timedb.upload('2025-01-01', '[]')$$),
  (4, $$timedb.upload_points('2025-01-01', '{}', '{}', '{}')$$),
  (5, $$timedb.update('[]')$$),
  (6, $$timedb.create_series('x')$$),
  (7, $$timedb.create_user('11111111-1111-1111-1111-111111111111', 'x@nobody.test')$$),
  (8, $$timedb.list_users()$$),
  (9, $$timedb.deactivate_user('alice@nobody.test')$$),
  (10, $$timedb.activate_user('alice@nobody.test')$$),
  (11, $$timedb.regenerate_key('alice@nobody.test')$$),
  (12, $$timedb.create_key('alice@nobody.test')$$),
  (13, $$timedb.list_keys()$$),
  (14, $$timedb.revoke_key('11111111-1111-1111-1111-111111111111')$$),
  (15, $$timedb.pre_request()$$),
  (16, $$timedb.settled_time()$$),
  (17, $$timedb.read_changes('2025-01-01')$$),
  (18, $$timedb.read_changes_arrow('2025-01-01')$$),
  (19, $$timedb.label_values(null)$$),
  (20, $$timedb.update_series(null)$$),
  (21, $$timedb.latest(before => 'infinity')$$),
  (22, $$timedb.list_runs(max_rows => 0)$$),
  (23, $$timedb.read_buckets(null)$$),
  (24, $$timedb.gaps(null)$$),
  (25, $$timedb.coverage('{null}')$$)
) t(number, call), pg_temp.refused('SELECT ' || t.call) r ORDER BY t.number;

-- What is no tenant's needs no login: the pieces around points, and leaving.
SELECT timedb.count_points('{"start": "2025-01-01", "values": [1]}');
SELECT timedb.logout();

-- What only operators and the functions themselves may call.
SELECT t.call, r.* FROM (VALUES
  (1, $$timedb.self_check()$$),
  (2, $$timedb._create_user_operator(NULL, NULL, NULL)$$),
  (3, $$timedb._list_users_operator(NULL, true)$$),
  (4, $$timedb._set_user_active_operator('alice@nobody.test', NULL, NULL, false)$$),
  (5, $$timedb._regenerate_key_operator('alice@nobody.test', NULL, NULL, '0', NULL, NULL)$$),
  (6, $$timedb._create_key_operator('alice@nobody.test', NULL, NULL, NULL, 'admin', NULL)$$),
  (7, $$timedb._list_keys_operator(NULL, NULL)$$),
  (8, $$timedb._revoke_key_operator('11111111-1111-1111-1111-111111111111')$$),
  (9, $$timedb._presented_key_hash()$$),
  (10, $$timedb._may('read')$$),
  (11, $$timedb._require_login()$$),
  (12, $$timedb._points_of_bytes(''::bytea)$$)
) t(number, call), pg_temp.refused('SELECT ' || t.call) r ORDER BY t.number;
-- The bodies for a tenant's admin ask again, whoever calls them.
SELECT t.call, r.* FROM (VALUES
  (1, $$timedb._create_user_tenant('11111111-1111-1111-1111-111111111111', 'x@nobody.test', 'admin')$$),
  (2, $$timedb._list_users_tenant(NULL, true)$$),
  (3, $$timedb._set_user_active_tenant('alice@nobody.test', NULL, NULL, false)$$),
  (4, $$timedb._regenerate_key_tenant('alice@nobody.test', NULL, NULL, '0', NULL, NULL)$$),
  (5, $$timedb._create_key_tenant('alice@nobody.test', NULL, NULL, NULL, 'admin', NULL)$$),
  (6, $$timedb._list_keys_tenant(NULL, NULL)$$),
  (7, $$timedb._revoke_key_tenant('11111111-1111-1111-1111-111111111111')$$),
  (8, $$timedb._manages_as()$$)
) t(number, call), pg_temp.refused('SELECT ' || t.call) r ORDER BY t.number;

-- Operators have no data either.
\c - ops
SELECT timedb.current_tenant();
SELECT * FROM timedb.whoami();
SELECT timedb.read();
\echo :SQLSTATE
SELECT count(*) FROM timedb.values;
\echo :SQLSTATE

-- A superuser whom no key has logged in is nobody to the functions; the view, too, is empty.
\c - :superuser
SELECT count(*) FROM timedb.current_values;
SELECT timedb.read();
\echo :SQLSTATE
SELECT timedb.upload('2025-01-01', '[]');
\echo :SQLSTATE
