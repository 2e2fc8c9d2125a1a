-- What operators call: a tenant's on the tenant's server, what is of nobody on all of them, one after the other.

CREATE FUNCTION timedb_router._find_user_at(conninfo text, email text, user_id uuid, key_id uuid) RETURNS SETOF uuid
  LANGUAGE plproxy AS $$
  CONNECT timedb_router._for_operators(conninfo);
  SELECT w.tenant_id FROM timedb_shard.find_user($2, $3, $4) w(tenant_id);
$$;
COMMENT ON FUNCTION timedb_router._find_user_at(text, text, uuid, uuid) IS 'The tenants of one server that have such a user.';

CREATE FUNCTION timedb_router._find_user_on(conninfo text, email text, user_id uuid, key_id uuid) RETURNS SETOF uuid
  LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  told_detail text;
  told_hint text;
BEGIN
  FOR tried IN 1..2 LOOP
    BEGIN
      RETURN QUERY SELECT * FROM timedb_router._find_user_at($1, $2, $3, $4);
      RETURN;
    EXCEPTION WHEN OTHERS OR query_canceled THEN
      GET STACKED DIAGNOSTICS told_detail = PG_EXCEPTION_DETAIL, told_hint = PG_EXCEPTION_HINT;
      PERFORM timedb_router._raise(SQLSTATE, SQLERRM, told_detail, told_hint, false, tried = 1);
    END;
  END LOOP;
END
$$;
COMMENT ON FUNCTION timedb_router._find_user_on(text, text, uuid, uuid) IS '_find_user_at, in the server''s words.';

CREATE FUNCTION timedb_router._tenant_of(tenant_id uuid, email text, user_id uuid, key_id uuid) RETURNS uuid
  LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  found uuid[];
BEGIN
  IF tenant_id IS NOT NULL OR email IS NULL AND user_id IS NULL AND key_id IS NULL THEN
    RETURN tenant_id;
  END IF;
  found := ARRAY(
    SELECT DISTINCT f.tenant_id FROM timedb_router._all() c(conninfo),
           -- A key that is not the user's is for his server to refuse, in its words.
           LATERAL timedb_router._find_user_on(
             c.conninfo, email, user_id, CASE WHEN email IS NULL AND user_id IS NULL THEN key_id END) f(tenant_id)
    -- One who is being moved is on two for a moment.
    WHERE timedb_router._of_tenant(f.tenant_id) = c.conninfo);
  IF cardinality(found) > 1 THEN
    RAISE EXCEPTION '"%" is that of users of several tenants', CASE WHEN email IS NULL THEN 'user_id' ELSE 'email' END
      USING ERRCODE = 'invalid_parameter_value', HINT = 'Pass tenant_id as well.';
  END IF;
  RETURN found[1];
END
$$;
COMMENT ON FUNCTION timedb_router._tenant_of(uuid, text, uuid, uuid) IS
  'The tenant that an operator names, or the one that has the user or the key that he names; null if there is none.';

CREATE FUNCTION timedb_router._home(tenant_id uuid) RETURNS text
  LANGUAGE sql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
  SELECT coalesce(timedb_router._of_tenant(tenant_id), timedb_router._of_route(0))
$$;
COMMENT ON FUNCTION timedb_router._home(uuid) IS
  'The server of a tenant; where none is named or found, one that says so in its words.';

CREATE FUNCTION timedb_router._create_user_operator(tenant_id uuid, email text, scope text) RETURNS timedb.new_user
  LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN timedb_router._create_user_on(tenant_id, tenant_id, email, scope);
END
$$;

CREATE FUNCTION timedb_router._activate_user_operator(email text, user_id uuid, tenant_id uuid) RETURNS timedb.user_account
  LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  tenant CONSTANT uuid := timedb_router._tenant_of(tenant_id, email, user_id, NULL);
BEGIN
  RETURN timedb_router._activate_user_on(tenant, email, user_id, tenant);
END
$$;

CREATE FUNCTION timedb_router._deactivate_user_operator(email text, user_id uuid, tenant_id uuid) RETURNS timedb.user_account
  LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  tenant CONSTANT uuid := timedb_router._tenant_of(tenant_id, email, user_id, NULL);
BEGIN
  RETURN timedb_router._deactivate_user_on(tenant, email, user_id, tenant);
END
$$;

CREATE FUNCTION timedb_router._regenerate_key_operator(email text, user_id uuid, tenant_id uuid, grace interval, key_id uuid, expires_at timestamptz, OUT api_key text) RETURNS text
  LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  tenant CONSTANT uuid := timedb_router._tenant_of(tenant_id, email, user_id, key_id);
BEGIN
  api_key := timedb_router._regenerate_key_on(tenant, email, user_id, tenant, grace, key_id, expires_at);
END
$$;

CREATE FUNCTION timedb_router._create_key_operator(email text, user_id uuid, tenant_id uuid, name text, scope text, expires_at timestamptz, OUT key_id uuid, OUT api_key text) RETURNS record
  LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  tenant CONSTANT uuid := timedb_router._tenant_of(tenant_id, email, user_id, NULL);
BEGIN
  SELECT k.* INTO key_id, api_key
  FROM timedb_router._create_key_on(tenant, email, user_id, tenant, name, scope, expires_at) k;
END
$$;

CREATE FUNCTION timedb_router._revoke_key_operator(key_id uuid, OUT revoked_at timestamptz) RETURNS timestamptz
  LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  revoked_at := timedb_router._revoke_key_on(timedb_router._tenant_of(NULL, NULL, NULL, key_id), key_id);
END
$$;

CREATE FUNCTION timedb_router._erase_run_operator(run_id uuid, tenant_id uuid, OUT versions bigint, OUT value_count bigint, OUT remaining bigint) RETURNS record
  LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  SELECT e.* INTO versions, value_count, remaining FROM timedb_router._erase_run_on(tenant_id, run_id, tenant_id) e;
END
$$;

CREATE FUNCTION timedb_router._erase_series_operator(series_id uuid, tenant_id uuid, OUT versions bigint, OUT value_count bigint, OUT remaining bigint) RETURNS record
  LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  SELECT e.* INTO versions, value_count, remaining FROM timedb_router._erase_series_on(tenant_id, series_id, tenant_id) e;
END
$$;

CREATE FUNCTION timedb_router._set_retention_operator(keep interval, basis text, keep_revisions interval, series_ids uuid[], tenant_id uuid) RETURNS void
  LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM timedb_router._set_retention_on(tenant_id, keep, basis, keep_revisions, series_ids, tenant_id);
END
$$;

CREATE FUNCTION timedb_router._apply_retention_operator(dry_run boolean, tenant_id uuid, OUT series integer, OUT versions bigint, OUT value_count bigint, OUT bytes bigint, OUT remaining bigint) RETURNS record
  LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  SELECT a.* INTO series, versions, value_count, bytes, remaining
  FROM timedb_router._apply_retention_on(tenant_id, dry_run, tenant_id) a;
END
$$;

CREATE FUNCTION timedb_router._list_retention_operator(asked uuid, OUT series_id uuid, OUT series_key text, OUT keep interval, OUT basis text, OUT keep_revisions interval, OUT changed_at timestamptz, OUT changed_by text) RETURNS SETOF record
  LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT l.* FROM timedb_router._list_retention_on(timedb_router._home(asked), asked) l
$$;

CREATE FUNCTION timedb_router._list_users_operator(asked uuid, include_inactive boolean) RETURNS SETOF timedb.user_account
  LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT l.*
  FROM timedb_router._all() c(conninfo), LATERAL timedb_router._list_users_on(c.conninfo, asked, include_inactive) l
  WHERE (asked IS NULL OR c.conninfo = timedb_router._of_tenant(asked)) AND timedb_router._of_tenant(l.tenant_id) = c.conninfo
  ORDER BY l.created_at DESC, l.user_id DESC
$$;

CREATE FUNCTION timedb_router._list_audit_operator(asked uuid, since timestamptz) RETURNS SETOF timedb.audit_entry
  LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT l.*
  FROM timedb_router._all() c(conninfo), LATERAL timedb_router._list_audit_on(c.conninfo, asked, since) l
  WHERE (asked IS NULL OR c.conninfo = timedb_router._of_tenant(asked))
  ORDER BY l.occurred_at DESC
$$;

CREATE FUNCTION timedb_router._list_keys_operator(asked uuid, of_user uuid) RETURNS SETOF timedb.key_entry
  LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  tenant CONSTANT uuid := timedb_router._tenant_of(asked, NULL, of_user, NULL);
BEGIN
  IF tenant IS NOT NULL OR of_user IS NOT NULL THEN
    RETURN QUERY SELECT * FROM timedb_router._list_keys_on(timedb_router._home(tenant), tenant, of_user);
  ELSE
    RETURN QUERY SELECT l.* FROM timedb_router._all() c(conninfo), LATERAL timedb_router._list_keys_on(c.conninfo, NULL, NULL) l
                 ORDER BY l.created_at DESC, l.key_id DESC;
  END IF;
END
$$;

CREATE FUNCTION timedb.erase_tenant(tenant_id uuid, OUT users bigint, OUT keys bigint, OUT bindings bigint, OUT series bigint, OUT runs bigint, OUT value_count bigint, OUT remaining bigint) RETURNS record
  LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  SELECT e.* INTO users, keys, bindings, series, runs, value_count, remaining
  FROM timedb_router._erase_tenant_on(tenant_id, tenant_id) e;
END
$$;

CREATE FUNCTION timedb.bind_role(role name, tenant_id uuid, scope text DEFAULT 'read') RETURNS void
  LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM timedb_router._bind_role_on(tenant_id, role, tenant_id, scope);
END
$$;

CREATE FUNCTION timedb.unbind_role(role name) RETURNS void
  LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  its CONSTANT uuid := b.tenant_id
    FROM timedb_router._all() c(conninfo), LATERAL timedb_router._list_bindings_on(c.conninfo) b
    WHERE b.role_name = role LIMIT 1;
BEGIN
  PERFORM timedb_router._unbind_role_on(its, role);
END
$$;

CREATE FUNCTION timedb.list_bindings(OUT role_name name, OUT tenant_id uuid, OUT scope text, OUT created_at timestamptz, OUT role_exists boolean) RETURNS SETOF record
  LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT b.* FROM timedb_router._all() c(conninfo), LATERAL timedb_router._list_bindings_on(c.conninfo) b ORDER BY b.role_name
$$;

CREATE FUNCTION timedb.tenant_stats(OUT tenant_id uuid, OUT series bigint, OUT runs bigint, OUT value_count bigint, OUT stored_rows bigint, OUT bytes bigint, OUT oldest timestamptz, OUT newest timestamptz, OUT last_upload timestamptz) RETURNS SETOF record
  LANGUAGE sql STABLE PARALLEL UNSAFE ROWS 1000 SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT t.* FROM timedb_router._all() c(conninfo), LATERAL timedb_router._tenant_stats_on(c.conninfo) t
  WHERE timedb_router._of_tenant(t.tenant_id) = c.conninfo ORDER BY t.tenant_id
$$;

