-- How much is stored: of one's own tenant, and for operators of each. Counts and times, no key, label or annotation. They run as
-- timedb_api, under each tenant's policies.

CREATE FUNCTION timedb.stats(
  OUT series bigint, OUT runs bigint, OUT value_count bigint, OUT stored_rows bigint, OUT bytes bigint,
  OUT oldest timestamptz, OUT newest timestamptz, OUT last_upload timestamptz
) RETURNS record
  AS 'MODULE_PATHNAME', 'stats_wrapper' LANGUAGE c STABLE PARALLEL RESTRICTED
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off;
COMMENT ON FUNCTION timedb.stats() IS
  'How much the tenant has stored: series, runs, the values of all runs (of each the current one), the rows and packs they are in and the bytes these take, without indexes; the first and the last valid_time; and when something was last uploaded.';

CREATE FUNCTION timedb.tenant_stats(
  OUT tenant_id uuid, OUT series bigint, OUT runs bigint, OUT value_count bigint, OUT stored_rows bigint,
  OUT bytes bigint, OUT oldest timestamptz, OUT newest timestamptz, OUT last_upload timestamptz
) RETURNS SETOF record
  AS 'MODULE_PATHNAME', 'tenant_stats_wrapper' LANGUAGE c STABLE PARALLEL UNSAFE ROWS 1000
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off;
COMMENT ON FUNCTION timedb.tenant_stats() IS
  'For operators: what stats answers, of each tenant that has stored anything, in the order of their ids.';
