-- Reading: what is known now, what was known then, and every version of it.

CREATE FUNCTION timedb.read(
  start_valid timestamptz DEFAULT NULL, end_valid timestamptz DEFAULT NULL,
  start_known timestamptz DEFAULT NULL, end_known timestamptz DEFAULT NULL,
  mode text DEFAULT 'flat', all_versions boolean DEFAULT false,
  series_keys text[] DEFAULT NULL, series_ids uuid[] DEFAULT NULL, as_of timestamptz DEFAULT NULL,
  labels jsonb DEFAULT NULL, run_ids uuid[] DEFAULT NULL, workflow_id text DEFAULT NULL,
  corrections text DEFAULT 'all', unit text DEFAULT NULL,
  OUT known_time timestamptz, OUT valid_time timestamptz, OUT valid_time_end timestamptz, OUT series_id uuid,
  OUT series_key text, OUT unit text, OUT value float8, OUT run_id uuid, OUT change_time timestamptz,
  OUT changed_by text, OUT annotation text, OUT tags text[], OUT labels jsonb
) RETURNS SETOF record
  AS 'MODULE_PATHNAME', 'reconnect_read_wrapper' LANGUAGE c STABLE PARALLEL RESTRICTED ROWS 1000
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off;
COMMENT ON FUNCTION timedb.read(
  timestamptz, timestamptz, timestamptz, timestamptz, text, boolean, text[], uuid[], timestamptz,
  jsonb, uuid[], text, text, text) IS
  'Values in windows [start, end) of valid and known time. Mode "flat": per value the latest known, of two runs known at one moment that of the one uploaded later; "overlapping": the current one of every run; all_versions adds their earlier versions; as_of shows what the database held at that moment, the same for ever up to settled_time(). labels: of series whose labels contain these, among those that keys and ids name; run_ids, workflow_id: as if there were no other runs. corrections "known": what an update wrote counts since it was written, where that is later than its run''s known_time, so that end_known is what was shown then. unit: values in this unit of UCUM, each series converted from its own; 22023 once a series is reached whose unit measures something else or is not known. Ordered by series, valid time, known time and change time.';

CREATE FUNCTION timedb.read_arrow(
  start_valid timestamptz DEFAULT NULL, end_valid timestamptz DEFAULT NULL,
  start_known timestamptz DEFAULT NULL, end_known timestamptz DEFAULT NULL,
  mode text DEFAULT 'flat', all_versions boolean DEFAULT false,
  series_keys text[] DEFAULT NULL, series_ids uuid[] DEFAULT NULL, as_of timestamptz DEFAULT NULL,
  labels jsonb DEFAULT NULL, run_ids uuid[] DEFAULT NULL, workflow_id text DEFAULT NULL,
  corrections text DEFAULT 'all', unit text DEFAULT NULL
) RETURNS bytea
  AS 'MODULE_PATHNAME', 'reconnect_read_arrow_wrapper' LANGUAGE c STABLE PARALLEL RESTRICTED
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off;
COMMENT ON FUNCTION timedb.read_arrow(
  timestamptz, timestamptz, timestamptz, timestamptz, text, boolean, text[], uuid[], timestamptz,
  jsonb, uuid[], text, text, text) IS
  'As read, with the same columns in the same order, as one Arrow IPC stream: what pandas, polars and DuckDB load without parsing. 54000 where it would be larger than 1 GB.';

CREATE FUNCTION timedb.read_arrow_batches(
  start_valid timestamptz DEFAULT NULL, end_valid timestamptz DEFAULT NULL,
  start_known timestamptz DEFAULT NULL, end_known timestamptz DEFAULT NULL,
  mode text DEFAULT 'flat', all_versions boolean DEFAULT false,
  series_keys text[] DEFAULT NULL, series_ids uuid[] DEFAULT NULL, as_of timestamptz DEFAULT NULL,
  labels jsonb DEFAULT NULL, run_ids uuid[] DEFAULT NULL, workflow_id text DEFAULT NULL,
  corrections text DEFAULT 'all', unit text DEFAULT NULL,
  max_rows integer DEFAULT 1000000
) RETURNS SETOF bytea
  AS 'MODULE_PATHNAME', 'read_arrow_batches_wrapper' LANGUAGE c STABLE PARALLEL RESTRICTED ROWS 10
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off;
COMMENT ON FUNCTION timedb.read_arrow_batches(
  timestamptz, timestamptz, timestamptz, timestamptz, text, boolean, text[], uuid[], timestamptz,
  jsonb, uuid[], text, text, text, integer) IS
  'As read_arrow, but the rows in batches, in the order of read: each a whole Arrow IPC stream of at most max_rows rows (1 to 10,000,000) and less than 1 GB, at least one. A series may go on in the next batch.';

CREATE FUNCTION timedb.read_relative(
  lead interval DEFAULT NULL, days_ahead integer DEFAULT NULL, time_of_day time DEFAULT NULL,
  window_length interval DEFAULT NULL, cutoff_offset interval DEFAULT NULL, window_origin timestamptz DEFAULT NULL,
  time_zone text DEFAULT 'UTC', start_valid timestamptz DEFAULT NULL, end_valid timestamptz DEFAULT NULL,
  all_versions boolean DEFAULT false, series_keys text[] DEFAULT NULL, series_ids uuid[] DEFAULT NULL,
  as_of timestamptz DEFAULT NULL, labels jsonb DEFAULT NULL, run_ids uuid[] DEFAULT NULL,
  workflow_id text DEFAULT NULL, corrections text DEFAULT 'all', unit text DEFAULT NULL,
  OUT known_time timestamptz, OUT valid_time timestamptz, OUT valid_time_end timestamptz, OUT series_id uuid,
  OUT series_key text, OUT unit text, OUT value float8, OUT run_id uuid, OUT change_time timestamptz,
  OUT changed_by text, OUT annotation text, OUT tags text[], OUT labels jsonb
) RETURNS SETOF record
  AS 'MODULE_PATHNAME', 'read_relative_wrapper' LANGUAGE c STABLE PARALLEL RESTRICTED ROWS 1000
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off;
COMMENT ON FUNCTION timedb.read_relative(
  interval, integer, time, interval, interval, timestamptz, text, timestamptz, timestamptz, boolean, text[], uuid[],
  timestamptz, jsonb, uuid[], text, text, text) IS
  'Of each value what was known so long before its valid time: only what was known up to a cutoff counts, the cutoff itself included, and of that what a flat read shows. Give one of: lead (the cutoff lies so long before the valid time); days_ahead and time_of_day (at that time of the day that lies so many days before that of the valid time); window_length, cutoff_offset and window_origin (valid times lie in windows of that length, from the origin on; the cutoff lies that far after the start of the window: a negative offset, before it). Months and days are those of time_zone, a name as TimeZone takes it. All else as in read.';

CREATE FUNCTION timedb.read_relative_arrow(
  lead interval DEFAULT NULL, days_ahead integer DEFAULT NULL, time_of_day time DEFAULT NULL,
  window_length interval DEFAULT NULL, cutoff_offset interval DEFAULT NULL, window_origin timestamptz DEFAULT NULL,
  time_zone text DEFAULT 'UTC', start_valid timestamptz DEFAULT NULL, end_valid timestamptz DEFAULT NULL,
  all_versions boolean DEFAULT false, series_keys text[] DEFAULT NULL, series_ids uuid[] DEFAULT NULL,
  as_of timestamptz DEFAULT NULL, labels jsonb DEFAULT NULL, run_ids uuid[] DEFAULT NULL,
  workflow_id text DEFAULT NULL, corrections text DEFAULT 'all', unit text DEFAULT NULL
) RETURNS bytea
  AS 'MODULE_PATHNAME', 'read_relative_arrow_wrapper' LANGUAGE c STABLE PARALLEL RESTRICTED
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off;
COMMENT ON FUNCTION timedb.read_relative_arrow(
  interval, integer, time, interval, interval, timestamptz, text, timestamptz, timestamptz, boolean, text[], uuid[],
  timestamptz, jsonb, uuid[], text, text, text) IS
  'As read_relative, with the same columns in the same order, as one Arrow IPC stream. 54000 where it would be larger than 1 GB.';

CREATE FUNCTION timedb._series_values(
  series_id uuid, OUT known_time timestamptz, OUT valid_time timestamptz, OUT valid_time_end timestamptz,
  OUT value float8, OUT run_id uuid, OUT change_time timestamptz, OUT changed_by text, OUT annotation text,
  OUT tags text[]
) RETURNS SETOF record
  AS 'MODULE_PATHNAME', '_values_of_series_wrapper' LANGUAGE c STABLE PARALLEL RESTRICTED ROWS 1000
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off;
COMMENT ON FUNCTION timedb._series_values(uuid) IS
  'The current values of every run of one series that is not withdrawn; no row without a login. For the view current_values.';

-- Where a plan has a node in the place of a function above, this is how the node asks the tables: what it runs is not told
-- in SQL, and nobody may call it.
CREATE FUNCTION timedb._run_scan() RETURNS boolean
  AS 'MODULE_PATHNAME', '_run_scan_wrapper' LANGUAGE c STABLE PARALLEL RESTRICTED
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off;
COMMENT ON FUNCTION timedb._run_scan() IS
  'What a scan of timedb''s in a plan fetches, it fetches as the owner of this function, with its settings.';

-- A row a value, but built on the packed rows: a filter on the series still opens only that series.
CREATE VIEW timedb.current_values WITH (security_invoker = true) AS
  SELECT v.known_time, v.valid_time, v.valid_time_end, s.series_id, s.series_key, s.unit, v.value, v.run_id,
         v.change_time, v.changed_by, v.annotation, v.tags, s.labels
  FROM timedb.series s, LATERAL timedb._series_values(s.series_id) v
  WHERE s.tenant_id = (SELECT timedb.current_tenant());
COMMENT ON VIEW timedb.current_values IS
  'A row a value: the latest version of each run, with series_key and unit, for people and BI tools; empty without a login.';

-- For queries of one's own: what merge_points and unnest_points work on, and the planner sees through.
CREATE VIEW timedb.versions WITH (security_invoker = true) AS
  SELECT v.series_id, v.run_id, v.known_time, v.change_time, v.valid_from, v.valid_to, v.changed_by, v.annotation, v.tags,
         v.points
  FROM timedb.values v
  WHERE v.tenant_id = (SELECT timedb.current_tenant()) AND NOT EXISTS (
    SELECT FROM timedb.withdrawals w WHERE w.tenant_id = v.tenant_id AND w.run_id = v.run_id AND w.restored_at IS NULL)
  UNION ALL
  SELECT p.series_id, u.run_id, u.known_time, u.change_time, p.valid_from, p.valid_to, u.changed_by, u.annotation, u.tags,
         u.points
  FROM timedb.packs p, LATERAL timedb.unnest_pack(p.versions) u
  WHERE p.tenant_id = (SELECT timedb.current_tenant()) AND NOT EXISTS (
    SELECT FROM timedb.withdrawals w WHERE w.tenant_id = p.tenant_id AND w.run_id = u.run_id AND w.restored_at IS NULL);
COMMENT ON VIEW timedb.versions IS
  'A row for each version of a run''s values of a series, packed as points, whether compact has been there or not, but of runs that are withdrawn; empty without a login. All valid times lie between valid_from and valid_to.';
