-- What has changed since: every version once, and none that could still appear.

CREATE FUNCTION timedb.settled_time() RETURNS timestamptz
  AS 'MODULE_PATHNAME', 'settled_time_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off;
COMMENT ON FUNCTION timedb.settled_time() IS
  'A moment up to which nothing of the tenant can appear any more: whatever has a change_time up to it is to be seen by now, or has been rolled back. So what as_of shows of moments up to it, it shows for ever. As a rule a microsecond ago; while a transaction of the tenant that writes is open, prepared ones too, before its first write. Others'' transactions do not count. 0A000 on a standby, which cannot know.';

CREATE FUNCTION timedb.read_changes(
  after timestamptz, until timestamptz DEFAULT NULL,
  series_keys text[] DEFAULT NULL, series_ids uuid[] DEFAULT NULL, labels jsonb DEFAULT NULL,
  max_rows integer DEFAULT NULL,
  OUT known_time timestamptz, OUT valid_time timestamptz, OUT valid_time_end timestamptz, OUT series_id uuid,
  OUT series_key text, OUT unit text, OUT value float8, OUT run_id uuid, OUT change_time timestamptz,
  OUT changed_by text, OUT annotation text, OUT tags text[], OUT labels jsonb
) RETURNS SETOF record
  AS 'MODULE_PATHNAME', 'read_changes_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1000
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off;
COMMENT ON FUNCTION timedb.read_changes(timestamptz, timestamptz, text[], uuid[], jsonb, integer) IS
  'Every version of every value that was written after a moment and up to another, uploads and updates alike, as read shows rows; ordered by change_time, series, valid time, known time and run. Without until, up to what is settled by now: whoever goes on after the last change_time that he got loses nothing and gets nothing twice. At most max_rows rows (1 to 10,000,000) and all that have the last one''s change_time; without it 54000 past 20,000,000. until is asked for, 0A000, under REPEATABLE READ, SERIALIZABLE and on a standby, which do not see what is settled by now.';

CREATE FUNCTION timedb.read_changes_arrow(
  after timestamptz, until timestamptz DEFAULT NULL,
  series_keys text[] DEFAULT NULL, series_ids uuid[] DEFAULT NULL, labels jsonb DEFAULT NULL,
  max_rows integer DEFAULT NULL
) RETURNS bytea
  AS 'MODULE_PATHNAME', 'read_changes_arrow_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off;
COMMENT ON FUNCTION timedb.read_changes_arrow(timestamptz, timestamptz, text[], uuid[], jsonb, integer) IS
  'As read_changes, as one Arrow IPC stream with the columns of read_arrow. 54000 where it would be larger than 1 GB.';
