-- A login role without grants: everything is refused, also to one who may use the schema.

\getenv folder PG_ABS_SRCDIR
\set two_tenants :folder /include/two_tenants.sql
\set topic evil
\i :two_tenants

\c - evil
SELECT * FROM timedb.authenticate('x');
\echo :SQLSTATE
SELECT timedb.current_tenant();
\echo :SQLSTATE
SELECT * FROM timedb.read();
\echo :SQLSTATE
SELECT timedb.create_user('11111111-1111-1111-1111-111111111111', 'evil@evil.test');
\echo :SQLSTATE
SELECT * FROM timedb.values;
\echo :SQLSTATE
SELECT * FROM timedb.current_values;
\echo :SQLSTATE
SELECT * FROM timedb.api_keys;
\echo :SQLSTATE
SELECT '{"values": []}'::timedb.points;
\echo :SQLSTATE
CREATE TABLE timedb.mine ();
\echo :SQLSTATE
CREATE FUNCTION timedb.read() RETURNS int LANGUAGE sql AS 'SELECT 1';
\echo :SQLSTATE
SET ROLE timedb_user;
\echo :SQLSTATE
SET ROLE timedb_owner;
\echo :SQLSTATE
\set VERBOSITY sqlstate
GRANT timedb_admin TO evil;
\set VERBOSITY default
ALTER EXTENSION timedb DROP TABLE timedb.values;
\echo :SQLSTATE
DROP EXTENSION timedb;
\echo :SQLSTATE

-- Nothing is granted to everybody, nor, on tables, to anybody what no tenant may do.
SELECT p.oid::regprocedure FROM pg_proc p
WHERE p.pronamespace = 'timedb'::regnamespace AND has_function_privilege('evil', p.oid, 'EXECUTE');
SELECT c.oid::regclass FROM pg_class c
WHERE c.relnamespace = 'timedb'::regnamespace AND c.relkind IN ('r', 'v')
  AND (has_table_privilege('evil', c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
       OR has_any_column_privilege('evil', c.oid, 'SELECT, INSERT, UPDATE, REFERENCES'));
SELECT has_schema_privilege('evil', 'timedb', 'USAGE') AS usage, has_schema_privilege('evil', 'timedb', 'CREATE') AS create;
SELECT c.oid::regclass FROM pg_class c, (VALUES ('app'), ('ops')) r(role)
WHERE c.relnamespace = 'timedb'::regnamespace AND c.relkind IN ('r', 'v')
  AND (has_table_privilege(r.role, c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
       OR has_any_column_privilege(r.role, c.oid, 'INSERT, UPDATE, REFERENCES'));

-- With the schema open to him, each function and table still refuses by itself.
\c - :superuser
BEGIN;
GRANT USAGE ON SCHEMA timedb TO evil;
SET LOCAL SESSION AUTHORIZATION evil;
SELECT current_user, session_user;
SAVEPOINT open;
SELECT * FROM timedb.authenticate('x');
\echo :SQLSTATE
ROLLBACK TO open;
SELECT timedb.current_tenant();
\echo :SQLSTATE
ROLLBACK TO open;
SELECT * FROM timedb.read();
\echo :SQLSTATE
ROLLBACK TO open;
SELECT * FROM timedb.whoami();
\echo :SQLSTATE
ROLLBACK TO open;
SELECT timedb.create_user('11111111-1111-1111-1111-111111111111', 'evil@evil.test');
\echo :SQLSTATE
ROLLBACK TO open;
SELECT * FROM timedb.series;
\echo :SQLSTATE
ROLLBACK TO open;
SELECT * FROM timedb.current_values;
\echo :SQLSTATE
ROLLBACK TO open;
SELECT key_hash FROM timedb.api_keys;
\echo :SQLSTATE
ROLLBACK;
SELECT has_schema_privilege('evil', 'timedb', 'USAGE') AS usage;
