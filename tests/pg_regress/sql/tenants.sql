-- Two tenants on the same tables: neither sees, changes or learns anything of the other.

\getenv folder PG_ABS_SRCDIR
\set two_tenants :folder /include/two_tenants.sql
\set refused :folder /include/refused.sql
\set topic tenants
\i :two_tenants

-- Both have a series of the same name. Ours has rows as well, so that an empty answer would be wrong.
SELECT email FROM timedb.authenticate(:'alice_key');
SELECT run_id AS our_run, series_ids->>'theirs' AS our_series
FROM timedb.upload('2025-01-01', '[{"value_key": "theirs", "valid_time": "2025-01-01", "value": 1}]') \gset

-- Tables, the view and the functions show ours alone.
SELECT 'series' AS relation, count(*), bool_and(tenant_id = :'ours') AS ours FROM timedb.series
UNION ALL SELECT 'runs', count(*), bool_and(tenant_id = :'ours') FROM timedb.runs
UNION ALL SELECT 'values', count(*), bool_and(tenant_id = :'ours') FROM timedb.values
UNION ALL SELECT 'current_values', count(*), bool_and(run_id = :'our_run') FROM timedb.current_values
UNION ALL SELECT 'list_series', count(*), bool_and(series_id = :'our_series') FROM timedb.list_series()
UNION ALL SELECT 'read', count(*), bool_and(run_id = :'our_run') FROM timedb.read()
UNION ALL SELECT 'read all', count(*), bool_and(run_id = :'our_run') FROM timedb.read(mode => 'overlapping', all_versions => true);
-- Also when asked for by name.
SELECT count(*) FROM timedb.series WHERE tenant_id = :'theirs' OR series_id = :'their_series';
SELECT count(*) FROM timedb.runs WHERE tenant_id = :'theirs' OR run_id = :'their_run';
SELECT count(*) FROM timedb.values WHERE tenant_id = :'theirs' OR run_id = :'their_run';
SELECT count(*) FROM timedb.current_values WHERE series_id = :'their_series' OR run_id = :'their_run';
SELECT count(*) FROM timedb._series_values(:'their_series'::uuid);
SELECT count(*) FROM timedb.read(series_ids => ARRAY[:'their_series']::uuid[]);
SELECT value FROM timedb.read(series_keys => '{theirs}');
-- A function that a planner would like to run first sees only our rows.
CREATE FUNCTION pg_temp.leak(text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS $$
BEGIN
  RAISE NOTICE 'changed by %', $1;
  RETURN true;
END
$$;
SELECT count(*) FROM timedb.values WHERE pg_temp.leak(changed_by);
-- A plan kept for one tenant does not serve another.
SET plan_cache_mode = force_generic_plan;
PREPARE seen AS SELECT DISTINCT changed_by FROM timedb.values;
EXECUTE seen;
SELECT email FROM timedb.authenticate(:'bob_key');
EXECUTE seen;
SELECT email FROM timedb.authenticate(:'alice_key');
EXECUTE seen;
RESET plan_cache_mode;
-- Nor does switching row security off show more.
SET row_security = off;
SELECT count(*) FROM timedb.values;
\echo :SQLSTATE
RESET row_security;

-- Users, keys and bindings are not to be read at all.
SELECT * FROM timedb.users;
\echo :SQLSTATE
SELECT * FROM timedb.api_keys;
\echo :SQLSTATE
SELECT * FROM timedb.role_bindings;
\echo :SQLSTATE

-- Writing onto their series or run fails in the words for what is not there at all.
\i :refused
SELECT r.code, replace(r.message, t.id, 'ID') AS message FROM (VALUES (1, :'absent'), (2, :'their_series')) t(number, id),
  pg_temp.refused(format($$SELECT timedb.upload('2025-01-01', '[{"series_id": "%s", "valid_time": "2025-01-02", "value": 2}]')$$, t.id)) r ORDER BY t.number;
SELECT r.code, replace(r.message, t.id, 'ID') AS message FROM (VALUES (1, :'absent'), (2, :'their_series')) t(number, id),
  pg_temp.refused(format($$SELECT timedb.upload('2025-01-01', '[{"series_id": "%s", "value_key": "theirs", "valid_time": "2025-01-02", "value": 2}]')$$, t.id)) r ORDER BY t.number;
SELECT r.code, replace(replace(r.message, t.run, 'RUN'), t.series, 'SERIES') AS message
FROM (VALUES (1, :'absent', :'absent'), (2, :'their_run', :'their_series'), (3, :'our_run', :'absent'), (4, :'our_run', :'their_series'),
             (5, :'absent', :'our_series'), (6, :'their_run', :'our_series')) t(number, run, series),
  pg_temp.refused(format($$SELECT timedb.update('[{"run_id": "%s", "series_id": "%s", "valid_time": "2025-01-01", "value": 2}]')$$, t.run, t.series)) r ORDER BY t.number;
-- Whoever names a tenant names his own; what is another's is told like what is not there.
SELECT u.message FROM timedb.upload('2025-01-01', '[{"value_key": "named", "valid_time": "2025-01-01", "value": 1}]', tenant_id => :'ours') u;
SELECT u.status FROM timedb.read(series_keys => '{named}') v, timedb.update(json_build_array(json_build_object(
  'tenant_id', :'ours', 'run_id', v.run_id, 'series_id', v.series_id, 'valid_time', v.valid_time, 'value', 2))) u;
SELECT r.code, replace(r.message, t.id, 'ID') AS message FROM (VALUES (1, :'absent'), (2, :'theirs')) t(number, id),
  pg_temp.refused(format($$SELECT timedb.upload('2025-01-01', '[{"value_key": "named", "valid_time": "2025-01-02", "value": 2}]', tenant_id => '%s')$$, t.id)) r ORDER BY t.number;
SELECT r.code, replace(r.message, t.id, 'ID') AS message FROM (VALUES (1, :'absent'), (2, :'theirs')) t(number, id),
  pg_temp.refused(format($$SELECT timedb.update('[{"tenant_id": "%s", "run_id": "%s", "series_id": "%s", "valid_time": "2025-01-01", "value": 3}]')$$, t.id, :'our_run', :'our_series')) r ORDER BY t.number;
SELECT r.code, r.message FROM pg_temp.refused(format($$SELECT timedb.update('[{"tenant_id": 7, "run_id": "%s", "series_id": "%s", "valid_time": "2025-01-01", "value": 3}]')$$, :'our_run', :'our_series')) r;
SELECT value FROM timedb.read(series_keys => '{named}');
-- Tables take no rows from anybody.
UPDATE timedb.series SET tenant_id = :'theirs';
\echo :SQLSTATE
DELETE FROM timedb.values WHERE tenant_id = :'theirs';
\echo :SQLSTATE
INSERT INTO timedb.runs SELECT * FROM timedb.runs;
\echo :SQLSTATE
MERGE INTO timedb.series s USING (SELECT 1) x ON s.tenant_id = :'theirs' WHEN MATCHED THEN DELETE;
\echo :SQLSTATE
TRUNCATE timedb.values;
\echo :SQLSTATE
-- What is copied out is what is seen; copying in is refused.
COPY timedb.values (valid_from, points, changed_by) TO STDOUT;
\copy timedb.values from '/dev/null'
\echo :SQLSTATE

-- An admin of ours manages nobody of theirs.
SELECT email FROM timedb.authenticate(:'admin_key');
SELECT bool_and(tenant_id = :'ours') AS ours FROM timedb.list_users(include_inactive => true);
SELECT r.code, replace(r.message, t.id, 'ID') AS message FROM (VALUES (1, :'absent'), (2, :'bob_id')) t(number, id),
  pg_temp.refused(format('SELECT timedb.list_keys(user_id => %L)', t.id)) r ORDER BY t.number;
SELECT r.code, replace(r.message, t.id, 'ID') AS message FROM (VALUES (1, :'absent'), (2, :'bob_id')) t(number, id),
  pg_temp.refused(format('SELECT timedb.create_key(user_id => %L)', t.id)) r ORDER BY t.number;
SELECT r.code, replace(r.message, t.id, 'ID') AS message FROM (VALUES (1, :'absent'), (2, :'bob_id')) t(number, id),
  pg_temp.refused(format('SELECT timedb.regenerate_key(user_id => %L)', t.id)) r ORDER BY t.number;
SELECT r.code, replace(r.message, t.id, 'ID') AS message FROM (VALUES (1, :'absent'), (2, :'bob_id')) t(number, id),
  pg_temp.refused(format('SELECT timedb.deactivate_user(user_id => %L)', t.id)) r ORDER BY t.number;
SELECT r.code, replace(r.message, t.id, 'ID') AS message FROM (VALUES (1, :'absent'), (2, :'bob_id')) t(number, id),
  pg_temp.refused(format('SELECT timedb.activate_user(user_id => %L)', t.id)) r ORDER BY t.number;
SELECT r.code, replace(r.message, t.id, 'ID') AS message FROM (VALUES (1, :'absent'), (2, :'bob_key_id')) t(number, id),
  pg_temp.refused(format('SELECT timedb.revoke_key(%L)', t.id)) r ORDER BY t.number;
SELECT r.code, replace(r.message, t.id, 'ID') AS message FROM (VALUES (1, :'absent'), (2, :'theirs')) t(number, id),
  pg_temp.refused(format('SELECT timedb.list_keys(%L)', t.id)) r ORDER BY t.number;

-- Theirs is untouched.
SELECT email FROM timedb.authenticate(:'bob_key');
SELECT series_key, value, changed_by FROM timedb.read(mode => 'overlapping', all_versions => true);

-- No policy binds a superuser: bare tables show him all. But logged in he sees one tenant through the API.
\c - :superuser
SELECT email FROM timedb.authenticate(:'alice_key');
SELECT count(DISTINCT tenant_id) > 1 AS all_tenants FROM timedb.values;
SELECT count(*), bool_and(run_id IN (SELECT r.run_id FROM timedb.runs r WHERE r.tenant_id = :'ours')) AS ours FROM timedb.read(mode => 'overlapping', all_versions => true);
SELECT count(*) FROM timedb.read(series_ids => ARRAY[:'their_series']::uuid[]);
SELECT count(*), bool_and(series_id <> :'their_series') AS ours FROM timedb.list_series();
SELECT count(*), bool_and(run_id IN (SELECT r.run_id FROM timedb.runs r WHERE r.tenant_id = :'ours')) AS ours FROM timedb.current_values;
SELECT count(*) FROM timedb._series_values(:'their_series'::uuid);
SELECT timedb.create_series('theirs') = :'our_series' AS ours;
SELECT series_ids->>'theirs' = :'our_series' AS ours
FROM timedb.upload('2025-01-01', '[{"value_key": "theirs", "valid_time": "2025-01-03", "value": 3}]');
\i :refused
SELECT r.code, replace(r.message, t.id, 'ID') AS message FROM (VALUES (1, :'absent'), (2, :'their_series')) t(number, id),
  pg_temp.refused(format($$SELECT timedb.upload('2025-01-01', '[{"series_id": "%s", "valid_time": "2025-01-02", "value": 2}]')$$, t.id)) r ORDER BY t.number;
SELECT r.code, replace(r.message, t.id, 'ID') AS message FROM (VALUES (1, :'absent'), (2, :'their_run')) t(number, id),
  pg_temp.refused(format($$SELECT timedb.update('[{"run_id": "%s", "series_id": "%s", "valid_time": "2025-01-01", "value": 2}]')$$, t.id, :'their_series')) r ORDER BY t.number;
-- The key wins over what the superuser may: alice manages nobody.
SELECT timedb.list_users();
\echo :SQLSTATE
SELECT email FROM timedb.authenticate(:'admin_key');
SELECT bool_and(tenant_id = :'ours') AS ours FROM timedb.list_users(include_inactive => true);
SELECT bool_and(k.email LIKE '%@tenants.test' AND k.email <> 'bob@tenants.test') AS ours FROM timedb.list_keys() k;
