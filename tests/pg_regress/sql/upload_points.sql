-- upload_points: as upload, from parallel arrays.

\getenv folder PG_ABS_SRCDIR
\set two_tenants :folder /include/two_tenants.sql
\set refused :folder /include/refused.sql
\set topic upload_points
\i :two_tenants
SELECT email FROM timedb.authenticate(:'alice_key');

-- One element a value, in any order of times.
BEGIN;
SELECT run_id AS run, message, series_ids FROM timedb.upload_points('2025-01-01',
  '{wind, price, wind}', '{2025-01-02, 2025-01-01, 2025-01-01}', '{2, NULL, NaN}') \gset
SELECT :'message' AS message;
SELECT workflow_id, known_time = inserted_at AS known_then, changed_by FROM timedb.runs WHERE run_id = :'run';
COMMIT;
SELECT series_key, valid_time, valid_time_end, value FROM timedb.read();
SELECT string_agg(key, ', ' ORDER BY number) AS keys FROM json_object_keys(:'series_ids') WITH ORDINALITY AS k(key, number);

-- Everything said; an end may be null.
SELECT run_id AS run FROM timedb.upload_points(
  run_start_time => '2025-01-02', series_keys => '{wind, wind}', valid_times => '{2025-02-01, 2025-02-01}',
  point_values => '{1, 2}', valid_time_ends => '{2025-02-02, NULL}', workflow_id => 'nightly',
  run_finish_time => '2025-01-03', known_time => '2025-01-01', run_params => '{"a": 1}',
  series_descriptions => '{"wind": "Wind speed"}') \gset
SELECT workflow_id, run_start_time, run_finish_time, known_time, run_params FROM timedb.runs WHERE run_id = :'run';
SELECT known_time, valid_time, valid_time_end, value FROM timedb.read('2025-02-01');
SELECT series_key, description FROM timedb.list_series();
-- NULL is the default of every optional argument; empty arrays are a run without values.
SELECT message, series_ids FROM timedb.upload_points('2025-01-01', '{}', '{}', '{}', NULL, NULL, NULL, NULL, NULL, NULL);

-- What it stores is what upload stores.
SELECT run_id AS by_json FROM timedb.upload('2025-01-01', '[
  {"value_key": "wind", "valid_time": "2025-03-01", "value": 1}, {"value_key": "wind", "valid_time": "2025-03-02", "value": null}]') \gset
SELECT run_id AS by_arrays FROM timedb.upload_points('2025-01-01', '{wind, wind}', '{2025-03-01, 2025-03-02}', '{1, NULL}') \gset
SELECT count(DISTINCT points::text) AS same, min(points::text) AS points
FROM timedb.values WHERE run_id IN (:'by_json', :'by_arrays');

-- What is refused, and that nothing of it stays.
\i :refused
SELECT (SELECT count(*) FROM timedb.series) AS series, (SELECT count(*) FROM timedb.runs) AS runs,
       (SELECT count(*) FROM timedb.values) AS "values" \gset before_
SELECT t.arrays, r.* FROM (VALUES
  (1, $$NULL, '{}', '{}'$$),
  (2, $$'{}', NULL, '{}'$$),
  (3, $$'{}', '{}', NULL$$),
  (4, $$'{new}', '{}', '{1}'$$),
  (5, $$'{new}', '{2025-01-01}', '{1, 2}'$$),
  (6, $$'{new}', '{2025-01-01}', '{1}', '{}'$$),
  (7, $$'{new, NULL}', '{2025-01-01, 2025-01-01}', '{1, 2}'$$),
  (8, $$'{new, new}', '{2025-01-01, NULL}', '{1, 2}'$$),
  (9, $$'{new, new}', '{2025-01-01, infinity}', '{1, 2}'$$),
  (10, $$'{new, new}', '{2025-01-01, 2025-01-02}', '{1, 2}', '{NULL, infinity}'$$),
  (11, $$'{new, new}', '{2025-01-01, 2025-01-02}', '{1, 2}', '{NULL, 2025-01-02}'$$),
  (12, $$'{new, " "}', '{2025-01-01, 2025-01-01}', '{1, 2}'$$),
  (13, $$'{new, old, new}', '{2025-01-01, 2025-01-01, 2025-01-01}', '{1, 2, 3}'$$),
  (14, $$ARRAY['new', repeat('k', 501)], '{2025-01-01, 2025-01-01}', '{1, 2}'$$)
) t(number, arrays), pg_temp.refused(format('SELECT timedb.upload_points(%L, %s)', '2025-01-01', t.arrays)) r ORDER BY t.number;
SELECT r.* FROM pg_temp.refused($$SELECT timedb.upload_points(NULL, '{}', '{}', '{}')$$) r;
SELECT (SELECT count(*) FROM timedb.series) = :before_series AND (SELECT count(*) FROM timedb.runs) = :before_runs
       AND (SELECT count(*) FROM timedb.values) = :before_values AS nothing_stays;
