-- Who is asking: keys presented, the session's tenant, and what policies and functions ask of it.

CREATE FUNCTION timedb.current_tenant() RETURNS uuid
  AS 'MODULE_PATHNAME', 'reconnect_current_tenant_wrapper' LANGUAGE c STABLE PARALLEL RESTRICTED;
COMMENT ON FUNCTION timedb.current_tenant() IS
  'The tenant this session acts for, or null; the key, its user or the role binding is checked anew at every call.';

CREATE FUNCTION timedb.authenticate(
  api_key text, is_local boolean DEFAULT false,
  OUT tenant_id uuid, OUT user_id uuid, OUT email text, OUT scope text, OUT expires_at timestamptz
) RETURNS record
  AS 'MODULE_PATHNAME', 'authenticate_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb.authenticate(text, boolean) IS
  'Binds the session, or with is_local the transaction, to the key''s tenant; 28000 for every key that is not valid, and then nobody is logged in. Bind the key as a parameter, in a statement of its own.';

CREATE FUNCTION timedb.logout() RETURNS void
  AS 'MODULE_PATHNAME', 'logout_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION timedb.logout() IS
  'Leaves the tenant a key had bound; a login role bound by an operator falls back to its binding.';

CREATE FUNCTION timedb.whoami(
  OUT tenant_id uuid, OUT user_id uuid, OUT email text, OUT scope text, OUT expires_at timestamptz, OUT via text,
  OUT key_id uuid
) RETURNS SETOF record
  AS 'MODULE_PATHNAME', 'reconnect_whoami_wrapper' LANGUAGE c STABLE PARALLEL RESTRICTED ROWS 1;
COMMENT ON FUNCTION timedb.whoami() IS
  'Who this session acts as: one row, or none if nobody; via is "key", with its key_id, or "role" (a role binding, which has no user and no key).';

CREATE FUNCTION timedb.pre_request() RETURNS void
  AS 'MODULE_PATHNAME', 'pre_request_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb.pre_request() IS
  'For PostgREST''s db-pre-request: logs out, sets UTC, and binds the transaction to the key in the X-API-Key header; without a valid one the answer is 401.';

CREATE FUNCTION timedb._presented_key_hash() RETURNS bytea
  AS 'MODULE_PATHNAME', '_presented_key_hash_wrapper' LANGUAGE c STABLE PARALLEL RESTRICTED;
COMMENT ON FUNCTION timedb._presented_key_hash() IS
  'The hash of the key that authenticate is looking up at this moment, else null.';

CREATE FUNCTION timedb._may(scope text) RETURNS boolean
  AS 'MODULE_PATHNAME', '_may_wrapper' LANGUAGE c STABLE PARALLEL RESTRICTED;
COMMENT ON FUNCTION timedb._may(text) IS 'Whether the session''s scope is at least the one named.';

CREATE FUNCTION timedb._require_login() RETURNS uuid
  AS 'MODULE_PATHNAME', '_require_login_wrapper' LANGUAGE c STABLE PARALLEL RESTRICTED;
COMMENT ON FUNCTION timedb._require_login() IS 'The tenant this session acts for; 28000 if there is none.';

CREATE FUNCTION timedb._own_key() RETURNS uuid
  AS 'MODULE_PATHNAME', 'reconnect_own_key_wrapper' LANGUAGE c STABLE PARALLEL RESTRICTED;
COMMENT ON FUNCTION timedb._own_key() IS 'The key this session acts with, or null.';

CREATE FUNCTION timedb._manages_as() RETURNS text
  AS 'MODULE_PATHNAME', 'reconnect_manages_as_wrapper' LANGUAGE c STABLE PARALLEL RESTRICTED;
COMMENT ON FUNCTION timedb._manages_as() IS
  'As what the caller may manage users and keys: "tenant" (a key of scope admin) or "operator" (a member of timedb_admin); 28000 or 42501 if as neither.';
