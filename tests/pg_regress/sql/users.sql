-- Users: made, listed, deactivated and activated, by an operator of every tenant and by an admin key of its own.

\getenv folder PG_ABS_SRCDIR
\set two_tenants :folder /include/two_tenants.sql
\set topic users
\i :two_tenants

-- An operator makes users of any tenant. Emails are trimmed and stored in lower case; the scope of the first key is
-- write where nobody says.
\c - ops
SELECT user_id AS carol_id, tenant_id AS carol_tenant, email AS carol_email, api_key AS carol_key
FROM timedb.create_user(:'ours', ' Carol@Users.TEST ') \gset
SELECT :'carol_tenant' = :'ours' AS ours, :'carol_email' AS email;
SELECT scope FROM timedb.list_keys(:'ours', :'carol_id');
SELECT email FROM timedb.create_user(:'theirs', 'carol@users.test', NULL);

-- Once a tenant.
SELECT timedb.create_user(:'ours', 'CAROL@users.test');
\echo :SQLSTATE

-- What is needed, and what is not taken.
SELECT timedb.create_user(NULL, 'dave@users.test');
\echo :SQLSTATE
SELECT timedb.create_user(:'ours', NULL);
\echo :SQLSTATE
SELECT timedb.create_user(:'ours', 'dave');
\echo :SQLSTATE
SELECT timedb.create_user(:'ours', ' ');
\echo :SQLSTATE
SELECT timedb.create_user(:'ours', 'dave@users.test', 'owner');
\echo :SQLSTATE

-- The list: newest first, no key in it.
SELECT email, is_active, updated_at >= created_at AS dated, tenant_id = :'ours' AS ours
FROM timedb.list_users(:'ours');
SELECT email FROM timedb.list_users(:'ours', NULL);
-- Without a tenant an operator sees all.
SELECT count(*) > 5 AS all_tenants FROM timedb.list_users() WHERE tenant_id IN (:'ours', :'theirs');

-- Deactivated: by id or by email, in any case of letters; not shown unless asked for.
SELECT user_id = :'carol_id' AS carol, email, is_active, updated_at > created_at AS changed
FROM timedb.deactivate_user(user_id => :'carol_id');
SELECT email FROM timedb.list_users(:'ours');
SELECT email, is_active FROM timedb.list_users(:'ours', include_inactive => true);
\c - app
SELECT timedb.authenticate(:'carol_key');
\echo :SQLSTATE
\c - ops
-- Once more does no harm. updated_at is when the user was last managed.
SELECT updated_at AS deactivated_at FROM timedb.deactivate_user(' CAROL@users.test', tenant_id => :'ours') \gset
SELECT email, is_active, updated_at > :'deactivated_at' AS changed
FROM timedb.activate_user('carol@users.test', tenant_id => :'ours');
\c - app
SELECT email FROM timedb.authenticate(:'carol_key');
\c - ops

-- An email of several tenants is no name.
SELECT timedb.deactivate_user('carol@users.test');
\echo :SQLSTATE
SELECT timedb.activate_user('carol@users.test');
\echo :SQLSTATE
-- Nor is nothing.
SELECT timedb.deactivate_user();
\echo :SQLSTATE
SELECT timedb.deactivate_user(tenant_id => :'ours');
\echo :SQLSTATE
-- Who is not there, in this tenant or at all, or is another than the email says.
SELECT timedb.deactivate_user('nobody@users.test');
\echo :SQLSTATE
SELECT timedb.activate_user('bob@users.test', tenant_id => :'ours');
\echo :SQLSTATE
SELECT timedb.deactivate_user('alice@users.test', :'carol_id');
\echo :SQLSTATE
SELECT timedb.deactivate_user(user_id => '00000000-0000-0000-0000-000000000000');
\echo :SQLSTATE

-- An operator manages, and sees no data and no hash.
SELECT count(*) FROM timedb.users;
\echo :SQLSTATE
SELECT count(*) FROM timedb.api_keys;
\echo :SQLSTATE
SELECT count(*) FROM timedb.series;
\echo :SQLSTATE
SELECT timedb.read();
\echo :SQLSTATE

-- An admin key manages its own tenant, where a null tenant means that one.
\c - app
SELECT email FROM timedb.authenticate(:'admin_key');
SELECT email FROM timedb.create_user(:'ours', 'erin@users.test', 'admin');
SELECT email FROM timedb.list_users();
SELECT email FROM timedb.list_users(:'ours');
SELECT email, is_active FROM timedb.deactivate_user('erin@users.test');
SELECT email, is_active FROM timedb.activate_user('erin@users.test', tenant_id => :'ours');
-- Of another tenant it learns nothing: what is there is refused as what is not.
SELECT timedb.create_user(:'theirs', 'erin@users.test');
\echo :SQLSTATE
SELECT timedb.list_users('00000000-0000-0000-0000-000000000000');
\echo :SQLSTATE
\set VERBOSITY sqlstate
SELECT timedb.list_users(:'theirs');
\set VERBOSITY default
SELECT replace(:'LAST_ERROR_MESSAGE', :'theirs', 'THEIRS') AS message;
SELECT timedb.deactivate_user('bob@users.test');
\echo :SQLSTATE
SELECT timedb.deactivate_user('bob@users.test', tenant_id => :'theirs');
\echo :SQLSTATE
\set VERBOSITY sqlstate
SELECT timedb.deactivate_user(user_id => :'bob_id');
\set VERBOSITY default
SELECT replace(:'LAST_ERROR_MESSAGE', :'bob_id', 'BOB') AS message;
-- The policies say the same to whoever gets past the functions: nothing is granted.
SELECT count(*) FROM timedb.users;
\echo :SQLSTATE
SELECT timedb._create_user_operator(:'theirs', 'erin@users.test', 'admin');
\echo :SQLSTATE
-- An admin may deactivate himself, and is out at the next statement.
SELECT email, is_active FROM timedb.deactivate_user('admin@users.test');
SELECT timedb.list_users();
\echo :SQLSTATE

-- Any lesser scope manages nothing; nor does nobody.
SELECT email FROM timedb.authenticate(:'alice_key');
SELECT timedb.create_user(:'ours', 'frank@users.test');
\echo :SQLSTATE
SELECT timedb.list_users();
\echo :SQLSTATE
SELECT timedb.deactivate_user('bob@users.test');
\echo :SQLSTATE
SELECT timedb.activate_user('admin@users.test');
\echo :SQLSTATE
SELECT timedb.logout();
SELECT timedb.list_users();
\echo :SQLSTATE

-- Where both apply, the key wins: an operator logged in with a tenant's key is no more than that key.
\c - ops
SELECT email FROM timedb.authenticate(:'alice_key');
SELECT timedb.list_users();
\echo :SQLSTATE
SELECT email FROM timedb.authenticate(:'bob_key');
SELECT email FROM timedb.list_users();
SELECT timedb.create_user(:'ours', 'frank@users.test');
\echo :SQLSTATE
-- A key that no longer stands does not make him an operator again: a logout does.
\! psql -X -q -U "$SUPERUSER" -c "UPDATE timedb.users SET is_active = false WHERE email = 'bob@users.test'"
SELECT timedb.list_users();
\echo :SQLSTATE
SELECT timedb.logout();
SELECT email, is_active FROM timedb.activate_user('bob@users.test');
