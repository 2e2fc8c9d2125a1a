-- What has changed since: every version once, and none that could still appear.

CREATE FUNCTION timedb.settled_time() RETURNS timestamptz
  AS 'MODULE_PATHNAME', 'settled_time_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off;
COMMENT ON FUNCTION timedb.settled_time() IS
  'A moment up to which nothing of the tenant can appear any more: whatever has a change_time up to it is to be seen by now, or has been rolled back. So what as_of shows of moments up to it, it shows for ever. As a rule a microsecond ago; while a transaction of the tenant that writes is open, prepared ones too, before its first write. Others'' transactions do not count. 0A000 on a standby, which cannot know.';
