-- Generated from the functions of timedb by generate.sql: not to be edited. What an operator can call, on one server.

CREATE FUNCTION timedb_router._activate_user_at(conninfo text, operator_ text, a1 text, a2 uuid, a3 uuid) RETURNS timedb.user_account LANGUAGE plproxy AS $$
  CONNECT timedb_router._for_operators(conninfo);
  SELECT r.* FROM timedb_shard.act_for(operator_) o(is_known), LATERAL timedb.activate_user(CASE WHEN o.is_known THEN a1::text END, a2, a3) r;
$$;
CREATE FUNCTION timedb_router._activate_user_on(of_tenant uuid, a1 text, a2 uuid, a3 uuid) RETURNS timedb.user_account LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  told_detail text;
  told_hint text;
  answer timedb.user_account;
  is_free boolean;
  has_written boolean;
BEGIN
  FOR tried IN 1..1 LOOP
    BEGIN
      is_free := timedb_router._begin_write($1, timedb_router._route_of_tenant($1), 'activate_user()');
      answer := timedb_router._activate_user_at(timedb_router._home($1), timedb_router._operator(), $2, $3, $4);
      has_written := timedb_router._wrote();
      RETURN answer;
    EXCEPTION WHEN OTHERS OR query_canceled THEN
      GET STACKED DIAGNOSTICS told_detail = PG_EXCEPTION_DETAIL, told_hint = PG_EXCEPTION_HINT;
      PERFORM timedb_router._raise(SQLSTATE, SQLERRM, told_detail, told_hint, true, false);
    END;
  END LOOP;
END
$$;

CREATE FUNCTION timedb_router._apply_retention_at(conninfo text, operator_ text, a1 boolean, a2 uuid, OUT series integer, OUT versions bigint, OUT value_count bigint, OUT bytes bigint, OUT remaining bigint) RETURNS record LANGUAGE plproxy AS $$
  CONNECT timedb_router._for_operators(conninfo);
  SELECT r.* FROM timedb_shard.act_for(operator_) o(is_known), LATERAL timedb.apply_retention(CASE WHEN o.is_known THEN a1::boolean END, a2) r;
$$;
CREATE FUNCTION timedb_router._apply_retention_on(of_tenant uuid, a1 boolean, a2 uuid, OUT series integer, OUT versions bigint, OUT value_count bigint, OUT bytes bigint, OUT remaining bigint) RETURNS record LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  told_detail text;
  told_hint text;
  is_free boolean;
  has_written boolean;
BEGIN
  FOR tried IN 1..1 LOOP
    BEGIN
      IF a1 IS FALSE THEN
        is_free := timedb_router._begin_write($1, timedb_router._route_of_tenant($1), 'apply_retention()');
      END IF;
      SELECT * INTO series, versions, value_count, bytes, remaining FROM timedb_router._apply_retention_at(timedb_router._home($1), timedb_router._operator(), $2, $3);
      IF a1 IS FALSE THEN
        has_written := timedb_router._wrote();
      END IF;
      RETURN;
    EXCEPTION WHEN OTHERS OR query_canceled THEN
      GET STACKED DIAGNOSTICS told_detail = PG_EXCEPTION_DETAIL, told_hint = PG_EXCEPTION_HINT;
      PERFORM timedb_router._raise(SQLSTATE, SQLERRM, told_detail, told_hint, true, false);
    END;
  END LOOP;
END
$$;

CREATE FUNCTION timedb_router._bind_role_at(conninfo text, operator_ text, a1 name, a2 uuid, a3 text) RETURNS void LANGUAGE plproxy AS $$
  CONNECT timedb_router._for_operators(conninfo);
  SELECT timedb.bind_role(CASE WHEN o.is_known THEN a1::name END, a2, a3) FROM timedb_shard.act_for(operator_) o(is_known);
$$;
CREATE FUNCTION timedb_router._bind_role_on(of_tenant uuid, a1 name, a2 uuid, a3 text) RETURNS void LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  told_detail text;
  told_hint text;
  is_free boolean;
  has_written boolean;
BEGIN
  FOR tried IN 1..1 LOOP
    BEGIN
      is_free := timedb_router._begin_write($1, timedb_router._route_of_tenant($1), 'bind_role()');
      PERFORM timedb_router._bind_role_at(timedb_router._home($1), timedb_router._operator(), $2, $3, $4);
      has_written := timedb_router._wrote();
      RETURN;
    EXCEPTION WHEN OTHERS OR query_canceled THEN
      GET STACKED DIAGNOSTICS told_detail = PG_EXCEPTION_DETAIL, told_hint = PG_EXCEPTION_HINT;
      PERFORM timedb_router._raise(SQLSTATE, SQLERRM, told_detail, told_hint, true, false);
    END;
  END LOOP;
END
$$;

CREATE FUNCTION timedb_router._create_key_at(conninfo text, operator_ text, a1 text, a2 uuid, a3 uuid, a4 text, a5 text, a6 timestamp with time zone, OUT key_id uuid, OUT api_key text) RETURNS record LANGUAGE plproxy AS $$
  CONNECT timedb_router._for_operators(conninfo);
  SELECT r.* FROM timedb_shard.act_for(operator_) o(is_known), LATERAL timedb.create_key(CASE WHEN o.is_known THEN a1::text END, a2, a3, a4, a5, a6) r;
$$;
CREATE FUNCTION timedb_router._create_key_on(of_tenant uuid, a1 text, a2 uuid, a3 uuid, a4 text, a5 text, a6 timestamp with time zone, OUT key_id uuid, OUT api_key text) RETURNS record LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  told_detail text;
  told_hint text;
  is_free boolean;
  has_written boolean;
BEGIN
  FOR tried IN 1..1 LOOP
    BEGIN
      is_free := timedb_router._begin_write($1, timedb_router._route_of_tenant($1), 'create_key()');
      SELECT * INTO key_id, api_key FROM timedb_router._create_key_at(timedb_router._home($1), timedb_router._operator(), $2, $3, $4, $5, $6, $7);
      has_written := timedb_router._wrote();
      RETURN;
    EXCEPTION WHEN OTHERS OR query_canceled THEN
      GET STACKED DIAGNOSTICS told_detail = PG_EXCEPTION_DETAIL, told_hint = PG_EXCEPTION_HINT;
      PERFORM timedb_router._raise(SQLSTATE, SQLERRM, told_detail, told_hint, true, false);
    END;
  END LOOP;
END
$$;

CREATE FUNCTION timedb_router._create_user_at(conninfo text, operator_ text, a1 uuid, a2 text, a3 text) RETURNS timedb.new_user LANGUAGE plproxy AS $$
  CONNECT timedb_router._for_operators(conninfo);
  SELECT r.* FROM timedb_shard.act_for(operator_) o(is_known), LATERAL timedb.create_user(CASE WHEN o.is_known THEN a1::uuid END, a2, a3) r;
$$;
CREATE FUNCTION timedb_router._create_user_on(of_tenant uuid, a1 uuid, a2 text, a3 text) RETURNS timedb.new_user LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  told_detail text;
  told_hint text;
  answer timedb.new_user;
  is_free boolean;
  has_written boolean;
BEGIN
  FOR tried IN 1..1 LOOP
    BEGIN
      is_free := timedb_router._begin_write($1, timedb_router._route_of_tenant($1), 'create_user()');
      answer := timedb_router._create_user_at(timedb_router._home($1), timedb_router._operator(), $2, $3, $4);
      has_written := timedb_router._wrote();
      RETURN answer;
    EXCEPTION WHEN OTHERS OR query_canceled THEN
      GET STACKED DIAGNOSTICS told_detail = PG_EXCEPTION_DETAIL, told_hint = PG_EXCEPTION_HINT;
      PERFORM timedb_router._raise(SQLSTATE, SQLERRM, told_detail, told_hint, true, false);
    END;
  END LOOP;
END
$$;

CREATE FUNCTION timedb_router._deactivate_user_at(conninfo text, operator_ text, a1 text, a2 uuid, a3 uuid) RETURNS timedb.user_account LANGUAGE plproxy AS $$
  CONNECT timedb_router._for_operators(conninfo);
  SELECT r.* FROM timedb_shard.act_for(operator_) o(is_known), LATERAL timedb.deactivate_user(CASE WHEN o.is_known THEN a1::text END, a2, a3) r;
$$;
CREATE FUNCTION timedb_router._deactivate_user_on(of_tenant uuid, a1 text, a2 uuid, a3 uuid) RETURNS timedb.user_account LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  told_detail text;
  told_hint text;
  answer timedb.user_account;
  is_free boolean;
  has_written boolean;
BEGIN
  FOR tried IN 1..1 LOOP
    BEGIN
      is_free := timedb_router._begin_write($1, timedb_router._route_of_tenant($1), 'deactivate_user()');
      answer := timedb_router._deactivate_user_at(timedb_router._home($1), timedb_router._operator(), $2, $3, $4);
      has_written := timedb_router._wrote();
      RETURN answer;
    EXCEPTION WHEN OTHERS OR query_canceled THEN
      GET STACKED DIAGNOSTICS told_detail = PG_EXCEPTION_DETAIL, told_hint = PG_EXCEPTION_HINT;
      PERFORM timedb_router._raise(SQLSTATE, SQLERRM, told_detail, told_hint, true, false);
    END;
  END LOOP;
END
$$;

CREATE FUNCTION timedb_router._erase_run_at(conninfo text, operator_ text, a1 uuid, a2 uuid, OUT versions bigint, OUT value_count bigint, OUT remaining bigint) RETURNS record LANGUAGE plproxy AS $$
  CONNECT timedb_router._for_operators(conninfo);
  SELECT r.* FROM timedb_shard.act_for(operator_) o(is_known), LATERAL timedb.erase_run(CASE WHEN o.is_known THEN a1::uuid END, a2) r;
$$;
CREATE FUNCTION timedb_router._erase_run_on(of_tenant uuid, a1 uuid, a2 uuid, OUT versions bigint, OUT value_count bigint, OUT remaining bigint) RETURNS record LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  told_detail text;
  told_hint text;
  is_free boolean;
  has_written boolean;
BEGIN
  FOR tried IN 1..1 LOOP
    BEGIN
      is_free := timedb_router._begin_write($1, timedb_router._route_of_tenant($1), 'erase_run()');
      SELECT * INTO versions, value_count, remaining FROM timedb_router._erase_run_at(timedb_router._home($1), timedb_router._operator(), $2, $3);
      has_written := timedb_router._wrote();
      RETURN;
    EXCEPTION WHEN OTHERS OR query_canceled THEN
      GET STACKED DIAGNOSTICS told_detail = PG_EXCEPTION_DETAIL, told_hint = PG_EXCEPTION_HINT;
      PERFORM timedb_router._raise(SQLSTATE, SQLERRM, told_detail, told_hint, true, false);
    END;
  END LOOP;
END
$$;

CREATE FUNCTION timedb_router._erase_series_at(conninfo text, operator_ text, a1 uuid, a2 uuid, OUT versions bigint, OUT value_count bigint, OUT remaining bigint) RETURNS record LANGUAGE plproxy AS $$
  CONNECT timedb_router._for_operators(conninfo);
  SELECT r.* FROM timedb_shard.act_for(operator_) o(is_known), LATERAL timedb.erase_series(CASE WHEN o.is_known THEN a1::uuid END, a2) r;
$$;
CREATE FUNCTION timedb_router._erase_series_on(of_tenant uuid, a1 uuid, a2 uuid, OUT versions bigint, OUT value_count bigint, OUT remaining bigint) RETURNS record LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  told_detail text;
  told_hint text;
  is_free boolean;
  has_written boolean;
BEGIN
  FOR tried IN 1..1 LOOP
    BEGIN
      is_free := timedb_router._begin_write($1, timedb_router._route_of_tenant($1), 'erase_series()');
      SELECT * INTO versions, value_count, remaining FROM timedb_router._erase_series_at(timedb_router._home($1), timedb_router._operator(), $2, $3);
      has_written := timedb_router._wrote();
      RETURN;
    EXCEPTION WHEN OTHERS OR query_canceled THEN
      GET STACKED DIAGNOSTICS told_detail = PG_EXCEPTION_DETAIL, told_hint = PG_EXCEPTION_HINT;
      PERFORM timedb_router._raise(SQLSTATE, SQLERRM, told_detail, told_hint, true, false);
    END;
  END LOOP;
END
$$;

CREATE FUNCTION timedb_router._erase_tenant_at(conninfo text, operator_ text, a1 uuid, OUT users bigint, OUT keys bigint, OUT bindings bigint, OUT series bigint, OUT runs bigint, OUT value_count bigint, OUT remaining bigint) RETURNS record LANGUAGE plproxy AS $$
  CONNECT timedb_router._for_operators(conninfo);
  SELECT r.* FROM timedb_shard.act_for(operator_) o(is_known), LATERAL timedb.erase_tenant(CASE WHEN o.is_known THEN a1::uuid END) r;
$$;
CREATE FUNCTION timedb_router._erase_tenant_on(of_tenant uuid, a1 uuid, OUT users bigint, OUT keys bigint, OUT bindings bigint, OUT series bigint, OUT runs bigint, OUT value_count bigint, OUT remaining bigint) RETURNS record LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  told_detail text;
  told_hint text;
  is_free boolean;
  has_written boolean;
BEGIN
  FOR tried IN 1..1 LOOP
    BEGIN
      is_free := timedb_router._begin_write($1, timedb_router._route_of_tenant($1), 'erase_tenant()');
      SELECT * INTO users, keys, bindings, series, runs, value_count, remaining FROM timedb_router._erase_tenant_at(timedb_router._home($1), timedb_router._operator(), $2);
      has_written := timedb_router._wrote();
      RETURN;
    EXCEPTION WHEN OTHERS OR query_canceled THEN
      GET STACKED DIAGNOSTICS told_detail = PG_EXCEPTION_DETAIL, told_hint = PG_EXCEPTION_HINT;
      PERFORM timedb_router._raise(SQLSTATE, SQLERRM, told_detail, told_hint, true, false);
    END;
  END LOOP;
END
$$;

CREATE FUNCTION timedb_router._list_audit_at(conninfo text, a1 uuid, a2 timestamp with time zone) RETURNS SETOF timedb.audit_entry LANGUAGE plproxy AS $$
  CONNECT timedb_router._for_operators(conninfo);
  SELECT * FROM timedb.list_audit($2, $3) r;
$$;
CREATE FUNCTION timedb_router._list_audit_on(conninfo text, a1 uuid, a2 timestamp with time zone) RETURNS SETOF timedb.audit_entry LANGUAGE plpgsql STABLE PARALLEL UNSAFE ROWS 1000
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  told_detail text;
  told_hint text;
BEGIN
  FOR tried IN 1..2 LOOP
    BEGIN
      RETURN QUERY SELECT * FROM timedb_router._list_audit_at($1, $2, $3);
      RETURN;
    EXCEPTION WHEN OTHERS OR query_canceled THEN
      GET STACKED DIAGNOSTICS told_detail = PG_EXCEPTION_DETAIL, told_hint = PG_EXCEPTION_HINT;
      PERFORM timedb_router._raise(SQLSTATE, SQLERRM, told_detail, told_hint, false, tried = 1);
    END;
  END LOOP;
END
$$;

CREATE FUNCTION timedb_router._list_bindings_at(conninfo text, OUT role_name name, OUT tenant_id uuid, OUT scope text, OUT created_at timestamp with time zone, OUT role_exists boolean) RETURNS SETOF record LANGUAGE plproxy AS $$
  CONNECT timedb_router._for_operators(conninfo);
  SELECT * FROM timedb.list_bindings() r;
$$;
CREATE FUNCTION timedb_router._list_bindings_on(conninfo text, OUT role_name name, OUT tenant_id uuid, OUT scope text, OUT created_at timestamp with time zone, OUT role_exists boolean) RETURNS SETOF record LANGUAGE plpgsql STABLE PARALLEL UNSAFE ROWS 1000
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  told_detail text;
  told_hint text;
BEGIN
  FOR tried IN 1..2 LOOP
    BEGIN
      RETURN QUERY SELECT * FROM timedb_router._list_bindings_at($1);
      RETURN;
    EXCEPTION WHEN OTHERS OR query_canceled THEN
      GET STACKED DIAGNOSTICS told_detail = PG_EXCEPTION_DETAIL, told_hint = PG_EXCEPTION_HINT;
      PERFORM timedb_router._raise(SQLSTATE, SQLERRM, told_detail, told_hint, false, tried = 1);
    END;
  END LOOP;
END
$$;

CREATE FUNCTION timedb_router._list_keys_at(conninfo text, a1 uuid, a2 uuid) RETURNS SETOF timedb.key_entry LANGUAGE plproxy AS $$
  CONNECT timedb_router._for_operators(conninfo);
  SELECT * FROM timedb.list_keys($2, $3) r;
$$;
CREATE FUNCTION timedb_router._list_keys_on(conninfo text, a1 uuid, a2 uuid) RETURNS SETOF timedb.key_entry LANGUAGE plpgsql STABLE PARALLEL UNSAFE ROWS 1000
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  told_detail text;
  told_hint text;
BEGIN
  FOR tried IN 1..2 LOOP
    BEGIN
      RETURN QUERY SELECT * FROM timedb_router._list_keys_at($1, $2, $3);
      RETURN;
    EXCEPTION WHEN OTHERS OR query_canceled THEN
      GET STACKED DIAGNOSTICS told_detail = PG_EXCEPTION_DETAIL, told_hint = PG_EXCEPTION_HINT;
      PERFORM timedb_router._raise(SQLSTATE, SQLERRM, told_detail, told_hint, false, tried = 1);
    END;
  END LOOP;
END
$$;

CREATE FUNCTION timedb_router._list_retention_at(conninfo text, a1 uuid, OUT series_id uuid, OUT series_key text, OUT keep interval, OUT basis text, OUT keep_revisions interval, OUT changed_at timestamp with time zone, OUT changed_by text) RETURNS SETOF record LANGUAGE plproxy AS $$
  CONNECT timedb_router._for_operators(conninfo);
  SELECT * FROM timedb.list_retention($2) r;
$$;
CREATE FUNCTION timedb_router._list_retention_on(conninfo text, a1 uuid, OUT series_id uuid, OUT series_key text, OUT keep interval, OUT basis text, OUT keep_revisions interval, OUT changed_at timestamp with time zone, OUT changed_by text) RETURNS SETOF record LANGUAGE plpgsql STABLE PARALLEL UNSAFE ROWS 1000
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  told_detail text;
  told_hint text;
BEGIN
  FOR tried IN 1..2 LOOP
    BEGIN
      RETURN QUERY SELECT * FROM timedb_router._list_retention_at($1, $2);
      RETURN;
    EXCEPTION WHEN OTHERS OR query_canceled THEN
      GET STACKED DIAGNOSTICS told_detail = PG_EXCEPTION_DETAIL, told_hint = PG_EXCEPTION_HINT;
      PERFORM timedb_router._raise(SQLSTATE, SQLERRM, told_detail, told_hint, false, tried = 1);
    END;
  END LOOP;
END
$$;

CREATE FUNCTION timedb_router._list_users_at(conninfo text, a1 uuid, a2 boolean) RETURNS SETOF timedb.user_account LANGUAGE plproxy AS $$
  CONNECT timedb_router._for_operators(conninfo);
  SELECT * FROM timedb.list_users($2, $3) r;
$$;
CREATE FUNCTION timedb_router._list_users_on(conninfo text, a1 uuid, a2 boolean) RETURNS SETOF timedb.user_account LANGUAGE plpgsql STABLE PARALLEL UNSAFE ROWS 1000
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  told_detail text;
  told_hint text;
BEGIN
  FOR tried IN 1..2 LOOP
    BEGIN
      RETURN QUERY SELECT * FROM timedb_router._list_users_at($1, $2, $3);
      RETURN;
    EXCEPTION WHEN OTHERS OR query_canceled THEN
      GET STACKED DIAGNOSTICS told_detail = PG_EXCEPTION_DETAIL, told_hint = PG_EXCEPTION_HINT;
      PERFORM timedb_router._raise(SQLSTATE, SQLERRM, told_detail, told_hint, false, tried = 1);
    END;
  END LOOP;
END
$$;

CREATE FUNCTION timedb_router._regenerate_key_at(conninfo text, operator_ text, a1 text, a2 uuid, a3 uuid, a4 interval, a5 uuid, a6 timestamp with time zone, OUT api_key text) RETURNS text LANGUAGE plproxy AS $$
  CONNECT timedb_router._for_operators(conninfo);
  SELECT timedb.regenerate_key(CASE WHEN o.is_known THEN a1::text END, a2, a3, a4, a5, a6) FROM timedb_shard.act_for(operator_) o(is_known);
$$;
CREATE FUNCTION timedb_router._regenerate_key_on(of_tenant uuid, a1 text, a2 uuid, a3 uuid, a4 interval, a5 uuid, a6 timestamp with time zone, OUT api_key text) RETURNS text LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  told_detail text;
  told_hint text;
  is_free boolean;
  has_written boolean;
BEGIN
  FOR tried IN 1..1 LOOP
    BEGIN
      is_free := timedb_router._begin_write($1, timedb_router._route_of_tenant($1), 'regenerate_key()');
      api_key := timedb_router._regenerate_key_at(timedb_router._home($1), timedb_router._operator(), $2, $3, $4, $5, $6, $7);
      has_written := timedb_router._wrote();
      RETURN;
    EXCEPTION WHEN OTHERS OR query_canceled THEN
      GET STACKED DIAGNOSTICS told_detail = PG_EXCEPTION_DETAIL, told_hint = PG_EXCEPTION_HINT;
      PERFORM timedb_router._raise(SQLSTATE, SQLERRM, told_detail, told_hint, true, false);
    END;
  END LOOP;
END
$$;

CREATE FUNCTION timedb_router._revoke_key_at(conninfo text, operator_ text, a1 uuid, OUT revoked_at timestamp with time zone) RETURNS timestamp with time zone LANGUAGE plproxy AS $$
  CONNECT timedb_router._for_operators(conninfo);
  SELECT timedb.revoke_key(CASE WHEN o.is_known THEN a1::uuid END) FROM timedb_shard.act_for(operator_) o(is_known);
$$;
CREATE FUNCTION timedb_router._revoke_key_on(of_tenant uuid, a1 uuid, OUT revoked_at timestamp with time zone) RETURNS timestamp with time zone LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  told_detail text;
  told_hint text;
  is_free boolean;
  has_written boolean;
BEGIN
  FOR tried IN 1..1 LOOP
    BEGIN
      is_free := timedb_router._begin_write($1, timedb_router._route_of_tenant($1), 'revoke_key()');
      revoked_at := timedb_router._revoke_key_at(timedb_router._home($1), timedb_router._operator(), $2);
      has_written := timedb_router._wrote();
      RETURN;
    EXCEPTION WHEN OTHERS OR query_canceled THEN
      GET STACKED DIAGNOSTICS told_detail = PG_EXCEPTION_DETAIL, told_hint = PG_EXCEPTION_HINT;
      PERFORM timedb_router._raise(SQLSTATE, SQLERRM, told_detail, told_hint, true, false);
    END;
  END LOOP;
END
$$;

CREATE FUNCTION timedb_router._self_check_at(conninfo text, OUT promise text, OUT object text, OUT found text) RETURNS SETOF record LANGUAGE plproxy AS $$
  CONNECT timedb_router._for_operators(conninfo);
  SELECT * FROM timedb.self_check() r;
$$;
CREATE FUNCTION timedb_router._self_check_on(conninfo text, OUT promise text, OUT object text, OUT found text) RETURNS SETOF record LANGUAGE plpgsql STABLE PARALLEL UNSAFE ROWS 1000
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  told_detail text;
  told_hint text;
BEGIN
  FOR tried IN 1..2 LOOP
    BEGIN
      RETURN QUERY SELECT * FROM timedb_router._self_check_at($1);
      RETURN;
    EXCEPTION WHEN OTHERS OR query_canceled THEN
      GET STACKED DIAGNOSTICS told_detail = PG_EXCEPTION_DETAIL, told_hint = PG_EXCEPTION_HINT;
      PERFORM timedb_router._raise(SQLSTATE, SQLERRM, told_detail, told_hint, false, tried = 1);
    END;
  END LOOP;
END
$$;

CREATE FUNCTION timedb_router._set_retention_at(conninfo text, operator_ text, a1 interval, a2 text, a3 interval, a4 uuid[], a5 uuid) RETURNS void LANGUAGE plproxy AS $$
  CONNECT timedb_router._for_operators(conninfo);
  SELECT timedb.set_retention(CASE WHEN o.is_known THEN a1::interval END, a2, a3, a4, a5) FROM timedb_shard.act_for(operator_) o(is_known);
$$;
CREATE FUNCTION timedb_router._set_retention_on(of_tenant uuid, a1 interval, a2 text, a3 interval, a4 uuid[], a5 uuid) RETURNS void LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  told_detail text;
  told_hint text;
  is_free boolean;
  has_written boolean;
BEGIN
  FOR tried IN 1..1 LOOP
    BEGIN
      is_free := timedb_router._begin_write($1, timedb_router._route_of_tenant($1), 'set_retention()');
      PERFORM timedb_router._set_retention_at(timedb_router._home($1), timedb_router._operator(), $2, $3, $4, $5, $6);
      has_written := timedb_router._wrote();
      RETURN;
    EXCEPTION WHEN OTHERS OR query_canceled THEN
      GET STACKED DIAGNOSTICS told_detail = PG_EXCEPTION_DETAIL, told_hint = PG_EXCEPTION_HINT;
      PERFORM timedb_router._raise(SQLSTATE, SQLERRM, told_detail, told_hint, true, false);
    END;
  END LOOP;
END
$$;

CREATE FUNCTION timedb_router._tenant_stats_at(conninfo text, OUT tenant_id uuid, OUT series bigint, OUT runs bigint, OUT value_count bigint, OUT stored_rows bigint, OUT bytes bigint, OUT oldest timestamp with time zone, OUT newest timestamp with time zone, OUT last_upload timestamp with time zone) RETURNS SETOF record LANGUAGE plproxy AS $$
  CONNECT timedb_router._for_operators(conninfo);
  SELECT * FROM timedb.tenant_stats() r;
$$;
CREATE FUNCTION timedb_router._tenant_stats_on(conninfo text, OUT tenant_id uuid, OUT series bigint, OUT runs bigint, OUT value_count bigint, OUT stored_rows bigint, OUT bytes bigint, OUT oldest timestamp with time zone, OUT newest timestamp with time zone, OUT last_upload timestamp with time zone) RETURNS SETOF record LANGUAGE plpgsql STABLE PARALLEL UNSAFE ROWS 1000
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  told_detail text;
  told_hint text;
BEGIN
  FOR tried IN 1..2 LOOP
    BEGIN
      RETURN QUERY SELECT * FROM timedb_router._tenant_stats_at($1);
      RETURN;
    EXCEPTION WHEN OTHERS OR query_canceled THEN
      GET STACKED DIAGNOSTICS told_detail = PG_EXCEPTION_DETAIL, told_hint = PG_EXCEPTION_HINT;
      PERFORM timedb_router._raise(SQLSTATE, SQLERRM, told_detail, told_hint, false, tried = 1);
    END;
  END LOOP;
END
$$;

CREATE FUNCTION timedb_router._unbind_role_at(conninfo text, operator_ text, a1 name) RETURNS void LANGUAGE plproxy AS $$
  CONNECT timedb_router._for_operators(conninfo);
  SELECT timedb.unbind_role(CASE WHEN o.is_known THEN a1::name END) FROM timedb_shard.act_for(operator_) o(is_known);
$$;
CREATE FUNCTION timedb_router._unbind_role_on(of_tenant uuid, a1 name) RETURNS void LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  told_detail text;
  told_hint text;
  is_free boolean;
  has_written boolean;
BEGIN
  FOR tried IN 1..1 LOOP
    BEGIN
      is_free := timedb_router._begin_write($1, timedb_router._route_of_tenant($1), 'unbind_role()');
      PERFORM timedb_router._unbind_role_at(timedb_router._home($1), timedb_router._operator(), $2);
      has_written := timedb_router._wrote();
      RETURN;
    EXCEPTION WHEN OTHERS OR query_canceled THEN
      GET STACKED DIAGNOSTICS told_detail = PG_EXCEPTION_DETAIL, told_hint = PG_EXCEPTION_HINT;
      PERFORM timedb_router._raise(SQLSTATE, SQLERRM, told_detail, told_hint, true, false);
    END;
  END LOOP;
END
$$;

