\set ECHO none
-- Two tenants of the topic's own, :ours and :theirs. Ours has three users: admin, alice (scope write) and reader; theirs
-- has bob and one run with one value. Wants :topic; leaves the session as app, with nobody logged in.
\set SHOW_CONTEXT never
\set superuser :USER
\setenv PGDATABASE :DBNAME
\setenv SUPERUSER :USER
SELECT md5(:'topic' || ' ours')::uuid AS ours, md5(:'topic' || ' theirs')::uuid AS theirs,
       gen_random_uuid() AS absent \gset

\c - ops
SELECT user_id AS admin_id, api_key AS admin_key
FROM timedb.create_user(:'ours', 'admin@' || :'topic' || '.test', 'admin') \gset
SELECT user_id AS alice_id, api_key AS alice_key
FROM timedb.create_user(:'ours', 'alice@' || :'topic' || '.test') \gset
SELECT user_id AS reader_id, api_key AS reader_key
FROM timedb.create_user(:'ours', 'reader@' || :'topic' || '.test', 'read') \gset
SELECT user_id AS bob_id, api_key AS bob_key
FROM timedb.create_user(:'theirs', 'bob@' || :'topic' || '.test', 'admin') \gset
SELECT key_id AS bob_key_id FROM timedb.list_keys(:'theirs') \gset

\c - app
SELECT tenant_id AS bob_tenant FROM timedb.authenticate(:'bob_key') \gset
SELECT run_id AS their_run, series_ids->>'theirs' AS their_series
FROM timedb.upload('2025-01-01', '[{"value_key": "theirs", "valid_time": "2025-01-01", "value": 99}]') \gset

-- The premise: whoever asks is an ordinary login role, and there is something that he must not see.
\c - :superuser
SELECT r.rolname AS role, r.rolsuper AS superuser, r.rolbypassrls AS bypassrls,
       pg_has_role(r.oid, 'timedb_owner', 'MEMBER') AS owner,
       (SELECT count(*) FROM timedb.values v WHERE v.tenant_id = :'theirs') AS their_rows
FROM pg_roles r WHERE r.rolname IN ('app', 'ops', 'evil') ORDER BY r.rolname;
\c - app
\set ECHO all
