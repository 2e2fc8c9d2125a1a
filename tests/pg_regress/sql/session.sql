-- Logging in and out, and what can and cannot change who a session acts for.

\getenv folder PG_ABS_SRCDIR
\set two_tenants :folder /include/two_tenants.sql
\set topic session
\i :two_tenants

-- Nobody.
SELECT timedb.current_tenant();
SELECT * FROM timedb.whoami();

-- A key binds the session to its tenant.
SELECT tenant_id = :'ours' AS ours, user_id = :'alice_id' AS alice, email, scope, expires_at
FROM timedb.authenticate(:'alice_key');
SELECT tenant_id = :'ours' AS ours, user_id = :'alice_id' AS alice, email, scope, expires_at, via
FROM timedb.whoami();
SELECT timedb.current_tenant() = :'ours' AS ours;
SELECT current_setting('timedb.tenant') = :'ours' AS ours;

-- Another key takes its place.
SELECT tenant_id = :'theirs' AS theirs, email, scope FROM timedb.authenticate(:'bob_key');
SELECT timedb.current_tenant() = :'theirs' AS theirs;
SELECT timedb.logout();
SELECT timedb.current_tenant();
-- Logging out twice does no harm.
SELECT timedb.logout();

-- is_local: until the end of the transaction. NULL is the default, the session.
BEGIN;
SELECT email FROM timedb.authenticate(:'alice_key', true);
SELECT timedb.current_tenant() = :'ours' AS ours;
COMMIT;
SELECT timedb.current_tenant();
SELECT email FROM timedb.authenticate(:'bob_key', is_local => NULL);
BEGIN;
SELECT email FROM timedb.authenticate(:'alice_key', is_local => true);
SELECT timedb.current_tenant() = :'ours' AS ours;
ROLLBACK;
SELECT timedb.current_tenant() = :'theirs' AS theirs;
SELECT timedb.logout();
-- Outside a transaction block such a login is gone with its statement: that cannot be meant.
SELECT email FROM timedb.authenticate(:'alice_key', true);
SELECT timedb.current_tenant();

-- A login follows savepoints and rollbacks.
BEGIN;
SELECT email FROM timedb.authenticate(:'alice_key');
SAVEPOINT before_bob;
SELECT email FROM timedb.authenticate(:'bob_key');
ROLLBACK TO before_bob;
SELECT timedb.current_tenant() = :'ours' AS ours;
ROLLBACK;
SELECT timedb.current_tenant();
-- So does a logout.
SELECT email FROM timedb.authenticate(:'alice_key');
BEGIN;
SELECT timedb.logout();
SELECT timedb.current_tenant();
ROLLBACK;
SELECT timedb.current_tenant() = :'ours' AS ours;

-- RESET ALL and DISCARD ALL log out.
RESET ALL;
SELECT timedb.current_tenant();
SELECT email FROM timedb.authenticate(:'alice_key');
DISCARD ALL;
SELECT timedb.current_tenant();

-- A failed login leaves nobody logged in, and every bad key is refused in the same words.
SELECT email FROM timedb.authenticate(:'alice_key');
SELECT timedb.authenticate('nonsense');
\echo :SQLSTATE
SELECT timedb.current_tenant();
SELECT * FROM timedb.whoami();
SELECT timedb.read();
\echo :SQLSTATE
SELECT timedb.authenticate(NULL);
\echo :SQLSTATE
SELECT timedb.authenticate('');
\echo :SQLSTATE
SELECT timedb.authenticate(repeat('x', 1000000));
\echo :SQLSTATE
-- One character changed.
SELECT timedb.authenticate(overlay(:'alice_key' PLACING CASE substr(:'alice_key', 20, 1) WHEN 'a' THEN 'b' ELSE 'a' END FROM 20));
\echo :SQLSTATE
-- Well formed, and nobody's.
\c - ops
BEGIN;
SELECT api_key AS unknown_key FROM timedb.create_key(user_id => :'alice_id') \gset
ROLLBACK;
\c - app
SELECT timedb.authenticate(:'unknown_key');
\echo :SQLSTATE
-- A rollback does not bring the former tenant back.
SELECT email FROM timedb.authenticate(:'alice_key');
BEGIN;
SELECT timedb.authenticate(:'unknown_key');
ROLLBACK;
SELECT timedb.current_tenant();
SELECT email FROM timedb.authenticate(:'alice_key');
BEGIN;
SAVEPOINT before_failure;
SELECT timedb.authenticate(:'unknown_key');
ROLLBACK TO before_failure;
SELECT timedb.current_tenant();
COMMIT;
SELECT timedb.current_tenant();
-- A login after it counts; where that one is rolled back, nobody comes back.
BEGIN;
SELECT email FROM timedb.authenticate(:'alice_key');
ROLLBACK;
SELECT timedb.current_tenant();
SELECT email FROM timedb.authenticate(:'alice_key');
SELECT timedb.current_tenant() = :'ours' AS ours;
-- The failure of a login of the transaction ends with it.
BEGIN;
SAVEPOINT before_failure;
SELECT timedb.authenticate(:'unknown_key', true);
ROLLBACK TO before_failure;
SELECT timedb.current_tenant();
COMMIT;
SELECT timedb.current_tenant() = :'ours' AS ours;

-- Logging in writes nothing, takes no transaction id, and works in a read-only transaction.
SELECT timedb.logout();
BEGIN READ ONLY;
SELECT email FROM timedb.authenticate(:'alice_key');
SELECT count(*) FROM timedb.read();
SELECT pg_current_xact_id_if_assigned();
COMMIT;
SELECT timedb.current_tenant() = :'ours' AS ours;
SELECT timedb.logout();

-- Nobody sets the settings otherwise, before and after the library is loaded, not even a superuser.
\c - app
SET timedb.tenant = '11111111-1111-1111-1111-111111111111';
SELECT timedb.current_tenant();
SET timedb.tenant = '11111111-1111-1111-1111-111111111111';
\echo :SQLSTATE
SELECT set_config('timedb.tenant', :'theirs', true);
\echo :SQLSTATE
RESET timedb.login;
\echo :SQLSTATE
SET timedb.tennant = 'x';
\echo :SQLSTATE
ALTER ROLE app SET timedb.tenant = '11111111-1111-1111-1111-111111111111';
\echo :SQLSTATE
\c - :superuser
SELECT timedb.current_tenant();
SET timedb.tenant = '11111111-1111-1111-1111-111111111111';
\echo :SQLSTATE
SELECT set_config('timedb.login', 'x', true);
\echo :SQLSTATE
ALTER ROLE app SET timedb.tenant = '11111111-1111-1111-1111-111111111111';
\echo :SQLSTATE
SELECT timedb.current_tenant();

-- A login role bound to a tenant acts for it where no key has logged in.
INSERT INTO timedb.role_bindings (role_name, tenant_id, scope) VALUES ('app', :'ours', 'write');
\c - app
SELECT tenant_id = :'ours' AS ours, user_id, email, scope, expires_at, via FROM timedb.whoami();
SELECT message FROM timedb.upload('2025-01-01', '[{"value_key": "bound", "valid_time": "2025-01-01", "value": 1}]');
SELECT changed_by FROM timedb.read(series_keys => '{bound}');
-- Management asks for scope admin.
SELECT * FROM timedb.list_users();
\echo :SQLSTATE
-- A key wins, and a logout falls back.
SELECT email FROM timedb.authenticate(:'bob_key');
SELECT tenant_id = :'theirs' AS theirs, via FROM timedb.whoami();
SELECT timedb.logout();
SELECT tenant_id = :'ours' AS ours, via FROM timedb.whoami();
-- A failed login refuses the binding too, until a logout …
SELECT timedb.authenticate('nonsense');
SELECT * FROM timedb.whoami();
SELECT timedb.logout();
SELECT tenant_id = :'ours' AS ours, via FROM timedb.whoami();
-- … or RESET ALL …
SELECT timedb.authenticate('nonsense');
SELECT * FROM timedb.whoami();
RESET ALL;
SELECT tenant_id = :'ours' AS ours, via FROM timedb.whoami();
-- … or DISCARD ALL …
SELECT timedb.authenticate('nonsense');
DISCARD ALL;
SELECT tenant_id = :'ours' AS ours, via FROM timedb.whoami();
-- … which one that fails is not …
SELECT timedb.authenticate('nonsense');
BEGIN;
DISCARD ALL;
ROLLBACK;
SELECT * FROM timedb.whoami();
DISCARD ALL;
-- … or, if it was local, the end of its transaction.
BEGIN;
SAVEPOINT before_failure;
SELECT timedb.authenticate('nonsense', true);
ROLLBACK TO before_failure;
SELECT * FROM timedb.whoami();
COMMIT;
SELECT tenant_id = :'ours' AS ours, via FROM timedb.whoami();
-- A failed login after a good one: RESET ALL falls back to the binding, not to the key.
SELECT email FROM timedb.authenticate(:'bob_key');
SELECT timedb.authenticate('nonsense');
SELECT * FROM timedb.whoami();
RESET ALL;
SELECT tenant_id = :'ours' AS ours, via FROM timedb.whoami();
-- A binding that is taken away is gone at the next statement, also in an open REPEATABLE READ transaction.
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) FROM timedb.series;
\! psql -X -q -U "$SUPERUSER" -c "DELETE FROM timedb.role_bindings WHERE role_name = 'app'"
SELECT count(*) FROM timedb.series;
SELECT * FROM timedb.whoami();
COMMIT;
