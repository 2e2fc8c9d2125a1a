-- What a router calls on a shard: the functions of timedb with the key before their arguments, each of which acts by that key for
-- that call, and by nothing else. Who may call them may do no more than whoever has a key: the key decides.

SET LOCAL search_path = pg_catalog, pg_temp;

DO $roles$
DECLARE
  role_name text;
BEGIN
  FOREACH role_name IN ARRAY ARRAY['timedb_router_caller', 'timedb_router_admin'] LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role_name) THEN
      EXECUTE format('CREATE ROLE %I', role_name);
    END IF;
    IF EXISTS (
      SELECT FROM pg_roles r
      WHERE r.rolname = role_name
        AND (r.rolsuper OR r.rolbypassrls OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication
             OR EXISTS (SELECT FROM pg_auth_members m WHERE m.roleid = r.oid)
             OR EXISTS (SELECT FROM pg_auth_members m WHERE m.member = r.oid
                        AND m.roleid::regrole::text <> replace(role_name, '_router', '')))
    ) THEN
      RAISE EXCEPTION 'role "%" exists and is not as timedb_shard needs it', role_name
        USING ERRCODE = 'invalid_object_definition',
              HINT = 'Find out who made it and why, then drop it or take its privileges and memberships away.';
    END IF;
    -- Keys come as parameters, which no log is to show.
    EXECUTE format('ALTER ROLE %I LOGIN', role_name);
    EXECUTE format('ALTER ROLE %I SET log_parameter_max_length = 0', role_name);
    EXECUTE format('ALTER ROLE %I SET log_parameter_max_length_on_error = 0', role_name);
    -- Nor is a plan, where the key is a constant of the statement's.
    EXECUTE format('ALTER ROLE %I SET auto_explain.log_verbose = off', role_name);
    EXECUTE format('ALTER ROLE %I SET debug_print_parse = off', role_name);
    EXECUTE format('ALTER ROLE %I SET debug_print_rewritten = off', role_name);
    EXECUTE format('ALTER ROLE %I SET debug_print_plan = off', role_name);
    -- Where a statement is cancelled here, PL/Proxy waits for an answer that it has had: the router's own timeouts reach us.
    EXECUTE format('ALTER ROLE %I SET statement_timeout = 0', role_name);
  END LOOP;
END
$roles$;
GRANT timedb_caller TO timedb_router_caller;
GRANT timedb_admin TO timedb_router_admin;

CREATE SCHEMA timedb_shard;
COMMENT ON SCHEMA timedb_shard IS 'The functions of timedb with a key before their arguments, for routers.';

CREATE FUNCTION timedb_shard._enter(api_key text) RETURNS boolean
  AS 'MODULE_PATHNAME', '_shard_enter_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION timedb_shard._enter(text) IS 'Acts by a key for the call that follows; 28000 if it is not valid.';
CREATE FUNCTION timedb_shard._leave() RETURNS boolean
  AS 'MODULE_PATHNAME', '_shard_leave_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION timedb_shard._leave() IS 'The call has ended, and with it the login.';

CREATE FUNCTION timedb_shard.act_for(operator text) RETURNS boolean
  AS 'MODULE_PATHNAME', '_shard_act_for_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION timedb_shard.act_for(text) IS
  'For a router: whom the audit names for what its login does as an operator, until the transaction ends.';

CREATE FUNCTION timedb_shard.whoami(
  api_key text, OUT tenant_id uuid, OUT user_id uuid, OUT email text, OUT scope text, OUT expires_at timestamptz,
  OUT via text, OUT key_id uuid, OUT timedb_version text
) RETURNS record LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  entered CONSTANT boolean := timedb_shard._enter(api_key);
  left_ boolean;
BEGIN
  SELECT w.tenant_id, w.user_id, w.email, w.scope, w.expires_at, w.via, w.key_id, e.extversion
  INTO tenant_id, user_id, email, scope, expires_at, via, key_id, timedb_version
  FROM timedb.whoami() w, pg_catalog.pg_extension e WHERE e.extname = 'timedb';
  left_ := timedb_shard._leave();
END
$$;
COMMENT ON FUNCTION timedb_shard.whoami(text) IS 'Whose key it is, and the version of timedb here; 28000 if it is not valid.';

CREATE FUNCTION timedb_shard.identity(
  OUT timedb_version text, OUT server bigint, OUT database oid, OUT is_standby boolean, OUT logs_parameters boolean
) RETURNS record LANGUAGE sql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
  SELECT e.extversion, s.system_identifier, d.oid, pg_catalog.pg_is_in_recovery(),
         current_setting('log_parameter_max_length') <> '0'
         OR current_setting('log_parameter_max_length_on_error') <> '0'
  FROM pg_catalog.pg_extension e, pg_catalog.pg_control_system() s, pg_catalog.pg_database d
  WHERE e.extname = 'timedb' AND d.datname = current_database()
$$;
COMMENT ON FUNCTION timedb_shard.identity() IS
  'Which database this is, and whether it is fit for a router: its version of timedb, and whether its log would show keys.';

CREATE FUNCTION timedb_shard.find_user(email text, user_id uuid, key_id uuid) RETURNS SETOF uuid
  LANGUAGE sql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
  SELECT DISTINCT u.tenant_id
  FROM timedb.list_users(NULL, true) u
  WHERE (find_user.email IS NULL OR u.email = lower(btrim(find_user.email)))
    AND (find_user.user_id IS NULL OR u.user_id = find_user.user_id)
    AND (find_user.key_id IS NULL
         OR u.user_id = ANY (ARRAY(SELECT k.user_id FROM timedb.list_keys(NULL, NULL) k WHERE k.key_id = find_user.key_id)))
$$;
COMMENT ON FUNCTION timedb_shard.find_user(text, uuid, uuid) IS
  'For operators: the tenants here that have a user of this email or id, or whose key it is.';
