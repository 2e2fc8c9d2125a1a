-- self_check: one row for each promise that the catalogs of this database break; none is the pass.
--
-- Each fault below is planted in a transaction of its own, found, and rolled back.

\getenv folder PG_ABS_SRCDIR
\set two_tenants :folder /include/two_tenants.sql
\set topic self_check
\i :two_tenants

-- For operators.
SELECT * FROM timedb.self_check();
\echo :SQLSTATE
\c - ops
SELECT * FROM timedb.self_check();

\c - :superuser

-- Row-level security switched off, or not forced upon the owner.
BEGIN;
ALTER TABLE timedb.series DISABLE ROW LEVEL SECURITY;
ALTER TABLE timedb.runs NO FORCE ROW LEVEL SECURITY;
ALTER TABLE timedb.packs NO FORCE ROW LEVEL SECURITY;
SELECT * FROM timedb.self_check();
ROLLBACK;

-- A policy missing, changed, for other roles, or one too many.
BEGIN;
DROP POLICY values_write ON timedb.values;
ALTER POLICY values_tenant ON timedb.values USING (true);
ALTER POLICY runs_change ON timedb.runs WITH CHECK (true);
ALTER POLICY series_tenant ON timedb.series TO PUBLIC;
CREATE POLICY everybody ON timedb.users FOR SELECT USING (true);
ALTER POLICY packs_compact ON timedb.packs USING (true);
ALTER POLICY values_compact ON timedb.values TO timedb_compactor, timedb_api;
DROP POLICY packs_write ON timedb.packs;
SELECT * FROM timedb.self_check();
ROLLBACK;

-- A policy that takes away instead of giving.
BEGIN;
CREATE POLICY none ON timedb.runs AS RESTRICTIVE USING (false);
SELECT * FROM timedb.self_check();
ROLLBACK;

-- Another owner.
BEGIN;
ALTER TABLE timedb.values OWNER TO timedb_api;
ALTER VIEW timedb.current_values OWNER TO CURRENT_USER;
SELECT * FROM timedb.self_check();
ROLLBACK;

-- A key that does not start with the tenant, and a foreign key.
BEGIN;
ALTER TABLE timedb.series ADD CONSTRAINT series_id_key UNIQUE (series_id);
CREATE UNIQUE INDEX users_lower_key ON timedb.users (lower(email), tenant_id);
ALTER TABLE timedb.runs ADD CONSTRAINT runs_by_fkey FOREIGN KEY (changed_by) REFERENCES timedb.role_bindings (role_name) NOT VALID;
SELECT * FROM timedb.self_check();
ROLLBACK;

-- A view with its owner's rights.
BEGIN;
ALTER VIEW timedb.current_values RESET (security_invoker);
ALTER VIEW timedb.versions RESET (security_invoker);
SELECT * FROM timedb.self_check();
ROLLBACK;

-- A trigger, a rule, a child.
BEGIN;
CREATE TRIGGER t BEFORE UPDATE ON timedb.runs FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
CREATE RULE r AS ON DELETE TO timedb.series DO INSTEAD NOTHING;
CREATE TABLE public.child () INHERITS (timedb.runs);
SELECT * FROM timedb.self_check();
ROLLBACK;

-- A table that is the extension's and not dumped.
BEGIN;
CREATE TABLE timedb.more (tenant_id uuid);
ALTER TABLE timedb.more ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE timedb.more OWNER TO timedb_owner;
ALTER EXTENSION timedb ADD TABLE timedb.more;
SELECT * FROM timedb.self_check();
ROLLBACK;

-- Something in the schema that is not the extension's.
BEGIN;
CREATE VIEW timedb.more WITH (security_invoker) AS SELECT 1 AS one;
ALTER VIEW timedb.more OWNER TO timedb_owner;
CREATE FUNCTION timedb.read(text) RETURNS text LANGUAGE sql AS 'SELECT $1';
REVOKE ALL ON FUNCTION timedb.read(text) FROM PUBLIC;
ALTER FUNCTION timedb.read(text) OWNER TO timedb_api;
SELECT * FROM timedb.self_check();
ROLLBACK;

-- A function of the tables' owner, or of a superuser.
BEGIN;
ALTER FUNCTION timedb.list_series OWNER TO timedb_owner;
ALTER FUNCTION timedb.update(json) OWNER TO CURRENT_USER;
SELECT * FROM timedb.self_check();
ROLLBACK;

-- compact as a role with other rights, and another function as the one that may delete.
BEGIN;
ALTER FUNCTION timedb.compact(uuid[], interval) OWNER TO timedb_api;
ALTER FUNCTION timedb.list_series OWNER TO timedb_compactor;
SELECT * FROM timedb.self_check();
ROLLBACK;

-- A security definer function whose names can be captured.
BEGIN;
ALTER FUNCTION timedb.compact(uuid[], interval) RESET search_path;
ALTER FUNCTION timedb.upload(timestamptz, json, text, timestamptz, timestamptz, jsonb, jsonb, uuid, boolean) RESET search_path;
ALTER FUNCTION timedb.authenticate(text, boolean) SET search_path = public;
SELECT * FROM timedb.self_check();
ROLLBACK;

-- The reader of every policy, fit for a plan that is kept or for a worker.
BEGIN;
ALTER FUNCTION timedb.current_tenant() IMMUTABLE;
ALTER FUNCTION timedb.current_tenant() PARALLEL SAFE;
SELECT * FROM timedb.self_check();
ROLLBACK;

-- A function that may run before the policies.
BEGIN;
ALTER FUNCTION timedb.count_points(timedb.points) LEAKPROOF;
SELECT * FROM timedb.self_check();
ROLLBACK;

-- Grants on tables and columns.
BEGIN;
GRANT SELECT ON timedb.values TO PUBLIC;
GRANT INSERT ON timedb.series TO timedb_user;
GRANT SELECT ON timedb.runs TO timedb_user WITH GRANT OPTION;
GRANT DELETE ON timedb.values TO timedb_api;
GRANT DELETE ON timedb.packs TO timedb_api;
GRANT UPDATE ON timedb.packs TO timedb_compactor;
GRANT SELECT ON timedb.runs TO timedb_compactor;
GRANT SELECT (key_hash) ON timedb.api_keys TO timedb_operator;
GRANT UPDATE (email) ON timedb.users TO timedb_api;
GRANT UPDATE ON timedb.runs TO timedb_api;
SELECT * FROM timedb.self_check();
ROLLBACK;

-- Grants on functions.
BEGIN;
GRANT EXECUTE ON FUNCTION timedb._require_login() TO PUBLIC;
GRANT EXECUTE ON FUNCTION timedb.list_series TO timedb_user WITH GRANT OPTION;
GRANT EXECUTE ON FUNCTION timedb._create_user_operator(uuid, text, text) TO timedb_user;
GRANT EXECUTE ON FUNCTION timedb._pack_of_bytes(bytea) TO timedb_user;
GRANT EXECUTE ON FUNCTION timedb.compact(uuid[], interval) TO timedb_admin;
GRANT EXECUTE ON FUNCTION timedb.read TO evil;
SELECT * FROM timedb.self_check();
ROLLBACK;

-- Grants on the schema, and its owner.
BEGIN;
GRANT USAGE ON SCHEMA timedb TO PUBLIC;
GRANT USAGE ON SCHEMA timedb TO evil;
GRANT CREATE ON SCHEMA timedb TO timedb_user;
SELECT * FROM timedb.self_check();
ROLLBACK;

BEGIN;
ALTER SCHEMA timedb OWNER TO evil;
SELECT * FROM timedb.self_check();
ROLLBACK;

-- A role with powers, in another role, or with members.
BEGIN;
ALTER ROLE timedb_api BYPASSRLS;
ALTER ROLE timedb_user LOGIN;
GRANT pg_read_all_data TO timedb_user;
GRANT timedb_owner TO app;
GRANT timedb_compactor TO app;
SELECT * FROM timedb.self_check();
ROLLBACK;

-- As it was.
SELECT * FROM timedb.self_check();
