-- The key that the session acts by, and the shard that it is shown to.

CREATE FUNCTION timedb_router._begin_login(api_key text, is_local boolean) RETURNS boolean
  AS 'MODULE_PATHNAME', '_router_begin_login_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION timedb_router._begin_login(text, boolean) IS
  'A login begins: nobody is logged in until _bind, whatever becomes of it. 28000 for what cannot be a key, or names no shard.';
CREATE FUNCTION timedb_router._bind(api_key text, tenant_id uuid, key_id uuid, scope text) RETURNS boolean
  AS 'MODULE_PATHNAME', '_router_bind_wrapper' LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION timedb_router._bind(text, uuid, uuid, text) IS 'The login that has begun has succeeded.';
CREATE FUNCTION timedb_router._begin_request() RETURNS text
  AS 'MODULE_PATHNAME', '_router_begin_request_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION timedb_router._begin_request() IS 'Logs out, sets UTC, and answers the key in the X-API-Key header.';
CREATE FUNCTION timedb_router._key() RETURNS text
  AS 'MODULE_PATHNAME', '_router_key_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION timedb_router._key() IS 'The key of this session; 28000 where there is none.';
CREATE FUNCTION timedb_router._tenant() RETURNS uuid
  AS 'MODULE_PATHNAME', '_router_tenant_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION timedb_router._tenant() IS 'Whose key has logged in; null where nobody has, or the key is in the settings.';
CREATE FUNCTION timedb_router._route() RETURNS integer
  AS 'MODULE_PATHNAME', '_router_route_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION timedb_router._route() IS 'The route of this session''s key; 28000 where there is none.';
CREATE FUNCTION timedb_router._route_of_key(api_key text) RETURNS integer
  AS 'MODULE_PATHNAME', '_router_route_of_key_wrapper' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION timedb_router._route_of_key(text) IS 'The route that a key names.';
CREATE FUNCTION timedb_router._route_of_tenant(tenant_id uuid) RETURNS integer
  AS 'MODULE_PATHNAME', '_router_route_of_tenant_wrapper' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION timedb_router._route_of_tenant(uuid) IS 'The route of a tenant''s keys.';
CREATE FUNCTION timedb_router._manages_as() RETURNS text
  AS 'MODULE_PATHNAME', '_router_manages_as_wrapper' LANGUAGE c STABLE PARALLEL RESTRICTED;
COMMENT ON FUNCTION timedb_router._manages_as() IS
  'As what the caller manages users and keys: "tenant" where he has a key, "operator" where he is a member of timedb_admin; 28000 as neither.';
CREATE FUNCTION timedb_router._operator() RETURNS text
  AS 'MODULE_PATHNAME', '_router_operator_wrapper' LANGUAGE c STABLE PARALLEL RESTRICTED;
COMMENT ON FUNCTION timedb_router._operator() IS 'Whom the audit of a server names for what is done there by an operator.';

CREATE FUNCTION timedb_router._packed(VARIADIC arguments "any") RETURNS bytea
  AS 'MODULE_PATHNAME', '_router_packed_wrapper' LANGUAGE c STABLE PARALLEL UNSAFE;
COMMENT ON FUNCTION timedb_router._packed("any") IS
  'The arguments of a call as a server takes them: PL/Proxy sends everything as text, and a bytea is soon made into one.';
CREATE FUNCTION timedb_router._opened(packed bytea) RETURNS SETOF record
  AS 'MODULE_PATHNAME', '_router_opened_wrapper' LANGUAGE c STABLE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION timedb_router._opened(bytea) IS 'The rows of an answer that a server has packed.';

CREATE FUNCTION timedb_router._begin_write(tenant_id uuid, route integer, call cstring) RETURNS boolean
  AS 'MODULE_PATHNAME', '_router_begin_write_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION timedb_router._begin_write(uuid, integer, cstring) IS
  'A call is about to write: 0A000 where one of this transaction has, 55P03 while the tenant is being moved, 25006 in a read-only transaction.';
CREATE FUNCTION timedb_router._wrote() RETURNS boolean
  AS 'MODULE_PATHNAME', '_router_wrote_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION timedb_router._wrote() IS 'A call of this transaction has written on its shard.';
CREATE FUNCTION timedb_router._wait_for_writers(route integer) RETURNS void
  AS 'MODULE_PATHNAME', '_router_wait_for_writers_wrapper' LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION timedb_router._wait_for_writers(integer) IS
  'For who moves a tenant of this route and has committed is_moving: waits for the calls that write and began before.';
CREATE FUNCTION timedb_router._raise(
  state text, message text, detail text, hint text, writes boolean, may_try_again boolean
) RETURNS boolean
  AS 'MODULE_PATHNAME', '_router_raise_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION timedb_router._raise(text, text, text, text, boolean, boolean) IS
  'Raises in the shard''s words what PL/Proxy has raised in its own, 08006 where the connection was lost; answers where the call may be tried once more.';

-- The key is an argument of what follows, and no plan, which might be logged, is made for it.
CREATE FUNCTION timedb_router._ask_whoami(
  conninfo text, api_key text, OUT tenant_id uuid, OUT user_id uuid, OUT email text, OUT scope text,
  OUT expires_at timestamptz, OUT via text, OUT key_id uuid, OUT timedb_version text
) RETURNS record LANGUAGE plproxy AS $$
  CONNECT timedb_router._for_tenants(conninfo);
  SELECT w.tenant_id, w.user_id, w.email, w.scope, w.expires_at, w.via, w.key_id, w.timedb_version
  FROM timedb_shard.whoami(api_key) w;
$$;
COMMENT ON FUNCTION timedb_router._ask_whoami(text, text) IS 'Asks one shard whose key it is; 28000 if it knows none.';

CREATE FUNCTION timedb_router._whose(
  api_key text, OUT tenant_id uuid, OUT user_id uuid, OUT email text, OUT scope text, OUT expires_at timestamptz,
  OUT via text, OUT key_id uuid, OUT timedb_version text, OUT conninfo text
) RETURNS record LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
  SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  its_route CONSTANT integer := timedb_router._route_of_key(api_key);
  -- Those to which tenants of this route have moved are asked first: where one has just left, the key may still be known.
  asked CONSTANT text[] :=
    timedb_router._moved_of_route(its_route) || timedb_router._of_route(its_route);
  told_detail text;
  told_hint text;
BEGIN
  FOR which IN 1..cardinality(asked) LOOP
    FOR tried IN 1..2 LOOP
      BEGIN
        conninfo := asked[which];
        SELECT w.* INTO tenant_id, user_id, email, scope, expires_at, via, key_id, timedb_version
        FROM timedb_router._ask_whoami(conninfo, api_key) w;
        IF timedb_router._of_tenant(tenant_id) <> conninfo THEN
          conninfo := timedb_router._of_tenant(tenant_id);
          SELECT w.* INTO tenant_id, user_id, email, scope, expires_at, via, key_id, timedb_version
          FROM timedb_router._ask_whoami(conninfo, api_key) w;
        END IF;
        RETURN;
      EXCEPTION WHEN OTHERS OR query_canceled THEN
        GET STACKED DIAGNOSTICS told_detail = PG_EXCEPTION_DETAIL, told_hint = PG_EXCEPTION_HINT;
        EXIT WHEN SQLSTATE = '28000' AND which < cardinality(asked);
        PERFORM timedb_router._raise(SQLSTATE, SQLERRM, told_detail, told_hint, false, tried = 1);
      END;
    END LOOP;
  END LOOP;
END
$$;
COMMENT ON FUNCTION timedb_router._whose(text) IS 'Whose key it is, and the database that he is in; 28000 if no shard of its route knows it.';

CREATE FUNCTION timedb_router._acting_tenant() RETURNS uuid
  LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  tenant uuid := timedb_router._tenant();
BEGIN
  IF tenant IS NULL AND cardinality(timedb_router._moved_of_route(timedb_router._route())) > 0 THEN
    tenant := w.tenant_id FROM timedb_router._whose(timedb_router._key()) w;
  END IF;
  RETURN tenant;
END
$$;
COMMENT ON FUNCTION timedb_router._acting_tenant() IS
  'The tenant of this session''s key, where it can matter which of its route it is; else perhaps null.';

CREATE FUNCTION timedb_router._known_shard() RETURNS text
  AS 'MODULE_PATHNAME', '_router_shard_wrapper' LANGUAGE c STABLE PARALLEL UNSAFE;
COMMENT ON FUNCTION timedb_router._known_shard() IS
  'The database that this session''s key is shown to; null where that depends on whose key it is, which nobody has asked yet.';

-- Without a search_path of its own: every call has it from the shell that it is made from, and would pay for another.
CREATE FUNCTION timedb_router._shard() RETURNS text LANGUAGE sql STABLE PARALLEL UNSAFE
BEGIN ATOMIC
  SELECT timedb_router._for_tenants(coalesce(timedb_router._known_shard(), timedb_router._of_tenant(timedb_router._acting_tenant())));
END;
COMMENT ON FUNCTION timedb_router._shard() IS 'The database that this session''s key is shown to.';

CREATE FUNCTION timedb_router._log_in(
  api_key text, OUT tenant_id uuid, OUT user_id uuid, OUT email text, OUT scope text, OUT expires_at timestamptz
) RETURNS record LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
  SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  whose record;
  is_bound boolean;
BEGIN
  SELECT * INTO whose FROM timedb_router._whose(api_key);
  PERFORM timedb_router._raise_if_other_version(whose.timedb_version);
  is_bound := timedb_router._bind(api_key, whose.tenant_id, whose.key_id, whose.scope);
  tenant_id := whose.tenant_id;
  user_id := whose.user_id;
  email := whose.email;
  scope := whose.scope;
  expires_at := whose.expires_at;
END
$$;
COMMENT ON FUNCTION timedb_router._log_in(text) IS 'Completes a login that has begun.';

CREATE FUNCTION timedb_router._raise_if_other_version(theirs text) RETURNS void
  LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  own CONSTANT text := e.extversion FROM pg_extension e WHERE e.extname = 'timedb_router';
BEGIN
  IF theirs IS DISTINCT FROM own THEN
    RAISE EXCEPTION 'the server of this tenant runs timedb %, the router %', theirs, own
      USING ERRCODE = 'object_not_in_prerequisite_state',
            HINT = 'Have an operator update timedb and timedb_shard there, or timedb_router here.';
  END IF;
END
$$;
COMMENT ON FUNCTION timedb_router._raise_if_other_version(text) IS 'That a shard is of the router''s version.';

CREATE FUNCTION timedb.authenticate(
  api_key text, is_local boolean DEFAULT false,
  OUT tenant_id uuid, OUT user_id uuid, OUT email text, OUT scope text, OUT expires_at timestamptz
) RETURNS record LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  has_begun CONSTANT boolean := timedb_router._begin_login(api_key, is_local);
BEGIN
  SELECT l.* INTO tenant_id, user_id, email, scope, expires_at FROM timedb_router._log_in(api_key) l;
END
$$;

CREATE FUNCTION timedb.logout() RETURNS void
  AS 'MODULE_PATHNAME', 'logout_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE;

CREATE FUNCTION timedb.whoami(
  OUT tenant_id uuid, OUT user_id uuid, OUT email text, OUT scope text, OUT expires_at timestamptz, OUT via text,
  OUT key_id uuid
) RETURNS SETOF record LANGUAGE plpgsql STABLE PARALLEL UNSAFE ROWS 1
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  SET plan_cache_mode = force_generic_plan AS $$
BEGIN
  SELECT w.tenant_id, w.user_id, w.email, w.scope, w.expires_at, w.via, w.key_id
  INTO tenant_id, user_id, email, scope, expires_at, via, key_id
  FROM timedb_router._whose(timedb_router._key()) w;
  RETURN NEXT;
EXCEPTION WHEN invalid_authorization_specification OR SQLSTATE 'PGRST' THEN
  -- As on one server: nobody is no error, in a request either.
  IF SQLSTATE = 'PGRST' AND SQLERRM::json ->> 'code' <> '28000' THEN
    RAISE;
  END IF;
END
$$;

CREATE FUNCTION timedb.current_tenant() RETURNS uuid
  LANGUAGE plpgsql STABLE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN (SELECT w.tenant_id FROM timedb.whoami() w);
END
$$;

CREATE FUNCTION timedb.pre_request() RETURNS void
  LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  key_of_request CONSTANT text := timedb_router._begin_request();
  has_begun CONSTANT boolean := timedb_router._begin_login(key_of_request, true);
BEGIN
  PERFORM timedb_router._log_in(key_of_request);
END
$$;
