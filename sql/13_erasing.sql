-- What is gone for good: a run, a series, a tenant. The bodies run as timedb_eraser, under the tenant's policies: with scope
-- admin, or for an operator, who says which tenant.

CREATE FUNCTION timedb._erase_run_tenant(
  run_id uuid, tenant_id uuid, OUT versions bigint, OUT value_count bigint, OUT remaining bigint
) RETURNS record
  AS 'MODULE_PATHNAME', '_erase_run_tenant_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off;
COMMENT ON FUNCTION timedb._erase_run_tenant(uuid, uuid) IS 'erase_run for a key of scope admin.';
CREATE FUNCTION timedb._erase_run_operator(
  run_id uuid, tenant_id uuid, OUT versions bigint, OUT value_count bigint, OUT remaining bigint
) RETURNS record
  AS 'MODULE_PATHNAME', '_erase_run_operator_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off;
COMMENT ON FUNCTION timedb._erase_run_operator(uuid, uuid) IS 'erase_run for an operator.';
CREATE FUNCTION timedb.erase_run(
  run_id uuid, tenant_id uuid DEFAULT NULL, OUT versions bigint, OUT value_count bigint, OUT remaining bigint
) RETURNS record LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF timedb._manages_as() = 'operator' THEN
    SELECT * INTO versions, value_count, remaining FROM timedb._erase_run_operator(run_id, tenant_id);
  ELSE
    SELECT * INTO versions, value_count, remaining FROM timedb._erase_run_tenant(run_id, tenant_id);
  END IF;
END
$$;
COMMENT ON FUNCTION timedb.erase_run(uuid, uuid) IS
  'Erases a run: what its upload and updates have written, in rows and in packs, and then the run itself. Gone for good. For scope admin, and for operators, who give tenant_id. A call takes a bounded share out and answers how many versions, with how many values, that was; call it until remaining, the rows and packs still to be looked at, is 0. It waits for no transaction: what one holds remains. 42704 if there is no such run.';

CREATE FUNCTION timedb._erase_series_tenant(
  series_id uuid, tenant_id uuid, OUT versions bigint, OUT value_count bigint, OUT remaining bigint
) RETURNS record
  AS 'MODULE_PATHNAME', '_erase_series_tenant_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off;
COMMENT ON FUNCTION timedb._erase_series_tenant(uuid, uuid) IS 'erase_series for a key of scope admin.';
CREATE FUNCTION timedb._erase_series_operator(
  series_id uuid, tenant_id uuid, OUT versions bigint, OUT value_count bigint, OUT remaining bigint
) RETURNS record
  AS 'MODULE_PATHNAME', '_erase_series_operator_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off;
COMMENT ON FUNCTION timedb._erase_series_operator(uuid, uuid) IS 'erase_series for an operator.';
CREATE FUNCTION timedb.erase_series(
  series_id uuid, tenant_id uuid DEFAULT NULL, OUT versions bigint, OUT value_count bigint, OUT remaining bigint
) RETURNS record LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF timedb._manages_as() = 'operator' THEN
    SELECT * INTO versions, value_count, remaining FROM timedb._erase_series_operator(series_id, tenant_id);
  ELSE
    SELECT * INTO versions, value_count, remaining FROM timedb._erase_series_tenant(series_id, tenant_id);
  END IF;
END
$$;
COMMENT ON FUNCTION timedb.erase_series(uuid, uuid) IS
  'Erases a series: the series itself with its labels, and so all of it from every read, and then its values of all runs, which stay. Gone for good. For scope admin, and for operators, who give tenant_id. A call takes a bounded share out, as erase_run; call it until remaining is 0, and once more for what an upload has written that began before the first call: it is 42704 once there is neither the series nor anything of it.';

CREATE FUNCTION timedb.erase_tenant(
  tenant_id uuid, OUT users bigint, OUT keys bigint, OUT bindings bigint, OUT series bigint, OUT runs bigint,
  OUT value_count bigint, OUT remaining bigint
) RETURNS record
  AS 'MODULE_PATHNAME', 'erase_tenant_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off;
COMMENT ON FUNCTION timedb.erase_tenant(uuid) IS
  'Erases a tenant, for operators: users, keys, role bindings and audit, series, runs and values. Gone for good but for one entry of the audit, which counts what it was. The first call ends all keys and bindings, from the next statement of every open session on, and is never the last; each takes a bounded share out and answers what that was. Call it, and commit, until remaining, the rows that are left, is 0: later calls take out what a transaction of the tenant has committed since. It waits for none: what an open one holds remains, and so does 1 as long as one may still write. 42704 if there is nothing of such a tenant.';
