-- Generated from the functions of timedb by generate.sql: not to be edited. What a key can call, with the key first.

CREATE FUNCTION timedb_shard.activate_user(shown_key text, a1 text, a2 uuid, a3 uuid) RETURNS timedb.user_account LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  entered CONSTANT boolean := timedb_shard._enter(shown_key);
  left_ boolean;
  answer timedb.user_account;
BEGIN
  answer := timedb.activate_user($2, $3, $4);
  left_ := timedb_shard._leave();
  RETURN answer;
END
$$;
COMMENT ON FUNCTION timedb_shard.activate_user(text, text, uuid, uuid) IS 'timedb.activate_user() by the key that comes first.';

CREATE FUNCTION timedb_shard.apply_retention(shown_key text, a1 boolean, a2 uuid, OUT series integer, OUT versions bigint, OUT value_count bigint, OUT bytes bigint, OUT remaining bigint) RETURNS record LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  entered CONSTANT boolean := timedb_shard._enter(shown_key);
  left_ boolean;
BEGIN
  SELECT * INTO series, versions, value_count, bytes, remaining FROM timedb.apply_retention($2, $3);
  left_ := timedb_shard._leave();
END
$$;
COMMENT ON FUNCTION timedb_shard.apply_retention(text, boolean, uuid) IS 'timedb.apply_retention() by the key that comes first.';

CREATE FUNCTION timedb_shard.compact(shown_key text, a1 uuid[], a2 interval, OUT series integer, OUT versions bigint, OUT rows_before bigint, OUT rows_after bigint, OUT bytes_before bigint, OUT bytes_after bigint, OUT remaining bigint) RETURNS record LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  entered CONSTANT boolean := timedb_shard._enter(shown_key);
  left_ boolean;
BEGIN
  SELECT * INTO series, versions, rows_before, rows_after, bytes_before, bytes_after, remaining FROM timedb.compact($2, $3);
  left_ := timedb_shard._leave();
END
$$;
COMMENT ON FUNCTION timedb_shard.compact(text, uuid[], interval) IS 'timedb.compact() by the key that comes first.';

CREATE FUNCTION timedb_shard.coverage(shown_key text, a1 text[], a2 uuid[], a3 jsonb, OUT series_id uuid, OUT series_key text, OUT first_valid_time timestamp with time zone, OUT last_valid_time timestamp with time zone, OUT value_count bigint, OUT run_count bigint) RETURNS SETOF record LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 100
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  entered CONSTANT boolean := timedb_shard._enter(shown_key);
  left_ boolean;
BEGIN
  RETURN QUERY SELECT * FROM timedb.coverage($2, $3, $4);
  left_ := timedb_shard._leave();
END
$$;
COMMENT ON FUNCTION timedb_shard.coverage(text, text[], uuid[], jsonb) IS 'timedb.coverage() by the key that comes first.';

CREATE FUNCTION timedb_shard.create_key(shown_key text, a1 text, a2 uuid, a3 uuid, a4 text, a5 text, a6 timestamp with time zone, OUT key_id uuid, OUT api_key text) RETURNS record LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  entered CONSTANT boolean := timedb_shard._enter(shown_key);
  left_ boolean;
BEGIN
  SELECT * INTO key_id, api_key FROM timedb.create_key($2, $3, $4, $5, $6, $7);
  left_ := timedb_shard._leave();
END
$$;
COMMENT ON FUNCTION timedb_shard.create_key(text, text, uuid, uuid, text, text, timestamp with time zone) IS 'timedb.create_key() by the key that comes first.';

CREATE FUNCTION timedb_shard.create_series(shown_key text, a1 text, a2 text, a3 text, a4 jsonb) RETURNS uuid LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  entered CONSTANT boolean := timedb_shard._enter(shown_key);
  left_ boolean;
  answer uuid;
BEGIN
  answer := timedb.create_series($2, $3, $4, $5);
  left_ := timedb_shard._leave();
  RETURN answer;
END
$$;
COMMENT ON FUNCTION timedb_shard.create_series(text, text, text, text, jsonb) IS 'timedb.create_series() by the key that comes first.';

CREATE FUNCTION timedb_shard.create_user(shown_key text, a1 uuid, a2 text, a3 text) RETURNS timedb.new_user LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  entered CONSTANT boolean := timedb_shard._enter(shown_key);
  left_ boolean;
  answer timedb.new_user;
BEGIN
  answer := timedb.create_user($2, $3, $4);
  left_ := timedb_shard._leave();
  RETURN answer;
END
$$;
COMMENT ON FUNCTION timedb_shard.create_user(text, uuid, text, text) IS 'timedb.create_user() by the key that comes first.';

CREATE FUNCTION timedb_shard.deactivate_user(shown_key text, a1 text, a2 uuid, a3 uuid) RETURNS timedb.user_account LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  entered CONSTANT boolean := timedb_shard._enter(shown_key);
  left_ boolean;
  answer timedb.user_account;
BEGIN
  answer := timedb.deactivate_user($2, $3, $4);
  left_ := timedb_shard._leave();
  RETURN answer;
END
$$;
COMMENT ON FUNCTION timedb_shard.deactivate_user(text, text, uuid, uuid) IS 'timedb.deactivate_user() by the key that comes first.';

CREATE FUNCTION timedb_shard.erase_run(shown_key text, a1 uuid, a2 uuid, OUT versions bigint, OUT value_count bigint, OUT remaining bigint) RETURNS record LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  entered CONSTANT boolean := timedb_shard._enter(shown_key);
  left_ boolean;
BEGIN
  SELECT * INTO versions, value_count, remaining FROM timedb.erase_run($2, $3);
  left_ := timedb_shard._leave();
END
$$;
COMMENT ON FUNCTION timedb_shard.erase_run(text, uuid, uuid) IS 'timedb.erase_run() by the key that comes first.';

CREATE FUNCTION timedb_shard.erase_series(shown_key text, a1 uuid, a2 uuid, OUT versions bigint, OUT value_count bigint, OUT remaining bigint) RETURNS record LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  entered CONSTANT boolean := timedb_shard._enter(shown_key);
  left_ boolean;
BEGIN
  SELECT * INTO versions, value_count, remaining FROM timedb.erase_series($2, $3);
  left_ := timedb_shard._leave();
END
$$;
COMMENT ON FUNCTION timedb_shard.erase_series(text, uuid, uuid) IS 'timedb.erase_series() by the key that comes first.';

CREATE FUNCTION timedb_shard.gaps(shown_key text, a1 interval, a2 text, a3 timestamp with time zone, a4 timestamp with time zone, a5 text[], a6 uuid[], a7 jsonb, OUT series_id uuid, OUT series_key text, OUT from_time timestamp with time zone, OUT to_time timestamp with time zone, OUT missing_count bigint) RETURNS SETOF record LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 100
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  entered CONSTANT boolean := timedb_shard._enter(shown_key);
  left_ boolean;
BEGIN
  RETURN QUERY SELECT * FROM timedb.gaps($2, $3, $4, $5, $6, $7, $8);
  left_ := timedb_shard._leave();
END
$$;
COMMENT ON FUNCTION timedb_shard.gaps(text, interval, text, timestamp with time zone, timestamp with time zone, text[], uuid[], jsonb) IS 'timedb.gaps() by the key that comes first.';

CREATE FUNCTION timedb_shard.label_values(shown_key text, a1 text, OUT value text, OUT series_count bigint) RETURNS SETOF record LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 10
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  entered CONSTANT boolean := timedb_shard._enter(shown_key);
  left_ boolean;
BEGIN
  RETURN QUERY SELECT * FROM timedb.label_values($2);
  left_ := timedb_shard._leave();
END
$$;
COMMENT ON FUNCTION timedb_shard.label_values(text, text) IS 'timedb.label_values() by the key that comes first.';

CREATE FUNCTION timedb_shard.latest(shown_key text, a1 text[], a2 uuid[], a3 jsonb, a4 timestamp with time zone, OUT known_time timestamp with time zone, OUT valid_time timestamp with time zone, OUT valid_time_end timestamp with time zone, OUT series_id uuid, OUT series_key text, OUT unit text, OUT value double precision, OUT run_id uuid, OUT change_time timestamp with time zone, OUT labels jsonb) RETURNS SETOF record LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 100
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  entered CONSTANT boolean := timedb_shard._enter(shown_key);
  left_ boolean;
BEGIN
  RETURN QUERY SELECT * FROM timedb.latest($2, $3, $4, $5);
  left_ := timedb_shard._leave();
END
$$;
COMMENT ON FUNCTION timedb_shard.latest(text, text[], uuid[], jsonb, timestamp with time zone) IS 'timedb.latest() by the key that comes first.';

CREATE FUNCTION timedb_shard.list_audit(shown_key text, a1 uuid, a2 timestamp with time zone) RETURNS SETOF timedb.audit_entry LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 1000
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  entered CONSTANT boolean := timedb_shard._enter(shown_key);
  left_ boolean;
BEGIN
  RETURN QUERY SELECT * FROM timedb.list_audit($2, $3);
  left_ := timedb_shard._leave();
END
$$;
COMMENT ON FUNCTION timedb_shard.list_audit(text, uuid, timestamp with time zone) IS 'timedb.list_audit() by the key that comes first.';

CREATE FUNCTION timedb_shard.list_keys(shown_key text, a1 uuid, a2 uuid) RETURNS SETOF timedb.key_entry LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 1000
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  entered CONSTANT boolean := timedb_shard._enter(shown_key);
  left_ boolean;
BEGIN
  RETURN QUERY SELECT * FROM timedb.list_keys($2, $3);
  left_ := timedb_shard._leave();
END
$$;
COMMENT ON FUNCTION timedb_shard.list_keys(text, uuid, uuid) IS 'timedb.list_keys() by the key that comes first.';

CREATE FUNCTION timedb_shard.list_retention(shown_key text, a1 uuid, OUT series_id uuid, OUT series_key text, OUT keep interval, OUT basis text, OUT keep_revisions interval, OUT changed_at timestamp with time zone, OUT changed_by text) RETURNS SETOF record LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 1000
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  entered CONSTANT boolean := timedb_shard._enter(shown_key);
  left_ boolean;
BEGIN
  RETURN QUERY SELECT * FROM timedb.list_retention($2);
  left_ := timedb_shard._leave();
END
$$;
COMMENT ON FUNCTION timedb_shard.list_retention(text, uuid) IS 'timedb.list_retention() by the key that comes first.';

CREATE FUNCTION timedb_shard.list_runs(shown_key text, a1 text, a2 text[], a3 uuid[], a4 jsonb, a5 timestamp with time zone, a6 timestamp with time zone, a7 integer, a8 uuid, OUT run_id uuid, OUT workflow_id text, OUT known_time timestamp with time zone, OUT run_start_time timestamp with time zone, OUT run_finish_time timestamp with time zone, OUT inserted_at timestamp with time zone, OUT last_change_time timestamp with time zone, OUT changed_by text, OUT run_params jsonb, OUT value_count bigint, OUT withdrawn_at timestamp with time zone) RETURNS SETOF record LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 100
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  entered CONSTANT boolean := timedb_shard._enter(shown_key);
  left_ boolean;
BEGIN
  RETURN QUERY SELECT * FROM timedb.list_runs($2, $3, $4, $5, $6, $7, $8, $9);
  left_ := timedb_shard._leave();
END
$$;
COMMENT ON FUNCTION timedb_shard.list_runs(text, text, text[], uuid[], jsonb, timestamp with time zone, timestamp with time zone, integer, uuid) IS 'timedb.list_runs() by the key that comes first.';

CREATE FUNCTION timedb_shard.list_series(shown_key text, a1 jsonb, a2 text, a3 integer, a4 text, a5 uuid, OUT series_id uuid, OUT series_key text, OUT unit text, OUT description text, OUT labels jsonb, OUT inserted_at timestamp with time zone) RETURNS SETOF record LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 1000
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  entered CONSTANT boolean := timedb_shard._enter(shown_key);
  left_ boolean;
BEGIN
  RETURN QUERY SELECT * FROM timedb.list_series($2, $3, $4, $5, $6);
  left_ := timedb_shard._leave();
END
$$;
COMMENT ON FUNCTION timedb_shard.list_series(text, jsonb, text, integer, text, uuid) IS 'timedb.list_series() by the key that comes first.';

CREATE FUNCTION timedb_shard.list_users(shown_key text, a1 uuid, a2 boolean) RETURNS SETOF timedb.user_account LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 1000
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  entered CONSTANT boolean := timedb_shard._enter(shown_key);
  left_ boolean;
BEGIN
  RETURN QUERY SELECT * FROM timedb.list_users($2, $3);
  left_ := timedb_shard._leave();
END
$$;
COMMENT ON FUNCTION timedb_shard.list_users(text, uuid, boolean) IS 'timedb.list_users() by the key that comes first.';

CREATE FUNCTION timedb_shard.read(shown_key text, a1 timestamp with time zone, a2 timestamp with time zone, a3 timestamp with time zone, a4 timestamp with time zone, a5 text, a6 boolean, a7 text[], a8 uuid[], a9 timestamp with time zone, a10 jsonb, a11 uuid[], a12 text, a13 text, a14 text, OUT known_time timestamp with time zone, OUT valid_time timestamp with time zone, OUT valid_time_end timestamp with time zone, OUT series_id uuid, OUT series_key text, OUT unit text, OUT value double precision, OUT run_id uuid, OUT change_time timestamp with time zone, OUT changed_by text, OUT annotation text, OUT tags text[], OUT labels jsonb) RETURNS SETOF record LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 1000
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  entered CONSTANT boolean := timedb_shard._enter(shown_key);
  left_ boolean;
BEGIN
  RETURN QUERY SELECT * FROM timedb.read($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15);
  left_ := timedb_shard._leave();
END
$$;
COMMENT ON FUNCTION timedb_shard.read(text, timestamp with time zone, timestamp with time zone, timestamp with time zone, timestamp with time zone, text, boolean, text[], uuid[], timestamp with time zone, jsonb, uuid[], text, text, text) IS 'timedb.read() by the key that comes first.';

CREATE FUNCTION timedb_shard.read_arrow(shown_key text, a1 timestamp with time zone, a2 timestamp with time zone, a3 timestamp with time zone, a4 timestamp with time zone, a5 text, a6 boolean, a7 text[], a8 uuid[], a9 timestamp with time zone, a10 jsonb, a11 uuid[], a12 text, a13 text, a14 text) RETURNS bytea LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  entered CONSTANT boolean := timedb_shard._enter(shown_key);
  left_ boolean;
  answer bytea;
BEGIN
  answer := timedb.read_arrow($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15);
  left_ := timedb_shard._leave();
  RETURN answer;
END
$$;
COMMENT ON FUNCTION timedb_shard.read_arrow(text, timestamp with time zone, timestamp with time zone, timestamp with time zone, timestamp with time zone, text, boolean, text[], uuid[], timestamp with time zone, jsonb, uuid[], text, text, text) IS 'timedb.read_arrow() by the key that comes first.';

CREATE FUNCTION timedb_shard.read_arrow_batches(shown_key text, a1 timestamp with time zone, a2 timestamp with time zone, a3 timestamp with time zone, a4 timestamp with time zone, a5 text, a6 boolean, a7 text[], a8 uuid[], a9 timestamp with time zone, a10 jsonb, a11 uuid[], a12 text, a13 text, a14 text, a15 integer) RETURNS SETOF bytea LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 10
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  entered CONSTANT boolean := timedb_shard._enter(shown_key);
  left_ boolean;
BEGIN
  RETURN QUERY SELECT * FROM timedb.read_arrow_batches($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16);
  left_ := timedb_shard._leave();
END
$$;
COMMENT ON FUNCTION timedb_shard.read_arrow_batches(text, timestamp with time zone, timestamp with time zone, timestamp with time zone, timestamp with time zone, text, boolean, text[], uuid[], timestamp with time zone, jsonb, uuid[], text, text, text, integer) IS 'timedb.read_arrow_batches() by the key that comes first.';

CREATE FUNCTION timedb_shard.read_buckets(shown_key text, a1 interval, a2 text, a3 text, a4 timestamp with time zone, a5 timestamp with time zone, a6 timestamp with time zone, a7 timestamp with time zone, a8 text[], a9 uuid[], a10 timestamp with time zone, a11 jsonb, a12 uuid[], a13 text, a14 text, OUT series_id uuid, OUT series_key text, OUT unit text, OUT bucket_start timestamp with time zone, OUT bucket_end timestamp with time zone, OUT value double precision, OUT value_count bigint) RETURNS SETOF record LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 1000
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  entered CONSTANT boolean := timedb_shard._enter(shown_key);
  left_ boolean;
BEGIN
  RETURN QUERY SELECT * FROM timedb.read_buckets($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15);
  left_ := timedb_shard._leave();
END
$$;
COMMENT ON FUNCTION timedb_shard.read_buckets(text, interval, text, text, timestamp with time zone, timestamp with time zone, timestamp with time zone, timestamp with time zone, text[], uuid[], timestamp with time zone, jsonb, uuid[], text, text) IS 'timedb.read_buckets() by the key that comes first.';

CREATE FUNCTION timedb_shard.read_changes(shown_key text, a1 timestamp with time zone, a2 timestamp with time zone, a3 text[], a4 uuid[], a5 jsonb, a6 integer, OUT known_time timestamp with time zone, OUT valid_time timestamp with time zone, OUT valid_time_end timestamp with time zone, OUT series_id uuid, OUT series_key text, OUT unit text, OUT value double precision, OUT run_id uuid, OUT change_time timestamp with time zone, OUT changed_by text, OUT annotation text, OUT tags text[], OUT labels jsonb) RETURNS SETOF record LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 1000
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  entered CONSTANT boolean := timedb_shard._enter(shown_key);
  left_ boolean;
BEGIN
  RETURN QUERY SELECT * FROM timedb.read_changes($2, $3, $4, $5, $6, $7);
  left_ := timedb_shard._leave();
END
$$;
COMMENT ON FUNCTION timedb_shard.read_changes(text, timestamp with time zone, timestamp with time zone, text[], uuid[], jsonb, integer) IS 'timedb.read_changes() by the key that comes first.';

CREATE FUNCTION timedb_shard.read_changes_arrow(shown_key text, a1 timestamp with time zone, a2 timestamp with time zone, a3 text[], a4 uuid[], a5 jsonb, a6 integer) RETURNS bytea LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  entered CONSTANT boolean := timedb_shard._enter(shown_key);
  left_ boolean;
  answer bytea;
BEGIN
  answer := timedb.read_changes_arrow($2, $3, $4, $5, $6, $7);
  left_ := timedb_shard._leave();
  RETURN answer;
END
$$;
COMMENT ON FUNCTION timedb_shard.read_changes_arrow(text, timestamp with time zone, timestamp with time zone, text[], uuid[], jsonb, integer) IS 'timedb.read_changes_arrow() by the key that comes first.';

CREATE FUNCTION timedb_shard.read_relative(shown_key text, a1 interval, a2 integer, a3 time without time zone, a4 interval, a5 interval, a6 timestamp with time zone, a7 text, a8 timestamp with time zone, a9 timestamp with time zone, a10 boolean, a11 text[], a12 uuid[], a13 timestamp with time zone, a14 jsonb, a15 uuid[], a16 text, a17 text, a18 text, OUT known_time timestamp with time zone, OUT valid_time timestamp with time zone, OUT valid_time_end timestamp with time zone, OUT series_id uuid, OUT series_key text, OUT unit text, OUT value double precision, OUT run_id uuid, OUT change_time timestamp with time zone, OUT changed_by text, OUT annotation text, OUT tags text[], OUT labels jsonb) RETURNS SETOF record LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 1000
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  entered CONSTANT boolean := timedb_shard._enter(shown_key);
  left_ boolean;
BEGIN
  RETURN QUERY SELECT * FROM timedb.read_relative($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19);
  left_ := timedb_shard._leave();
END
$$;
COMMENT ON FUNCTION timedb_shard.read_relative(text, interval, integer, time without time zone, interval, interval, timestamp with time zone, text, timestamp with time zone, timestamp with time zone, boolean, text[], uuid[], timestamp with time zone, jsonb, uuid[], text, text, text) IS 'timedb.read_relative() by the key that comes first.';

CREATE FUNCTION timedb_shard.read_relative_arrow(shown_key text, a1 interval, a2 integer, a3 time without time zone, a4 interval, a5 interval, a6 timestamp with time zone, a7 text, a8 timestamp with time zone, a9 timestamp with time zone, a10 boolean, a11 text[], a12 uuid[], a13 timestamp with time zone, a14 jsonb, a15 uuid[], a16 text, a17 text, a18 text) RETURNS bytea LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  entered CONSTANT boolean := timedb_shard._enter(shown_key);
  left_ boolean;
  answer bytea;
BEGIN
  answer := timedb.read_relative_arrow($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19);
  left_ := timedb_shard._leave();
  RETURN answer;
END
$$;
COMMENT ON FUNCTION timedb_shard.read_relative_arrow(text, interval, integer, time without time zone, interval, interval, timestamp with time zone, text, timestamp with time zone, timestamp with time zone, boolean, text[], uuid[], timestamp with time zone, jsonb, uuid[], text, text, text) IS 'timedb.read_relative_arrow() by the key that comes first.';

CREATE FUNCTION timedb_shard.regenerate_key(shown_key text, a1 text, a2 uuid, a3 uuid, a4 interval, a5 uuid, a6 timestamp with time zone, OUT api_key text) RETURNS text LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  entered CONSTANT boolean := timedb_shard._enter(shown_key);
  left_ boolean;
BEGIN
  api_key := timedb.regenerate_key($2, $3, $4, $5, $6, $7);
  left_ := timedb_shard._leave();
END
$$;
COMMENT ON FUNCTION timedb_shard.regenerate_key(text, text, uuid, uuid, interval, uuid, timestamp with time zone) IS 'timedb.regenerate_key() by the key that comes first.';

CREATE FUNCTION timedb_shard.restore_run(shown_key text, a1 uuid, a2 text, OUT run_id uuid, OUT withdrawn_at timestamp with time zone, OUT restored_at timestamp with time zone, OUT restored_by text, OUT reason text) RETURNS record LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  entered CONSTANT boolean := timedb_shard._enter(shown_key);
  left_ boolean;
BEGIN
  SELECT * INTO run_id, withdrawn_at, restored_at, restored_by, reason FROM timedb.restore_run($2, $3);
  left_ := timedb_shard._leave();
END
$$;
COMMENT ON FUNCTION timedb_shard.restore_run(text, uuid, text) IS 'timedb.restore_run() by the key that comes first.';

CREATE FUNCTION timedb_shard.revoke_key(shown_key text, a1 uuid, OUT revoked_at timestamp with time zone) RETURNS timestamp with time zone LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  entered CONSTANT boolean := timedb_shard._enter(shown_key);
  left_ boolean;
BEGIN
  revoked_at := timedb.revoke_key($2);
  left_ := timedb_shard._leave();
END
$$;
COMMENT ON FUNCTION timedb_shard.revoke_key(text, uuid) IS 'timedb.revoke_key() by the key that comes first.';

CREATE FUNCTION timedb_shard.set_retention(shown_key text, a1 interval, a2 text, a3 interval, a4 uuid[], a5 uuid) RETURNS void LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  entered CONSTANT boolean := timedb_shard._enter(shown_key);
  left_ boolean;
BEGIN
  PERFORM timedb.set_retention($2, $3, $4, $5, $6);
  left_ := timedb_shard._leave();
END
$$;
COMMENT ON FUNCTION timedb_shard.set_retention(text, interval, text, interval, uuid[], uuid) IS 'timedb.set_retention() by the key that comes first.';

CREATE FUNCTION timedb_shard.settled_time(shown_key text) RETURNS timestamp with time zone LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  entered CONSTANT boolean := timedb_shard._enter(shown_key);
  left_ boolean;
  answer timestamp with time zone;
BEGIN
  answer := timedb.settled_time();
  left_ := timedb_shard._leave();
  RETURN answer;
END
$$;
COMMENT ON FUNCTION timedb_shard.settled_time(text) IS 'timedb.settled_time() by the key that comes first.';

CREATE FUNCTION timedb_shard.stats(shown_key text, OUT series bigint, OUT runs bigint, OUT value_count bigint, OUT stored_rows bigint, OUT bytes bigint, OUT oldest timestamp with time zone, OUT newest timestamp with time zone, OUT last_upload timestamp with time zone) RETURNS record LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  entered CONSTANT boolean := timedb_shard._enter(shown_key);
  left_ boolean;
BEGIN
  SELECT * INTO series, runs, value_count, stored_rows, bytes, oldest, newest, last_upload FROM timedb.stats();
  left_ := timedb_shard._leave();
END
$$;
COMMENT ON FUNCTION timedb_shard.stats(text) IS 'timedb.stats() by the key that comes first.';

CREATE FUNCTION timedb_shard.update(shown_key text, a1 json, OUT status text, OUT run_id uuid, OUT series_id uuid, OUT valid_time timestamp with time zone, OUT valid_time_end timestamp with time zone, OUT change_time timestamp with time zone) RETURNS SETOF record LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 10
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  entered CONSTANT boolean := timedb_shard._enter(shown_key);
  left_ boolean;
BEGIN
  RETURN QUERY SELECT * FROM timedb.update($2);
  left_ := timedb_shard._leave();
END
$$;
COMMENT ON FUNCTION timedb_shard.update(text, json) IS 'timedb.update() by the key that comes first.';

CREATE FUNCTION timedb_shard.update_series(shown_key text, a1 uuid, a2 text, a3 text, a4 text, a5 jsonb, OUT series_id uuid, OUT series_key text, OUT unit text, OUT description text, OUT labels jsonb, OUT inserted_at timestamp with time zone) RETURNS record LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  entered CONSTANT boolean := timedb_shard._enter(shown_key);
  left_ boolean;
BEGIN
  SELECT * INTO series_id, series_key, unit, description, labels, inserted_at FROM timedb.update_series($2, $3, $4, $5, $6);
  left_ := timedb_shard._leave();
END
$$;
COMMENT ON FUNCTION timedb_shard.update_series(text, uuid, text, text, text, jsonb) IS 'timedb.update_series() by the key that comes first.';

CREATE FUNCTION timedb_shard.upload(shown_key text, a1 timestamp with time zone, a2 json, a3 text, a4 timestamp with time zone, a5 timestamp with time zone, a6 jsonb, a7 jsonb, a8 uuid, a9 boolean, OUT run_id uuid, OUT message text, OUT series_ids json, OUT written bigint, OUT skipped bigint) RETURNS record LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  entered CONSTANT boolean := timedb_shard._enter(shown_key);
  left_ boolean;
BEGIN
  SELECT * INTO run_id, message, series_ids, written, skipped FROM timedb.upload($2, $3, $4, $5, $6, $7, $8, $9, $10);
  left_ := timedb_shard._leave();
END
$$;
COMMENT ON FUNCTION timedb_shard.upload(text, timestamp with time zone, json, text, timestamp with time zone, timestamp with time zone, jsonb, jsonb, uuid, boolean) IS 'timedb.upload() by the key that comes first.';

CREATE FUNCTION timedb_shard.upload_arrow(shown_key text, a1 timestamp with time zone, a2 bytea, a3 text, a4 timestamp with time zone, a5 timestamp with time zone, a6 jsonb, a7 jsonb, a8 boolean, OUT run_id uuid, OUT message text, OUT series_ids json, OUT written bigint, OUT skipped bigint) RETURNS record LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  entered CONSTANT boolean := timedb_shard._enter(shown_key);
  left_ boolean;
BEGIN
  SELECT * INTO run_id, message, series_ids, written, skipped FROM timedb.upload_arrow($2, $3, $4, $5, $6, $7, $8, $9);
  left_ := timedb_shard._leave();
END
$$;
COMMENT ON FUNCTION timedb_shard.upload_arrow(text, timestamp with time zone, bytea, text, timestamp with time zone, timestamp with time zone, jsonb, jsonb, boolean) IS 'timedb.upload_arrow() by the key that comes first.';

CREATE FUNCTION timedb_shard.upload_points(shown_key text, a1 timestamp with time zone, a2 text[], a3 timestamp with time zone[], a4 double precision[], a5 timestamp with time zone[], a6 text, a7 timestamp with time zone, a8 timestamp with time zone, a9 jsonb, a10 jsonb, a11 jsonb[], a12 boolean, OUT run_id uuid, OUT message text, OUT series_ids json, OUT written bigint, OUT skipped bigint) RETURNS record LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  entered CONSTANT boolean := timedb_shard._enter(shown_key);
  left_ boolean;
BEGIN
  SELECT * INTO run_id, message, series_ids, written, skipped FROM timedb.upload_points($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13);
  left_ := timedb_shard._leave();
END
$$;
COMMENT ON FUNCTION timedb_shard.upload_points(text, timestamp with time zone, text[], timestamp with time zone[], double precision[], timestamp with time zone[], text, timestamp with time zone, timestamp with time zone, jsonb, jsonb, jsonb[], boolean) IS 'timedb.upload_points() by the key that comes first.';

CREATE FUNCTION timedb_shard.upload_runs(shown_key text, a1 json, a2 timestamp with time zone, a3 text, a4 timestamp with time zone, a5 timestamp with time zone, a6 jsonb, a7 jsonb, a8 boolean, OUT run_id uuid, OUT known_time timestamp with time zone, OUT workflow_id text, OUT value_count bigint, OUT skipped bigint) RETURNS SETOF record LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 100
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  entered CONSTANT boolean := timedb_shard._enter(shown_key);
  left_ boolean;
BEGIN
  RETURN QUERY SELECT * FROM timedb.upload_runs($2, $3, $4, $5, $6, $7, $8, $9);
  left_ := timedb_shard._leave();
END
$$;
COMMENT ON FUNCTION timedb_shard.upload_runs(text, json, timestamp with time zone, text, timestamp with time zone, timestamp with time zone, jsonb, jsonb, boolean) IS 'timedb.upload_runs() by the key that comes first.';

CREATE FUNCTION timedb_shard.upload_runs_arrow(shown_key text, a1 bytea, a2 timestamp with time zone, a3 text, a4 timestamp with time zone, a5 timestamp with time zone, a6 jsonb, a7 jsonb, a8 boolean, OUT run_id uuid, OUT known_time timestamp with time zone, OUT workflow_id text, OUT value_count bigint, OUT skipped bigint) RETURNS SETOF record LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 100
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  entered CONSTANT boolean := timedb_shard._enter(shown_key);
  left_ boolean;
BEGIN
  RETURN QUERY SELECT * FROM timedb.upload_runs_arrow($2, $3, $4, $5, $6, $7, $8, $9);
  left_ := timedb_shard._leave();
END
$$;
COMMENT ON FUNCTION timedb_shard.upload_runs_arrow(text, bytea, timestamp with time zone, text, timestamp with time zone, timestamp with time zone, jsonb, jsonb, boolean) IS 'timedb.upload_runs_arrow() by the key that comes first.';

CREATE FUNCTION timedb_shard.withdraw_run(shown_key text, a1 uuid, a2 text, OUT run_id uuid, OUT withdrawn_at timestamp with time zone, OUT withdrawn_by text, OUT reason text) RETURNS record LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  entered CONSTANT boolean := timedb_shard._enter(shown_key);
  left_ boolean;
BEGIN
  SELECT * INTO run_id, withdrawn_at, withdrawn_by, reason FROM timedb.withdraw_run($2, $3);
  left_ := timedb_shard._leave();
END
$$;
COMMENT ON FUNCTION timedb_shard.withdraw_run(text, uuid, text) IS 'timedb.withdraw_run() by the key that comes first.';

