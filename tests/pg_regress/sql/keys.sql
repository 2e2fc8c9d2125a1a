-- Keys: what each scope may do, several keys a user, expiry, rotation with and without grace, revocation.

\getenv folder PG_ABS_SRCDIR
\set two_tenants :folder /include/two_tenants.sql
\set topic keys
\i :two_tenants

-- A key is 52 characters, of which the hint keeps four; only its hash is stored.
SELECT :'alice_key' ~ '^tdb_[A-Za-z0-9_-]{48}$' AS well_formed;
\c - :superuser
SELECT key_hash = sha256(:'alice_key') AS hash, hint = right(:'alice_key', 4) AS hint
FROM timedb.api_keys WHERE user_id = :'alice_id';
SELECT count(*) FROM timedb.api_keys k WHERE position(substr(:'alice_key', 10, 40) IN k::text) > 0;

-- read reads, and writes nothing.
\c - app
SELECT scope FROM timedb.authenticate(:'reader_key');
SELECT count(*) FROM timedb.read();
SELECT count(*) FROM timedb.list_series();
SELECT timedb.upload('2025-01-01', '[]');
\echo :SQLSTATE
SELECT timedb.upload_points('2025-01-01', '{}', '{}', '{}');
\echo :SQLSTATE
SELECT timedb.update('[]');
\echo :SQLSTATE
SELECT timedb.create_series('x');
\echo :SQLSTATE
SELECT timedb.create_key('reader@keys.test');
\echo :SQLSTATE
-- write writes, and manages nothing.
SELECT scope FROM timedb.authenticate(:'alice_key');
SELECT message FROM timedb.upload('2025-01-01', '[{"value_key": "x", "valid_time": "2025-01-01", "value": 1}]');
SELECT timedb.create_key('alice@keys.test');
\echo :SQLSTATE
SELECT timedb.list_keys();
\echo :SQLSTATE
SELECT timedb.regenerate_key('alice@keys.test');
\echo :SQLSTATE
SELECT timedb.revoke_key(:'absent');
\echo :SQLSTATE
-- admin does both.
SELECT scope FROM timedb.authenticate(:'admin_key');
SELECT timedb.create_series('x') IS NOT NULL AS made;

-- Several keys a user, each with its name, scope and expiry. NULL is the default.
SELECT key_id AS laptop_id, api_key AS laptop_key
FROM timedb.create_key('alice@keys.test', name => 'laptop', scope => 'read', expires_at => '2100-01-01') \gset
SELECT key_id AS job_id, api_key AS job_key
FROM timedb.create_key(user_id => :'alice_id', name => NULL, scope => NULL, expires_at => NULL) \gset
SELECT email, name, scope, expires_at, revoked_at, hint = right(:'job_key', 4) AS job, hint = right(:'laptop_key', 4) AS laptop
FROM timedb.list_keys(user_id => :'alice_id');
SELECT email, scope FROM timedb.list_keys();
SELECT email, scope, expires_at FROM timedb.authenticate(:'laptop_key');
SELECT expires_at FROM timedb.whoami();
SELECT email, scope, expires_at FROM timedb.authenticate(:'job_key');
SELECT email, scope FROM timedb.authenticate(:'alice_key');

-- What is not taken.
SELECT scope FROM timedb.authenticate(:'admin_key');
SELECT timedb.create_key('alice@keys.test', scope => 'owner');
\echo :SQLSTATE
SELECT timedb.create_key('alice@keys.test', expires_at => 'infinity');
\echo :SQLSTATE
SELECT timedb.create_key();
\echo :SQLSTATE
SELECT timedb.regenerate_key('alice@keys.test', grace => '-1 second');
\echo :SQLSTATE
SELECT timedb.revoke_key(NULL);
\echo :SQLSTATE
SELECT timedb.create_key('nobody@keys.test');
\echo :SQLSTATE
SELECT timedb.regenerate_key('nobody@keys.test');
\echo :SQLSTATE
SELECT timedb.revoke_key('00000000-0000-0000-0000-000000000000');
\echo :SQLSTATE

-- Another tenant's users and keys are as absent as any other.
SELECT timedb.create_key('bob@keys.test');
\echo :SQLSTATE
SELECT timedb.create_key('bob@keys.test', tenant_id => :'theirs');
\echo :SQLSTATE
SELECT timedb.regenerate_key('bob@keys.test', tenant_id => :'theirs');
\echo :SQLSTATE
\set VERBOSITY sqlstate
SELECT timedb.revoke_key(:'bob_key_id');
SELECT replace(:'LAST_ERROR_MESSAGE', :'bob_key_id', 'ID') AS message;
SELECT timedb.regenerate_key(user_id => :'bob_id');
SELECT replace(:'LAST_ERROR_MESSAGE', :'bob_id', 'ID') AS message;
SELECT timedb.list_keys(:'theirs');
SELECT replace(:'LAST_ERROR_MESSAGE', :'theirs', 'ID') AS message;
SELECT timedb.list_keys(user_id => :'bob_id');
SELECT replace(:'LAST_ERROR_MESSAGE', :'bob_id', 'ID') AS message;
\set VERBOSITY default

-- Rotation: one key is replaced by another of its name and scope. Who has several must say which.
SELECT timedb.revoke_key(:'job_id') <= clock_timestamp() AS revoked;
SELECT timedb.regenerate_key('alice@keys.test');
\echo :SQLSTATE
SELECT key_id AS alice_key_id FROM timedb.list_keys(user_id => :'alice_id') WHERE hint = right(:'alice_key', 4) \gset
SELECT api_key AS rotated_key FROM timedb.regenerate_key('alice@keys.test', key_id => :'alice_key_id') \gset
SELECT api_key AS laptop_too_key FROM timedb.regenerate_key(key_id => :'laptop_id') \gset
SELECT name, scope, expires_at > '2099-12-31' AS anew, revoked_at <= clock_timestamp() AS revoked
FROM timedb.list_keys(user_id => :'alice_id');
SELECT scope, expires_at FROM timedb.authenticate(:'rotated_key');
SELECT scope FROM timedb.authenticate(:'laptop_too_key');
SELECT timedb.authenticate(:'alice_key');
\echo :SQLSTATE
SELECT timedb.authenticate(:'laptop_key');
\echo :SQLSTATE
SELECT timedb.authenticate(:'job_key');
\echo :SQLSTATE
-- One that has ended is not brought back, one of another user is none of his.
SELECT scope FROM timedb.authenticate(:'admin_key');
\set VERBOSITY sqlstate
SELECT timedb.regenerate_key('alice@keys.test', key_id => :'job_id');
SELECT :'LAST_ERROR_MESSAGE' AS message;
SELECT timedb.regenerate_key(key_id => :'job_id');
SELECT :'LAST_ERROR_MESSAGE' AS message;
SELECT timedb.regenerate_key('reader@keys.test', key_id => :'laptop_id');
SELECT replace(:'LAST_ERROR_MESSAGE', :'laptop_id', 'ID') AS message;
SELECT timedb.regenerate_key(key_id => :'bob_key_id');
SELECT replace(:'LAST_ERROR_MESSAGE', :'bob_key_id', 'ID') AS message;
\set VERBOSITY default
SELECT count(timedb.revoke_key(key_id)) FROM timedb.list_keys(user_id => :'alice_id') WHERE name = 'laptop' AND revoked_at IS NULL;

-- With a grace the old one works until it ends; meanwhile it neither counts nor can be named.
SELECT api_key AS graced_key FROM timedb.regenerate_key('alice@keys.test', grace => '1 day') \gset
SELECT name, revoked_at IS NULL AS stands, revoked_at > clock_timestamp() + '23 hours' AS until_tomorrow
FROM timedb.list_keys(user_id => :'alice_id');
SELECT api_key AS latest_key FROM timedb.regenerate_key('alice@keys.test', grace => '2 days') \gset
SELECT revoked_at IS NULL AS stands, revoked_at > clock_timestamp() + '1 day' AS until_the_day_after
FROM timedb.list_keys(user_id => :'alice_id');
SELECT key_id AS graced_id FROM timedb.list_keys(user_id => :'alice_id') WHERE hint = right(:'graced_key', 4) \gset
SELECT timedb.regenerate_key(key_id => :'graced_id');
\echo :SQLSTATE
SELECT email FROM timedb.authenticate(:'rotated_key');
SELECT email FROM timedb.authenticate(:'graced_key');

-- Revoked twice: the first time stays. A grace is cut short.
SELECT scope FROM timedb.authenticate(:'admin_key');
SELECT timedb.revoke_key(:'job_id') AS revoked_at \gset
SELECT timedb.revoke_key(:'job_id') = :'revoked_at' AS unchanged;
SELECT timedb.revoke_key(:'graced_id') <= clock_timestamp() AS revoked;
SELECT timedb.authenticate(:'graced_key');
\echo :SQLSTATE

-- A user without an active key has none to rotate.
SELECT scope FROM timedb.authenticate(:'admin_key');
SELECT count(timedb.revoke_key(key_id)) FROM timedb.list_keys(user_id => :'reader_id');
\set VERBOSITY sqlstate
SELECT timedb.regenerate_key('reader@keys.test');
\set VERBOSITY default
SELECT replace(:'LAST_ERROR_MESSAGE', :'reader_id', 'READER') AS message;

-- An expired key is refused like any other, and rotation does not bring it back.
SELECT timedb.create_key('reader@keys.test', expires_at => now() - interval '1 second');
\echo :SQLSTATE
SELECT key_id AS expired_id, api_key AS expired_key FROM timedb.create_key('reader@keys.test', expires_at => '2100-01-01') \gset
\setenv EXPIRED :expired_id
\! psql -X -q -U "$SUPERUSER" -c "UPDATE timedb.api_keys SET expires_at = clock_timestamp() WHERE key_id = '$EXPIRED'"
SELECT timedb.authenticate(:'expired_key');
\echo :SQLSTATE
SELECT scope FROM timedb.authenticate(:'admin_key');
\set VERBOSITY sqlstate
SELECT timedb.regenerate_key('reader@keys.test');
\set VERBOSITY default

-- Revocation, expiry and deactivation count from the next statement of every session, also within a REPEATABLE READ
-- transaction whose snapshot is older. Until a logout the session is refused, not merely empty.
SELECT key_id AS doomed_id, api_key AS doomed_key FROM timedb.create_key('alice@keys.test') \gset
\setenv DOOMED :doomed_id
SELECT email FROM timedb.authenticate(:'doomed_key');
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) FROM timedb.series;
\! psql -X -q -U ops -c "SELECT timedb.revoke_key('$DOOMED') IS NOT NULL AS revoked"
SELECT count(*) FROM timedb.series;
SELECT * FROM timedb.whoami();
SAVEPOINT before_refusal;
SELECT timedb.read();
\echo :SQLSTATE
ROLLBACK TO before_refusal;
SELECT timedb.upload('2025-01-01', '[]');
\echo :SQLSTATE
COMMIT;
SELECT timedb.list_series();
\echo :SQLSTATE
SELECT timedb.logout();
SELECT timedb.list_series();
\echo :SQLSTATE

SELECT scope FROM timedb.authenticate(:'admin_key');
SELECT key_id AS doomed_id, api_key AS doomed_key FROM timedb.create_key('alice@keys.test', expires_at => '2100-01-01') \gset
\setenv DOOMED :doomed_id
SELECT email FROM timedb.authenticate(:'doomed_key');
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) FROM timedb.series;
\! psql -X -q -U "$SUPERUSER" -c "UPDATE timedb.api_keys SET expires_at = clock_timestamp() WHERE key_id = '$DOOMED'"
SELECT count(*) FROM timedb.series;
SELECT timedb.read();
\echo :SQLSTATE
COMMIT;

\setenv ALICE :alice_id
SELECT email FROM timedb.authenticate(:'rotated_key');
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) FROM timedb.series;
\! psql -X -q -U ops -c "SELECT is_active FROM timedb.deactivate_user(user_id => '$ALICE')"
SELECT count(*) FROM timedb.series;
SELECT timedb.read();
\echo :SQLSTATE
COMMIT;
-- Activated, the user is back in the same session; keys revoked or expired are not.
\! psql -X -q -U ops -c "SELECT is_active FROM timedb.activate_user(user_id => '$ALICE')"
SELECT count(*) FROM timedb.read();
SELECT timedb.authenticate(:'doomed_key');
\echo :SQLSTATE
