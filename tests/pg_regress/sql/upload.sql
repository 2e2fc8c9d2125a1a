-- upload: one run from JSON rows, all of it or nothing.

\getenv folder PG_ABS_SRCDIR
\set two_tenants :folder /include/two_tenants.sql
\set refused :folder /include/refused.sql
\set topic upload
\i :two_tenants
SELECT email FROM timedb.authenticate(:'alice_key');

-- The plainest upload: what is not said has its default; series that are not there are made.
BEGIN;
SELECT run_id AS plain, message, series_ids FROM timedb.upload('2025-01-01 00:00Z', '[
  {"value_key": "wind", "valid_time": "2025-01-01T00:00:00Z", "value": 5.5},
  {"value_key": "temperature", "valid_time": "2025-01-01T00:00:00Z", "value": 20},
  {"value_key": "wind", "valid_time": "2025-01-01T01:00:00Z", "value": null}]') \gset
SELECT :'message' AS message;
SELECT workflow_id, run_start_time, run_finish_time, known_time = inserted_at AS known_then, run_params, changed_by,
       inserted_at = last_change_time AS unchanged
FROM timedb.runs WHERE run_id = :'plain';
COMMIT;
SELECT series_key, valid_time, valid_time_end, value, unit, changed_by, annotation, tags, run_id = :'plain' AS plain
FROM timedb.read();
SELECT series_key, unit, description, labels FROM timedb.list_series();
-- series_ids: the keys in the order in which the rows first named them.
SELECT string_agg(key, ', ' ORDER BY number) AS keys
FROM json_object_keys(:'series_ids') WITH ORDINALITY AS k(key, number);
SELECT json_typeof(:'series_ids'), bool_and(s.series_id::text = :'series_ids'::json->>s.series_key) AS agree
FROM timedb.list_series() s;

-- Everything said.
SELECT run_id AS full FROM timedb.upload(
  run_start_time => '2025-01-02 00:00Z', workflow_id => 'nightly', run_finish_time => '2025-01-02 00:10Z',
  known_time => '2025-01-01 23:00Z', run_params => '{"model": "a", "members": 3}',
  series_descriptions => '{"wind": "Wind speed", "price": "Day-ahead price"}',
  value_rows => '[
    {"value_key": "wind", "valid_time": "2025-01-03", "valid_time_end": "2025-01-04", "value": 1},
    {"value_key": "price", "valid_time": "2025-01-03 01:00:00+01", "valid_time_end": null, "value": -0.0},
    {"value_key": "price", "valid_time": "2025-01-03 02:00", "value": "NaN"},
    {"value_key": "price", "valid_time": "2025-01-03 03:00", "value": "Infinity"},
    {"value_key": "price", "valid_time": "2025-01-03 04:00", "value": "-Infinity"},
    {"value_key": "price", "valid_time": "2025-01-03 05:00:00.000001", "value": 1e-3, "series_id": null}]') \gset
SELECT workflow_id, run_start_time, run_finish_time, known_time, run_params FROM timedb.runs WHERE run_id = :'full';
SELECT known_time, series_key, valid_time, valid_time_end, value FROM timedb.read(start_known => '2025-01-01', end_known => '2025-01-02');
-- A description is filled in once.
SELECT message FROM timedb.upload('2025-01-02', '[{"value_key": "wind", "valid_time": "2025-01-05", "value": 1}]',
  series_descriptions => '{"wind": "something else"}');
SELECT series_key, description FROM timedb.list_series();
-- NULL is the default of every optional argument.
BEGIN;
SELECT run_id AS nulls FROM timedb.upload('2025-01-02', '[{"value_key": "wind", "valid_time": "2025-01-06", "value": 1}]',
  NULL, NULL, NULL, NULL, NULL) \gset
SELECT workflow_id, run_finish_time, known_time = inserted_at AS known_then, run_params FROM timedb.runs WHERE run_id = :'nulls';
SELECT run_id AS nulls FROM timedb.upload('2025-01-02', '[]', run_params => 'null') \gset
SELECT run_params IS NULL AS none FROM timedb.runs WHERE run_id = :'nulls';
COMMIT;

-- Known far ahead of the clock, it is taken with a warning; clocks may differ by less.
SELECT message FROM timedb.upload('2025-01-02', '[]', known_time => '2999-01-01');
SELECT message FROM timedb.upload('2025-01-02', '[]', known_time => clock_timestamp() + interval '59 minutes');
SELECT message FROM timedb.upload_points('2025-01-02', '{}', '{}', '{}', known_time => '2999-01-01');

-- A series with labels is written by its id, and appears under it; key and id together must agree.
SELECT timedb.create_series('wind', labels => '{"site": "north"}') AS north \gset
SELECT series_ids->>'wind' AS wind FROM timedb.upload('2025-01-02', '[{"value_key": "wind", "valid_time": "2025-01-07", "value": 1}]') \gset
SELECT format('[{"series_id": "%s", "valid_time": "2025-01-08", "value": 1},
                {"series_id": "%s", "valid_time": "2025-01-08", "value": 2},
                {"series_id": "%s", "value_key": "wind", "valid_time": "2025-01-09", "value": 3},
                {"value_key": "wind", "valid_time": "2025-01-10", "value": 4},
                {"value_key": "wind", "series_id": "%s", "valid_time": "2025-01-11", "value": 5}]',
              :'north', :'wind', :'north', :'wind') AS rows \gset
SELECT replace(replace(string_agg(key, ', ' ORDER BY number), :'north', 'NORTH'), :'wind', 'WIND') AS keys
FROM timedb.upload('2025-01-02', :'rows') u, json_object_keys(u.series_ids) WITH ORDINALITY AS k(key, number);
SELECT valid_time::date AS day, s.labels, r.value
FROM timedb.read('2025-01-08') r JOIN timedb.series s USING (series_id) ORDER BY 1, 3;

-- An upload of no rows is a run without values.
SELECT run_id AS empty, series_ids FROM timedb.upload('2025-01-02', ' [ ] ') \gset
SELECT :'series_ids' AS series_ids;
SELECT count(*) FROM timedb.runs WHERE run_id = :'empty';
SELECT count(*) FROM timedb.values WHERE run_id = :'empty';

-- The same time as a moment and as intervals are different values.
SELECT message FROM timedb.upload('2025-01-02', '[
  {"value_key": "wind", "valid_time": "2025-01-12", "value": 1},
  {"value_key": "wind", "valid_time": "2025-01-12", "valid_time_end": "2025-01-13", "value": 2},
  {"value_key": "wind", "valid_time": "2025-01-12", "valid_time_end": "2025-01-14", "value": 3}]');
SELECT valid_time, valid_time_end, value FROM timedb.read('2025-01-12', series_keys => '{wind}');

-- Arguments that are not taken.
SELECT timedb.upload(NULL, '[]');
\echo :SQLSTATE
SELECT timedb.upload('2025-01-01', NULL);
\echo :SQLSTATE
SELECT timedb.upload('infinity', '[]');
\echo :SQLSTATE
SELECT timedb.upload('2025-01-01', '[]', known_time => '-infinity');
\echo :SQLSTATE
SELECT timedb.upload('2025-01-01', '[]', run_finish_time => 'infinity');
\echo :SQLSTATE
SELECT timedb.upload('2025-01-01', '[]', run_params => '[]');
\echo :SQLSTATE
SELECT timedb.upload('2025-01-01', '[]', series_descriptions => '[]');
\echo :SQLSTATE
SELECT timedb.upload('2025-01-01', '[]', series_descriptions => '{"wind": 1}');
\echo :SQLSTATE
SELECT timedb.upload('2025-01-01', '[]', series_descriptions => '{"wind": "Wind speed"}');
\echo :SQLSTATE
-- changed_by and change_time are the server's.
SELECT timedb.upload('2025-01-01', '[]', changed_by => 'mallory');
\echo :SQLSTATE

-- A bad row is named, counted from 0, with its field; nothing of its upload stays.
\i :refused
CREATE TEMP VIEW counts AS
  SELECT (SELECT count(*) FROM timedb.series) AS series, (SELECT count(*) FROM timedb.runs) AS runs,
         (SELECT count(*) FROM timedb.values) AS "values";
SELECT * FROM counts \gset before_
CREATE FUNCTION pg_temp.refused_rows(rows text, OUT code text, OUT message text, OUT nothing_stays boolean)
LANGUAGE plpgsql AS $$
DECLARE
  before counts;
  after counts;
BEGIN
  SELECT * INTO before FROM counts;
  SELECT * INTO code, message FROM pg_temp.refused(format('SELECT timedb.upload(%L, %L)', '2025-01-01', rows));
  SELECT * INTO after FROM counts;
  nothing_stays := before = after;
END
$$;
\set good '{"value_key": "new", "valid_time": "2025-01-01", "value": 1}'
-- Fields: %s stands for one good row before the bad one.
SELECT t.row, r.* FROM (VALUES
  (1, '{}'),
  (2, '{"value_key": "k", "value": 1}'),
  (3, '{"value_key": "k", "valid_time": "2025-01-01"}'),
  (4, '{"valid_time": "2025-01-01", "value": 1}'),
  (5, '{"value_key": null, "series_id": null, "valid_time": "2025-01-01", "value": 1}'),
  (6, '{"value_key": "k", "valid_time": null, "value": 1}'),
  (7, '{"value_key": "k", "valid_time": "yesterday", "value": 1}'),
  (8, '{"value_key": "k", "valid_time": "2025-02-29", "value": 1}'),
  (9, '{"value_key": "k", "valid_time": 1735689600, "value": 1}'),
  (10, '{"value_key": "k", "valid_time": "infinity", "value": 1}'),
  (11, '{"value_key": "k", "valid_time": "2025-01-01T00:00:00.0000001Z", "value": 1}'),
  (12, '{"value_key": "k", "valid_time": "2025-01-01", "valid_time_end": "soon", "value": 1}'),
  (13, '{"value_key": "k", "valid_time": "2025-01-01", "valid_time_end": "2025-01-01", "value": 1}'),
  (14, '{"value_key": "k", "valid_time": "2025-01-02", "valid_time_end": "2025-01-01", "value": 1}'),
  (15, '{"value_key": "k", "valid_time": "2025-01-01", "value": "20"}'),
  (16, '{"value_key": "k", "valid_time": "2025-01-01", "value": true}'),
  (17, '{"value_key": "k", "valid_time": "2025-01-01", "value": [1]}'),
  (18, '{"value_key": "k", "valid_time": "2025-01-01", "value": {}}'),
  (19, '{"value_key": "k", "valid_time": "2025-01-01", "value": 1e400}'),
  (20, '{"value_key": "", "valid_time": "2025-01-01", "value": 1}'),
  (21, '{"value_key": 7, "valid_time": "2025-01-01", "value": 1}'),
  (22, '{"value_key": "a\u0000b", "valid_time": "2025-01-01", "value": 1}'),
  (23, '{"value_key": "\udead", "valid_time": "2025-01-01", "value": 1}'),
  (24, '{"series_id": "7", "valid_time": "2025-01-01", "value": 1}'),
  (25, '{"series_id": "00000000-0000-0000-0000-000000000000", "valid_time": "2025-01-01", "value": 1}'),
  (26, '{"value_key": "k", "valid_tme": "2025-01-01", "value": 1}'),
  (27, '{"value_key": "k", "valid_time": "2025-01-01", "value": 1, "quality": "x"}'),
  (28, '{"value_key": "k", "value_key": "l", "valid_time": "2025-01-01", "value": 1}'),
  (29, '{"value_key": "new", "valid_time": "2025-01-01T00:00:00Z", "value": 2}'),
  (30, '[]'),
  (31, '7'),
  (32, 'null')
) t(number, row), pg_temp.refused_rows(format('[%s, %s]', :'good', t.row)) r ORDER BY t.number;
-- Too long a key; a key that is not the series'; both as a whole.
SELECT r.* FROM pg_temp.refused_rows(format('[{"value_key": "%s", "valid_time": "2025-01-01", "value": 1}]', repeat('k', 501))) r;
SELECT r.* FROM pg_temp.refused_rows(format('[%s, {"value_key": "temperature", "series_id": "%s", "valid_time": "2025-01-01", "value": 1}]', :'good', :'wind')) r;
-- A value twice for one series, however it is named.
SELECT r.* FROM pg_temp.refused_rows(format('[%s, {"value_key": "wind", "valid_time": "2025-01-01", "value": 1}, {"series_id": "%s", "valid_time": "2025-01-01", "value": 1}]', :'good', :'wind')) r;
-- Not an array at all.
SELECT t.rows, r.* FROM (VALUES (1, '{}'), (2, '"rows"'), (3, 'null')) t(number, rows), pg_temp.refused_rows(t.rows) r ORDER BY t.number;
SELECT timedb.upload('2025-01-01', '[');
\echo :SQLSTATE
-- A bad row after many good ones, and a bad argument after good rows.
SELECT r.code, r.message, r.nothing_stays FROM pg_temp.refused_rows(
  (SELECT '[' || string_agg(format('{"value_key": "new %s", "valid_time": "2025-01-01", "value": %s}', i % 10, CASE i WHEN 9999 THEN '"x"' ELSE i::text END), ', ') || ']' FROM generate_series(0, 9999) i)) r;
SELECT timedb.upload('2025-01-01', format('[%s]', :'good')::json, series_descriptions => '{"old": "x"}');
\echo :SQLSTATE
SELECT series = :before_series AND runs = :before_runs AND "values" = :before_values AS nothing_stays FROM counts;
SELECT count(*) FROM timedb.list_series() WHERE series_key LIKE 'new%';
