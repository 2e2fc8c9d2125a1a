-- What dashboards and analysts ask, answered by what read answers: the newest value, buckets, gaps, coverage, runs.

CREATE FUNCTION timedb.latest(
  series_keys text[] DEFAULT NULL, series_ids uuid[] DEFAULT NULL, labels jsonb DEFAULT NULL,
  before timestamptz DEFAULT NULL, OUT known_time timestamptz, OUT valid_time timestamptz,
  OUT valid_time_end timestamptz, OUT series_id uuid, OUT series_key text, OUT unit text, OUT value float8,
  OUT run_id uuid, OUT change_time timestamptz, OUT labels jsonb
) RETURNS SETOF record
  AS 'MODULE_PATHNAME', 'latest_wrapper' LANGUAGE c STABLE PARALLEL RESTRICTED ROWS 100
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off;
COMMENT ON FUNCTION timedb.latest(text[], uuid[], jsonb, timestamptz) IS
  'Of each series the value that a flat read shows last, of those with a valid_time before the moment: without reading its history. A null that was uploaded is a value. A series without values has no row. Ordered as read.';

CREATE FUNCTION timedb.list_runs(
  workflow_id text DEFAULT NULL, series_keys text[] DEFAULT NULL, series_ids uuid[] DEFAULT NULL,
  labels jsonb DEFAULT NULL, start_known timestamptz DEFAULT NULL, end_known timestamptz DEFAULT NULL,
  max_rows integer DEFAULT 100, after uuid DEFAULT NULL, OUT run_id uuid, OUT workflow_id text,
  OUT known_time timestamptz, OUT run_start_time timestamptz, OUT run_finish_time timestamptz,
  OUT inserted_at timestamptz, OUT last_change_time timestamptz, OUT changed_by text, OUT run_params jsonb,
  OUT value_count bigint, OUT withdrawn_at timestamptz
) RETURNS SETOF record
  AS 'MODULE_PATHNAME', 'list_runs_wrapper' LANGUAGE c STABLE PARALLEL RESTRICTED ROWS 100
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off;
COMMENT ON FUNCTION timedb.list_runs(text, text[], uuid[], jsonb, timestamptz, timestamptz, integer, uuid) IS
  'The tenant''s runs, the one uploaded last first, at most max_rows of them; the next page are those after the last row''s run_id. Of a workflow, of a window [start, end) of known time, and where series are chosen those with values of them. value_count counts current values, nulls too: of the run, or of the series that are chosen. Of a run that is withdrawn, withdrawn_at tells since when; it is listed and counted like any other.';

CREATE FUNCTION timedb.read_buckets(
  bucket interval, aggregate text DEFAULT 'mean', time_zone text DEFAULT 'UTC',
  start_valid timestamptz DEFAULT NULL, end_valid timestamptz DEFAULT NULL,
  start_known timestamptz DEFAULT NULL, end_known timestamptz DEFAULT NULL,
  series_keys text[] DEFAULT NULL, series_ids uuid[] DEFAULT NULL, as_of timestamptz DEFAULT NULL,
  labels jsonb DEFAULT NULL, run_ids uuid[] DEFAULT NULL, workflow_id text DEFAULT NULL,
  corrections text DEFAULT 'all', OUT series_id uuid, OUT series_key text, OUT unit text,
  OUT bucket_start timestamptz, OUT bucket_end timestamptz, OUT value float8, OUT value_count bigint
) RETURNS SETOF record
  AS 'MODULE_PATHNAME', 'read_buckets_wrapper' LANGUAGE c STABLE PARALLEL RESTRICTED ROWS 1000
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off;
COMMENT ON FUNCTION timedb.read_buckets(
  interval, text, text, timestamptz, timestamptz, timestamptz, timestamptz, text[], uuid[], timestamptz, jsonb, uuid[],
  text, text) IS
  'What a flat read shows, summed up by buckets of time: mean, min, max, sum, count, first, last of the values that begin in a bucket, or time_weighted, the mean by how long values hold in it. Buckets follow one another from the midnight of 2001-01-01 on, a Monday; days and months are those of the time zone. An interval holds as long as it is, a moment until the next value begins, and the last one until its bucket ends; of a moment and an interval that begin together, the moment holds for no time, and nothing holds beyond end_valid. Nulls do not count, and a bucket without a value has no row.';

CREATE FUNCTION timedb.gaps(
  step interval, time_zone text DEFAULT 'UTC', start_valid timestamptz DEFAULT NULL,
  end_valid timestamptz DEFAULT NULL, series_keys text[] DEFAULT NULL, series_ids uuid[] DEFAULT NULL,
  labels jsonb DEFAULT NULL, OUT series_id uuid, OUT series_key text, OUT from_time timestamptz,
  OUT to_time timestamptz, OUT missing_count bigint
) RETURNS SETOF record
  AS 'MODULE_PATHNAME', 'gaps_wrapper' LANGUAGE c STABLE PARALLEL RESTRICTED ROWS 100
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off;
COMMENT ON FUNCTION timedb.gaps(interval, text, timestamptz, timestamptz, text[], uuid[], jsonb) IS
  'Where a flat read has no value, of the times start_valid, one step later, two steps later and so on before end_valid: each gap as [from_time, to_time), with how many values are missing. By default from the first value of a series to its last. A null is no value. Days and months of the step are those of the time zone.';

CREATE FUNCTION timedb.coverage(
  series_keys text[] DEFAULT NULL, series_ids uuid[] DEFAULT NULL, labels jsonb DEFAULT NULL, OUT series_id uuid,
  OUT series_key text, OUT first_valid_time timestamptz, OUT last_valid_time timestamptz, OUT value_count bigint,
  OUT run_count bigint
) RETURNS SETOF record
  AS 'MODULE_PATHNAME', 'coverage_wrapper' LANGUAGE c STABLE PARALLEL RESTRICTED ROWS 100
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off;
COMMENT ON FUNCTION timedb.coverage(text[], uuid[], jsonb) IS
  'Of each series the first and the last valid_time, how many values a flat read shows, nulls too, and how many runs have values of it. A series without values has a row, too.';
