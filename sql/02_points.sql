-- timedb.points: the packed vector of values, and the small pieces that make, open and merge it; timedb.pack: many of
-- them, of one series, with what is stored beside each.

CREATE TYPE timedb.points;

CREATE FUNCTION timedb.points_in(cstring) RETURNS timedb.points
  AS 'MODULE_PATHNAME', 'points_in_wrapper' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION timedb.points_out(timedb.points) RETURNS cstring
  AS 'MODULE_PATHNAME', 'points_out_wrapper' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION timedb.points_recv(internal) RETURNS timedb.points
  AS 'MODULE_PATHNAME', 'points_recv_wrapper' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION timedb.points_send(timedb.points) RETURNS bytea
  AS 'MODULE_PATHNAME', 'points_send_wrapper' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;

CREATE TYPE timedb.points (
  INPUT = timedb.points_in,
  OUTPUT = timedb.points_out,
  RECEIVE = timedb.points_recv,
  SEND = timedb.points_send,
  INTERNALLENGTH = VARIABLE,
  ALIGNMENT = int4,
  -- Packed already: another compression would cost time and save nothing.
  STORAGE = external
);
COMMENT ON TYPE timedb.points IS
  'A packed vector of (valid_time, valid_time_end?, value?), one per key and in valid_time order; its text form is JSON and complete.';
COMMENT ON FUNCTION timedb.points_in(cstring) IS 'Reads the text form of points; 22P02 where it is malformed.';
COMMENT ON FUNCTION timedb.points_out(timedb.points) IS 'Writes the text form of points: every value, readable and bit for bit.';
COMMENT ON FUNCTION timedb.points_recv(internal) IS 'Reads the binary form of points; 22P03 where it is malformed.';
COMMENT ON FUNCTION timedb.points_send(timedb.points) IS 'Writes the binary form of points, which starts with its version.';

CREATE FUNCTION timedb.make_points(
  valid_times timestamptz[], point_values float8[], valid_time_ends timestamptz[] DEFAULT NULL
) RETURNS timedb.points
  AS 'MODULE_PATHNAME', 'make_points_wrapper' LANGUAGE c IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION timedb.make_points(timestamptz[], float8[], timestamptz[]) IS
  'Packs parallel arrays, in any order, one element a value; a null value or end is allowed, a null time is 22004, a key given twice or unequal lengths 22023.';

CREATE FUNCTION timedb.unnest_points(
  points timedb.points, OUT valid_time timestamptz, OUT valid_time_end timestamptz, OUT value float8
) RETURNS SETOF record
  AS 'MODULE_PATHNAME', 'unnest_points_wrapper' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE ROWS 50;
COMMENT ON FUNCTION timedb.unnest_points(timedb.points) IS
  'Opens points to rows, ordered by valid_time, a moment before the intervals that start at it.';

CREATE FUNCTION timedb.count_points(points timedb.points) RETURNS integer
  AS 'MODULE_PATHNAME', 'count_points_wrapper' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION timedb.count_points(timedb.points) IS 'How many values points hold, nulls included.';

CREATE FUNCTION timedb.bound_points(
  points timedb.points, OUT valid_from timestamptz, OUT valid_to timestamptz
) RETURNS record
  AS 'MODULE_PATHNAME', 'bound_points_wrapper' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION timedb.bound_points(timedb.points) IS
  'The first and the last valid_time of points, both included; null where there is no value.';

CREATE FUNCTION timedb._merge_points_step(
  state internal, points timedb.points, known_time timestamptz, change_time timestamptz, run_id uuid
) RETURNS internal
  AS 'MODULE_PATHNAME', '_merge_points_step_wrapper' LANGUAGE c IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION timedb._merge_points_step(internal, timedb.points, timestamptz, timestamptz, uuid) IS
  'Transition function of merge_points.';
CREATE FUNCTION timedb._merge_points_final(state internal) RETURNS timedb.points
  AS 'MODULE_PATHNAME', '_merge_points_final_wrapper' LANGUAGE c IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION timedb._merge_points_final(internal) IS 'Final function of merge_points.';

CREATE AGGREGATE timedb.merge_points(
  points timedb.points, known_time timestamptz, change_time timestamptz, run_id uuid
) (SFUNC = timedb._merge_points_step, STYPE = internal, FINALFUNC = timedb._merge_points_final, PARALLEL = SAFE);
COMMENT ON AGGREGATE timedb.merge_points(timedb.points, timestamptz, timestamptz, uuid) IS
  'Merges the points of one series: per valid_time and end the value of the latest (known_time, run_id, change_time), as a flat read does. Null points are skipped.';

CREATE TYPE timedb.pack;

CREATE FUNCTION timedb.pack_in(cstring) RETURNS timedb.pack
  AS 'MODULE_PATHNAME', 'pack_in_wrapper' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION timedb.pack_out(timedb.pack) RETURNS cstring
  AS 'MODULE_PATHNAME', 'pack_out_wrapper' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION timedb.pack_recv(internal) RETURNS timedb.pack
  AS 'MODULE_PATHNAME', 'pack_recv_wrapper' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION timedb.pack_send(timedb.pack) RETURNS bytea
  AS 'MODULE_PATHNAME', 'pack_send_wrapper' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;

CREATE TYPE timedb.pack (
  INPUT = timedb.pack_in,
  OUTPUT = timedb.pack_out,
  RECEIVE = timedb.pack_recv,
  SEND = timedb.pack_send,
  INTERNALLENGTH = VARIABLE,
  ALIGNMENT = int4,
  STORAGE = external
);
COMMENT ON TYPE timedb.pack IS
  'Many versions of one series in one value: of each its run, times, author, annotation, tags and points; its text form is JSON and complete.';
COMMENT ON FUNCTION timedb.pack_in(cstring) IS 'Reads the text form of a pack; 22P02 where it is malformed.';
COMMENT ON FUNCTION timedb.pack_out(timedb.pack) IS 'Writes the text form of a pack: every version, readable and bit for bit.';
COMMENT ON FUNCTION timedb.pack_recv(internal) IS 'Reads the binary form of a pack, its text in UTF-8; 22P02 where it is malformed.';
COMMENT ON FUNCTION timedb.pack_send(timedb.pack) IS 'Writes the binary form of a pack: its text in UTF-8.';

CREATE FUNCTION timedb.unnest_pack(
  pack timedb.pack, OUT run_id uuid, OUT known_time timestamptz, OUT change_time timestamptz, OUT changed_by text,
  OUT annotation text, OUT tags text[], OUT points timedb.points
) RETURNS SETOF record
  AS 'MODULE_PATHNAME', 'unnest_pack_wrapper' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE ROWS 500;
COMMENT ON FUNCTION timedb.unnest_pack(timedb.pack) IS 'Opens a pack to rows, one a version, as they stood in timedb.values.';
