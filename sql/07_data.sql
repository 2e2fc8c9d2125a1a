-- A tenant's data: series, upload, update. They run as timedb_api, always under the tenant's policies. Their statements are
-- planned once a session, perhaps while a table is empty: without a scan of whole tables, which would stay in the plan. What
-- is SQL says itself that its plan is not the caller's to see or to choose, which the library does for its own statements.

CREATE FUNCTION timedb.create_series(
  name text, unit text DEFAULT NULL, description text DEFAULT NULL, labels jsonb DEFAULT '{}'
) RETURNS uuid
  AS 'MODULE_PATHNAME', 'create_series_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off;
COMMENT ON FUNCTION timedb.create_series(text, text, text, jsonb) IS
  'The id of the series with this name (its series_key) and labels, made if unknown: "dimensionless" without a unit. Of a series that is there, no unit means whichever it has; one may be set while it is "dimensionless", another one is 22023. The first description that is not blank stays. A name is looked for as it is and then in Unicode''s normal form C; a new one is stored in that, and is 22023 with control characters or with blanks at its ends.';

CREATE FUNCTION timedb._points_of_bytes(bytes bytea) RETURNS timedb.points
  AS 'MODULE_PATHNAME', '_points_of_bytes_wrapper' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION timedb._points_of_bytes(bytea) IS 'Points from the bytes that upload and update have packed.';

CREATE FUNCTION timedb._pack_of_bytes(bytes bytea) RETURNS timedb.pack
  AS 'MODULE_PATHNAME', '_pack_of_bytes_wrapper' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION timedb._pack_of_bytes(bytea) IS 'A pack from the bytes that compact has made.';

CREATE FUNCTION timedb.upload(
  run_start_time timestamptz, value_rows json, workflow_id text DEFAULT 'api-workflow',
  run_finish_time timestamptz DEFAULT NULL, known_time timestamptz DEFAULT NULL, run_params jsonb DEFAULT NULL,
  series_descriptions jsonb DEFAULT NULL, tenant_id uuid DEFAULT NULL, skip_unchanged boolean DEFAULT false,
  OUT run_id uuid, OUT message text, OUT series_ids json, OUT written bigint, OUT skipped bigint
) RETURNS record
  AS 'MODULE_PATHNAME', 'reconnect_upload_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off;
COMMENT ON FUNCTION timedb.upload(timestamptz, json, text, timestamptz, timestamptz, jsonb, jsonb, uuid, boolean) IS
  'Stores one run, all of it or nothing. value_rows is an array of {"valid_time", "value_key" (or "series_key") and/or "series_id", "value", "valid_time_end"?, "labels"?, "unit"?, "annotation"?, "tags"?}; a value_key unknown so far becomes a series, and with labels, an object, so does the series of exactly this key and these labels. A value with a unit is converted to that of its series; a new series has the first that is said of it. known_time is when all of it was known, by default the change_time it gets; a forecast in several calls gives one known_time to all of them. More than an hour ahead of the clock it is taken with a WARNING. With skip_unchanged, values are left out that equal what a flat read of what was known up to then shows: they are affirmed by no run of their own, and a run without any other is not made (run_id null, message Nothing changed). Answers the run''s id, the series'' ids by key, or by id where they have labels, and how many values were written and skipped. An error names the first bad row, counted from 0, and the field, and says how many more are bad. A tenant_id is one''s own; any other is 42704.';

CREATE FUNCTION timedb.upload_points(
  run_start_time timestamptz, series_keys text[], valid_times timestamptz[], point_values float8[],
  valid_time_ends timestamptz[] DEFAULT NULL, workflow_id text DEFAULT 'api-workflow',
  run_finish_time timestamptz DEFAULT NULL, known_time timestamptz DEFAULT NULL, run_params jsonb DEFAULT NULL,
  series_descriptions jsonb DEFAULT NULL, labels jsonb[] DEFAULT NULL, skip_unchanged boolean DEFAULT false,
  OUT run_id uuid, OUT message text, OUT series_ids json, OUT written bigint, OUT skipped bigint
) RETURNS record
  AS 'MODULE_PATHNAME', 'reconnect_upload_points_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off;
COMMENT ON FUNCTION timedb.upload_points(
  timestamptz, text[], timestamptz[], float8[], timestamptz[], text, timestamptz, timestamptz, jsonb, jsonb, jsonb[],
  boolean) IS
  'As upload, from parallel arrays with one element a value, for drivers that have arrays; labels may have one for all. Unequal lengths are 22023, a null key or time 22004.';

CREATE FUNCTION timedb.update(
  updates json, OUT status text, OUT run_id uuid, OUT series_id uuid, OUT valid_time timestamptz,
  OUT valid_time_end timestamptz, OUT change_time timestamptz
) RETURNS SETOF record
  AS 'MODULE_PATHNAME', 'reconnect_update_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 10
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off;
COMMENT ON FUNCTION timedb.update(json) IS
  'Writes new versions of values. updates is an array of {"run_id"?, "series_id" (or "value_key" and perhaps "labels"), "valid_time", "valid_time_end"?} and any of "value", "annotation", "tags": absent leaves it, null clears it. Without run_id it is the run whose value a flat read shows, 42704 where none does; an upload that commits later may hide the correction; 0A000 under REPEATABLE READ and SERIALIZABLE, which may not see what is shown by then. A "tenant_id" is one''s own. Elements that name one value are applied in order, field by field, into one version. Answers each element, in input order, with what became of its value: updated, created or skipped (nothing would change). 42704 for a tenant, run or series that is not there, and for a value that is not there and that no element gives.';

CREATE FUNCTION timedb.upload_arrow(
  run_start_time timestamptz, stream bytea, workflow_id text DEFAULT 'api-workflow',
  run_finish_time timestamptz DEFAULT NULL, known_time timestamptz DEFAULT NULL, run_params jsonb DEFAULT NULL,
  series_descriptions jsonb DEFAULT NULL, skip_unchanged boolean DEFAULT false,
  OUT run_id uuid, OUT message text, OUT series_ids json, OUT written bigint, OUT skipped bigint
) RETURNS record
  AS 'MODULE_PATHNAME', 'reconnect_upload_arrow_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off;
COMMENT ON FUNCTION timedb.upload_arrow(timestamptz, bytea, text, timestamptz, timestamptz, jsonb, jsonb, boolean) IS
  'As upload, from an Arrow IPC stream with the columns valid_time, value_key (or series_key) and/or series_id, value, and perhaps valid_time_end, labels (JSON texts, or maps of texts), unit, annotation and tags (lists of texts): what pandas, polars and DuckDB write. 22023 where it is malformed; an error names the row, counted from 0, and the column.';

CREATE FUNCTION timedb.upload_runs(
  value_rows json, run_start_time timestamptz DEFAULT NULL, workflow_id text DEFAULT 'api-workflow',
  run_finish_time timestamptz DEFAULT NULL, known_time timestamptz DEFAULT NULL, run_params jsonb DEFAULT NULL,
  series_descriptions jsonb DEFAULT NULL, skip_unchanged boolean DEFAULT false, OUT run_id uuid,
  OUT known_time timestamptz, OUT workflow_id text, OUT value_count bigint, OUT skipped bigint
) RETURNS SETOF record
  AS 'MODULE_PATHNAME', 'upload_runs_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 100
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off;
COMMENT ON FUNCTION timedb.upload_runs(json, timestamptz, text, timestamptz, timestamptz, jsonb, jsonb, boolean) IS
  'As upload, of many runs in one call, all of them or none. Rows have known_time, and workflow_id where they are of several; a row without has the call''s. There is one run for each distinct pair, at most 100000, with ids in the order of their first rows; run_start_time is by default the run''s known_time. Answers each run, in the order of known_time, with how many values it has got. With skip_unchanged, values are left out as if the runs were uploaded one after the other in that order; a run without any other is not made, and its run_id is null.';

CREATE FUNCTION timedb.upload_runs_arrow(
  stream bytea, run_start_time timestamptz DEFAULT NULL, workflow_id text DEFAULT 'api-workflow',
  run_finish_time timestamptz DEFAULT NULL, known_time timestamptz DEFAULT NULL, run_params jsonb DEFAULT NULL,
  series_descriptions jsonb DEFAULT NULL, skip_unchanged boolean DEFAULT false, OUT run_id uuid,
  OUT known_time timestamptz, OUT workflow_id text, OUT value_count bigint, OUT skipped bigint
) RETURNS SETOF record
  AS 'MODULE_PATHNAME', 'upload_runs_arrow_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 100
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off;
COMMENT ON FUNCTION timedb.upload_runs_arrow(bytea, timestamptz, text, timestamptz, timestamptz, jsonb, jsonb, boolean) IS
  'As upload_runs, from an Arrow IPC stream with the columns that upload_arrow takes, and known_time and workflow_id.';

CREATE FUNCTION timedb.compact(
  series_ids uuid[] DEFAULT NULL, older_than interval DEFAULT '1 day', OUT series integer, OUT versions bigint,
  OUT rows_before bigint, OUT rows_after bigint, OUT bytes_before bigint, OUT bytes_after bigint, OUT remaining bigint
) RETURNS record
  AS 'MODULE_PATHNAME', 'compact_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off;
COMMENT ON FUNCTION timedb.compact(uuid[], interval) IS
  'Packs what was written longer ago than older_than, many small rows of a series into few; reads answer the same before and after. A call does a bounded share of the work in its transaction and says how much it packed and saved; call it until remaining, the rows still to be packed, is 0.';
