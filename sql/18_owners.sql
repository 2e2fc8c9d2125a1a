-- Owners, before any grant (granting first would leave odd REVOKE and GRANT lines in every dump). No function belongs
-- to the tables' owner: one careless function of his could switch row-level security off.

GRANT USAGE ON SCHEMA timedb TO timedb_owner;
GRANT CREATE ON SCHEMA timedb TO timedb_owner;

DO $owners$
DECLARE
  relation regclass;
  routine regprocedure;
BEGIN
  FOR relation IN
    SELECT c.oid FROM pg_class c WHERE c.relnamespace = 'timedb'::regnamespace AND c.relkind IN ('r', 'v')
  LOOP
    EXECUTE format('ALTER TABLE %s OWNER TO timedb_owner', relation);
  END LOOP;
  -- Everything a caller may reach runs, or could be made to run, as timedb_api; what follows is the exceptions.
  FOR routine IN SELECT p.oid FROM pg_proc p WHERE p.pronamespace = 'timedb'::regnamespace LOOP
    EXECUTE format('ALTER ROUTINE %s OWNER TO timedb_api', routine);
  END LOOP;
END
$owners$;

ALTER FUNCTION timedb.authenticate(text, boolean) OWNER TO timedb_auth;
ALTER FUNCTION timedb.pre_request() OWNER TO timedb_auth;
ALTER FUNCTION timedb.logout() OWNER TO timedb_auth;
ALTER FUNCTION timedb.current_tenant() OWNER TO timedb_auth;
ALTER FUNCTION timedb._presented_key_hash() OWNER TO timedb_auth;

ALTER FUNCTION timedb.compact(uuid[], interval) OWNER TO timedb_compactor;
ALTER FUNCTION timedb._begin_maintenance_operator(uuid, interval, boolean) OWNER TO timedb_compactor;
ALTER FUNCTION timedb._maintain_share_operator(uuid, uuid, interval) OWNER TO timedb_compactor;
ALTER FUNCTION timedb._end_maintenance_operator(uuid, uuid, bigint, text, text) OWNER TO timedb_compactor;

ALTER FUNCTION timedb._erase_run_tenant(uuid, uuid) OWNER TO timedb_eraser;
ALTER FUNCTION timedb._erase_run_operator(uuid, uuid) OWNER TO timedb_eraser;
ALTER FUNCTION timedb._erase_series_tenant(uuid, uuid) OWNER TO timedb_eraser;
ALTER FUNCTION timedb._erase_series_operator(uuid, uuid) OWNER TO timedb_eraser;
ALTER FUNCTION timedb.erase_tenant(uuid) OWNER TO timedb_eraser;

ALTER FUNCTION timedb._set_retention_tenant(interval, text, interval, uuid[], uuid) OWNER TO timedb_eraser;
ALTER FUNCTION timedb._set_retention_operator(interval, text, interval, uuid[], uuid) OWNER TO timedb_eraser;
ALTER FUNCTION timedb._list_retention_tenant(uuid) OWNER TO timedb_eraser;
ALTER FUNCTION timedb._list_retention_operator(uuid) OWNER TO timedb_eraser;
ALTER FUNCTION timedb._apply_retention_tenant(boolean, uuid) OWNER TO timedb_eraser;
ALTER FUNCTION timedb._apply_retention_operator(boolean, uuid) OWNER TO timedb_eraser;
ALTER FUNCTION timedb._retain_share_operator(uuid) OWNER TO timedb_eraser;

ALTER FUNCTION timedb._create_user_operator(uuid, text, text) OWNER TO timedb_operator;
ALTER FUNCTION timedb._list_users_operator(uuid, boolean) OWNER TO timedb_operator;
ALTER FUNCTION timedb._set_user_active_operator(text, uuid, uuid, boolean) OWNER TO timedb_operator;
ALTER FUNCTION timedb._regenerate_key_operator(text, uuid, uuid, interval, uuid, timestamptz) OWNER TO timedb_operator;
ALTER FUNCTION timedb._create_key_operator(text, uuid, uuid, text, text, timestamptz) OWNER TO timedb_operator;
ALTER FUNCTION timedb._list_keys_operator(uuid, uuid) OWNER TO timedb_operator;
ALTER FUNCTION timedb._revoke_key_operator(uuid) OWNER TO timedb_operator;
ALTER FUNCTION timedb._list_audit_operator(uuid, timestamptz) OWNER TO timedb_operator;
ALTER FUNCTION timedb.bind_role(name, uuid, text) OWNER TO timedb_operator;
ALTER FUNCTION timedb.unbind_role(name) OWNER TO timedb_operator;
ALTER FUNCTION timedb.list_bindings() OWNER TO timedb_operator;
ALTER FUNCTION timedb._keys_without_user() OWNER TO timedb_operator;
ALTER FUNCTION timedb._maintain_until_operator(interval, interval) OWNER TO timedb_operator;
ALTER FUNCTION timedb._tenants_to_maintain_operator() OWNER TO timedb_operator;
ALTER FUNCTION timedb._list_maintenance_operator() OWNER TO timedb_operator;
