-- Generated from the functions of timedb by generate.sql: not to be edited. What a key can call, with the key first.

CREATE FUNCTION timedb_shard.activate_user(shown_key text, packed bytea) RETURNS SETOF bytea
  AS 'MODULE_PATHNAME', '_shard_call_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb_shard.activate_user(text, bytea) IS
  'timedb.activate_user() by the key that comes first, of packed arguments, with packed rows.';

CREATE FUNCTION timedb_shard.apply_retention(shown_key text, packed bytea) RETURNS SETOF bytea
  AS 'MODULE_PATHNAME', '_shard_call_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb_shard.apply_retention(text, bytea) IS
  'timedb.apply_retention() by the key that comes first, of packed arguments, with packed rows.';

CREATE FUNCTION timedb_shard.compact(shown_key text, packed bytea) RETURNS SETOF bytea
  AS 'MODULE_PATHNAME', '_shard_call_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb_shard.compact(text, bytea) IS
  'timedb.compact() by the key that comes first, of packed arguments, with packed rows.';

CREATE FUNCTION timedb_shard.coverage(shown_key text, packed bytea) RETURNS SETOF bytea
  AS 'MODULE_PATHNAME', '_shard_call_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb_shard.coverage(text, bytea) IS
  'timedb.coverage() by the key that comes first, of packed arguments, with packed rows.';

CREATE FUNCTION timedb_shard.create_key(shown_key text, packed bytea) RETURNS SETOF bytea
  AS 'MODULE_PATHNAME', '_shard_call_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb_shard.create_key(text, bytea) IS
  'timedb.create_key() by the key that comes first, of packed arguments, with packed rows.';

CREATE FUNCTION timedb_shard.create_series(shown_key text, packed bytea) RETURNS SETOF bytea
  AS 'MODULE_PATHNAME', '_shard_call_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb_shard.create_series(text, bytea) IS
  'timedb.create_series() by the key that comes first, of packed arguments, with packed rows.';

CREATE FUNCTION timedb_shard.create_user(shown_key text, packed bytea) RETURNS SETOF bytea
  AS 'MODULE_PATHNAME', '_shard_call_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb_shard.create_user(text, bytea) IS
  'timedb.create_user() by the key that comes first, of packed arguments, with packed rows.';

CREATE FUNCTION timedb_shard.deactivate_user(shown_key text, packed bytea) RETURNS SETOF bytea
  AS 'MODULE_PATHNAME', '_shard_call_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb_shard.deactivate_user(text, bytea) IS
  'timedb.deactivate_user() by the key that comes first, of packed arguments, with packed rows.';

CREATE FUNCTION timedb_shard.erase_run(shown_key text, packed bytea) RETURNS SETOF bytea
  AS 'MODULE_PATHNAME', '_shard_call_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb_shard.erase_run(text, bytea) IS
  'timedb.erase_run() by the key that comes first, of packed arguments, with packed rows.';

CREATE FUNCTION timedb_shard.erase_series(shown_key text, packed bytea) RETURNS SETOF bytea
  AS 'MODULE_PATHNAME', '_shard_call_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb_shard.erase_series(text, bytea) IS
  'timedb.erase_series() by the key that comes first, of packed arguments, with packed rows.';

CREATE FUNCTION timedb_shard.gaps(shown_key text, packed bytea) RETURNS SETOF bytea
  AS 'MODULE_PATHNAME', '_shard_call_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb_shard.gaps(text, bytea) IS
  'timedb.gaps() by the key that comes first, of packed arguments, with packed rows.';

CREATE FUNCTION timedb_shard.label_values(shown_key text, packed bytea) RETURNS SETOF bytea
  AS 'MODULE_PATHNAME', '_shard_call_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb_shard.label_values(text, bytea) IS
  'timedb.label_values() by the key that comes first, of packed arguments, with packed rows.';

CREATE FUNCTION timedb_shard.latest(shown_key text, packed bytea) RETURNS SETOF bytea
  AS 'MODULE_PATHNAME', '_shard_call_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb_shard.latest(text, bytea) IS
  'timedb.latest() by the key that comes first, of packed arguments, with packed rows.';

CREATE FUNCTION timedb_shard.list_audit(shown_key text, packed bytea) RETURNS SETOF bytea
  AS 'MODULE_PATHNAME', '_shard_call_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb_shard.list_audit(text, bytea) IS
  'timedb.list_audit() by the key that comes first, of packed arguments, with packed rows.';

CREATE FUNCTION timedb_shard.list_keys(shown_key text, packed bytea) RETURNS SETOF bytea
  AS 'MODULE_PATHNAME', '_shard_call_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb_shard.list_keys(text, bytea) IS
  'timedb.list_keys() by the key that comes first, of packed arguments, with packed rows.';

CREATE FUNCTION timedb_shard.list_retention(shown_key text, packed bytea) RETURNS SETOF bytea
  AS 'MODULE_PATHNAME', '_shard_call_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb_shard.list_retention(text, bytea) IS
  'timedb.list_retention() by the key that comes first, of packed arguments, with packed rows.';

CREATE FUNCTION timedb_shard.list_runs(shown_key text, packed bytea) RETURNS SETOF bytea
  AS 'MODULE_PATHNAME', '_shard_call_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb_shard.list_runs(text, bytea) IS
  'timedb.list_runs() by the key that comes first, of packed arguments, with packed rows.';

CREATE FUNCTION timedb_shard.list_series(shown_key text, packed bytea) RETURNS SETOF bytea
  AS 'MODULE_PATHNAME', '_shard_call_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb_shard.list_series(text, bytea) IS
  'timedb.list_series() by the key that comes first, of packed arguments, with packed rows.';

CREATE FUNCTION timedb_shard.list_users(shown_key text, packed bytea) RETURNS SETOF bytea
  AS 'MODULE_PATHNAME', '_shard_call_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb_shard.list_users(text, bytea) IS
  'timedb.list_users() by the key that comes first, of packed arguments, with packed rows.';

CREATE FUNCTION timedb_shard.read(shown_key text, packed bytea) RETURNS SETOF bytea
  AS 'MODULE_PATHNAME', '_shard_call_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb_shard.read(text, bytea) IS
  'timedb.read() by the key that comes first, of packed arguments, with packed rows.';

CREATE FUNCTION timedb_shard.read_arrow(shown_key text, packed bytea) RETURNS SETOF bytea
  AS 'MODULE_PATHNAME', '_shard_call_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb_shard.read_arrow(text, bytea) IS
  'timedb.read_arrow() by the key that comes first, of packed arguments, with packed rows.';

CREATE FUNCTION timedb_shard.read_arrow_batches(shown_key text, packed bytea) RETURNS SETOF bytea
  AS 'MODULE_PATHNAME', '_shard_call_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb_shard.read_arrow_batches(text, bytea) IS
  'timedb.read_arrow_batches() by the key that comes first, of packed arguments, with packed rows.';

CREATE FUNCTION timedb_shard.read_buckets(shown_key text, packed bytea) RETURNS SETOF bytea
  AS 'MODULE_PATHNAME', '_shard_call_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb_shard.read_buckets(text, bytea) IS
  'timedb.read_buckets() by the key that comes first, of packed arguments, with packed rows.';

CREATE FUNCTION timedb_shard.read_changes(shown_key text, packed bytea) RETURNS SETOF bytea
  AS 'MODULE_PATHNAME', '_shard_call_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb_shard.read_changes(text, bytea) IS
  'timedb.read_changes() by the key that comes first, of packed arguments, with packed rows.';

CREATE FUNCTION timedb_shard.read_changes_arrow(shown_key text, packed bytea) RETURNS SETOF bytea
  AS 'MODULE_PATHNAME', '_shard_call_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb_shard.read_changes_arrow(text, bytea) IS
  'timedb.read_changes_arrow() by the key that comes first, of packed arguments, with packed rows.';

CREATE FUNCTION timedb_shard.read_relative(shown_key text, packed bytea) RETURNS SETOF bytea
  AS 'MODULE_PATHNAME', '_shard_call_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb_shard.read_relative(text, bytea) IS
  'timedb.read_relative() by the key that comes first, of packed arguments, with packed rows.';

CREATE FUNCTION timedb_shard.read_relative_arrow(shown_key text, packed bytea) RETURNS SETOF bytea
  AS 'MODULE_PATHNAME', '_shard_call_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb_shard.read_relative_arrow(text, bytea) IS
  'timedb.read_relative_arrow() by the key that comes first, of packed arguments, with packed rows.';

CREATE FUNCTION timedb_shard.regenerate_key(shown_key text, packed bytea) RETURNS SETOF bytea
  AS 'MODULE_PATHNAME', '_shard_call_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb_shard.regenerate_key(text, bytea) IS
  'timedb.regenerate_key() by the key that comes first, of packed arguments, with packed rows.';

CREATE FUNCTION timedb_shard.restore_run(shown_key text, packed bytea) RETURNS SETOF bytea
  AS 'MODULE_PATHNAME', '_shard_call_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb_shard.restore_run(text, bytea) IS
  'timedb.restore_run() by the key that comes first, of packed arguments, with packed rows.';

CREATE FUNCTION timedb_shard.revoke_key(shown_key text, packed bytea) RETURNS SETOF bytea
  AS 'MODULE_PATHNAME', '_shard_call_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb_shard.revoke_key(text, bytea) IS
  'timedb.revoke_key() by the key that comes first, of packed arguments, with packed rows.';

CREATE FUNCTION timedb_shard.set_retention(shown_key text, packed bytea) RETURNS SETOF bytea
  AS 'MODULE_PATHNAME', '_shard_call_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb_shard.set_retention(text, bytea) IS
  'timedb.set_retention() by the key that comes first, of packed arguments, with packed rows.';

CREATE FUNCTION timedb_shard.settled_time(shown_key text, packed bytea) RETURNS SETOF bytea
  AS 'MODULE_PATHNAME', '_shard_call_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb_shard.settled_time(text, bytea) IS
  'timedb.settled_time() by the key that comes first, of packed arguments, with packed rows.';

CREATE FUNCTION timedb_shard.stats(shown_key text, packed bytea) RETURNS SETOF bytea
  AS 'MODULE_PATHNAME', '_shard_call_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb_shard.stats(text, bytea) IS
  'timedb.stats() by the key that comes first, of packed arguments, with packed rows.';

CREATE FUNCTION timedb_shard.update(shown_key text, packed bytea) RETURNS SETOF bytea
  AS 'MODULE_PATHNAME', '_shard_call_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb_shard.update(text, bytea) IS
  'timedb.update() by the key that comes first, of packed arguments, with packed rows.';

CREATE FUNCTION timedb_shard.update_series(shown_key text, packed bytea) RETURNS SETOF bytea
  AS 'MODULE_PATHNAME', '_shard_call_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb_shard.update_series(text, bytea) IS
  'timedb.update_series() by the key that comes first, of packed arguments, with packed rows.';

CREATE FUNCTION timedb_shard.upload(shown_key text, packed bytea) RETURNS SETOF bytea
  AS 'MODULE_PATHNAME', '_shard_call_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb_shard.upload(text, bytea) IS
  'timedb.upload() by the key that comes first, of packed arguments, with packed rows.';

CREATE FUNCTION timedb_shard.upload_arrow(shown_key text, packed bytea) RETURNS SETOF bytea
  AS 'MODULE_PATHNAME', '_shard_call_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb_shard.upload_arrow(text, bytea) IS
  'timedb.upload_arrow() by the key that comes first, of packed arguments, with packed rows.';

CREATE FUNCTION timedb_shard.upload_points(shown_key text, packed bytea) RETURNS SETOF bytea
  AS 'MODULE_PATHNAME', '_shard_call_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb_shard.upload_points(text, bytea) IS
  'timedb.upload_points() by the key that comes first, of packed arguments, with packed rows.';

CREATE FUNCTION timedb_shard.upload_runs(shown_key text, packed bytea) RETURNS SETOF bytea
  AS 'MODULE_PATHNAME', '_shard_call_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb_shard.upload_runs(text, bytea) IS
  'timedb.upload_runs() by the key that comes first, of packed arguments, with packed rows.';

CREATE FUNCTION timedb_shard.upload_runs_arrow(shown_key text, packed bytea) RETURNS SETOF bytea
  AS 'MODULE_PATHNAME', '_shard_call_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb_shard.upload_runs_arrow(text, bytea) IS
  'timedb.upload_runs_arrow() by the key that comes first, of packed arguments, with packed rows.';

CREATE FUNCTION timedb_shard.withdraw_run(shown_key text, packed bytea) RETURNS SETOF bytea
  AS 'MODULE_PATHNAME', '_shard_call_wrapper' LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1
  SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION timedb_shard.withdraw_run(text, bytea) IS
  'timedb.withdraw_run() by the key that comes first, of packed arguments, with packed rows.';

