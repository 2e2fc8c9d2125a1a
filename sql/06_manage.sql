-- Users and keys. Each function exists once for callers and asks timedb._manages_as(); its body exists once in the
-- library and is declared twice: _…_tenant runs as timedb_api under the tenant's policies, _…_operator as
-- timedb_operator on every tenant, which timedb_admin alone may execute.

-- Where a name is both an argument and a column, the columns are a type of their own: PostgREST reads a function's
-- arguments by position, and would misread it if one of them were declared after a column.

CREATE TYPE timedb.new_user AS (user_id uuid, tenant_id uuid, email text, api_key text);
COMMENT ON TYPE timedb.new_user IS 'What create_user answers: the only place where its key is ever shown.';

CREATE TYPE timedb.key_entry AS (
  key_id uuid, user_id uuid, email text, name text, hint text, scope text, created_at timestamptz,
  expires_at timestamptz, revoked_at timestamptz
);
COMMENT ON TYPE timedb.key_entry IS 'A key as list_keys shows it: never the key, never its hash.';

CREATE TYPE timedb.user_account AS (
  user_id uuid, tenant_id uuid, email text, is_active boolean, created_at timestamptz, updated_at timestamptz
);
COMMENT ON TYPE timedb.user_account IS 'A user as list_users shows it.';

CREATE FUNCTION timedb._create_user_tenant(tenant_id uuid, email text, scope text) RETURNS timedb.new_user
  AS 'MODULE_PATHNAME', '_create_user_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb._create_user_tenant(uuid, text, text) IS 'create_user for a key of scope admin.';
CREATE FUNCTION timedb._create_user_operator(tenant_id uuid, email text, scope text) RETURNS timedb.new_user
  AS 'MODULE_PATHNAME', '_create_user_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb._create_user_operator(uuid, text, text) IS 'create_user for an operator.';
CREATE FUNCTION timedb.create_user(tenant_id uuid, email text, scope text DEFAULT 'write') RETURNS timedb.new_user
  LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF timedb._manages_as() = 'operator' THEN
    RETURN timedb._create_user_operator(tenant_id, email, scope);
  ELSE
    RETURN timedb._create_user_tenant(tenant_id, email, scope);
  END IF;
END
$$;
COMMENT ON FUNCTION timedb.create_user(uuid, text, text) IS
  'Makes a user of a tenant and its first key, with scope read, write or admin. The key is shown here and never again. 23505 if the tenant has the email already; 42501 for another tenant than an admin key''s own.';

CREATE FUNCTION timedb._list_users_tenant(tenant_id uuid, include_inactive boolean)
  RETURNS SETOF timedb.user_account
  AS 'MODULE_PATHNAME', '_list_users_wrapper' LANGUAGE c STABLE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb._list_users_tenant(uuid, boolean) IS 'list_users for a key of scope admin.';
CREATE FUNCTION timedb._list_users_operator(tenant_id uuid, include_inactive boolean)
  RETURNS SETOF timedb.user_account
  AS 'MODULE_PATHNAME', '_list_users_wrapper' LANGUAGE c STABLE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb._list_users_operator(uuid, boolean) IS 'list_users for an operator.';
CREATE FUNCTION timedb.list_users(tenant_id uuid DEFAULT NULL, include_inactive boolean DEFAULT false)
  RETURNS SETOF timedb.user_account
  LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF timedb._manages_as() = 'operator' THEN
    RETURN QUERY SELECT * FROM timedb._list_users_operator(tenant_id, include_inactive);
  ELSE
    RETURN QUERY SELECT * FROM timedb._list_users_tenant(tenant_id, include_inactive);
  END IF;
END
$$;
COMMENT ON FUNCTION timedb.list_users(uuid, boolean) IS
  'The users of a tenant, or of all an operator may see, newest first; deactivated ones only if asked for. 42704 for another tenant than an admin key''s own.';

CREATE FUNCTION timedb._set_user_active_tenant(email text, user_id uuid, tenant_id uuid, is_active boolean)
  RETURNS timedb.user_account
  AS 'MODULE_PATHNAME', '_set_user_active_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb._set_user_active_tenant(text, uuid, uuid, boolean) IS
  'deactivate_user and activate_user for a key of scope admin.';
CREATE FUNCTION timedb._set_user_active_operator(email text, user_id uuid, tenant_id uuid, is_active boolean)
  RETURNS timedb.user_account
  AS 'MODULE_PATHNAME', '_set_user_active_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb._set_user_active_operator(text, uuid, uuid, boolean) IS
  'deactivate_user and activate_user for an operator.';
CREATE FUNCTION timedb.deactivate_user(
  email text DEFAULT NULL, user_id uuid DEFAULT NULL, tenant_id uuid DEFAULT NULL
) RETURNS timedb.user_account
  LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF timedb._manages_as() = 'operator' THEN
    RETURN timedb._set_user_active_operator(email, user_id, tenant_id, false);
  ELSE
    RETURN timedb._set_user_active_tenant(email, user_id, tenant_id, false);
  END IF;
END
$$;
COMMENT ON FUNCTION timedb.deactivate_user(text, uuid, uuid) IS
  'Deactivates the user named by email or user_id: all its keys are refused, from the next statement of every open session on. 42704 if there is no such user; 22023 if several tenants have the email and tenant_id is not given.';
CREATE FUNCTION timedb.activate_user(
  email text DEFAULT NULL, user_id uuid DEFAULT NULL, tenant_id uuid DEFAULT NULL
) RETURNS timedb.user_account
  LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF timedb._manages_as() = 'operator' THEN
    RETURN timedb._set_user_active_operator(email, user_id, tenant_id, true);
  ELSE
    RETURN timedb._set_user_active_tenant(email, user_id, tenant_id, true);
  END IF;
END
$$;
COMMENT ON FUNCTION timedb.activate_user(text, uuid, uuid) IS
  'Activates a deactivated user: its keys that are neither revoked nor expired work again. 42704 if there is no such user; 22023 if several tenants have the email and tenant_id is not given.';

CREATE FUNCTION timedb._regenerate_key_tenant(
  email text, user_id uuid, tenant_id uuid, grace interval, key_id uuid, expires_at timestamptz,
  OUT api_key text
) RETURNS text
  AS 'MODULE_PATHNAME', '_replace_key_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb._regenerate_key_tenant(text, uuid, uuid, interval, uuid, timestamptz) IS
  'regenerate_key for a key of scope admin.';
CREATE FUNCTION timedb._regenerate_key_operator(
  email text, user_id uuid, tenant_id uuid, grace interval, key_id uuid, expires_at timestamptz,
  OUT api_key text
) RETURNS text
  AS 'MODULE_PATHNAME', '_replace_key_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb._regenerate_key_operator(text, uuid, uuid, interval, uuid, timestamptz) IS
  'regenerate_key for an operator.';
CREATE FUNCTION timedb.regenerate_key(
  email text DEFAULT NULL, user_id uuid DEFAULT NULL, tenant_id uuid DEFAULT NULL, grace interval DEFAULT '0',
  key_id uuid DEFAULT NULL, expires_at timestamptz DEFAULT NULL, OUT api_key text
) RETURNS text LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF timedb._manages_as() = 'operator' THEN
    api_key := timedb._regenerate_key_operator(email, user_id, tenant_id, grace, key_id, expires_at);
  ELSE
    api_key := timedb._regenerate_key_tenant(email, user_id, tenant_id, grace, key_id, expires_at);
  END IF;
END
$$;
COMMENT ON FUNCTION timedb.regenerate_key(text, uuid, uuid, interval, uuid, timestamptz) IS
  'Replaces a key of the user by one of the same name and scope, shown here and never again; the old one ends at once, or after grace. A user with several active keys must say which, by key_id, which names the user too; 22023 if not, or if the end of that key is set. A limited lifetime starts anew with the same length, unless expires_at says otherwise. 42704 if there is no such user or key, or none that is active; 55000 if the user is deactivated; 22023 if expires_at is in the past.';

CREATE FUNCTION timedb._create_key_tenant(
  email text, user_id uuid, tenant_id uuid, name text, scope text, expires_at timestamptz,
  OUT key_id uuid, OUT api_key text
) RETURNS record
  AS 'MODULE_PATHNAME', '_create_key_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb._create_key_tenant(text, uuid, uuid, text, text, timestamptz) IS
  'create_key for a key of scope admin.';
CREATE FUNCTION timedb._create_key_operator(
  email text, user_id uuid, tenant_id uuid, name text, scope text, expires_at timestamptz,
  OUT key_id uuid, OUT api_key text
) RETURNS record
  AS 'MODULE_PATHNAME', '_create_key_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb._create_key_operator(text, uuid, uuid, text, text, timestamptz) IS
  'create_key for an operator.';
CREATE FUNCTION timedb.create_key(
  email text DEFAULT NULL, user_id uuid DEFAULT NULL, tenant_id uuid DEFAULT NULL, name text DEFAULT NULL,
  scope text DEFAULT 'write', expires_at timestamptz DEFAULT NULL, OUT key_id uuid, OUT api_key text
) RETURNS record LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF timedb._manages_as() = 'operator' THEN
    SELECT * INTO key_id, api_key
    FROM timedb._create_key_operator(email, user_id, tenant_id, name, scope, expires_at);
  ELSE
    SELECT * INTO key_id, api_key
    FROM timedb._create_key_tenant(email, user_id, tenant_id, name, scope, expires_at);
  END IF;
END
$$;
COMMENT ON FUNCTION timedb.create_key(text, uuid, uuid, text, text, timestamptz) IS
  'Another key for a user, beside those it has, with scope read, write or admin. The key is shown here and never again. 42704 if there is no such user; 55000 if the user is deactivated; 22023 if expires_at is in the past.';

CREATE FUNCTION timedb._list_keys_tenant(tenant_id uuid, user_id uuid) RETURNS SETOF timedb.key_entry
  AS 'MODULE_PATHNAME', '_list_keys_wrapper' LANGUAGE c STABLE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb._list_keys_tenant(uuid, uuid) IS 'list_keys for a key of scope admin.';
CREATE FUNCTION timedb._list_keys_operator(tenant_id uuid, user_id uuid) RETURNS SETOF timedb.key_entry
  AS 'MODULE_PATHNAME', '_list_keys_wrapper' LANGUAGE c STABLE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb._list_keys_operator(uuid, uuid) IS 'list_keys for an operator.';
CREATE FUNCTION timedb.list_keys(tenant_id uuid DEFAULT NULL, user_id uuid DEFAULT NULL)
  RETURNS SETOF timedb.key_entry
  LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF timedb._manages_as() = 'operator' THEN
    RETURN QUERY SELECT * FROM timedb._list_keys_operator(tenant_id, user_id);
  ELSE
    RETURN QUERY SELECT * FROM timedb._list_keys_tenant(tenant_id, user_id);
  END IF;
END
$$;
COMMENT ON FUNCTION timedb.list_keys(uuid, uuid) IS
  'The keys of a tenant or user, newest first, by name and last four characters; never a key or its hash. 42704 for another tenant than an admin key''s own.';

CREATE FUNCTION timedb._revoke_key_tenant(key_id uuid, OUT revoked_at timestamptz) RETURNS timestamptz
  AS 'MODULE_PATHNAME', '_revoke_key_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb._revoke_key_tenant(uuid) IS 'revoke_key for a key of scope admin, and for any that ends itself.';
CREATE FUNCTION timedb._revoke_key_operator(key_id uuid, OUT revoked_at timestamptz) RETURNS timestamptz
  AS 'MODULE_PATHNAME', '_revoke_key_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb._revoke_key_operator(uuid) IS 'revoke_key for an operator.';
CREATE FUNCTION timedb.revoke_key(key_id uuid, OUT revoked_at timestamptz) RETURNS timestamptz
  LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF key_id = timedb._own_key() THEN
    revoked_at := timedb._revoke_key_tenant(key_id);
  ELSIF timedb._manages_as() = 'operator' THEN
    revoked_at := timedb._revoke_key_operator(key_id);
  ELSE
    revoked_at := timedb._revoke_key_tenant(key_id);
  END IF;
END
$$;
COMMENT ON FUNCTION timedb.revoke_key(uuid) IS
  'Ends a key: it is refused from the next statement of every open session on. A key revoked before keeps its time. Any key may end itself: whoami() tells its key_id. 42704 if there is no such key.';

CREATE TYPE timedb.audit_entry AS (
  occurred_at timestamptz, tenant_id uuid, actor text, via text, action text, user_id uuid, email text, key_id uuid,
  role_name name, detail jsonb
);
COMMENT ON TYPE timedb.audit_entry IS 'An entry of the audit as list_audit shows it.';

CREATE FUNCTION timedb._list_audit_tenant(tenant_id uuid, since timestamptz) RETURNS SETOF timedb.audit_entry
  AS 'MODULE_PATHNAME', '_list_audit_wrapper' LANGUAGE c STABLE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb._list_audit_tenant(uuid, timestamptz) IS 'list_audit for a key of scope admin.';
CREATE FUNCTION timedb._list_audit_operator(tenant_id uuid, since timestamptz) RETURNS SETOF timedb.audit_entry
  AS 'MODULE_PATHNAME', '_list_audit_wrapper' LANGUAGE c STABLE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb._list_audit_operator(uuid, timestamptz) IS 'list_audit for an operator.';
CREATE FUNCTION timedb.list_audit(tenant_id uuid DEFAULT NULL, since timestamptz DEFAULT NULL)
  RETURNS SETOF timedb.audit_entry
  LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF timedb._manages_as() = 'operator' THEN
    RETURN QUERY SELECT * FROM timedb._list_audit_operator(tenant_id, since);
  ELSE
    RETURN QUERY SELECT * FROM timedb._list_audit_tenant(tenant_id, since);
  END IF;
END
$$;
COMMENT ON FUNCTION timedb.list_audit(uuid, timestamptz) IS
  'Who made, changed or ended users, keys and role bindings of a tenant, or of all an operator may see, newest first. 42704 for another tenant than an admin key''s own.';

CREATE FUNCTION timedb.bind_role(role name, tenant_id uuid, scope text DEFAULT 'read') RETURNS void
  AS 'MODULE_PATHNAME', 'bind_role_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb.bind_role(name, uuid, text) IS
  'Binds a login role to a tenant: its sessions act for the tenant without a key, until a key logs in. For BI tools and trusted applications; operators only. 42704 if there is no such role, 42710 if it is bound already, 22023 if policies do not bind it.';

CREATE FUNCTION timedb.unbind_role(role name) RETURNS void
  AS 'MODULE_PATHNAME', 'unbind_role_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb.unbind_role(name) IS
  'Ends a role''s binding, from the next statement of every open session on; operators only. 42704 if it has none.';

CREATE FUNCTION timedb.list_bindings(
  OUT role_name name, OUT tenant_id uuid, OUT scope text, OUT created_at timestamptz, OUT role_exists boolean
) RETURNS SETOF record LANGUAGE sql STABLE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  SET debug_print_plan = off SET plan_cache_mode = auto AS $$
  SELECT b.role_name, b.tenant_id, b.scope, b.created_at, r.oid IS NOT NULL
  FROM timedb.role_bindings b LEFT JOIN pg_roles r ON r.rolname = b.role_name
  ORDER BY b.role_name
$$;
COMMENT ON FUNCTION timedb.list_bindings() IS
  'The login roles that act for a tenant without a key; operators only. Unbind a role that no longer exists, before somebody makes one of its name.';
