-- update: new versions of values; each field absent, null or given.

\getenv folder PG_ABS_SRCDIR
\set two_tenants :folder /include/two_tenants.sql
\set refused :folder /include/refused.sql
\set topic update
\i :two_tenants
SELECT email FROM timedb.authenticate(:'alice_key');

SELECT run_id AS run1, series_ids->>'wind' AS wind, series_ids->>'price' AS price
FROM timedb.upload('2025-01-01', known_time => '2025-01-01', value_rows => '[
  {"value_key": "wind", "valid_time": "2025-01-01 01:00", "value": 1},
  {"value_key": "wind", "valid_time": "2025-01-01 02:00", "value": 2},
  {"value_key": "wind", "valid_time": "2025-01-01 03:00", "value": null},
  {"value_key": "wind", "valid_time": "2025-01-01 04:00", "valid_time_end": "2025-01-01 05:00", "value": 4},
  {"value_key": "price", "valid_time": "2025-01-01 01:00", "value": 10}]') \gset
SELECT run_id AS run2 FROM timedb.upload('2025-01-02', known_time => '2025-01-02', value_rows => '[
  {"value_key": "wind", "valid_time": "2025-01-01 01:00", "value": 5}]') \gset

-- Two shorthands: an update of a run's value of a series at an hour, with some fields; and a call of several.
CREATE FUNCTION pg_temp.of(run text, series text, hour text, fields text DEFAULT '') RETURNS text LANGUAGE sql AS $$
  SELECT format('{"run_id": "%s", "series_id": "%s", "valid_time": "2025-01-01 %s"%s}', run, series, hour, fields)
$$;
CREATE FUNCTION pg_temp.call(VARIADIC updates text[]) RETURNS json LANGUAGE sql AS $$
  SELECT ('[' || array_to_string(updates, ', ') || ']')::json
$$;

-- A value sets, and says what it did.
SELECT status, run_id = :'run1' AS run, series_id = :'wind' AS series, valid_time, valid_time_end, change_time <= clock_timestamp() AS changed
FROM timedb.update(pg_temp.call(pg_temp.of(:'run1', :'wind', '01:00', ', "value": 1.5, "annotation": "checked", "tags": ["a"]')));
SELECT valid_time, value, annotation, tags, changed_by FROM timedb.read(end_known => '2025-01-02', end_valid => '2025-01-01 02:00');
-- Absent leaves it: each field alone carries the others on.
SELECT status FROM timedb.update(pg_temp.call(pg_temp.of(:'run1', :'wind', '01:00', ', "value": 1.6')));
SELECT value, annotation, tags FROM timedb.read(end_known => '2025-01-02', end_valid => '2025-01-01 02:00') WHERE series_key = 'wind';
SELECT status FROM timedb.update(pg_temp.call(pg_temp.of(:'run1', :'wind', '01:00', ', "annotation": "checked twice"')));
SELECT value, annotation, tags FROM timedb.read(end_known => '2025-01-02', end_valid => '2025-01-01 02:00') WHERE series_key = 'wind';
SELECT status FROM timedb.update(pg_temp.call(pg_temp.of(:'run1', :'wind', '01:00', ', "tags": ["b", "c"]')));
SELECT value, annotation, tags FROM timedb.read(end_known => '2025-01-02', end_valid => '2025-01-01 02:00') WHERE series_key = 'wind';
-- Null clears it.
SELECT status FROM timedb.update(pg_temp.call(pg_temp.of(:'run1', :'wind', '01:00', ', "annotation": null')));
SELECT value, annotation, tags FROM timedb.read(end_known => '2025-01-02', end_valid => '2025-01-01 02:00') WHERE series_key = 'wind';
SELECT status FROM timedb.update(pg_temp.call(pg_temp.of(:'run1', :'wind', '01:00', ', "value": null, "tags": null')));
SELECT value, annotation, tags FROM timedb.read(end_known => '2025-01-02', end_valid => '2025-01-01 02:00') WHERE series_key = 'wind';
-- NaN is a value.
SELECT status FROM timedb.update(pg_temp.call(pg_temp.of(:'run1', :'wind', '01:00', ', "value": "NaN"')));
SELECT value FROM timedb.read(end_known => '2025-01-02', end_valid => '2025-01-01 02:00') WHERE series_key = 'wind';
-- Nothing was overwritten: every version is there, each whole, and later than the one before.
SELECT value, annotation, tags, change_time > lag(change_time) OVER () AS later
FROM timedb.read(end_known => '2025-01-02', end_valid => '2025-01-01 02:00', all_versions => true, series_keys => '{wind}');
-- The other run is as it was.
SELECT value, annotation FROM timedb.read(start_known => '2025-01-02');

-- Annotations are trimmed; tags are trimmed, lower-cased, sorted, each kept once; blank ones and [] are null.
SELECT status FROM timedb.update(pg_temp.call(pg_temp.of(:'run1', :'wind', '02:00', ', "annotation": "  two  words\n", "tags": [" B", "a", "b", "", "Ä"]')));
SELECT format('<%s>', annotation) AS annotation, tags FROM timedb.read('2025-01-01 02:00', '2025-01-01 03:00');
-- The same in other letters changes nothing.
SELECT status FROM timedb.update(pg_temp.call(pg_temp.of(:'run1', :'wind', '02:00', ', "value": 2.0, "annotation": "two  words", "tags": ["ä", "A", "B"]')));
SELECT status FROM timedb.update(pg_temp.call(pg_temp.of(:'run1', :'wind', '02:00', ', "annotation": " ", "tags": []')));
SELECT value, annotation, tags FROM timedb.read('2025-01-01 02:00', '2025-01-01 03:00');

-- Skipped: nothing would change, and no version is written. The change_time is that of the version that stands.
SELECT count(*) AS versions FROM timedb.values \gset
SELECT change_time AS standing FROM timedb.read('2025-01-01 02:00', '2025-01-01 03:00') \gset
SELECT status, change_time = :'standing' AS standing FROM timedb.update(pg_temp.call(pg_temp.of(:'run1', :'wind', '02:00')));
SELECT status, change_time = :'standing' AS standing FROM timedb.update(pg_temp.call(pg_temp.of(:'run1', :'wind', '02:00', ', "value": 2, "annotation": null, "tags": ["\t"]')));
SELECT status FROM timedb.update(pg_temp.call(pg_temp.of(:'run1', :'wind', '03:00', ', "value": null')));
SELECT status FROM timedb.update(pg_temp.call(pg_temp.of(:'run1', :'wind', '01:00', ', "value": "NaN"')));
SELECT count(*) - :versions AS written FROM timedb.values;
-- A zero of the other sign is another value.
SELECT status FROM timedb.update(pg_temp.call(pg_temp.of(:'run1', :'wind', '03:00', ', "value": 0')));
SELECT status FROM timedb.update(pg_temp.call(pg_temp.of(:'run1', :'wind', '03:00', ', "value": -0.0')));
SELECT value FROM timedb.read('2025-01-01 03:00', '2025-01-01 04:00');

-- Created: the first version of a value, if it is given, be it null; a moment and an interval are different values.
SELECT status, valid_time, valid_time_end FROM timedb.update(pg_temp.call(
  pg_temp.of(:'run1', :'wind', '04:00', ', "value": 4.1'),
  pg_temp.of(:'run1', :'wind', '04:00', ', "valid_time_end": "2025-01-01 05:00", "value": 4.2'),
  pg_temp.of(:'run1', :'wind', '04:00', ', "valid_time_end": "2025-01-01 06:00", "value": null, "annotation": "none yet"'),
  pg_temp.of(:'run2', :'price', '04:00', ', "value": 40')));
SELECT series_key, valid_time, valid_time_end, value, annotation, known_time FROM timedb.read('2025-01-01 04:00');
SELECT timedb.update(pg_temp.call(pg_temp.of(:'run1', :'wind', '09:00', ', "annotation": "of nothing"')));
\echo :SQLSTATE
\set VERBOSITY sqlstate
SELECT timedb.update(pg_temp.call(pg_temp.of(:'run1', :'wind', '04:00', ', "valid_time_end": "2025-01-01 09:00", "tags": []')));
\set VERBOSITY default

-- Several runs and series in one call, answered in input order; all of one run share one change time.
CREATE TEMP TABLE answer AS SELECT * FROM timedb.update(pg_temp.call(
  pg_temp.of(:'run2', :'wind', '01:00', ', "tags": ["x"]'),
  pg_temp.of(:'run1', :'price', '01:00', ', "value": 11'),
  pg_temp.of(:'run1', :'wind', '02:00', ', "value": 22'),
  pg_temp.of(:'run1', :'wind', '01:00', ', "value": 11'))) WITH ORDINALITY;
SELECT ordinality, status, run_id = :'run1' AS run1, series_id = :'wind' AS wind, valid_time FROM answer ORDER BY ordinality;
SELECT run_id = :'run1' AS run1, count(DISTINCT change_time) AS change_times FROM answer GROUP BY 1 ORDER BY 1;
SELECT series_key, valid_time, value, tags, known_time FROM timedb.read(mode => 'overlapping', end_valid => '2025-01-01 03:00');
-- Updates of one run and series with equal annotation and tags share a row.
SELECT count(*) AS versions FROM timedb.values \gset
SELECT status FROM timedb.update(pg_temp.call(
  pg_temp.of(:'run1', :'wind', '01:00', ', "value": 31, "tags": ["y"]'),
  pg_temp.of(:'run1', :'wind', '02:00', ', "value": 32, "tags": ["Y"]'),
  pg_temp.of(:'run1', :'wind', '03:00', ', "value": 33')));
SELECT count(*) - :versions AS rows_written FROM timedb.values;

-- One value several times in a call: changed field by field, one after the other, in one version; each is answered.
SELECT status, valid_time FROM timedb.update(pg_temp.call(
  pg_temp.of(:'run1', :'wind', '02:00', ', "value": 98, "annotation": "of the first"'),
  pg_temp.of(:'run1', :'wind', '03:00', ', "value": 99'),
  pg_temp.of(:'run1', :'wind', '02:00:00Z', ', "value": 42')));
SELECT valid_time, value, annotation, tags FROM timedb.read('2025-01-01 02:00', '2025-01-01 04:00');

-- Each version says who wrote it.
SELECT email FROM timedb.authenticate(:'admin_key');
SELECT status FROM timedb.update(pg_temp.call(pg_temp.of(:'run2', :'wind', '01:00', ', "value": 6')));
SELECT value, changed_by FROM timedb.read(start_known => '2025-01-02', end_valid => '2025-01-01 02:00', all_versions => true);

-- No updates are no rows.
SELECT * FROM timedb.update('[]');

-- What is absent, and what is another tenant's: the same words.
\i :refused
SELECT r.code, replace(r.message, t.run, 'ID') AS message FROM (VALUES (1, :'absent'), (2, :'their_run')) t(number, run),
  pg_temp.refused(format('SELECT timedb.update(%L)', pg_temp.call(pg_temp.of(t.run, :'wind', '01:00', ', "value": 1')))) r ORDER BY number;
SELECT r.code, replace(r.message, t.series, 'ID') AS message FROM (VALUES (1, :'absent'), (2, :'their_series')) t(number, series),
  pg_temp.refused(format('SELECT timedb.update(%L)', pg_temp.call(pg_temp.of(:'run1', t.series, '01:00', ', "value": 1')))) r ORDER BY number;
SELECT r.code, replace(r.message, t.run, 'ID') AS message FROM (VALUES (1, :'absent'), (2, :'their_run')) t(number, run),
  pg_temp.refused(format('SELECT timedb.update(%L)', pg_temp.call(pg_temp.of(t.run, :'their_series', '00:00', ', "value": 1')))) r ORDER BY number;

-- What is not taken: the row and the field are named, and nothing of the call is written.
SELECT count(*) AS versions FROM timedb.values \gset
SELECT last_change_time AS last_change FROM timedb.runs WHERE run_id = :'run1' \gset
SELECT t.fields, r.* FROM (VALUES
  (1, ', "value": "1"'),
  (2, ', "value": true'),
  (3, ', "value": 1e400'),
  (4, ', "annotation": 7'),
  (5, ', "annotation": "a\u0000b"'),
  (6, ', "tags": "a"'),
  (7, ', "tags": ["a", 7]'),
  (8, ', "tags": ["a", null]'),
  (9, ', "valid_time_end": "2025-01-01"'),
  (10, ', "valid_time_end": "soon"'),
  (11, ', "value": 1, "value": 2'),
  (12, ', "change_time": "2025-01-01"'),
  (13, ', "changed_by": "mallory"'),
  (14, ', "tenant_id": "mallory"')
) t(number, fields), pg_temp.refused(format('SELECT timedb.update(%L)', pg_temp.call(
  pg_temp.of(:'run1', :'wind', '01:00', ', "value": 77'), pg_temp.of(:'run1', :'wind', '02:00', t.fields)))) r ORDER BY t.number;
SELECT t.row, r.* FROM (VALUES
  (1, '{}'),
  (2, '{"run_id": "00000000-0000-0000-0000-000000000000"}'),
  (3, '{"run_id": "00000000-0000-0000-0000-000000000000", "series_id": "00000000-0000-0000-0000-000000000000"}'),
  (4, '{"run_id": null}'),
  (5, '{"series_id": null}'),
  (6, '{"valid_time": null}'),
  (7, '{"run_id": "7"}'),
  (8, '{"series_id": 7}'),
  (9, '{"valid_time": "soon"}'),
  (10, '[]')
) t(number, row), pg_temp.refused(format('SELECT timedb.update(%L)', pg_temp.call(pg_temp.of(:'run1', :'wind', '01:00', ', "value": 77'), t.row))) r ORDER BY t.number;
-- Too long an annotation, too many tags, too long a tag.
SELECT r.* FROM (VALUES
  (1, format(', "annotation": "%s"', repeat('a', 10001))),
  (2, format(', "tags": %s', (SELECT json_agg(i::text) FROM generate_series(1, 101) i)))
) t(number, fields), pg_temp.refused(format('SELECT timedb.update(%L)', pg_temp.call(pg_temp.of(:'run1', :'wind', '01:00', t.fields)))) r ORDER BY t.number;
SELECT r.code FROM pg_temp.refused(format('SELECT timedb.update(%L)', pg_temp.call(pg_temp.of(:'run1', :'wind', '01:00', format(', "tags": ["a", "%s"]', repeat('b', 201)))))) r;
SELECT r.* FROM pg_temp.refused($$SELECT timedb.update('{"updates": []}')$$) r;
SELECT r.* FROM pg_temp.refused('SELECT timedb.update(NULL)') r;
SELECT count(*) - :versions AS written FROM timedb.values;
SELECT last_change_time = :'last_change' AS unchanged FROM timedb.runs WHERE run_id = :'run1';

-- History is append-only for those who have the API alone.
UPDATE timedb.values SET annotation = 'x';
\echo :SQLSTATE
DELETE FROM timedb.values;
\echo :SQLSTATE
INSERT INTO timedb.values SELECT * FROM timedb.values;
\echo :SQLSTATE
UPDATE timedb.runs SET last_change_time = now();
\echo :SQLSTATE
