-- Grants, from nothing: first everybody loses what Postgres gives to PUBLIC and what the default privileges of this
-- database give to anybody, then each role gets what it needs and no more.

REVOKE ALL ON ALL ROUTINES IN SCHEMA timedb FROM PUBLIC;

DO $revoke$
DECLARE
  granted record;
BEGIN
  FOR granted IN
    SELECT 'TABLE' AS kind, c.oid::regclass::text AS name, g.grantee
    FROM pg_class c, LATERAL aclexplode(c.relacl) g
    WHERE c.relnamespace = 'timedb'::regnamespace AND c.relkind IN ('r', 'v') AND g.grantee <> c.relowner
    UNION
    SELECT 'ROUTINE', p.oid::regprocedure::text, g.grantee
    FROM pg_proc p, LATERAL aclexplode(p.proacl) g
    WHERE p.pronamespace = 'timedb'::regnamespace AND g.grantee <> p.proowner
    UNION
    SELECT 'SCHEMA', 'timedb', g.grantee
    FROM pg_namespace n, LATERAL aclexplode(n.nspacl) g
    WHERE n.nspname = 'timedb' AND g.grantee <> n.nspowner AND g.grantee <> 'timedb_owner'::regrole
  LOOP
    EXECUTE format('REVOKE ALL ON %s %s FROM %s', granted.kind, granted.name,
                   CASE granted.grantee WHEN 0 THEN 'PUBLIC' ELSE granted.grantee::regrole::text END);
  END LOOP;
END
$revoke$;

GRANT USAGE ON SCHEMA timedb
  TO timedb_api, timedb_auth, timedb_operator, timedb_compactor, timedb_eraser, timedb_admin, timedb_caller, timedb_user;

-- timedb_api: a tenant's tables, under their policies. Nothing is deleted, and of a row only what is named here changes.
GRANT SELECT, INSERT, UPDATE (series_key, labels, labels_entered, unit, description) ON timedb.series TO timedb_api;
GRANT SELECT, INSERT ON timedb.series_labels TO timedb_api;
GRANT SELECT, INSERT, UPDATE (last_change_time, value_count) ON timedb.runs TO timedb_api;
GRANT SELECT, INSERT, UPDATE (restored_at, restored_by, restore_reason) ON timedb.withdrawals TO timedb_api;
GRANT SELECT, INSERT ON timedb.values TO timedb_api;
GRANT SELECT ON timedb.packs TO timedb_api;
GRANT SELECT, INSERT, UPDATE (is_active, updated_at) ON timedb.users TO timedb_api;
GRANT SELECT (tenant_id, key_id, user_id, name, hint, scope, created_at, expires_at, revoked_at), INSERT
  ON timedb.api_keys TO timedb_api;
GRANT SELECT, INSERT ON timedb.key_ends TO timedb_api;

GRANT SELECT, INSERT ON timedb.audit TO timedb_api;

-- timedb_auth: the key row being presented, and of it only what names it.
GRANT SELECT (tenant_id, key_id, key_hash, scope) ON timedb.api_keys TO timedb_auth;

-- timedb_compactor: moves a tenant's versions from values into packs, under their policies.
GRANT SELECT, DELETE ON timedb.values TO timedb_compactor;
GRANT SELECT, INSERT, DELETE ON timedb.packs TO timedb_compactor;
-- What maintain looks for beside: rows that have lost what they are of; and what it leaves in its log.
GRANT SELECT (tenant_id, run_id) ON timedb.runs TO timedb_compactor;
GRANT SELECT (tenant_id, series_id) ON timedb.series TO timedb_compactor;
GRANT SELECT, INSERT, UPDATE, DELETE ON timedb.maintenance_log TO timedb_compactor;
GRANT SELECT ON timedb.maintenance_log TO timedb_operator;

-- timedb_eraser: takes out of a tenant's values, for scope admin or an operator, what is to be gone, under their policies.
GRANT SELECT ON timedb.series TO timedb_eraser;
GRANT SELECT, UPDATE (value_count, listed) ON timedb.runs TO timedb_eraser;
GRANT SELECT, INSERT, DELETE ON timedb.values TO timedb_eraser;
GRANT SELECT, INSERT, DELETE ON timedb.packs TO timedb_eraser;
GRANT SELECT, INSERT, DELETE, UPDATE (keep, basis, keep_revisions, changed_at, changed_by) ON timedb.retention TO timedb_eraser;
-- And whole series, runs and tenants; of a row that may be held it must be able to say so.
GRANT DELETE, UPDATE (description) ON timedb.series TO timedb_eraser;
GRANT SELECT, DELETE ON timedb.series_labels TO timedb_eraser;
GRANT DELETE ON timedb.runs TO timedb_eraser;
GRANT SELECT, UPDATE (updated_at), DELETE ON timedb.users TO timedb_eraser;
GRANT SELECT (tenant_id, key_id), DELETE ON timedb.api_keys TO timedb_eraser;
GRANT SELECT, DELETE ON timedb.key_ends, timedb.role_bindings, timedb.maintenance_log, timedb.withdrawals TO timedb_eraser;
GRANT SELECT, INSERT, DELETE ON timedb.audit TO timedb_eraser;
GRANT UPDATE (reason) ON timedb.withdrawals TO timedb_eraser;

-- timedb_operator: users, keys and bindings of every tenant, never a key's hash.
GRANT SELECT, INSERT, UPDATE (is_active, updated_at) ON timedb.users TO timedb_operator;
GRANT SELECT (tenant_id, key_id, user_id, name, hint, scope, created_at, expires_at, revoked_at), INSERT
  ON timedb.api_keys TO timedb_operator;
GRANT SELECT, INSERT ON timedb.key_ends TO timedb_operator;
GRANT SELECT, INSERT, DELETE ON timedb.role_bindings TO timedb_operator;
GRANT SELECT, INSERT ON timedb.audit TO timedb_operator;

-- What policies and function bodies call.
GRANT EXECUTE ON FUNCTION timedb.current_tenant()
  TO timedb_api, timedb_compactor, timedb_eraser, timedb_caller, timedb_user, timedb_admin;
GRANT EXECUTE ON FUNCTION timedb._own_key() TO timedb_api, timedb_caller, timedb_user, timedb_admin;
GRANT EXECUTE ON FUNCTION timedb._presented_key_hash() TO timedb_auth;
GRANT EXECUTE ON FUNCTION timedb._may(text) TO timedb_api, timedb_compactor, timedb_eraser;
GRANT EXECUTE ON FUNCTION timedb._require_login() TO timedb_api;
GRANT EXECUTE ON FUNCTION timedb._points_of_bytes(bytea) TO timedb_api, timedb_eraser;
GRANT EXECUTE ON FUNCTION timedb._pack_of_bytes(bytea) TO timedb_compactor, timedb_eraser;

-- timedb_caller: sign in, call the API, and select from nothing: whoever may select may EXPLAIN ANALYZE, which counts rows
-- of all tenants. timedb_user: that, and the tenant's rows in tables and views. Neither is a member of the other: self_check,
-- and the install into a further database, know a group by its own grants. timedb_admin: sign in, call the API's management.
GRANT EXECUTE ON FUNCTION timedb.authenticate(text, boolean), timedb.logout(), timedb.whoami(), timedb.pre_request()
  TO timedb_caller, timedb_user, timedb_admin;

GRANT SELECT ON timedb.series, timedb.runs, timedb.withdrawals, timedb.values, timedb.packs, timedb.current_values,
  timedb.versions TO timedb_user;
GRANT EXECUTE ON FUNCTION
  timedb.points_in(cstring), timedb.points_out(timedb.points), timedb.points_recv(internal),
  timedb.points_send(timedb.points),
  timedb.make_points(timestamptz[], float8[], timestamptz[]), timedb.unnest_points(timedb.points),
  timedb.count_points(timedb.points), timedb.bound_points(timedb.points),
  timedb.merge_points(timedb.points, timestamptz, timestamptz, uuid),
  timedb.pack_in(cstring), timedb.pack_out(timedb.pack), timedb.pack_recv(internal), timedb.pack_send(timedb.pack),
  timedb.unnest_pack(timedb.pack)
  TO timedb_caller, timedb_user;
GRANT EXECUTE ON FUNCTION
  timedb.create_series(text, text, text, jsonb), timedb.list_series(jsonb, text, integer, text, uuid),
  timedb.label_values(text), timedb.update_series(uuid, text, text, text, jsonb),
  timedb.latest(text[], uuid[], jsonb, timestamptz),
  timedb.list_runs(text, text[], uuid[], jsonb, timestamptz, timestamptz, integer, uuid),
  timedb.read_buckets(
    interval, text, text, timestamptz, timestamptz, timestamptz, timestamptz, text[], uuid[], timestamptz, jsonb, uuid[],
    text, text),
  timedb.gaps(interval, text, timestamptz, timestamptz, text[], uuid[], jsonb),
  timedb.coverage(text[], uuid[], jsonb),
  timedb.upload(timestamptz, json, text, timestamptz, timestamptz, jsonb, jsonb, uuid, boolean),
  timedb.upload_points(
    timestamptz, text[], timestamptz[], float8[], timestamptz[], text, timestamptz, timestamptz, jsonb, jsonb, jsonb[],
    boolean),
  timedb.upload_arrow(timestamptz, bytea, text, timestamptz, timestamptz, jsonb, jsonb, boolean),
  timedb.upload_runs(json, timestamptz, text, timestamptz, timestamptz, jsonb, jsonb, boolean),
  timedb.upload_runs_arrow(bytea, timestamptz, text, timestamptz, timestamptz, jsonb, jsonb, boolean),
  timedb.update(json), timedb.compact(uuid[], interval),
  timedb.read(
    timestamptz, timestamptz, timestamptz, timestamptz, text, boolean, text[], uuid[], timestamptz,
    jsonb, uuid[], text, text, text),
  timedb.read_arrow(
    timestamptz, timestamptz, timestamptz, timestamptz, text, boolean, text[], uuid[], timestamptz,
    jsonb, uuid[], text, text, text),
  timedb.read_arrow_batches(
    timestamptz, timestamptz, timestamptz, timestamptz, text, boolean, text[], uuid[], timestamptz,
    jsonb, uuid[], text, text, text, integer),
  timedb.read_relative(
    interval, integer, time, interval, interval, timestamptz, text, timestamptz, timestamptz, boolean, text[], uuid[],
    timestamptz, jsonb, uuid[], text, text, text),
  timedb.read_relative_arrow(
    interval, integer, time, interval, interval, timestamptz, text, timestamptz, timestamptz, boolean, text[], uuid[],
    timestamptz, jsonb, uuid[], text, text, text)
  TO timedb_caller, timedb_user;
GRANT EXECUTE ON FUNCTION
  timedb.settled_time(), timedb.read_changes(timestamptz, timestamptz, text[], uuid[], jsonb, integer),
  timedb.read_changes_arrow(timestamptz, timestamptz, text[], uuid[], jsonb, integer)
  TO timedb_caller, timedb_user;
GRANT EXECUTE ON FUNCTION timedb.withdraw_run(uuid, text), timedb.restore_run(uuid, text) TO timedb_caller, timedb_user;
-- What the view current_values calls.
GRANT EXECUTE ON FUNCTION timedb._series_values(uuid) TO timedb_user;

GRANT EXECUTE ON FUNCTION
  timedb._manages_as(),
  timedb.create_user(uuid, text, text), timedb.list_users(uuid, boolean), timedb.deactivate_user(text, uuid, uuid),
  timedb.activate_user(text, uuid, uuid),
  timedb.regenerate_key(text, uuid, uuid, interval, uuid, timestamptz),
  timedb.create_key(text, uuid, uuid, text, text, timestamptz), timedb.list_keys(uuid, uuid),
  timedb.revoke_key(uuid), timedb.list_audit(uuid, timestamptz),
  timedb._create_user_tenant(uuid, text, text), timedb._list_users_tenant(uuid, boolean),
  timedb._set_user_active_tenant(text, uuid, uuid, boolean),
  timedb._regenerate_key_tenant(text, uuid, uuid, interval, uuid, timestamptz),
  timedb._create_key_tenant(text, uuid, uuid, text, text, timestamptz), timedb._list_keys_tenant(uuid, uuid),
  timedb._revoke_key_tenant(uuid), timedb._list_audit_tenant(uuid, timestamptz)
  TO timedb_caller, timedb_user, timedb_admin;

GRANT EXECUTE ON FUNCTION
  timedb._create_user_operator(uuid, text, text), timedb._list_users_operator(uuid, boolean),
  timedb._set_user_active_operator(text, uuid, uuid, boolean),
  timedb._regenerate_key_operator(text, uuid, uuid, interval, uuid, timestamptz),
  timedb._create_key_operator(text, uuid, uuid, text, text, timestamptz), timedb._list_keys_operator(uuid, uuid),
  timedb._revoke_key_operator(uuid), timedb._list_audit_operator(uuid, timestamptz),
  timedb.bind_role(name, uuid, text), timedb.unbind_role(name), timedb.list_bindings(), timedb.self_check(),
  timedb._keys_without_user(), timedb._has_statistics(regclass, smallint)
  TO timedb_admin;

-- How much is stored.
GRANT EXECUTE ON FUNCTION timedb.stats() TO timedb_caller, timedb_user;
GRANT EXECUTE ON FUNCTION timedb.tenant_stats() TO timedb_admin;

-- Erasing: for scope admin, and for operators.
GRANT EXECUTE ON FUNCTION
  timedb.erase_run(uuid, uuid), timedb.erase_series(uuid, uuid), timedb._erase_run_tenant(uuid, uuid),
  timedb._erase_series_tenant(uuid, uuid)
  TO timedb_caller, timedb_user, timedb_admin;
GRANT EXECUTE ON FUNCTION
  timedb._erase_run_operator(uuid, uuid), timedb._erase_series_operator(uuid, uuid), timedb.erase_tenant(uuid)
  TO timedb_admin;

-- Maintenance, for operators.
GRANT EXECUTE ON FUNCTION
  timedb._maintain_until_operator(interval, interval), timedb._tenants_to_maintain_operator(),
  timedb._begin_maintenance_operator(uuid, interval, boolean), timedb._maintain_share_operator(uuid, uuid, interval),
  timedb._end_maintenance_operator(uuid, uuid, bigint, text, text), timedb._list_maintenance_operator()
  TO timedb_admin;
GRANT EXECUTE ON PROCEDURE timedb.maintain(interval, interval) TO timedb_admin;
GRANT SELECT ON timedb.maintenance TO timedb_admin;

-- Retention.
GRANT EXECUTE ON FUNCTION
  timedb.set_retention(interval, text, interval, uuid[], uuid), timedb.list_retention(uuid),
  timedb.apply_retention(boolean, uuid),
  timedb._set_retention_tenant(interval, text, interval, uuid[], uuid), timedb._list_retention_tenant(uuid),
  timedb._apply_retention_tenant(boolean, uuid)
  TO timedb_caller, timedb_user, timedb_admin;
GRANT EXECUTE ON FUNCTION
  timedb._set_retention_operator(interval, text, interval, uuid[], uuid), timedb._list_retention_operator(uuid),
  timedb._apply_retention_operator(boolean, uuid), timedb._retain_share_operator(uuid)
  TO timedb_admin;
