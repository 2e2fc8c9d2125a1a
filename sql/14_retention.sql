-- Retention: how long values are kept. Each function exists once for callers and asks timedb._manages_as(), as in 06_manage.sql;
-- its body is _…_tenant for a key of scope admin, and _…_operator for an operator, who names a tenant and acts as its admin
-- would. Both run as timedb_eraser, under the tenant's policies.

CREATE FUNCTION timedb._set_retention_tenant(
  keep interval, basis text, keep_revisions interval, series_ids uuid[], tenant_id uuid
) RETURNS void
  AS 'MODULE_PATHNAME', '_set_retention_tenant_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off;
COMMENT ON FUNCTION timedb._set_retention_tenant(interval, text, interval, uuid[], uuid) IS
  'set_retention for a key of scope admin.';
CREATE FUNCTION timedb._set_retention_operator(
  keep interval, basis text, keep_revisions interval, series_ids uuid[], tenant_id uuid
) RETURNS void
  AS 'MODULE_PATHNAME', '_set_retention_operator_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off;
COMMENT ON FUNCTION timedb._set_retention_operator(interval, text, interval, uuid[], uuid) IS
  'set_retention for an operator.';
CREATE FUNCTION timedb.set_retention(
  keep interval, basis text DEFAULT 'valid_time', keep_revisions interval DEFAULT NULL, series_ids uuid[] DEFAULT NULL,
  tenant_id uuid DEFAULT NULL
) RETURNS void LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF timedb._manages_as() = 'operator' THEN
    PERFORM timedb._set_retention_operator(keep, basis, keep_revisions, series_ids, tenant_id);
  ELSE
    PERFORM timedb._set_retention_tenant(keep, basis, keep_revisions, series_ids, tenant_id);
  END IF;
END
$$;
COMMENT ON FUNCTION timedb.set_retention(interval, text, interval, uuid[], uuid) IS
  'How long a tenant''s values are kept, or those of some series, which have that instead of the tenant''s: values whose valid_time, or whose run''s known_time, is further back than keep go at the next apply_retention or maintain; null keeps them for ever. Of values whose valid_time is further back than keep_revisions only what a flat read shows stays, and what is of withdrawn runs. Months and days are those of UTC. basis "default", with keep null, ends what the series have of their own. 22023 for an interval that does not go forward; 42704 for a series that is not there. Operators say tenant_id.';

CREATE FUNCTION timedb._list_retention_tenant(
  tenant_id uuid, OUT series_id uuid, OUT series_key text, OUT keep interval, OUT basis text,
  OUT keep_revisions interval, OUT changed_at timestamptz, OUT changed_by text
) RETURNS SETOF record
  AS 'MODULE_PATHNAME', '_list_retention_tenant_wrapper' LANGUAGE c STABLE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off;
COMMENT ON FUNCTION timedb._list_retention_tenant(uuid) IS 'list_retention for a key of scope admin.';
CREATE FUNCTION timedb._list_retention_operator(
  tenant_id uuid, OUT series_id uuid, OUT series_key text, OUT keep interval, OUT basis text,
  OUT keep_revisions interval, OUT changed_at timestamptz, OUT changed_by text
) RETURNS SETOF record
  AS 'MODULE_PATHNAME', '_list_retention_operator_wrapper' LANGUAGE c STABLE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off;
COMMENT ON FUNCTION timedb._list_retention_operator(uuid) IS
  'list_retention for an operator, without the keys of series.';
CREATE FUNCTION timedb.list_retention(
  tenant_id uuid DEFAULT NULL, OUT series_id uuid, OUT series_key text, OUT keep interval, OUT basis text,
  OUT keep_revisions interval, OUT changed_at timestamptz, OUT changed_by text
) RETURNS SETOF record LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF timedb._manages_as() = 'operator' THEN
    RETURN QUERY SELECT * FROM timedb._list_retention_operator(tenant_id);
  ELSE
    RETURN QUERY SELECT * FROM timedb._list_retention_tenant(tenant_id);
  END IF;
END
$$;
COMMENT ON FUNCTION timedb.list_retention(uuid) IS
  'How long values are kept: the tenant''s default, with no series_id, and what series have of their own. Whoever is in no row keeps everything. Operators say tenant_id, and see no series_key.';

CREATE FUNCTION timedb._apply_retention_tenant(
  dry_run boolean, tenant_id uuid, OUT series integer, OUT versions bigint, OUT value_count bigint, OUT bytes bigint,
  OUT remaining bigint
) RETURNS record
  AS 'MODULE_PATHNAME', '_apply_retention_tenant_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off;
COMMENT ON FUNCTION timedb._apply_retention_tenant(boolean, uuid) IS 'apply_retention for a key of scope admin.';
CREATE FUNCTION timedb._apply_retention_operator(
  dry_run boolean, tenant_id uuid, OUT series integer, OUT versions bigint, OUT value_count bigint, OUT bytes bigint,
  OUT remaining bigint
) RETURNS record
  AS 'MODULE_PATHNAME', '_apply_retention_operator_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off;
COMMENT ON FUNCTION timedb._apply_retention_operator(boolean, uuid) IS 'apply_retention for an operator.';
CREATE FUNCTION timedb.apply_retention(
  dry_run boolean DEFAULT true, tenant_id uuid DEFAULT NULL, OUT series integer, OUT versions bigint,
  OUT value_count bigint, OUT bytes bigint, OUT remaining bigint
) RETURNS record LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF timedb._manages_as() = 'operator' THEN
    SELECT * INTO series, versions, value_count, bytes, remaining FROM timedb._apply_retention_operator(dry_run, tenant_id);
  ELSE
    SELECT * INTO series, versions, value_count, bytes, remaining FROM timedb._apply_retention_tenant(dry_run, tenant_id);
  END IF;
END
$$;
COMMENT ON FUNCTION timedb.apply_retention(boolean, uuid) IS
  'Takes out what set_retention keeps no longer, for good; with dry_run, which is the default, only says what would go. Answers of how many series, how many versions wholly, how many values, each version''s counted, and about how many bytes. A call does a bounded share in its transaction: call it until remaining, the series of which something may still go, is 0. A series with a run that an open transaction updates is passed over, and remains. Operators say tenant_id.';

CREATE FUNCTION timedb._retain_share_operator(tenant_id uuid, OUT versions bigint, OUT remaining bigint) RETURNS record
  AS 'MODULE_PATHNAME', '_retain_share_operator_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off;
COMMENT ON FUNCTION timedb._retain_share_operator(uuid) IS
  'A share of apply_retention for one tenant, for maintenance. Whoever goes on until nothing remains must stop where nothing went. 55P03 where a transaction of the tenant packs or removes values meanwhile.';
